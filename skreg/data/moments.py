"""The means and standard deviations of columns or of channels, for standardisation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

# Number of elements read at a time, to limit memory for memory maps and sparse data.
ELEMENTS_AT_A_TIME = 2**22
# A standard deviation of this many rows is known to about an eighth of itself.
ENOUGH_ROWS = 32
# A standard deviation that is smaller, relative to the mean, is rounding.
ROUNDING = 10 * np.finfo(np.float64).eps


@dataclass(frozen=True, eq=False)
class Moments:
    """The weighted mean and standard deviation of each column of the rows so far.

    Missing numbers, which are nan, do not count.

    The numbers of a column are shifted by the first of them and multiplied by a power
    of two before anything is squared. So digits are not lost to large means, and very
    large or very small numbers do not leave the range of floating-point numbers.
    (scikit-learn's StandardScaler takes a standard deviation of 1e-200 for 0, and that
    of a million numbers around 1e9 for 0 if it is below 0.2.)

    Parameters
    ----------
    origin : ndarray of shape (n_columns,) or None
        What is subtracted; None for sparse data, which shifting would make dense.
    unit : ndarray of shape (n_columns,)
        The powers of two that numbers are divided by.
    shifted_mean, shifted_variance : ndarray of shape (n_columns,)
        Of the shifted and divided numbers.
    total_weight : float or ndarray of shape (n_columns,)
        The sum of the weights, for each column if numbers are missing.
    n_rows : int
    """

    origin: np.ndarray | None
    unit: np.ndarray
    shifted_mean: np.ndarray
    shifted_variance: np.ndarray
    total_weight: float
    n_rows: int = 0

    @classmethod
    def of(cls, array, index, weight):
        """Return the moments of some rows.

        Parameters
        ----------
        array : {ndarray, CSR} of shape (n, n_columns)
        index : ndarray of shape (n_rows,)
            The rows to use.
        weight : ndarray of shape (n,) or None
            Weights of all rows of the array.
        """
        few = array[index[: _n_at_a_time(array)]]
        if sp.issparse(few):
            largest, origin = abs(few).max(axis=0).toarray().ravel(), None
        else:
            # nan only in columns without any number
            largest = np.nan_to_num(np.fmax.reduce(np.abs(few), axis=0), copy=False)
            origin = _first_numbers(few).astype(np.float64)
        # Within what can be inverted.
        exponents = np.frexp(largest.astype(np.float64))[1]
        exponents = np.minimum(np.maximum(exponents, -1000), 1000)
        zeros = np.zeros(array.shape[1])
        start = cls(origin, np.ldexp(1.0, exponents), zeros, zeros, 0.0)
        return start.updated(array, index, weight)

    def updated(self, array, index, weight):
        """Return the moments with more rows; the parameters are those of `of`."""
        moments, size = self, _n_at_a_time(array)
        for start in range(0, len(index), size):
            rows = index[start : start + size]
            own = None if weight is None else weight[rows]
            moments = moments._with(array[rows], own)
        return replace(moments, n_rows=self.n_rows + len(index))

    def _with(self, part, weight):
        """Return the moments with the numbers of some more rows."""
        if self.origin is None:
            data = part.data / self.unit[part.indices]
            n_stored, n_columns = np.diff(part.indptr), part.shape[1]
            own = _sparse_moments(data, part.indices, n_stored, weight, n_columns)
        else:
            part = part / self.unit
            part -= self.origin / self.unit
            own = _moments(part, weight)
        if np.any(self.total_weight):
            before = self.shifted_mean, self.shifted_variance, self.total_weight
            own = _merged(before, own)
        mean, variance, total = own
        return replace(
            self, shifted_mean=mean, shifted_variance=variance, total_weight=total
        )

    @property
    def mean(self):
        """The means, of shape (n_columns,)."""
        mean = self.shifted_mean * self.unit
        return mean if self.origin is None else self.origin + mean

    @property
    def deviation(self):
        """The standard deviations, 0 for constant columns, of shape (n_columns,)."""
        deviation = np.sqrt(self.shifted_variance) * self.unit
        return np.where(deviation > ROUNDING * np.abs(self.mean), deviation, 0.0)

    @property
    def scale(self):
        """The standard deviations, 1 for constant columns, of shape (n_columns,)."""
        deviation = self.deviation
        return np.where(deviation > 0, deviation, 1.0)

    @property
    def is_constant(self):
        """Which columns have had one value only, but for rounding."""
        return self.deviation == 0

    def is_settled(self, n_channels=None):
        """Return which columns, or their channels, have a scale that can be kept.

        Parameters
        ----------
        n_channels : int or None, default=None

        Returns
        -------
        ndarray of bool of shape (n_columns,)
        """
        settled = ~self.is_constant & (self.n_rows >= ENOUGH_ROWS)
        if n_channels:
            pixels = settled.reshape(-1, n_channels)
            settled = np.tile(pixels.any(axis=0), len(pixels))
        return settled

    def standardisation(self, dtype):
        """Return the mean and the scale of each column, in a precision.

        Parameters
        ----------
        dtype : dtype

        Returns
        -------
        mean : ndarray of shape (n_columns,) or None
            None for sparse data, which centring would make dense.
        scale : ndarray of shape (n_columns,)
        """
        mean = None if self.origin is None else self.mean.astype(dtype, copy=False)
        return mean, self.scale.astype(dtype, copy=False)

    def channel_standardisation(self, dtype, n_channels):
        """Return the mean and the scale of each channel, over rows and pixels.

        Parameters
        ----------
        dtype : dtype
        n_channels : int
            The columns are pixels, with the channels last.

        Returns
        -------
        mean : ndarray of shape (n_pixels * n_channels,) or None
            For each column the mean of its channel. None for sparse data.
        scale : ndarray of shape (n_pixels * n_channels,)
            For each column the standard deviation of its channel, 1 for constant
            channels.
        """
        means = self.mean.reshape(-1, n_channels)
        own = self.deviation.reshape(means.shape)
        mean = means.mean(0)
        # The variance of a channel is that within its pixels plus that between them.
        scale = np.sqrt((own**2 + (means - mean) ** 2).mean(0))
        scale[scale <= ROUNDING * np.abs(means).max(0)] = 1
        columns = [np.tile(part, len(means)).astype(dtype) for part in (mean, scale)]
        return None if self.origin is None else columns[0], columns[1]


def _n_at_a_time(array):
    return max(1, ELEMENTS_AT_A_TIME // max(1, array.shape[1]))


def _moments(part, weight):
    """Return the mean and variance of each column, and the sum of the weights."""
    total = float(len(part)) if weight is None else weight.sum()
    share = np.full(len(part), 1 / total) if weight is None else weight / total
    mean = share @ part
    if np.isnan(mean).any():
        return _moments_of_present(part, share, total)
    part -= mean
    np.square(part, out=part)
    return mean, share @ part, total


def _moments_of_present(part, share, total):
    """Return the same of the numbers that are not nan."""
    shares = np.where(np.isnan(part), 0.0, share[:, None])
    sums = shares.sum(axis=0)
    shares /= np.where(sums > 0, sums, 1)
    part = np.nan_to_num(part, copy=False)
    mean = (shares * part).sum(axis=0)
    part -= mean
    return mean, (shares * part**2).sum(axis=0), total * sums


def _first_numbers(rows):
    """Return the first number of each column that is not nan, 0 if there is none."""
    first = rows[0]
    if np.isnan(first).any():
        is_number = ~np.isnan(rows)
        first = np.take_along_axis(rows, is_number.argmax(axis=0)[None], 0)[0]
    return np.nan_to_num(first, copy=False)


def _sparse_moments(data, indices, n_stored, weight, n_columns):
    """Return the same of a sparse matrix, whose stored numbers are given.

    Parameters
    ----------
    data, indices : ndarray of shape (n_numbers,)
        The numbers and their columns, row by row.
    n_stored : ndarray of shape (n_rows,)
        The number of stored numbers of each row.
    weight : ndarray of shape (n_rows,) or None
    n_columns : int
    """
    weight = np.ones(len(n_stored)) if weight is None else weight
    total, of_number = weight.sum(), np.repeat(weight, n_stored)

    def mean_of(values):
        return np.bincount(indices, of_number * values, n_columns) / total

    mean = mean_of(data)
    # The zeros that are not stored are as far from the mean as the mean is from zero.
    missing = 1 - np.minimum(mean_of(1.0), 1)
    variance = mean_of((data - mean[indices]) ** 2) + missing * mean**2
    return mean, variance, total


def _merged(one, other):
    """Return the moments of two parts together.

    Chan, Golub and LeVeque (1983), "Algorithms for Computing the Sample Variance".
    """
    (mean, variance, total), (mean_2, variance_2, total_2) = one, other
    share = total_2 / np.maximum(total + total_2, np.finfo(np.float64).tiny)
    difference = mean_2 - mean
    variance = variance + share * (variance_2 - variance)
    variance += share * (1 - share) * difference**2
    return mean + share * difference, variance, total + total_2
