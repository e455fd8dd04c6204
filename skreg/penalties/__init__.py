"""Penalties and constraints of the weights, and the contract of new ones.

A penalty is a convex function of the weights of one layer. `Penalty` is the contract:
a value, a proximal operator and a subdifferential, each for all models of a stack at
once. `L1`, `L2`, `GroupLasso`, `MaxNorm` and `NonNegative` implement it for the
parameters of the estimators, and `Sum` adds up several. `check_penalty` tests a
penalty of your own.
"""

from skreg.penalties.checks import check_penalty
from skreg.penalties.combined import Sum
from skreg.penalties.contract import Penalty
from skreg.penalties.kinds import L1, L2, GroupLasso, MaxNorm, NonNegative

__all__ = [
    "L1",
    "L2",
    "GroupLasso",
    "MaxNorm",
    "NonNegative",
    "Penalty",
    "Sum",
    "check_penalty",
]
