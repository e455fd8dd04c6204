"""Time whole hyperparameter searches against scikit-learn's MLP and skorch.

    python examples/benchmarks/search.py [--search bc digits32 digits mnist]
                                         [--repeats N] [--quick] [--device cuda]
                                         [--candidates N] [--contenders NAME ...]

Every table is one search: the same random candidates and folds for all contenders, one
hidden layer, Adam, float32, and equal numbers of epochs, because stopping by tolerance
is switched off. The time is that of the whole `fit` of GridSearchCV, with its scores
and its refit. The learning rate and l2 (as scikit-learn's alpha and skorch's weight
decay of the same strength) vary for all, dropout for skorch and skreg, and l1 for skreg
only. All dropout rates are positive, so no fit is polished, and skreg trains no longer
than the others.

The inputs of the other packages are standardised beforehand, with all rows at once,
which costs them no time. skreg gets the raw inputs and standardises them in every fit.

Contenders take turns. Each does a tiny search right before it is timed, so that
imports, thread pools and workers are ready. The number of threads is that of the
machine. The load is printed because it affects the times: while other programs compute,
torch's threads wait for one another, and skorch has taken 40 times as long.

The median seconds of the repeats are printed, with the µs for each model and step, the
speed-up over each other package, and the mean test score of the best candidate. "of
sgemm" is the arithmetic of the layers' products divided by the seconds, as a share of
the rate that torch reaches on large square float32 matrices with all threads.

A contender marked "k of n" is timed on the first k candidates. Its seconds are scaled
up to all n candidates, with the refit counted once. Its best score is that of the k.
"""

import argparse
import contextlib
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from _shared import batch_rows, flops_per_row, load, right, skorch_net
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, ParameterSampler, StratifiedKFold
from sklearn.neural_network import MLPClassifier as SklearnMLP
from sklearn.preprocessing import StandardScaler

import skreg

DISTRIBUTIONS = {
    "l1": loguniform(1e-6, 1e-3),
    "l2": loguniform(1e-6, 1e-2),
    "dropout": uniform(0.05, 0.45),
    "learning_rate_init": loguniform(3e-4, 1e-2),
}
PEERS = ("sklearn", "sklearn-jobs", "skorch")
NAMES = (*PEERS, "unfused", "fused", "fused-jobs")
LABEL_WIDTH = 36


@dataclass
class Search:
    """One search; the goals are times faster than each of the peers."""

    data: str
    units: int
    batch_size: int
    n_candidates: int
    n_folds: int
    epochs: int
    goals: tuple

    def folds(self):
        """Return the splitter."""
        return StratifiedKFold(self.n_folds, shuffle=True, random_state=0)

    def work(self, y):
        """Return the number of steps of all fits, and of rows that they go through."""
        lengths = [len(train) for train, _ in self.folds().split(y, y)]
        lengths = self.n_candidates * lengths + [len(y)]
        steps = sum(math.ceil(n / batch_rows(self.batch_size, n)) for n in lengths)
        return self.epochs * steps, self.epochs * sum(lengths)


SEARCHES = {
    "bc": Search("breast_cancer", 32, 32, 40, 5, 50, (25, 15, 80)),
    "digits32": Search("digits", 100, 32, 40, 5, 50, (12, 6, 30)),
    "digits": Search("digits", 100, 200, 40, 5, 50, (6, 3, 10)),
    "mnist": Search("mnist_5k", 256, 128, 12, 3, 10, (2.2, 1.5, 4)),
}


@dataclass
class Contender:
    """A model, how it is searched, and on how many of the candidates."""

    label: str
    model: BaseEstimator
    X: np.ndarray
    settings: Callable  # a candidate, in the model's own names
    n_candidates: int
    n_jobs: int | None = 1
    context: Callable = contextlib.nullcontext

    def fit(self, search, candidates, y):
        """Search among the candidates; return what scikit-learn's search has found."""
        grid = [
            {name: [value] for name, value in self.settings(candidate).items()}
            for candidate in candidates
        ]
        with self.context():
            return GridSearchCV(
                self.model,
                grid,
                cv=search.folds(),
                n_jobs=self.n_jobs,
                error_score="raise",
            ).fit(self.X, y)

    def time(self, search, candidates, y):
        """Return the seconds for all candidates, and the best score."""
        chosen = candidates[: self.n_candidates]
        start = time.perf_counter()
        found = self.fit(search, chosen, y)
        seconds = time.perf_counter() - start - found.refit_time_
        seconds *= len(candidates) / len(chosen)
        return seconds + found.refit_time_, found.best_score_


def contenders(search, X, y, options):
    """Return the chosen contenders by name, peers first."""
    X_peers = StandardScaler().fit_transform(X).astype(np.float32)
    n_jobs = options.jobs
    sklearn = of_sklearn(search, X_peers, options)
    unfused = of_skreg(search, X.astype(np.float32), options)
    made = {
        "sklearn": sklearn,
        "sklearn-jobs": replace(
            sklearn, label=f"scikit-learn, n_jobs={n_jobs}", n_jobs=n_jobs
        ),
        "skorch": of_skorch(search, X_peers, y, options),
        "unfused": unfused,
        "fused": fused(unfused, search, 1),
        "fused-jobs": fused(unfused, search, n_jobs),
    }
    return {name: made[name] for name in NAMES if name in options.contenders}


def common_parameters(search):
    """Return the parameters that have the same names in scikit-learn and skreg."""
    return dict(
        hidden_layer_sizes=(search.units,),
        batch_size=search.batch_size,
        max_iter=search.epochs,
        tol=0.0,
        n_iter_no_change=10**6,
        random_state=0,
    )


def of_sklearn(search, X, options):
    """Return scikit-learn's network, whose alpha is divided by the rows of a batch."""
    n, rows = search.n_candidates, batch_rows(search.batch_size, len(X))
    return Contender(
        "scikit-learn, n_jobs=1",
        SklearnMLP(**common_parameters(search)),
        X,
        lambda c: {
            "alpha": 2 * rows * c["l2"],
            "learning_rate_init": c["learning_rate_init"],
        },
        min(options.sklearn_candidates or n, n),
    )


def of_skorch(search, X, y, options):
    """Return skorch's network."""
    shape = search.units, search.batch_size, search.epochs
    return Contender(
        "skorch, n_jobs=1",
        skorch_net(X, y, *shape, device=options.device),
        X,
        lambda c: {
            "optimizer__weight_decay": 2 * c["l2"],
            "module__dropout": c["dropout"],
            "lr": c["learning_rate_init"],
        },
        min(options.skorch_candidates, search.n_candidates),
    )


def of_skreg(search, X, options):
    """Return skreg's network, which trains one candidate and fold after another."""
    common = common_parameters(search)
    return Contender(
        "skreg unfused, n_jobs=1",
        skreg.MLPClassifier(learning_rate="constant", device=options.device, **common),
        X,
        dict,
        min(options.unfused_candidates, search.n_candidates),
    )


def fused(unfused, search, n_jobs):
    """Return skreg's network, with a search that trains as one network."""
    return replace(
        unfused,
        label=f"skreg fused, n_jobs={n_jobs}",
        n_candidates=search.n_candidates,
        n_jobs=None,  # the context's
        context=lambda: skreg.fused(n_jobs=n_jobs),
    )


def measure(search, X, y, options):
    """Return for every contender its label, median seconds and mean best score."""
    candidates = list(
        ParameterSampler(DISTRIBUTIONS, search.n_candidates, random_state=0)
    )
    tiny = replace(search, n_folds=2, epochs=1)
    warming = contenders(tiny, X, y, options)
    made = contenders(search, X, y, options)
    outcomes = {name: [] for name in made}
    for _ in range(options.repeats):
        for name, contender in made.items():
            warming[name].fit(tiny, candidates[:2], y)
            outcomes[name].append(contender.time(search, candidates, y))
    for name, contender in made.items():
        label, k = contender.label, contender.n_candidates
        if k < search.n_candidates:
            label += f" ({k} of {search.n_candidates})"
        seconds, scores = zip(*outcomes[name])
        yield name, label, statistics.median(seconds), statistics.mean(scores)


def sgemm_rate(device):
    """Return the flops a second of a product of large float32 matrices, at best."""
    n = 2048 if device == "cpu" else 8192
    a, b = torch.randn(2, n, n, device=device)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        (a @ b)[0, 0].item()  # which waits for the device
        times.append(time.perf_counter() - start)
    return 2 * n**3 / min(times)


def table(search, options):
    """Run a search with every contender and print its table."""
    X, y = load(search.data)
    rate = sgemm_rate(options.device)
    print(
        f"{search.data}, {search.units} units, batch {search.batch_size}: "
        f"{search.n_candidates} candidates × {search.n_folds} folds and a refit, "
        f"{search.epochs} epochs; sgemm {rate / 1e9:.0f} Gflop/s",
        flush=True,
    )
    outcomes = list(measure(search, X, y, options))
    steps, rows = search.work(y)
    flops = rows * flops_per_row(X.shape[1], search.units, y)
    peers = {name: seconds for name, _, seconds, _ in outcomes if name in PEERS}
    columns = ["seconds", "µs a step", "/sklearn"]
    columns += [f"/sklearn {options.jobs}", "/skorch", "score", "of sgemm"]
    print(" " * LABEL_WIDTH + "".join(map(right, columns)))
    for name, label, seconds, score in outcomes:
        cells = [f"{seconds:.3g}", f"{1e6 * seconds / steps:.3g}"]
        cells += [faster(peers.get(peer, math.nan) / seconds) for peer in PEERS]
        share = "–" if name in PEERS else f"{flops / seconds / rate:.1%}"
        cells += [f"{score:.4f}", share]
        print(f"{label:{LABEL_WIDTH}}" + "".join(map(right, cells)))
    cells = ["", "", *map(faster, search.goals)]
    print(f"{'goal of fused':{LABEL_WIDTH}}" + "".join(map(right, cells)) + "\n")


def faster(ratio):
    """Return how many times faster, or a dash where that is not known."""
    return "–" if math.isnan(ratio) else f"{ratio:.3g}×"


def main():
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--search", nargs="+", choices=SEARCHES, default=list(SEARCHES))
    parser.add_argument("--contenders", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few candidates, 2 epochs")
    parser.add_argument("--candidates", type=int, help="of each search")
    parser.add_argument("--jobs", type=int, default=2, help="of the parallel searches")
    parser.add_argument("--device", default="cpu", help="of skreg and skorch")
    parser.add_argument("--sklearn-candidates", type=int, help="all by default")
    parser.add_argument("--skorch-candidates", type=int, default=4)
    parser.add_argument("--unfused-candidates", type=int, default=4)
    options = parser.parse_args()
    if options.device != "cpu":  # processes would share the one device
        options.contenders = set(options.contenders) - {"fused-jobs"}
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.manual_seed(0)  # skorch's weights
    print(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"load before {os.getloadavg()[0]:.1f}\n"
    )
    for name in options.search:
        search = SEARCHES[name]
        if options.quick:
            search = replace(search, n_candidates=5, epochs=2)
        if options.candidates:
            search = replace(search, n_candidates=options.candidates)
        table(search, options)


if __name__ == "__main__":
    main()
