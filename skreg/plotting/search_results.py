"""What a display shows of a search, read from its `cv_results_`."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from skreg.compatibility import InvalidParameterError
from skreg.estimators.nested import nested
from skreg.model_selection.cv_results import (
    last_rows,
    param_names,
    reached_last_stage,
    score_names,
)
from skreg.parameters.scorer_names import scorer_name
from skreg.typing import Estimator, NDArray


def read_search(
    cv_results: Mapping[str, Any],
    params: Sequence[str] | None = None,
    metric: str = "score",
    best_index: int | None = None,
) -> tuple[dict[str, list[Any]], NDArray[Any], NDArray[Any], int]:
    """Return what a `SearchDisplay` shows of a search.

    Parameters
    ----------
    cv_results : dict of str to array-like
    params : list of str, default=None
        Hyperparameters to plot. None is all that were varied.
    metric : str, default="score"
        Name of the score.
    best_index : int, default=None
        Row of the chosen candidate. None is the candidate with the best score.

    Returns
    -------
    values : dict of str to list
        Values of the candidates, by name of the hyperparameter.
    scores, sds : ndarray of shape (n_candidates,)
        Means and standard deviations of the test scores.
    best_index : int
        Index of the chosen candidate in these.

    Raises
    ------
    ValueError
        If nothing was searched, or if `cv_results` lacks the metric or a parameter.
    """
    if not isinstance(cv_results, Mapping):
        raise InvalidParameterError(
            "cv_results must be the cv_results_ of a search, a dict, got"
            f" {cv_results!r}. SearchDisplay.from_estimator takes the search itself."
        )
    _check_metric(cv_results, metric)
    scores = np.asarray(cv_results[f"mean_test_{metric}"], dtype=float)
    if best_index is None:
        best_index = _find_best(cv_results, scores)
    check_index(best_index, len(scores))
    rows = last_rows(cv_results)
    names = _varied(cv_results, rows) if params is None else params
    _check_params(names, param_names(cv_results))
    values = {}
    for name in names:
        column = cv_results[f"param_{name}"]
        values[name] = [column[row] for row in rows]
    best = _row_of_same(cv_results, rows, best_index)
    sds = np.asarray(cv_results[f"std_test_{metric}"], dtype=float)
    return values, scores[rows], sds[rows], best


def read_estimator(
    estimator: Estimator,
    params: Sequence[str] | None = None,
    metric: str | None = None,
) -> tuple[dict[str, list[Any]], NDArray[Any], NDArray[Any], int, str]:
    """Return what a `SearchDisplay` shows of a fitted search.

    Parameters
    ----------
    estimator : estimator
        A fitted search, or a pipeline that ends in one.
    params : list of str, default=None
        Hyperparameters to plot. None is all that were varied.
    metric : str, default=None
        Name of the score. None is the score by which the search chose.

    Returns
    -------
    values, scores, sds, best_index
        As `read_search` returns them.
    name : str
        Name of the score.

    Raises
    ------
    ValueError
        If the estimator is no fitted search, or if `read_search` raises.
    """
    search = find_search(estimator)
    if search is None:
        raise InvalidParameterError(
            "estimator must be a fitted search, such as GridSearchCV or"
            " MLPClassifierCV, or a pipeline that ends in one, got"
            f" {estimator!r}."
        )
    is_one = "mean_test_score" in search.cv_results_
    if metric is None:
        metric = "score" if is_one else _chosen_by(search)
    # `refit` may be a function that chooses another candidate than the best.
    best_index = getattr(search, "best_index_", None)
    found = read_search(search.cv_results_, params, metric, best_index)
    return *found, score_label(search) if metric == "score" else metric


def _chosen_by(search):
    """Return the name of the score by which a search with several chose."""
    is_name = isinstance(search.refit, str)
    return search.refit if is_name else score_names(search.cv_results_)[0]


def find_search(estimator):
    """Return the search inside a fitted estimator.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    estimator or None
        The first with `cv_results_`. None if there is none.
    """
    found = (each for _, each in nested(estimator) if hasattr(each, "cv_results_"))
    return next(found, None)


def score_label(search):
    """Return the name of the score of a search with one, "score" if it is not known.

    Parameters
    ----------
    search : estimator
        A fitted search.

    Returns
    -------
    str
    """
    if hasattr(search, "score_name_"):
        return search.score_name_
    scoring = getattr(search, "scoring", None)
    return "score" if scoring is None else scorer_name(scoring)


def _check_metric(cv_results, metric):
    if f"mean_test_{metric}" not in cv_results:
        known = score_names(cv_results)
        raise ValueError(f"metric={metric!r} is not one of the scores {known}.")


def check_index(best_index, n_candidates):
    """Raise if `best_index` is not the index of a candidate."""
    is_index = isinstance(best_index, Integral) and 0 <= best_index < n_candidates
    if not is_index:
        raise InvalidParameterError(
            "best_index must be the index of one of the"
            f" {n_candidates} candidates, got {best_index!r}."
        )


def _check_params(names, known):
    if isinstance(names, str) or not names:
        raise InvalidParameterError(
            f"params must be a list of names, some of {known}, got {names!r}."
        )
    for name in names:
        if name not in known:
            raise ValueError(f"params has {name!r}, which is not one of {known}.")


def _find_best(cv_results, scores):
    """Return the row with the best score among those that reached the last stage.

    A candidate that was dropped early cannot be the chosen one.
    """
    allowed = reached_last_stage(cv_results, np.isfinite(scores))
    return int(np.where(allowed, scores, -np.inf).argmax())


def _row_of_same(cv_results, rows, index):
    params = repr(cv_results["params"][index])
    if index in rows:
        return rows.index(index)
    return [repr(cv_results["params"][row]) for row in rows].index(params)


def _varied(cv_results, rows):
    names = param_names(cv_results)
    if not names:
        raise ValueError(
            "cv_results has no columns 'param_...': nothing was searched, so there is "
            "nothing to plot."
        )
    varied = [
        name
        for name in names
        if len({repr(cv_results[f"param_{name}"][row]) for row in rows}) > 1
    ]
    return varied or names
