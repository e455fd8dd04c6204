"""Random tensors, layers and networks, and checks of their derivatives."""

import numpy as np
import torch
from _numeric import derivative

from skreg.data.random_streams import INIT, Streams
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork

N_MODELS, N_ROWS = 2, 6


def normal(*shape, seed=0, dtype=torch.float64):
    """Return standard normal numbers that depend on the seed only."""
    return torch.randn(
        shape, generator=torch.Generator().manual_seed(seed), dtype=dtype
    )


def parameter(*shape, seed=0):
    """Return a normal parameter with a gradient that no step has written."""
    tensor = torch.nn.Parameter(normal(*shape, seed=seed), False)
    # Steps overwrite the gradients: what was there before must not count.
    tensor.grad = torch.full_like(tensor, 7.0)
    return tensor


def random_weight(seed=0, ragged=True):
    """Return row weights that sum to one. The last row of the second model has none."""
    weight = normal(N_MODELS, N_ROWS, 1, seed=seed).exp()
    if ragged:
        weight[1, -1] = 0
    return weight / weight.sum(1, keepdim=True)


def check_layer(layer, x, weight=None, drawn=(), parameters=()):
    """Compare a layer's `backward` with numerical derivatives of a random functional.

    `drawn` has a tensor or None for each name that the layer takes.
    """
    output, saved = layer.forward(x.clone(), weight, drawn)
    cotangent = normal(*output.shape, seed=99)
    if weight is not None:
        # As any loss gives it: rows of weight zero have no gradient.
        cotangent = cotangent * weight
    gradient = layer.backward(cotangent.clone(), saved, True)

    def functional(x):
        return layer.forward(x.clone(), weight, drawn)[0] * cotangent

    expected = derivative(functional, x)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-10)
    for tensor in parameters:
        value = tensor.data.clone()

        def of_parameter(moved, tensor=tensor):
            tensor.data.copy_(moved)
            return layer.forward(x.clone(), weight, drawn)[0] * cotangent

        expected = derivative(of_parameter, value)
        tensor.data.copy_(value)
        torch.testing.assert_close(tensor.grad, expected, rtol=1e-9, atol=1e-10)


def network(architecture, dtype=torch.float64, n_models=N_MODELS, initial=None):
    """Return a network with gradients, from initial weights or from given ones."""
    states = initial or [
        initial_state(architecture, Streams(seed)[INIT], np.float64)
        for seed in range(n_models)
    ]
    # Copies: a stack of one shares its arrays with the caller.
    states = [[array.copy() for array in state] for state in states]
    return StackedNetwork(architecture, states, dtype).prepare_training()


def loss_of(module, loss, x, target, weight, masks):
    """Return the loss of each model, its gradient by the outputs, and the tape."""
    score, tape = module.forward_training(x.clone(), weight, masks)
    value, gradient = loss.value_and_gradient(score, target, weight)
    return value, gradient, tape


def check_gradients(module, loss, x, target, weight=None, masks=()):
    """Compare the gradient of all parameters with derivatives of the loss."""
    _, gradient, tape = loss_of(module, loss, x, target, weight, masks)
    module.backward(gradient, tape)
    for name, tensor in module.named_parameters():
        value = tensor.detach().clone()

        def of_parameter(moved, tensor=tensor):
            tensor.copy_(moved)
            return loss_of(module, loss, x, target, weight, masks)[0]

        expected = derivative(of_parameter, value, step=1e-4)
        tensor.copy_(value)
        # 1e-16 over the step, with some tens of terms.
        torch.testing.assert_close(
            tensor.grad,
            expected,
            rtol=1e-8,
            atol=1e-10,
            msg=lambda m, n=name: f"{n}: {m}",
        )
