"""Copies of fitted estimators with modified networks."""

import copy
from dataclasses import replace
from itertools import islice

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg.estimators.base import BaseNetwork


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
            f"Pipeline that ends with one, got {estimator!r}. For a search, pass its "
            "best_estimator_."
        )
    check_is_fitted(estimator)
    return function(estimator)


def check_own_weights(estimator, what):
    """Raise an error if the networks of an ensemble share weights."""
    if estimator._layout.architecture.n_members > 1:
        raise ValueError(
            f"{what} does not support networks that share weights, got "
            "ensemble='shared'. Pass the members in estimators_ one by one."
        )


def with_states(estimator, states, layout=None, attributes=None, **changes):
    """Return a copy of an estimator with new states of its networks.

    Parameters
    ----------
    estimator : BaseNetwork
    states : list of list of ndarray
        The states of all networks whose predictions are averaged, in the order of
        `states_of`.
    layout : Layout, default=None
        The layout of the networks. None is that of the estimator.
    attributes : dict, default=None
        Public attributes to change in each `Fit`.
    **changes
        Other fields to change in each `Fit`.
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
