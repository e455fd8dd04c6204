"""Which pages have examples that need more than the oldest versions supported."""

from skreg.compatibility import SKLEARN

collect_ignore = []
if SKLEARN < (1, 9):
    # It has a callback of scikit-learn.
    collect_ignore.append("guide/running.md")
if SKLEARN < (1, 8):
    # They have parameters of logistic regression that are new in 1.8.
    collect_ignore += ["guide/myths.md", "guide/recipes.md"]
