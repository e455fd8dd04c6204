"""Smaller networks with the same predictions: units that can do nothing are removed."""

from dataclasses import replace

import numpy as np
import torch

from skreg.networks.architecture import BATCHNORM
from skreg.networks.layers import ACTIVATIONS, BatchNorm
from skreg.sparsity.surgery import (
    check_own_weights,
    of_last_step,
    states_of,
    with_states,
)
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
    """Return an estimator with a smaller network that predicts the same.

    A hidden unit whose incoming weights are all zero is a constant, which moves into
    the biases of the next layer; one whose outgoing weights are all zero does nothing.
    Both are removed, again and again until there are none, as `l1`, `pruning` and
    :func:`prune` with ``structured=True`` leave them. One unit of each layer stays.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted skreg network, or a pipeline that ends with one. It is not changed.

    Returns
    -------
    estimator or Pipeline
        Of the same kind, fitted. `hidden_layer_sizes` and `channels` are the new ones,
        so that a clone has them and a continued fit goes on with the small network; the
        units of a convolution are its channels. Inputs are the same, also those outside
        `support_`. Predictions agree to rounding: far below 1e-6 in double precision,
        and to some 1e-6 in single.

    See Also
    --------
    prune : Set the smallest weights or units to zero.

    Notes
    -----
    Under ``skip="residual"`` layers of equal size that are added up lose a unit only
    together, and those that the inputs are added to lose none. Two layers that are not
    added up stay of unequal size. With `n_snapshots` all networks have as many units as
    the one that needs most.

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
    layout = estimator._layout
    architecture, states = without_idle_units(layout.architecture, states_of(estimator))
    if architecture == layout.architecture:
        return with_states(estimator, states)
    layout = replace(layout, architecture=architecture)
    # The optimiser's moving averages are of other shapes.
    smaller = with_states(estimator, states, layout, optimizer_state=None)
    return smaller.set_params(**sizes_of(architecture))


def without_idle_units(architecture, states):
    """Remove units that are constant or without effect, as many in each network.

    Parameters
    ----------
    architecture : Architecture
    states : list of list of ndarray

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
        # Constants make others constant from the inputs on, and what has no effect
        # leaves others without any from the outputs back.
        for position in (*positions, *reversed(positions)):
            architecture = _reduce(architecture, networks, position)
    return architecture, [list(network.values()) for network in networks]


def _reduce(architecture, networks, position):
    """Remove what can go of a group of units; return the architecture that is left."""
    group = unit_groups(architecture)[position]
    if group.is_fixed:
        return architecture
    n_needed, orders = 1, []
    for network in networks:
        _fold_constants(architecture, network, group)
        idle = _is_unused(architecture, network, group)
        for layer in group.layers:
            network[f"weight_{layer}"][:, idle] = 0  # of those that have to stay
        orders.append(np.argsort(idle, kind="stable"))  # those in use come first
        n_needed = max(n_needed, np.count_nonzero(~idle))
    for n_kept in range(n_needed, group.n_units):
        smaller = resized(architecture, group, n_kept)
        # By equal sizes, others would be added up from now on.
        if smaller.residual_layers == architecture.residual_layers:
            for network, order in zip(networks, orders):
                _take(architecture, network, group, np.sort(order[:n_kept]))
            return smaller
    return architecture


def _fold_constants(architecture, network, group):
    """Move units that no input reaches into the biases of the layers that read them."""
    weights = [network[f"weight_{layer}"] for layer in group.layers]
    constant = ~np.any([(weight != 0).any(0) for weight in weights], axis=0)
    value, values = 0.0, []
    for layer in group.layers:  # several are added up
        value = value + _value_of_bias(architecture, network, layer)
        values.append(value)
        if is_padded(architecture, layer):
            constant &= value == 0
    for layer, value in zip(group.layers, values):
        rows, reader = rows_of(architecture, layer)[constant], f"weight_{layer + 1}"
        bias = network[f"bias_{layer + 1}"]
        outgoing = network[reader][rows].astype(np.float64)
        bias += np.einsum("u,uro->o", value[constant], outgoing).astype(bias.dtype)
        network[reader][rows] = 0


def _value_of_bias(architecture, network, layer):
    """Return what each unit of a layer is if nothing enters it, of shape (n_units,)."""

    def tensor(name):
        return torch.from_numpy(network[f"{name}_{layer}"].astype(np.float64))[None]

    steps = [ACTIVATIONS[architecture.activation][0]]
    if architecture.batchnorm:
        norm = BatchNorm(*map(tensor, BATCHNORM)).predict
        steps.insert(0 if architecture.batchnorm == "before" else 1, norm)
    value = tensor("bias")
    for step in steps:
        value = step(value)
    return value.numpy().ravel()


def _is_unused(architecture, network, group):
    """Tell for each unit whether all weights that leave it are zero."""
    used = np.zeros(group.n_units, bool)
    for layer in group.layers:
        outgoing = network[f"weight_{layer + 1}"][rows_of(architecture, layer)]
        used |= (outgoing != 0).any((1, 2))
    return ~used


def _take(architecture, network, group, kept):
    """Take the units at the positions `kept` in place."""
    for layer in group.layers:
        rows = np.zeros(len(network[f"weight_{layer + 1}"]), bool)
        rows[rows_of(architecture, layer)[kept]] = True
        network[f"weight_{layer + 1}"] = network[f"weight_{layer + 1}"][rows]
    for layer in group.layers:
        for name in (f"weight_{layer}", *vectors_of(architecture, layer)):
            network[name] = np.ascontiguousarray(network[name][:, kept])
