"""Penalised linear problems, their solutions by scikit-learn, and the error of these.

A problem has inputs, a kind of target, and strengths in skreg's terms. Its reference is
scikit-learn's estimator at the equivalent strength, or, for penalties that scikit-learn
lacks, a proximal gradient method in numpy. Neither shares code with skreg, and the
optimality conditions that check them are written independently.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from _versions import elastic_net
from scipy.special import expit, softmax
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.linear_model import (
    ElasticNet,
    LogisticRegression,
    MultiTaskElasticNet,
    PoissonRegressor,
    Ridge,
)
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, MLPRegressor
from skreg.compatibility import SKLEARN


class Problem(NamedTuple):
    """A linear model: `estimator` is skreg's, and `solve` gives its coefficients.

    Parameters
    ----------
    inputs : str
        A key of `INPUTS`.
    kind : str
        A key of `TARGETS`.
    l1, l2, group_l1, positive
        As the parameters of skreg's estimators.
    weighted : bool
        Whether rows have weights from 0.2 to 3.
    class_weight : tuple of float, "balanced" or None
        One weight for each class.
    sparse : bool
        Whether skreg gets the inputs in CSR.
    """

    inputs: str
    kind: str
    l1: float = 0.0
    l2: float = 0.0
    group_l1: float = 0.0
    positive: bool = False
    weighted: bool = False
    class_weight: tuple | str | None = None
    sparse: bool = False

    def __str__(self):
        settings = self._asdict()
        inputs, kind = settings.pop("inputs"), settings.pop("kind")
        chosen = [f"{key}={value}" for key, value in settings.items() if value]
        return "-".join([inputs, kind, *chosen])

    @property
    def class_weights(self):
        """The value of scikit-learn's parameter ``class_weight``."""
        weights = self.class_weight
        return dict(enumerate(weights)) if isinstance(weights, tuple) else weights

    def data(self):
        """Return dense inputs, targets and sample weights or None."""
        X, y = _data(self.inputs, self.kind)
        rng = np.random.default_rng(1)
        return X, y, rng.uniform(0.2, 3, len(y)) if self.weighted else None

    def estimator(self, **params):
        """Return skreg's estimator, not fitted."""
        params |= dict(l1=self.l1, l2=self.l2, group_l1=self.group_l1)
        if self.positive:
            params["positive"] = True
        if self.kind in ("binary", "multinomial"):
            return MLPClassifier((), class_weight=self.class_weights, **params)
        loss = "poisson" if self.kind == "counts" else "squared_error"
        return MLPRegressor((), loss=loss, **params)

    def fit(self, **params):
        """Return skreg's estimator, fitted."""
        X, y, s = self.data()
        X = sp.csr_array(X) if self.sparse else X
        return self.estimator(**params).fit(X, y, sample_weight=s)


def scaled(load, **options):
    X, y = load(return_X_y=True, **options)
    return StandardScaler().fit_transform(X), y


def diabetes():
    X, y = scaled(load_diabetes, scaled=False)
    return X, y / y.std()


def digits():
    """Return the first images of five digits; some pixels are always white."""
    X, y = load_digits(n_class=5, return_X_y=True)
    return X[:150] / 16, y[:150]


def synthetic(n_samples, n_features):
    """Return inputs and a linear function of the first four."""
    X = np.random.default_rng(0).standard_normal((n_samples, n_features))
    return X, X[:, :4] @ [1.5, -1.0, 1.0, 0.5]


def correlated():
    """Return two pairs of columns with correlations of 0.995."""
    X, score = synthetic(80, 8)
    X[:, [1, 3]] = X[:, [0, 2]] + 0.1 * X[:, [1, 3]]
    return X, score


def constant():
    """Return inputs with a constant column, which the intercept makes superfluous."""
    X, score = synthetic(80, 8)
    X[:, 2] = 3.0
    return X, score


# Classes, or a score to make targets of.
INPUTS = {
    "breast_cancer": lambda: scaled(load_breast_cancer),
    "iris": lambda: scaled(load_iris),
    "digits": digits,
    "diabetes": diabetes,
    "tall": lambda: synthetic(150, 6),
    "wide": lambda: synthetic(40, 80),
    "correlated": correlated,
    "constant": constant,
}


def cut(quantiles):
    """Return a function from a score to classes, whose sizes make "balanced" matter."""
    return lambda score, rng: np.searchsorted(
        np.quantile(noisy(score, rng), quantiles), score
    )


def noisy(score, rng):
    return score + rng.standard_normal(score.shape)


# An odd number of classes: then the optimum under l1 is unique. A number added to an
# input's coefficients of all classes changes the penalty alone, and the optimum in it
# is their median, which for an even number may be any number between two of them.
TARGETS = {
    "binary": cut([0.35]),
    "multinomial": cut([0.3, 0.5]),
    "numbers": noisy,
    "tasks": lambda score, rng: noisy(np.outer(score, [1.0, -0.5, 0.2]), rng),
    "counts": lambda score, rng: rng.poisson(np.exp(0.5 * score)).astype(float),
}


@cache
def _data(inputs, kind):
    X, y = INPUTS[inputs]()
    if inputs in ("breast_cancer", "iris", "digits"):
        return X, y
    return X, TARGETS[kind](y, np.random.default_rng(2))


class Solution(NamedTuple):
    """Coefficients (n_outputs, n_features) and intercepts (n_outputs,)."""

    coef: np.ndarray
    intercept: np.ndarray

    @classmethod
    def of(cls, estimator):
        return cls(np.atleast_2d(estimator.coef_), np.atleast_1d(estimator.intercept_))


def weights_of_classes(problem):
    """Return the weight of a row of each class, with scikit-learn's "balanced"."""
    if problem.class_weight != "balanced":
        return np.array(problem.class_weight)
    _, y, s = problem.data()
    totals = np.bincount(y, weights=s)
    return totals.sum() / (len(totals) * totals)


def class_weight_before_1_7(problem):
    """Return `class_weight` where "balanced" does not count sample weights."""
    if problem.class_weight is None:
        return None
    return dict(enumerate(weights_of_classes(problem)))


class Objective:
    """The objective of a problem in numpy: loss plus l2, and the other penalties."""

    def __init__(self, problem):
        X, y, s = problem.data()
        self.X, self.problem = X, problem
        row = np.ones(len(y)) if s is None else s
        if problem.class_weight is not None:
            # "balanced" makes the weights of the classes sum to one number.
            row = row * weights_of_classes(problem)[y]
        self.total, self.row = row.sum(), (row / row.sum())[:, None]
        multinomial = problem.kind == "multinomial"
        self.target = (
            y[:, None] == np.unique(y) if multinomial else y.reshape(len(y), -1)
        )
        self.mean = {
            "binary": expit,
            "multinomial": lambda score: softmax(score, axis=1),
            "counts": np.exp,
        }.get(problem.kind, lambda score: score)

    def gradient(self, solution):
        """Return the gradient of the loss and l2, of the shapes of a solution."""
        score = self.X @ solution.coef.T + solution.intercept
        residual = self.row * (self.mean(score) - self.target)
        smooth = residual.T @ self.X + 2 * self.problem.l2 * solution.coef
        return Solution(smooth, residual.sum(0))

    def prox(self, coef, step):
        """Apply the proximal operator of all penalties but l2. Inputs are columns."""
        size = coef if self.problem.positive else abs(coef)
        shrunk = np.sign(coef) * np.maximum(size - step * self.problem.l1, 0)
        norm = np.linalg.norm(shrunk, axis=0)
        positive = np.where(norm > 0, norm, 1.0)
        return shrunk * np.maximum(1 - step * self.problem.group_l1 / positive, 0)

    def violation(self, solution):
        """Return the distance between a solution and its proximal step of length one.

        It is zero only at the optimum. For the lasso it is the distance of the gradient
        to the subdifferential if that is smaller than the coefficient.
        """
        gradient = self.gradient(solution)
        moved = self.prox(solution.coef - gradient.coef, 1.0)
        return max(abs(moved - solution.coef).max(), abs(gradient.intercept).max())

    def margins(self, solution):
        """Return how far each coefficient is from changing between zero and nonzero.

        For a nonzero coefficient, it is the absolute value. For a zero one, it is the
        strength minus the absolute gradient, or for groups minus the norm of the excess
        of the gradients of its input over l1.
        """
        l1, group_l1 = self.problem.l1, self.problem.group_l1
        slope = -self.gradient(solution).coef
        slope = slope if self.problem.positive else abs(slope)
        excess = np.linalg.norm(np.maximum(slope - l1, 0), axis=0)
        used = (solution.coef != 0).any(axis=0)
        zero = np.where(used | (group_l1 == 0), l1 - slope, group_l1 - excess)
        return np.where(solution.coef != 0, abs(solution.coef), zero)


@cache
def solve(problem):
    """Return the reference. Its arrays must not be changed."""
    objective = Objective(problem)
    if not in_scikit_learn(problem):
        return proximal_gradient(objective)
    X, y, s = problem.data()
    estimator = reference(problem, objective.total)
    options = {} if problem.group_l1 else {"sample_weight": s}
    # Dense: on sparse inputs SAGA takes a hundredth of a step in the intercept (its
    # SPARSE_INTERCEPT_DECAY) and stops some 1e-3 from the optimum.
    return Solution.of(estimator.fit(X, y, **options))


def in_scikit_learn(problem):
    """Return whether an estimator of scikit-learn solves a problem precisely."""
    if problem.group_l1:
        return problem.kind == "tasks" and not (problem.l1 or problem.weighted)
    if problem.positive:  # coordinate descent stops at a duality gap, of l1
        return problem.l1 > 0
    return problem.kind != "counts" or problem.l1 == 0


def reference(problem, total):
    """Return scikit-learn's estimator of a problem whose row weights sum to `total`.

    Lasso and MultiTaskLasso are the elastic nets with an l1_ratio of one.
    """
    l1, l2, group_l1 = problem.l1, problem.l2, problem.group_l1
    alpha = l1 + group_l1 + 2 * l2
    l1_ratio = (l1 + group_l1) / alpha
    mixed = dict(l1_ratio=l1_ratio, max_iter=100_000)
    if problem.kind in ("binary", "multinomial"):
        return LogisticRegression(
            C=1 / (alpha * total),
            solver="saga" if l1 else "newton-cholesky",
            class_weight=class_weight_before_1_7(problem)
            if SKLEARN < (1, 7)
            else problem.class_weights,
            tol=1e-12,
            random_state=0,
            max_iter=100_000,
            **elastic_net(l1_ratio),
        )
    if problem.kind == "counts":
        return PoissonRegressor(alpha=alpha, solver="newton-cholesky", tol=1e-12)
    if group_l1:
        return MultiTaskElasticNet(alpha, tol=1e-15, **mixed)
    if l1:
        return ElasticNet(alpha, tol=1e-15, positive=problem.positive, **mixed)
    return Ridge(alpha * total, solver="cholesky")


def proximal_gradient(objective, accuracy=1e-11, max_iter=200_000):
    """Return the minimum by proximal gradient steps (Beck and Teboulle 2009).

    The steps are accelerated, and restarted if the momentum points uphill (O'Donoghue
    and Candès 2015).
    """
    n_outputs, n_features = objective.target.shape[1], objective.X.shape[1]
    # The curvature of the log loss is 1/2 at most, that of half the squared error 1; a
    # Poisson mean has no bound, and the largest target is one in practice.
    curvature = max(1.0, objective.target.max() if objective.mean is np.exp else 0)
    design = np.c_[objective.X, np.ones(len(objective.X))] * np.sqrt(objective.row)
    step = 1 / (curvature * np.linalg.norm(design, 2) ** 2 + 2 * objective.problem.l2)
    now = ahead = Solution(np.zeros((n_outputs, n_features)), np.zeros(n_outputs))
    momentum = 1.0
    for _ in range(max_iter):
        gradient = objective.gradient(ahead)
        new = Solution(
            objective.prox(ahead.coef - step * gradient.coef, step),
            ahead.intercept - step * gradient.intercept,
        )
        uphill = sum(np.vdot(a - b, b - c) for a, b, c in zip(ahead, new, now)) > 0
        following = 1.0 if uphill else (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        share = 0.0 if uphill else (momentum - 1) / following
        ahead = Solution(*(b + share * (b - c) for b, c in zip(new, now)))
        now, momentum = new, following
        if uphill and objective.violation(now) < accuracy:
            return now
    raise AssertionError(f"{objective.problem} has no accurate reference")
