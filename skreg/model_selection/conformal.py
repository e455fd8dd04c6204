"""Intervals and sets that hold the truth with a given probability, from held-out rows.

A conformity score says how far the target of a row is from a prediction. The CV+
intervals and sets hold the targets whose scores, among those of the held-out rows, are
not too high, where each score is that of the networks that did not see its row.
"""

from dataclasses import dataclass

import numpy as np

from skreg.compatibility import InvalidParameterError

# Rows times groups that are predicted at a time.
ELEMENTS_AT_A_TIME = 2**18
# Bounds are found by halving the range that they can be in: to its last bits.
N_HALVINGS = 60
# A share of the weight must not be missed by rounding.
ALMOST_1 = 1 - 1e-12


@dataclass(frozen=True, eq=False)
class HeldOutScores:
    """The conformity scores of held-out rows, sorted.

    Rows that the same folds hold out form a group, which the same networks predict: a
    fold, unless a row is held out several times.

    Parameters
    ----------
    folds : ndarray of bool of shape (n_groups, n_folds)
        The folds that hold out each group.
    scores : list of ndarray of shape (n_rows, n_outputs)
        Those of each group, each column in ascending order.
    below : list of ndarray of shape (n_rows + 1, n_outputs)
        The sum of the weights of the first scores of each group: of none, one, ...
    total, heaviest : float
        The sum of the weights of all rows, and the largest of them.

    References
    ----------
    Barber, Candès, Ramdas and Tibshirani (2021), "Predictive inference with the
    jackknife+".
    """

    folds: np.ndarray
    scores: list
    below: list
    total: float
    heaviest: float

    @classmethod
    def of(cls, scores, folds_of_rows, weight=None):
        """Return the scores of some rows.

        Parameters
        ----------
        scores : ndarray of shape (n_rows, n_outputs)
        folds_of_rows : ndarray of bool of shape (n_rows, n_folds)
            The folds that held out each row.
        weight : ndarray of shape (n_rows,), default=None
            None is equal weights.
        """
        weight = np.ones(len(scores)) if weight is None else weight.astype(float)
        folds, groups = np.unique(folds_of_rows, axis=0, return_inverse=True)
        parts, below = [], []
        for group in range(len(folds)):
            is_in = groups.ravel() == group
            order = scores[is_in].argsort(axis=0)
            parts.append(np.take_along_axis(scores[is_in], order, axis=0))
            sums = weight[is_in][order].cumsum(axis=0)
            below.append(np.concatenate([np.zeros_like(sums[:1]), sums]))
        return cls(folds, parts, below, weight.sum(), weight.max())

    @property
    def n_at_a_time(self):
        """The number of rows to predict at a time, to limit memory."""
        return max(1, ELEMENTS_AT_A_TIME // len(self.folds))

    def means(self, of_folds):
        """Return the mean prediction of the folds of each group.

        Parameters
        ----------
        of_folds : list of ndarray
            The predictions of each fold for the same rows.

        Returns
        -------
        ndarray of shape (n_groups, n_rows, ...)
        """
        shares = self.folds / self.folds.sum(axis=1, keepdims=True)
        return np.tensordot(shares, np.stack(of_folds), axes=1)

    def needed(self, coverage):
        """Return the weight that scores must have for a coverage.

        A new row has the weight of the heaviest: with less, its score would count less
        than one that it may be exchanged with.
        """
        return np.asarray(coverage) * (self.total + self.heaviest) * ALMOST_1

    def below_scores(self, scores):
        """Return the weight of the held-out rows whose scores are lower than others.

        Parameters
        ----------
        scores : ndarray of shape (n_groups, ...)
            Of the first output, by the networks of each group.

        Returns
        -------
        ndarray of shape (...)
        """
        parts = zip(self.scores, self.below, scores)
        return sum(below[np.searchsorted(s[:, 0], at), 0] for s, below, at in parts)

    def upper_bounds(self, centers, coverage):
        """Return the smallest numbers that enough sums of center and score are below.

        Parameters
        ----------
        centers : ndarray of shape (n_groups, n_rows, n_outputs)
            What the networks of each group predict.
        coverage : ndarray of shape (n_coverages,)

        Returns
        -------
        ndarray of shape (n_rows, n_outputs, n_coverages)
            Infinite where there are too few held-out rows.
        """
        needed = self.needed(coverage)
        ends = [[s[0] + c, s[-1] + c] for s, c in zip(self.scores, centers)]
        shape = (*centers.shape[1:], len(needed))
        low = np.broadcast_to(np.min(ends, axis=(0, 1))[..., None], shape)
        high = np.broadcast_to(np.max(ends, axis=(0, 1))[..., None], shape)
        for _ in range(N_HALVINGS):
            middle = low / 2 + high / 2
            is_enough = self._up_to(middle, centers) >= needed
            low = np.where(is_enough, low, middle)
            high = np.where(is_enough, middle, high)
        return np.where(needed > self.total, np.inf, high)

    def _up_to(self, bounds, centers):
        """Return the weight of the rows whose center and score add up to a bound."""
        weight = np.zeros(bounds.shape)
        for scores, below, center in zip(self.scores, self.below, centers):
            at = bounds - center[..., None]
            for k, column in enumerate(scores.T):
                n = np.searchsorted(column, at[:, k], side="right")
                weight[:, k] += below[n, k]
        return weight


def check_coverage(coverage):
    """Return coverages as an array, and raise an error if one is impossible.

    Parameters
    ----------
    coverage : float or array-like of shape (n_coverages,)

    Returns
    -------
    ndarray of shape () or (n_coverages,)
    """
    try:
        levels = np.asarray(coverage, dtype=float)
    except (TypeError, ValueError):
        levels = np.empty((0, 0))
    if levels.ndim > 1 or not levels.size or not np.all((levels > 0) & (levels < 1)):
        raise InvalidParameterError(
            "coverage must be a number between 0 and 1, such as 0.9, or a list of "
            f"them, got {coverage!r}."
        )
    return levels


def held_out_rows(folds, predictions, n_rows):
    """Return the mean prediction for each row over the folds that hold it out.

    Parameters
    ----------
    folds : list of (ndarray, ndarray)
        The indices of the training rows and of the held-out rows.
    predictions : list of ndarray of shape (n_held_out, ...)
        For the held-out rows of each fold.
    n_rows : int
        Of the data.

    Returns
    -------
    rows : ndarray of int of shape (n,)
        The rows that are held out by any fold.
    folds_of_rows : ndarray of bool of shape (n, n_folds)
        The folds that hold out each of them.
    mean : ndarray of shape (n, ...)
    """
    is_held_out = np.zeros((n_rows, len(folds)), bool)
    total = np.zeros((n_rows, *predictions[0].shape[1:]))
    for fold, ((_, part), prediction) in enumerate(zip(folds, predictions)):
        is_held_out[part, fold] = True
        total[part] += prediction
    counts = is_held_out.sum(axis=1)
    (rows,) = counts.nonzero()
    return rows, is_held_out[rows], (total[rows].T / counts[rows]).T


def interval_scores(low, high, y):
    """Return how far targets are outside of an interval; negative inside.

    With an interval of one point it is the absolute residual, otherwise the score of
    conformalised quantile regression.

    Parameters
    ----------
    low, high, y : ndarray of shape (n_rows, n_outputs)

    Returns
    -------
    ndarray of the same shape

    References
    ----------
    Romano, Patterson and Candès (2019), "Conformalized Quantile Regression".
    """
    return np.maximum(low - y, y - high)


def intervals(held_out, low, high, coverage):
    """Return the CV+ intervals of rows.

    Parameters
    ----------
    held_out : HeldOutScores
    low, high : ndarray of shape (n_groups, n_rows, n_outputs)
        The interval that the networks of each group predict, or the same number twice.
    coverage : ndarray of shape (n_coverages,)

    Returns
    -------
    ndarray of shape (n_rows, n_outputs, 2, n_coverages)
        Lower and upper bounds.
    """
    bounds = [
        -held_out.upper_bounds(-low, coverage),
        held_out.upper_bounds(high, coverage),
    ]
    # Where networks differ by more than the scores, the interval of a low coverage is
    # empty. Its bounds in the order of numbers are an interval that holds it.
    return np.sort(np.stack(bounds, axis=2), axis=2)


def adaptive_scores(probability):
    """Return the scores of adaptive prediction sets, for every class.

    The score of a class is the probability of the classes that are more probable. The
    classes whose scores are below s are the smallest set with at least the probability
    s. (A random share of the class's own probability would be added for sets that are
    smaller at random, and may be empty. All of it would be wrong: the errors of a
    binary classifier would have the same score, 1.)

    Parameters
    ----------
    probability : ndarray of shape (..., n_classes)

    Returns
    -------
    ndarray of the same shape

    References
    ----------
    Romano, Sesia and Candès (2020), "Classification with Valid and Adaptive Coverage".

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.model_selection.conformal import adaptive_scores
    >>> adaptive_scores(np.array([[0.2, 0.5, 0.3]])).tolist()
    [[0.8, 0.0, 0.5]]
    """
    order = np.argsort(-probability, axis=-1, kind="stable")
    ranked = np.take_along_axis(probability, order, axis=-1)
    above = np.zeros_like(ranked)
    above[..., 1:] = ranked[..., :-1].cumsum(axis=-1)
    scores = np.empty_like(above)
    np.put_along_axis(scores, order, above, axis=-1)
    return scores


def class_sets(held_out, probability, coverage):
    """Return the CV+ sets of classes of rows.

    Parameters
    ----------
    held_out : HeldOutScores
    probability : ndarray of shape (n_groups, n_rows, n_classes)
        What the networks of each group predict.
    coverage : ndarray of shape (n_coverages,)

    Returns
    -------
    ndarray of bool of shape (n_rows, n_classes, n_coverages)
    """
    below = held_out.below_scores(adaptive_scores(probability))
    return below[..., None] < held_out.needed(coverage)
