"""Averages of predictions, and the temperature that makes them honest."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

# Temperatures are looked for between exp(-LIMIT) and exp(LIMIT).
LIMIT = 2.0
TINY = 1e-12


def mean_over(predictions, weights=None):
    """Return the weighted mean over the first axis.

    Parameters
    ----------
    predictions : iterable of ndarray
        One array for each model.
    weights : array-like of shape (n_models,), default=None
        None weighs all the same.

    Returns
    -------
    ndarray
    """
    total, weight_sum = 0.0, 0.0
    for i, prediction in enumerate(predictions):
        weight = 1.0 if weights is None else weights[i]
        total, weight_sum = total + weight * prediction, weight_sum + weight
    return total / weight_sum


def tempered(probability, temperature):
    """Return probabilities with their logarithms divided by a temperature.

    ``p_k ** (1 / T) / sum_j p_j ** (1 / T)``: above 1 they become more even, below 1
    more decided; the order of the classes stays.

    Parameters
    ----------
    probability : ndarray of shape (n_rows, n_classes)
    temperature : float

    Returns
    -------
    ndarray of shape (n_rows, n_classes)

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.ensemble import tempered
    >>> tempered(np.array([[0.8, 0.2]]), 0.5).round(3).tolist()
    [[0.941, 0.059]]
    """
    if temperature == 1:
        return probability
    return np.exp(_log_tempered(_log(probability), temperature)).astype(
        probability.dtype, copy=False
    )


def best_temperature(probability, target, weight=None):
    """Return the temperature with the lowest log loss (Guo et al. 2017).

    Parameters
    ----------
    probability : ndarray of shape (n_rows, n_classes)
        Predictions for rows that the model was not trained on.
    target : ndarray of shape (n_rows,)
        The number of each row's class.
    weight : ndarray of shape (n_rows,), default=None
        What each row counts.

    Returns
    -------
    float
        1 if nothing else is better.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural Networks".
    """
    logs, rows = _log(probability.astype(np.float64)), np.arange(len(target))

    def loss(log_temperature):
        own = _log_tempered(logs, np.exp(log_temperature))[rows, target]
        return -np.average(own, weights=weight)

    found = minimize_scalar(loss, bounds=(-LIMIT, LIMIT), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def _log(probability):
    return np.log(np.maximum(probability, TINY))


def _log_tempered(logs, temperature):
    return log_softmax(logs / temperature, axis=1)
