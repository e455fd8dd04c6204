"""Penalties and constraints of the weights.

A penalty is a convex function of the weights of one layer. `Penalty` is the contract:
a value, a proximal operator and a subdifferential, each for all models of a stack at
once. The penalties of the estimators' parameters are written to it.
"""

from skreg.penalties.combined import Sum
from skreg.penalties.contract import Penalty
from skreg.penalties.kinds import L1, L2, GroupLasso, MaxNorm, NonNegative

__all__ = ["L1", "L2", "GroupLasso", "MaxNorm", "NonNegative", "Penalty", "Sum"]
