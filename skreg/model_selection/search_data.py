"""The data of a search, and the rows of its folds."""

from dataclasses import dataclass, field

import numpy as np

from skreg.compatibility import check_method_params
from skreg.data.rows import Rows
from skreg.data.sample_weights import is_weighted
from skreg.estimators.preparation import CheckedData, learn_weights


@dataclass
class SearchData:
    """The validated data of a search and its folds.

    Parameters
    ----------
    checked : CheckedData
    sample_weight : ndarray of shape (n_samples,) or None
    folds : list of (ndarray, ndarray)
        The indices of the training rows and of the held-out rows.
    score_params : dict, default={}
        What the scorer gets besides the rows, such as their sample weights.
    """

    checked: CheckedData
    sample_weight: np.ndarray | None
    folds: list
    score_params: dict = field(default_factory=dict)
    _rows: dict = field(default_factory=dict)

    @property
    def X(self):
        return self.checked.X

    @property
    def y(self):
        return self.checked.y

    def score_params_of(self, rows):
        """Return what the scorer gets for some rows."""
        return check_method_params(self.X, self.score_params, indices=rows)

    def limited(self, n_rows, seed):
        """Return the data with fewer rows in each fold, drawn at random.

        Parameters
        ----------
        n_rows : int
            Number of training rows of the first fold. The parts of all folds have the
            same share of their rows, and at least as many as there are folds.
        seed : int
        """
        rng = np.random.default_rng(seed)
        share = min(1, n_rows / len(self.folds[0][0]))

        def some(rows):
            n = max(round(share * len(rows)), min(len(rows), len(self.folds)))
            return np.sort(rng.permutation(rows)[:n])

        folds = [tuple(map(some, fold)) for fold in self.folds]
        return SearchData(self.checked, self.sample_weight, folds, self.score_params)

    def rows_for(self, model, fold):
        """Return the training rows and the held-out rows of a fold.

        Candidates with the same class weights get the same objects, so that results
        that depend on the rows only are computed once.

        Returns
        -------
        train : Rows
        held_out : Rows or None
            None if there are none.
        """
        key = id(fold), repr(getattr(model, "class_weight", None))
        if key not in self._rows:
            # Keep a reference to the fold, so that its id is not reused.
            self._rows[key] = fold, self._weighted_rows(model, *fold)
        return self._rows[key][1]

    def _weighted_rows(self, model, train, test):
        weights = learn_weights(model, self.checked, self.sample_weight, train)
        weight = weights.of_rows(self.X, self.y, self.sample_weight)
        if weight is not None:
            counts = is_weighted(weight)
            train, test = train[counts[train]], test[counts[test]]
        rows = Rows(self.X, self.y, weight, train)
        return rows, Rows(self.X, self.y, weight, test) if len(test) else None
