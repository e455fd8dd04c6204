"""Losses over a stack of models, with gradients written by hand.

A loss maps raw network outputs (`score`) to the weighted sum of the losses of each
model, ``sum_il w_il * loss_il`` over the rows i and the outputs l, and to its gradient.
If the weights are None, they are ``1 / n_rows``, so that the sum over the rows is the
mean over the batch.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch.nn import functional


class Loss(ABC):
    """A loss that is a weighted mean over rows and a sum over outputs.

    Attributes
    ----------
    out_activation : str, default="identity"
        The name of the inverse link, as in scikit-learn's `out_activation_`.
    has_curvature : bool, default=True
        Whether there is a second derivative that is not zero everywhere, so that
        Newton's method applies.
    is_quadratic : bool, default=False
        Whether the second derivative is 1 everywhere.
    """

    out_activation = "identity"
    has_curvature = True
    is_quadratic = False

    @abstractmethod
    def elementwise(self, score, target):
        """Return the loss of every row and output, unweighted.

        Parameters
        ----------
        score, target : Tensor of shape (n_models, n_rows, n_outputs)

        Returns
        -------
        Tensor of shape (n_models, n_rows, n_outputs)
        """

    @abstractmethod
    def derivative(self, score, target):
        """Return the derivative of `elementwise` with respect to `score`.

        Parameters
        ----------
        score, target : Tensor of shape (n_models, n_rows, n_outputs)

        Returns
        -------
        Tensor of shape (n_models, n_rows, n_outputs)
            New memory, which the caller may overwrite.
        """

    def curvature(self, score, target, direction):
        """Return the derivative of `derivative` as `score` moves in a direction.

        Parameters
        ----------
        score, target, direction : Tensor of shape (n_models, n_rows, n_outputs)
            They may broadcast over the models, so that the second derivative at one
            score is applied to several directions.

        Returns
        -------
        Tensor of shape (n_models, n_rows, n_outputs)
        """
        return torch.zeros_like(direction)

    def uniform_target(self, n_outputs):
        """Return the target that favours no class, for label smoothing."""
        raise NotImplementedError

    def inverse_link(self, score):
        """Map raw outputs to the predicted mean, probability or quantile."""
        return score

    def mean_score(self, scores):
        """Return raw outputs that predict the mean of several networks' predictions.

        The mean is that of the networks after the `inverse_link`.

        Parameters
        ----------
        scores : Tensor of shape (n_models, n_rows, n_outputs)

        Returns
        -------
        Tensor of shape (n_rows, n_outputs)
        """
        return scores.mean(0)

    def value(self, score, target, weight=None):
        """Return the weighted loss of each model.

        Parameters
        ----------
        score, target : Tensor of shape (n_models, n_rows, n_outputs)
        weight : Tensor of shape (n_models, n_rows, 1 or n_outputs), default=None
            Weight of each row, or of each output of each row. Weights that sum to one
            over the rows give a mean. None weighs each row ``1 / n_rows``.

        Returns
        -------
        Tensor of shape (n_models,)
        """
        loss = self.elementwise(score, target)
        if weight is None:
            return loss.sum((1, 2)).mul_(1 / score.shape[1])
        return (loss * weight).sum((1, 2))

    def gradient(self, score, target, weight=None):
        """Return the gradient of `value`, a tensor of the shape of `score`."""
        derivative = self.derivative(score, target)
        return derivative.mul_(1 / score.shape[1] if weight is None else weight)

    def value_and_gradient(self, score, target, weight=None):
        """Return `value` and `gradient`."""
        value = self.value(score, target, weight)
        return value, self.gradient(score, target, weight)


@dataclass(frozen=True)
class LogLoss(Loss):
    """Cross-entropy of the softmax: ``-sum_k t_k log p_k``, where targets sum to 1."""

    out_activation = "softmax"

    def elementwise(self, score, target):
        return _over_classes(torch.log_softmax, score).mul_(target).neg_()

    def derivative(self, score, target):
        return _over_classes(torch.softmax, score).sub_(target)

    def curvature(self, score, target, direction):
        probability = _over_classes(torch.softmax, score)
        moved = probability * direction
        return moved - probability * moved.sum(-1, keepdim=True)

    def uniform_target(self, n_outputs):
        return 1 / n_outputs

    def inverse_link(self, score):
        return _over_classes(torch.softmax, score)

    def mean_score(self, scores):
        return _log_mean_exp(_over_classes(torch.log_softmax, scores))


def _log_mean_exp(logarithms):
    """Return the logarithm of the mean over models, computed without overflow."""
    return torch.logsumexp(logarithms, 0) - math.log(len(logarithms))


def _over_classes(softmax, score):
    """Apply a softmax to the last axis.

    Torch vectorises over rows that lie side by side, but not over a last axis that is
    shorter than its vectors. With the axes swapped the result is the same and takes a
    fraction of the time. The copies cost more than they save for few numbers, and ten
    times as much for hundreds of classes.
    """
    if score.numel() < 256 or score.size(-1) >= 16:
        return softmax(score, -1)
    return softmax(score.mT.contiguous(), -2).mT.contiguous()


@dataclass(frozen=True)
class BinaryLogLoss(Loss):
    """Cross-entropy of the logistic function, for one or for several labels.

    ``log(1 + exp(z)) - t * z`` for each output.
    """

    out_activation = "logistic"

    def elementwise(self, score, target):
        # Beyond 40, softplus(z) - z is below the spacing of float64. Without any
        # threshold, exp(z) would overflow.
        log_partition = functional.softplus(score, threshold=40)
        return log_partition.addcmul_(target, score, value=-1)

    def derivative(self, score, target):
        return torch.sigmoid(score).sub_(target)

    def curvature(self, score, target, direction):
        return torch.sigmoid(score) * torch.sigmoid(-score) * direction

    def uniform_target(self, n_outputs):
        return 0.5

    def inverse_link(self, score):
        return torch.sigmoid(score)

    def mean_score(self, scores):
        # From logarithms, because a mean that is rounded to 0 or 1 has no log-odds.
        above, below = functional.logsigmoid(scores), functional.logsigmoid(-scores)
        return torch.logsumexp(above, 0) - torch.logsumexp(below, 0)


@dataclass(frozen=True)
class SquaredError(Loss):
    """``(z - t)^2 / 2``."""

    is_quadratic = True

    def elementwise(self, score, target):
        return (score - target).square_().mul_(0.5)

    def derivative(self, score, target):
        return score - target

    def curvature(self, score, target, direction):
        return direction


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """``|z - t|``, minimised by the conditional median."""

    has_curvature = False

    def elementwise(self, score, target):
        return (score - target).abs_()

    def derivative(self, score, target):
        return (score - target).sign_()


@dataclass(frozen=True)
class HuberLoss(Loss):
    """``r^2 / 2`` up to `delta` and ``delta * (|r| - delta / 2)`` beyond (Huber 1964).

    Parameters
    ----------
    delta : float, default=1.0
        Residual beyond which the loss is linear, in units of the standardised target.
    """

    delta: float = 1.0

    def elementwise(self, score, target):
        residual = score - target
        clipped = residual.clamp(-self.delta, self.delta)
        return clipped * (residual - clipped * 0.5)

    def derivative(self, score, target):
        return (score - target).clamp_(-self.delta, self.delta)

    def curvature(self, score, target, direction):
        return ((score - target).abs() <= self.delta) * direction


@dataclass(frozen=True)
class PoissonLoss(Loss):
    """Half the Poisson deviance with the log link: ``exp(z) - t z + t log t - t``."""

    out_activation = "exp"

    def elementwise(self, score, target):
        saturated = torch.special.xlogy(target, target) - target
        return score.exp().addcmul_(target, score, value=-1).add_(saturated)

    def derivative(self, score, target):
        return score.exp().sub_(target)

    def curvature(self, score, target, direction):
        return score.exp() * direction

    def inverse_link(self, score):
        return torch.exp(score)

    def mean_score(self, scores):
        return _log_mean_exp(scores)


@dataclass(frozen=True)
class QuantileLoss(Loss):
    """Pinball loss: ``max(q * (t - z), (q - 1) * (t - z))``.

    It is minimised by the conditional `quantile` (Koenker and Bassett 1978).

    Parameters
    ----------
    quantile : float, default=0.5
        Between 0 and 1.
    """

    quantile: float = 0.5
    has_curvature = False

    def elementwise(self, score, target):
        residual = target - score
        return torch.maximum(self.quantile * residual, (self.quantile - 1) * residual)

    def derivative(self, score, target):
        below = (score > target).to(score.dtype).sub_(self.quantile)
        return torch.where(score == target, 0.0, below)


REGRESSION_LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": HuberLoss,
    "poisson": PoissonLoss,
    "quantile": QuantileLoss,
}
CLASSIFICATION_LOSSES = {"log_loss": LogLoss, "binary_log_loss": BinaryLogLoss}
