"""The classifier networks: labels, class weights and probabilities."""

from typing import Any, Self

import numpy as np
import torch

from skreg.compatibility import StrOptions, available_if, fit_context
from skreg.estimators.base import BaseNetwork, takes_steps
from skreg.estimators.class_predictions import (
    ClassPredictionsMixin,
    inside_unit_interval,
)
from skreg.estimators.labels import learn_labels
from skreg.parameters.intervals import SHARE
from skreg.training.threads import threads_for
from skreg.typing import ArrayLike, MatrixLike, NDArray


class BaseClassifierNetwork(ClassPredictionsMixin, BaseNetwork):
    """A network for binary, multiclass or multilabel classification."""

    _parameter_constraints = {
        **BaseNetwork._parameter_constraints,
        "label_smoothing": [SHARE],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        # No prediction falls with any input, which the classes of scikit-learn's check
        # of the accuracy do.
        tags.classifier_tags.poor_score = bool(self.positive)
        return tags

    def _learn_targets(self, y, classes, owner):
        return learn_labels(y, classes, owner)

    def _loss_of(self, targets):
        return targets.loss

    def _decision(self, X):
        scores = self._raw_predict(X)
        return self._layout.targets, scores, 0.0

    @available_if(takes_steps)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch, continuing where the last call ended.

        The first call learns the classes. The standardising is learnt from the rows of
        all calls, for each input until it had several values in at least 32 rows, and
        stays from then on. The order of the arguments is that of scikit-learn's MLP.
        Not available with early stopping.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs, as in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        classes : array-like of shape (n_classes,), default=None
            All classes. Needed in the first call if `y` lacks some of them.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight, is_step=True, classes=classes)

    def decision_function(self, X: MatrixLike) -> NDArray[Any]:
        """Return the raw outputs of the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of the second of two classes, or one number for each class or
            label; the largest, or for labels those above 0, are predicted.
        """
        score = self._raw_predict(X)
        return score[:, 0] if self.n_outputs_ == 1 else score

    def predict_proba(self, X: MatrixLike) -> NDArray[Any]:
        """Return probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. For multilabel targets, the probability of each
            label; otherwise rows sum to one. None is exactly 0 or 1, so that log losses
            are finite.
        """
        X, inference = self._checked(X), self._get_inference()
        if self.n_outputs_ == 1:
            return self._decoded(inference.scores(X))
        return inside_unit_interval(inference.predictions(X))

    def _decoded(self, score):
        if self.n_outputs_ == 1:
            # A difference from 1 would lose the digits of small probabilities.
            score = np.concatenate([-score, score], axis=-1)
        with threads_for(score.size):
            probability = self._layout.loss.inverse_link(torch.from_numpy(score))
        return inside_unit_interval(probability.numpy())

    @property
    def coef_(self) -> NDArray[Any]:
        """Coefficients of a linear model, of shape (n_outputs, n_features)."""
        return self._coef_of_columns(self._output_coef())

    def _output_coef(self):
        return self._linear_coef()[0]

    @property
    def intercept_(self) -> NDArray[Any]:
        """Intercepts of a linear model, of shape (n_outputs,)."""
        return self._linear_coef()[1]
