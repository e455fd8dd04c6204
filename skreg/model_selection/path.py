"""Regularisation paths: models fitted with decreasing strengths of a penalty."""

import copy
import math
import warnings
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import indexable

from skreg.compatibility import (
    Interval,
    StrOptions,
    num_samples,
    safe_indexing,
    validate_params,
)
from skreg.estimators.base import BaseNetwork
from skreg.estimators.conflicts import validate_parameters
from skreg.estimators.fits import early_end, fit_alone
from skreg.estimators.members import check_single
from skreg.estimators.preparation import prepare
from skreg.estimators.request import layer_settings, make_request
from skreg.model_selection.simplest import first_within_one_standard_error
from skreg.penalties.combined import Sum
from skreg.penalties.kinds import L2, PENALTIES
from skreg.training.assembly import stacked_penalties
from skreg.training.stack import loss_gradients
from skreg.training.train import train
from skreg.typing import ArrayLike, CrossValidation, MatrixLike, NDArray, Scoring

# l2 makes no weight exactly zero. Its path starts where all weights are at most this.
NEGLIGIBLE = 1e-3
# Strengths to try at a time in the search for the smallest strength that empties a
# network: first over twelve powers of ten, then between the two that enclose it.
WIDE, NARROW, ROUNDS = np.geomspace(1e-6, 1e6, 13), 9, 3


@dataclass
class RegularizationPath:
    """Estimators fitted with decreasing strengths of a penalty.

    Attributes
    ----------
    penalty : {"l1", "l2", "group_l1"}
        The parameter that varies.
    strengths : ndarray of shape (n_strengths,)
        Strengths of the penalty, in descending order.
    estimators : list of estimator
        The estimators fitted to all rows with each strength.
    coefs : ndarray of shape (n_strengths, n_features, n_units)
        Weights of the inputs. They refer to standardised inputs if the estimator
        standardises. Weights of a linear skip connection come last.
    losses : ndarray of shape (n_strengths,)
        The objective at the end of each fit, including penalties.
    scores : ndarray of shape (n_strengths, n_folds)
        Score of each strength on the held-out rows of each fold.
    """

    penalty: str
    strengths: np.ndarray
    estimators: list
    coefs: np.ndarray
    losses: np.ndarray
    scores: np.ndarray

    @property
    def feature_norms(self) -> NDArray[Any]:
        """Norms of the weights of each input, of shape (n_strengths, n_features)."""
        return np.linalg.norm(self.coefs, axis=2)

    @property
    def support(self) -> NDArray[np.bool_]:
        """Which inputs are used, of shape (n_strengths, n_features)."""
        return (self.coefs != 0).any(axis=2)

    @property
    def best_index(self) -> int:
        """Index of the best mean score, and of the strongest penalty among ties."""
        return int(self.scores.mean(axis=1).argmax())

    @property
    def best_strength(self) -> float:
        """The strength with the best mean score."""
        return float(self.strengths[self.best_index])

    @property
    def one_se_index(self) -> int:
        """Index of the strongest penalty within one standard error of the best."""
        return first_within_one_standard_error(self.scores)

    @property
    def one_se_strength(self) -> float:
        """The strongest penalty within one standard error of the best mean score."""
        return float(self.strengths[self.one_se_index])


@validate_params(
    {
        "estimator": [BaseNetwork],
        "penalty": [StrOptions({"l1", "l2", "group_l1"})],
        "n": [Interval(Integral, 1, None, closed="left")],
        "ratio": [Interval(Real, 0, 1, closed="neither")],
        "strengths": ["array-like", None],
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def regularization_path(
    estimator: BaseNetwork,
    X: MatrixLike,
    y: ArrayLike,
    *,
    penalty: Literal["l1", "l2", "group_l1"] = "l1",
    n: int = 50,
    ratio: float = 1e-2,
    strengths: ArrayLike | None = None,
    cv: CrossValidation = 5,
    scoring: Scoring = None,
    sample_weight: ArrayLike | None = None,
) -> RegularizationPath:
    """Fit and score an estimator with decreasing strengths of a penalty.

    The first strength is the smallest one for which all weights are zero. For group_l1,
    it is the smallest one for which all weights of the inputs are zero, and for l2, for
    which all weights are below 0.001. The last strength is `ratio` times the first one.
    All folds train as one stack. For networks, all strengths are in this stack, too.

    A linear model has one optimum for each strength, and each fit starts from the
    previous optimum. Each fit of a network starts from its own initial weights, so that
    the result is the same as that of
    ``estimator.set_params(l1=strength).fit(X, y)``. It could not start from the
    previous fit: zero weights are a stationary point for all strengths, which a network
    would never leave.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        The estimator. It is not modified, and its own strength of the penalty is not
        used.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training inputs.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets.
    penalty : {"l1", "l2", "group_l1"}, default="l1"
        The parameter that varies. "l1" and "l2" have the same strength in all layers.
    n : int, default=50
        Number of strengths, evenly spaced on a logarithmic scale.
    ratio : float, default=0.01
        Ratio of the smallest strength to the largest.
    strengths : array-like, default=None
        Strengths to use instead. They must not be negative.
    cv : int, cross-validation splitter, iterable or None, default=5
        The folds of the cross-validation, as in `cross_val_score`. None is 5 folds.
    scoring : str, callable or None, default=None
        A scorer. None is the `score` method of the estimator.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights for training and for the scores.

    Returns
    -------
    RegularizationPath
        Strengths, fitted estimators, weights, objectives and scores.

    Raises
    ------
    ValueError
        If a strength is negative or not finite, or if no strength empties a network.

    See Also
    --------
    RegularizationPathDisplay : Plot the path.
    sklearn.linear_model.lasso_path : The path of the lasso.

    References
    ----------
    Friedman, Hastie and Tibshirani (2010), "Regularization Paths for Generalized Linear
    Models via Coordinate Descent".

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import MLPRegressor, regularization_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> path = regularization_path(MLPRegressor(()), X, y, n=20)
    >>> path.support.sum(axis=1)[[0, 9, 19]].tolist()
    [0, 5, 8]
    """
    X, y = indexable(X, y)
    folds = list(check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y))
    rows = [np.arange(num_samples(X)), *(train for train, _ in folds)]
    problems = [
        _Problem(estimator, penalty, X, y, part, sample_weight) for part in rows
    ]
    linear = problems[0].is_convex
    if strengths is None:
        largest = problems[0].emptying() if linear else _emptying_search(problems[0])
        if largest == 0:
            raise ValueError(
                f"All weights are zero even without {penalty}, because no input is "
                "related to the targets. Pass strengths to fit with."
            )
        strengths = np.geomspace(largest, ratio * largest, n)
    strengths = _check_strengths(strengths)
    fits = (_fit_onward if linear else _fit_anew)(problems, strengths)
    _warn_of_early_ends([pair for row in fits for pair in row])
    models = [[model for model, _ in row] for row in fits]
    scorer = check_scoring(estimator, scoring)
    scores = [
        [
            _score(scorer, model, X, y, test, sample_weight)
            for model, (_, test) in zip(of_strength[1:], folds)
        ]
        for of_strength in models
    ]
    whole = [of_strength[0] for of_strength in models]
    return RegularizationPath(
        penalty,
        strengths,
        whole,
        np.stack([model._input_weights()[0] for model in whole]),
        np.array([model.loss_ for model in whole]),
        np.array(scores),
    )


def _check_strengths(strengths: ArrayLike) -> NDArray[Any]:
    """Return strengths in descending order."""
    try:
        found = np.asarray(strengths, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.empty(0)
    good = found.ndim == 1 and len(found) and np.all(np.isfinite(found) & (found >= 0))
    if not good:
        raise ValueError(
            "strengths must be a non-empty list of finite, non-negative numbers, got "
            f"{strengths!r}."
        )
    return np.sort(found)[::-1]


def _warn_of_early_ends(fits):
    """Warn once about all fits that did not converge.

    Parameters
    ----------
    fits : list of (estimator, Tracker)
    """
    early = [
        model
        for model, tracker in fits
        if early_end(tracker, model.kkt_violation_) is not None
    ]
    if early:
        warnings.warn(
            f"{len(early)} of {len(fits)} fits did not converge. See kkt_violation_ of "
            "the estimators of the path for their distance to the optimum. Increase "
            "max_iter, standardise the inputs, or use a smooth activation in networks, "
            "such as 'tanh'.",
            ConvergenceWarning,
            stacklevel=4,  # the caller, above scikit-learn's wrapper
        )


def _score(scorer, model, X, y, test, sample_weight):
    options = {}
    if sample_weight is not None:
        options["sample_weight"] = np.asarray(sample_weight)[test]
    return scorer(model, safe_indexing(X, test), safe_indexing(y, test), **options)


class _Problem:
    """An estimator to train on some of the rows with several strengths.

    Parameters
    ----------
    estimator : BaseNetwork
    penalty : {"l1", "l2", "group_l1"}
        The parameter that varies.
    X, y
        All rows.
    rows : ndarray of int
        The indices of the training rows.
    sample_weight : array-like or None

    Attributes
    ----------
    model : BaseNetwork
        A clone of the estimator without the penalty.
    prepared : Prepared
    request : FitRequest
    is_varied : ndarray of bool of shape (n_layers,)
        Whether the strength in a layer of weights varies. That of a linear skip
        connection may be fixed.
    """

    def __init__(self, estimator, penalty, X, y, rows, sample_weight):
        self.penalty = penalty
        self.model = clone(estimator).set_params(**{penalty: 0.0})
        validate_parameters(self.model)
        check_single(self.model, "For each strength, regularization_path trains")
        if sample_weight is not None:
            sample_weight = np.asarray(sample_weight)[rows]
        seed = self.model._draw_seed()
        self.prepared = prepare(
            self.model,
            safe_indexing(X, rows),
            safe_indexing(y, rows),
            sample_weight,
            seed=seed,
        )
        self.request = make_request(self.model, self.prepared, seed)
        self._fixed, other = map(self._layer_strengths, (1.0, 2.0))
        self.is_varied = np.not_equal(self._fixed, other)

    def _layer_strengths(self, strength):
        """Return the strength of the penalty in each layer, as a fit would use it."""
        model = copy.copy(self.model).set_params(**{self.penalty: strength})
        return layer_settings(model, self.request.architecture)[self.penalty]

    @property
    def is_convex(self):
        """Whether each strength has a single optimum, which the solver finds.

        The path must also start from zero weights, including those of a linear skip
        connection.
        """
        request, all_varied = self.request, self.is_varied.all()
        return request.architecture.is_linear and request.is_certified and all_varied

    def with_strength(self, strength, **changes):
        """Return the request with a strength and other changes."""
        strengths = np.where(self.is_varied, strength, self._fixed).tolist()
        settings = self.request.settings | {self.penalty: strengths}
        return replace(self.request, settings=settings, **changes)

    def full_batches(self):
        """Return the changes to a request that make it use the full-batch solver."""
        return {"solver": "lbfgs", "max_iter": self.request.max_polish}

    def fitted(self, result, strength):
        """Return the estimator fitted with a strength, and its tracker."""
        model = copy.copy(self.model).set_params(**{self.penalty: strength})
        fit = fit_alone(result, self.prepared)
        model._become(self.prepared.layout, self.prepared.device, [fit])
        return model, result.tracker

    def empty_state(self):
        """Return the optimum of a linear model whose weights are fixed at zero."""
        n_layers = len(self.request.settings["l1"])
        settings = self.request.settings | {"l1": [math.inf] * n_layers}
        alone = replace(
            self.request, settings=settings, solver="lbfgs", tol=1e-12, max_iter=1000
        )
        (result,) = train([alone])
        return result.state

    def emptying(self):
        """Return the smallest strength for which all weights of the model are zero."""
        gradients = loss_gradients(replace(self.request, initial=self.empty_state()))
        return max(self._emptying_of(i, part) for i, part in enumerate(gradients))

    def _emptying_of(self, layer, gradient):
        """Return the smallest strength for which all weights of a layer are zero."""
        if self.penalty == "l2":
            return gradient.abs().max().item() / (2 * NEGLIGIBLE)
        like = {"dtype": gradient.dtype, "device": gradient.device}
        penalties = stacked_penalties([self.request], like)
        (kind,) = (kind for kind in PENALTIES if kind.parameter == self.penalty)
        others = penalties.layers[layer].penalties
        others = [other for other in others if type(other) not in (kind, L2)]
        return _emptying_with(
            lambda strength: penalties.make(kind, strength, layer), others, gradient
        )


def _emptying_with(make, others, gradient):
    """Return the smallest strength that empties a layer, given its other penalties.

    The upper bound of the bisection is the strength that empties the layer without the
    other penalties.

    Parameters
    ----------
    make : callable
        Maps a strength to the penalty.
    others : list of Penalty
        The other penalties of the layer.
    gradient : Tensor of shape (1, n_in, n_out)
        Gradient of the loss at zero weights.

    Returns
    -------
    float
    """
    zero = gradient * 0

    def empties(strength):
        parts = [make(gradient.new_tensor([strength])), *others]
        parts.sort(key=lambda penalty: PENALTIES.index(type(penalty)))
        return not Sum(parts).residual(zero, gradient).any()

    low, high = 0.0, make(gradient.new_zeros(1)).emptying(gradient).item()
    if not others:
        return high
    while empties(low) is False and high - low > 1e-15 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if empties(middle) else (middle, high)
    return high


def _fit_onward(problems, strengths):
    """Train linear models, each from the optimum of the previous strength.

    Returns
    -------
    list of list of (estimator, Tracker)
        For each strength, the model and the tracker of each problem.
    """
    states, fits = [problem.empty_state() for problem in problems], []
    for strength in strengths.tolist():
        requests = [
            problem.with_strength(strength, **problem.full_batches(), initial=state)
            for problem, state in zip(problems, states)
        ]
        results = train(requests)
        fits.append(
            [problem.fitted(r, strength) for problem, r in zip(problems, results)]
        )
        states = [result.state for result in results]
    return fits


def _fit_anew(problems, strengths):
    """Train networks with all strengths on all folds together.

    The result is that of `_fit_onward`.
    """
    pairs = [
        (strength, problem) for strength in strengths.tolist() for problem in problems
    ]
    results = train([problem.with_strength(strength) for strength, problem in pairs])
    fits = [
        problem.fitted(r, strength) for (strength, problem), r in zip(pairs, results)
    ]
    return [fits[i : i + len(problems)] for i in range(0, len(fits), len(problems))]


def _emptying_search(problem):
    """Search for the smallest strength for which all weights of a network are zero."""
    low, high = _enclose(problem, WIDE)
    for _ in range(ROUNDS):
        low, high = _enclose(
            problem, np.geomspace(low, high, NARROW + 2)[1:-1], low, high
        )
    return high


def _enclose(problem, strengths, low=None, high=None):
    """Return the two adjacent strengths between which a network becomes empty."""
    # With l2, Adam does not bring the weights close enough to zero.
    changes = problem.full_batches() if problem.penalty == "l2" else {}
    results = train([problem.with_strength(s, **changes) for s in strengths.tolist()])
    for strength, result in reversed(list(zip(strengths, results))):
        if result.tracker.error is not None or not _is_empty(problem, result.state):
            low = strength
            break
        high = strength
    if low is None or high is None:
        raise ValueError(
            f"The smallest strength of {problem.penalty} for which all weights are "
            f"zero is not between {strengths[0]:g} and {strengths[-1]:g}. Pass "
            "strengths to fit with."
        )
    return low, high


def _is_empty(problem, state):
    limit = NEGLIGIBLE if problem.penalty == "l2" else 0.0
    pairs = zip(state, problem.is_varied)
    varied = [weights for weights, is_varied in pairs if is_varied]
    return all(np.abs(weights).max() <= limit for weights in varied)
