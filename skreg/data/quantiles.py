"""Weighted quantiles of the columns of a table, and what is made of them."""

import numpy as np

# Elements sorted at a time, so that memory maps stay small.
ELEMENTS_AT_A_TIME = 2**22


def quantiles(array, index, weight, levels):
    """Return quantiles of the columns of some rows: the inverse of their distribution.

    The smallest value with at least a share of `level` of the weight at or below it.
    So they are values of the data, and a weight of 2 is a row given twice.

    Parameters
    ----------
    array : ndarray of shape (n, n_columns)
    index : ndarray of shape (n_rows,)
    weight : ndarray of shape (n,) or None
        Of the rows, positive where they are in `index`.
    levels : array-like of shape (n_levels,)
        From 0, the minimum, to 1, the maximum.

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
    # Rounding must not take a share for one just above it.
    levels = np.asarray(levels) * (1 - 1e-12)
    n_rows, n_columns = len(index), array.shape[1]
    result = np.empty((len(levels), n_columns), array.dtype)
    size = max(1, ELEMENTS_AT_A_TIME // n_rows)
    for start in range(0, n_columns, size):
        columns = slice(start, start + size)
        part = array[index, columns]
        if weight is None:
            positions = np.maximum(np.ceil(levels * n_rows).astype(int) - 1, 0)
            part.partition(np.unique(positions), axis=0)
            result[:, columns] = part[positions]
        else:
            result[:, columns] = _weighted(part, weight[index], levels)
    return result


def _weighted(part, weight, levels):
    order = part.argsort(axis=0, kind="stable")
    below = weight[order].cumsum(axis=0)
    positions = np.stack(
        [np.searchsorted(column, levels * column[-1]) for column in below.T], axis=1
    )
    return np.take_along_axis(np.take_along_axis(part, order, 0), positions, 0)


def robust_scaling(array, index, weight, n_channels=None):
    """Return the median and the interquartile range of some rows of an array.

    As in RealMLP (Holzmüller, Grinsztajn and Steinwart 2024): where the quartiles are
    equal, half the range takes their place, and 1 in constant columns.

    Parameters
    ----------
    array, index, weight
        As in `quantiles`.
    n_channels : int, default=None
        The columns are pixels of images, whose channels come last and have one scale
        each, over rows and pixels.

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
    """Return the distinct numbers of each row, the last one repeated to fill it up.

    Parameters
    ----------
    rising : ndarray of shape (n_inputs, n_edges)
        Rows that do not fall.

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
    """Tell which columns have no more than two different values in some rows.

    Parameters
    ----------
    array : ndarray of shape (n, n_columns)
    index : ndarray of shape (n_rows,)

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
        is_extreme = (part == part.min(axis=0)) | (part == part.max(axis=0))
        found[columns] = is_extreme.all(axis=0)
    return found
