"""Stacked layers: every parameter has a leading axis, the model.

A layer has three methods. ``predict`` maps inputs at prediction, ``forward`` maps
them in training and returns what ``backward`` needs to turn the gradient of its
output into that of its input, writing its parameters' gradients on the way. The
derivatives are written by hand: for networks of this size automatic differentiation
costs several times the arithmetic.

A batch may hold the first `k` models of the stack only; every layer then works on
the first `k` of its parameters, which are contiguous views.
"""

import torch

from skreg.networks.convolution import (
    convolution_backward,
    convolve,
    max_pool,
    max_pool_backward,
)
from skreg.networks.products import (
    affine,
    first,
    times_transposed,
    write_weight_gradient,
)

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
# Functions that do not fall: the largest of their values is that of the largest input.
MONOTONE = ("identity", "relu", "tanh", "logistic", "elu", "selu", "leaky_relu")

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
        mean = _weighted_sum(x, share)
        normed = x - mean
        var = _weighted_sum(normed * normed, share)
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
        if isinstance(share, float):
            part = torch.addcmul(sum_g * share, normed, sum_gx * share)
        else:
            part = torch.addcmul(sum_g, normed, sum_gx).mul_(share)
        centred = torch.sub(gradient, part, out=part)
        return centred.mul_(first(self.gamma, k) * scale)


def _weighted_sum(x, share):
    """Return ``(x * share).sum(1, keepdim=True)``.

    A number is multiplied last: of images, every pass over a batch counts.
    """
    if isinstance(share, float):
        return x.sum(1, keepdim=True).mul_(share)
    return (x * share).sum(1, keepdim=True)


class Convolution:
    """A convolution, and the pooling after it if nothing stands between, of each model.

    Parameters
    ----------
    weight : Parameter of shape (n_models, n_in * n_taps, n_out)
    bias : Parameter of shape (n_models, 1, n_out)
    shape : ConvolutionShape
    is_first : bool
        The gradient of the first layer's input is not needed.
    is_centred : bool, default=False
        As of `Linear`.
    """

    def __init__(self, weight, bias, shape, is_first, is_centred=False):
        self.weight, self.bias, self.shape = weight, bias, shape
        self.is_first, self.is_centred = is_first, is_centred

    def predict(self, x):
        k = x.size(0)
        weight, bias = first(self.weight, k), first(self.bias, k)
        return convolve(x, weight, bias, self.shape)[0]

    def forward(self, x, weight, mask):
        k = x.size(0)
        weight, bias = first(self.weight, k), first(self.bias, k)
        output, saved = convolve(x, weight, bias, self.shape)
        return output, (x, saved)

    def backward(self, gradient, saved):
        (x, saved), k = saved, gradient.size(0)
        gradient = gradient.contiguous()
        if not self.is_centred:
            # A pooled gradient goes to one pixel each: the sum is the same before it.
            of_pixels = gradient.view(k, -1, self.shape.n_out)
            torch.sum(of_pixels, 1, keepdim=True, out=first(self.bias.grad, k))
        weight, out = first(self.weight, k), first(self.weight.grad, k)
        needs_input = not self.is_first
        return convolution_backward(
            gradient, x, weight, self.shape, saved, out, needs_input
        )


class MaxPool:
    """The largest value of each window, where other layers follow the convolution.

    Parameters
    ----------
    shape : ConvolutionShape
    """

    def __init__(self, shape):
        self.shape = shape

    def predict(self, x):
        return max_pool(x, self.shape)[0]

    def forward(self, x, weight, mask):
        return max_pool(x, self.shape)

    def backward(self, gradient, indices):
        return max_pool_backward(gradient, indices, self.shape)


class ChannelDropout(Dropout):
    """Dropout of whole channels (Tompson et al. 2015): a mask for all their pixels.

    Neighbouring pixels tell the same, so that units dropped one by one are made up for.
    """

    def forward(self, x, weight, mask):
        if mask is None:
            return x, None
        mask, pixels = mask.unsqueeze(2), x.reshape(*x.shape[:2], -1, mask.size(2))
        output = pixels.mul_(mask) if self.in_place else pixels * mask
        return output.view(x.shape), mask

    def backward(self, gradient, mask):
        if mask is None:
            return gradient
        # Gradients of dense layers need not lie in the order of their numbers.
        pixels = gradient.reshape(*gradient.shape[:2], -1, mask.size(3))
        return pixels.mul_(mask).view(gradient.shape)


class ChannelNorm(BatchNorm):
    """Batch normalisation of channels, over rows and pixels."""

    def _pixels(self, tensor):
        return tensor.reshape(tensor.size(0), -1, self.gamma.size(2))

    def predict(self, x):
        return super().predict(self._pixels(x)).reshape(x.shape)

    def forward(self, x, weight, mask):
        pixels = self._pixels(x)
        if weight is not None:
            weight = weight.repeat_interleave(pixels.size(1) // x.size(1), 1)
        output, saved = super().forward(pixels, weight, mask)
        return output.view(x.shape), saved

    def backward(self, gradient, saved):
        return super().backward(self._pixels(gradient), saved).reshape(gradient.shape)
