"""Which numbers of a network belong to each unit of its hidden layers."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from skreg.networks.architecture import BATCHNORM, state_names
from skreg.training.gradual_pruning import keep_largest, n_pruned


@dataclass(frozen=True)
class UnitGroup:
    """The units of one hidden layer, or of several that residual connections add up.

    The units of a convolution are its channels.

    Parameters
    ----------
    layers : tuple of int
        Positions of the hidden layers. A unit is an element of each of them.
    n_units : int
    is_fixed : bool
        Whether no unit can be removed, because inputs or channels are added to the
        units.
    """

    layers: tuple
    n_units: int
    is_fixed: bool


def unit_groups(architecture):
    """Return the `UnitGroup` of every hidden layer, from the inputs to the outputs.

    Examples
    --------
    >>> from skreg.networks.architecture import Architecture
    >>> from skreg.sparsity.units import unit_groups
    >>> groups = unit_groups(Architecture((5, 8, 8, 4, 1), skip="residual"))
    >>> [(group.layers, group.n_units) for group in groups]
    [((0, 1), 8), ((2,), 4)]
    """
    tied, groups = architecture.residual_layers, []
    # The sum after the last convolution mixes pixels of channels with dense units.
    apart = {0, len(architecture.convolutions)} & set(tied)
    for layer in range(architecture.n_hidden):
        if layer in tied and layer not in apart:
            groups[-1].append(layer)
        else:
            groups.append([layer])
    apart |= {layer - 1 for layer in apart}
    widths = architecture.hidden_widths
    return [UnitGroup(tuple(g), widths[g[0]], bool(apart & set(g))) for g in groups]


def rows_of(architecture, layer):
    """Return the rows of the next layer's weights that the units of a layer own.

    Parameters
    ----------
    architecture : Architecture
    layer : int
        Position of a hidden layer.

    Returns
    -------
    ndarray of int of shape (n_units, n_rows)
    """
    n_units, shapes = architecture.hidden_widths[layer], architecture.convolutions
    if layer + 1 < len(shapes):  # a channel's taps are neighbours
        return np.arange(n_units * shapes[layer + 1].n_taps).reshape(n_units, -1)
    if layer + 1 == len(shapes):  # pixel by pixel, channels last
        return np.arange(shapes[layer].n_outputs).reshape(-1, n_units).T
    return np.arange(n_units)[:, None]


def is_padded(architecture, layer):
    """Return whether the next layer sees zeros around the units of a layer.

    A constant is then not constant at the borders, unless it is zero.
    """
    shapes = architecture.convolutions[layer + 1 : layer + 2]
    return any(shape.n_taps > 1 for shape in shapes)


def named(architecture, state):
    """Return the arrays of a network by their names, copied."""
    names = state_names(architecture)
    return {name: array.copy() for name, array in zip(names, state, strict=True)}


def resized(architecture, group, n_units):
    """Return the architecture with another number of units in a group."""
    shapes, sizes = list(architecture.convolutions), list(architecture.layer_sizes)
    for layer in group.layers:
        if layer >= len(shapes):
            sizes[layer - len(shapes) + 1] = n_units
            continue
        shapes[layer] = replace(shapes[layer], n_out=n_units)
        if layer + 1 < len(shapes):
            shapes[layer + 1] = replace(shapes[layer + 1], n_in=n_units)
        else:
            sizes[0] = shapes[layer].n_outputs
    return replace(architecture, layer_sizes=tuple(sizes), convolutions=tuple(shapes))


def sizes_of(architecture):
    """Return the public parameters that stand for the numbers of units."""
    sizes = {"hidden_layer_sizes": architecture.layer_sizes[1:-1]}
    if architecture.convolutions:
        sizes["channels"] = tuple(shape.n_out for shape in architecture.convolutions)
    return sizes


def vectors_of(architecture, layer):
    """Return the names of the arrays that have an element for each unit of a layer."""
    norms = BATCHNORM if architecture.batchnorm else ()
    return [f"{part}_{layer}" for part in ("bias", *norms)]


def unit_sizes(network, group):
    """Return the root mean square of the weights that enter each unit of a group.

    Norms of incoming weights within a layer are the criterion of Li, Kadav,
    Durdanovic, Samet and Graf 2017, "Pruning Filters for Efficient ConvNets"; the mean
    is for layers that are added up.

    Parameters
    ----------
    network : dict of {str: ndarray}
    group : UnitGroup

    Returns
    -------
    ndarray of shape (n_units,)
    """
    squares, n_weights = 0, 0
    for layer in group.layers:
        weight = network[f"weight_{layer}"]
        squares = squares + (weight**2).sum(0)
        n_weights += len(weight)
    return np.sqrt(squares / n_weights)


def without_smallest_units(architecture, state, share):
    """Return a network's state in which the smallest units have zero weights only.

    Units are compared by `unit_sizes` within their layer. Each layer loses the given
    share of its units, rounded down, but keeps at least one. The units that rounding
    leaves to prune are the smallest of all layers. Units are not compared across
    layers, because nearly all units of one layer would be pruned, and the signal lost.
    This concerns convolutions above all, whose weights differ in size by their number
    of channels. Units that residual connections add up are pruned together. Units that
    are added to inputs are kept and do not count.

    Parameters
    ----------
    architecture : Architecture
        At least one unit of it can be removed.
    state : list of ndarray
    share : float
        Share of the units to prune, rounded up.

    Returns
    -------
    list of ndarray
    """
    network = named(architecture, state)
    groups = [group for group in unit_groups(architecture) if not group.is_fixed]
    sizes = [unit_sizes(network, group) for group in groups]
    for own in sizes:
        n_kept = max(1, len(own) - n_pruned(share, len(own)))
        own[np.argsort(-own, kind="stable")[:n_kept]] = np.inf
    together = torch.from_numpy(np.concatenate(sizes).astype(np.float64))
    n_free = int(np.isfinite(together.numpy()).sum())
    keep = keep_largest(together, min(n_pruned(share, len(together)), n_free)).numpy()
    bounds = np.cumsum([group.n_units for group in groups])[:-1]
    for group, kept in zip(groups, np.split(keep, bounds)):
        cut_off(architecture, network, group, ~kept)
    return list(network.values())


def cut_off(architecture, network, group, units):
    """Set all weights to and from some units, and their biases, to zero in place.

    Nothing is added to the next layer, whatever the activation is at zero.
    """
    for layer in group.layers:
        network[f"weight_{layer}"][:, units] = 0
        network[f"bias_{layer}"][:, units] = 0
        rows = rows_of(architecture, layer)[units].ravel()
        network[f"weight_{layer + 1}"][rows] = 0
