"""Copies of fitted estimators with modified networks."""

import copy

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg.estimators.base import BaseNetwork
from skreg.estimators.nested import FITTED
from skreg.estimators.trained import layout_of


def of_last_step(estimator, function):
    """Apply a function to a fitted network or to the last step of a pipeline.

    Parameters
    ----------
    estimator : estimator or Pipeline
    function : callable
        Maps a fitted network to a modified copy.

    Returns
    -------
    estimator or Pipeline
        The modified copy. A pipeline shares its other steps with `estimator`.

    Raises
    ------
    TypeError
        If `estimator` is neither a skreg network nor a pipeline that ends with one.
    sklearn.exceptions.NotFittedError
        If the network is not fitted.
    """
    if isinstance(estimator, Pipeline):
        changed = copy.copy(estimator)
        name, last = estimator.steps[-1]
        changed.steps = [*estimator.steps[:-1], (name, of_last_step(last, function))]
        return changed
    if not isinstance(estimator, BaseNetwork):
        raise TypeError(
            "estimator must be a fitted skreg network, such as MLPClassifier, or a "
            f"Pipeline that ends with one, got {estimator!r}.{_advice(estimator)}"
        )
    check_is_fitted(estimator)
    return function(estimator)


def _advice(estimator):
    """Return which networks of another estimator could be passed instead."""
    for name in (*FITTED, "estimators_"):
        inner = getattr(estimator, name, None)
        if name == "estimators_" and isinstance(inner, list) and inner:
            return " Pass the networks in its estimators_ one by one."
        if inner is not None:
            return f" Pass its {name}."
    return ""


def check_own_weights(estimator, what):
    """Raise an error if the networks of an ensemble share weights."""
    if layout_of(estimator).architecture.n_members > 1:
        raise ValueError(
            f"{what} does not support networks that share weights, got "
            "ensemble='shared'. Pass the members in estimators_ one by one."
        )
