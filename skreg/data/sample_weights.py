"""Sample weights: how much each row counts in every mean."""

import numpy as np

from skreg.compatibility import check_sample_weight


def check_weights(weight, X):
    """Check sample weights and return them as float64.

    They are divided by the power of two that is closest to the mean of those above
    zero. So their unit has no influence: their sums stay in range and are close to the
    number of rows. A power of two changes no bit of a weighted mean.

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
    weight = np.ldexp(weight, -exponent)  # so that the mean does not overflow
    return np.ldexp(weight, -round(np.log2(weight[weight > 0].mean())))
