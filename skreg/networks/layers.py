"""The layers of dense and convolutional networks, for a stack of models.

See `Layer` for their interface, and for the memory that a layer may overwrite.
"""

import torch

from skreg.networks.activations import ACTIVATIONS
from skreg.networks.contract import Layer
from skreg.networks.convolution import (
    convolution_backward,
    convolve,
    max_pool,
    max_pool_backward,
)
from skreg.networks.first_models import first_models
from skreg.networks.products import (
    affine,
    times_transposed,
    write_weight_gradient,
)


class Linear(Layer):
    """``x @ W + b`` for each model.

    Parameters
    ----------
    weight : Parameter of shape (n_models, n_in, n_out)
    bias : Parameter of shape (n_models, 1, n_out)
    moves_bias : bool, default=True
        Whether the bias is trained. Otherwise its gradient stays zero. This is so for a
        last layer without intercept, and before batch normalisation, which subtracts
        the bias again: Adam would scale the rounding errors of a gradient that is zero
        up to steps of full length.
    """

    is_trained = True

    def __init__(self, weight, bias, moves_bias=True):
        self.weight, self.bias, self.moves_bias = weight, bias, moves_bias

    def predict(self, x):
        k = x.size(0)
        return affine(first_models(self.bias, k), x, first_models(self.weight, k))

    def forward(self, x, row_weight, drawn):
        return self.predict(x), x

    def backward(self, gradient, x, needs_input):
        k = x.size(0)
        write_weight_gradient(first_models(self.weight.grad, k), x, gradient)
        if self.moves_bias:
            torch.sum(gradient, 1, keepdim=True, out=first_models(self.bias.grad, k))
        return times_transposed(gradient, self.weight) if needs_input else None


class Activation(Layer):
    """An elementwise function.

    Parameters
    ----------
    name : str
        A key of `ACTIVATIONS`.
    """

    def __init__(self, name):
        self.name, self.function = name, ACTIVATIONS[name]

    def __reduce__(self):
        return Activation, (self.name,)  # lambda functions cannot be pickled

    def predict(self, x):
        return self.function.forward(x)

    def forward(self, x, row_weight, drawn):
        y = self.function.forward_(x)
        return y, (x, y)

    def backward(self, gradient, saved, needs_input):
        return self.function.backward(gradient, *saved)


class Dropout(Layer):
    """Multiply by a mask of zeros and ``1 / (1 - rate)`` (Srivastava et al. 2014).

    Training scales up the units that it keeps, so prediction changes nothing.

    Parameters
    ----------
    in_place : bool, default=False
        Whether to overwrite the input, which the layer before must not need.
    """

    takes = ("mask",)

    def __init__(self, in_place=False):
        self.in_place = in_place

    def predict(self, x):
        return x

    def forward(self, x, row_weight, drawn):
        (mask,) = drawn
        if mask is None:
            return x, None
        return (x.mul_(mask) if self.in_place else x * mask), mask

    def backward(self, gradient, mask, needs_input):
        return gradient if mask is None else gradient.mul_(mask)


class BatchNorm(Layer):
    """``gamma * (x - mean) / sqrt(var + eps) + beta`` (Ioffe and Szegedy 2015).

    In training, the mean and the (population) variance are those of the batch, weighted
    by the weights of its rows. At prediction they are running averages.

    Parameters
    ----------
    gamma, beta : Parameter of shape (n_models, 1, n_units)
    running_mean, running_var : Tensor of shape (n_models, 1, n_units)
    """

    is_trained = True
    momentum, eps = 0.1, 1e-5

    def __init__(self, gamma, beta, running_mean, running_var):
        self.gamma, self.beta = gamma, beta
        self.running_mean, self.running_var = running_mean, running_var

    def predict(self, x):
        gamma, beta, mean, var = (
            first_models(tensor, x.size(0))
            for tensor in (self.gamma, self.beta, self.running_mean, self.running_var)
        )
        return torch.addcmul(beta, x - mean, gamma * torch.rsqrt(var + self.eps))

    def forward(self, x, row_weight, drawn):
        k = x.size(0)
        if row_weight is None:
            share = 1 / x.size(1)
        else:
            share = row_weight / row_weight.sum(1, True)
        mean = _weighted_sum(x, share)
        normed = x - mean
        var = _weighted_sum(normed * normed, share)
        scale = torch.rsqrt(var + self.eps)
        normed *= scale
        first_models(self.running_mean, k).lerp_(mean, self.momentum)
        first_models(self.running_var, k).lerp_(var, self.momentum)
        beta, gamma = first_models(self.beta, k), first_models(self.gamma, k)
        output = torch.addcmul(beta, normed, gamma)
        return output, (normed, scale, share)

    def backward(self, gradient, saved, needs_input):
        normed, scale, share = saved
        k = normed.size(0)
        sum_g = first_models(self.beta.grad, k)
        sum_gx = first_models(self.gamma.grad, k)
        torch.sum(gradient, 1, keepdim=True, out=sum_g)
        torch.sum(gradient * normed, 1, keepdim=True, out=sum_gx)
        if isinstance(share, float):
            part = torch.addcmul(sum_g * share, normed, sum_gx * share)
        else:
            part = torch.addcmul(sum_g, normed, sum_gx).mul_(share)
        centred = torch.sub(gradient, part, out=part)
        return centred.mul_(first_models(self.gamma, k) * scale)


def _weighted_sum(x, share):
    """Return ``(x * share).sum(1, keepdim=True)``.

    If the share is a single number, it multiplies the sum, which saves a pass over the
    batch. This matters for images.
    """
    if isinstance(share, float):
        return x.sum(1, keepdim=True).mul_(share)
    return (x * share).sum(1, keepdim=True)


class Convolution(Layer):
    """A convolution for each model, and the pooling that directly follows it, if any.

    Parameters
    ----------
    weight : Parameter of shape (n_models, n_in * n_taps, n_out)
    bias : Parameter of shape (n_models, 1, n_out)
    shape : ConvolutionShape
    is_centred : bool, default=False
        Whether batch normalisation follows, as for `Linear`.
    """

    is_trained = True

    def __init__(self, weight, bias, shape, is_centred=False):
        self.weight, self.bias, self.shape = weight, bias, shape
        self.is_centred = is_centred

    def predict(self, x):
        k = x.size(0)
        weight, bias = first_models(self.weight, k), first_models(self.bias, k)
        return convolve(x, weight, bias, self.shape)[0]

    def forward(self, x, row_weight, drawn):
        k = x.size(0)
        weight, bias = first_models(self.weight, k), first_models(self.bias, k)
        output, saved = convolve(x, weight, bias, self.shape)
        return output, (x, saved)

    def backward(self, gradient, saved, needs_input):
        (x, saved), k = saved, gradient.size(0)
        gradient = gradient.contiguous()
        if not self.is_centred:
            # Pooling sends each gradient to one pixel, so their sum stays the same.
            of_pixels = gradient.view(k, -1, self.shape.n_out)
            torch.sum(of_pixels, 1, keepdim=True, out=first_models(self.bias.grad, k))
        weight, out = first_models(self.weight, k), first_models(self.weight.grad, k)
        return convolution_backward(
            gradient, x, weight, self.shape, saved, out, needs_input
        )


class MaxPool(Layer):
    """Maximum pooling that does not directly follow a convolution.

    If it directly follows a convolution, the convolution includes it.

    Parameters
    ----------
    shape : ConvolutionShape
    """

    def __init__(self, shape):
        self.shape = shape

    def predict(self, x):
        return max_pool(x, self.shape)[0]

    def forward(self, x, row_weight, drawn):
        return max_pool(x, self.shape)

    def backward(self, gradient, indices, needs_input):
        return max_pool_backward(gradient, indices, self.shape)


class ChannelDropout(Dropout):
    """Dropout of whole channels, with all their pixels (Tompson et al. 2015).

    Neighbouring pixels are similar, so dropout of single pixels would have little
    effect.
    """

    def forward(self, x, row_weight, drawn):
        (mask,) = drawn
        if mask is None:
            return x, None
        mask, pixels = mask.unsqueeze(2), x.reshape(*x.shape[:2], -1, mask.size(2))
        output = pixels.mul_(mask) if self.in_place else pixels * mask
        return output.view(x.shape), mask

    def backward(self, gradient, mask, needs_input):
        if mask is None:
            return gradient
        # The gradient from a dense layer may not be contiguous.
        pixels = gradient.reshape(*gradient.shape[:2], -1, mask.size(3))
        return pixels.mul_(mask).view(gradient.shape)


class ChannelNorm(BatchNorm):
    """Batch normalisation of channels, over rows and pixels."""

    def _pixels(self, tensor):
        """Return a tensor of shape (k, n_rows * n_pixels, n_channels)."""
        return tensor.reshape(tensor.size(0), -1, self.gamma.size(2))

    def predict(self, x):
        return super().predict(self._pixels(x)).reshape(x.shape)

    def forward(self, x, row_weight, drawn):
        pixels = self._pixels(x)
        if row_weight is not None:
            n_pixels = pixels.size(1) // x.size(1)
            row_weight = row_weight.repeat_interleave(n_pixels, 1)
        output, saved = super().forward(pixels, row_weight, drawn)
        return output.view(x.shape), saved

    def backward(self, gradient, saved, needs_input):
        passed = super().backward(self._pixels(gradient), saved, needs_input)
        return passed.reshape(gradient.shape)
