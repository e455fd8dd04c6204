"""Rows without copies, in an order that depends on nothing but their contents.

A sum over such rows is the same to the last bit however often and in whatever order the
rows were given. In other orders it differs by rounding, which training can amplify.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.utils import gen_batches

from skreg.data.rows import Rows

# Number of elements read at a time, to limit memory.
ELEMENTS_AT_A_TIME = 2**15


def merged(rows):
    """Merge equal rows to one with the sum of their weights, and sort the rows.

    They are sorted by a hash of the inputs and the targets.

    Parameters
    ----------
    rows : Rows
        With unencoded targets.

    Returns
    -------
    Rows
        With the same arrays `X` and `y`. Its weights are None if they are equal.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.data.equal_rows import merged
    >>> from skreg.data.rows import Rows
    >>> X, y = np.array([[0.0], [1.0], [0.0]]), np.zeros(3)
    >>> found = merged(Rows(X, y, None, np.arange(3)))
    >>> found.X[found.index].ravel().tolist(), found.weight[found.index].tolist()
    ([0.0, 1.0], [2.0, 1.0])
    """
    codes = _codes(rows.y[rows.index])
    keys = _hashes(rows.X, rows.index, codes.astype(np.uint64))
    order = np.argsort(keys, kind="stable")
    index, keys, codes = rows.index[order], keys[order], codes[order]
    is_copy = np.zeros(len(index), bool)
    is_copy[1:] = keys[1:] == keys[:-1]
    (copies,) = np.nonzero(is_copy)
    is_copy[copies] = (codes[copies] == codes[copies - 1]).all(axis=1)
    is_copy[copies] &= _are_equal(rows.X, index[copies], index[copies - 1])
    (first,) = np.nonzero(~is_copy)
    weight = np.ones(len(rows.y)) if rows.weight is None else rows.weight
    total = _totals(weight[index], first)
    index = index[first]
    if (total == total[0]).all():
        return Rows(rows.X, rows.y, None, index)
    weight = np.zeros_like(weight)
    weight[index] = total
    return Rows(rows.X, rows.y, weight, index)


def _totals(weight, first):
    """Return the sum of each run of weights, which begin at the positions `first`."""
    if len(first) == len(weight):
        return weight
    sizes = np.diff(first, append=len(weight))
    low, high = (f.reduceat(weight, first) for f in (np.minimum, np.maximum))
    # A sum of equal numbers would be rounded several times.
    products = (low.T * sizes).T
    return np.where(low == high, products, np.add.reduceat(weight, first))


def _codes(y):
    """Return targets of any type as integers, in columns."""
    columns = y.reshape(len(y), -1).T
    return np.stack([np.unique(c, return_inverse=True)[1] for c in columns], axis=1)


def _hashes(X, index, codes):
    """Return a hash of each row and its codes, which others hardly ever share.

    It is the sum of products of the bits with a random odd number for each column
    (Dietzfelbinger et al. 1997, "A Reliable Randomized Algorithm for the Closest-Pair
    Problem"), which integers hold exactly in any order.
    """
    rng, n_columns = np.random.default_rng(0), X.shape[1]
    factors = rng.integers(2**63, size=n_columns + codes.shape[1], dtype=np.uint64)
    factors, of_codes = np.split(2 * factors + np.uint64(1), [n_columns])
    products = _sparse_products if sp.issparse(X) else _dense_products
    n_elements = X.nnz if sp.issparse(X) else X.size
    size = max(1, ELEMENTS_AT_A_TIME * X.shape[0] // max(1, n_elements))
    parts = [index[part] for part in gen_batches(len(index), size)]
    hashes = np.concatenate([products(X[part], factors) for part in parts])
    return hashes + codes @ of_codes


def _dense_products(X, factors):
    return _bits(X) @ factors


def _sparse_products(X, factors):
    products = _bits(X.data) * factors[X.indices]
    # Differences of sums, which hold although the sums overflow.
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(products)])
    return sums[X.indptr[1:]] - sums[X.indptr[:-1]]


def _bits(values):
    """Return the bits of floats as integers, where -0.0 is 0.0."""
    values = values + values.dtype.type(0)
    if values.dtype == np.float32:
        return values.view(np.uint32).astype(np.uint64)
    bits = values.view(np.uint64)
    bits ^= bits >> np.uint64(32)  # round numbers have zeros in their last bits
    return bits


def _are_equal(X, one, other):
    """Return whether the rows at two lists of positions are equal, pair by pair."""
    one, other = X[one], X[other]
    different = one != other
    if not sp.issparse(X):  # two missing numbers are equal, too
        different &= ~(np.isnan(one) & np.isnan(other))
    return np.asarray(different.sum(axis=1)).reshape(-1) == 0
