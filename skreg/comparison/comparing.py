"""Comparison of estimators on the same cross-validation splits."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone, is_classifier
from sklearn.model_selection import (
    RepeatedKFold,
    RepeatedStratifiedKFold,
    check_cv,
    cross_validate,
)
from sklearn.utils import check_consistent_length, indexable
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.parallel import Parallel, delayed

from skreg.comparison.budget import Budget, time_parameter
from skreg.comparison.certainty import winning_margin
from skreg.comparison.choices import chosen_hyperparameters, tried_fewer
from skreg.comparison.result import ComparisonResult
from skreg.comparison.score_kinds import check_scoring, needs_positive_predictions
from skreg.compatibility import num_samples, validate_parameter_constraints
from skreg.data.random_streams import generator_of
from skreg.parameters.intervals import BETWEEN_0_AND_1, POSITIVE
from skreg.parameters.scorer_names import scorer_name
from skreg.parameters.suggestions import did_you_mean
from skreg.typing import (
    ArrayLike,
    CrossValidation,
    Estimator,
    MatrixLike,
    RandomState,
    Scoring,
)

_PARAMETER_CONSTRAINTS = {
    "estimators": [dict, list],
    "y": ["array-like"],
    "baseline": [str, None],
    "cv": ["cv_object"],
    "scoring": [str, callable, None],
    "confidence_level": [BETWEEN_0_AND_1],
    "random_state": ["random_state"],
    "n_jobs": [Integral, None],
    "max_time": [POSITIVE, None],
    "progress": [callable, None],
}


def compare(
    estimators: Mapping[str, Estimator] | Sequence[tuple[str, Estimator]],
    X: MatrixLike,
    y: ArrayLike,
    *,
    baseline: str | None = None,
    cv: CrossValidation = None,
    scoring: Scoring = None,
    confidence_level: float = 0.95,
    random_state: RandomState = None,
    n_jobs: int | None = None,
    max_time: float | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> ComparisonResult:
    """Compare estimators with a baseline on the same cross-validation splits.

    Each estimator is cloned, fitted and scored on every split with
    :func:`sklearn.model_selection.cross_validate`. The training sets of the splits
    overlap, so an ordinary t-test would be overconfident. The difference from the
    baseline is therefore tested by the corrected resampled t-test of Nadeau and
    Bengio [1]_:

    .. math::

        t = \\frac{\\bar d}{\\sqrt{(1/J + n_{test}/n_{train})\\, s_d^2}}

    with the differences :math:`d_j` of the scores on the :math:`J` splits, their
    mean :math:`\\bar d` and variance :math:`s_d^2`, and Student's t-distribution with
    :math:`J - 1` degrees of freedom. :math:`n_{test}/n_{train}` is taken from
    the splits. p-values are not adjusted for the number of estimators.

    Parameters
    ----------
    estimators : dict of str to estimator, or list of (str, estimator)
        At least two estimators, either all classifiers or all regressors. They may be
        pipelines and searches.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Input, passed to the estimators unchanged.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Target.
    baseline : str, default=None
        Name of the estimator that the others are compared with. ``None`` is the first
        one.
    cv : int, cross-validation generator or iterable, default=None
        The splits, at least two. ``None`` is 5 folds, drawn twice at random and
        stratified for classification. Other values are used as in
        :func:`~sklearn.model_selection.cross_validate`.
    scoring : str or callable, default=None
        One score, where greater is better. ``None`` is ``"accuracy"`` for classifiers
        and ``"r2"`` for regressors. A name must be that of a score for this kind of
        target; a callable, such as one returned by :func:`sklearn.metrics.get_scorer`,
        is used for any. The ``score`` method of the estimators is never
        used, because it may differ between them: ``LogisticRegressionCV`` uses the
        score that it was tuned for.
    confidence_level : float, default=0.95
        Level of the confidence intervals, between 0 and 1.
    random_state : int, RandomState instance or None, default=None
        Controls the randomness of the default `cv`. The estimators keep their own
        ``random_state``.
    n_jobs : int, default=None
        Number of fits that run at the same time, as in joblib. ``None`` is 1
        unless in a :func:`joblib.parallel_config` context.
    max_time : float, default=None
        Seconds for all fits together. Estimators with a parameter ``max_time``, such
        as :class:`MLPClassifierCV`, alone or inside a pipeline, share the time that
        the others leave. It is divided evenly among the remaining fits, which get at
        least one second each. If the time is too short, the last splits are left out,
        but at least two are done. Fits that are running when the time is over are
        finished.
    progress : callable, default=None
        Called as ``progress(n_done, n_fits)`` after each fit. `n_fits` is the number of
        fits of all splits.

    Returns
    -------
    ComparisonResult
        The scores, times and chosen hyperparameters of each split, and their
        statistics.

    Raises
    ------
    ValueError
        If a parameter is not as described, if `X` and `y` differ in length, if
        `scoring` is for another kind of target, or if a score is not finite. If the
        fit or the scoring of an estimator fails, its own error is raised, with a note
        that names the estimator and the split.

    References
    ----------
    .. [1] C. Nadeau and Y. Bengio, "Inference for the Generalization Error",
       Machine Learning 52, 2003, pages 239-281.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skreg import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> estimators = {
    ...     "majority": DummyClassifier(),
    ...     "logistic": LogisticRegression(max_iter=1000),
    ... }
    >>> result = compare(estimators, X, y, random_state=0)
    >>> result.scores["logistic"].shape
    (10,)
    >>> result.statistics["logistic"].p_value < 0.001
    True
    """
    # scikit-learn's decorator would report an estimator's own parameter errors as
    # errors of this function, without the name of the estimator.
    validate_parameter_constraints(_PARAMETER_CONSTRAINTS, locals(), "compare")
    estimators = _check_estimators(estimators)
    baseline = _check_baseline(baseline, estimators)
    check_consistent_length(X, y)
    X, y = indexable(X, y)
    is_classes = is_classifier(estimators[baseline])
    scoring = check_scoring(scoring, y, is_classes=is_classes)
    splits = _make_splits(cv, X, y, is_classes, random_state)
    evaluations = _evaluate_all(
        estimators, X, y, splits, scoring, n_jobs, max_time, progress
    )
    return ComparisonResult(
        baseline=baseline,
        scoring=scorer_name(scoring),
        confidence_level=confidence_level,
        n_planned=len(splits),
        **_counts(splits[: len(evaluations[baseline])]),
        **_measured(evaluations),
    )


def _counts(splits):
    """Return the number of training and test rows, as fields of the result."""
    return {
        "n_train": np.array([len(train) for train, _ in splits]),
        "n_test": np.array([len(test) for _, test in splits]),
    }


def _measured(evaluations):
    """Return the scores, times and choices of the fits, as fields of the result."""
    return {
        "scores": _arrays("score", evaluations),
        "fit_times": _arrays("fit_time", evaluations),
        "score_times": _arrays("score_time", evaluations),
        "chosen": _lists("chosen", evaluations),
        "margins": _lists("margin", evaluations),
        "time_limits": _lists("max_time", evaluations),
        "cut_searches": _lists("is_cut", evaluations),
    }


def _evaluate_all(estimators, X, y, splits, scoring, n_jobs, max_time, progress):
    """Fit and score every estimator on every split.

    Returns
    -------
    dict of str to list of dict
        For each estimator, the results of `_evaluate` in the order of the splits.
    """
    budget = Budget(estimators, len(splits), max_time, effective_n_jobs(n_jobs))
    # With a time limit, a fit is dispatched only when a worker is free, because its
    # own limit depends on the time that is left then.
    ahead = {} if max_time is None else {"pre_dispatch": "n_jobs", "batch_size": 1}
    finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered", **ahead)(
        delayed(_evaluate)(name, estimators[name], X, y, i, splits[i], scoring, limit)
        for name, i, limit in budget.tasks()
    )
    evaluations = {name: {} for name in estimators}
    n_fits = len(splits) * len(estimators)
    for n_done, evaluation in enumerate(finished, start=1):
        name, seconds = evaluation["name"], evaluation["fit_time"]
        evaluations[name][evaluation["split"]] = evaluation
        seconds += evaluation["score_time"]
        budget.record(name, seconds, evaluation["max_time"])
        if progress is not None:
            progress(n_done, n_fits)
    return {
        name: [of_splits[i] for i in sorted(of_splits)]
        for name, of_splits in evaluations.items()
    }


def _evaluate(name, estimator, X, y, i, split, scoring, max_time):
    """Fit and score an estimator on one split, and return what the result needs."""
    estimator = clone(estimator)
    if max_time is not None:
        estimator.set_params(**{time_parameter(estimator): max_time})
    try:
        scored = _scored(estimator, X, y, split, scoring, max_time)
    except Exception as error:
        error.add_note(f"raised by {name!r} on split {i} of the comparison")
        if isinstance(error, ValueError) and needs_positive_predictions(scoring):
            error.add_note(
                f"scoring={scorer_name(scoring)!r} is for positive numbers, also as"
                " predictions"
            )
        raise
    _check_score(scored["test_score"][0], scoring, name, i)
    # The fitted estimator is not returned, as it would be copied between processes.
    return {
        "name": name,
        "split": i,
        "score": scored["test_score"][0],
        "fit_time": scored["fit_time"][0],
        "score_time": scored["score_time"][0],
        "max_time": max_time,
        "is_cut": max_time is not None and tried_fewer(scored["estimator"][0]),
        "chosen": chosen_hyperparameters(scored["estimator"][0]),
        "margin": winning_margin(scored["estimator"][0]),
    }


def _scored(estimator, X, y, split, scoring, max_time):
    """Return what `cross_validate` does for one split."""
    with warnings.catch_warnings():
        if max_time is not None:  # the user gave another limit, and the result says so
            warnings.filterwarnings("ignore", "max_time=.* suffices for")
        return cross_validate(
            estimator,
            X,
            y,
            cv=[split],
            scoring=scoring,
            return_estimator=True,
            error_score="raise",
        )


def _check_score(score, scoring, name, i):
    if not np.isfinite(score):
        raise ValueError(
            f"scoring={scorer_name(scoring)!r} gave {score} for {name!r} on split"
            f" {i}: a score must be finite; use another score, or splits whose test"
            " rows hold every class."
        )


def _lists(key, evaluations):
    return {
        name: [evaluation[key] for evaluation in of_splits]
        for name, of_splits in evaluations.items()
    }


def _arrays(key, evaluations):
    return {name: np.array(of) for name, of in _lists(key, evaluations).items()}


def _check_estimators(estimators: Any) -> dict[str, Estimator]:
    pairs = list(estimators.items()) if isinstance(estimators, dict) else estimators
    for pair in pairs:
        if not (
            isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)
        ):
            raise ValueError(
                f"estimators must hold (name, estimator) pairs, got {pair!r}."
            )
        if not hasattr(pair[1], "fit") or isinstance(pair[1], type):
            raise ValueError(
                f"estimators[{pair[0]!r}] must be an estimator instance, got"
                f" {pair[1]!r}."
            )
    names = [name for name, _ in pairs]
    if len(set(names)) < max(2, len(names)):
        raise ValueError(
            f"estimators must have at least two different names, got {names}."
        )
    if len({is_classifier(estimator) for _, estimator in pairs}) > 1:
        kinds = {name: is_classifier(estimator) for name, estimator in pairs}
        raise ValueError(
            "estimators must be all classifiers or all regressors, got"
            f" is_classifier: {kinds}."
        )
    return dict(pairs)


def _check_baseline(baseline: str | None, estimators: dict[str, Estimator]) -> str:
    if baseline is None:
        return next(iter(estimators))
    if baseline not in estimators:
        raise ValueError(
            f"baseline={baseline!r} is not one of the estimators;"
            f" {did_you_mean(baseline, estimators)}"
        )
    return baseline


def _make_splits(cv, X, y, classify, random_state):
    """Return the row numbers of the splits, which are the same for every estimator."""
    if cv is None:
        # Targets with several labels per row cannot be stratified.
        stratify = classify and type_of_target(y) in ("binary", "multiclass")
        splitter = RepeatedStratifiedKFold if stratify else RepeatedKFold
        cv = splitter(n_splits=5, n_repeats=2, random_state=generator_of(random_state))
    splits = list(check_cv(cv, y, classifier=classify).split(X, y))
    if len(splits) < 2:
        raise ValueError(
            f"cv must give at least two splits, got {len(splits)}: the spread of"
            " the differences cannot be estimated from one."
        )
    # An iterable may hold boolean masks, whose length is not the number of rows in
    # them.
    rows = np.arange(num_samples(X))
    return [(rows[train], rows[test]) for train, test in splits]
