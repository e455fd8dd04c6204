"""The penalties of the objective: convex functions of the weights of a layer.

For each model of a stack, with one strength per layer::

    penalty = sum_layers (l1 * ||W||_1 + l2 * ||W||_F^2)
              + group_l1 * sum_j ||W_1[j, :]||_2

under the constraints ``W >= 0`` (positive) and ``||W[:, k]||_2 <= max_norm``. Weights
only: biases and batch-norm parameters are free.

A penalty is a class with the contract of `Penalty` and a place in `PENALTIES`.
"""

import math

import torch

from skreg.penalties.contract import Penalty, scaled
from skreg.penalties.proximal import (
    clip_unit_norm,
    group_soft_threshold,
    shrink,
    soft_threshold,
)


class L1(Penalty):
    """The sum of absolute weights: ``strength * ||W||_1`` (Tibshirani 1996)."""

    parameter = "l1"

    def value(self, weight):
        return self._times_strength(weight.abs())

    def prox(self, z, step):
        return soft_threshold(z, step * self._of(z))

    def prox_(self, z, rate, metric, spare):
        upper, lower = spare
        torch.div(rate * self._of(z), metric.expand_as(z), out=upper)
        torch.neg(upper, out=lower)
        z.sub_(torch.clamp(z, lower, upper, out=lower))  # as `soft_threshold`

    def slope(self, weight):
        return scaled(self._of(weight), weight.sign())

    def reduce(self, weight, residual):
        inside = soft_threshold(residual, self._of(residual))
        return torch.where(weight == 0, inside, residual)

    def pull_back(self, weight, start):
        crossed = (weight * start < 0) & (self._of(weight) > 0)
        return torch.where(crossed, 0.0, weight)

    def emptying(self, gradient):
        return gradient.abs().amax((1, 2))


class NonNegative(Penalty):
    """The constraint ``W >= 0``, for the models whose strength is not zero."""

    parameter = "positive"
    is_constraint = True

    def value(self, weight):
        violated = (weight < 0) & (self.strength != 0)
        return torch.where(violated.any(2).any(1), math.inf, 0.0).to(weight.dtype)

    def prox(self, z, step):
        return torch.where(self._of(z) != 0, z.clamp(min=0), z)

    def pull_back(self, weight, start):
        return self.prox(weight, None)

    def reduce(self, weight, residual):
        # At zero every number below is a subgradient, and below zero there is none.
        left = torch.where(weight == 0, residual.clamp(max=0), residual)
        left = torch.where(weight < 0, math.inf, left)
        return torch.where(self._of(weight) != 0, left, residual)


class GroupLasso(Penalty):
    """The sum of the norms of each input's weights: ``strength * sum_j ||W[j, :]||_2``.

    Yuan and Lin (2006), "Model selection and estimation in regression with grouped
    variables". The step of its proximal operator must be constant in each group.

    Parameters
    ----------
    strength : Tensor of shape (n_models,)
    n_rows : int, default=1
        Number of neighbouring rows that are one group: those of one input.
    """

    parameter = "group_l1"
    is_curved = True

    def __init__(self, strength, n_rows=1):
        super().__init__(strength)
        self.n_rows = n_rows

    def grouped(self, tensor):
        """Return a layer's tensor with a group in each row."""
        if self.n_rows == 1:
            return tensor
        return tensor.reshape(tensor.size(0), -1, self.n_rows * tensor.size(2))

    def per_row(self, column):
        """Return numbers of groups, of shape (k, n_groups, 1), for each row."""
        return column.repeat_interleave(self.n_rows, 1) if self.n_rows > 1 else column

    def _norms(self, weight):
        return torch.linalg.vector_norm(self.grouped(weight), dim=2, keepdim=True)

    def value(self, weight):
        return self._times_strength(self._norms(weight))

    def prox(self, z, step):
        if self.n_rows > 1 and step.dim() == 3 and step.size(1) > 1:
            step = step[:, :: self.n_rows]
        shrunk = group_soft_threshold(self.grouped(z), step * self._of(z))
        return shrunk.view(z.shape)

    def slope(self, weight):
        norm = self.per_row(self._norms(weight))
        return scaled(self._of(weight), weight / torch.where(norm > 0, norm, 1.0))

    def reduce(self, weight, residual):
        groups = self.grouped(residual)
        inside = group_soft_threshold(groups, self._of(residual)).view(residual.shape)
        is_zero = self.per_row((self.grouped(weight) == 0).all(2, keepdim=True))
        return torch.where(is_zero, inside, residual)

    def pull_back(self, weight, start):
        crossed = self.grouped(weight * start).sum(2, keepdim=True) < 0
        crossed = self.per_row(crossed)
        return torch.where(crossed & (self._of(weight) > 0), 0.0, weight)

    def emptying(self, gradient):
        return self._norms(gradient).amax((1, 2))


class L2(Penalty):
    """The sum of squared weights, without a half: ``strength * ||W||_F^2``."""

    parameter = "l2"
    is_smooth = is_curved = True

    def __init__(self, strength):
        super().__init__(strength)
        self._double = 2 * self.strength
        self._is_finite = bool(torch.isfinite(strength).all())

    def value(self, weight):
        return self._times_strength(weight * weight)

    def prox(self, z, step):
        return shrink(z, step * self._of(z))

    def slope(self, weight):
        return scaled(2 * self._of(weight), weight)

    def add_slope_(self, gradient, weight):
        if self._is_finite:
            gradient.addcmul_(weight, self._double[: weight.size(0)])
        else:
            super().add_slope_(gradient, weight)

    def reduce(self, weight, residual):
        # At an infinite strength every number is a subgradient at zero.
        held = torch.isinf(self._of(weight)) & (weight == 0)
        return torch.where(held, 0.0, residual)


class MaxNorm(Penalty):
    """The constraint ``||W[:, k]||_2 <= strength`` for each unit `k`.

    Srivastava et al. (2014), "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", section 5.1. Its proximal operator is the projection, whatever the
    step.
    """

    parameter = "max_norm"
    off = math.inf
    is_constraint = True

    def value(self, weight):
        violated = self._excess(weight) > self._rounding(weight)
        return torch.where(violated.any(2).any(1), math.inf, 0.0).to(weight.dtype)

    def prox(self, z, step):
        return clip_unit_norm(z, self._of(z))

    def pull_back(self, weight, start):
        return self.prox(weight, None)

    def reduce(self, weight, residual):
        # On the sphere the subgradients are the outward normals.
        squares = (weight * weight).sum(1, keepdim=True)
        inward = -(residual * weight).sum(1, keepdim=True)
        outward = inward.clamp(min=0) / torch.where(squares > 0, squares, 1.0)
        excess, rounding = self._excess(weight), self._rounding(weight)
        left = torch.where(excess < -rounding, residual, residual + outward * weight)
        return torch.where(excess > rounding, math.inf, left)

    def _excess(self, weight):
        """Return by how much norms exceed the radius, as a share of it."""
        norm = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
        return norm / self._of(weight) - 1

    def _rounding(self, weight):
        return 8 * torch.finfo(weight.dtype).eps * weight.size(1) ** 0.5


# In the order in which their proximal operators, one after another, are that of their
# sum: positively homogeneous functions, which a norm may follow, before the square,
# which scales, and the ball (Yu 2013, "On Decomposing the Proximal Map"). The one
# exception is GroupLasso with MaxNorm, of the rows and of the columns.
PENALTIES = (L1, NonNegative, GroupLasso, L2, MaxNorm)
