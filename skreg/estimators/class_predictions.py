"""Predictions of classes from scores, in the same way for all classifiers."""

from functools import cache
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from skreg.estimators.labels import accuracy, check_indicators
from skreg.typing import ArrayLike, MatrixLike, NDArray


def inside_unit_interval(probability):
    """Return probabilities with 0 and 1, which are rounded, moved to the next number.

    Parameters
    ----------
    probability : ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.estimators.class_predictions import inside_unit_interval
    >>> bool(np.isfinite(np.log(inside_unit_interval(np.zeros(1)))).all())
    True
    """
    lowest, highest = _limits(probability.dtype)
    # Twice as fast as np.clip for a few rows.
    return np.minimum(np.maximum(probability, lowest), highest)


@cache
def _limits(dtype):
    limits = np.finfo(dtype)
    return limits.tiny, 1 - limits.epsneg


class ClassPredictionsMixin(ClassifierMixin):
    """`predict`, `predict_log_proba` and `score` of a classifier.

    Subclasses define `_decision`, which returns the `Labels`, their scores for each
    row, and the score above which a label is predicted; and `predict_proba`.
    """

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Return the most probable class, or the labels more probable than not.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            One of `classes_` for each row, or for each label 0 or 1.
        """
        labels, scores, threshold = self._decision(X)
        return labels.decide(scores, threshold)

    def predict_log_proba(self, X: MatrixLike) -> NDArray[Any]:
        """Return the logarithm of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``, which is finite.
        """
        return np.log(self.predict_proba(X))

    def score(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the accuracy, for several labels the share of rows with all correct.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            True classes, or for each label 0 or 1.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Between 0 and 1.
        """
        check_indicators(y)
        predicted = self.predict(X)
        found = accuracy(y, predicted) if sample_weight is None else None
        if found is None:
            found = accuracy_score(y, predicted, sample_weight=sample_weight)
        return found
