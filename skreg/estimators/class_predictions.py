"""Predictions of classes from scores, in the same way for all classifiers."""

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from skreg.typing import MatrixLike, NDArray


class ClassPredictionsMixin(ClassifierMixin):
    """`predict` and `predict_log_proba` of a classifier with `predict_proba`.

    Subclasses define `_decision`, which returns the `Labels`, their scores for each
    row, and the score above which a label is predicted.
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
            ``log(predict_proba(X))``.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))
