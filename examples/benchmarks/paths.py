"""Seconds of a cross-validated path of a wide linear model against other packages.

    python examples/benchmarks/paths.py [--n N] [--repeats N] [--data NAME]

Every contender fits and scores the same strengths on the same five folds, and fits
all rows, in float64 and in one thread: scikit-learn by its estimators with
cross-validation, which fit all rows with the best strength only, and celer and skglm
by warm-started fits from one strength to the next. They stop at the tolerances that
are their defaults. The column "violation" says how accurate this is: the largest
violation of the optimality conditions over all inputs, on all rows and at all strengths
that were fitted to them. The targets have a standard deviation of one. skreg stops at
1e-6. "tight" is scikit-learn with a tolerance of 1e-8.

The seconds are those of the processor, the least of the repeats. "skreg ÷" is the ratio
of skreg's seconds to them.
"""

import argparse
import time
import warnings
from dataclasses import dataclass

import celer
import numpy as np
import scipy.sparse as sp
import skglm
import torch
from sklearn.linear_model import LassoCV, LogisticRegressionCV, MultiTaskLassoCV
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skreg import MLPClassifier, MLPRegressor, regularization_path

FOLDS = KFold(5, shuffle=True, random_state=0)
RATIO = 1e-2


@dataclass
class Problem:
    """A path to fit."""

    name: str
    X: np.ndarray | sp.csr_array
    y: np.ndarray
    kind: str = "lasso"

    def largest(self):
        """Return the smallest strength for which all weights are zero."""
        y = self.y.reshape(len(self.y), -1)
        slopes = self.X.T @ (y - y.mean(axis=0)) / len(y)
        return np.linalg.norm(slopes, axis=1).max()

    def violation(self, strengths, coefs, intercepts):
        """Return the largest violation of the optimality conditions.

        Parameters
        ----------
        strengths : list of float
        coefs : list of ndarray of shape (n_features, n_outputs)
        intercepts : list of ndarray of shape (n_outputs,)
        """
        worst, y = 0.0, self.y.reshape(len(self.y), -1)
        for strength, coef, intercept in zip(strengths, coefs, intercepts):
            score = self.X @ coef + intercept
            mean = 1 / (1 + np.exp(-score)) if self.kind == "logistic" else score
            slopes = self.X.T @ (mean - y) / len(y)
            norms = np.linalg.norm(coef, axis=1, keepdims=True)
            used = norms[:, 0] > 0
            own = slopes[used] + strength * coef[used] / norms[used]
            left = np.linalg.norm(slopes[~used], axis=1) - strength
            worst = max(worst, np.abs(own).max(initial=0), left.max(initial=0))
        return worst


def gaussian(n_rows, n_features):
    """Return standard normal inputs and a target of ten of them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    y = X[:, :10].sum(axis=1) + rng.normal(size=n_rows)
    return StandardScaler().fit_transform(X), (y - y.mean()) / y.std()


def text(n_rows=2000, n_words=20_000):
    """Return the tf-idf of words whose frequencies follow Zipf's law, and a target."""
    rng = np.random.default_rng(0)
    frequency = 1 / np.arange(1, n_words + 1) ** 0.9
    lengths = rng.integers(50, 150, size=n_rows)
    words = rng.choice(n_words, size=lengths.sum(), p=frequency / frequency.sum())
    rows = np.repeat(np.arange(n_rows, dtype=np.int32), lengths)
    ones = np.ones(len(words)), (rows, words.astype(np.int32))
    X = sp.csr_array(ones, shape=(n_rows, n_words))
    X.sum_duplicates()
    document = np.bincount(X.indices, minlength=n_words)
    X.data = (1 + np.log(X.data)) * (1 + np.log((1 + n_rows) / (1 + document)))[
        X.indices
    ]
    X.data /= np.repeat(np.sqrt(X.power(2).sum(axis=1)), np.diff(X.indptr))
    coef = np.zeros(n_words)
    coef[rng.choice(n_words // 10, size=50, replace=False)] = rng.normal(size=50)
    signal = X @ coef
    y = signal + 0.3 * signal.std() * rng.normal(size=n_rows)
    return X, (y - y.mean()) / y.std()


def problems(data):
    """Yield the problems of the table."""
    makers = {
        "62 x 2,000": lambda: gaussian(62, 2000),
        "200 x 5,000": lambda: gaussian(200, 5000),
        "text 2,000 x 20,000": text,
    }
    for name, make in makers.items():
        if data is None or name.startswith(data):
            yield Problem(name, *make())
    if data in (None, "group"):
        X, y = gaussian(200, 2000)
        rng = np.random.default_rng(1)
        Y = np.column_stack([y, X[:, 5:15].sum(axis=1) / 3, X[:, 0]])
        Y = StandardScaler().fit_transform(Y + rng.normal(size=Y.shape))
        yield Problem("group 200 x 2,000, 3 outputs", X, Y, "group")
    if data in (None, "logistic"):
        X, y = gaussian(200, 2000)
        yield Problem("logistic 200 x 2,000", X, (y > 0).astype(int), "logistic")


def path_of_skreg(problem, strengths):
    """Return the strengths, coefficients and intercepts of all rows."""
    kind = MLPClassifier if problem.kind == "logistic" else MLPRegressor
    path = regularization_path(
        kind((), standardize=False),
        problem.X,
        problem.y,
        strengths=strengths,
        penalty="group_l1" if problem.kind == "group" else "l1",
        cv=FOLDS,
    )
    return strengths, path.coefs, [model.intercepts_[0] for model in path.estimators]


def of_cv(make):
    """Return a function that fits an estimator with cross-validation of its own."""

    def fit(problem, strengths):
        model = make(problem, strengths).fit(problem.X, problem.y)
        if hasattr(model, "C_"):
            best = 1 / (np.ravel(model.C_)[0] * len(problem.y))
        else:
            best = model.alpha_
        coef = model.coef_.reshape(-1, problem.X.shape[1]).T
        return [best], [coef], [np.reshape(model.intercept_, -1)]

    return fit


def by_loops(make):
    """Return a function that fits warm-started estimators on all rows and each fold."""

    def fit(problem, strengths):
        everything = np.arange(len(problem.y))
        for train, test in [(everything, everything), *FOLDS.split(problem.X)]:
            X, y = problem.X[train], problem.y[train]
            X = X.tocsc() if sp.issparse(X) else np.asfortranarray(X)
            model, coefs, intercepts = make(problem, len(train)), [], []
            for strength in strengths:
                set_strength(model, strength, len(train))
                model.fit(X, y)
                model.score(problem.X[test], problem.y[test])
                coefs.append(model.coef_.reshape(-1, problem.X.shape[1]).T.copy())
                intercepts.append(np.copy(model.intercept_).reshape(-1))
            if train is everything:
                found = strengths, coefs, intercepts
        return found

    return fit


def set_strength(model, strength, n_rows):
    """Set the strength of l1 of a model of celer or skglm."""
    if "C" in model.get_params():
        model.set_params(C=1 / (strength * n_rows))
    else:
        model.set_params(alpha=strength)


def contenders(problem):
    """Return functions of a problem and strengths, by name."""
    made, cv = {"skreg": path_of_skreg}, {"cv": FOLDS}
    if problem.kind == "lasso":
        made["LassoCV"] = of_cv(lambda _, s: LassoCV(alphas=s, **cv))
        made["LassoCV, tight"] = of_cv(
            lambda _, s: LassoCV(alphas=s, tol=1e-8, max_iter=10**5, **cv)
        )
        made["celer.Lasso"] = by_loops(lambda *_: celer.Lasso(warm_start=True))
        made["skglm.Lasso"] = by_loops(lambda *_: skglm.Lasso(warm_start=True))
    elif problem.kind == "group":
        made["MultiTaskLassoCV"] = of_cv(lambda _, s: MultiTaskLassoCV(alphas=s, **cv))
        made["skglm.MultiTaskLasso"] = by_loops(
            lambda *_: skglm.MultiTaskLasso(warm_start=True)
        )
    else:
        made["LogisticRegressionCV"] = of_cv(
            lambda p, s: LogisticRegressionCV(
                Cs=1 / (s * len(p.y)),
                solver="saga",
                l1_ratios=(1,),
                cv=FOLDS,
                use_legacy_attributes=False,
            )
        )
        made["celer.Logistic"] = by_loops(
            lambda *_: celer.LogisticRegression(warm_start=True)
        )
        made["skglm.Logistic"] = by_loops(
            lambda *_: skglm.SparseLogisticRegression(warm_start=True)
        )
    return made


def measure(problem, n, repeats):
    """Print the rows of a problem."""
    strengths, made = np.geomspace(1, RATIO, n) * problem.largest(), contenders(problem)
    times, found = {}, {}
    for name, fit in made.items():
        fit(problem, strengths[:3])  # compiled functions are compiled here
        for _ in range(repeats):
            start = time.process_time()
            found[name] = fit(problem, strengths)
            seconds = time.process_time() - start
            times[name] = min(seconds, times.get(name, np.inf))
    for name, seconds in times.items():
        ratio, worst = times["skreg"] / seconds, problem.violation(*found[name])
        row = f"{problem.name:30}{name:25}{seconds:>9.2f}{ratio:>9.2g}{worst:>11.0e}"
        print(row, flush=True)


def main():
    """Parse the options and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=50, help="number of strengths")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", help="62, 200, text, group or logistic")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"{'problem':30}{'':25}{'seconds':>9}{'skreg ÷':>9}{'violation':>11}")
    with threadpool_limits(1):
        for problem in problems(options.data):
            measure(problem, options.n, options.repeats)


if __name__ == "__main__":
    main()
