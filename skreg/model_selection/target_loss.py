"""The losses of regressors on the scale of the targets."""

from abc import ABC, abstractmethod

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import xlogy

from skreg.data.rows import Rows
from skreg.losses.contract import Loss
from skreg.model_selection.prediction_averages import TINY


def target_loss(network, data):
    """Return the loss of a network as a function of targets and predictions.

    Parameters
    ----------
    network : MLPRegressor
    data : SearchData

    Returns
    -------
    MeanLoss
    """
    loss = network.loss
    if not isinstance(loss, Loss):
        return TargetLoss(network)
    rows = Rows(data.X, data.y, data.sample_weight, np.arange(len(data.y)))
    return GivenLoss(
        loss,
        data.checked.targets.learned_from(
            rows, loss, network.standardize, network.fit_intercept
        ),
    )


class MeanLoss(ABC):
    """A loss of targets and predictions."""

    __name__ = "mean loss"  # required by scikit-learn's scorers

    @property
    @abstractmethod
    def in_words(self):
        """The name of the loss in words."""

    @abstractmethod
    def of_rows(self, y, prediction):
        """Return the loss of each row, averaged over its outputs."""

    @abstractmethod
    def beside(self, y):
        """Return targets in an array that agrees with that of predictions."""

    @abstractmethod
    def constant(self, y, weight):
        """Return the constant prediction with the lowest mean loss."""

    def __call__(self, y, prediction, sample_weight=None):
        """Return the mean loss over the rows."""
        return np.average(self.of_rows(y, prediction), weights=sample_weight)


class TargetLoss(MeanLoss):
    """The loss of a regressor on the scale of its targets.

    Parameters
    ----------
    network : MLPRegressor
        The network whose `loss` is used. For "huber" it is the absolute error, for
        "poisson" the deviance.
    """

    def __init__(self, network):
        self.name = network.loss
        self.level = np.array(network.quantile if self.name == "quantile" else 0.5)

    @property
    def in_words(self):
        words = {
            "squared_error": "squared error",
            "poisson": "Poisson deviance",
            "quantile": f"pinball loss of the {self._levels} quantile, doubled",
        }
        return words.get(self.name, "absolute error")

    @property
    def _levels(self):
        return ", ".join(f"{level:g}" for level in np.atleast_1d(self.level))

    def of_rows(self, y, prediction):
        error = self.beside(y) - prediction
        if self.name == "squared_error":
            loss = error**2
        elif self.name == "poisson":
            prediction = np.maximum(prediction, TINY)
            loss = 2 * (xlogy(y, y / prediction) - error)
        else:
            # Twice the pinball loss, which is the absolute error for the median.
            loss = 2 * np.maximum(self.level * error, (self.level - 1) * error)
        return loss.reshape(len(y), -1).mean(axis=1)

    def beside(self, y):
        return y[:, None] if self.level.ndim else y

    def constant(self, y, weight):
        if self.name in ("squared_error", "poisson"):
            return np.average(y, axis=0, weights=weight)
        method = "linear" if weight is None else "inverted_cdf"
        return np.quantile(y, self.level, axis=0, weights=weight, method=method)


class GivenLoss(MeanLoss):
    """A loss that a user gave as an object.

    It is that of targets which are scaled as for a fit to all rows, because the scales
    of the folds differ, and the raw outputs that the predictions stand for.

    Parameters
    ----------
    loss : Loss
    targets : Numbers
        With the centre and the scale of all rows.
    """

    def __init__(self, loss, targets):
        self.loss, self.targets = loss, targets

    @property
    def in_words(self):
        return repr(self.loss)

    def of_rows(self, y, prediction):
        score = self.loss.link(self._encoded(prediction))
        return self.loss.elementwise(score, self._encoded(y))[0].mean(1).numpy()

    def beside(self, y):
        return y[:, None] if self.targets.levels else y

    def constant(self, y, weight):
        target = self._encoded(y)
        if weight is not None:
            weight = torch.tensor(weight / np.sum(weight)).view(1, -1, 1)

        def objective(numbers):
            score = torch.from_numpy(numbers).expand_as(target).contiguous()
            value, gradient = self.loss.value_and_gradient(score, target, weight)
            return value.item(), gradient.sum((0, 1)).numpy()

        found = minimize(
            objective, np.zeros(target.shape[2]), jac=True, method="L-BFGS-B"
        )
        constant = self.loss.inverse_link(torch.from_numpy(found.x)).numpy()
        constant = self.targets.decode(constant)
        return constant[0] if self.targets.is_flat else constant

    def _encoded(self, values):
        """Return scaled targets or predictions, a tensor for one model."""
        return torch.from_numpy(self.targets.encode(values, np.float64))[None]
