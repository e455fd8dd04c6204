"""Losses over a stack of models, with derivatives written by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import inf
from numbers import Real

import numpy as np
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
    quantile : float or sequence of float, default=0.5
        Between 0 and 1. If there are several, in ascending order, each belongs to one
        output, and these are sorted to predict, because the functions of separate
        outputs can cross. For any target, sorting does not increase the sum of the
        losses, nor the distance to the true quantiles (Chernozhukov, Fernández-Val and
        Galichon 2010). A construction that cannot cross, such as sums of positive
        steps, would not be convex where the network is linear, so that there would be
        no exact optimum.

    Raises
    ------
    ValueError
        If numbers are not between 0 and 1, or do not increase.

    Examples
    --------
    The bounds of intervals that hold nine targets of ten:

    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import MLPRegressor
    >>> from skreg.losses import QuantileLoss
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = MLPRegressor(loss=QuantileLoss([0.05, 0.95]), random_state=0).fit(X, y)
    >>> low, high = reg.predict(X).T
    >>> bool((low <= high).all())
    True
    """

    quantile: float | Sequence[float] = 0.5
    has_curvature = False

    def __post_init__(self) -> None:
        levels = _levels(self.quantile)
        if not isinstance(self.quantile, Real):
            # A tuple has a hash, and lists of all kinds are equal.
            object.__setattr__(self, "quantile", levels)

    @property
    def out_activation(self) -> str:  # type: ignore[override]
        """The name of the inverse link."""
        return "sorted" if isinstance(self.quantile, tuple) else "identity"

    def elementwise(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        residual, levels = target - score, self._levels_like(score)
        return torch.maximum(levels * residual, (levels - 1) * residual)

    def derivative(self, score: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        below = (score > target).to(score.dtype).sub_(self._levels_like(score))
        return torch.where(score == target, 0.0, below)

    def _levels_like(self, score):
        return _tensor(self.quantile, score.dtype, score.device)


def _levels(quantile):
    """Return a quantile, or several of them, as a tuple of floats."""
    levels = tuple(np.atleast_1d(np.asarray(quantile, dtype=object)))
    bounded = (0, *levels, 1)
    are_numbers = all(isinstance(level, Real) for level in levels)
    if not (levels and are_numbers and all(a < b for a, b in pairwise(bounded))):
        raise ValueError(
            "quantile must be a number between 0 and 1, or a list of them that "
            f"increase, such as [0.05, 0.5, 0.95], got {quantile!r}."
        )
    return tuple(map(float, levels))


@lru_cache(maxsize=64)
def _tensor(numbers, dtype, device):
    """Return numbers as a tensor, kept because steps must not wait for its copy."""
    return torch.tensor(numbers, dtype=dtype).to(device)


REGRESSION_LOSSES = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": HuberLoss,
    "poisson": PoissonLoss,
    "quantile": QuantileLoss,
}
CLASSIFICATION_LOSSES = {"log_loss": LogLoss, "binary_log_loss": BinaryLogLoss}
