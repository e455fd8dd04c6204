"""Some rows of a data set."""

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Rows:
    """Some rows of a data set, whose arrays may be shared with others.

    Parameters
    ----------
    X : {ndarray, CSR} of shape (n, n_features)
    y : ndarray of shape (n,) or (n, n_outputs)
        Targets: as they were checked, in a `Prepared`, or encoded for the loss, with
        a column for each output, in a `FitRequest`.
    weight : ndarray of shape (n,) or None
        Sample weights.
    index : ndarray of shape (n_rows,)
        The positions of the rows in the arrays.
    """

    X: object
    y: np.ndarray
    weight: np.ndarray | None
    index: np.ndarray
    _known: dict = field(default_factory=dict, compare=False, repr=False)

    def once(self, what, compute):
        """Return the result of a function, which is computed once and kept.

        So the candidates of a search, one after another, share what they learn from the
        same rows.

        Parameters
        ----------
        what : hashable
            The key under which the result is kept.
        compute : callable
            Called without arguments the first time.
        """
        if what not in self._known:
            self._known[what] = compute()
        return self._known[what]

    @property
    def n_bytes(self):
        """Number of bytes of the inputs."""
        if sp.issparse(self.X):
            return self.X.data.nbytes + self.X.indices.nbytes + self.X.indptr.nbytes
        return self.X.nbytes
