"""The activation functions of hidden layers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

aten = torch.ops.aten

# Klambauer et al. 2017, "Self-Normalizing Neural Networks".
_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@dataclass(frozen=True)
class ActivationFunction:
    """An elementwise function and its derivative.

    Parameters
    ----------
    forward : callable
        Maps the input to the output.
    backward : callable
        Maps the gradient with respect to the output, the input and the output to the
        gradient with respect to the input. It may compute in place, because new memory
        is not in the caches and costs as much as the arithmetic.
    forward_ : callable, default=None
        As `forward`, but may overwrite the input, which `backward` then does not need.
        By default it is `forward`.
    needs_output : bool, default=False
        Whether `backward` needs the output before dropout. That of relu can use the
        output after it, because it is zero wherever dropout makes the output zero.
    is_monotone : bool, default=False
        Whether the function never decreases, so that it can be swapped with maximum
        pooling.
    has_kink : bool, default=False
        Whether the derivative jumps, which full-batch solvers find hard.
    """

    forward: Callable
    backward: Callable
    forward_: Callable | None = None
    needs_output: bool = False
    is_monotone: bool = False
    has_kink: bool = False

    def __post_init__(self):
        if self.forward_ is None:
            object.__setattr__(self, "forward_", self.forward)


ACTIVATIONS = {
    "identity": ActivationFunction(
        lambda x: x,
        lambda g, x, y: g,
        is_monotone=True,
    ),
    "relu": ActivationFunction(
        torch.relu,
        lambda g, x, y: aten.threshold_backward.grad_input(g, y, 0, grad_input=g),
        forward_=torch.relu_,
        is_monotone=True,
        has_kink=True,
    ),
    "tanh": ActivationFunction(
        torch.tanh,
        lambda g, x, y: aten.tanh_backward(g, y),
        needs_output=True,
        is_monotone=True,
    ),
    "logistic": ActivationFunction(
        torch.sigmoid,
        lambda g, x, y: aten.sigmoid_backward(g, y),
        needs_output=True,
        is_monotone=True,
    ),
    "elu": ActivationFunction(
        torch.nn.functional.elu,
        lambda g, x, y: aten.elu_backward(g, 1, 1, 1, False, x),
        is_monotone=True,
    ),
    "selu": ActivationFunction(
        torch.selu,
        lambda g, x, y: aten.elu_backward(g, _SELU_ALPHA, _SELU_SCALE, 1, False, x),
        is_monotone=True,
        has_kink=True,
    ),
    "gelu": ActivationFunction(
        torch.nn.functional.gelu,
        lambda g, x, y: aten.gelu_backward(g, x),
    ),
    "silu": ActivationFunction(
        torch.nn.functional.silu,
        lambda g, x, y: aten.silu_backward(g, x),
    ),
    "mish": ActivationFunction(
        torch.nn.functional.mish,
        lambda g, x, y: aten.mish_backward(g, x),
    ),
    "leaky_relu": ActivationFunction(
        torch.nn.functional.leaky_relu,
        lambda g, x, y: aten.leaky_relu_backward(g, x, 0.01, False),
        is_monotone=True,
        has_kink=True,
    ),
}
