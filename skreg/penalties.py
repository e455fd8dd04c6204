"""The penalties of the objective: convex functions of the weights of a layer.

For each model of a stack, with one strength per layer::

    penalty = sum_layers (l1 * ||W||_1 + l2 * ||W||_F^2)
              + group_l1 * sum_j ||W_1[j, :]||_2

under the constraints ``W >= 0`` (positive) and ``||W[:, k]||_2 <= max_norm``. Weights
only: biases and batch-norm parameters are free.

A penalty is a class with the contract of `Penalty` and a place in `PENALTIES`.
"""

import math
from abc import ABC, abstractmethod

import torch

from skreg.prox import clip_unit_norm, group_soft_threshold, shrink, soft_threshold


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
        return _scaled(self.strength.flatten(), values.sum((1, 2)))

    def _of(self, weight):
        """Return the strengths of the models that `weight` has."""
        return self.strength[: weight.size(0)]


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
        return _scaled(self._of(weight), weight.sign())

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
    variables". The step of its proximal operator must be constant in each row.
    """

    parameter = "group_l1"
    is_curved = True

    def value(self, weight):
        return self._times_strength(
            torch.linalg.vector_norm(weight, dim=2, keepdim=True)
        )

    def prox(self, z, step):
        return group_soft_threshold(z, step * self._of(z))

    def slope(self, weight):
        norm = torch.linalg.vector_norm(weight, dim=2, keepdim=True)
        return _scaled(self._of(weight), weight / torch.where(norm > 0, norm, 1.0))

    def reduce(self, weight, residual):
        inside = group_soft_threshold(residual, self._of(residual))
        return torch.where((weight == 0).all(2, keepdim=True), inside, residual)

    def pull_back(self, weight, start):
        crossed = (weight * start).sum(2, keepdim=True) < 0
        return torch.where(crossed & (self._of(weight) > 0), 0.0, weight)

    def emptying(self, gradient):
        return torch.linalg.vector_norm(gradient, dim=2).amax(1)


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
        return _scaled(2 * self._of(weight), weight)

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


class Sum:
    """The sum of penalties of one layer, such as the elastic net ``L1 + L2``.

    Parameters
    ----------
    penalties : list of Penalty
        In the order of `PENALTIES`.

    Examples
    --------
    >>> import torch
    >>> from skreg.penalties import L1, L2, Sum
    >>> elastic_net = Sum([L1(torch.tensor([1.0])), L2(torch.tensor([0.5]))])
    >>> weight = torch.tensor([[[-3.0, 0.5]]])
    >>> elastic_net.value(weight)
    tensor([8.1250])
    >>> elastic_net.prox(weight, torch.tensor(1.0))
    tensor([[[-1.,  0.]]])
    """

    def __init__(self, penalties):
        self.penalties = penalties

    def value(self, weight):
        """Return the sum of the values of each model, of shape (n_models,)."""
        zero = weight.new_zeros(weight.size(0))
        return sum((penalty.value(weight) for penalty in self.penalties), zero)

    def prox(self, z, step):
        """Return the proximal operator of the sum, as `Penalty.prox`."""
        for penalty in self.penalties:
            z = penalty.prox(z, step)
        return z

    def pull_back(self, weight, start):
        """Return what `Penalty.pull_back` of all makes of `weight`."""
        for penalty in self.penalties:
            weight = penalty.pull_back(weight, start)
        return weight

    def residual(self, weight, gradient):
        """Return the subgradient of loss and penalties that is nearest to zero.

        Parameters
        ----------
        weight, gradient : Tensor of shape (n_models, n_in, n_out)
            The gradient is that of the loss.

        Returns
        -------
        Tensor of shape (n_models, n_in, n_out)
            Its norm is the distance of ``-gradient`` to the subdifferential of the
            penalties.
        """
        residual = gradient
        for penalty in self.penalties:
            residual = residual + penalty.slope(weight)
        for penalty in self.penalties:
            residual = penalty.reduce(weight, residual)
        return residual


class Penalties:
    """The penalties of all layers of a stack of models.

    Parameters
    ----------
    strengths : dict of {str: Tensor of shape (n_models, n_layers)}
        For each penalty its strengths, under the name of its parameter.

    Attributes
    ----------
    layers : list of Sum
        The penalties of each layer that are on in any model.
    smooth, nonsmooth : list of list of Penalty
        Those of each layer that enter a gradient, and those that do not.
    """

    def __init__(self, strengths):
        self.strengths = strengths
        n_layers = next(iter(strengths.values())).shape[1]
        self.layers = [Sum(self._of_layer(layer)) for layer in range(n_layers)]
        self.smooth, self.nonsmooth = self._parts(True), self._parts(False)

    def _of_layer(self, layer):
        columns = [
            (kind, self.strengths[kind.parameter][:, layer]) for kind in PENALTIES
        ]
        return [kind(column) for kind, column in columns if (column != kind.off).any()]

    def _parts(self, smooth):
        return [
            [penalty for penalty in layer.penalties if penalty.is_smooth == smooth]
            for layer in self.layers
        ]

    def has(self, kind):
        """Whether a penalty of the class `kind` is on, in any model and layer."""
        return bool((self.strengths[kind.parameter] != kind.off).any())

    def nonsmooth_models(self):
        """Return for each model whether any penalty on it does not enter a gradient."""
        on = [
            (self.strengths[kind.parameter] != kind.off).any(1)
            for kind in PENALTIES
            if not kind.is_smooth
        ]
        return torch.stack(on).any(0).tolist()

    def select(self, models):
        """Return the penalties of the models in the index `models`."""
        return Penalties({name: s[models] for name, s in self.strengths.items()})

    def add_smooth_gradient(self, weights, gradients):
        """Add the gradient of the smooth penalties in place.

        Parameters
        ----------
        weights, gradients : list of Tensor of shape (k, n_in, n_out)
            One per layer, for the first `k` models of the stack.
        """
        for parts, weight, gradient in zip(self.smooth, weights, gradients):
            for penalty in parts:
                penalty.add_slope_(gradient, weight)

    def value(self, weights):
        """Return the penalty of each model, constraints aside.

        Parameters
        ----------
        weights : list of Tensor of shape (n_models, n_in, n_out)
            One per layer.

        Returns
        -------
        Tensor of shape (n_models,)
        """
        total = weights[0].new_zeros(weights[0].size(0))
        for layer, weight in zip(self.layers, weights):
            for penalty in layer.penalties:
                if not penalty.is_constraint:
                    total += penalty.value(weight)
        return total

    def violation(self, weights, gradients):
        """Return how far each model is from satisfying the optimality conditions.

        The largest element, over all weights, of the subgradient of the objective that
        is nearest to zero: 0 at a minimum.

        Parameters
        ----------
        weights, gradients : list of Tensor of shape (n_models, n_in, n_out)
            Gradients are those of the loss.

        Returns
        -------
        Tensor of shape (n_models,)
        """
        residuals = [
            layer.residual(weight, gradient).abs().amax((1, 2))
            for layer, weight, gradient in zip(self.layers, weights, gradients)
        ]
        return torch.stack(residuals).amax(0)


def _scaled(strength, values):
    """Return ``strength * values``, where infinity times nothing is nothing."""
    return torch.where(values != 0, strength * values, 0.0)
