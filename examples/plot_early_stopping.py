"""
When to stop, and what to keep
==============================

Many tutorials use early stopping with a patience of 5, at most 100 epochs in batches of
32, and the best weights at the end. How good are these settings on a thousand of
MNIST's digits? What does another patience change, and what if the last weights are
kept?
"""

# %%
# Patience here and in Keras
# --------------------------
# Keras stops when ``patience`` epochs in a row were no better than the best one, skreg
# after *more* than ``n_iter_no_change`` epochs without an improvement by ``tol``, as
# scikit-learn does. So Keras's ``patience=5`` is ``n_iter_no_change=4`` with ``tol=0``.
# (If an epoch is exactly as good as the best one, skreg counts it as not worse, and
# Keras as not better. Such ties occur with accuracies, but not with losses.) This
# function is Keras's rule for losses. Below it is compared with where skreg stops.

import warnings

import numpy as np
import pandas as pd
from _studies import half_width, load_mnist, with_interval
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

import skreg


def keras_stops_at(losses, patience):
    best, waited = np.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited >= patience:
            return epoch
    return len(losses)


# %%
# Eight ways to end
# -----------------
# A tenth of the thousand digits is watched, their log loss or, in the last two ways,
# their accuracy, which takes only 101 values. The other 4,000 digits judge. Eight runs
# of each, with their own digits and initial weights, train together inside
# ``skreg.fused()``.

# Some of the fits are to run into max_iter.
warnings.simplefilter("ignore", ConvergenceWarning)
network = skreg.MLPClassifier(
    (128,),
    learning_rate="constant",
    learning_rate_init=1e-3,
    batch_size=32,
    max_iter=100,
    early_stopping=True,
    tol=0,
    standardize=False,
)


def patience(epochs, **settings):
    return {"n_iter_no_change": epochs - 1, **settings}


ways = {
    "patience 2": patience(2),
    "patience 5": patience(5),
    "patience 20": patience(20),
    "100 epochs": patience(101),
    "patience 5, last weights": patience(5, restore_best_weights=False),
    "100 epochs, last weights": patience(101, restore_best_weights=False),
    "patience 2, accuracy": patience(2, monitor="accuracy"),
    "patience 5, accuracy": patience(5, monitor="accuracy"),
}
n_runs = 8
X, y = load_mnist()
splits = [
    train_test_split(X, y, train_size=1000, stratify=y, random_state=run)
    for run in range(n_runs)
]


def fit(name, run):
    estimator = clone(network).set_params(random_state=run, **ways[name])
    return estimator.fit(splits[run][0], splits[run][2])


with skreg.fused():
    fitted = Parallel()(
        delayed(fit)(name, run) for name in ways for run in range(n_runs)
    )
fitted = {name: fitted[i * n_runs :][:n_runs] for i, name in enumerate(ways)}

accuracies = {
    name: [run.score(split[1], split[3]) for run, split in zip(runs, splits)]
    for name, runs in fitted.items()
}
losses = {
    name: [
        log_loss(split[3], run.predict_proba(split[1]))
        for run, split in zip(runs, splits)
    ]
    for name, runs in fitted.items()
}
table = pd.DataFrame(
    {
        name: {
            "epochs": f"{np.mean([run.n_iter_ for run in runs]):.1f}",
            "best epoch": f"{np.mean([run.best_iter_ for run in runs]):.1f}",
            "test log loss": with_interval(losses[name]),
            "test accuracy": with_interval(accuracies[name]),
        }
        for name, runs in fitted.items()
    }
).T
print(table.to_string())
for epochs in (2, 5, 20):
    stopped = [run.n_iter_ for run in fitted[f"patience {epochs}"]]
    keras = [
        keras_stops_at(run.validation_loss_curve_, epochs)
        for run in fitted["100 epochs"]
    ]
    print(f"patience {epochs}: skreg stopped at {stopped}, Keras's rule at {keras}")

# %%
# Left, one run through all its epochs: its best one is marked, and where each patience
# ended. Right, all runs: each dot is one, diamonds are means with 95 % t-intervals.

import matplotlib.pyplot as plt

fig, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), layout="constrained", width_ratios=(1.2, 1)
)
run = fitted["100 epochs"][0]
epochs = np.arange(1, run.n_iter_ + 1)
left.plot(epochs, run.loss_curve_, label="training loss")
left.plot(epochs, run.validation_loss_curve_, label="validation loss")
best = run.best_iter_
left.plot(best, run.validation_loss_curve_[best - 1], "k*", ms=11, label="best")
for style, count in zip((":", "--", "-."), (2, 5, 20)):
    stopped = fitted[f"patience {count}"][0].n_iter_
    left.axvline(stopped, color="0.5", linestyle=style, label=f"patience {count}")
left.set(xlabel="epoch", ylabel="log loss", ylim=(0, 1))
left.legend()
for i, values in enumerate(losses.values()):
    right.plot(values, np.full(n_runs, i), "o", color="0.75")
    right.errorbar(
        np.mean(values), i, xerr=half_width(values), fmt="D", capsize=4, color="C0"
    )
right.set_yticks(range(len(ways)), ways)
right.invert_yaxis()
right.set(xlabel="test log loss")
plt.show()

# %%
# What holds, and what does not
# -----------------------------
# - The log loss of the last weights after 100 epochs is a quarter above that of the
#   best epoch's: early stopping prevents that, in a fifth of the time. In *accuracy*
#   nothing is gained: the late network gets no more digits wrong, it is only surer of
#   them.
# - With a patience of 5, the best and the last weights are equally good on new digits:
#   the best epoch is the best on a hundred rows, by chance as well as by merit.
#   Restoring matters where patience is long.
# - Too small a patience underfits, but not always: 2 is enough for this smooth loss. It
#   is not for the accuracy of a hundred rows, which is noisier: one of the runs stops
#   far too early. Where what is watched is noisy, patience has to be longer, or more
#   rows have to be watched.

# %%
# Watching the training loss
# --------------------------
# Another example of the texts has ten units, stochastic gradient descent on the mean
# squared error in batches of one row, and watches the training loss, which takes
# ``validation_fraction=None``. What it prints is the number of epochs run: fewer than
# allowed as soon as single steps shake the training loss more than it still falls. That
# says that training has got where it can get at this rate, and nothing of overfitting.

from sklearn.datasets import load_diabetes

X, y = load_diabetes(return_X_y=True)
small = skreg.MLPRegressor(
    (10,),
    solver="sgd",
    momentum=0,
    learning_rate="constant",
    learning_rate_init=0.01,
    batch_size=1,
    max_iter=100,
    early_stopping=True,
    validation_fraction=None,
    n_iter_no_change=4,
    tol=0,
    random_state=0,
).fit(X, y)
print(f"{small.n_iter_} epochs run, the best is number {small.best_iter_}")
