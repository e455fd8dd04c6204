"""
Which strength, and which dropout rate?
=======================================

Regularisers are plain parameters, so scikit-learn's searches can tune them. This
example searches a grid over ``l2`` and ``dropout`` for a network on the wine data, and
looks at the whole grid and not only at its best point.
"""

# %%
# The search
# ----------
# The network standardises its input inside each fit, so no scaler is needed and nothing
# leaks from the held-out fold. Inside ``skreg.fused()`` all 100 fits train side by side
# as one network. The scores are the same as without it.

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold

import skreg

X, y = load_wine(return_X_y=True)
grid = {"l2": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], "dropout": [0.0, 0.25, 0.5, 0.75]}
search = GridSearchCV(
    skreg.MLPClassifier(hidden_layer_sizes=(50,), random_state=0),
    grid,
    scoring="neg_log_loss",
    cv=RepeatedStratifiedKFold(n_splits=5, n_repeats=1, random_state=0),
)
with skreg.fused():
    search.fit(X, y)
search.best_params_

# %%
# The whole grid
# --------------
# Many points have nearly the same score. The two regularisers can replace each other,
# and only the largest ``l2`` does harm. The best point of a grid is one of several good
# ones.

import matplotlib.pyplot as plt

shape = len(grid["dropout"]), len(grid["l2"])
loss = -search.cv_results_["mean_test_score"].reshape(shape)
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
image = ax.imshow(loss, cmap="viridis_r", aspect="auto")
ax.set_xticks(range(shape[1]), [f"{value:.0e}" for value in grid["l2"]])
ax.set_yticks(range(shape[0]), grid["dropout"])
ax.set(xlabel="l2", ylabel="dropout", title="Cross-validated log loss")
for (row, column), value in np.ndenumerate(loss):
    color = "white" if value > loss.mean() else "black"
    ax.text(column, row, f"{value:.3f}", ha="center", va="center", color=color)
fig.colorbar(image, ax=ax)
plt.show()
