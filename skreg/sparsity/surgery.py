"""Fitted estimators with other networks in them."""

import copy
from dataclasses import replace
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
    if estimator._layout.architecture.n_members > 1:
        raise ValueError(
            f"{what} takes networks with weights of their own, got ensemble='shared'. "
            "Give the members in estimators_ one by one."
        )


def with_states(estimator, states, layout=None, attributes=None, **changes):
    """Return a copy of an estimator with other networks in it.

    Parameters
    ----------
    estimator : BaseNetwork
    states : list of list of ndarray
        Of all networks whose predictions are averaged, in the order of `states_of`.
    layout : Layout, default=None
        What surrounds them; None is that of the estimator.
    attributes : dict, default=None
        Public attributes of each `Fit` that change.
    **changes
        Other fields of each `Fit` that change.
    """
    states, fits = iter(states), []
    for fit in estimator._fits:
        own = list(islice(states, len(fit.states)))
        fit = fit.with_states(own, **(attributes or {}))
        fits.append(replace(fit, **changes))
    layout = estimator._layout if layout is None else layout
    return estimator._with_networks(layout, estimator._device, fits)


def states_of(estimator):
    """Return the states of all networks whose predictions are averaged."""
    return [state for fit in estimator._fits for state in fit.states]
