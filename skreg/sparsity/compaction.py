"""Removal of idle units, which makes networks smaller with the same predictions."""

from dataclasses import replace

import numpy as np
import torch

from skreg.estimators.trained import layout_of, states_of, with_states
from skreg.networks.activations import ACTIVATIONS
from skreg.networks.architecture import BATCHNORM
from skreg.networks.layers import BatchNorm
from skreg.sparsity.surgery import check_own_weights, of_last_step
from skreg.sparsity.units import (
    is_padded,
    named,
    resized,
    rows_of,
    sizes_of,
    unit_groups,
    vectors_of,
)
from skreg.typing import SomeEstimator


def compact(estimator: SomeEstimator) -> SomeEstimator:
    """Return an estimator with a smaller network that makes the same predictions.

    A hidden unit whose incoming weights are all zero is constant. It is removed and its
    value is added to the biases of the next layer. A unit whose outgoing weights are
    all zero has no effect and is removed, too. This is repeated until no such unit is
    left. Each layer keeps at least one unit. Such units result from `l1`, `pruning` and
    :func:`prune` with ``structured=True``.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted skreg network, or a pipeline that ends with one. It is not modified.

    Returns
    -------
    estimator or Pipeline
        A fitted estimator of the same class. Its `hidden_layer_sizes` and `channels`
        are the new sizes, so that clones and continued fits use the small network. The
        units of a convolution are its channels. All inputs are kept, even those that
        are not in `support_`. Predictions agree up to rounding: far below 1e-6 in
        double precision and about 1e-6 in single precision.

    See Also
    --------
    prune : Set the smallest weights or units to zero.

    Notes
    -----
    With ``skip="residual"``, layers of equal size whose outputs are added lose a unit
    only if all of them can lose it. Layers to which the inputs are added keep all
    units. Layers whose outputs are not added keep different sizes. With `n_snapshots`,
    all networks have as many units as the one that needs the most.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import MLPClassifier, compact, prune
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier((64,), random_state=0).fit(X, y)
    >>> small = compact(prune(clf, 0.5, X, y, structured=True, finetune_epochs=3))
    >>> small.hidden_layer_sizes
    (32,)
    >>> bool(small.score(X, y) > 0.98)
    True
    """
    return of_last_step(estimator, _compact)


def _compact(estimator):
    check_own_weights(estimator, "compact")
    layout = layout_of(estimator)
    architecture, states = without_idle_units(layout.architecture, states_of(estimator))
    if architecture == layout.architecture:
        return with_states(estimator, states)
    layout = replace(layout, architecture=architecture)
    # Drop the optimiser's moving averages, whose shapes no longer match.
    smaller = with_states(estimator, states, layout, optimizer_state=None)
    return smaller.set_params(**sizes_of(architecture))


def without_idle_units(architecture, states):
    """Remove units that are constant or have no effect.

    All networks keep the same architecture, so the same number of units is removed from
    each of them.

    Parameters
    ----------
    architecture : Architecture
    states : list of list of ndarray
        The state of each network.

    Returns
    -------
    architecture : Architecture
    states : list of list of ndarray
        New arrays.
    """
    networks = [named(architecture, state) for state in states]
    positions, before = list(range(len(unit_groups(architecture)))), None
    while before != architecture:
        before = architecture
        # Removing a constant unit can make units of later layers constant. Removing a
        # unit without effect can leave units of earlier layers without effect.
        for position in (*positions, *reversed(positions)):
            architecture = _reduce(architecture, networks, position)
    return architecture, [list(network.values()) for network in networks]


def _reduce(architecture, networks, position):
    """Remove the idle units of a group from all networks, in place.

    Returns
    -------
    Architecture
        The new architecture.
    """
    group = unit_groups(architecture)[position]
    if group.is_fixed:
        return architecture
    n_needed, orders = 1, []
    for network in networks:
        _fold_constants(architecture, network, group)
        idle = _is_unused(architecture, network, group)
        for layer in group.layers:
            # Idle units may have to stay, because another network needs as many.
            network[f"weight_{layer}"][:, idle] = 0
        orders.append(np.argsort(idle, kind="stable"))  # units in use come first
        n_needed = max(n_needed, np.count_nonzero(~idle))
    for n_kept in range(n_needed, group.n_units):
        smaller = resized(architecture, group, n_kept)
        # Layers that become equal in size would get a residual connection.
        if smaller.residual_layers == architecture.residual_layers:
            for network, order in zip(networks, orders):
                _take(architecture, network, group, np.sort(order[:n_kept]))
            return smaller
    return architecture


def _fold_constants(architecture, network, group):
    """Move the values of constant units into the biases of the next layers."""
    weights = [network[f"weight_{layer}"] for layer in group.layers]
    constant = ~np.any([(weight != 0).any(0) for weight in weights], axis=0)
    value, values = 0.0, []
    for layer in group.layers:  # residual connections add up the layers of a group
        value = value + _value_of_bias(architecture, network, layer)
        values.append(value)
        # An intercept that the network does not have cannot hold a value either.
        is_last = layer + 1 == architecture.n_hidden
        if is_padded(architecture, layer) or (
            is_last and not architecture.has_intercept
        ):
            constant &= value == 0
    for layer, value in zip(group.layers, values):
        rows, reader = rows_of(architecture, layer)[constant], f"weight_{layer + 1}"
        bias = network[f"bias_{layer + 1}"]
        outgoing = network[reader][rows].astype(np.float64)
        bias += np.einsum("u,uro->o", value[constant], outgoing).astype(bias.dtype)
        network[reader][rows] = 0


def _value_of_bias(architecture, network, layer):
    """Return the outputs of a layer for incoming weights of zero, shape (n_units,)."""

    def tensor(name):
        return torch.from_numpy(network[f"{name}_{layer}"].astype(np.float64))[None]

    steps = [ACTIVATIONS[architecture.activation].forward]
    if architecture.batchnorm:
        norm = BatchNorm(*map(tensor, BATCHNORM)).predict
        steps.insert(0 if architecture.batchnorm == "before" else 1, norm)
    value = tensor("bias")
    for step in steps:
        value = step(value)
    return value.numpy().ravel()


def _is_unused(architecture, network, group):
    """Return for each unit whether all of its outgoing weights are zero."""
    used = np.zeros(group.n_units, bool)
    for layer in group.layers:
        outgoing = network[f"weight_{layer + 1}"][rows_of(architecture, layer)]
        used |= (outgoing != 0).any((1, 2))
    return ~used


def _take(architecture, network, group, kept):
    """Keep only the units at the positions `kept`, in place."""
    for layer in group.layers:
        rows = np.zeros(len(network[f"weight_{layer + 1}"]), bool)
        rows[rows_of(architecture, layer)[kept]] = True
        network[f"weight_{layer + 1}"] = network[f"weight_{layer + 1}"][rows]
    for layer in group.layers:
        for name in (f"weight_{layer}", *vectors_of(architecture, layer)):
            network[name] = np.ascontiguousarray(network[name][:, kept])
