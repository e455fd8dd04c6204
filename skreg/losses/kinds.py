"""Losses over a stack of models, with derivatives written by hand."""

from dataclasses import dataclass
from math import inf

import torch
from torch.nn import functional

from skreg.losses.contract import Loss
from skreg.losses.links import log_softmax, softmax


@dataclass(frozen=True)
class LogLoss(Loss):
    """Cross-entropy of the softmax: ``-sum_k t_k log p_k``, where targets sum to 1."""

    out_activation = "softmax"

    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return log_softmax(score).mul_(target).neg_()

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return softmax(score).sub_(target)

    def curvature(
        self, score: torch.Tensor, target: torch.Tensor, direction: torch.Tensor
    ) -> torch.Tensor:
        probability = softmax(score)
        moved = probability * direction
        return moved - probability * moved.sum(-1, keepdim=True)

    def uniform_target(self, n_outputs: int) -> float:
        """Return the target that favours no class, for label smoothing."""
        return 1 / n_outputs


@dataclass(frozen=True)
class BinaryLogLoss(Loss):
    """Cross-entropy of the logistic function, for one or for several labels.

    ``log(1 + exp(z)) - t * z`` for each output.
    """

    out_activation = "logistic"

    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        # Beyond 40, softplus(z) - z is below the spacing of float64. Without any
        # threshold, exp(z) would overflow.
        log_partition = functional.softplus(score, threshold=40)
        return log_partition.addcmul_(target, score, value=-1)

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(score).sub_(target)

    def curvature(
        self, score: torch.Tensor, target: torch.Tensor, direction: torch.Tensor
    ) -> torch.Tensor:
        return torch.sigmoid(score) * torch.sigmoid(-score) * direction

    def uniform_target(self, n_outputs: int) -> float:
        """Return the target that favours no class, for label smoothing."""
        return 0.5


@dataclass(frozen=True)
class SquaredError(Loss):
    """``(z - t)^2 / 2``."""

    is_quadratic = True

    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (score - target).square_().mul_(0.5)

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return score - target

    def curvature(
        self, score: torch.Tensor, target: torch.Tensor, direction: torch.Tensor
    ) -> torch.Tensor:
        return direction


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """``|z - t|``, minimised by the conditional median."""

    has_curvature = False

    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (score - target).abs_()

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
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

    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        residual = score - target
        clipped = residual.clamp(-self.delta, self.delta)
        return clipped * (residual - clipped * 0.5)

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (score - target).clamp_(-self.delta, self.delta)

    def curvature(
        self, score: torch.Tensor, target: torch.Tensor, direction: torch.Tensor
    ) -> torch.Tensor:
        return ((score - target).abs() <= self.delta) * direction


@dataclass(frozen=True)
class PoissonLoss(Loss):
    """Half the Poisson deviance with the log link: ``exp(z) - t z + t log t - t``."""

    out_activation = "exp"
    target_range = 0.0, inf

    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        saturated = torch.special.xlogy(target, target) - target
        return score.exp().addcmul_(target, score, value=-1).add_(saturated)

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return score.exp().sub_(target)

    def curvature(
        self, score: torch.Tensor, target: torch.Tensor, direction: torch.Tensor
    ) -> torch.Tensor:
        return score.exp() * direction


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

    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        residual = target - score
        return torch.maximum(self.quantile * residual, (self.quantile - 1) * residual)

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
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
