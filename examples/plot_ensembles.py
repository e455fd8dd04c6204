"""
How many networks should be averaged?
=====================================

An average of networks predicts better than a single network if their errors differ.
The networks may differ in their initial weights and the order of rows only, each may
have its own random training rows, or they may be members that share most of their
weights. This example plots the error and the time against the number of networks.
"""

# %%
# Data and networks
# -----------------
# Ten handwritten digits of 8 x 8 pixels, with 400 images to train on. One network,
# trained for 40 epochs, learns these by heart. An average can even out its errors on
# other images.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skreg import MLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=400, stratify=y, random_state=0
)

kinds = {
    "independent": {},
    "bootstrap": {"bootstrap": True},
    "shared": {"ensemble": "shared"},
}
sizes = [1, 2, 4, 8, 16]
seeds = range(3)

# %%
# One fit for each kind, size and seed
# ------------------------------------
# The networks of a fit train together, as one large network.


def measure(n_estimators, seed, settings):
    """Return the log loss and the share of errors on new rows, and the time."""
    network = MLPClassifier(
        (64,), n_estimators=n_estimators, max_iter=40, random_state=seed, **settings
    )
    start = time.perf_counter()
    network.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    probabilities = network.predict_proba(X_test)
    error = np.mean(probabilities.argmax(axis=1) != y_test)
    return log_loss(y_test, probabilities), error, seconds


found = {
    name: np.array([[measure(n, seed, settings) for seed in seeds] for n in sizes])
    for name, settings in kinds.items()
}

print(f"{'':>14}{'networks':>10}{'log loss':>10}{'errors':>9}{'seconds':>9}")
for name, values in found.items():
    for n, (loss, error, seconds) in zip(sizes, values.mean(axis=1)):
        print(f"{name:>14}{n:>10}{loss:>10.3f}{error:>9.1%}{seconds:>9.2f}")

# %%
# The picture
# -----------
# Points are means over three seeds, and bars go from the best to the worst of them.
# Most of the gain comes from the first few independent networks. Networks with their
# own random rows start behind, because a bootstrap sample contains only 63 % of the
# rows. Averages make up for this, but do not get better than networks on all rows. Two
# members that share weights are no better than one network; sixteen are right as often
# as independent ones.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
labels = ["log loss on new rows", "errors on new rows", "seconds of a fit"]
for k, (ax, label) in enumerate(zip(axes, labels)):
    for name, values in found.items():
        of_seeds = values[:, :, k]
        mean = of_seeds.mean(axis=1)
        reach = [mean - of_seeds.min(axis=1), of_seeds.max(axis=1) - mean]
        ax.errorbar(sizes, mean, reach, marker="o", capsize=3, label=name)
    ax.set(xscale="log", xlabel="number of networks", ylabel=label, xticks=sizes)
    ax.set_xticklabels(sizes)
    ax.minorticks_off()
    ax.set_ylim(bottom=0)
axes[1].yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
axes[0].legend()
plt.show()
