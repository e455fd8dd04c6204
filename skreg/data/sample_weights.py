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
    return _in_range(check_sample_weight(weight, X))


def weighted(factors, weight, X):
    """Return products of factors and sample weights, checked like sample weights.

    Products may be all zero or out of range, even if no factor is.

    Parameters
    ----------
    factors : ndarray of shape (n_samples,) or (n_samples, n_labels)
    weight : ndarray of shape (n_samples,) or None
    X : {ndarray, CSR} of shape (n_samples, n_features)

    Returns
    -------
    ndarray of the shape of `factors`
    """
    product = factors if weight is None else (factors.T * weight).T
    rows = product.reshape(len(product), -1)
    # The largest of a row, unless one is negative or nan.
    check_sample_weight(rows.max(axis=1) if rows.min() >= 0 else rows.min(axis=1), X)
    return _in_range(product)


def effective_n_rows(n_rows, weight=None):
    """Return the number of rows of equal weight that a mean is as certain as.

    It is ``(sum of the weights)^2 / (sum of their squares)`` (Kish 1965), which does
    not depend on the unit of the weights.

    Parameters
    ----------
    n_rows : int
    weight : ndarray of shape (n_rows,), default=None
        None is equal weights.

    Returns
    -------
    float

    References
    ----------
    Kish (1965), "Survey Sampling", section 8.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.data.sample_weights import effective_n_rows
    >>> float(effective_n_rows(4, np.array([0.1, 0.1, 0.0, 0.0])))
    2.0
    """
    return n_rows if weight is None else weight.sum() ** 2 / (weight @ weight)


def is_weighted(weight):
    """Return for each row whether it counts, for any label.

    Parameters
    ----------
    weight : ndarray of shape (n_samples,) or (n_samples, n_labels)
    """
    return weight != 0 if weight.ndim == 1 else weight.any(axis=1)


def _in_range(weight):
    exponent = np.frexp(weight.max())[1]
    return weight if abs(exponent) < 100 else np.ldexp(weight, -exponent)
