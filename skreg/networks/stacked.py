"""Stacked networks: every parameter has a leading axis, the model."""

from dataclasses import replace

import torch

from skreg.networks.architecture import BATCHNORM, state_names
from skreg.networks.embeddings import Periodic, PiecewiseLinear
from skreg.networks.layers import (
    MONOTONE,
    NEED_OUTPUT,
    Activation,
    BatchNorm,
    ChannelDropout,
    ChannelNorm,
    Convolution,
    Dropout,
    Linear,
    MaxPool,
)
from skreg.networks.shared_members import Heads, SharedLinear, repeated
from skreg.networks.skips import LinearSkip, Residual


class StackedNetwork(torch.nn.Module):
    """Networks of one architecture, side by side.

    Parameters
    ----------
    architecture : Architecture
    states : list of list of ndarray
        For each model its tensors without the leading axis, in the order of
        `state_names`.
    dtype : torch.dtype
    device : torch.device or str, default="cpu"

    Attributes
    ----------
    weights : list of Parameter of shape (n_models, n_in, n_out)
        What penalties act on: those of the layers and of the linear skip connection.
    state : list of Tensor
        Everything that a trained network consists of: parameters and running
        statistics, each with the leading axis.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skreg.networks.architecture import Architecture
    >>> from skreg.networks.stacked import StackedNetwork
    >>> linear = Architecture((2, 1))
    >>> one = [np.ones((2, 1)), np.zeros((1, 1))]
    >>> two = [2 * np.ones((2, 1)), np.ones((1, 1))]
    >>> net = StackedNetwork(linear, [one, two], torch.float64)
    >>> net(torch.ones(2, 1, 2, dtype=torch.float64)).flatten().tolist()
    [2.0, 5.0]
    """

    def __init__(self, architecture, states, dtype, device="cpu"):
        super().__init__()
        self.architecture = architecture
        for name, *arrays in zip(state_names(architecture), *states):
            tensors = [torch.as_tensor(array, dtype=dtype) for array in arrays]
            # The arrays of a single model are shared with the caller.
            stacked = torch.stack(tensors) if len(tensors) > 1 else tensors[0][None]
            self._register(name, stacked.to(device))
        self._build()

    @property
    def state(self):
        return [getattr(self, name) for name in state_names(self.architecture)]

    @property
    def n_models(self):
        return self.weights[0].size(0)

    def _register(self, name, tensor):
        if name.startswith("running") or name == "embedding_edges":
            self.register_buffer(name, tensor)
        else:
            self.register_parameter(name, torch.nn.Parameter(tensor, False))

    def _build(self):
        """Chain the layers over the registered parameters."""
        architecture = self.architecture
        names = state_names(architecture)
        self.weights = [getattr(self, n) for n in names if n.startswith("weight")]
        self.layers, self.skip = self._embedding(), None
        is_fixed = architecture.embedding != "periodic"
        for i in range(architecture.n_hidden + 1):
            block = self._block(i, is_first=i == 0 and is_fixed)
            if i in architecture.residual_layers:
                block = [Residual(block)]
            self.layers += block
        if architecture.skip == "linear":
            self.skip = LinearSkip(self.weight_skip)

    def _block(self, i, is_first):
        """Return the layers from the weights number `i` to those that come next."""
        architecture = self.architecture
        if i == architecture.n_hidden:
            return [self._dense(i, is_first)]
        is_centred = architecture.batchnorm == "before"
        if i < len(architecture.convolutions):
            shape = architecture.convolutions[i]
            return self._convolution(i, shape, is_first, is_centred)
        tail = [Activation(architecture.activation)]
        self._insert_norm(tail, BatchNorm, i)
        dense = self._dense(i, is_first, is_centred)
        return [dense, *tail, Dropout(self._may_overwrite())]

    def _dense(self, i, is_first, is_centred=False):
        """Return the dense layer with the weights number `i`."""
        weight, bias = self.weights[i], getattr(self, f"bias_{i}")
        if self.architecture.n_members == 1:
            return Linear(weight, bias, is_first, is_centred)
        if i == self.architecture.n_hidden:
            return Heads(weight, bias)
        scales = [getattr(self, f"scale_{side}_{i}") for side in ("in", "out")]
        return SharedLinear(weight, *scales, bias, is_first)

    def _convolution(self, i, shape, is_first, is_centred):
        """Return the layers of a convolution.

        Pooling stands after the activation and its normalisation. Where that makes no
        difference it comes sooner, so that these have less to do.
        """
        tail = [Activation(self.architecture.activation)]
        is_early = self.architecture.activation in MONOTONE
        is_early &= self.architecture.batchnorm != "after"
        at_once = is_early and self.architecture.batchnorm is None
        if shape.is_pooled and not at_once:
            tail.insert(0 if is_early else 1, MaxPool(shape))
        self._insert_norm(tail, ChannelNorm, i)
        in_place = self._may_overwrite() or (shape.is_pooled and not is_early)
        own = shape if at_once else replace(shape, pool=(1, 1))
        weight, bias = self.weights[i], getattr(self, f"bias_{i}")
        convolution = Convolution(weight, bias, own, is_first, is_centred)
        return [convolution, *tail, ChannelDropout(in_place)]

    def _insert_norm(self, tail, kind, i):
        """Insert batch normalisation, if it is on, before or after the activation."""
        if self.architecture.batchnorm:
            norm = kind(*(getattr(self, f"{part}_{i}") for part in BATCHNORM))
            tail.insert(0 if self.architecture.batchnorm == "before" else 1, norm)

    def _may_overwrite(self):
        """Tell whether dropout may overwrite what the layer before it gave."""
        architecture = self.architecture
        is_after = architecture.batchnorm == "after"
        return is_after or architecture.activation not in NEED_OUTPUT

    def _embedding(self):
        """Return the layer that embeds the inputs, in a list, or none."""
        kind = self.architecture.embedding
        if kind is None:
            return []
        if kind == "piecewise_linear":
            columns = self.architecture.embedding_columns()
            return [PiecewiseLinear(self.embedding_edges, columns)]
        names = ("frequency", "phase", "mixing", "shift")
        return [Periodic(*(getattr(self, f"embedding_{name}") for name in names))]

    def prepare_training(self):
        """Allocate the gradients once; steps write into them."""
        for parameter in self.parameters():
            parameter.grad = torch.zeros_like(parameter)
        return self

    def select(self, models):
        """Return a new network of the models in the index tensor `models`."""
        other = StackedNetwork.__new__(StackedNetwork)
        torch.nn.Module.__init__(other)
        other.architecture = self.architecture
        for name, tensor in zip(state_names(self.architecture), self.state):
            other._register(name, tensor.detach()[models].contiguous())
        other._build()
        return other

    def forward(self, x):
        """Return raw outputs at prediction.

        Parameters
        ----------
        x : Tensor of shape (n_models, n_rows, n_inputs)

        Returns
        -------
        Tensor of shape (n_models, n_rows, n_outputs)
            Of members that share weights, those of a row one below the other.
        """
        score, layers = x, self.layers
        if self.architecture.n_members > 1:
            score, x, layers = self._for_members(x)
        for layer in layers:
            score = layer.predict(score)
        return score if self.skip is None else self.skip.predict(score, x)

    def _for_members(self, x):
        """Return what enters the hidden layers, and the skip; and the layers left.

        Embeddings are the same for all members.
        """
        n_members, layers, score = self.architecture.n_members, self.layers, x
        if self.architecture.embedding is not None:
            score, layers = layers[0].predict(score), layers[1:]
        score = repeated(score, n_members)
        return score, x if self.skip is None else repeated(x, n_members), layers

    def forward_training(self, x, weight=None, masks=(), paths=()):
        """Return raw outputs in training and what `backward` needs.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_inputs)
            The batch of the first `k` models.
        weight : Tensor of shape (k, n_rows, 1), default=None
            Weights of the rows, for the statistics of batch normalisation.
        masks : sequence of Tensor of shape (k, n_rows, n_units) or None
            A dropout mask for each hidden layer, of the channels of a convolution, or
            None to keep all units.
        paths : sequence of Tensor of shape (k, n_rows, 1)
            Masks of what skip connections skip, or nothing to keep all.

        Returns
        -------
        score : Tensor of shape (k, n_rows, n_outputs)
        tape : list
        """
        tape, masks, paths, score = [], iter(masks), iter(paths), x
        for layer in self.layers:
            mask = None
            if isinstance(layer, Dropout):
                mask = next(masks, None)
            elif isinstance(layer, Residual):
                mask = next(masks, None), next(paths, None)
            score, saved = layer.forward(score, weight, mask)
            tape.append(saved)
        if self.skip is not None:
            score, saved = self.skip.forward(score, x, next(paths, None))
            tape.append(saved)
        return score, tape

    def backward(self, gradient, tape):
        """Write the gradients of all parameters, given that of the raw outputs."""
        if self.skip is not None:
            *tape, saved = tape
            gradient = self.skip.backward(gradient, saved)
        for layer, saved in zip(reversed(self.layers), reversed(tape)):
            gradient = layer.backward(gradient, saved)
        return gradient

    def input_gradient(self, gradient, tape):
        """Return the gradient of the inputs, given that of the raw outputs.

        The gradients of the parameters are overwritten.
        """
        direct = None if self.skip is None else self.skip.input_gradient(gradient)
        entries = [layer for layer in self._entries() if layer.is_first]
        for layer in entries:
            layer.is_first = False
        try:
            inner = self.backward(gradient, tape)
        finally:
            for layer in entries:
                layer.is_first = True
        return inner if direct is None else inner.add_(direct)

    def _entries(self):
        """Return the layers that do without a gradient of their input, and others."""
        for layer in self.layers[: 1 if self.architecture.embedding is None else 2]:
            yield layer.layers[0] if isinstance(layer, Residual) else layer
