"""
How much does each regulariser narrow the gap?
==============================================

A network that is trained on 250 handwritten digits has enough weights to learn them by
heart. This example trains it with one regulariser at a time and compares the log loss
on its training rows with the log loss on new ones.
"""

# %%
# A few training rows, many to judge by
# -------------------------------------

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_new, y_train, y_new = train_test_split(
    X, y, train_size=250, stratify=y, random_state=0
)

# %%
# One regulariser at a time
# -------------------------
# The strengths are round numbers, not tuned ones. Pixels are standardised inside the
# fit. All networks train at one rate for at most 100 epochs, ten times as long as by
# default, and a warning that one could have trained for longer is of no interest here.

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from skreg import MLPClassifier

settings = {
    "none": {},
    "l1": {"l1": 1e-3},
    "l2": {"l2": 3e-3},
    "group_l1": {"group_l1": 3e-3},
    "weight_decay": {"weight_decay": 1.0},
    "max_norm": {"max_norm": 1.0},
    "dropout": {"dropout": 0.5},
    "input_dropout": {"input_dropout": 0.2},
    "input_noise": {"input_noise": 0.5},
    "batchnorm": {"batchnorm": True},
    "label_smoothing": {"label_smoothing": 0.1},
    "mixup": {"mixup": 0.5},
    "early_stopping": {"early_stopping": True},
}
warnings.simplefilter("ignore", ConvergenceWarning)
losses = {}
for name, setting in settings.items():
    net = MLPClassifier(
        learning_rate="constant",
        learning_rate_init=1e-3,
        max_iter=100,
        random_state=0,
        **setting,
    )
    net.fit(X_train, y_train)
    losses[name] = (
        log_loss(y_train, net.predict_proba(X_train)),
        log_loss(y_new, net.predict_proba(X_new)),
    )

# %%
# The gap
# -------
# The line between two dots is the gap: what the network knows about its training
# rows that does not carry over to new ones. The right-hand dots matter more than the
# gap: a regulariser that is too strong closes it by making both losses worse.

import matplotlib.pyplot as plt

names = sorted(losses, key=lambda name: losses[name][1], reverse=True)
train, new = zip(*(losses[name] for name in names), strict=True)
fig, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.hlines(names, train, new, color="0.8", zorder=1)
ax.scatter(train, names, label="250 training rows", zorder=2)
ax.scatter(new, names, label=f"{len(y_new)} new rows", zorder=2)
ax.axvline(losses["none"][1], color="0.5", linestyle=":", label="none, new rows")
ax.set(xlabel="log loss (less is better)", xlim=(0, None))
fig.legend(loc="outside upper center", ncols=3)
plt.show()

# %%
# Label smoothing and mixup keep probabilities away from 0 and 1 on purpose, which
# increases the log loss if the classes are easy to tell apart. Early stopping cannot
# train on a tenth of the few rows. Which regulariser pays off depends on the data, so
# search for it.
