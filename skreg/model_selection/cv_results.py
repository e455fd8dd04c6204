"""Functions that read the `cv_results_` of a search."""

import numpy as np

from skreg.parameters.suggestions import did_you_mean

# Columns that count the stages which a candidate reached: "iter" in scikit-learn's
# halving searches, "rung" in MLPClassifierCV and MLPRegressorCV.
STAGES = ("iter", "rung")


def score_names(cv_results):
    """Return the names of the scores of a search. A single score is called "score"."""
    return _without_prefix("mean_test_", cv_results)


def param_names(cv_results):
    """Return the names of the parameters that a search has varied.

    Examples
    --------
    >>> from skreg.model_selection.cv_results import param_names
    >>> param_names({"param_alpha": [1, 2], "params": [{"alpha": 1}, {"alpha": 2}]})
    ['alpha']
    """
    return _without_prefix("param_", cv_results)


def _without_prefix(prefix, names):
    """Return the rest of the names that begin with a prefix."""
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def scores_of_folds(cv_results, scoring="score"):
    """Return the test scores of all candidates.

    Parameters
    ----------
    cv_results : dict of str to array-like
    scoring : str, default="score"

    Returns
    -------
    ndarray of shape (n_candidates, n_folds)

    Raises
    ------
    ValueError
        If there are no test scores of this name.

    Examples
    --------
    >>> from skreg.model_selection.cv_results import scores_of_folds
    >>> scores_of_folds({"split0_test_score": [0.5, 0.7], "split1_test_score": [1, 1]})
    array([[0.5, 1. ],
           [0.7, 1. ]])
    """
    end = f"_test_{scoring}"
    folds = [key for key in cv_results if key.startswith("split") and key.endswith(end)]
    # The name of one score may be the end of the name of another.
    folds = [key for key in folds if key[len("split") : -len(end)].isdecimal()]
    if not folds:
        known = score_names(cv_results)
        if not known:
            raise ValueError(
                "cv_results must be the cv_results_ of a search, with the test scores "
                f"of each fold, got {sorted(map(str, cv_results))!r}."
            )
        raise ValueError(f"scoring={scoring!r}: {did_you_mean(str(scoring), known)}.")
    return np.column_stack([np.asarray(cv_results[key], float) for key in folds])


def reached_last_stage(cv_results, among=None):
    """Return which candidates reached the last stage of a search.

    In a search without stages, all candidates did.

    Parameters
    ----------
    cv_results : dict of str to array-like
    among : ndarray of bool of shape (n_candidates,), default=None
        The candidates to compare. None means all.

    Returns
    -------
    ndarray of bool of shape (n_candidates,)
    """
    among = np.ones(len(cv_results["params"]), bool) if among is None else among
    is_last = among.copy()
    for name in STAGES:
        if name in cv_results:
            stages = np.asarray(cv_results[name])
            is_last &= stages == np.max(stages[among], initial=0)
    return is_last


def reached_same_stage(cv_results, candidate):
    """Return which candidates reached the same stage as the given one."""
    is_equal = np.ones(len(cv_results["params"]), bool)
    for name in STAGES:
        if name in cv_results:
            stages = np.asarray(cv_results[name])
            is_equal &= stages == stages[candidate]
    return is_equal


def last_rows(cv_results):
    """Return the index of the last row of each candidate.

    A halving search has a row for each stage of a candidate.
    """
    if "iter" not in cv_results:
        return list(range(len(cv_results["params"])))
    last = {repr(params): row for row, params in enumerate(cv_results["params"])}
    return sorted(last.values())
