"""Weighted quantiles of columns, and the scales and bins that are made from them."""

import numpy as np

# Number of elements sorted at a time, to limit memory for memory maps.
ELEMENTS_AT_A_TIME = 2**22


def quantiles(array, index, weight, levels):
    """Return weighted quantiles of each column.

    A quantile is the smallest value with a share of at least `level` of the weight at
    or below it (the inverse of the distribution function). So it is a value of the
    data, and a row of weight 2 counts as a row given twice. Missing numbers, which are
    nan, do not count. A column without any number has quantiles of 0.

    Parameters
    ----------
    array : ndarray of shape (n, n_columns)
    index : ndarray of shape (n_rows,)
        The rows to use.
    weight : ndarray of shape (n,) or None
        Weights of all rows of the array, positive for those in `index`.
    levels : array-like of shape (n_levels,)
        From 0 for the minimum to 1 for the maximum.

    Returns
    -------
    ndarray of shape (n_levels, n_columns)
        In the precision of `array`.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.data.quantiles import quantiles
    >>> X = np.array([[3.0], [1.0], [2.0], [9.0]])
    >>> quantiles(X, np.arange(4), None, [0, 0.5, 1]).ravel().tolist()
    [1.0, 2.0, 9.0]
    """
    # Rounding must not turn a share into one just above it.
    levels = np.asarray(levels) * (1 - 1e-12)
    n_rows, n_columns = len(index), array.shape[1]
    result = np.empty((len(levels), n_columns), array.dtype)
    size = max(1, ELEMENTS_AT_A_TIME // n_rows)
    for start in range(0, n_columns, size):
        part = array[index, start : start + size]
        own = None if weight is None else weight[index]
        is_missing = np.isnan(part)
        for column in np.flatnonzero(is_missing.any(axis=0)):
            result[:, start + column] = _of_numbers(part[:, column], own, levels)
        complete = np.flatnonzero(~is_missing.any(axis=0))
        if len(complete) < part.shape[1]:
            part = part[:, complete]
        if len(complete):
            result[:, start + complete] = _of_rows(part, own, levels)
    return result


def _of_numbers(column, weight, levels):
    """Return the quantiles of the numbers of a column that are not nan, else 0."""
    is_number = ~np.isnan(column)
    if not is_number.any():
        return np.zeros(len(levels))
    weight = None if weight is None else weight[is_number]
    return _of_rows(column[is_number, None], weight, levels)[:, 0]


def _of_rows(part, weight, levels):
    """Return the quantiles of all rows of an array, which may be overwritten."""
    if weight is not None:
        return _weighted(part, weight, levels)
    positions = np.maximum(np.ceil(levels * len(part)).astype(int) - 1, 0)
    part.partition(np.unique(positions), axis=0)
    return part[positions]


def _weighted(part, weight, levels):
    """Return the quantiles of all rows of an array, with a weight for each row."""
    order = part.argsort(axis=0, kind="stable")
    below = weight[order].cumsum(axis=0)
    positions = np.stack(
        [np.searchsorted(column, levels * column[-1]) for column in below.T], axis=1
    )
    return np.take_along_axis(np.take_along_axis(part, order, 0), positions, 0)


def robust_scaling(array, index, weight, n_channels=None):
    """Return the median and the interquartile range of each column.

    As in RealMLP (Holzmüller, Grinsztajn and Steinwart 2024), the scale is half the
    range where the quartiles are equal, and 1 for constant columns.

    Parameters
    ----------
    array, index, weight
        As in `quantiles`.
    n_channels : int, default=None
        Number of channels of images. The columns are then pixels with the channels
        last, and each channel has one median and scale, over rows and pixels.

    Returns
    -------
    median, scale : ndarray of shape (n_columns,)
    """
    if n_channels:
        n_pixels = array.shape[1] // n_channels
        pixels = array[index].reshape(-1, n_channels)
        weight = None if weight is None else weight[index].repeat(n_pixels)
        parts = robust_scaling(pixels, np.arange(len(pixels)), weight)
        return tuple(np.tile(part, n_pixels) for part in parts)
    levels = (0, 0.25, 0.5, 0.75, 1)
    low, lower, median, upper, high = quantiles(array, index, weight, levels)
    scale, half_range = upper - lower, high / 2 - low / 2
    scale = np.where(scale > 0, scale, half_range)
    return median, np.where(scale > 0, scale, 1).astype(array.dtype)


def bin_edges(rising):
    """Return the distinct numbers of each row, followed by copies of the last one.

    Parameters
    ----------
    rising : ndarray of shape (n_inputs, n_edges)
        Rows in ascending order, with or without repeated numbers.

    Returns
    -------
    ndarray of shape (n_inputs, n_edges)

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.data.quantiles import bin_edges
    >>> bin_edges(np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 2.0, 3.0]]))
    array([[0., 1., 1., 1.],
           [0., 1., 2., 3.]])
    """
    is_new = np.diff(rising, axis=1, prepend=-np.inf) > 0
    rows, columns = np.nonzero(is_new)
    edges = np.repeat(rising[:, -1:], rising.shape[1], axis=1)
    edges[rows, is_new.cumsum(axis=1)[rows, columns] - 1] = rising[rows, columns]
    return edges


def has_two_values(array, index):
    """Return which columns have at most two different values, besides nan.

    Parameters
    ----------
    array : ndarray of shape (n, n_columns)
    index : ndarray of shape (n_rows,)
        The rows to use.

    Returns
    -------
    ndarray of bool of shape (n_columns,)

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.data.quantiles import has_two_values
    >>> X = np.array([[0, 5, 1], [1, 5, 2], [1, 5, 3]])
    >>> has_two_values(X, np.arange(3)).tolist()
    [True, True, False]
    """
    found = np.empty(array.shape[1], bool)
    size = max(1, ELEMENTS_AT_A_TIME // len(index))
    for start in range(0, len(found), size):
        columns = slice(start, start + size)
        part = array[index, columns]
        low, high = (f.reduce(part, axis=0) for f in (np.fmin, np.fmax))
        found[columns] = ((part == low) | (part == high) | np.isnan(part)).all(axis=0)
    return found
