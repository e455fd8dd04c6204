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
    weight : ndarray of shape (n,) or (n, n_labels) or None
        Weights of the rows, or of each label of each row.
    index : ndarray of shape (n_rows,)
        The positions of the rows in the arrays.
    """

    X: object
    y: np.ndarray
    weight: np.ndarray | None
    index: np.ndarray
    _known: dict = field(default_factory=dict, compare=False, repr=False)

    @property
    def row_weight(self):
        """Weights of the rows, for what all labels of a row share.

        An array of shape (n,) or None. Labels count equally: each of them has weights
        with a mean of 1 over the rows.
        """
        if self.weight is None or self.weight.ndim == 1:
            return self.weight
        return self.once("row weight", self._mean_over_labels)

    def _mean_over_labels(self):
        mean = self.weight[self.index].mean(axis=0)
        return (self.weight / np.where(mean > 0, mean, 1)).mean(axis=1)

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
