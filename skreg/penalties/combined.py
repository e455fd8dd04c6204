"""Sums of penalties: of one layer, and of all layers of a stack."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from skreg.penalties.contract import Penalty
from skreg.penalties.kinds import L1, L2, PENALTIES, GroupLasso


class Sum:
    """The sum of the penalties of one layer, such as the elastic net ``L1 + L2``.

    Parameters
    ----------
    penalties : list of Penalty
        In an order in which their proximal operators, applied in turn, are that of the
        sum. For those of the package this is L1, NonNegative, GroupLasso, L2, MaxNorm.
        `check_penalty` tests it for others.

    Examples
    --------
    >>> import torch
    >>> from skreg.penalties.combined import Sum
    >>> from skreg.penalties.kinds import L1, L2
    >>> elastic_net = Sum([L1(torch.tensor([1.0])), L2(torch.tensor([0.5]))])
    >>> weight = torch.tensor([[[-3.0, 0.5]]])
    >>> elastic_net.value(weight)
    tensor([8.1250])
    >>> elastic_net.prox(weight, torch.tensor(1.0))
    tensor([[[-1.,  0.]]])
    """

    def __init__(self, penalties: Sequence[Penalty]) -> None:
        self.penalties = penalties

    def value(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the sum of the values of the penalties.

        Parameters
        ----------
        weight : Tensor of shape (n_models, n_in, n_out)
            The weights of all models.

        Returns
        -------
        Tensor of shape (n_models,)
            One number for each model, infinity where a constraint is violated.
        """
        zero = weight.new_zeros(weight.size(0))
        return sum((penalty.value(weight) for penalty in self.penalties), zero)

    def prox(self, z: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        """Return the proximal operator of the sum.

        Parameters
        ----------
        z : Tensor of shape (k, n_in, n_out)
            A matrix for each of the first `k` models.
        step : Tensor
            Positive, broadcastable with `z`.

        Returns
        -------
        Tensor of shape (k, n_in, n_out)
            The minimisers.
        """
        for penalty in self.penalties:
            z = penalty.prox(z, step)
        return z

    def pull_back(self, weight: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """Return the last point before a kink on the way from `start` to `weight`.

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
        for penalty in self.penalties:
            weight = penalty.pull_back(weight, start)
        return weight

    def residual(self, weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        """Return the subgradient of the objective that is nearest to zero.

        Parameters
        ----------
        weight : Tensor of shape (n_models, n_in, n_out)
            The weights of all models.
        gradient : Tensor of shape (n_models, n_in, n_out)
            The gradient of the loss at these weights.

        Returns
        -------
        Tensor of shape (n_models, n_in, n_out)
            Zero where the weights are optimal. Its norm is the distance between
            ``-gradient`` and the subdifferential of the penalties.
        """
        residual = gradient
        for penalty in self.penalties:
            residual = residual + penalty.slope(weight)
        for penalty in self.penalties:
            residual = penalty.reduce(weight, residual)
        return residual


@dataclass(frozen=True, eq=False)
class InputTerms:
    """The rows of a layer of weights whose inputs are not all penalised alike.

    Parameters
    ----------
    factors : Tensor of shape (n_models, n_in) or None
        What to multiply the strength of l1 and l2 by in each row. Rows whose factor is
        infinite are zero.
    labels : Tensor of int64 of shape (n_in,) or None
        The number of each row's group. None is a group for each input.
    group_factors : Tensor of shape (n_models, n_groups) or None
        What to multiply the strength of group_l1 by, finite.
    """

    factors: torch.Tensor | None
    labels: torch.Tensor | None
    group_factors: torch.Tensor | None

    @property
    def leaves_out(self):
        """Whether any row of any model is left out."""
        return self.factors is not None and bool(torch.isinf(self.factors).any())

    def options(self, kind):
        """Return the arguments of a class of penalty besides the strength."""
        if kind is GroupLasso:
            return {"factors": self.group_factors, "labels": self.labels}
        if kind is L1:
            return {"factors": self.factors}
        if kind is L2 and self.factors is not None:
            # l1 leaves rows out already.
            return {"factors": self.factors.nan_to_num(posinf=0.0)}
        return {}

    def select(self, models):
        """Return the terms of the models in the index `models`."""
        factors, group_factors = (
            part if part is None else part[models]
            for part in (self.factors, self.group_factors)
        )
        return InputTerms(factors, self.labels, group_factors)


class Penalties:
    """The penalties of all layers of a stack of models.

    Parameters
    ----------
    strengths : dict of {str: Tensor of shape (n_models, n_layers)}
        The strengths of each penalty, by the name of its parameter.
    n_rows : int, default=1
        Number of rows of the first layer's weights that belong to one input.
    inputs : dict of {int: InputTerms} or None, default=None
        The factors and groups of the rows, by the position of the layer, for layers
        that have them.

    Attributes
    ----------
    layers : list of Sum
        For each layer the penalties that have an effect in any model.
    smooth, nonsmooth : list of list of Penalty
        For each layer the penalties that enter the gradient, and the others.
    """

    def __init__(self, strengths, n_rows=1, inputs=None):
        self.strengths, self.n_rows = strengths, n_rows
        self.inputs = {} if inputs is None else inputs
        n_layers = next(iter(strengths.values())).shape[1]
        # Whether each penalty is on, by kind, model and layer. Read once, because each
        # reading takes as long as a step of a small network.
        of_kinds = [strengths[kind.parameter] != kind.off for kind in PENALTIES]
        self._is_on = torch.stack(of_kinds)
        in_any = self._is_on.any(1).tolist()
        self.layers = [
            Sum(self._of_layer(layer, [of_kind[layer] for of_kind in in_any]))
            for layer in range(n_layers)
        ]
        self.smooth, self.nonsmooth = self._parts(True), self._parts(False)

    def _of_layer(self, layer, is_on):
        return [
            self.make(kind, self.strengths[kind.parameter][:, layer], layer)
            for kind, is_on_here in zip(PENALTIES, is_on)
            if is_on_here or self._leaves_out(kind, layer)
        ]

    def _leaves_out(self, kind, layer):
        """Return whether l1, whatever its strength, keeps rows at zero."""
        terms = self.inputs.get(layer)
        return kind is L1 and terms is not None and terms.leaves_out

    def make(self, kind, strength, layer):
        """Return a penalty of one layer.

        Parameters
        ----------
        kind : type
            A subclass of `Penalty`.
        strength : Tensor of shape (n_models,)
        layer : int
        """
        options = {"n_rows": self.n_rows} if kind is GroupLasso and layer == 0 else {}
        if layer in self.inputs:
            options |= self.inputs[layer].options(kind)
        return kind(strength, **options)

    def _parts(self, smooth):
        return [
            [penalty for penalty in layer.penalties if penalty.is_smooth == smooth]
            for layer in self.layers
        ]

    def of_layers(self, kind):
        """Return the penalties of one class that are on, by position of the layer."""
        layers = enumerate(self.layers)
        return {i: p for i, sum_ in layers for p in sum_.penalties if type(p) is kind}

    def nonsmooth_models(self):
        """Return for each model whether it has a penalty that is not smooth."""
        in_any_layer = self._is_on.any(2).tolist()
        nonsmooth = [
            of_models
            for kind, of_models in zip(PENALTIES, in_any_layer)
            if not kind.is_smooth
        ]
        return list(map(any, zip(*nonsmooth)))

    def select(self, models):
        """Return the penalties of the models in the index `models`."""
        strengths = {name: s[models] for name, s in self.strengths.items()}
        inputs = {layer: terms.select(models) for layer, terms in self.inputs.items()}
        return Penalties(strengths, self.n_rows, inputs)

    def add_smooth_gradient(self, weights, gradients):
        """Add the gradient of the smooth penalties to gradients, in place.

        Parameters
        ----------
        weights, gradients : list of Tensor of shape (k, n_in, n_out)
            One for each layer, of the first `k` models of the stack.
        """
        for parts, weight, gradient in zip(self.smooth, weights, gradients):
            for penalty in parts:
                penalty.add_slope_(gradient, weight)

    def value(self, weights):
        """Return the penalty of each model, without the constraints.

        Parameters
        ----------
        weights : list of Tensor of shape (n_models, n_in, n_out)
            One for each layer.

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
        """Return how far each model is from its optimality conditions.

        This is the largest absolute element, over all weights, of the subgradient of
        the objective that is nearest to zero. It is 0 at a minimum.

        Parameters
        ----------
        weights : list of Tensor of shape (n_models, n_in, n_out)
            One for each layer.
        gradients : list of Tensor of shape (n_models, n_in, n_out)
            The gradients of the loss.

        Returns
        -------
        Tensor of shape (n_models,)
        """
        residuals = [
            layer.residual(weight, gradient).abs().amax((1, 2))
            for layer, weight, gradient in zip(self.layers, weights, gradients)
        ]
        return torch.stack(residuals).amax(0)
