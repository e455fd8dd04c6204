"""Regularisation paths: models fitted with decreasing strengths of a penalty."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import make_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import indexable

from skreg.compatibility import (
    StrOptions,
    num_samples,
    safe_indexing,
    validate_params,
)
from skreg.estimators.base import BaseNetwork
from skreg.estimators.convergence import early_end
from skreg.estimators.numeric_targets import pinball_score
from skreg.estimators.preparation import check_data
from skreg.estimators.score_checks import check_score
from skreg.estimators.scoring import comparable_score
from skreg.estimators.trained import first_input_weights
from skreg.model_selection.emptying import emptying_strength
from skreg.model_selection.path_problem import PathProblem, fit_path
from skreg.model_selection.simplest import first_within_one_standard_error
from skreg.parameters.intervals import BETWEEN_0_AND_1, COUNT
from skreg.parameters.scorer_names import check_scorer
from skreg.typing import ArrayLike, CrossValidation, MatrixLike, NDArray, Scoring


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
        "n": [COUNT],
        "ratio": [BETWEEN_0_AND_1],
        "strengths": ["array-like", None],
        "max_features": [COUNT, None],
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
    max_features: int | None = None,
    cv: CrossValidation = 5,
    scoring: Scoring = None,
    sample_weight: ArrayLike | None = None,
) -> RegularizationPath:
    """Fit and score an estimator with decreasing strengths of a penalty.

    The first strength is the smallest one for which all weights are zero. For group_l1,
    it is the smallest one for which all weights of the inputs are zero, and for l2, for
    which all weights are below 0.001. Inputs whose factor in `feature_penalties` is 0
    do not count, as no strength empties them. The last strength is `ratio` times the
    first one. All folds train as one stack. For networks, all strengths are in this
    stack, too.

    A linear model has one optimum for each strength, and each fit starts from the
    previous optimum. With l1 or group_l1, only inputs that are likely to be used take
    part in a fit, which then takes milliseconds, however many inputs there are. At its
    end, the optimality conditions of all inputs are checked, and inputs that violate
    them join. So `kkt_violation_` is that of the whole problem.

    Each fit of a network starts from its own initial weights, so that
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
    max_features : int, default=None
        The largest number of inputs to use, like `dfmax` of glmnet. The path ends
        before the first strength with which the model of all rows uses more. So its
        last entry is the last one before this strength. A weaker strength is not tried,
        although it may use fewer inputs again. None is no limit.
    cv : int, cross-validation splitter, iterable or None, default=5
        The folds of the cross-validation, as in `cross_val_score`. None is 5 folds.
    scoring : str, callable or None, default=None
        A scorer, as `monitor` of the estimator. None is the accuracy, R2, or for a list
        of quantiles D2.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights for training and for the scores.

    Returns
    -------
    RegularizationPath
        Strengths, fitted estimators, weights, objectives and scores.

    Raises
    ------
    ValueError
        If a strength is negative or not finite, if no strength empties a network, if
        more than `max_features` inputs are used with the largest strength, or if the
        held-out rows of a fold cannot be scored by `scoring`.

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
    check_scorer("scoring", scoring)
    X, y = indexable(X, y)
    folds = list(check_cv(cv, y, classifier=is_classifier(estimator)).split(X, y))
    rows = [np.arange(num_samples(X)), *(train for train, _ in folds)]
    problems = [
        PathProblem(estimator, penalty, X, y, part, sample_weight) for part in rows
    ]
    checked = check_data(problems[0].model, X, y)
    y = checked.y
    if scoring is None:
        scoring = _default_scoring(estimator, checked.targets)
    scorers = [
        _scorer_of(problem, scoring, X, y, test, sample_weight)
        for problem, (_, test) in zip(problems[1:], folds)
    ]
    if strengths is None:
        largest = emptying_strength(problems[0])
        if largest == 0:
            raise ValueError(
                f"All weights are zero even without {penalty}, because no input "
                "that is penalised is related to the targets. Pass strengths to fit "
                "with."
            )
        strengths = np.geomspace(largest, ratio * largest, n)
    strengths = _check_strengths(strengths)
    fits = fit_path(problems, strengths, max_features)
    if not fits:
        raise ValueError(
            f"More than max_features={max_features} inputs are used with the largest "
            f"strength, {strengths[0]:g}. Increase max_features, or pass larger "
            "strengths."
        )
    _warn_of_early_ends([pair for row in fits for pair in row])
    models = [[model for model, _ in row] for row in fits]
    scores = [
        [score(model) for model, score in zip(of_strength[1:], scorers)]
        for of_strength in models
    ]
    whole = [of_strength[0] for of_strength in models]
    return RegularizationPath(
        penalty,
        strengths[: len(fits)],
        whole,
        np.stack([first_input_weights(model) for model in whole]),
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


def _default_scoring(estimator, targets):
    """Return the score that corresponds to the estimator's own."""
    if is_classifier(estimator):
        return "accuracy"
    levels = targets.levels
    return make_scorer(pinball_score, levels=levels) if levels else "r2"


def _scorer_of(problem, scoring, X, y, rows, sample_weight):
    """Return a function that scores a model of a problem on held-out rows.

    Raises
    ------
    ValueError
        If the rows cannot be scored.
    """
    targets, options = problem.prepared.layout.targets, {}
    if sample_weight is not None:
        options["sample_weight"] = np.asarray(sample_weight)[rows]
    X, y = safe_indexing(X, rows), y[rows]
    check_score("scoring", scoring, targets, y, **options)
    score = comparable_score("scoring", scoring, targets)
    return lambda model: score(model, X, y, **options)
