"""
How much of a network can go?
=============================

Most weights of a trained network can be set to zero. How many depends on the method:
all at once, all at once with further training, gradually during training, or by an l1
penalty, which determines the number itself. This example compares the four methods on
handwritten digits, and then removes the units that the zeros have made useless.
"""

# %%
# Weights
# -------
# ``prune`` sets the smallest weights of a fitted network to zero, and trains the others
# for ``finetune_epochs``. ``pruning`` does it while the network trains, so no
# fine-tuning is needed. Both are exact: a share of 0.9 leaves one weight in ten. For an
# l1 penalty, the strength is given and the share results from it. The fits below end
# before its optimum is exact, so they would warn.

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from skreg import MLPClassifier, compact, prune

warnings.simplefilter("ignore", ConvergenceWarning)
X, y = load_digits(return_X_y=True)
shares = np.array([0.5, 0.7, 0.8, 0.9, 0.95, 0.98])
strengths = [3e-4, 1e-3, 3e-3]
full, ways = [], {"at once": [], "fine-tuned": [], "gradual": [], "l1": []}
zeros = []

for seed in range(3):
    split = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    X_train, X_test, y_train, y_test = split
    train = X_train, y_train
    net = MLPClassifier(random_state=seed).fit(*train)
    full.append(net.score(X_test, y_test))
    once = [prune(net, share) for share in shares]
    tuned = [prune(net, share, *train, finetune_epochs=10) for share in shares]
    gradual = [
        MLPClassifier(pruning=share, random_state=seed).fit(*train) for share in shares
    ]
    sparse = [
        MLPClassifier(l1=l1, max_iter=40, random_state=seed).fit(*train)
        for l1 in strengths
    ]
    zeros.append([model.sparsity_ for model in sparse])
    for scores, models in zip(ways.values(), (once, tuned, gradual, sparse)):
        scores.append([model.score(X_test, y_test) for model in models])

mean = {way: np.mean(scores, axis=0) for way, scores in ways.items()}
print(f"accuracy of the full network {np.mean(full):.3f}")
print(f"{'share pruned':14}" + "".join(f"{share:>8.0%}" for share in shares))
for way in ("at once", "fine-tuned", "gradual"):
    print(f"{way:14}" + "".join(f"{score:>8.3f}" for score in mean[way]))
for l1, share, score in zip(strengths, np.mean(zeros, axis=0), mean["l1"]):
    print(f"l1={l1:g}: {share:.1%} zeros, accuracy {score:.3f}")

# %%
# Units
# -----
# Zeros save no time by themselves, because a product with a zero takes as long as any
# other. Removing whole units does save time, and ``structured=True`` prunes these.
# ``compact`` then returns a smaller network with the same predictions. It also finds
# the units that an l1 penalty or the pruning of single weights has left without inputs
# or without effect.

for l1, model in zip(strengths, sparse):
    print(
        f"l1={l1:g}: 100 units, of which {compact(model).hidden_layer_sizes[0]} count"
    )

# %%
# A wider network, of which more and more units are pruned:

import time

net = MLPClassifier((512,), random_state=0).fit(*train)
rows = np.tile(X, (5, 1))


def milliseconds(model):
    times = []
    for _ in range(7):
        start = time.perf_counter()
        model.predict_proba(rows)
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


kept, took, unit_scores = [], [], []
for share in (0, 0.5, 0.75, 0.9):
    pruned = prune(net, share, *train, structured=True, finetune_epochs=5)
    small = compact(pruned)
    gap = np.abs(small.predict_proba(X) - pruned.predict_proba(X)).max()
    assert gap < 1e-6
    kept.append(small.hidden_layer_sizes[0])
    took.append(milliseconds(small))
    unit_scores.append(small.score(X_test, y_test))
    print(
        f"{kept[-1]:>5} units: {took[-1]:5.1f} ms, {took[0] / took[-1]:4.1f} times as "
        f"fast, accuracy {unit_scores[-1]:.3f}, largest change {gap:.0e}"
    )

# %%
# Left, nine weights in ten go at little cost if what is left is trained, but not at
# once. From there on gradual pruning is better, and an l1 penalty, under which the
# weights compete for as long as the network trains, here eight times as long, better
# still. Right, a network of half of the units takes about half of the time.

import matplotlib.pyplot as plt

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.axhline(np.mean(full), color="0.6", linestyle="--", label="full network")
for marker, way in zip("v^o", ("at once", "fine-tuned", "gradual")):
    left.plot(100 * shares, mean[way], marker + "-", label=way)
left.plot(100 * np.mean(zeros, axis=0), mean["l1"], "C3*", markersize=11, label="l1")
left.set(xlabel="weights that are zero (%)", ylabel="test accuracy", ylim=(0.78, 0.99))
left.legend(loc="lower left")
right.plot(kept, took, "o-")
for units, ms, score in zip(kept, took, unit_scores):
    right.annotate(
        f"{score:.3f}", (units, ms), xytext=(6, -12), textcoords="offset points"
    )
right.set(
    xlabel="hidden units",
    ylabel=f"ms to predict {len(rows):,} rows",
    title="test accuracy beside each point",
    xlim=(0, 600),
    ylim=(0, None),
)
plt.show()

# %%
# The picture below shows which pixels each of the first 40 units of a pruned network
# still reads: a handful at most, and some units none. Those are constants, which
# ``compact`` moves into the biases of the outputs.

sparse = MLPClassifier((100,), pruning=0.95, random_state=0).fit(*train)
weights = sparse.coefs_[0].T.reshape(-1, 8, 8)
limit = np.abs(weights).max()
fig, axes = plt.subplots(4, 10, figsize=(9, 3.8), layout="constrained")
for axis, image in zip(axes.flat, weights):
    axis.imshow(image, cmap="RdBu", vmin=-limit, vmax=limit)
    axis.set(xticks=[], yticks=[])
plt.show()
