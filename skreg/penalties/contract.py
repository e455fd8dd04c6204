"""The contract of penalties: convex functions of the weights of one layer."""

import math
from abc import ABC, abstractmethod

import torch


class Penalty(ABC):
    """A convex function of the weights of one layer, for each model of a stack.

    A subclass defines `value` and `prox`, and the subdifferential by `slope` and
    `reduce`. The other methods have defaults. `check_penalty` tests numerically whether
    the methods of a subclass agree.

    Weights have the shape (n_models, n_in, n_out): a matrix for each model, with a row
    for each input of the layer and a column for each unit. A penalty computes all
    models at once, each with its own strength. It may be given the weights of the first
    `k` models only, for which `strength_for` returns the strengths.

    Parameters
    ----------
    strength : Tensor of shape (n_models,)
        The strength for each model.
    factors : Tensor of shape (n_models, n_terms), default=None
        What to multiply the strength of each term by, not negative. The terms are the
        rows of the weights, and for `GroupLasso` the groups. An infinite factor is an
        infinite strength, even where the strength is zero. None is 1 for all terms.

    Attributes
    ----------
    strength : Tensor of shape (n_models, 1, 1) or (n_models, n_terms, 1)
        The product of strengths and factors. The latter shape is that with factors.
    factors : Tensor of shape (n_models, n_terms, 1) or None
    parameter : str
        The parameter of the estimators that the strengths come from, for the penalties
        that have one.
    off : float, default=0.0
        The strength at which the penalty has no effect.
    is_smooth : bool, default=False
        Whether the penalty has a gradient everywhere, so that `slope` is all of its
        subdifferential. Such a penalty enters the gradient of the objective. The others
        act through `prox`.
    is_curved : bool, default=False
        Whether `slope` varies between the kinks of the penalty. That of the l1 penalty,
        for one, is constant on each side of zero.
    is_constraint : bool, default=False
        Whether all values are 0 or infinity. `prox` is then a projection, whatever the
        step.

    Notes
    -----
    The methods serve different purposes:

    - `value` is the term of the objective, and so part of the loss that is reported.
    - `prox` follows each gradient step, and makes the exact zeros.
    - `slope` and `reduce` measure how far weights are from an optimum.
    - `pull_back` lets the full-batch solver stop at kinks.
    - `emptying` is the strength at which a path of strengths begins.

    The distance of a gradient to the subdifferential of a sum of penalties is found
    penalty by penalty. This is why the subdifferential is given in two parts: `slope`
    where there is one subgradient, and `reduce` where there are several.

    Examples
    --------
    A cost for negative weights, ``strength * sum(max(-w, 0))``, for two models:

    >>> import torch
    >>> from skreg.penalties import Penalty, check_penalty
    >>> class NegativePart(Penalty):
    ...     def value(self, weight):
    ...         return self.times_strength((-weight).clamp(min=0))
    ...
    ...     def prox(self, z, step):
    ...         raised = (z + step * self.strength_for(z)).clamp(max=0)
    ...         return torch.where(z < 0, raised, z)
    ...
    ...     def slope(self, weight):
    ...         return torch.where(weight < 0, -self.strength_for(weight), 0.0)
    ...
    ...     def reduce(self, weight, residual):
    ...         # At zero each number from -strength to 0 is a subgradient.
    ...         left = (residual - self.strength_for(weight)).clamp(min=0)
    ...         at_zero = torch.where(residual > 0, left, residual)
    ...         return torch.where(weight == 0, at_zero, residual)
    >>> penalty = NegativePart(torch.tensor([1.0, 0.5], dtype=torch.float64))
    >>> penalty.prox(torch.tensor([[[-3.0, -0.2, 4.0]]]), torch.tensor(0.5))
    tensor([[[-2.5000,  0.0000,  4.0000]]], dtype=torch.float64)
    >>> check_penalty(penalty)
    """

    strength: torch.Tensor
    factors: torch.Tensor | None = None
    parameter: str
    off: float = 0.0
    is_smooth: bool = False
    is_curved: bool = False
    is_constraint: bool = False

    def __init__(
        self, strength: torch.Tensor, factors: torch.Tensor | None = None
    ) -> None:
        self.strength, self.factors = strength.view(-1, 1, 1), None
        if factors is not None:
            self.factors = factors.unsqueeze(2)
            product = scaled(self.strength, self.factors)
            self.strength = torch.where(self.factors == math.inf, math.inf, product)

    @abstractmethod
    def value(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the penalty of each model.

        Parameters
        ----------
        weight : Tensor of shape (n_models, n_in, n_out)
            The weights of all models.

        Returns
        -------
        Tensor of shape (n_models,)
            One number for each model, infinity where a constraint is violated.
        """

    @abstractmethod
    def prox(self, z: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """Return the proximal operator at `z`.

        That is ``argmin_w  step * penalty(w) + ||w - z||^2 / 2``.

        Parameters
        ----------
        z : Tensor of shape (k, n_in, n_out)
            A matrix for each of the first `k` models. It is left unchanged.
        step : Tensor
            Positive, broadcastable with `z`. Constraints must take None, too.

        Returns
        -------
        Tensor of shape (k, n_in, n_out)
            The minimisers.
        """

    def prox_(
        self,
        z: torch.Tensor,
        rate: torch.Tensor,
        metric: torch.Tensor,
        spare: list[torch.Tensor],
    ) -> None:
        """Replace `z` by the proximal operator with the step ``rate / metric``.

        A subclass may override this to save memory. The default calls `prox`.

        Parameters
        ----------
        z : Tensor of shape (k, n_in, n_out)
            A matrix for each of the first `k` models, which is overwritten.
        rate : Tensor of shape (k, 1, 1)
            Positive. Constraints, which need no step, must take None, too.
        metric : Tensor
            Positive, broadcastable with `z`. Constraints must take None, too.
        spare : list of two Tensor of shape (k, n_in, n_out)
            Memory that may be overwritten, because a pass over new memory takes twice
            as long. The metric may be the first of them.
        """
        step = None if self.is_constraint else rate / metric
        z.copy_(self.prox(z, step))

    def slope(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the penalty, and 0 where it has none.

        Parameters
        ----------
        weight : Tensor of shape (k, n_in, n_out)
            The weights of the first `k` models.

        Returns
        -------
        Tensor of shape (k, n_in, n_out)
            The partial derivative for each weight.
        """
        return torch.zeros_like(weight)

    def curvature(self, weight: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """Return the derivative of the `slope` as the weights move in a direction.

        Parameters
        ----------
        weight, direction : Tensor of shape (k, n_in, n_out)
            The weights of the first `k` models, none of them at a kink in the
            direction, and the direction.

        Returns
        -------
        Tensor of shape (k, n_in, n_out)
            Zero if the penalty is not curved.
        """
        return torch.zeros_like(direction)

    def add_slope_(self, gradient: torch.Tensor, weight: torch.Tensor) -> None:
        """Add the `slope` to a gradient, in place.

        Parameters
        ----------
        gradient : Tensor of shape (k, n_in, n_out)
            The gradient, which is overwritten.
        weight : Tensor of shape (k, n_in, n_out)
            The weights of the first `k` models.
        """
        gradient.add_(self.slope(weight))

    def reduce(self, weight: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """Add the subgradient that brings a residual nearest to zero.

        Parameters
        ----------
        weight : Tensor of shape (k, n_in, n_out)
            The weights of the first `k` models.
        residual : Tensor of shape (k, n_in, n_out)
            A gradient to which the slopes of the penalties have been added.

        Returns
        -------
        Tensor of shape (k, n_in, n_out)
            Where the penalty has several subgradients at `weight`, ``residual + s``
            for the subgradient `s` that makes its norm least. Elsewhere the residual
            as it is. Infinity where a constraint is violated.
        """
        return residual

    def pull_back(self, weight: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """Return the last point before a kink on the way from `start` to `weight`.

        Where the way crosses a kink at zero the result is zero. Where it violates a
        constraint the result satisfies it. Elsewhere the result is `weight`.

        Parameters
        ----------
        weight : Tensor of shape (k, n_in, n_out)
            The end of the way.
        start : Tensor of shape (k, n_in, n_out)
            The start of the way, where all constraints are satisfied.

        Returns
        -------
        Tensor of shape (k, n_in, n_out)
            The weights to go to instead.
        """
        return weight

    def emptying(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the smallest strength at which zero weights are optimal.

        Parameters
        ----------
        gradient : Tensor of shape (n_models, n_in, n_out)
            The gradient of the loss at zero weights.

        Returns
        -------
        Tensor of shape (n_models,)
            Infinity if there is no such strength.
        """
        return gradient.new_full((gradient.size(0),), math.inf)

    def strength_for(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the strengths of the models that weights belong to.

        Parameters
        ----------
        weight : Tensor of shape (k, n_in, n_out)
            A matrix for each of the first `k` models.

        Returns
        -------
        Tensor of shape (k, 1, 1) or (k, n_terms, 1)
            The strengths. Those of rows are broadcastable with `weight`.
        """
        return self.strength[: weight.size(0)]

    def times_strength(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum of each model's values times its strength.

        Parameters
        ----------
        values : Tensor of shape (n_models, n_terms, n)
            Numbers that are not negative. Without factors, any axes will do.

        Returns
        -------
        Tensor of shape (n_models,)
            Zero where all values of a model are zero, even if its strength is infinite.
        """
        if self.factors is None:
            return scaled(self.strength.flatten(), values.sum((1, 2)))
        return scaled(self.strength, values.sum(2, keepdim=True)).sum((1, 2))

    def largest_term(self, values: torch.Tensor) -> torch.Tensor:
        """Return the largest of each model's values, divided by their factors.

        Terms with a factor of zero, which the penalty does not touch, are left out.

        Parameters
        ----------
        values : Tensor of shape (n_models, n_terms, n)
            Numbers that are not negative.

        Returns
        -------
        Tensor of shape (n_models,)
            One number for each model.
        """
        if self.factors is not None:
            values = torch.where(self.factors > 0, values / self.factors, 0.0)
        return values.amax((1, 2))


def scaled(strength, values):
    """Return ``strength * values``, which is zero where the values are zero.

    So an infinite strength does not make zeros nan.
    """
    return torch.where(values != 0, strength * values, 0.0)
