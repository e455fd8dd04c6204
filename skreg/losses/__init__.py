"""Losses of regressors, and the contract of new ones.

A loss is a function of the raw outputs and the targets of a row. `Loss` is the
contract, which the parameters `loss` and `monitor` of the estimators take:
`elementwise`, and derivatives and links that have defaults. `SquaredError`,
`AbsoluteError`, `HuberLoss`, `PoissonLoss` and `QuantileLoss` are the losses that have
names. `check_loss` tests a loss of your own.
"""

from skreg.losses.checks import check_loss
from skreg.losses.contract import Loss
from skreg.losses.kinds import (
    AbsoluteError,
    HuberLoss,
    PoissonLoss,
    QuantileLoss,
    SquaredError,
)

__all__ = [
    "AbsoluteError",
    "HuberLoss",
    "Loss",
    "PoissonLoss",
    "QuantileLoss",
    "SquaredError",
    "check_loss",
]
