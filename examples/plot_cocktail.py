"""
What does each regulariser do?
==============================

Every regulariser of skreg, one at a time, from weak to strong: the log loss on rows
that were held out, against its strength, beside the same network without it. The table
is one on which a network overfits: 300 rows of ``breast_cancer``, of which a tenth has
the wrong label.
"""

# %%
# One search
# ----------
# A grid search takes a list of grids, here one for each regulariser. All 900 fits train
# as a few large networks inside ``skreg.fused()``. The seed is the same in all of them,
# so that they start from the same weights. Without a regulariser, 40 epochs are enough
# to learn the wrong labels by heart, and ``tol=0`` trains through all of them.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold

import skreg

X, y = load_breast_cancer(return_X_y=True)
rng = np.random.default_rng(0)
rows = rng.permutation(len(y))[:300]
X, y = X[rows], y[rows]
y = np.where(rng.random(len(y)) < 0.1, 1 - y, y)

penalties = {
    "l1": [1e-4, 1e-3, 1e-2, 3e-2, 1e-1],
    "l2": [1e-4, 1e-3, 1e-2, 1e-1, 1],
    "group_l1": [1e-3, 1e-2, 3e-2, 1e-1, 3e-1],
    "weight_decay": [1e-2, 1e-1, 1, 3, 10],
    "max_norm": [0.1, 0.3, 1, 2, 4],
}
noise = {
    "dropout": [0.1, 0.3, 0.5, 0.7, 0.9],
    "input_dropout": [0.1, 0.3, 0.5, 0.7, 0.9],
    "input_noise": [0.1, 0.3, 1, 3],
    "cutout": [0.1, 0.3, 0.5, 0.7, 0.9],
    "mixup": [0.1, 0.3, 1, 3],
    "cutmix": [0.1, 0.3, 1, 3],
    "label_smoothing": [0.03, 0.1, 0.3, 0.5],
    "adversarial": [0.01, 0.03, 0.1, 0.3, 1],
}
course = {
    "n_iter_no_change": [1, 3, 10],
    "swa_fraction": [0.1, 0.25, 0.5, 0.75],
    "ema_decay": [0.9, 0.99, 0.999],
    "n_snapshots": [2, 4, 8],
    "clip_norm": [0.01, 0.1, 1, 10],
    "learning_rate": ["cosine", "onecycle", "flat_cosine", "invscaling", "adaptive"],
}
structure = {
    "batchnorm": ["before", "after"],
    "skip": ["linear", "residual"],
    "stochastic_depth": [0.1, 0.3, 0.5, 0.7],
    "numeric_embedding": ["piecewise_linear", "periodic"],
    "standardize": ["robust"],
    "init": ["scaled"],
}
# What a parameter needs beside it.
needs = {
    "n_iter_no_change": {"early_stopping": [True]},
    "n_snapshots": {"learning_rate": ["cosine"]},
    "stochastic_depth": {"skip": ["residual"]},
}

members = penalties | noise | course | structure
grids = [{name: values} | needs.get(name, {}) for name, values in members.items()]
network = skreg.MLPClassifier(
    hidden_layer_sizes=(32, 32),
    learning_rate_init=0.01,
    batch_size=32,
    max_iter=40,
    tol=0,
    random_state=0,
)
search = GridSearchCV(
    network,
    [{"random_state": [0]}, *grids],  # the first is the network as it is
    scoring="neg_log_loss",
    cv=RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=0),
    refit=False,
)
with warnings.catch_warnings(), skreg.fused():
    # Where l1 and group_l1 are weak, the optimum is far away after 40 epochs.
    warnings.simplefilter("ignore", ConvergenceWarning)
    search.fit(X, y)
results = search.cv_results_

# %%
# In all pictures, dots are means over the ten splits and bars their standard deviations.
# The line is the network without the regulariser. The loss is on a logarithmic scale.

means, sds = -results["mean_test_score"], results["std_test_score"]
ends = np.cumsum([1] + [len(values) for values in members.values()])
places = {name: slice(*pair) for name, *pair in zip(members, ends, ends[1:])}


def draw(group, n_columns, width=2.0):
    """Draw the loss against each parameter of a group, side by side."""
    n_rows = len(group) // n_columns
    fig, axes = plt.subplots(
        n_rows,
        n_columns,
        sharey=True,
        figsize=(width * n_columns, 2.6 * n_rows),
        layout="constrained",
    )
    for ax, (name, values) in zip(axes.flat, group.items()):
        ticks, choices = range(len(values)), isinstance(values[0], str)
        ax.axhline(means[0], color="C1")
        ax.errorbar(
            ticks,
            means[places[name]],
            sds[places[name]],
            fmt="o" if choices else "o-",
            capsize=3,
        )
        ax.set_xticks(ticks, values, rotation=30 if choices else 0)
        ax.margins(x=0.15)
        ax.set(title=name, yscale="log", ylim=(0.25, 3))
        ax.set_yticks([0.3, 0.5, 1, 2], ["0.3", "0.5", "1", "2"], minor=False)
        ax.minorticks_off()
    fig.supylabel("held-out log loss")


# %%
# Penalties and constraints
# -------------------------
draw(penalties, 5)

# %%
# Noise
# -----
draw(noise, 4, 2.5)

# %%
# The course of training
# ----------------------
draw(course, 3, 3.3)

# %%
# Structure
# ---------
draw(structure, 3, 3.3)
