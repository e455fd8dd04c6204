"""The average of numbers, its losses and its shrinkage."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import make_scorer

from skreg.model_selection.target_loss import MeanLoss


@dataclass(frozen=True, eq=False)
class NumberAverage:
    """How the predictions of regressors are averaged, judged and calibrated.

    `ClassAverage` has the same attributes and methods for classifiers.

    Parameters
    ----------
    loss : MeanLoss
        The loss of the network.
    """

    loss: MeanLoss

    @property
    def scoring(self):
        """The score that candidates are compared by if the user gives none."""
        return make_scorer(self.loss, greater_is_better=False)

    @property
    def score_name(self):
        """Name of this score."""
        return f"negative {self.loss.in_words}"

    @staticmethod
    def predictions(model, X):
        """Return the predictions of a network, which are averaged over networks."""
        return model.predict(X)

    def judged(self, prediction, y):
        """Return the part of a prediction that the losses depend on: all of it."""
        return prediction

    def constant(self, y, weight):
        """Return the constant prediction with the lowest mean loss, for each row."""
        constant = self.loss.constant(y, weight)
        return np.broadcast_to(constant, (len(y), *np.shape(constant)))

    def losses(self, judged, y):
        """Return the loss of each row, averaged over its outputs, as a column."""
        return self.loss.of_rows(y, judged)[:, None]

    @staticmethod
    def temperature(prediction, y, weight):
        """Return 1: numbers need no calibration before they are averaged."""
        return 1.0

    @staticmethod
    def tempered(prediction, temperature, y, weight):
        """Return the prediction as it is."""
        return prediction

    def calibrated(self, mean, y, weight, is_found):
        """Learn the center and the shrinkage of the average from held-out predictions.

        Parameters
        ----------
        mean : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            The average for rows that the networks were not trained on.
        y : ndarray of the same shape
            True targets.
        weight : ndarray of shape (n_rows,) or None
            Sample weights.
        is_found : bool
            Whether the predictions are clearly better than a constant.

        Returns
        -------
        dict
            Fitted attributes of the estimator: `target_center_` and `shrinkage_`.
        """
        center = self.loss.constant(y, weight)
        if is_found:
            return {"target_center_": center, "shrinkage_": 1.0}
        # Half of the factor that fits the held-out rows best, as for classifiers.
        distance, residual = mean - center, self.loss.beside(y) - center
        weight = np.ones(len(y)) if weight is None else weight
        # Targets may have any unit: no fixed number is small, and squares can overflow.
        unit = np.abs(distance).max() or 1.0
        distance, residual = distance / unit, residual / unit
        slope = weight @ (distance * residual).reshape(len(y), -1)
        squares = weight @ (distance**2).reshape(len(y), -1)
        slope = slope.sum() / (squares.sum() or 1.0)
        shrinkage = float(np.clip(slope, 0, 1)) / 2
        return {"target_center_": center, "shrinkage_": shrinkage}
