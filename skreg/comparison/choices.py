"""Hyperparameters that a tuned estimator chose, and those that it chose most often."""

from collections import Counter
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import numpy as np

from skreg.estimators.nested import nested
from skreg.parameters.values import is_number, is_off

# Fitted attributes in which scikit-learn's tuned linear models keep their choice.
_TUNED_ATTRIBUTES = {"C": "C_", "l1_ratio": "l1_ratio_", "alpha": "alpha_"}


@dataclass(frozen=True)
class Choice:
    """The value of one hyperparameter that was chosen most often.

    Attributes
    ----------
    name : str
        Name of the hyperparameter.
    value : object
        For numbers, the median of the values that are not off (the lower of the two
        middle values). For other types, the most frequent value.
    n_chosen : int
        Number of splits in which it was on (numbers) or had this value.
    n_splits : int
        Number of splits.
    """

    name: str
    value: Any
    n_chosen: int
    n_splits: int


def chosen_hyperparameters(estimator):
    """Return the hyperparameters that a fitted estimator has tuned.

    Parameters
    ----------
    estimator : estimator
        A fitted search (any with ``best_params_``), an ``MLPClassifierCV``,
        ``LogisticRegressionCV``, ``RidgeCV`` or the like, or a pipeline or wrapper
        whose final step is one.

    Returns
    -------
    dict of str to object
        Empty if nothing was tuned.
    """
    estimator = inner_search(estimator)
    if hasattr(estimator, "best_params_"):
        return {key: _plain(value) for key, value in estimator.best_params_.items()}
    # Only the ...CV estimators of scikit-learn tune these. In others, such as
    # BayesianRidge, the same attribute is an estimate.
    if not type(estimator).__name__.endswith("CV"):
        return {}
    values = {
        name: _of_all_classes(name, _plain(getattr(estimator, attribute)))
        for name, attribute in _TUNED_ATTRIBUTES.items()
        if hasattr(estimator, attribute)
    }
    # Several values, one per class or target, are not one choice.
    return {
        name: value
        for name, value in values.items()
        if value is not None and np.ndim(value) == 0
    }


def _of_all_classes(name, value):
    """Return the value that `LogisticRegressionCV` chose as one number.

    Before scikit-learn 1.8, and later with `use_legacy_attributes`, the attribute
    repeats the value for each class.
    """
    if name in ("C", "l1_ratio") and np.ndim(value) == 1 and len(set(value)) == 1:
        return _plain(value[0])
    return value


def inner_search(estimator):
    """Find the search inside a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        An estimator, or a pipeline or wrapper around one.

    Returns
    -------
    estimator
        The search, or the innermost estimator if there is none.
    """
    for _, inner in nested(estimator):
        if hasattr(inner, "best_params_"):
            break
    return inner


def tried_fewer(estimator):
    """Return whether a search tried fewer candidates than its `n_candidates`.

    Parameters
    ----------
    estimator : estimator
        A fitted one, or a pipeline or wrapper around one.
    """
    search = inner_search(estimator)
    wanted = getattr(search, "n_candidates", None)
    if not isinstance(wanted, int) or getattr(search, "strategy", None) == "grid":
        return False
    results = search.cv_results_
    # The linear model beside a search is none of its candidates.
    n_linear = int(np.count_nonzero(results.get("is_linear", False)))
    return len(results["params"]) - n_linear < wanted


def most_chosen(chosen):
    """Summarise the choices of the splits for each hyperparameter.

    A randomised search never draws the same strength twice. So strengths are
    summarised by the number of splits in which they are on, and by the median of
    their values there.

    Parameters
    ----------
    chosen : list of dict
        Result of :func:`chosen_hyperparameters` for each split.

    Returns
    -------
    list of Choice
        In the order in which the hyperparameters first appear.
    """
    return [_summarise(name, chosen) for name in hyperparameters(chosen)]


def hyperparameters(chosen):
    """Return the names of all hyperparameters, in the order of their first appearance.

    Parameters
    ----------
    chosen : list of dict
        Result of :func:`chosen_hyperparameters` for each split.

    Returns
    -------
    list of str
    """
    return list(dict.fromkeys(name for split in chosen for name in split))


def _summarise(name, chosen):
    values = [split[name] for split in chosen if name in split]
    on = [value for value in values if not is_off(value)]
    if 2 * len(on) > len(chosen) and all(is_number(value) for value in on):
        return Choice(name, median_low(on), len(on), len(chosen))
    # Values such as layer sizes may not be hashable, so their text is counted.
    text, n_chosen = Counter(map(repr, values)).most_common(1)[0]
    value = next(value for value in values if repr(value) == text)
    return Choice(name, value, n_chosen, len(chosen))


def _plain(value):
    """Convert NumPy scalars to Python scalars, as JSON and reprs need them."""
    is_scalar = isinstance(value, np.ndarray | np.generic) and np.ndim(value) == 0
    return value.item() if is_scalar else value
