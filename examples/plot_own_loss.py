"""
What if no loss fits?
=====================

Targets may be of a kind that no built-in loss is made for: amounts many of which are
zero, or times of which only a lower bound is known. ``loss`` then takes a loss of your
own. This example writes two of them, from one function each to a search, on simulated
data whose truth is known.
"""

# %%
# Amounts with many zeros
# -----------------------
# The claims of 4,000 insured: a Poisson number of them, of exponentially distributed
# amounts. Two of eight inputs matter, and one of these not linearly. Their number and
# their size rise alike with the expected total. Totals then have Tweedie's distribution
# with a power of 1.5: the variance is proportional to this power of the mean, many
# totals are zero, and some are large.

import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(4000, 8))
expected = np.exp(0.8 * X[:, 0] + np.abs(X[:, 1]) - 1.0)
counts = rng.poisson(np.sqrt(expected))
y = np.array([rng.exponential(size=n).sum() for n in counts]) * np.sqrt(expected)
print(f"{(y == 0).mean():.0%} zeros, mean {y.mean():.2f}, largest {y.max():.1f}")

# %%
# The loss is half the deviance, up to terms without the prediction, of the raw output
# ``score`` of the network. With ``out_activation = "exp"`` predictions are its
# exponential, and targets are divided by their mean before the loss gets them. That is
# all: slopes are found by automatic differentiation, and ``check_loss`` tests whether
# everything agrees. The power is an attribute, so losses with different powers differ.

import torch

from skreg.losses import Loss, check_loss


class Tweedie(Loss):
    out_activation = "exp"
    target_range = (0, np.inf)

    def __init__(self, power):
        self.power = power

    def elementwise(self, score, target):
        one, two = 1 - self.power, 2 - self.power
        return torch.exp(two * score) / two - target * torch.exp(one * score) / one


check_loss(Tweedie(1.5))

# %%
# It is a parameter like any other. Here a grid chooses between three powers, the
# Poisson loss and the squared error, by the deviance of held-out rows. Inside
# ``skreg.fused()`` networks whose losses are equal train as one. Predictions of the
# squared error can be negative, for which there is no deviance, so they are raised to a
# small number.

from sklearn.metrics import make_scorer, mean_tweedie_deviance
from sklearn.model_selection import GridSearchCV, train_test_split

import skreg


def deviance(y, prediction):
    return mean_tweedie_deviance(y, np.maximum(prediction, 1e-3), power=1.5)


X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
search = GridSearchCV(
    skreg.MLPRegressor(l2=1e-3, random_state=0),
    {"loss": [Tweedie(1.2), Tweedie(1.5), Tweedie(1.8), "poisson", "squared_error"]},
    scoring=make_scorer(deviance, greater_is_better=False),
    cv=5,
)
with skreg.fused():
    search.fit(X_train, y_train)
for params, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"]
):
    print(f"{params['loss']!s:20} {-score:.3f}")

# %%
# The squared error, for which large amounts count most, is far behind. The losses under
# which the variance rises with the mean are close together, whatever the power. The
# truth is the expected amount, which is known here. Its deviance is the least that a
# model can reach on average.

from sklearn.linear_model import TweedieRegressor

truth_train, truth_test = train_test_split(expected, random_state=0)
linear = TweedieRegressor(power=1.5, alpha=1e-3).fit(X_train, y_train)
predictions = {
    "mean": np.full(len(y_test), y_train.mean()),
    "TweedieRegressor": linear.predict(X_test),
    "network": search.predict(X_test),
    "truth": truth_test,
}
for name, prediction in predictions.items():
    print(f"{name:20} {deviance(y_test, prediction):.3f}")

# %%
# Times of which only a lower bound is known
# ------------------------------------------
# Survival times are censored: of those who are alive at the end of a study, one knows
# only that they lived for so long. Here times have a Weibull distribution whose scale
# depends on the second input. Its shape depends on how far the first one is from zero,
# so hazards are not proportional, and curves cross. About 40 % of the times are
# censored.

X = rng.normal(size=(4000, 8))
shape = np.where(np.abs(X[:, 0]) > 0.7, 0.7, 2.0)
scale = 4 * np.exp(0.5 * X[:, 1])
times = scale * rng.weibull(shape)
end = rng.uniform(1, 8, size=4000)
has_event, seen = times <= end, np.minimum(times, end)
print(f"{1 - has_event.mean():.0%} censored")

# %%
# In discrete time (`Gensheimer and Narasimhan 2019
# <https://doi.org/10.7717/peerj.6257>`_) the loss is a sum over intervals: for each
# interval that a row enters, the log loss of whether it ends there. So there is an
# output for each interval, the log-odds of its hazard, and a target for each: 1 is an
# event, 0 is none, and -1 is an interval that the row was not at risk in, which adds
# nothing. As in the paper, a censored time counts for the intervals of which it covers
# at least half.

edges = np.linspace(0, 6, 13)


def intervals(seen, has_event):
    start, stop = edges[:-1], edges[1:]
    seen, has_event = seen[:, None], has_event[:, None]
    ends_here = has_event & (seen > start) & (seen <= stop)
    survived = np.where(has_event, seen > stop, seen >= (start + stop) / 2)
    return np.select([ends_here, survived], [1, 0], default=-1)


class Hazard(Loss):
    out_activation = "logistic"
    target_range = (-1, 1)

    def elementwise(self, score, target):
        loss = torch.nn.functional.softplus(score) - target * score
        return torch.where(target < 0, 0.0, loss)


targets = intervals(seen, has_event)
check_loss(Hazard(), targets[:50])

# %%
# Under "logistic", targets are never scaled, and ``predict`` returns hazards. The
# probability to survive is the product of one minus these. A network that tunes itself
# compares its candidates by the same loss.

X_train, X_test, y_train, y_test, *truth = train_test_split(
    X, targets, shape, scale, random_state=0
)
network = skreg.MLPRegressorCV(
    skreg.MLPRegressor(loss=Hazard()), n_candidates=8, cv=3, random_state=0
)
network.fit(X_train, y_train)


def survival(hazard):
    return np.cumprod(1 - hazard, axis=1)


predicted = survival(network.predict(X_test))

# %%
# Without inputs, the same hazards are the actuarial life table: the events in an
# interval divided by the rows at risk. A linear model, ``hidden_layer_sizes=()``, is a
# logistic regression for each interval. The true curves are those of the Weibull
# distribution.

is_at_risk = y_train >= 0
table = (y_train == 1).sum(axis=0) / is_at_risk.sum(axis=0)
linear = skreg.MLPRegressor((), loss=Hazard(), l2=1e-3, random_state=0)
linear.fit(X_train, y_train)
shape_test, scale_test = truth[1], truth[3]
true = np.exp(-((edges[1:] / scale_test[:, None]) ** shape_test[:, None]))
curves = {
    "life table": np.broadcast_to(survival(table[None]), true.shape),
    "linear": survival(linear.predict(X_test)),
    "network": predicted,
}
for name, curve in curves.items():
    print(
        f"{name:12} mean distance to the true curve {np.abs(curve - true).mean():.3f}"
    )

# %%
# Two persons with crossing curves:

import matplotlib.pyplot as plt

first = np.argmin(np.abs(X_test[:, 0] - 1.5) + np.abs(X_test[:, 1]))
second = np.argmin(np.abs(X_test[:, 0]) + np.abs(X_test[:, 1]))
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for row, color in ((first, "C0"), (second, "C1")):
    ax.plot(edges[1:], true[row], color=color, linestyle="--")
    ax.plot(edges[1:], predicted[row], color=color, marker="o")
ax.plot([], [], color="black", linestyle="--", label="truth")
ax.plot([], [], color="black", marker="o", label="network")
ax.set(xlabel="time", ylabel="probability to survive", ylim=(0, 1))
ax.legend()
plt.show()

# %%
# What about Cox's model?
# -----------------------
# Its partial likelihood compares each event with all rows that were at risk at that
# time, so the loss of a row depends on other rows. A loss of skreg may not: the
# objective is a weighted mean over rows, of which a batch is a sample, whichever rows
# it holds. Nearly everything relies on this: a row of weight 2 equals a row given
# twice, equal rows are merged, full gradients are summed in parts that fit the memory,
# and the networks of a stack have batches of different sizes. Over the rows of a batch,
# Cox's loss would be another function for each batch size. ``check_loss`` refuses it:


class Cox(Loss):
    def elementwise(self, score, target):
        # Rows in descending order of time; target is 1 for an event.
        return target * (torch.logcumsumexp(score, 1) - score)


try:
    check_loss(Cox(), has_event[np.argsort(-seen), None][:50])
except AssertionError as error:
    print(error)

# %%
# Discrete hazards are a likelihood of single rows, need no proportional hazards, and
# give probabilities without a second estimate of the baseline. With short intervals,
# Cox's model is their special case in which the inputs shift all intervals alike.
