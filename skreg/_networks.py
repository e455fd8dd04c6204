"""Fitted estimators with other networks in them."""

import copy

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg.base import BaseNetwork


def of_last_step(estimator, function):
    """Return what a function makes of a fitted network, or of a pipeline's last step.

    Parameters
    ----------
    estimator : estimator or Pipeline
    function : callable
        Maps a fitted network to another one.

    Returns
    -------
    estimator or Pipeline
        A pipeline has the other steps of the one that was given.

    Raises
    ------
    TypeError
        If it is something else.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    if isinstance(estimator, Pipeline):
        changed = copy.copy(estimator)
        name, last = estimator.steps[-1]
        changed.steps = [*estimator.steps[:-1], (name, of_last_step(last, function))]
        return changed
    if not isinstance(estimator, BaseNetwork):
        raise TypeError(
            "estimator must be a fitted skreg network, such as MLPClassifier, or a "
            f"Pipeline that ends with one, got {estimator!r}. Of a search, give its "
            "best_estimator_."
        )
    check_is_fitted(estimator)
    return function(estimator)


def networks_of(estimator):
    """Return the states of the networks that predict together, or of the only one."""
    return estimator.snapshots_ or [estimator._state]


def with_networks(estimator, states, **attributes):
    """Return a copy of an estimator with other networks, and other attributes."""
    changed = copy.copy(estimator)
    vars(changed).update(attributes)
    snapshots = states if len(states) > 1 else None
    vars(changed).update(changed._state_attributes(states[-1], snapshots))
    return changed
