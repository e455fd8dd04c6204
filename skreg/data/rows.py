"""Rows of a data set."""

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Rows:
    """Rows of a data set: arrays that may be shared, and which of their rows.

    Parameters
    ----------
    X : {ndarray, CSR} of shape (n, n_features)
    y : ndarray of shape (n, n_outputs)
        Encoded (classes) or standardised (numbers) targets.
    weight : ndarray of shape (n,), default=None
        Sample weights.
    index : ndarray of shape (n_rows,)
        The rows that are meant.
    """

    X: object
    y: np.ndarray
    weight: np.ndarray | None
    index: np.ndarray
    _known: dict = field(default_factory=dict, compare=False, repr=False)

    def once(self, what, compute):
        """Return what `compute` gives, which is called once for each key `what`.

        For what candidates of a search learn of the same rows, one after another.
        """
        if what not in self._known:
            self._known[what] = compute()
        return self._known[what]

    @property
    def n_bytes(self):
        """Bytes of the inputs."""
        if sp.issparse(self.X):
            return self.X.data.nbytes + self.X.indices.nbytes + self.X.indptr.nbytes
        return self.X.nbytes
