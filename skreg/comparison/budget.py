"""A bounded time, shared among the fits of a comparison."""

import math
import time
from statistics import mean, median

# The least that a fit is given: it trains for a few epochs at least.
LEAST_SHARE = 1.0
# So many splits are done in any case: there is no spread of one difference.
LEAST_SPLITS = 2


class Budget:
    """Says which fits are begun, and how long each may take.

    Fits that can be told how long to take, by a parameter ``max_time``, share the time
    that the others leave. A split is begun if there is time for all its fits, and then
    finished.

    Parameters
    ----------
    estimators : dict of str to estimator
    n_splits : int
    seconds : float or None
        None is without a bound.
    n_workers : int, default=1
        How many fits run at the same time.
    clock : callable, default=time.monotonic
        Returns seconds.
    """

    def __init__(
        self, estimators, n_splits, seconds, n_workers=1, clock=time.monotonic
    ):
        self.parameters = {n: time_parameter(each) for n, each in estimators.items()}
        self.limits = {
            name: estimators[name].get_params()[parameter] or math.inf
            for name, parameter in self.parameters.items()
            if parameter is not None
        }
        self.n_splits, self.seconds = n_splits, seconds
        self.n_workers, self.clock = n_workers, clock
        self._end = math.inf if seconds is None else clock() + seconds
        self._n_begun = 0  # fits that share the time
        self._times = {name: [] for name in estimators}
        self._over = []

    def tasks(self):
        """Yield the name, split and seconds of each fit, as long as there is time.

        The time of a fit is decided when it is asked for.

        Yields
        ------
        name : str
        split : int
        seconds : float or None
            None for those that cannot be told.
        """
        fixed = [name for name in self._times if name not in self.limits]
        for split in range(self.n_splits):
            if split >= LEAST_SPLITS and self._left() < self._needed(fixed):
                return
            # First those whose time is to be learnt.
            for name in fixed:
                yield name, split, None
            for name in self.limits:
                seconds = self._share(fixed, self.n_splits - split - 1)
                self._n_begun += 1
                seconds = min(seconds, self.limits[name])
                yield name, split, None if math.isinf(seconds) else seconds

    def record(self, name, seconds, share):
        """Learn from a fit.

        Parameters
        ----------
        name : str
        seconds : float
            What it and its score took.
        share : float or None
            What it was given.
        """
        self._times[name].append(seconds)
        if share is not None and seconds > share:
            self._over.append(seconds - share)

    def _left(self):
        return self._end - self.clock()

    def _mean_time(self, names):
        """Return the expected sum of a fit of each, 0 for what is not known yet."""
        return sum(mean(self._times[name] or [0.0]) for name in names)

    def _excess(self):
        """Return by how much a fit that is stopped takes longer than its share."""
        return median(self._over or [0.0])

    def _needed(self, fixed):
        of_shares = len(self.limits) * (LEAST_SHARE + self._excess())
        return self._mean_time(fixed) + of_shares

    def _share(self, fixed, n_splits_after):
        """Return the seconds of the next fit that can be told."""
        if math.isinf(self._end):
            return math.inf
        of_fixed = self._mean_time(fixed) * n_splits_after / self.n_workers
        n_left = self.n_splits * len(self.limits) - self._n_begun
        n_rounds = math.ceil(n_left / self.n_workers)
        share = (self._left() - of_fixed) / n_rounds - self._excess()
        return max(share, LEAST_SHARE)


def time_parameter(estimator):
    """Find the parameter that bounds the time of a fit.

    Parameters
    ----------
    estimator : estimator
        Also a pipeline or wrapper around one that has it.

    Returns
    -------
    str or None
        ``"max_time"``, or a name that ends in ``"__max_time"``, the outermost.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from skreg import MLPRegressorCV
    >>> from skreg.comparison.budget import time_parameter
    >>> time_parameter(make_pipeline(MLPRegressorCV()))
    'mlpregressorcv__max_time'
    >>> time_parameter(Ridge())
    """
    names = [
        name
        for name in estimator.get_params()
        if name.rpartition("__")[-1] == "max_time"
    ]
    return min(names, key=lambda name: name.count("__"), default=None)
