"""Losses over a stack of models, with hand-written gradients.

Each loss maps raw network outputs (`score`) to the per-model weighted sum of losses
and its gradient. A batch whose weights are None has the weight ``1 / n_rows`` in
every row, so that both give the batch mean.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch.nn import functional


class Loss(ABC):
    """A loss that is a weighted mean over rows and a sum over outputs."""

    out_activation = "identity"

    @abstractmethod
    def terms(self, score, target):
        """Return the loss of every row and output.

        Parameters
        ----------
        score, target : Tensor of shape (n_models, n_rows, n_outputs)

        Returns
        -------
        loss, gradient : Tensor of shape (n_models, n_rows, n_outputs)
            The loss and its derivative with respect to `score`, unweighted.
        """

    def uniform_target(self, n_outputs):
        """Return the target that favours no class; label smoothing leans to it."""
        raise NotImplementedError

    def inverse_link(self, score):
        """Map raw outputs to the predicted mean, probability or quantile."""
        return score

    def value_and_gradient(self, score, target, weight=None):
        """Return the weighted loss of each model and its gradient.

        Parameters
        ----------
        score, target : Tensor of shape (n_models, n_rows, n_outputs)
        weight : Tensor of shape (n_models, n_rows, 1), default=None
            Weight of each row, summing to one for a mean. None is ``1 / n_rows``.

        Returns
        -------
        value : Tensor of shape (n_models,)
        gradient : Tensor of shape (n_models, n_rows, n_outputs)
        """
        loss, gradient = self.terms(score, target)
        if weight is None:
            share = 1 / score.shape[1]
            return loss.sum((1, 2)).mul_(share), gradient.mul_(share)
        return (loss * weight).sum((1, 2)), gradient.mul_(weight)


@dataclass(frozen=True)
class LogLoss(Loss):
    """Cross-entropy of the softmax: ``-sum_k t_k log p_k`` with targets adding to 1."""

    out_activation = "softmax"

    def terms(self, score, target):
        # torch vectorises a softmax over rows that lie side by side, not one over a
        # last axis as short as the classes: several times faster, the same numbers.
        log_p = torch.log_softmax(score.mT.contiguous(), 1).mT.contiguous()
        return (log_p * target).neg_(), log_p.exp_().sub_(target)

    def uniform_target(self, n_outputs):
        return 1 / n_outputs

    def inverse_link(self, score):
        return torch.softmax(score, -1)


@dataclass(frozen=True)
class BinaryLogLoss(Loss):
    """Cross-entropy of the logistic function, for one or for several labels.

    ``log(1 + exp(z)) - t * z`` for each output.
    """

    out_activation = "logistic"

    def terms(self, score, target):
        # threshold=inf would lose the exact form; beyond 40 softplus(z) - z is below
        # the spacing of float64.
        loss = functional.softplus(score, threshold=40).addcmul_(
            target, score, value=-1
        )
        return loss, torch.sigmoid(score).sub_(target)

    def uniform_target(self, n_outputs):
        return 0.5

    def inverse_link(self, score):
        return torch.sigmoid(score)


@dataclass(frozen=True)
class SquaredError(Loss):
    """``(z - t)^2 / 2``."""

    def terms(self, score, target):
        residual = score - target
        return residual * residual * 0.5, residual


@dataclass(frozen=True)
class AbsoluteError(Loss):
    """``|z - t|``, whose minimiser is the conditional median."""

    def terms(self, score, target):
        residual = score - target
        return residual.abs(), residual.sign_()


@dataclass(frozen=True)
class HuberLoss(Loss):
    """``r^2 / 2`` up to `delta` and ``delta * (|r| - delta / 2)`` beyond (Huber 1964).

    Parameters
    ----------
    delta : float, default=1.0
        Where the loss turns linear, in units of the (standardised) target.
    """

    delta: float = 1.0

    def terms(self, score, target):
        residual = score - target
        clipped = residual.clamp(-self.delta, self.delta)
        return clipped * (residual - clipped * 0.5), clipped


@dataclass(frozen=True)
class PoissonLoss(Loss):
    """Half the Poisson deviance, for the log link: ``exp(z) - t z + t log t - t``."""

    out_activation = "exp"

    def terms(self, score, target):
        mean = score.exp()
        saturated = torch.special.xlogy(target, target) - target
        return mean - target * score + saturated, mean - target

    def inverse_link(self, score):
        return torch.exp(score)


@dataclass(frozen=True)
class QuantileLoss(Loss):
    """Pinball loss: ``max(q * (t - z), (q - 1) * (t - z))``.

    Its minimiser is the conditional `quantile` (Koenker and Bassett 1978).

    Parameters
    ----------
    quantile : float, default=0.5
        Between 0 and 1.
    """

    quantile: float = 0.5

    def terms(self, score, target):
        residual = target - score
        slope = (residual < 0).to(score.dtype).sub_(self.quantile)
        return -slope * residual, torch.where(residual == 0, 0.0, slope)


REGRESSION_LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": HuberLoss,
    "poisson": PoissonLoss,
    "quantile": QuantileLoss,
}
CLASSIFICATION_LOSSES = {"log_loss": LogLoss, "binary_log_loss": BinaryLogLoss}
