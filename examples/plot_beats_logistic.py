"""
Does a network beat logistic regression?
========================================

The answer depends on the data, so it has to be measured: on the same splits, with both
sides tuned, and with a test that takes the overlap of the splits into account.
"""

# %%
# Three candidates
# ----------------
# ``LogisticRegressionCV`` tunes its own strength. The second network tunes its
# dropout rate inside each training set, so that the comparison is fair.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, compare

logistic = LogisticRegressionCV(
    Cs=5, cv=3, l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False
)
network = MLPClassifier(early_stopping=True, random_state=0)
estimators = {
    "logistic": make_pipeline(StandardScaler(), logistic),
    "network": network,
    "tuned network": GridSearchCV(network, {"dropout": [0.0, 0.25, 0.5]}, cv=3),
}

# %%
# On the same splits
# ------------------
# Half of the digits keep the example short.

X, y = load_digits(return_X_y=True)
X, y = X[::2], y[::2]
result = compare(estimators, X, y, baseline="logistic", random_state=0)
result

# %%
# The difference from the baseline
# --------------------------------
# Each dot is one split. The interval is that of the corrected resampled t-test of
# Nadeau and Bengio. It is wider than that of an ordinary t-test, because the training
# sets overlap and ten splits are less evidence than ten independent samples. If an
# interval contains 0, these splits do not show which of the two is better.

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(7, 2.5), layout="constrained")
for name in ("network", "tuned network"):
    statistics = result.statistics[name]
    difference = result.scores[name] - result.scores[result.baseline]
    ax.scatter(difference, np.full(len(difference), name), color="0.7")
    interval = [
        [statistics.difference - statistics.ci_low],
        [statistics.ci_high - statistics.difference],
    ]
    ax.errorbar(statistics.difference, name, xerr=interval, fmt="o", capsize=4)
ax.axvline(0, color="0.5", linestyle=":")
ax.set(xlabel="accuracy minus logistic regression's", ylim=(-0.5, 1.5))
plt.show()
