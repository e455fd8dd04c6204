"""Time single fits and predictions against scikit-learn's MLP and skorch.

    python examples/benchmarks/single_fit.py [--threads N] [--repeats N] [--no-skorch]

Every row is one network (one hidden layer, Adam, no regularisation, standardised
inputs) trained by all three with the same layers, precision, batch size and number of
epochs. The fits alternate, and the whole `fit` is timed. The medians are printed: µs
per step, the speed-up of skreg, and its arithmetic as a share of this machine's matrix
multiplication rate.
"""

import argparse
import statistics
import time
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from _shared import batch_rows, flops_per_row, load, right, skorch_net
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLP
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skreg import MLPClassifier


@dataclass
class Case:
    """One network on one data set."""

    data: str
    units: int
    batch_size: int
    epochs: int
    dtype: str

    def load(self):
        """Return standardised inputs in the case's precision, and classes."""
        X, y = load(self.data)
        return StandardScaler().fit_transform(X).astype(self.dtype), y

    def steps(self, n_rows):
        """Return the number of steps of a fit, and the rows of a full batch."""
        rows = batch_rows(self.batch_size, n_rows)
        return self.epochs * -(-n_rows // rows), rows


def cases():
    """Return the cases of the table."""
    shapes = [
        ("breast_cancer", 100, 32, 20),
        ("breast_cancer", 100, 200, 60),
        ("digits", 100, 32, 10),
        ("digits", 100, 200, 30),
        ("mnist_5k", 256, 128, 3),
    ]
    return [Case(*s, dtype) for dtype in ("float32", "float64") for s in shapes]


def contenders(case, X, y, with_skorch):
    """Return an unfitted estimator for each package."""
    common = dict(
        hidden_layer_sizes=(case.units,),
        batch_size=case.batch_size,
        learning_rate_init=1e-3,
        max_iter=case.epochs,
        tol=0.0,
        n_iter_no_change=case.epochs,
        random_state=0,
    )
    made = {
        "skreg": MLPClassifier(standardize=False, learning_rate="constant", **common),
        "sklearn": SklearnMLP(alpha=0.0, **common),
    }
    if with_skorch:
        made["skorch"] = skorch_net(X, y, case.units, case.batch_size, case.epochs)
    return made


def median_seconds(functions, repeats):
    """Return the median time of each function; they take turns."""
    times = {name: [] for name in functions}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if repeat:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def multiplication_rate(case, n_inputs, rows):
    """Return the flops a second of the largest product of a step, on its own."""
    dtype = getattr(torch, case.dtype)
    x, w = (
        torch.randn(rows, n_inputs, dtype=dtype),
        torch.randn(n_inputs, case.units, dtype=dtype),
    )
    seconds = median_seconds({"mm": lambda: [x @ w for _ in range(200)]}, 3)["mm"] / 200
    return 2 * rows * n_inputs * case.units / seconds


def fit_table(repeats, with_skorch):
    """Print the table of fits."""
    columns = ("skreg", "sklearn", "skorch", "/sklearn", "/skorch", "of mm")
    print(f"{'fit: µs a step, and times faster':52}" + "".join(map(right, columns)))
    for case in cases():
        X, y = case.load()
        made = contenders(case, X, y, with_skorch)
        seconds = median_seconds(
            {name: lambda m=m: m.fit(X, y) for name, m in made.items()}, repeats
        )
        steps, rows = case.steps(len(X))
        flops = case.epochs * len(X) * flops_per_row(X.shape[1], case.units, y)
        share = flops / seconds["skreg"] / multiplication_rate(case, X.shape[1], rows)
        name = f"{case.data}, {case.units} units, batch {case.batch_size}, {case.dtype}"
        peers = [seconds.get(peer, np.nan) for peer in ("sklearn", "skorch")]
        cells = [f"{1e6 * s / steps:.0f}" for s in (seconds["skreg"], *peers)]
        cells += [f"{s / seconds['skreg']:.1f}×" for s in peers]
        print(f"{name:52}" + "".join(map(right, [*cells, f"{share:.0%}"])))


def predict_table(repeats):
    """Print the table of predictions."""
    columns = ("skreg", "sklearn", "/sklearn")
    print(f"\n{'predict_proba: µs, and times faster':52}", end="")
    print("".join(map(right, columns)))
    for dtype in ("float32", "float64"):
        X, y = Case("digits", 100, 200, 5, dtype).load()
        common = dict(max_iter=5, random_state=0)
        made = {
            "skreg": MLPClassifier(**common).fit(X, y),
            "sklearn": SklearnMLP(**common).fit(X, y),
        }
        for rows, times in ((X[:1], 200), (np.tile(X, (6, 1))[:10_000], 3)):
            functions = {
                name: lambda m=m, r=rows, t=times: [
                    m.predict_proba(r) for _ in range(t)
                ]
                for name, m in made.items()
            }
            seconds = median_seconds(functions, repeats)
            cells = [f"{1e6 * value / times:.0f}" for value in seconds.values()]
            cells.append(f"{seconds['sklearn'] / seconds['skreg']:.1f}×")
            name = f"digits, {len(rows)} rows, {dtype}"
            print(f"{name:52}" + "".join(map(right, cells)))


def main():
    """Parse the options and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-skorch", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads, torch {torch.__version__}\n")
    with threadpool_limits(options.threads):
        fit_table(options.repeats, not options.no_skorch)
        predict_table(options.repeats)


if __name__ == "__main__":
    main()
