"""Time limit of a comparison, shared among its fits."""

import math
import time
from statistics import mean, median

# Minimum seconds of a fit, enough to train for a few epochs.
LEAST_SHARE = 1.0
# Minimum number of splits: one difference has no spread.
LEAST_SPLITS = 2


class Budget:
    """Time limit that decides which fits are started and how long each may take.

    Estimators with a parameter ``max_time`` share the time that the others leave. A
    split is started only if there is time for all its fits, and is then finished.

    Parameters
    ----------
    estimators : dict of str to estimator
    n_splits : int
    seconds : float or None
        Seconds for all fits. None sets no limit.
    n_workers : int, default=1
        Number of fits that run at the same time.
    clock : callable, default=time.monotonic
        Function that returns the current time in seconds.
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
        """Yield the name, split and time limit of each fit while there is time.

        The time limit of a fit is computed when the fit is requested.

        Yields
        ------
        name : str
        split : int
        seconds : float or None
            Time limit of the fit. None if there is no limit, or if the estimator has
            no parameter for it.
        """
        fixed = [name for name in self._times if name not in self.limits]
        for split in range(self.n_splits):
            if split >= LEAST_SPLITS and self._left() < self._needed(fixed):
                return
            # Estimators without a time limit go first, to measure their time.
            for name in fixed:
                yield name, split, None
            for name in self.limits:
                seconds = self._share(fixed, self.n_splits - split - 1)
                self._n_begun += 1
                seconds = min(seconds, self.limits[name])
                yield name, split, None if math.isinf(seconds) else seconds

    def record(self, name, seconds, share):
        """Record the time that a fit took.

        Parameters
        ----------
        name : str
        seconds : float
            Time of the fit and of its scoring.
        share : float or None
            Time limit of the fit.
        """
        self._times[name].append(seconds)
        if share is not None and seconds > share:
            self._over.append(seconds - share)

    def _left(self):
        return self._end - self.clock()

    def _mean_time(self, names):
        """Return the expected time of one fit of each, 0 for those not yet measured."""
        return sum(mean(self._times[name] or [0.0]) for name in names)

    def _excess(self):
        """Return the median time by which stopped fits exceeded their limit."""
        return median(self._over or [0.0])

    def _needed(self, fixed):
        of_shares = len(self.limits) * (LEAST_SHARE + self._excess())
        return self._mean_time(fixed) + of_shares

    def _share(self, fixed, n_splits_after):
        """Return the time limit of the next fit that accepts one."""
        if math.isinf(self._end):
            return math.inf
        of_fixed = self._mean_time(fixed) * n_splits_after / self.n_workers
        n_left = self.n_splits * len(self.limits) - self._n_begun
        n_rounds = math.ceil(n_left / self.n_workers)
        share = (self._left() - of_fixed) / n_rounds - self._excess()
        return max(share, LEAST_SHARE)


def time_parameter(estimator):
    """Find the parameter that limits the time of a fit.

    Parameters
    ----------
    estimator : estimator
        An estimator, or a pipeline or wrapper around one.

    Returns
    -------
    str or None
        ``"max_time"``, or a name that ends in ``"__max_time"``. The outermost is
        returned if there are several, and None if there is none.

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
