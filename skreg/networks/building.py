"""The layers of an architecture, made from the tensors of a stack."""

from dataclasses import replace

from skreg.networks.activations import ACTIVATIONS
from skreg.networks.architecture import BATCHNORM
from skreg.networks.chain import Chain
from skreg.networks.embeddings import Periodic, PiecewiseLinear
from skreg.networks.layers import (
    Activation,
    BatchNorm,
    ChannelDropout,
    ChannelNorm,
    Convolution,
    Dropout,
    Linear,
    MaxPool,
)
from skreg.networks.shared_members import Heads, RepeatedRows, SharedLinear
from skreg.networks.skips import LinearSkip, Residual


def build_layers(architecture, tensors):
    """Return the layers of the networks of a stack.

    Parameters
    ----------
    architecture : Architecture
    tensors : dict of {str: Tensor}
        The tensors of the stack by the names of `state_names`. The layers use them
        without copies.

    Returns
    -------
    Chain
    """
    layers = _embedding(architecture, tensors)
    if architecture.n_members > 1:
        # After the embedding, which is the same for all members.
        layers.append(RepeatedRows(architecture.n_members))
    for i in range(architecture.n_hidden):
        block = _hidden(architecture, tensors, i)
        layers += [Residual(block)] if i in architecture.residual_layers else block
    layers.append(_dense(architecture, tensors, architecture.n_hidden))
    if architecture.skip == "linear":
        weight, n_members = tensors["weight_skip"], architecture.n_members
        layers = [LinearSkip(layers, weight, n_members)]
    return Chain(layers)


def _embedding(architecture, tensors):
    """Return a list with the embedding layer, or an empty list without embedding."""
    if architecture.embedding is None:
        return []
    if architecture.embedding == "piecewise_linear":
        columns = architecture.embedding_columns()
        return [PiecewiseLinear(tensors["embedding_edges"], columns)]
    names = ("frequency", "phase", "mixing", "shift")
    return [Periodic(*(tensors[f"embedding_{name}"] for name in names))]


def _hidden(architecture, tensors, i):
    """Return the layers of hidden layer `i`, from its weights to its dropout."""
    if i < len(architecture.convolutions):
        return _convolution(architecture, tensors, i)
    tail = [Activation(architecture.activation)]
    _insert_norm(architecture, tensors, i, tail, BatchNorm)
    dropout = Dropout(_may_overwrite(architecture))
    return [_dense(architecture, tensors, i), *tail, dropout]


def _dense(architecture, tensors, i):
    """Return the dense layer with the weights number `i`."""
    weight, bias = tensors[f"weight_{i}"], tensors[f"bias_{i}"]
    is_last, has_bias = i == architecture.n_hidden, architecture.has_intercept
    if architecture.n_members == 1:
        is_centred = architecture.batchnorm == "before" and not is_last
        return Linear(weight, bias, not is_centred and (has_bias or not is_last))
    if is_last:
        return Heads(weight, bias, has_bias)
    scales = [tensors[f"scale_{side}_{i}"] for side in ("in", "out")]
    return SharedLinear(weight, *scales, bias)


def _convolution(architecture, tensors, i):
    """Return the layers of the convolution number `i`.

    Pooling comes after the activation and its batch normalisation. If the order does
    not change the result, pooling comes first, which saves work.
    """
    shape, norm = architecture.convolutions[i], architecture.batchnorm
    tail = [Activation(architecture.activation)]
    is_early = ACTIVATIONS[architecture.activation].is_monotone and norm != "after"
    is_direct = is_early and norm is None  # then the convolution does the pooling
    if shape.is_pooled and not is_direct:
        tail.insert(0 if is_early else 1, MaxPool(shape))
    _insert_norm(architecture, tensors, i, tail, ChannelNorm)
    in_place = _may_overwrite(architecture) or (shape.is_pooled and not is_early)
    own = shape if is_direct else replace(shape, pool=(1, 1))
    weight, bias = tensors[f"weight_{i}"], tensors[f"bias_{i}"]
    convolution = Convolution(weight, bias, own, norm == "before")
    return [convolution, *tail, ChannelDropout(in_place)]


def _insert_norm(architecture, tensors, i, tail, kind):
    """Insert batch normalisation, if it is on, before or after the activation."""
    if architecture.batchnorm:
        norm = kind(*(tensors[f"{part}_{i}"] for part in BATCHNORM))
        tail.insert(0 if architecture.batchnorm == "before" else 1, norm)


def _may_overwrite(architecture):
    """Return whether dropout may overwrite the output of the layer before it."""
    is_after = architecture.batchnorm == "after"
    return is_after or not ACTIVATIONS[architecture.activation].needs_output
