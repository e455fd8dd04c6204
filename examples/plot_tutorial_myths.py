"""
What tutorials get wrong, in pictures
=====================================

This example tests six statements about regularisation that are in many tutorials. The
user guide has these and others with shorter experiments (:doc:`/guide/myths`). Another
example shows that l1 gives no exact zeros if an optimiser follows its gradient
(:doc:`/gallery/plot_exact_zeros`).
"""

# %%
# "Weight decay is L2 regularisation"
# -----------------------------------
# Four measurements of diabetes patients, least squares, and what becomes of the
# coefficients as the strength grows. L2 is skreg's. The decay is that of torch's AdamW,
# on all rows at a time, with a rate that falls to zero: one coefficient vector for each
# strength, all in one loop.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import scale

import skreg

X, y = load_diabetes(return_X_y=True)
X, y = scale(X[:, [1, 2, 3, 8]]), scale(y)
names = ["sex", "body mass", "blood pressure", "triglycerides"]

l2 = np.geomspace(1e-3, 10, 25)
penalised = [
    skreg.MLPRegressor((), l2=s, standardize=False, solver="lbfgs").fit(X, y).coef_
    for s in l2
]

inputs, targets = torch.tensor(X), torch.tensor(y)
decays, n_steps = np.geomspace(0.1, 100, 25), 2000
weights = [torch.zeros(4, dtype=torch.float64, requires_grad=True) for _ in decays]
groups = [{"params": w, "weight_decay": s} for w, s in zip(weights, decays)]
optimizer = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.9))
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
for _ in range(n_steps):
    optimizer.zero_grad()
    errors = inputs @ torch.stack(weights, dim=1) - targets[:, None]
    (0.5 * errors.square().mean(dim=0).sum()).backward()
    optimizer.step()
    schedule.step()
decayed = torch.stack(weights).detach().numpy()

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
axes[0].semilogx(l2, penalised)
axes[0].set(xlabel="l2", ylabel="coefficient", title="L2 penalty")
axes[1].semilogx(decays, decayed)
for sign in (1, -1):
    axes[1].semilogx(decays, sign / decays, color="0.6", linestyle="--", zorder=0)
axes[1].set(xlabel="weight_decay", title="AdamW's decay", ylim=(-0.2, 0.5))
fig.legend(axes[0].lines, names, loc="outside upper center", ncols=4)
plt.show()

# %%
# L2 shrinks the coefficients from the start, and more the stronger it is. The decay
# does nothing until a coefficient meets the dashed lines, plus and minus one over its
# strength, and then holds it there: a step of Adam has the size of the learning rate
# however small the gradient, and outweighs the decay until the coefficient times the
# strength is one (Xie and Li 2024, "Implicit bias of AdamW"). With noisy gradients it
# is neither one nor the other, and depends on the noise.

# %%
# "At prediction, outputs are multiplied by the keep probability"
# ---------------------------------------------------------------
# True of dropout as it was first published, not of inverted dropout, which all
# libraries have: survivors are scaled up in training already. A network for each rate,
# its predictions as they are, and with the hidden units multiplied by what is kept.

from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, train_size=0.5, stratify=y, random_state=0
)
rates = np.arange(0, 0.85, 0.1)
losses = np.empty((2, len(rates)))
for place, rate in enumerate(rates):
    net = skreg.MLPClassifier((64,), dropout=rate, standardize=False, random_state=0)
    net.fit(X_train, y_train)
    hidden = np.maximum(X_test @ net.coefs_[0] + net.intercepts_[0], 0)
    for factor, row in [(1, 0), (1 - rate, 1)]:
        outputs = factor * hidden @ net.coefs_[1] + net.intercepts_[1]
        losses[row, place] = log_loss(y_test, softmax(outputs, axis=1))

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
ax.plot(rates, losses[1], "o-", color="C3", label="times the keep probability")
ax.plot(rates, losses[0], "o-", color="C0", label="as it is")
ax.set(xlabel="dropout", ylabel="log loss on new rows", ylim=(0, None))
ax.legend()
plt.show()

# %%
# "Add a penalty to the first layer"
# ----------------------------------
# A network of relu units is the same function if one layer's weights and biases are
# divided by ten and the next one's weights multiplied by ten. Networks of 16 units on
# the wines, with ``l2`` on the first layer or on both.

from sklearn.datasets import load_wine

X, y = load_wine(return_X_y=True)
strengths = np.geomspace(1e-4, 1, 9)
losses, norms = np.empty((2, 9)), np.empty((2, 9, 2))
for place, strength in enumerate(strengths):
    for row, penalty in enumerate([(strength, 0), strength]):
        net = skreg.MLPClassifier((16,), l2=penalty, max_iter=150, random_state=0)
        net.fit(X, y)
        losses[row, place] = log_loss(y, net.predict_proba(X))
        norms[row, place] = [np.linalg.norm(coef) for coef in net.coefs_]

fig, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for row, name in enumerate(["on the first layer", "on both layers"]):
    axes[0].loglog(strengths, losses[row], "o-", label=f"l2 {name}")
    axes[1].loglog(strengths, norms[row, :, 0], "o-", color=f"C{row}")
    axes[1].loglog(strengths, norms[row, :, 1], "s--", color=f"C{row}")
axes[0].set(xlabel="l2", ylabel="log loss on the training rows")
axes[1].set(xlabel="l2", ylabel="norm of the weights")
axes[1].plot([], [], "o-", color="0.4", label="first layer")
axes[1].plot([], [], "s--", color="0.4", label="second layer")
axes[0].legend()
axes[1].legend()
plt.show()

# %%
# The first layer shrinks, the second grows to make up for it, and the network goes on
# fitting its rows. With the same strength on both layers it cannot.

# %%
# "Batch normalisation goes with any batch size"
# ----------------------------------------------
# In a batch of two rows each normalised number is 1 or -1. Networks on 300 digits,
# three for each batch size.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=300, stratify=y, random_state=0
)
sizes = [2, 4, 8, 16, 32, 64]
accuracies = np.empty((2, len(sizes), 3))
for row, batchnorm in enumerate([False, True]):
    for place, size in enumerate(sizes):
        for seed in range(3):
            net = skreg.MLPClassifier(
                (64,), batchnorm=batchnorm, batch_size=size, random_state=seed
            )
            net.fit(X_train, y_train)
            accuracies[row, place, seed] = net.score(X_test, y_test)

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for row, name in enumerate(["without", "with batch normalisation"]):
    ax.semilogx(sizes, accuracies[row].mean(axis=1), color=f"C{row}", label=name)
    ax.semilogx(sizes, accuracies[row], "o", color=f"C{row}", ms=4)
ax.set(xlabel="batch size", ylabel="accuracy on new rows", xticks=sizes)
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
plt.show()

# %%
# "Stop early when the loss stops falling"
# ----------------------------------------
# A fifth of these labels are drawn by a coin. The loss of the training rows falls as
# long as the network learns them by heart, and says nothing of when to stop.

import warnings

from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = make_classification(1000, 20, n_informative=5, flip_y=0.2, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
options = dict(
    learning_rate="constant", learning_rate_init=3e-3, max_iter=60, random_state=0
)
curves = skreg.MLPClassifier((64,), **options)
curves.fit(X_train, y_train, X_val=X_test, y_val=y_test)
stopped = skreg.MLPClassifier((64,), early_stopping=True, n_iter_no_change=5, **options)
stopped.fit(X_train, y_train)

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
epochs = np.arange(1, 61)
ax.plot(epochs, curves.loss_curve_, label="training rows")
ax.plot(epochs, curves.validation_loss_curve_, label="new rows")
ax.axvline(stopped.best_iter_, color="C2", label="best epoch by held-out rows")
ax.axvline(stopped.n_iter_, color="C2", linestyle="--", label="stop, patience of 5")
ax.set(xlabel="epoch", ylabel="log loss", ylim=(0, None))
ax.legend()
plt.show()

# %%
# The held-out rows are a tenth of the training rows, few and of another draw than the
# curve's, and still tell the best epoch. The weights to keep are of that epoch, not of
# the one in which patience ended.

# %%
# "The best score of the search is the accuracy"
# ----------------------------------------------
# Labels drawn by a coin: every network is right in half of the new rows. A search over
# 100 networks that differ in their seeds, and the best score that it would have found
# with fewer of them.

from sklearn.model_selection import GridSearchCV

rng = np.random.default_rng(0)
X, y = rng.normal(size=(100, 20)), rng.integers(0, 2, 100)
grid = {"random_state": list(range(100))}
with skreg.fused():
    search = GridSearchCV(skreg.MLPClassifier((8,), max_iter=5), grid).fit(X, y)
scores = search.cv_results_["mean_test_score"]
orders = np.argsort(rng.random((1000, len(scores))), axis=1)
best_so_far = np.maximum.accumulate(scores[orders], axis=1)
new_X, new_y = rng.normal(size=(10_000, 20)), rng.integers(0, 2, 10_000)

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
n_candidates = np.arange(1, len(scores) + 1)
low, high = np.percentile(best_so_far, [10, 90], axis=0)
ax.fill_between(n_candidates, low, high, alpha=0.3)
ax.semilogx(n_candidates, best_so_far.mean(axis=0), label="best score of the search")
on_new = search.score(new_X, new_y)
ax.axhline(on_new, color="C1", label="the chosen network on new rows")
ax.set(xlabel="candidates", ylabel="accuracy")
ax.legend()
plt.show()

# %%
# The more candidates, the better the best of them looks, and none is better than a
# coin. A test set that is looked at for each of them does the same. Report the score of
# rows that chose nothing: by ``cross_val_score`` around the search, or
# ``skreg.compare``.
