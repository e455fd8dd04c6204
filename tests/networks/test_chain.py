"""The contract of layers: their random tensors, and the computed gradients."""

import numpy as np
import pytest
import torch
from _networks import N_MODELS, N_ROWS, normal, parameter

from skreg.networks.chain import Chain
from skreg.networks.contract import Layer
from skreg.networks.layers import Activation, Dropout, Linear
from skreg.networks.skips import LinearSkip, Residual


class Recorder(Layer):
    """A layer that adds its random tensors, and records the requested gradients."""

    def __init__(self, takes=(), is_trained=False):
        self.takes, self.is_trained, self.asked = takes, is_trained, []

    def predict(self, x):
        return x

    def forward(self, x, row_weight, drawn):
        assert len(drawn) == len(self.takes)
        return x + sum(tensor for tensor in drawn if tensor is not None), None

    def backward(self, gradient, saved, needs_input):
        self.asked.append(needs_input)
        return gradient if needs_input or not self.is_trained else None


def linear(n_in=3, n_out=3, seed=0):
    weight = parameter(N_MODELS, n_in, n_out, seed=seed)
    return Linear(weight, parameter(N_MODELS, 1, n_out, seed=seed + 1))


def test_each_layer_gets_what_it_takes():
    parts = [Recorder(("mask",)), Recorder(), Recorder(("mask", "path"))]
    chain = Chain([parts[0], Residual(parts[1:]), Recorder(("path",))])
    assert chain.takes == ("mask", "mask", "path", "path", "path")
    outer = LinearSkip([chain], parameter(N_MODELS, 3, 3))
    assert outer.takes == (*chain.takes, "path")
    x = normal(N_MODELS, N_ROWS, 3)
    output, _ = chain.forward(x, None, [1.0, 20.0, 300.0, 2.0, 4000.0])
    inner = x + 1
    torch.testing.assert_close(output, inner + 2 * (inner + 320) + 4000)
    output, _ = chain.forward(x, None, [None] * 5)
    torch.testing.assert_close(output, 2 * x)


@pytest.mark.parametrize("trained", [(), (0,), (1,), (1, 2), (3,)])
def test_gradients_that_serve_nothing_are_not_asked_for(trained):
    """Those below the first layer with parameters, unless the input's is wanted."""
    layers = [Recorder(is_trained=i in trained) for i in range(4)]
    chain, x = Chain(layers), normal(N_MODELS, N_ROWS, 3)
    assert chain.is_trained == bool(trained)
    _, tape = chain.forward(x, None, ())
    assert chain.backward(x, tape, False) is None
    lowest = min(trained, default=4)
    for i, layer in enumerate(layers):
        assert layer.asked == ([i > lowest] if i >= lowest else [])
    assert chain.backward(x, tape, True) is x
    assert all(layer.asked[-1] for layer in layers)


@pytest.mark.parametrize("kind", [Chain, Residual, LinearSkip])
def test_parameters_get_the_same_gradients_without_that_of_the_input(kind):
    """Whatever stands before the first of them."""
    dense = [linear(), linear(seed=5)]
    layers = [Activation("tanh"), Dropout(), dense[0], Activation("relu"), dense[1]]
    skip = parameter(N_MODELS, 3, 3, seed=9)
    layer = kind(layers, skip) if kind is LinearSkip else kind(layers)
    tensors = [tensor for one in dense for tensor in (one.weight, one.bias)]
    tensors += [skip] if kind is LinearSkip else []
    x, gradient = normal(N_MODELS, N_ROWS, 3), normal(N_MODELS, N_ROWS, 3, seed=1)
    found = []
    for needs_input in (True, False):
        _, saved = layer.forward(x.clone(), None, [None] * len(layer.takes))
        passed = layer.backward(gradient.clone(), saved, needs_input)
        assert (passed is not None) == needs_input
        found.append([tensor.grad.clone() for tensor in tensors])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
