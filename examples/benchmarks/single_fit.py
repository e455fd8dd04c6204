"""Time single fits and predictions against scikit-learn's MLP and skorch.

    python examples/benchmarks/single_fit.py [--threads N] [--repeats N] [--no-skorch]

Every row is one network (one hidden layer, Adam, standardised inputs) trained by all
three with the same layers, precision, batch size and number of epochs. In rows with
"dropout, l1" skreg trains with both, and the others, as in the other rows, without any
regularisation. The fits alternate, and the whole `fit` is timed. The medians are
printed: µs per step, the speed-up of skreg and its goal, and the arithmetic of skreg as
a share of this machine's rate of large matrix products. The limits of the machine,
products and copies of memory, are printed first.
"""

import argparse
import statistics
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import torch
from _shared import batch_rows, flops_per_row, load, right, skorch_net
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLP
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skreg import MLPClassifier
from skreg.compiled.versions import engine_name

REGULARISED = {"dropout": 0.2, "l1": 1e-5}


@dataclass
class Case:
    """One network on one data set; the goals are times faster than the peers."""

    data: str
    units: int
    batch_size: int
    epochs: int
    dtype: str
    goals: tuple = ()
    settings: dict = field(default_factory=dict)

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
        ("breast_cancer", 100, 32, 20, (8, 20), 5),
        ("digits", 100, 32, 10, (6, 20), 4),
        ("digits", 100, 200, 30, (4, 15), 3),
        ("mnist_5k", 256, 128, 3, (2, 3.5), 1.8),
    ]
    made = []
    for dtype in ("float32", "float64"):
        for *shape, goals, regularised in shapes:
            made.append(Case(*shape, dtype, goals, {}))
            made.append(Case(*shape, dtype, (regularised, None), REGULARISED))
    return made


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
        "skreg": MLPClassifier(
            standardize=False, learning_rate="constant", **common, **case.settings
        ),
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
            # Until threads of the one before no longer spin.
            time.sleep(0.1)
            start = time.perf_counter()
            function()
            if repeat:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def rate_of_products(dtype):
    """Return the flops a second of a large matrix product."""
    x = torch.randn(2048, 2048, dtype=getattr(torch, dtype))
    return 2 * 2048**3 / median_seconds({"mm": lambda: x @ x}, 5)["mm"]


def rate_of_copies():
    """Return the bytes a second that are read and written by a copy of memory."""
    x = torch.randn(2**26)
    other = torch.empty_like(x)
    return 8 * 2**26 / median_seconds({"copy": lambda: other.copy_(x)}, 5)["copy"]


def fit_table(repeats, with_skorch):
    """Print the table of fits."""
    rates = {dtype: rate_of_products(dtype) for dtype in ("float32", "float64")}
    for dtype, rate in rates.items():
        print(f"products, {dtype}: {rate / 1e9:.0f} Gflop/s")
    print(f"copies of memory: {rate_of_copies() / 1e9:.0f} GB/s\n")
    columns = ("skreg", "sklearn", "skorch", "/sklearn", "goal", "/skorch", "goal")
    columns += ("of mm",)
    print(f"{'fit: µs a step, and times faster':58}" + "".join(map(right, columns)))
    for case in cases():
        X, y = case.load()
        made = contenders(case, X, y, with_skorch)
        seconds = median_seconds(
            {name: lambda m=m: m.fit(X, y) for name, m in made.items()}, repeats
        )
        steps, _ = case.steps(len(X))
        flops = case.epochs * len(X) * flops_per_row(X.shape[1], case.units, y)
        share = flops / seconds["skreg"] / rates[case.dtype]
        name = f"{case.data}, {case.units} units, batch {case.batch_size}, {case.dtype}"
        name += ", dropout, l1" if case.settings else ""
        peers = [seconds.get(peer, np.nan) for peer in ("sklearn", "skorch")]
        cells = [f"{1e6 * s / steps:.0f}" for s in (seconds["skreg"], *peers)]
        for peer, goal in zip(peers, case.goals):
            cells += [f"{peer / seconds['skreg']:.1f}×", f"{goal}×" if goal else "–"]
        print(f"{name:58}" + "".join(map(right, [*cells, f"{share:.0%}"])))


def predict_table(repeats):
    """Print the table of predictions."""
    columns = ("skreg", "sklearn", "/sklearn", "goal")
    print(f"\n{'predict_proba: µs, and times faster':58}", end="")
    print("".join(map(right, columns)))
    for dtype in ("float32", "float64"):
        X, y = Case("digits", 100, 200, 5, dtype).load()
        common = dict(max_iter=5, random_state=0)
        made = {
            "skreg": MLPClassifier(**common).fit(X, y),
            "sklearn": SklearnMLP(**common).fit(X, y),
        }
        many = np.tile(X, (6, 1))[:10_000]
        for rows, times, goal in ((X[:1], 500, 2), (many, 20, 1.5)):
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
            print(f"{name:58}" + "".join(map(right, [*cells, f"{goal}×"])))


def main():
    """Parse the options and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--no-skorch", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads, torch {torch.__version__}, {engine_name()}")
    with threadpool_limits(options.threads):
        fit_table(options.repeats, not options.no_skorch)
        predict_table(options.repeats)


if __name__ == "__main__":
    main()
