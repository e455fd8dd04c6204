"""
Are the zeros zero?
===================

An l1 penalty is used for its zeros: coefficients that are not just small but exactly 0,
and inputs that need not be measured. This example fits a logistic regression with an l1
penalty in five ways, all in float64, and checks whether the zeros are exact. Then it
does the same for the inputs of a network.
"""

# %%
# The problem
# -----------
# The objective is the mean log loss plus ``l1`` times the sum of the absolute
# coefficients. At its minimum, the slope of the loss is 0 in the intercept, ``-l1``
# times the sign in a nonzero coefficient, and between ``-l1`` and ``l1`` in a zero one.
# The violation is the largest distance from these conditions.

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

X, y = load_breast_cancer(return_X_y=True)
X = StandardScaler().fit_transform(X)
n, l1 = len(y), 0.02


def objective(coef, intercept):
    score = X @ coef + intercept
    return np.mean(np.logaddexp(0, score) - y * score) + l1 * np.abs(coef).sum()


def violation(coef, intercept):
    residual = 1 / (1 + np.exp(-X @ coef - intercept)) - y
    slope = X.T @ residual / n
    at_zero = np.maximum(np.abs(slope) - l1, 0)
    distance = np.where(coef == 0, at_zero, np.abs(slope + l1 * np.sign(coef)))
    return max(distance.max(), abs(residual.mean()))


# %%
# Adam, with the penalty in the loss and beside it
# ------------------------------------------------
# Most libraries add the penalty to the loss and leave it to the optimiser, which then
# follows a subgradient. The other common way is to take a step without the penalty
# and then to move each coefficient towards zero by ``l1`` times the learning rate;
# but Adam divides its steps by a running root mean square of the gradient, and the
# threshold would have to be divided by the same. Both are run here on all rows at a
# time, with a learning rate that falls to zero.

import torch

data, target = torch.tensor(X), torch.tensor(y, dtype=torch.float64)


def adam(in_the_loss, n_steps=6000):
    coef = torch.zeros(X.shape[1], dtype=torch.float64, requires_grad=True)
    intercept = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([coef, intercept], lr=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    path = []
    for step in range(n_steps):
        score = data @ coef + intercept
        loss = torch.nn.functional.binary_cross_entropy_with_logits(score, target)
        if in_the_loss:
            loss = loss + l1 * coef.abs().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if not in_the_loss:
            with torch.no_grad():
                threshold = l1 * schedule.get_last_lr()[0]
                coef.copy_(coef.sign() * (coef.abs() - threshold).clamp(min=0))
        schedule.step()
        if step % 20 == 19:
            path.append(violation(coef.detach().numpy(), intercept.item()))
    return (coef.detach().numpy(), intercept.item()), path


in_the_loss, path_in_the_loss = adam(True)
beside_it, path_beside_it = adam(False)

# %%
# skreg and scikit-learn
# ----------------------
# skreg's Adam takes proximal steps in its own metric on batches of rows, and polishes
# the result on all rows at the end of the fit.

from sklearn.linear_model import LogisticRegression

from skreg import MLPClassifier

linear = dict(hidden_layer_sizes=(), l1=l1, standardize=False, random_state=0)
saga = LogisticRegression(
    C=1 / (l1 * n), l1_ratio=1, solver="saga", tol=1e-10, max_iter=100_000
)
models = {
    "skreg, adam": MLPClassifier(solver="adam", **linear),
    "skreg, lbfgs": MLPClassifier(solver="lbfgs", tol=1e-8, max_iter=5000, **linear),
    "scikit-learn, saga": saga,
}
fitted = {"Adam, l1 in the loss": in_the_loss, "Adam, plain threshold": beside_it}
for name, model in models.items():
    model.fit(X, y)
    fitted[name] = model.coef_[0], model.intercept_[0]

best = min(objective(*weights) for weights in fitted.values())
print(f"{'':22}{'nonzeros':>9}{'gap':>10}{'violation':>11}")
for name, weights in fitted.items():
    nonzeros, gap = np.count_nonzero(weights[0]), objective(*weights) - best
    print(f"{name:22}{nonzeros:>9}{gap:>10.0e}{violation(*weights):>11.0e}")

# %%
# Left, the coefficients of each model from large to small, with exact zeros on the
# lowest line. Right, the violation during the steps of both hand-written loops, and
# where the other three end.

import matplotlib.pyplot as plt

floor = 1e-12
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for marker, (name, (coef, _)) in zip("osv^x", fitted.items(), strict=True):
    sizes = np.sort(np.maximum(np.abs(coef), floor))[::-1]
    left.semilogy(np.arange(1, len(coef) + 1), sizes, marker, mfc="none", label=name)
left.set(xlabel="rank", ylabel="|coefficient|")
steps = np.arange(20, 6001, 20)
right.semilogy(steps, path_in_the_loss, "C0")
right.semilogy(steps, path_beside_it, "C1")
for color, name in zip(("C2", "C3", "C4"), models, strict=True):
    right.axhline(max(violation(*fitted[name]), floor), color=color, linestyle="--")
right.set(xlabel="step of the loops", ylabel="violation")
fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3)
plt.show()

# %%
# The inputs of a network
# -----------------------
# ``group_l1`` penalises the norm of each input's outgoing weights, so that either all
# of them are zero or none. ``support_`` tells which inputs are used. The values of the
# other inputs do not change the probabilities.

network = MLPClassifier(
    (16,),
    "tanh",
    group_l1=0.02,
    l2=1e-3,
    learning_rate="constant",
    max_iter=2000,
    random_state=0,
)
network.fit(X, y)
used = network.support_
other = X.copy()
other[:, ~used] = np.random.default_rng(0).normal(scale=100, size=other[:, ~used].shape)
change = np.abs(network.predict_proba(other) - network.predict_proba(X)).max()
print(
    f"{used.sum()} of {len(used)} inputs used, violation {network.kkt_violation_:.0e}"
)
print(f"largest change of a probability with the others replaced by noise: {change}")
