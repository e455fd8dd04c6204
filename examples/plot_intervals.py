"""
How sure is a prediction?
=========================

The networks of ``MLPRegressorCV`` and ``MLPClassifierCV`` are trained on folds. Each
training row was held out by one of them, so that the errors of predictions are known
without further fits. ``predict_interval`` and ``predict_set`` use these errors. Do they
hold the truth as often as they say?
"""

# %%
# Intervals
# ---------
# A target with noise, a quarter of the rows for testing. Nine in ten intervals should
# hold their target.

from sklearn.datasets import load_digits, make_friedman1
from sklearn.model_selection import train_test_split

import skreg

X, y = make_friedman1(2000, noise=2.0, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
reg = skreg.MLPRegressorCV(random_state=0).fit(X_train, y_train)
low, high = reg.predict_interval(X_test, coverage=0.9).T
print(f"{((low <= y_test) & (y_test <= high)).mean():.3f} of the targets are inside")
print(f"mean width {(high - low).mean():.2f}")

# %%
# The normal noise alone needs a width of 6.58: 1.645 standard deviations of 2 to each
# side. A picture shows all coverages at once. The band is where the curve of 500 test
# rows would be in most cases if each coverage held exactly.

import matplotlib.pyplot as plt

skreg.CoverageDisplay.from_estimator(reg, X_test, y_test)
plt.show()

# %%
# Noise that depends on the inputs
# --------------------------------
# These intervals hold the target in nine of ten rows, but not for every kind of row:
# where there is more noise, they are too narrow, and elsewhere too wide. A network that
# learns quantiles has intervals of its own width for each row. The held-out rows then
# correct them.

import numpy as np

rng = np.random.default_rng(0)
is_noisy = X[:, 5] > 0.5
y = y + np.where(is_noisy, 6.0, 0.0) * rng.normal(size=len(y))
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
quantiles = skreg.MLPRegressor(
    (64, 64),
    loss="quantile",
    quantile=[0.05, 0.95],
    skip="linear",
    early_stopping=True,
)
models = {
    "mean": skreg.MLPRegressorCV(random_state=0),
    "quantiles": skreg.MLPRegressorCV(quantiles, random_state=0),
}
for name, model in models.items():
    low, high = model.fit(X_train, y_train).predict_interval(X_test).T
    inside = (low <= y_test) & (y_test <= high)
    for label, rows in (("noisy", X_test[:, 5] > 0.5), ("other", X_test[:, 5] <= 0.5)):
        print(
            f"{name}: {inside[rows].mean():.3f} of the {label} rows, "
            f"mean width {(high - low)[rows].mean():.1f}"
        )

# %%
# Sets of classes
# ---------------
# For classes there are sets: most digits have a set of one class, and those that are
# hard to tell have more.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=200, random_state=0
)
clf = skreg.MLPClassifierCV(random_state=0).fit(X_train, y_train)
is_in = clf.predict_set(X_test, coverage=0.98)
print(f"accuracy {clf.score(X_test, y_test):.3f}")
print(f"{is_in[np.arange(len(y_test)), y_test].mean():.3f} of the classes are inside")
sizes, counts = np.unique(is_in.sum(axis=1), return_counts=True)
{int(size): int(count) for size, count in zip(sizes, counts)}
