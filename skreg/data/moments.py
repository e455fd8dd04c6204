"""Means and standard deviations that standardise columns."""

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

# Elements standardised at a time, so that memory maps and sparse data stay small.
ELEMENTS_AT_A_TIME = 2**22


def standardisation(array, index, weight, with_mean=True):
    """Return the weighted mean and standard deviation of some rows of an array.

    Parameters
    ----------
    array : {ndarray, CSR} of shape (n, n_columns)
    index : ndarray of shape (n_rows,)
    weight : ndarray of shape (n,) or None
    with_mean : bool, default=True
        False is for sparse data, which centring would make dense.

    Returns
    -------
    mean : ndarray of shape (n_columns,) or None
    scale : ndarray of shape (n_columns,)
        The standard deviation, 1 for constant columns.
    """
    scaler = _moments(array, index, weight, with_mean)
    mean = scaler.mean_.astype(array.dtype) if with_mean else None
    return mean, scaler.scale_.astype(array.dtype)


def channel_standardisation(array, index, weight, n_channels, with_mean=True):
    """Return the mean and standard deviation of channels, over rows and pixels.

    Parameters
    ----------
    array : {ndarray, CSR} of shape (n, n_pixels * n_channels)
        Images, the channels last.
    index, weight, with_mean
        As those of `standardisation`.
    n_channels : int

    Returns
    -------
    mean : ndarray of shape (n_pixels * n_channels,) or None
        That of its channel for each column.
    scale : ndarray of shape (n_pixels * n_channels,)
        The standard deviation, 1 for constant channels.
    """
    scaler = _moments(array, index, weight, with_mean)
    means = scaler.mean_.reshape(-1, n_channels)
    mean = means.mean(0)
    # Of all pixels: within each of them, and between them.
    scale = np.sqrt((scaler.var_.reshape(means.shape) + (means - mean) ** 2).mean(0))
    rounding = 10 * np.finfo(np.float64).eps * np.abs(means).max(0)
    scale[scale <= rounding] = 1
    columns = [np.tile(part, len(means)).astype(array.dtype) for part in (mean, scale)]
    return columns[0] if with_mean else None, columns[1]


def _moments(array, index, weight, with_mean):
    """Return a StandardScaler that has seen some rows of an array."""
    scaler = StandardScaler(with_mean=with_mean)
    size = max(1, ELEMENTS_AT_A_TIME // max(1, array.shape[1]))
    for part in gen_batches(len(index), size):
        rows = index[part]
        scaler.partial_fit(
            array[rows], sample_weight=None if weight is None else weight[rows]
        )
    return scaler
