"""What other subpackages read of a fitted estimator, and how they give it networks.

They use these functions and not its private attributes.
"""

import copy
from dataclasses import replace
from itertools import islice

from skreg.estimators.fits import Fit, fit_alone
from skreg.estimators.fitted import input_weights


def layout_of(estimator):
    """Return the `Layout` of a fitted estimator."""
    return estimator._layout


def networks_of(estimator):
    """Return the `Fit` of each network of a fitted estimator."""
    return estimator._fits


def states_of(estimator):
    """Return the states of all networks whose predictions are averaged."""
    return [state for fit in networks_of(estimator) for state in fit.states]


def first_input_weights(estimator):
    """Return the weights that leave each input, in the first network.

    Returns
    -------
    ndarray of shape (n_features, n_weights)
    """
    state = networks_of(estimator)[0].state
    return input_weights(layout_of(estimator).architecture, state)


def become_trained(estimator, prepared, result):
    """Set the fitted attributes, and return the estimator, or raise a training error.

    Parameters
    ----------
    estimator : BaseNetwork
        It trains a single network.
    prepared : Prepared
    result : FitResult
    """
    fit = fit_alone(result, prepared)
    return estimator._become(prepared.layout, prepared.device, [fit])


def with_networks(estimator, layout, device, fits):
    """Return a copy of an estimator that is fitted with other networks.

    Parameters
    ----------
    estimator : BaseNetwork
    layout : Layout
    device : torch.device
    fits : list of Fit
    """
    return copy.copy(estimator)._become(layout, device, fits)


def with_state(estimator, prepared, state):
    """Return a copy of an estimator that is fitted with the state of one network.

    Parameters
    ----------
    estimator : BaseNetwork
    prepared : Prepared
    state : list of ndarray
    """
    fits = [Fit(state)]
    copied = with_networks(estimator, prepared.layout, prepared.device, fits)
    # It predicts rows that are already an array, without names to warn of.
    vars(copied).pop("feature_names_in_", None)
    return copied


def with_states(estimator, states, layout=None, attributes=None, **changes):
    """Return a copy of a fitted estimator with new states of its networks.

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
    for fit in networks_of(estimator):
        own = list(islice(states, len(fit.states)))
        fit = fit.with_states(own, **(attributes or {}))
        fits.append(replace(fit, **changes))
    layout = layout_of(estimator) if layout is None else layout
    return with_networks(estimator, layout, estimator._device, fits)


def in_precision(estimator, dtype):
    """Return a copy of a fitted estimator that predicts in a precision.

    Parameters
    ----------
    estimator : BaseNetwork
    dtype : numpy.dtype
        The precision of `X`, which the copy uses from now on.
    """
    states = [[a.astype(dtype) for a in state] for state in states_of(estimator)]
    return with_states(estimator, states).set_params(dtype=None)
