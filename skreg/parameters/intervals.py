"""The intervals that numeric hyperparameters lie in, for their validation."""

from numbers import Integral, Real

from skreg.compatibility import Interval

COUNT = Interval(Integral, 1, None, closed="left")
COUNT_OR_ZERO = Interval(Integral, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(Real, 0, None, closed="left")
PROBABILITY = Interval(Real, 0, 1, closed="both")
# A probability or share below 1, because not everything can be dropped or pruned.
SHARE = Interval(Real, 0, 1, closed="left")
BETWEEN_0_AND_1 = Interval(Real, 0, 1, closed="neither")
