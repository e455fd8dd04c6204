"""Losses as a user writes them, for tests over one list."""

import numpy as np
import torch

from skreg.losses import Loss


class OwnSquaredError(Loss):
    """The squared error, with derivatives by automatic differentiation."""

    def elementwise(self, score, target):
        return (score - target) ** 2 / 2


class OwnPoisson(Loss):
    """The loss called "poisson", with derivatives by automatic differentiation."""

    out_activation = "exp"
    target_range = (0, np.inf)

    def elementwise(self, score, target):
        return score.exp() - target * score + torch.xlogy(target, target) - target


class Expectile(Loss):
    """Squared errors that count `share` below the target, and 1 - `share` above."""

    def __init__(self, share):
        self.share = share

    def elementwise(self, score, target):
        square = (score - target) ** 2
        return torch.where(
            score < target, self.share * square, (1 - self.share) * square
        )


class Tweedie(Loss):
    """Half the unit deviance of a Tweedie distribution with a power between 1 and 2."""

    out_activation = "exp"
    target_range = (0, np.inf)

    def __init__(self, power):
        self.power = power

    def elementwise(self, score, target):
        one, two = 1 - self.power, 2 - self.power
        saturated = target**two / (one * two)
        return (
            saturated - target * (one * score).exp() / one + (two * score).exp() / two
        )

    def derivative(self, score, target):
        one, two = 1 - self.power, 2 - self.power
        return (two * score).exp() - target * (one * score).exp()


class Hazard(Loss):
    """The log loss of the event in each interval of time, 1 or 0; -1 is not at risk."""

    out_activation = "logistic"
    target_range = (-1, 1)

    def elementwise(self, score, target):
        loss = torch.nn.functional.softplus(score) - target * score
        return torch.where(target < 0, 0.0, loss)


class Softplus(Loss):
    """The squared error of a positive prediction, by an inverse link without a name."""

    out_activation = "softplus"

    def elementwise(self, score, target):
        return (self.inverse_link(score) - target) ** 2 / 2

    def inverse_link(self, score):
        return torch.nn.functional.softplus(score)

    def link(self, prediction):
        return prediction.expm1().log()


class InTheUnitOfTheTarget(Loss):
    """Absolute errors that are smoothed around zero, over a fixed `width`."""

    scales_targets = False

    def __init__(self, width):
        self.width = width

    def elementwise(self, score, target):
        return self.width * torch.hypot(score - target, score.new_tensor(self.width))


USERS_LOSSES = {
    "own squared error": OwnSquaredError(),
    "own poisson": OwnPoisson(),
    "expectile": Expectile(0.8),
    "tweedie": Tweedie(1.5),
    "hazard": Hazard(),
    "softplus": Softplus(),
    "in the unit of the target": InTheUnitOfTheTarget(2.0),
}
