"""The time limit of a search or a comparison."""

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
    def seconds_left(self):
        return self._end - time.monotonic()

    @property
    def has_passed(self):
        return self.seconds_left < 0
