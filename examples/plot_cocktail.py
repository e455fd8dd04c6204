"""
What does each regulariser do?
==============================

This example uses every regulariser of skreg, one at a time, from weak to strong. It
shows the log loss on held-out rows against the strength, and compares it with the same
network without the regulariser. The data are chosen such that a network overfits: 300
rows of ``breast_cancer``, a tenth of which have the wrong label.
"""

# %%
# One search
# ----------
# A grid search takes a list of grids, here one for each regulariser. All 1,030 fits
# train as a few large networks inside ``skreg.fused()``. The seed is the same in all of
# them, so that they start from the same weights. Without a regulariser, 40 epochs are
# enough to learn the wrong labels by heart, and ``tol=0`` trains through all of them.

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
    "skip_l2": [1e-3, 1e-2, 1e-1, 1],
    "stochastic_depth": [0.1, 0.3, 0.5, 0.7],
    "numeric_embedding": ["piecewise_linear", "periodic"],
    "embedding_scale": [0.01, 0.1, 1],
    "standardize": ["robust"],
    "init": ["scaled"],
}
# What a parameter needs beside it.
needs = {
    "n_iter_no_change": {"early_stopping": [True]},
    "n_snapshots": {"learning_rate": ["cosine"]},
    "skip_l2": {"skip": ["linear"], "l2": [1]},
    "stochastic_depth": {"skip": ["residual"]},
    "embedding_scale": {"numeric_embedding": ["periodic"]},
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
# In all pictures, dots are means over the ten splits and bars are standard deviations.
# The line is the network without the regulariser. The dotted line is the base rate,
# which a model predicts that does not use the inputs. The axis of the loss is
# logarithmic.

means, sds = -results["mean_test_score"], results["std_test_score"]
ends = np.cumsum([1] + [len(values) for values in members.values()])
places = {name: slice(*pair) for name, *pair in zip(members, ends, ends[1:])}
base_rate = np.bincount(y) / len(y)


def draw(group, n_columns):
    """Draw the loss against each parameter of a group, side by side."""
    n_rows = len(group) // n_columns
    fig, axes = plt.subplots(
        n_rows,
        n_columns,
        sharey=True,
        figsize=(10, 2.8 * n_rows),
        layout="constrained",
    )
    for ax, (name, values) in zip(axes.flat, group.items()):
        of_choices = isinstance(values[0], str)
        ax.axhline(means[0], color="C1")
        ax.axhline(-base_rate @ np.log(base_rate), color="gray", linestyle=":")
        ax.errorbar(
            range(len(values)),
            means[places[name]],
            sds[places[name]],
            fmt="o" if of_choices else "o-",
            capsize=3,
        )
        beside = [f"{key}={value!r}" for key, [value] in needs.get(name, {}).items()]
        ax.set_title("\n".join([name, ", ".join(beside)]).strip(), fontsize="medium")
        labels = [str(value).replace("_", "\n") for value in values]
        ax.set_xticks(range(len(values)), labels)
        if len(values) > 3 and len("".join(labels)) > 17:
            ax.tick_params(axis="x", rotation=45)
        ax.margins(x=0.5 if len(values) < 3 else 0.1)
        ax.set(yscale="log", ylim=(0.22, 3))
        ax.set_yticks([0.3, 0.5, 1, 2], ["0.3", "0.5", "1", "2"])
        ax.minorticks_off()
    fig.supylabel("held-out log loss")
    plt.show()


# %%
# Penalties and constraints
# -------------------------
# All five have a valley: too weak, and the labels are learned by heart; too strong, and
# little more than the base rate is left, as ``l1``, ``l2`` and ``max_norm`` show at
# their ends. At the bottom the loss is a third of the network's, whichever of them it
# is. Weak ``l1`` and ``group_l1`` are worse than none: where they are on, the fit goes
# on after its epochs towards an optimum of the objective, and the optimum of a network
# that is hardly penalised overfits most.

draw(penalties, 5)

# %%
# Noise
# -----
# Rates that would be large elsewhere are good on this table: ``input_dropout`` of 0.7,
# ``input_noise`` of a whole standard deviation, an ``adversarial`` step of as much, for
# the inputs say nearly the same many times over. ``mixup``, ``cutmix`` and
# ``label_smoothing`` help at any strength, and vary little from split to split: each of
# them tells the network not to be certain, which is what wrong labels ask for.

draw(noise, 4)

# %%
# The course of training
# ----------------------
# Stopping early is worth nearly as much as a good penalty, if it is impatient. So is
# ``"invscaling"``, whose rate has become small before the labels are learned. The rates
# of the other schedules fall later, and they gain less; ``"adaptive"`` changes nothing,
# as the training loss goes on falling. Averages of the weights help the more the
# further they look back, and the mean prediction of some snapshots is better than any
# of them. ``clip_norm`` does not help: the steps of Adam are hardly shorter for it. It
# is meant for training that jumps.

draw(course, 3)

# %%
# Structure
# ---------
# Batch normalisation alone nearly halves the loss, and so does ``stochastic_depth`` of
# 0.7. A linear connection alone changes nothing, as the hidden layers are still there.
# Beside hidden layers that ``l2=1`` has emptied it is a linear model, and nearly as
# good as the best networks above; without it ``l2=1`` left the base rate. Embeddings
# make the network more flexible, robust scaling and scaled initial weights make it
# easier to train: nothing of that is missing here, and fine waves do harm.

draw(structure, 4)

# %%
# One table is one table
# ----------------------
# On this one, nearly everything that makes the network simpler is good, and several
# ways lead to about the same loss. Others need something else, or a combination:
# ``skreg.MLPClassifierCV`` looks for it. These five were best:

best = np.argsort(means)[:5]
[(results["params"][i], round(float(means[i]), 3)) for i in best]
