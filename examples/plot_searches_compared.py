"""
Grid, random or Bayesian search?
================================

Tutorials rank the searches: a grid search is complete and slow, random search is often
more efficient, and Bayesian search learns from earlier candidates and is usually better
than both. Here all of them have the same budget of 27 candidates, on the same rows and
folds. This is repeated six times.
"""

# %%
# One space, three searches
# -------------------------
# Learning rate, L2 and dropout of a network on 600 of MNIST's digits. The grid has
# three values of each, the centres of the thirds of the ranges from which the other
# searches draw. ``BayesSearchCV`` asks its sampler, the tree-structured Parzen
# estimator, for four candidates at a time.
#
# Each of the six runs has its own digits, and the others to test on. The 18 searches
# are given to one call of joblib inside ``skreg.fused()``: all networks of all searches
# whose settings are known at a time train together, 1,458 in the end.

import numpy as np
import pandas as pd
from _studies import half_width, load_mnist, with_interval
from joblib import Parallel, delayed
from scipy.stats import loguniform, uniform
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    train_test_split,
)

import skreg

n_runs, budget = 6, 27
network = skreg.MLPClassifier((64,), standardize=False, random_state=0)
space = {
    "learning_rate_init": loguniform(1e-4, 1e-1),
    "l2": loguniform(1e-5, 1e-1),
    "dropout": uniform(0, 0.8),
}
thirds = [1 / 6, 1 / 2, 5 / 6]
grid = {name: list(values.ppf(thirds)) for name, values in space.items()}


def searches(run):
    shared = {
        "scoring": "neg_log_loss",
        "cv": StratifiedKFold(3, shuffle=True, random_state=run),
    }
    return {
        "grid": GridSearchCV(network, grid, **shared),
        "random": RandomizedSearchCV(
            network, space, n_iter=budget, random_state=run, **shared
        ),
        "Bayesian": skreg.BayesSearchCV(
            network, space, n_iter=budget, batch_size=4, random_state=run, **shared
        ),
    }


X, y = load_mnist()
splits = [
    train_test_split(X, y, train_size=600, stratify=y, random_state=run)
    for run in range(n_runs)
]
methods = list(searches(0))
with skreg.fused():
    fitted = Parallel()(
        delayed(search.fit)(splits[run][0], splits[run][2])
        for run in range(n_runs)
        for search in searches(run).values()
    )
fitted = {name: fitted[i :: len(methods)] for i, name in enumerate(methods)}

# %%
# The best so far
# ---------------
# After each candidate, the lowest cross-validated log loss up to there. A grid has an
# order of its own, in which the first third of the candidates shares one learning rate:
# it is shuffled here.

paths = {}
for name, runs in fitted.items():
    losses = np.array([-run.cv_results_["mean_test_score"] for run in runs])
    if name == "grid":
        losses = np.random.default_rng(0).permuted(losses, axis=1)
    paths[name] = np.minimum.accumulate(losses, axis=1)

ends = {name: path[:, -1] for name, path in paths.items()}
best = np.min(list(ends.values()), axis=0)
table = pd.DataFrame(
    {
        name: {
            **{f"after {n}": with_interval(path[:, n - 1]) for n in (9, 18, 27)},
            "minus random's": with_interval(ends[name] - ends["random"]),
            "best in": f"{(ends[name] == best).sum()} of {n_runs}",
            "on the other digits": with_interval(
                [-run.score(s[1], s[3]) for run, s in zip(fitted[name], splits)]
            ),
        }
        for name, path in paths.items()
    }
).T
print(table.to_string())

# %%
# Some digits are harder than others, and the intervals in the table are mostly those of
# the runs. So the picture shows how far each search is above the best candidate that
# any of the three has found in the same run: means with 95 % t-intervals.

import matplotlib.pyplot as plt

candidates = np.arange(1, budget + 1)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, path in paths.items():
    distance = (path - best[:, None]).T
    mean, half = distance.mean(axis=1), half_width(distance)
    ax.plot(candidates, mean, label=name)
    ax.fill_between(candidates, mean - half, mean + half, alpha=0.15)
ax.set(xlabel="candidates", ylabel="held-out log loss above the best", ylim=(0, 0.15))
ax.set_xticks([1, 5, 10, 15, 20, 25])
ax.legend()
plt.show()

# %%
# What holds, and what does not
# -----------------------------
# - The Bayesian search is the best in the end, in all six runs. It is not so until it
#   has tried some twenty candidates: it begins as a random search does and learns from
#   then on, and with a smaller budget it is no better than one.
# - Random search is not better than a grid here by more than the runs differ. With
#   three parameters in ranges that somebody chose well, the centre of the grid is a
#   good candidate. It cannot get better than its few values, and with a fourth
#   parameter three values of each would be 81 candidates.
# - The differences in the end are small beside those between runs, and on digits that
#   no search has seen they are gone: part of what a search finds in its folds is
#   chance.
