"""The penalties of the objective.

For each model of a stack, with one strength per layer::

    penalty = sum_layers (l1 * ||W||_1 + l2 * ||W||_F^2)
              + group_l1 * sum_j ||W_1[j, :]||_2

under the constraints ``W >= 0`` (positive) and ``||W[:, k]||_2 <= max_norm``. Only
weights are penalised. Biases and the parameters of batch normalisation are free.

`PENALTIES` lists the classes that implement the parameters of the estimators.
"""

import math

import torch

from skreg.penalties.contract import Penalty, scaled
from skreg.penalties.proximal import (
    clip_unit_norm,
    group_shrinkage,
    shrink,
    soft_threshold,
)
from skreg.penalties.row_groups import LabelledRows, NeighbouringRows


class L1(Penalty):
    """The sum of absolute weights: ``strength * ||W||_1`` (Tibshirani 1996).

    Parameters
    ----------
    strength : Tensor of shape (n_models,)
        The strength for each model.
    factors : Tensor of shape (n_models, n_in), default=None
        What to multiply the strength of each row by. None is 1.
    """

    parameter = "l1"

    def value(self, weight: torch.Tensor) -> torch.Tensor:
        return self.times_strength(weight.abs())

    def prox(self, z: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return soft_threshold(z, step * self.strength_for(z))

    def prox_(
        self,
        z: torch.Tensor,
        rate: torch.Tensor,
        metric: torch.Tensor,
        spare: list[torch.Tensor],
    ) -> None:
        upper, lower = spare
        torch.div(rate * self.strength_for(z), metric.expand_as(z), out=upper)
        torch.neg(upper, out=lower)
        z.sub_(torch.clamp(z, lower, upper, out=lower))  # as `soft_threshold`

    def slope(self, weight: torch.Tensor) -> torch.Tensor:
        return scaled(self.strength_for(weight), weight.sign())

    def reduce(self, weight: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        inside = soft_threshold(residual, self.strength_for(residual))
        return torch.where(weight == 0, inside, residual)

    def pull_back(self, weight: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        crossed = (weight * start < 0) & (self.strength_for(weight) > 0)
        return torch.where(crossed, 0.0, weight)

    def emptying(self, gradient: torch.Tensor) -> torch.Tensor:
        return self.largest_term(gradient.abs())


class NonNegative(Penalty):
    """The constraint ``W >= 0``, for the models whose strength is not zero.

    Its proximal operator is the projection, whatever the step.

    Parameters
    ----------
    strength : Tensor of shape (n_models,)
        For each model zero for no constraint, or any other number.
    factors : Tensor of shape (n_models, n_in), default=None
        Zero for the rows without the constraint, or any other number.
    """

    parameter = "positive"
    is_constraint = True

    def value(self, weight: torch.Tensor) -> torch.Tensor:
        violated = (weight < 0) & (self.strength != 0)
        return torch.where(violated.any(2).any(1), math.inf, 0.0).to(weight.dtype)

    def prox(self, z: torch.Tensor, step: torch.Tensor | None) -> torch.Tensor:
        return torch.where(self.strength_for(z) != 0, z.clamp(min=0), z)

    def pull_back(self, weight: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        return self.prox(weight, None)

    def reduce(self, weight: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        # At zero all numbers up to zero are subgradients. Below zero there is none.
        left = torch.where(weight == 0, residual.clamp(max=0), residual)
        left = torch.where(weight < 0, math.inf, left)
        return torch.where(self.strength_for(weight) != 0, left, residual)


class GroupLasso(Penalty):
    """The sum of the norms of each input's weights: ``strength * sum_j ||W[j, :]||_2``.

    With `labels`, it is the sum of the norms of the weights of groups of inputs.

    Yuan and Lin (2006), "Model selection and estimation in regression with grouped
    variables". The step of its proximal operator must be constant within each group.

    Parameters
    ----------
    strength : Tensor of shape (n_models,)
        The strength for each model.
    n_rows : int, default=1
        Number of neighbouring rows that belong to one input and so form a group.
    factors : Tensor of shape (n_models, n_groups), default=None
        What to multiply the strength of each group by, such as the square root of its
        size. None is 1 for all groups.
    labels : Tensor of int64 of shape (n_in,), default=None
        The number of each row's group, from 0 on, for groups of any rows. `n_rows` is
        then not used.
    """

    parameter = "group_l1"
    is_curved = True

    def __init__(
        self,
        strength: torch.Tensor,
        n_rows: int = 1,
        factors: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> None:
        super().__init__(strength, factors)
        self.n_rows = n_rows
        self.groups = (
            NeighbouringRows(n_rows) if labels is None else LabelledRows(labels)
        )

    def per_row(self, column: torch.Tensor) -> torch.Tensor:
        """Repeat the number of each group for each of its rows.

        Parameters
        ----------
        column : Tensor of shape (k, n_groups, 1)
            One number for each group.

        Returns
        -------
        Tensor of shape (k, n_in, 1)
            One number for each row.
        """
        return self.groups.per_row(column)

    def value(self, weight: torch.Tensor) -> torch.Tensor:
        return self.times_strength(self.groups.norms(weight))

    def prox(self, z: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        if step.dim() == 3 and step.size(1) > 1:
            step = self.groups.per_group(step)
        return self._shrunk(z, step * self.strength_for(z))

    def slope(self, weight: torch.Tensor) -> torch.Tensor:
        norm = self.groups.norms(weight)
        share = weight / self.per_row(torch.where(norm > 0, norm, 1.0))
        return scaled(self._strength_of_rows(weight), share)

    def curvature(self, weight: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        norm = self.per_row(self.groups.norms(weight))
        unit = weight / torch.where(norm > 0, norm, 1.0)
        along = self.per_row(self.groups.sums(unit * direction))
        bend = self._strength_of_rows(weight) / torch.where(norm > 0, norm, math.inf)
        return scaled(bend, direction - unit * along)

    def reduce(self, weight: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        inside = self._shrunk(residual, self.strength_for(residual))
        is_zero = self.per_row(self.groups.largest(weight.abs()) == 0)
        return torch.where(is_zero, inside, residual)

    def pull_back(self, weight: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        crossed = self.per_row(self.groups.sums(weight * start) < 0)
        return torch.where(crossed & (self._strength_of_rows(weight) > 0), 0.0, weight)

    def emptying(self, gradient: torch.Tensor) -> torch.Tensor:
        return self.largest_term(self.groups.norms(gradient))

    def _shrunk(self, z, threshold):
        factor = group_shrinkage(self.groups.norms(z), threshold)
        return z * self.per_row(factor)

    def _strength_of_rows(self, weight):
        strength = self.strength_for(weight)
        return strength if self.factors is None else self.per_row(strength)


class L2(Penalty):
    """The sum of squared weights, without a factor 1/2: ``strength * ||W||_F^2``.

    Parameters
    ----------
    strength : Tensor of shape (n_models,)
        The strength for each model.
    factors : Tensor of shape (n_models, n_in), default=None
        What to multiply the strength of each row by. None is 1.
    """

    parameter = "l2"
    is_smooth = is_curved = True

    def __init__(
        self, strength: torch.Tensor, factors: torch.Tensor | None = None
    ) -> None:
        super().__init__(strength, factors)
        self._double = 2 * self.strength
        self._is_finite = bool(torch.isfinite(self.strength).all())

    def value(self, weight: torch.Tensor) -> torch.Tensor:
        return self.times_strength(weight * weight)

    def prox(self, z: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        return shrink(z, step * self.strength_for(z))

    def slope(self, weight: torch.Tensor) -> torch.Tensor:
        return scaled(2 * self.strength_for(weight), weight)

    def curvature(self, weight: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        return scaled(2 * self.strength_for(weight), direction)

    def add_slope_(self, gradient: torch.Tensor, weight: torch.Tensor) -> None:
        if self._is_finite:
            gradient.addcmul_(weight, self._double[: weight.size(0)])
        else:
            super().add_slope_(gradient, weight)

    def reduce(self, weight: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        # With an infinite strength, every number is a subgradient at zero.
        held = torch.isinf(self.strength_for(weight)) & (weight == 0)
        return torch.where(held, 0.0, residual)


class MaxNorm(Penalty):
    """The constraint ``||W[:, k]||_2 <= strength`` for each unit `k`.

    Srivastava et al. (2014), "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting", section 5.1. Its proximal operator is the projection, whatever the
    step.

    Parameters
    ----------
    strength : Tensor of shape (n_models,)
        The largest norm for each model, positive. Infinity is no constraint.
    """

    parameter = "max_norm"
    off = math.inf
    is_constraint = True

    def __init__(self, strength: torch.Tensor) -> None:
        super().__init__(strength)  # norms of columns have no factors for rows

    def value(self, weight: torch.Tensor) -> torch.Tensor:
        violated = self._excess(weight) > self._rounding(weight)
        return torch.where(violated.any(2).any(1), math.inf, 0.0).to(weight.dtype)

    def prox(self, z: torch.Tensor, step: torch.Tensor | None) -> torch.Tensor:
        return clip_unit_norm(z, self.strength_for(z))

    def pull_back(self, weight: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        return self.prox(weight, None)

    def reduce(self, weight: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        # On the sphere, the subgradients are the outward normals.
        squares = (weight * weight).sum(1, keepdim=True)
        inward = -(residual * weight).sum(1, keepdim=True)
        outward = inward.clamp(min=0) / torch.where(squares > 0, squares, 1.0)
        excess, rounding = self._excess(weight), self._rounding(weight)
        left = torch.where(excess < -rounding, residual, residual + outward * weight)
        return torch.where(excess > rounding, math.inf, left)

    def _excess(self, weight):
        """Return how far the norms exceed the radius, as a share of the radius."""
        norm = torch.linalg.vector_norm(weight, dim=1, keepdim=True)
        return norm / self.strength_for(weight) - 1

    def _rounding(self, weight):
        """Return the share of the radius by which rounding may change a norm."""
        return 8 * torch.finfo(weight.dtype).eps * weight.size(1) ** 0.5


# The order matters: applied in turn, the proximal operators of these penalties are that
# of their sum (Yu 2013, "On Decomposing the Proximal Map"). Positively homogeneous
# functions come first, the norm of groups after those of single weights. The square,
# which scales, and the projection to the ball come last. The one exception is
# GroupLasso with MaxNorm, because one acts on rows and the other on columns.
PENALTIES = (L1, NonNegative, GroupLasso, L2, MaxNorm)
