"""Arrays with equal contents, stored once."""

import numpy as np
import scipy.sparse as sp

# Number of elements that are compared first, all those of a small array. Different
# larger arrays seldom agree in them.
N_SAMPLED = 256


class SharedArrays:
    """A store that returns the same array for all arrays with equal contents.

    A search gives each candidate its own copies of the folds.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.data.shared_arrays import SharedArrays
    >>> shared, one, equal = SharedArrays(), np.arange(3.0), np.arange(3.0)
    >>> shared.array(one) is shared.array(equal) is one
    True
    """

    def __init__(self):
        self._seen, self._by_sample = {}, {}

    def rows(self, rows):
        """Return `Rows` that share arrays with earlier equal ones."""
        parts = (rows.X, rows.y, rows.weight, rows.index)
        return type(rows)(*map(self.array, parts))

    def array(self, array):
        """Return the first array seen that equals this one, or None for None."""
        if array is None:
            return None
        # Arrays are kept alive, or else a new one could get the id of an old one.
        if id(array) not in self._seen:
            self._seen[id(array)] = array, self._first_equal(array)
        return self._seen[id(array)][1]

    def _first_equal(self, array):
        parts = _parts(array)
        sample = [
            (part.dtype.str, part.shape, _sample(part).tobytes()) for part in parts
        ]
        candidates = self._by_sample.setdefault((array.shape, *sample), [])
        for other in candidates:
            if other is array or all(map(_are_equal, _parts(other), parts)):
                return other
        candidates.append(array)
        return array


def _parts(array):
    """Return the dense arrays that make up a dense or CSR array."""
    if sp.issparse(array):
        return array.data, array.indices, array.indptr
    return (array,)


def _sample(array):
    return array.reshape(-1)[:: _stride(array)]


def _stride(array):
    return max(1, array.size // N_SAMPLED)


def _are_equal(one, other):
    """Return whether two arrays are equal of which the samples are."""
    return _stride(one) == 1 or np.array_equal(one, other)
