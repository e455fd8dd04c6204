"""The contract of the penalties: convex functions of the weights of a layer."""

import math
from abc import ABC, abstractmethod

import torch


class Penalty(ABC):
    """A convex function of the weights of one layer, for each model of a stack.

    Its subdifferential is given in two parts, so that the distance to that of a sum
    is found part by part: `slope` where it is a single point, `reduce` where it is a
    larger set.

    Parameters
    ----------
    strength : Tensor of shape (n_models,)

    Attributes
    ----------
    parameter : str
        The public parameter that the strengths come from.
    off : float
        The strength that makes it nothing.
    is_smooth : bool
        Whether `slope` is all of its subdifferential.
    is_curved : bool
        Whether `slope` changes in places other than kinks.
    is_constraint : bool
        Whether it takes no values but 0 and infinity.
    """

    parameter: str
    off = 0.0
    is_smooth = is_curved = is_constraint = False

    def __init__(self, strength):
        self.strength = strength.view(-1, 1, 1)

    @abstractmethod
    def value(self, weight):
        """Return the penalty of each model.

        Parameters
        ----------
        weight : Tensor of shape (n_models, n_in, n_out)

        Returns
        -------
        Tensor of shape (n_models,)
        """

    @abstractmethod
    def prox(self, z, step):
        """Return ``argmin_w  step * penalty(w) + ||w - z||^2 / 2``.

        Parameters
        ----------
        z : Tensor of shape (k, n_in, n_out)
            Of the first `k` models.
        step : Tensor
            Positive, broadcastable with `z`.

        Returns
        -------
        Tensor of the shape of `z`
        """

    def prox_(self, z, rate, metric, spare):
        """Replace `z` by the proximal operator for the step ``rate / metric``.

        Parameters
        ----------
        z : Tensor of shape (k, n_in, n_out)
        rate : Tensor of shape (k, 1, 1)
        metric : Tensor
            Positive, broadcastable with `z`.
        spare : list of two Tensor of the shape of `z`
            Memory to overwrite: passing over new memory takes twice the time. The
            metric may be the first of them.
        """
        step = None if self.is_constraint else rate / metric
        z.copy_(self.prox(z, step))

    def slope(self, weight):
        """Return the gradient of the penalty, 0 where it has none."""
        return torch.zeros_like(weight)

    def add_slope_(self, gradient, weight):
        """Add the `slope` to a gradient."""
        gradient.add_(self.slope(weight))

    def reduce(self, weight, residual):
        """Return what is left of `residual` after its nearest subgradient is taken.

        That is ``residual + s`` of least norm, over all subgradients `s` at `weight`,
        where there are several; elsewhere the residual as it is.
        """
        return residual

    def pull_back(self, weight, start):
        """Return the last point on the way from `start` to `weight` before a kink.

        Where the way crosses a kink at zero the result is zero, and where it leaves
        what a constraint allows the result is allowed.

        Parameters
        ----------
        weight, start : Tensor of shape (k, n_in, n_out)
        """
        return weight

    def emptying(self, gradient):
        """Return the smallest strength that makes zero weights optimal.

        Parameters
        ----------
        gradient : Tensor of shape (n_models, n_in, n_out)
            Of the loss, at zero weights.

        Returns
        -------
        Tensor of shape (n_models,)
            Infinity if no strength does.
        """
        return torch.full_like(self.strength.flatten(), math.inf)

    def _times_strength(self, values):
        """Return the sum of each model's `values`, none negative, times strength."""
        return scaled(self.strength.flatten(), values.sum((1, 2)))

    def _of(self, weight):
        """Return the strengths of the models that `weight` has."""
        return self.strength[: weight.size(0)]


def scaled(strength, values):
    """Return ``strength * values``, where infinity times nothing is nothing."""
    return torch.where(values != 0, strength * values, 0.0)
