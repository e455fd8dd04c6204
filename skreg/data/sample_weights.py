"""Sample weights: how much each row counts in every mean."""

import numpy as np

from skreg.compatibility import check_sample_weight


def check_weights(weight, X):
    """Check sample weights and return them as float64.

    Very large or very small weights are divided by a power of two. This keeps their
    sums in range and changes no bit of a result.

    Parameters
    ----------
    weight : array-like of shape (n_samples,), number or None
    X : {ndarray, CSR} of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If weights are negative, not finite, all zero, or not one for each row.
    """
    if weight is None:
        return None
    weight = check_sample_weight(weight, X)
    exponent = np.frexp(weight.max())[1]
    return weight if abs(exponent) < 100 else np.ldexp(weight, -exponent)
