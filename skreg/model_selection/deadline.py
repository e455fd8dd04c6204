"""The time limit of a search."""

import math
import time


class Deadline:
    """The time at which training must end.

    Parameters
    ----------
    seconds : float or None
        Seconds from now. None sets no limit.
    """

    def __init__(self, seconds):
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def is_finite(self):
        return math.isfinite(self._end)

    @property
    def has_passed(self):
        return time.monotonic() > self._end
