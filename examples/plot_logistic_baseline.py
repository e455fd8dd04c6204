"""
What does a network add to LogisticRegressionCV?
================================================

A logistic regression that chooses its own L2 is the baseline that tutorials on
regularisation begin with. Here it is with their data and settings, the network that
equals it, and networks that go beyond it.
"""

# %%
# The baseline
# ------------
# A thousand rows, twenty columns of which two are informative, seven hundred rows to
# learn from. ``C_`` is the best of ten strengths by five folds; a large ``C`` is a weak
# penalty.

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
# A network without hidden layers is a logistic regression. scikit-learn minimises
# ``C * sum(loss) + 1/2 * sum(w**2)`` and skreg ``mean(loss) + l2 * sum(w**2)``, so that
# ``l2 = 1 / (2 * C * n)``. Both are run to a tight tolerance, and the coefficients agree.

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

rows, accuracy = {}, {}
for name, runs in fitted.items():
    probabilities = [run.predict_proba(split[1]) for run, split in zip(runs, splits)]
    accuracy[name] = [
        accuracy_score(split[3], p.argmax(axis=1))
        for p, split in zip(probabilities, splits)
    ]
    losses = [log_loss(split[3], p) for p, split in zip(probabilities, splits)]
    rows[name] = {
        "accuracy, first split": f"{accuracy[name][0]:.3f}",
        "accuracy": with_interval(accuracy[name]),
        "log loss": with_interval(losses),
    }
print(pd.DataFrame(rows).T.to_string())
used = [run.support_.sum() for run in fitted["network, l1 and l2"]]
print(f"l1 and l2: {min(used)} to {max(used)} of 20 inputs are used")

# %%
# Left, the accuracy of the logistic regression on held-out folds against its strength,
# with the five folds in gray and the choice marked. Right, the differences from the
# baseline on the ten splits, with 95 % t-intervals.

import matplotlib.pyplot as plt

fig, (left, right) = plt.subplots(
    1, 2, figsize=(10, 3.6), layout="constrained", width_ratios=(1, 1.2)
)
folds = logistic.scores_.reshape(5, -1)
left.semilogx(logistic.Cs_, folds.T, color="0.8")
left.semilogx(logistic.Cs_, folds.mean(axis=0), "o-")
left.axvline(logistic.C_, color="C1", linestyle="--", label="chosen")
left.set(xlabel="C", ylabel="held-out accuracy")
left.legend()


def other_strength(strength):  # C of l2, and l2 of C
    return 1 / (2 * np.maximum(strength, 1e-12) * len(y_train))


top = left.secondary_xaxis("top", functions=(other_strength, other_strength))
top.set_xlabel("l2 = 1 / (2 C n)")

baseline = np.array(accuracy.pop("LogisticRegressionCV"))
for color, (name, values) in zip(("C5", "C2", "C3", "C4"), accuracy.items()):
    gain = values - baseline
    right.plot(gain, [name] * len(gain), "o", color="0.75")
    right.errorbar(
        gain.mean(), name, xerr=half_width(gain), fmt="D", capsize=4, color=color
    )
right.axvline(0, color="0.5", linestyle=":")
right.set(xlabel="test accuracy minus the baseline's", ylim=(-0.5, 3.5))
plt.show()
