"""The parameters that name single inputs: `feature_groups` and `feature_penalties`."""

from collections.abc import Mapping, Sequence, Set
from numbers import Integral, Real

import numpy as np

from skreg.training.input_penalties import InputPenalties


def input_penalties(estimator, n_features, names=None):
    """Return how the inputs of an estimator are penalised, or None if all alike.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    n_features : int
    names : ndarray of str of shape (n_features,) or None, default=None
        The names of the columns, if they have any.

    Returns
    -------
    InputPenalties or None

    Raises
    ------
    ValueError
        If a parameter does not fit the inputs.
    """
    groups, factors = estimator.feature_groups, estimator.feature_penalties
    if groups is None and factors is None:
        return None
    if groups is not None:
        groups = group_numbers(groups, n_features, names)
    if factors is not None:
        factors = feature_factors(factors, n_features, names)
    if groups is not None and factors is not None:
        _check_equal_in_groups(groups, factors)
    return InputPenalties(factors, groups)


def group_numbers(value, n_features, names=None):
    """Return the number of each feature's group, from the parameter `feature_groups`.

    Parameters
    ----------
    value : array-like
        A label for each feature, or a list of lists of indices or names.
    n_features : int
    names : ndarray of str or None, default=None

    Returns
    -------
    ndarray of int64 of shape (n_features,)
        From 0 on. Features in no list have groups of their own.

    Examples
    --------
    >>> from skreg.estimators.input_penalties import group_numbers
    >>> group_numbers(["age", "city", "city"], 3).tolist()
    [0, 1, 1]
    >>> group_numbers([[1, 2]], 4).tolist()
    [1, 0, 0, 2]
    """
    parts = list(value)
    if parts and all(isinstance(p, Sequence | Set | np.ndarray) for p in parts):
        if not any(isinstance(part, str) for part in parts):
            return _from_lists(parts, n_features, names)
    if len(parts) != n_features:
        raise ValueError(
            f"feature_groups must have one label for each of n_features={n_features}, "
            "or be a list of lists of features, such as [[0, 1], [3, 4]], got "
            f"{_shown(value)} of length {len(parts)}."
        )
    numbers = {}
    try:
        found = [numbers.setdefault(label, len(numbers)) for label in parts]
    except TypeError:
        found = None
    if found is None or any(label != label for label in numbers):
        raise ValueError(
            "feature_groups must be labels, numbers or strings, one for each feature, "
            f"or a list of lists of features, got {_shown(value)}."
        )
    return np.array(found, dtype=np.int64)


def _from_lists(lists, n_features, names):
    numbers = np.full(n_features, -1, dtype=np.int64)
    for number, features in enumerate(lists):
        for feature in features:
            index = _index_of("feature_groups", feature, n_features, names)
            if numbers[index] >= 0:
                raise ValueError(
                    f"feature_groups must have each feature in one group, got "
                    f"{feature!r} twice."
                )
            numbers[index] = number
    alone = numbers < 0
    numbers[alone] = len(lists) + np.arange(alone.sum())
    # Without the numbers of empty lists.
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def feature_factors(value, n_features, names=None):
    """Return the factor of each feature, from the parameter `feature_penalties`.

    Parameters
    ----------
    value : array-like of shape (n_features,) or dict
        Factors, or factors by index or name; those of other features are 1.
    n_features : int
    names : ndarray of str or None, default=None

    Returns
    -------
    ndarray of float64 of shape (n_features,)

    Examples
    --------
    >>> from skreg.estimators.input_penalties import feature_factors
    >>> feature_factors({0: 0, 2: float("inf")}, 3).tolist()
    [0.0, 1.0, inf]
    """
    if isinstance(value, Mapping):
        factors = np.ones(n_features)
        for feature, factor in value.items():
            index = _index_of("feature_penalties", feature, n_features, names)
            factors[index] = _factor(factor, value)
        return factors
    factors = [_factor(factor, value) for factor in value]
    if len(factors) != n_features:
        raise ValueError(
            f"feature_penalties must have one number for each of n_features="
            f"{n_features}, or be a dict of some of them, got {_shown(value)} of "
            f"length {len(factors)}."
        )
    return np.array(factors)


def _factor(factor, value):
    is_number = isinstance(factor, Real) and not isinstance(factor, bool | np.bool_)
    if not is_number or not factor >= 0:
        raise ValueError(
            "feature_penalties must be numbers of at least 0, or inf to leave a "
            f"feature out, got {factor!r} in {_shown(value)}."
        )
    return float(factor)


def _index_of(parameter, feature, n_features, names):
    """Return the index of a feature that is given by its index or name."""
    if isinstance(feature, Integral) and not isinstance(feature, bool):
        if 0 <= feature < n_features:
            return int(feature)
        raise ValueError(
            f"{parameter} must be indices from 0 to {n_features - 1}, as X has "
            f"n_features={n_features}, or names, got {feature!r}."
        )
    if not isinstance(feature, str):
        raise ValueError(
            f"{parameter} must name features by their indices or names, got "
            f"{feature!r}."
        )
    if names is None:
        raise ValueError(
            f"{parameter} has the name {feature!r}, but X has no names of columns. "
            "Give X as a dataframe, or use indices."
        )
    found = np.flatnonzero(np.asarray(names) == feature)
    if not len(found):
        raise ValueError(
            f"{parameter} has the name {feature!r}, which is not a column of X. Its "
            f"columns are {_shown(list(names))}."
        )
    return int(found[0])


def _check_equal_in_groups(groups, factors):
    """Raise unless the features of a group have equal factors, or are left out."""
    is_kept = np.isfinite(factors)
    kept, factors = groups[is_kept], factors[is_kept]
    low = np.full(groups.max() + 1, np.inf)
    high = np.full(groups.max() + 1, -np.inf)
    np.minimum.at(low, kept, factors)
    np.maximum.at(high, kept, factors)
    if (low < high).any():
        group = int(np.flatnonzero(low < high)[0])
        raise ValueError(
            "feature_penalties must be equal within each group of feature_groups, "
            f"apart from inf, got numbers from {low[group]:g} to {high[group]:g} for "
            f"the features {_shown(np.flatnonzero(groups == group).tolist())}."
        )


def _shown(value, most=200):
    """Return the representation of a value, shortened."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."
