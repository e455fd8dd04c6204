"""
How large a network?
====================

This example starts with a linear model and makes it larger step by step, from one layer
of 8 units to three layers of 256. Cross-validation shows which size is best, and its
standard error shows which others are equally good. The smallest of these is chosen.
"""

# %%
# Nineteen sizes, five folds
# --------------------------
# Half of scikit-learn's handwritten digits to learn from, the others to judge by. The
# sizes are those of ``search_space``, and the rule that chooses is the ``refit`` of the
# search. Rows are shuffled into folds since neighbours were written by one hand.
# Inside ``skreg.fused()`` networks of one size train as one, on all folds at once.

from functools import partial

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split

import skreg

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=0.5, stratify=y, random_state=0
)
network = skreg.MLPClassifier(random_state=0)
space = skreg.search_space(network, "architecture", n_samples=len(y_train))
search = GridSearchCV(
    network,
    space,
    scoring="neg_log_loss",
    cv=StratifiedKFold(5, shuffle=True, random_state=0),
    refit=partial(skreg.one_standard_error, n_features=X.shape[1]),
)
with skreg.fused():
    search.fit(X_train, y_train)
search.best_params_

# %%
# What the rule saw
# -----------------
# There is a dot for each network, with a standard error to both sides: a linear model,
# and networks of one, two and three layers. The dashed line is one standard error below
# the best mean. The rule takes the leftmost dot that is on or above it, because gains
# to its right may well vanish on other folds.

import matplotlib.pyplot as plt
import numpy as np

results = search.cv_results_
sizes = [params["hidden_layer_sizes"] for params in results["params"]]
scores = np.array([results[f"split{k}_test_score"] for k in range(5)])
means, errors = scores.mean(axis=0), scores.std(axis=0, ddof=1) / np.sqrt(5)
best, chosen = int(means.argmax()), search.best_index_
layers = [(X.shape[1], *size, 10) for size in sizes]
weights = np.array([np.multiply(s[:-1], s[1:]).sum() for s in layers])

fig, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
depths = np.array([len(size) for size in sizes])
for depth, name in enumerate(["linear", "one layer", "two layers", "three layers"]):
    at = depths == depth
    ax.errorbar(
        weights[at], means[at], errors[at], fmt="o-", ms=4, capsize=2, lw=1, label=name
    )
ax.axhline(means[best] - errors[best], color="0.5", linestyle="--")
for place, marker, name in [(best, "s", "best"), (chosen, "*", "chosen")]:
    at = weights[place], means[place]
    label = f"{name}: {sizes[place]}"
    ax.plot(*at, marker, ms=16, mfc="none", mec="black", ls="", label=label, zorder=3)
ax.set(xscale="log", xlabel="weights", ylabel="minus log loss", ylim=(-0.5, -0.05))
ax.legend(loc="lower right", ncols=2)
plt.show()

# %%
# Without a regulariser more layers do not help here, and wide ones of two or three
# layers do worse than narrow ones, with scores that vary more from fold to fold: all
# train for the same few epochs, at one rate.

# %%
# On new rows
# -----------
# The two networks are scored on the half of the rows that the search did not see. The
# difference between them on these rows has a standard error, too.

from sklearn.base import clone
from sklearn.metrics import accuracy_score

larger = clone(network).set_params(**results["params"][best]).fit(X_train, y_train)
losses = {}
for name, model, place in [
    ("best", larger, best),
    ("chosen", search.best_estimator_, chosen),
]:
    probabilities = model.predict_proba(X_test)
    losses[name] = -np.log(probabilities[np.arange(len(y_test)), y_test])
    accuracy = accuracy_score(y_test, model.predict(X_test))
    print(
        f"{name + ',':8}{sizes[place]!s:>7}: {weights[place]:6,} weights, "
        f"log loss {losses[name].mean():.3f}, accuracy {accuracy:.3f}"
    )
difference = losses["chosen"] - losses["best"]
error = difference.std(ddof=1) / np.sqrt(len(difference))
print(f"difference of the log losses: {difference.mean():.3f} ± {error:.3f}")

# %%
# The smaller network has a quarter of the weights, and the best score of the search
# promised too much: on new rows the larger network is not the better one. In other
# halves of these rows, by other seeds of the split, the rule mostly agrees with the
# best score, and sometimes pays a point or two of accuracy for a quarter of the
# weights. It never chooses a larger one. What simple means is for the user to say:
# ``complexity`` takes a function of a candidate's parameters.
