"""Sample weights: what each row counts in every mean."""

import numpy as np

from skreg.compatibility import check_sample_weight


def check_weights(weight, X):
    """Return weights of the rows of `X` as float64, or None if there are none.

    Where they are very large or very small they are divided by a power of two, which
    changes no bit of a result and keeps their sums in range.

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


class SampleWeights:
    """What each row counts: its sample weight, if it has one."""

    def of_rows(self, X, y, weight):
        """Return what each row counts, or None if all count the same.

        Parameters
        ----------
        X : {ndarray, CSR} of shape (n_samples, n_features)
        y : ndarray
            Checked targets of the rows.
        weight : ndarray of shape (n_samples,) or None
            Checked sample weights.

        Returns
        -------
        ndarray of shape (n_samples,) or None
        """
        return weight
