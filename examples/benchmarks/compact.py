"""Time predictions of pruned and of sparse networks before and after `compact`.

    python examples/benchmarks/compact.py [--threads N] [--repeats N]
        [--dtype float32]

Every row is one network: trained with l1, pruned gradually by `pruning`, or pruned by
units with `prune(..., structured=True)` and fine-tuned for five epochs; then compacted.
Predictions of the test rows alternate before and after, and the shortest times are
printed, with the largest difference between the probabilities.
"""

import argparse
import time
import warnings

import numpy as np
from _shared import load
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skreg import MLPClassifier, compact, prune

# Units of the hidden layers, and a strength of l1 that empties some of them.
CASES = {"digits": ((256, 128), 2e-3), "mnist_5k": ((512, 256), 1e-3)}
SHARES = (0.5, 0.75, 0.9)


def networks(sizes, l1, X, y):
    """Yield the name of each way to make a network sparse, and the network."""
    yield (
        f"l1={l1:g}",
        MLPClassifier(sizes, l1=l1, max_iter=10, random_state=0).fit(X, y),
    )
    yield "pruning=0.95", MLPClassifier(sizes, pruning=0.95, random_state=0).fit(X, y)
    full = MLPClassifier(sizes, random_state=0).fit(X, y)
    yield "nothing", full
    for share in SHARES:
        pruned = prune(full, share, X, y, structured=True, finetune_epochs=5)
        yield f"{share:.0%} of the units", pruned


def shortest(functions, repeats):
    """Return the shortest time of each function, in ms, called in turns."""
    times = [[] for _ in functions]
    for _ in range(repeats):
        for function, own in zip(functions, times):
            start = time.perf_counter()
            function()
            own.append(time.perf_counter() - start)
    return [1e3 * min(own) for own in times]


def line(name, network, X, y, repeats):
    """Return a row of the table."""
    small = compact(network)
    before, after = shortest(
        [lambda: network.predict_proba(X), lambda: small.predict_proba(X)], repeats
    )
    gap = np.abs(network.predict_proba(X) - small.predict_proba(X)).max()
    sizes = [
        "-".join(map(str, estimator.hidden_layer_sizes))
        for estimator in (network, small)
    ]
    return (
        f"{name:18}{network.score(X, y):>9.3f}{network.sparsity_:>9.1%}"
        f"{sizes[0]:>9} {sizes[1]:>9}{before:>9.2f}{after:>9.2f}"
        f"{before / after:>8.1f}{gap:>9.0e}"
    )


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--dtype", default="float64", help="or float32")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(options.threads):
        for data, (sizes, l1) in CASES.items():
            X, y = load(data)
            X_train, X_test, y_train, y_test = train_test_split(
                X.astype(options.dtype), y, test_size=1000, random_state=0
            )
            print(f"{data}: 1,000 rows to predict, ms")
            print(
                f"{'pruned by':18}{'accuracy':>9}{'zeros':>9}{'units':>9} {'after':>9}"
                f"{'ms':>9}{'after':>9}{'faster':>8}{'gap':>9}"
            )
            for name, network in networks(sizes, l1, X_train, y_train):
                print(line(name, network, X_test, y_test, options.repeats), flush=True)


if __name__ == "__main__":
    main()
