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


class Sum:
    """The sum of penalties of one layer, such as the elastic net ``L1 + L2``.

    Parameters
    ----------
    penalties : list of Penalty
        In the order of `PENALTIES`.

    Examples
    --------
    >>> import torch
    >>> from skreg.penalties.kinds import L1, L2, Sum
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
    n_rows : int, default=1
        Rows of the first layer that belong to one input.

    Attributes
    ----------
    layers : list of Sum
        The penalties of each layer that are on in any model.
    smooth, nonsmooth : list of list of Penalty
        Those of each layer that enter a gradient, and those that do not.
    """

    def __init__(self, strengths, n_rows=1):
        self.strengths, self.n_rows = strengths, n_rows
        n_layers = next(iter(strengths.values())).shape[1]
        self.layers = [Sum(self._of_layer(layer)) for layer in range(n_layers)]
        self.smooth, self.nonsmooth = self._parts(True), self._parts(False)

    def _of_layer(self, layer):
        columns = [
            (kind, self.strengths[kind.parameter][:, layer]) for kind in PENALTIES
        ]
        on = [pair for pair in columns if (pair[1] != pair[0].off).any()]
        return [self.make(kind, column, layer) for kind, column in on]

    def make(self, kind, strength, layer):
        """Return the penalty of a kind on a layer."""
        if kind is GroupLasso and layer == 0:
            return kind(strength, self.n_rows)
        return kind(strength)

    def _parts(self, smooth):
        return [
            [penalty for penalty in layer.penalties if penalty.is_smooth == smooth]
            for layer in self.layers
        ]

    def of_layers(self, kind):
        """Return the penalties of a class that are on, by the position of the layer."""
        layers = enumerate(self.layers)
        return {i: p for i, sum_ in layers for p in sum_.penalties if type(p) is kind}

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
        strengths = {name: s[models] for name, s in self.strengths.items()}
        return Penalties(strengths, self.n_rows)

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
