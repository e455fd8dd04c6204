"""Distributions of hyperparameters to search."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state


@dataclass(frozen=True)
class OffOr:
    """Distribution of a strength that may be off.

    So that each regulariser can be off, whatever the others are.

    Parameters
    ----------
    distribution : scipy.stats frozen distribution
        Distribution of the strength where it is on.
    off : object, default=0.0
        The value that switches it off.
    probability : float, default=0.5
        Probability of `off`.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from skreg.search_space import OffOr
    >>> strength = OffOr(loguniform(1e-5, 1e-1))
    >>> [round(strength.rvs(random_state=seed), 4) for seed in range(4)]
    [0.0, 0.0, 0.0006, 0.0]
    """

    distribution: Any
    off: Any = 0.0
    probability: float = 0.5

    def __post_init__(self):
        if not 0 < self.probability < 1:
            raise ValueError(
                f"probability must be between 0 and 1, got {self.probability!r}."
            )

    def rvs(self, *, random_state=None):
        """Draw the value for off, or a strength.

        Parameters
        ----------
        random_state : int, RandomState instance or None, default=None
            Where the random numbers come from.

        Returns
        -------
        object
            The draw.
        """
        rng = check_random_state(random_state)
        # Drawn in either case, so that one draw always uses the same numbers.
        strength = np.asarray(self.distribution.rvs(random_state=rng)).item()
        return strength if rng.random() < 1 - self.probability else self.off
