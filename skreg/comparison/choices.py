"""Which hyperparameters a tuned estimator chose, and which it chose most often."""

from collections import Counter
from dataclasses import dataclass
from statistics import median_low
from typing import Any

import numpy as np

from skreg.estimators.nested import nested
from skreg.parameters.values import is_number, is_off

# What scikit-learn's own tuned linear models call the strength they chose.
_TUNED_ATTRIBUTES = {"C": "C_", "l1_ratio": "l1_ratio_", "alpha": "alpha_"}


@dataclass(frozen=True)
class Choice:
    """The value of one hyperparameter that was chosen most often.

    Attributes
    ----------
    name : str
        Name of the hyperparameter.
    value : object
        The value: for numbers the median of those that are not off (the lower
        of two), for anything else the most frequent.
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
    """Read the hyperparameters that a fitted estimator chose by itself.

    Parameters
    ----------
    estimator : estimator
        A fitted search (any with ``best_params_``), an ``MLPClassifierCV``,
        ``LogisticRegressionCV``, ``RidgeCV`` or the like, or a pipeline or wrapper
        whose final step is one.

    Returns
    -------
    dict of str to object
        Empty where nothing was tuned.
    """
    estimator = inner_search(estimator)
    if hasattr(estimator, "best_params_"):
        return {key: _plain(value) for key, value in estimator.best_params_.items()}
    # Only scikit-learn's ...CV estimators choose these; elsewhere, as in
    # BayesianRidge, the same attribute is an estimate.
    if not type(estimator).__name__.endswith("CV"):
        return {}
    values = {
        name: _of_all_classes(name, _plain(getattr(estimator, attribute)))
        for name, attribute in _TUNED_ATTRIBUTES.items()
        if hasattr(estimator, attribute)
    }
    # One value per class or target is not one choice.
    return {
        name: value
        for name, value in values.items()
        if value is not None and np.ndim(value) == 0
    }


def _of_all_classes(name, value):
    """Return the one number that `LogisticRegressionCV` chose.

    Before scikit-learn 1.8, and after with `use_legacy_attributes`, it is repeated for
    each class.
    """
    if name in ("C", "l1_ratio") and np.ndim(value) == 1 and len(set(value)) == 1:
        return _plain(value[0])
    return value


def inner_search(estimator):
    """Find what may have chosen, inside a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Also a pipeline or wrapper.

    Returns
    -------
    estimator
        The search, or the innermost estimator where there is none.
    """
    for _, inner in nested(estimator):
        if hasattr(inner, "best_params_"):
            break
    return inner


def most_chosen(chosen):
    """Summarise what was chosen over the splits, one hyperparameter at a time.

    A randomised search never draws the same strength twice, so strengths are
    summarised by how often they were on and by their median when on.

    Parameters
    ----------
    chosen : list of dict
        What :func:`chosen_hyperparameters` returned for each split.

    Returns
    -------
    list of Choice
        In the order in which the hyperparameters first appear.
    """
    return [_summarise(name, chosen) for name in hyperparameters(chosen)]


def hyperparameters(chosen):
    """Return the names of what was chosen, in the order in which they first appear.

    Parameters
    ----------
    chosen : list of dict
        What :func:`chosen_hyperparameters` returned for each split.

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
    # Layer sizes and the like need not be hashable: count their text.
    text, n_chosen = Counter(map(repr, values)).most_common(1)[0]
    value = next(value for value in values if repr(value) == text)
    return Choice(name, value, n_chosen, len(chosen))


def _plain(value):
    """Turn numpy's scalars into Python's, which JSON and reprs know."""
    is_scalar = isinstance(value, np.ndarray | np.generic) and np.ndim(value) == 0
    return value.item() if is_scalar else value
