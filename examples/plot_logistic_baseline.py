"""
What does a network add to LogisticRegressionCV?
================================================

Tutorials on regularisation often begin with a logistic regression that chooses its own
L2. This example fits it with their data and settings, and compares it with an
equivalent network and with larger networks.
"""

# %%
# The baseline
# ------------
# The data have a thousand rows, seven hundred of them for training, and twenty columns,
# two of them informative. ``C_`` is the best of ten strengths by five folds. A large
# ``C`` is a weak penalty.

import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import train_test_split

X, y = make_classification(n_samples=1000, n_features=20, random_state=42)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.3, random_state=42
)
logistic = LogisticRegressionCV(
    cv=5, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False
)
logistic.fit(X_train, y_train)
print(f"C = {logistic.C_:.4f}, test score {logistic.score(X_test, y_test):.4f}")

# %%
# The same as a network
# ---------------------
# A network without hidden layers is a logistic regression. scikit-learn minimises ``C *
# sum(loss) + 1/2 * sum(w**2)`` and skreg ``mean(loss) + l2 * sum(w**2)``, so that ``l2
# = 1 / (2 * C * n)``. Both are run to a tight tolerance, and the coefficients agree.

from skreg import MLPClassifier

l2 = 1 / (2 * logistic.C_ * len(y_train))
linear = MLPClassifier((), l2=l2, standardize=False, tol=1e-9, random_state=0)
linear.fit(X_train, y_train)
exact = LogisticRegression(C=logistic.C_, tol=1e-9, max_iter=1000)
exact.fit(X_train, y_train)
for name, model in (("as fitted", logistic), ("tight tolerance", exact)):
    difference = np.abs(linear.coef_ - model.coef_).max()
    print(f"l2 = {l2:.4f}, scikit-learn {name}: coefficients within {difference:.0e}")

# %%
# Networks
# --------
# The network of the texts has 64 units, L1 of 0.01 on the first layer and L2 of 0.01 on
# the last: a list of strengths, one for each layer. Beside it are the same without
# penalties, and ``MLPClassifierCV``, which chooses its regularisation as the baseline
# does, but by log loss: so the baseline is there with that, too. Of ten random splits,
# the first is the one above. All fits are one call of joblib inside ``skreg.fused()``,
# in which the networks train together.

import warnings

import pandas as pd
from _studies import half_width, with_interval
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss

import skreg

# The last digits of an optimum do not matter here.
warnings.simplefilter("ignore", ConvergenceWarning)
models = {
    "LogisticRegressionCV": logistic,
    "the same, by log loss": clone(logistic).set_params(scoring="neg_log_loss"),
    "network": MLPClassifier((64,), random_state=0),
    "network, l1 and l2": MLPClassifier(
        (64,), l1=[0.01, 0], l2=[0, 0.01], random_state=0
    ),
    "MLPClassifierCV": skreg.MLPClassifierCV(random_state=0),
}
splits = [
    train_test_split(X, y, test_size=0.3, random_state=42 + run) for run in range(10)
]
with skreg.fused():
    fitted = Parallel()(
        delayed(clone(model).fit)(X_train, y_train)
        for model in models.values()
        for X_train, _, y_train, _ in splits
    )
fitted = {name: fitted[i * 10 :][:10] for i, name in enumerate(models)}

measures = {"accuracy": {}, "log loss": {}}
for name, runs in fitted.items():
    pairs = [
        (split[3], run.predict_proba(split[1])) for run, split in zip(runs, splits)
    ]
    accuracies = [accuracy_score(target, p.argmax(axis=1)) for target, p in pairs]
    measures["accuracy"][name] = np.array(accuracies)
    measures["log loss"][name] = np.array([log_loss(*pair) for pair in pairs])
table = pd.DataFrame(
    {
        measure: {name: with_interval(values) for name, values in of_models.items()}
        for measure, of_models in measures.items()
    }
)
table["accuracy, first split"] = {
    name: f"{values[0]:.3f}" for name, values in measures["accuracy"].items()
}
print(table.to_string())
used = [run.support_.sum() for run in fitted["network, l1 and l2"]]
print(f"l1 and l2: {min(used)} to {max(used)} of 20 inputs are used")

# %%
# The choice of the baseline
# --------------------------
# Its accuracy on held-out folds against its strength, with the five folds in gray. From
# the second strength on the curves hardly change, and steps of 1/140, one row of a
# fold, decide. Choosing by log loss is not so coarse.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
folds = logistic.scores_.reshape(5, -1)
ax.semilogx(logistic.Cs_, folds.T, color="0.8")
ax.semilogx(logistic.Cs_, folds.mean(axis=0), "o-")
ax.axvline(logistic.C_, color="C1", linestyle="--", label="chosen")
ax.set(xlabel="C", ylabel="held-out accuracy")
ax.legend()


def other_strength(strength):  # C of l2, and l2 of C
    return 1 / (2 * np.maximum(strength, 1e-12) * len(y_train))


top = ax.secondary_xaxis("top", functions=(other_strength, other_strength))
top.set_xlabel("l2 = 1 / (2 C n)")
plt.show()

# %%
# The differences from it
# -----------------------
# Dots are splits and diamonds their means, with 95 % t-intervals.

others = [name for name in models if name != "LogisticRegressionCV"]
fig, axes = plt.subplots(1, 2, sharey=True, figsize=(9, 3.2), layout="constrained")
for ax, (measure, values) in zip(axes, measures.items()):
    for i, name in enumerate(others):
        gain = values[name] - values["LogisticRegressionCV"]
        ax.plot(gain, np.full(len(gain), i), "o", color="0.75")
        ax.errorbar(gain.mean(), i, xerr=half_width(gain), fmt="D", capsize=4)
    ax.axvline(0, color="0.5", linestyle=":")
    ax.set(xlabel=f"{measure} minus the baseline's")
axes[0].set_yticks(range(len(others)), others)
axes[0].set_ylim(len(others) - 0.5, -0.5)
plt.show()

# %%
# What holds, and what does not
# -----------------------------
# - In accuracy no network is clearly ahead of the baseline on ten splits of this table.
#   The splits overlap, so that even these intervals are too narrow: ``skreg.compare``
#   corrects them.
# - In log loss all but the unregularised network are ahead, and so is the baseline
#   itself once it chooses by log loss: ``scoring="accuracy"`` took a penalty that
#   leaves its probabilities near one half. ``MLPClassifierCV`` has the lowest.
# - L1 on the first layer leaves about half of the inputs, of which four carry all that
#   there is to know. Without it the network is the worst in accuracy.
