"""The contract of losses: functions of the raw output and the target of each row."""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch

from skreg.losses.links import LINKS


class Loss(ABC):
    """A function of the raw outputs and the targets of a row, to be minimised.

    A subclass defines `elementwise`. Everything else has a default: derivatives are
    found by automatic differentiation, and inverse links by the name in
    `out_activation`. `check_loss` tests numerically whether the methods of a subclass
    agree.

    The objective is the weighted mean over the rows of the sum over the outputs. All
    models of a stack are computed at once: raw outputs (`score`) and targets are torch
    tensors of shape (n_models, n_rows, n_outputs), in single or in double precision.
    The loss of a row must depend on the outputs and targets of this row only. The
    outputs of a row may depend on one another, as those of a softmax do.

    Losses are values: two are equal if they are of the same class and have equal
    attributes. Networks with equal losses train together within `skreg.fused`, and a
    fit is only continued with an equal loss. A dataclass must be frozen.

    Attributes
    ----------
    out_activation : str, default="identity"
        The name of the inverse link, which maps raw outputs to predictions: "identity",
        "exp", "logistic" (of each output), "softmax" (over the outputs of a row) or
        "sorted" (the outputs of a row in ascending order). A loss that defines an
        `inverse_link` of its own needs a name of its own and a `link`, too.
    scales_targets : bool, default=True
        Whether targets are scaled before the loss sees them, if the estimator has
        `standardize`. Under "identity" and "sorted" they are centred and divided by
        their standard deviation, and under "exp" they are divided by their mean.
        Predictions are scaled back. Under other links targets always stay as they are.
    target_range : tuple of float, default=(-inf, inf)
        The lowest and the highest target that are allowed, before they are scaled.
    has_curvature : bool, default=True
        Whether there is a second derivative that is not zero everywhere, so that
        Newton's method applies.
    is_quadratic : bool, default=False
        Whether the second derivative is 1 everywhere.

    Notes
    -----
    Scaled targets make no difference to the optimum of the mean loss if
    ``loss(a * z + b, a * t + b)`` is proportional to ``loss(z, t)``, such as for
    squared and absolute errors, or under "exp", if ``loss(z + log(a), a * t)`` is, such
    as for Poisson and Tweedie deviances, up to terms without `z`. In other losses,
    numbers in the unit of the target become numbers in the unit of the scaled target,
    such as the `delta` of `HuberLoss`, which is in standard deviations. Set
    ``scales_targets = False`` if they must keep their unit.

    Numbers beside tensors keep the precision of these, but ``torch.where`` of two
    numbers, and a comparison times a number, are in single precision. Arrays among the
    attributes become tensors of the same kind and device by ``score.new_tensor``.

    Automatic differentiation takes longer than a `derivative` written by hand, and both
    are slower than the losses by name, which the compiled library computes.

    Examples
    --------
    The squared error, with residuals below zero counted `factor` times:

    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import MLPRegressor
    >>> from skreg.losses import Loss, check_loss
    >>> class AsymmetricSquaredError(Loss):
    ...     def __init__(self, factor):
    ...         self.factor = factor
    ...
    ...     def elementwise(self, score, target):
    ...         half_square = (target - score) ** 2 / 2
    ...         return torch.where(
    ...             target < score, self.factor * half_square, half_square
    ...         )
    >>> import torch
    >>> loss = AsymmetricSquaredError(4.0)
    >>> check_loss(loss)
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = MLPRegressor(loss=loss, l2=0.01, random_state=0).fit(X, y)
    >>> bool((reg.predict(X) > y).mean() < 0.4)
    True
    """

    out_activation: str = "identity"
    scales_targets: bool = True
    target_range: tuple[float, float] = (-math.inf, math.inf)
    has_curvature: bool = True
    is_quadratic: bool = False

    @abstractmethod
    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of every row and output, unweighted.

        Parameters
        ----------
        score, target : Tensor of shape (n_models, n_rows, n_outputs)
            They must not be changed.

        Returns
        -------
        Tensor of shape (n_models, n_rows, n_outputs)
            In the precision of `score`.
        """

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the derivative of the sum of `elementwise` with respect to `score`.

        By default it is found by automatic differentiation.

        Parameters
        ----------
        score, target : Tensor of shape (n_models, n_rows, n_outputs)
            They must not be changed.

        Returns
        -------
        Tensor of shape (n_models, n_rows, n_outputs)
            New memory, which the caller may overwrite.
        """
        with torch.enable_grad():
            at = score.detach().requires_grad_()
            total = self.elementwise(at, target).sum()
        # That of a sum may be one number for all elements.
        return torch.autograd.grad(total, at)[0].contiguous()

    def curvature(
        self, score: torch.Tensor, target: torch.Tensor, direction: torch.Tensor
    ) -> torch.Tensor:
        """Return the derivative of `derivative` as `score` moves in a direction.

        By default it is found by automatic differentiation of `elementwise`.

        Parameters
        ----------
        score, target, direction : Tensor of shape (n_models, n_rows, n_outputs)
            They may broadcast over the models, so that the second derivative at one
            score is applied to several directions.

        Returns
        -------
        Tensor of shape (n_models, n_rows, n_outputs)
            For each row, the product of its second derivatives and its direction.
        """
        if not self.has_curvature:
            return torch.zeros_like(direction)
        score, target, direction = torch.broadcast_tensors(score, target, direction)
        with torch.enable_grad():
            at = score.detach().requires_grad_()
            total = self.elementwise(at, target).sum()
            (slope,) = torch.autograd.grad(total, at, create_graph=True)
            # The matrix of second derivatives is symmetric.
            along = (slope * direction).sum()
        if not along.requires_grad:
            return torch.zeros_like(direction)
        (bent,) = torch.autograd.grad(along, at, materialize_grads=True)
        return bent

    def inverse_link(self, score: torch.Tensor) -> torch.Tensor:
        """Return what raw outputs predict: a mean, a probability or a quantile.

        Parameters
        ----------
        score : Tensor of shape (..., n_outputs)
            Raw outputs.

        Returns
        -------
        Tensor of the same shape
            Predictions of scaled targets.
        """
        return LINKS[self.out_activation].inverse(score)

    def link(self, prediction: torch.Tensor) -> torch.Tensor:
        """Return the raw outputs of predictions, the inverse of `inverse_link`.

        Parameters
        ----------
        prediction : Tensor of shape (..., n_outputs)
            Predictions of scaled targets. Those at a bound of the named links count as
            the nearest number within.

        Returns
        -------
        Tensor of the same shape
            Raw outputs.
        """
        return LINKS[self.out_activation].forward(prediction)

    def mean_score(self, scores: torch.Tensor) -> torch.Tensor:
        """Return raw outputs that predict the mean of several networks' predictions.

        The mean is that of the networks after the `inverse_link`.

        Parameters
        ----------
        scores : Tensor of shape (n_models, n_rows, n_outputs)
            Raw outputs of each network.

        Returns
        -------
        Tensor of shape (n_rows, n_outputs)
            Raw outputs of the mean.
        """
        if self.out_activation in LINKS:
            return LINKS[self.out_activation].mean_score(scores)
        return self.link(self.inverse_link(scores).mean(0))

    def value(
        self,
        score: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the weighted loss of each model, ``sum_il w_il * loss_il``.

        Parameters
        ----------
        score, target : Tensor of shape (n_models, n_rows, n_outputs)
            Raw outputs and scaled targets.
        weight : Tensor of shape (n_models, n_rows, 1 or n_outputs), default=None
            Weight of each row i, or of each output l of each row. Weights that sum to
            one over the rows give a mean. None weighs each row ``1 / n_rows``.

        Returns
        -------
        Tensor of shape (n_models,)
            The sum over rows and outputs.
        """
        loss = self.elementwise(score, target)
        if weight is None:
            return loss.sum((1, 2)).mul_(1 / score.shape[1])
        return (loss * weight).sum((1, 2))

    def gradient(
        self,
        score: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the gradient of `value`.

        Parameters
        ----------
        score, target, weight : Tensor
            As of `value`.

        Returns
        -------
        Tensor of shape (n_models, n_rows, n_outputs)
            The derivative with respect to `score`.
        """
        derivative = self.derivative(score, target)
        return derivative.mul_(1 / score.shape[1] if weight is None else weight)

    def value_and_gradient(
        self,
        score: torch.Tensor,
        target: torch.Tensor,
        weight: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `value` and `gradient`.

        Parameters
        ----------
        score, target, weight : Tensor
            As of `value`.

        Returns
        -------
        value : Tensor of shape (n_models,)
            The weighted loss of each model.
        gradient : Tensor of shape (n_models, n_rows, n_outputs)
            Its derivative with respect to `score`.
        """
        value = self.value(score, target, weight)
        return value, self.gradient(score, target, weight)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        one, two = vars(self), vars(other)
        # Attributes may be arrays.
        return one.keys() == two.keys() and all(
            value is two[name] or bool(np.array_equal(value, two[name]))
            for name, value in one.items()
        )

    def __hash__(self) -> int:
        # Arrays have no hash. The names suffice, because there are few losses.
        return hash((type(self), *sorted(vars(self))))

    def __repr__(self) -> str:
        attributes = (f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({', '.join(attributes)})"
