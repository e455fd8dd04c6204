"""The losses of regressors on the scale of the targets."""

import numpy as np
from scipy.special import xlogy

from skreg.model_selection.prediction_averages import TINY


class TargetLoss:
    """The loss of a regressor on the scale of its targets.

    Parameters
    ----------
    network : MLPRegressor
        The network whose `loss` is used. For "huber" it is the absolute error, for
        "poisson" the deviance.
    """

    __name__ = "mean loss"  # required by scikit-learn's scorers

    def __init__(self, network):
        self.name = network.loss
        self.level = network.quantile if self.name == "quantile" else 0.5

    @property
    def in_words(self):
        """The name of the loss in words."""
        words = {
            "squared_error": "squared error",
            "poisson": "Poisson deviance",
            "quantile": f"pinball loss of the {self.level:g} quantile, doubled",
        }
        return words.get(self.name, "absolute error")

    def __call__(self, y, prediction, sample_weight=None):
        """Return the mean loss over the rows."""
        return np.average(self.of_rows(y, prediction), weights=sample_weight)

    def of_rows(self, y, prediction):
        """Return the loss of each row, averaged over its outputs."""
        error = y - prediction
        if self.name == "squared_error":
            loss = error**2
        elif self.name == "poisson":
            prediction = np.maximum(prediction, TINY)
            loss = 2 * (xlogy(y, y / prediction) - error)
        else:
            # Twice the pinball loss, which is the absolute error for the median.
            loss = 2 * np.maximum(self.level * error, (self.level - 1) * error)
        return loss.reshape(len(y), -1).mean(axis=1)

    def constant(self, y, weight):
        """Return the constant prediction with the lowest mean loss."""
        if self.name in ("squared_error", "poisson"):
            return np.average(y, axis=0, weights=weight)
        method = "linear" if weight is None else "inverted_cdf"
        return np.quantile(y, self.level, axis=0, weights=weight, method=method)
