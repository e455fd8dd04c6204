"""Fitted estimators with other networks in them."""

import copy
from itertools import islice

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg.estimators.base import BaseNetwork


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


def check_own_weights(estimator, what):
    """Raise if the networks of an ensemble share weights."""
    if estimator._architecture.n_members > 1:
        raise ValueError(
            f"{what} takes networks with weights of their own, got ensemble='shared'. "
            "Give the members in estimators_ one by one."
        )


def with_members(estimator, members, **attributes):
    """Return a copy of an ensemble with other members, and other attributes."""
    changed = copy.copy(estimator)
    vars(changed).update(attributes)
    changed._become(members)
    return changed


def with_networks(estimator, states, **attributes):
    """Return a copy of an estimator with other networks, and other attributes."""
    if len(estimator._networks) > 1:
        states = iter(states)
        members = [
            with_networks(m, list(islice(states, len(m._states))), **attributes)
            for m in estimator._networks
        ]
        return with_members(estimator, members, **attributes)
    changed = copy.copy(estimator)
    vars(changed).update(attributes)
    snapshots = states if len(states) > 1 else None
    vars(changed).update(changed._state_attributes(states[-1], snapshots))
    return changed
