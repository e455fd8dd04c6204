"""
Tuning in one line
==================

``MLPClassifierCV`` can replace ``LogisticRegressionCV``: it chooses its own
regularisation by cross-validation and predicts. Is it better, what did it choose, and
why?
"""

# %%
# Two lines, one split
# --------------------
# Six hundred of scikit-learn's digits to learn from, the others to judge by.
# ``LogisticRegressionCV`` needs a scaler; the network standardises by itself.

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skreg

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=600, stratify=y, random_state=0
)
logistic = make_pipeline(
    StandardScaler(),
    LogisticRegressionCV(
        l1_ratios=(0,),
        scoring="neg_log_loss",
        max_iter=1000,
        use_legacy_attributes=False,
    ),
).fit(X_train, y_train)
network = skreg.MLPClassifierCV(random_state=0).fit(X_train, y_train)

for model in (logistic, network):
    probability = model.predict_proba(X_test)
    loss = log_loss(y_test, probability)
    accuracy = accuracy_score(y_test, model.classes_[probability.argmax(axis=1)])
    print(f"log loss {loss:.3f}, accuracy {accuracy:.3f}")

# %%
# What was chosen
# ---------------
# The best candidate, and its log loss on the held-out rows of the five folds.

for name, value in network.best_params_.items():
    print(name, "=", value)
print(f"log loss {-network.best_score_:.3f}")

# %%
# The picture shows all candidates. The star is the chosen one. A parameter matters if
# good scores are found only in one part of its axis. Candidates that were dropped early
# have the score of the epoch that they had reached, so they are lower.

import matplotlib.pyplot as plt

skreg.SearchDisplay.from_estimator(network)
plt.show()

# %%
# Why the others were not
# -----------------------
# ``curves_`` holds the loss on the held-out rows after each epoch, here the mean over
# the folds. At each rung the worse half stops; the others go on from where they are.

import numpy as np

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for i, curves in enumerate(network.curves_):
    # A fold may stop before the others: up to there they are compared.
    length = min(map(len, curves))
    mean = np.mean([curve[:length] for curve in curves], axis=0)
    is_best = i == network.best_index_
    ax.plot(
        np.arange(1, length + 1),
        mean,
        color="C1" if is_best else "C0",
        linewidth=2 if is_best else 0.8,
        zorder=2 + is_best,
        label="chosen" if is_best else None,
    )
ax.set(xlabel="epoch", ylabel="held-out log loss", yscale="log")
ax.set_yticks([0.2, 0.5, 1], ["0.2", "0.5", "1"])
ax.minorticks_off()
ax.legend()
plt.show()

# %%
# Who predicts
# ------------
# Not the best candidate alone: the fold networks of the best ones are averaged, with
# these weights, and the mean is divided by a temperature on the scale of logarithms:
# above 1 the average was too sure of itself, below 1 not sure enough.

len(network.estimators_), network.weights_.round(3), round(network.temperature_, 3)
