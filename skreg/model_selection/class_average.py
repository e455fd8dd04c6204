"""The average of probabilities, its losses and its calibration."""

from dataclasses import dataclass

import numpy as np

from skreg.estimators.labels import Labels
from skreg.model_selection.prediction_averages import (
    TINY,
    best_temperature,
    tempered,
)


@dataclass(frozen=True, eq=False)
class ClassAverage:
    """How the probabilities of classifiers are averaged, judged and calibrated.

    `NumberAverage` has the same attributes and methods for regressors.

    Parameters
    ----------
    labels : Labels
        The kind of the targets.

    Attributes
    ----------
    scoring : None
        The score that candidates are compared by if the user gives none. None is the
        log loss.
    score_name : str
        Name of this score.
    """

    labels: Labels
    scoring = None
    score_name = "negative log loss"

    @staticmethod
    def predictions(model, X):
        """Return the probabilities of a network, which are averaged over networks."""
        return model.predict_proba(X)

    def judged(self, probability, y):
        """Return the part of the probabilities that the loss of each row depends on.

        Parameters
        ----------
        probability : ndarray of shape (n_rows, n_classes)
        y : ndarray of shape (n_rows,) or (n_rows, n_labels)
            True targets.

        Returns
        -------
        ndarray of shape (n_rows, 1) or (n_rows, n_labels)
            The probability of the true class, or of the true value of each label.
        """
        if self.labels.is_multilabel:
            return np.where(y, probability, 1 - probability)
        return np.take_along_axis(probability, self.labels.codes(y)[:, None], 1)

    def constant(self, y, weight):
        """Return the same part of the best constant prediction, the base rates."""
        rates = self._base_rates(y, weight)
        return self.judged(np.tile(rates, (len(y), 1)), y)

    def losses(self, judged, y):
        """Return the log loss of each row, in a column for each label."""
        return -np.log(np.maximum(judged, TINY))

    def temperature(self, probability, y, weight):
        """Return the temperature that calibrates a candidate before it is averaged.

        Label smoothing makes networks less confident than a linear model, beside which
        they would count for less than they are worth.
        """
        if self.labels.is_multilabel:
            return 1.0
        prior = self._base_rates(y, weight)
        return best_temperature(probability, self.labels.codes(y), weight, prior)

    def tempered(self, probability, temperature, y, weight):
        """Return the probabilities at a temperature, which `temperature` has found."""
        return tempered(probability, temperature, self._base_rates(y, weight))

    def calibrated(self, mean, y, weight, is_found):
        """Learn the temperature of the average from held-out predictions.

        Parameters
        ----------
        mean : ndarray of shape (n_rows, n_classes)
            The average for rows that the networks were not trained on.
        y : ndarray of shape (n_rows,) or (n_rows, n_labels)
            True targets.
        weight : ndarray of shape (n_rows,) or (n_rows, n_labels) or None
            Weights of the rows, or of each label of each row.
        is_found : bool
            Whether the predictions are clearly better than a constant.

        Returns
        -------
        dict
            Fitted attributes of the estimator: `temperature_` and `class_prior_`.
        """
        prior = self._base_rates(y, weight)
        temperature = 1.0
        if not self.labels.is_multilabel:
            temperature = best_temperature(mean, self.labels.codes(y), weight, prior)
            # The gain from a signal and the cost of noise are both quadratic in the
            # distance. Half the distance to the base rate keeps three quarters of the
            # gain and a quarter of the cost.
            temperature *= 1 if is_found else 2
        return {"temperature_": temperature, "class_prior_": prior}

    def _base_rates(self, y, weight):
        """Return the share of each class, or of the rows with each label."""
        is_multilabel, classes = self.labels.is_multilabel, self.labels.classes
        labels = y != 0 if is_multilabel else y[:, None] == classes
        if weight is not None and weight.ndim == 2:
            # A label without any weight has the rate of all rows.
            weight = np.where(weight.any(axis=0), weight, 1)
        return np.average(labels, axis=0, weights=weight)
