"""Weighted averages of predictions, and their calibration by a temperature."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from skreg.data.sample_weights import effective_n_rows

# Temperatures are searched between exp(-LIMIT) and exp(LIMIT).
LIMIT = 3.0
# Lower bound of probabilities inside logarithms.
TINY = 1e-12


def mean_over(predictions, weights):
    """Return the weighted mean of arrays.

    Parameters
    ----------
    predictions : iterable of ndarray
        One array for each model.
    weights : sequence of float
        Weights of the models. Their sum must be 1.

    Returns
    -------
    ndarray
    """
    # Python floats, unlike numpy scalars, keep arrays in single precision.
    return sum(float(weight) * p for weight, p in zip(weights, predictions))


def tempered(probability, temperature, prior=None):
    """Apply a temperature to probabilities, relative to the base rate.

    Each ratio ``q_k = p_k / prior_k`` becomes ``q_k ** (1 / T)``, and the probabilities
    are then normalised. A temperature `T` above 1 moves them towards the base rate, and
    one below 1 away from it. With a uniform base rate this is ordinary temperature
    scaling, which keeps the order of the classes. With another base rate, ordinary
    temperature scaling would move probabilities towards a uniform distribution, which
    is wrong on average.

    Parameters
    ----------
    probability : ndarray of shape (..., n_classes)
    temperature : float or ndarray
        An array broadcasts with the probabilities.
    prior : ndarray of shape (n_classes,), default=None
        The base rate. None is uniform.

    Returns
    -------
    ndarray of shape (..., n_classes)

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.model_selection.prediction_averages import tempered
    >>> tempered(np.array([[0.8, 0.2]]), 0.5).round(3).tolist()
    [[0.941, 0.059]]
    """
    if np.all(np.equal(temperature, 1)):
        return probability
    logs = _log_tempered(_log(probability), temperature, _log_prior(prior))
    return np.exp(logs).astype(probability.dtype, copy=False)


def best_temperature(probability, target, weight=None, prior=None):
    """Return the temperature with the lowest log loss (Guo et al. 2017).

    Targets are smoothed slightly, after Platt (1999): with `n` effective rows, each
    target is mixed with the base rate, which gets a weight of ``2 / (n + 2)``.
    Otherwise the best temperature would be zero where few rows are all predicted
    perfectly.

    Parameters
    ----------
    probability : ndarray of shape (n_rows, n_classes)
        Predictions for rows that the model was not trained on.
    target : ndarray of shape (n_rows,)
        Class index of each row.
    weight : ndarray of shape (n_rows,), default=None
        Sample weights.
    prior : ndarray of shape (n_classes,), default=None
        The base rate. None is uniform.

    Returns
    -------
    float
        1 if no other temperature has a lower loss.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural Networks".
    Platt (1999), "Probabilistic Outputs for Support Vector Machines".
    """
    logs, own = _log(probability.astype(np.float64)), target[:, None]
    log_prior, n_classes = _log_prior(prior), probability.shape[1]
    base = np.full(n_classes, 1 / n_classes) if prior is None else prior
    doubt = 2 / (effective_n_rows(len(target), weight) + 2)

    def loss(log_temperature):
        tempered_logs = _log_tempered(logs, np.exp(log_temperature), log_prior)
        of_target = np.take_along_axis(tempered_logs, own, axis=1)[:, 0]
        mixed = (1 - doubt) * of_target + doubt * (tempered_logs @ base)
        return -np.average(mixed, weights=weight)

    found = minimize_scalar(loss, bounds=(-LIMIT, LIMIT), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def _log(probability):
    return np.log(np.maximum(probability, TINY))


def _log_prior(prior):
    return 0.0 if prior is None else _log(prior)


def _log_tempered(logs, temperature, log_prior):
    return log_softmax((logs - log_prior) / temperature + log_prior, axis=-1)
