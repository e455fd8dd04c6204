"""Standardisation: the means and standard deviations of columns or of channels."""

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches

# Number of elements read at a time, to limit memory for memory maps and sparse data.
ELEMENTS_AT_A_TIME = 2**22


def standardisation(array, index, weight, with_mean=True):
    """Return the weighted mean and standard deviation of each column.

    Parameters
    ----------
    array : {ndarray, CSR} of shape (n, n_columns)
    index : ndarray of shape (n_rows,)
        The rows to use.
    weight : ndarray of shape (n,) or None
        Weights of all rows of the array.
    with_mean : bool, default=True
        False is for sparse data, which centring would make dense.

    Returns
    -------
    mean : ndarray of shape (n_columns,) or None
        None without `with_mean`.
    scale : ndarray of shape (n_columns,)
        The standard deviation, 1 for constant columns.
    """
    scaler = _moments(array, index, weight, with_mean)
    mean = scaler.mean_.astype(array.dtype) if with_mean else None
    return mean, scaler.scale_.astype(array.dtype)


def channel_standardisation(array, index, weight, n_channels, with_mean=True):
    """Return the mean and standard deviation of each channel, over rows and pixels.

    Parameters
    ----------
    array : {ndarray, CSR} of shape (n, n_pixels * n_channels)
        Images with the channels last.
    index, weight, with_mean
        As in `standardisation`.
    n_channels : int

    Returns
    -------
    mean : ndarray of shape (n_pixels * n_channels,) or None
        For each column the mean of its channel. None without `with_mean`.
    scale : ndarray of shape (n_pixels * n_channels,)
        For each column the standard deviation of its channel, 1 for constant channels.
    """
    scaler = _moments(array, index, weight, with_mean)
    means = scaler.mean_.reshape(-1, n_channels)
    mean = means.mean(0)
    # The variance of a channel is that within its pixels plus that between them.
    scale = np.sqrt((scaler.var_.reshape(means.shape) + (means - mean) ** 2).mean(0))
    rounding = 10 * np.finfo(np.float64).eps * np.abs(means).max(0)
    scale[scale <= rounding] = 1
    columns = [np.tile(part, len(means)).astype(array.dtype) for part in (mean, scale)]
    return columns[0] if with_mean else None, columns[1]


def _moments(array, index, weight, with_mean):
    """Return a StandardScaler fitted to some rows of an array."""
    scaler = StandardScaler(with_mean=with_mean)
    size = max(1, ELEMENTS_AT_A_TIME // max(1, array.shape[1]))
    for part in gen_batches(len(index), size):
        rows = index[part]
        scaler.partial_fit(
            array[rows], sample_weight=None if weight is None else weight[rows]
        )
    return scaler
