"""Stacked layers and networks: every parameter has a leading axis, the model.

A layer has three methods. ``predict`` maps inputs at prediction, ``forward`` maps
them in training and returns what ``backward`` needs to turn the gradient of its
output into that of its input, writing its parameters' gradients on the way. The
derivatives are written by hand: for networks of this size automatic differentiation
costs several times the arithmetic.

A batch may hold the first `k` models of the stack only; every layer then works on
the first `k` of its parameters, which are contiguous views.
"""

from itertools import pairwise

import numpy as np
import torch

from skreg.architecture import BATCHNORM, Start, state_names
from skreg.blocks import LinearSkip, Residual
from skreg.embeddings import Periodic, PiecewiseLinear, initial_embedding
from skreg.products import affine, first, times_transposed, write_weight_gradient

aten = torch.ops.aten


# Name: (function of the input, gradient from (gradient, input, output)).
# A training step may overwrite its own inputs, outputs and gradients: new memory is
# not in the caches, and costs as much as the arithmetic.
ACTIVATIONS = {
    "identity": (lambda x: x, lambda g, x, y: g),
    "relu": (
        torch.relu,
        lambda g, x, y: aten.threshold_backward.grad_input(g, y, 0, grad_input=g),
    ),
    "tanh": (torch.tanh, lambda g, x, y: aten.tanh_backward(g, y)),
    "logistic": (torch.sigmoid, lambda g, x, y: aten.sigmoid_backward(g, y)),
    "elu": (
        torch.nn.functional.elu,
        lambda g, x, y: aten.elu_backward(g, 1, 1, 1, False, x),
    ),
    "selu": (torch.selu, lambda g, x, y: _selu_backward(g, x)),
    "gelu": (torch.nn.functional.gelu, lambda g, x, y: aten.gelu_backward(g, x)),
    "silu": (torch.nn.functional.silu, lambda g, x, y: aten.silu_backward(g, x)),
    "mish": (torch.nn.functional.mish, lambda g, x, y: aten.mish_backward(g, x)),
    "leaky_relu": (
        torch.nn.functional.leaky_relu,
        lambda g, x, y: aten.leaky_relu_backward(g, x, 0.01, False),
    ),
}

# Functions of the input in its own memory, whose gradients need the output alone.
IN_PLACE = {"relu": torch.relu_}
# Those whose gradients need the output as it was before dropout; that of relu is zero
# where a unit is dropped in any case.
NEED_OUTPUT = ("tanh", "logistic")

# Klambauer et al. 2017, "Self-Normalizing Neural Networks".
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def _selu_backward(gradient, x):
    return aten.elu_backward(gradient, _SELU_ALPHA, _SELU_SCALE, 1, False, x)


class Linear:
    """``x @ W + b`` for each model.

    Parameters
    ----------
    weight : Parameter of shape (n_models, n_in, n_out)
    bias : Parameter of shape (n_models, 1, n_out)
    is_first : bool
        The gradient of the first layer's input is not needed.
    is_centred : bool, default=False
        Whether batch normalisation follows and takes the bias out again. Its gradient
        is zero then; computed, it would be rounding errors, which Adam scales up to
        steps of full length.
    """

    def __init__(self, weight, bias, is_first, is_centred=False):
        self.weight, self.bias = weight, bias
        self.is_first, self.is_centred = is_first, is_centred

    def predict(self, x):
        k = x.size(0)
        return affine(first(self.bias, k), x, first(self.weight, k))

    def forward(self, x, weight, mask):
        return self.predict(x), x

    def backward(self, gradient, x):
        k = x.size(0)
        write_weight_gradient(first(self.weight.grad, k), x, gradient)
        if not self.is_centred:
            torch.sum(gradient, 1, keepdim=True, out=first(self.bias.grad, k))
        return None if self.is_first else times_transposed(gradient, self.weight)


class Activation:
    """An elementwise function of `ACTIVATIONS`."""

    def __init__(self, name):
        self.name = name
        self.function, self.derivative = ACTIVATIONS[name]
        self.function_ = IN_PLACE.get(name, self.function)

    def __reduce__(self):
        return Activation, (self.name,)  # functions without a name have no pickle

    def predict(self, x):
        return self.function(x)

    def forward(self, x, weight, mask):
        y = self.function_(x)
        return y, (x, y)

    def backward(self, gradient, saved):
        return self.derivative(gradient, *saved)


class Dropout:
    """Multiply by a mask of zeros and ``1 / (1 - rate)`` (Srivastava et al. 2014).

    The survivors are scaled up in training, so nothing is left to do at prediction.

    Parameters
    ----------
    in_place : bool, default=False
        Whether the layer before can do without its outputs.
    """

    def __init__(self, in_place=False):
        self.in_place = in_place

    def predict(self, x):
        return x

    def forward(self, x, weight, mask):
        if mask is None:
            return x, None
        return (x.mul_(mask) if self.in_place else x * mask), mask

    def backward(self, gradient, mask):
        return gradient if mask is None else gradient.mul_(mask)


class BatchNorm:
    """``gamma * (x - mean) / sqrt(var + eps) + beta`` (Ioffe and Szegedy 2015).

    Mean and (population) variance are those of the batch in training, weighted by the
    rows' weights, and running averages at prediction.

    Parameters
    ----------
    gamma, beta : Parameter of shape (n_models, 1, n_units)
    running_mean, running_var : Tensor of shape (n_models, 1, n_units)
    """

    momentum, eps = 0.1, 1e-5

    def __init__(self, gamma, beta, running_mean, running_var):
        self.gamma, self.beta = gamma, beta
        self.running_mean, self.running_var = running_mean, running_var

    def predict(self, x):
        gamma, beta, mean, var = (
            first(tensor, x.size(0))
            for tensor in (self.gamma, self.beta, self.running_mean, self.running_var)
        )
        return torch.addcmul(beta, x - mean, gamma * torch.rsqrt(var + self.eps))

    def forward(self, x, weight, mask):
        k = x.size(0)
        share = 1 / x.shape[1] if weight is None else weight / weight.sum(1, True)
        mean = (x * share).sum(1, keepdim=True)
        normed = x - mean
        var = (normed * normed * share).sum(1, keepdim=True)
        scale = torch.rsqrt(var + self.eps)
        normed *= scale
        first(self.running_mean, k).lerp_(mean, self.momentum)
        first(self.running_var, k).lerp_(var, self.momentum)
        output = torch.addcmul(first(self.beta, k), normed, first(self.gamma, k))
        return output, (normed, scale, share)

    def backward(self, gradient, saved):
        normed, scale, share = saved
        k = normed.size(0)
        sum_g, sum_gx = first(self.beta.grad, k), first(self.gamma.grad, k)
        torch.sum(gradient, 1, keepdim=True, out=sum_g)
        torch.sum(gradient * normed, 1, keepdim=True, out=sum_gx)
        centred = gradient - share * torch.addcmul(sum_g, normed, sum_gx)
        return centred * (first(self.gamma, k) * scale)


class StackedMLP(torch.nn.Module):
    """Multilayer perceptrons of one architecture, side by side.

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
    >>> from skreg.architecture import Architecture
    >>> from skreg.modules import StackedMLP
    >>> linear = Architecture((2, 1))
    >>> one = [np.ones((2, 1)), np.zeros((1, 1))]
    >>> two = [2 * np.ones((2, 1)), np.ones((1, 1))]
    >>> net = StackedMLP(linear, [one, two], torch.float64)
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
        names, norm = state_names(architecture), architecture.batchnorm
        activation = architecture.activation
        self.weights = [getattr(self, n) for n in names if n.startswith("weight")]
        self.layers, self.skip = self._embedding(), None
        is_fixed = architecture.embedding != "periodic"
        for i in range(architecture.n_hidden + 1):
            is_hidden = i < architecture.n_hidden
            is_centred = is_hidden and norm == "before"
            bias = getattr(self, f"bias_{i}")
            is_first = i == 0 and is_fixed
            block = [Linear(self.weights[i], bias, is_first, is_centred)]
            if is_hidden:
                tail = [Activation(activation)]
                if norm:
                    parts = [getattr(self, f"{p}_{i}") for p in BATCHNORM]
                    tail.insert(0 if norm == "before" else 1, BatchNorm(*parts))
                in_place = norm == "after" or activation not in NEED_OUTPUT
                block += [*tail, Dropout(in_place)]
            if i in architecture.residual_layers:
                block = [Residual(block)]
            self.layers += block
        if architecture.skip == "linear":
            self.skip = LinearSkip(self.weight_skip)

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
        other = StackedMLP.__new__(StackedMLP)
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
        """
        score = x
        for layer in self.layers:
            score = layer.predict(score)
        return score if self.skip is None else self.skip.predict(score, x)

    def forward_training(self, x, weight=None, masks=(), paths=()):
        """Return raw outputs in training and what `backward` needs.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_inputs)
            The batch of the first `k` models.
        weight : Tensor of shape (k, n_rows, 1), default=None
            Weights of the rows, for the statistics of batch normalisation.
        masks : sequence of Tensor of shape (k, n_rows, n_units) or None
            A dropout mask for each hidden layer, or None to keep all units.
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


DEFAULT_START = Start()


def initial_state(architecture, rng, dtype, start=DEFAULT_START):
    """Draw the initial weights of one network.

    With init="glorot" uniform in ``±sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio
    2010), with 2 for 6 under the logistic activation, biases too, as in scikit-learn.
    With "scaled" as in RealMLP (Holzmüller et al. 2024): weights normal with a variance
    of ``1 / fan_in``, biases standard normal, and the last layer zero. A network
    without hidden layers starts at zero, and so does a linear skip connection.

    Parameters
    ----------
    architecture : Architecture
    rng : numpy.random.Generator
    dtype : numpy.dtype
    start : Start, default=DEFAULT_START
        By default that of the default parameters.

    Returns
    -------
    list of ndarray
        In the order of `state_names`.
    """
    sizes = architecture.layer_sizes
    draw = _glorot if start.init == "glorot" else _scaled
    weights, biases = draw(architecture, rng, dtype)
    if architecture.skip == "linear":
        weights.append(np.zeros((architecture.n_inputs, sizes[-1]), dtype))
    others = []
    if architecture.batchnorm:
        for value in (1.0, 0.0, 0.0, 1.0):  # in the order of BATCHNORM
            others += [np.full((1, width), value, dtype) for width in sizes[1:-1]]
    others += initial_embedding(architecture, rng, dtype, start)
    return weights + biases + others


def _glorot(architecture, rng, dtype):
    """Return initial weights and biases of all layers, for init="glorot"."""
    factor = 2.0 if architecture.activation == "logistic" else 6.0
    weights, biases = [], []
    for fan_in, fan_out in pairwise(architecture.layer_sizes):
        bound = (factor / (fan_in + fan_out)) ** 0.5 if architecture.n_hidden else 0.0
        weights.append(rng.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype))
        biases.append(rng.uniform(-bound, bound, (1, fan_out)).astype(dtype))
    return weights, biases


def _scaled(architecture, rng, dtype):
    """Return initial weights and biases of all layers, for init="scaled"."""
    *hidden, (fan_in, n_outputs) = pairwise(architecture.layer_sizes)
    weights, biases = [], []
    for n_in, n_out in hidden:
        weights.append(rng.normal(0, n_in**-0.5, (n_in, n_out)).astype(dtype))
        biases.append(rng.standard_normal((1, n_out)).astype(dtype))
    zeros = np.zeros((fan_in, n_outputs), dtype), np.zeros((1, n_outputs), dtype)
    return [*weights, zeros[0]], [*biases, zeros[1]]
