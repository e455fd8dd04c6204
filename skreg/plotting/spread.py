"""Positions of dots that would cover each other."""

import numpy as np

# Minus one, which changes no fractional part of its multiples.
GOLDEN_RATIO = 0.6180339887498949


def spread(n, first=0):
    """Return numbers from 0 to 1 that are far apart and in no order.

    Dots in order would look like a trend.

    Parameters
    ----------
    n : int
        Number of dots.
    first : int, default=0
        Multiple of the golden ratio to begin with. With 0, the first number is 0.

    Returns
    -------
    ndarray of shape (n,)
        Fractional parts of successive multiples of the golden ratio.
    """
    return np.arange(first, first + n) * GOLDEN_RATIO % 1
