"""Weights of an average, fitted on held-out rows, with a model that others must beat.

van der Laan, Polley and Hubbard (2007), "Super Learner": the convex combination of
candidates with the lowest loss on rows that they were not trained on.
"""

import numpy as np
from scipy.optimize import minimize

# What a gain must exceed: with a gain of z standard errors over the anchor, the share
# of the convex combination is ``1 - DOUBT / z**2``, and 0 where this is negative.
DOUBT = 2.0


def convex_weights(predictions, loss):
    """Return the weights of the mean with the lowest loss.

    Parameters
    ----------
    predictions : sequence of ndarray
        Predictions of each model for rows that it was not trained on.
    loss : callable
        Maps a prediction to a number. It should be convex.

    Returns
    -------
    ndarray of shape (n_models,)
        Not negative, with a sum of 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.model_selection.super_learner import convex_weights
    >>> high, low, far = np.array([3.0]), np.array([1.0]), np.array([9.0])
    >>> convex_weights([high, low, far], lambda p: (p[0] - 2.5) ** 2).sum().round(6)
    np.float64(1.0)
    """
    n = len(predictions)
    if n == 1:
        return np.ones(1)
    stacked = np.stack(predictions, axis=-1)
    single = [loss(prediction) for prediction in predictions]
    best = np.zeros(n)
    best[np.argmin(single)] = 1
    # In units of the best model's loss, because the tolerance is absolute.
    unit = abs(min(single)) or 1.0
    found = minimize(
        lambda weights: loss(stacked @ weights) / unit,
        np.full(n, 1 / n),
        method="SLSQP",
        bounds=[(0, 1)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-8},
    )
    weights = np.clip(found.x, 0, None)
    weights[weights < 1e-4] = 0  # not worth the time of predicting with the model
    weights /= weights.sum()
    return weights if loss(stacked @ weights) < min(single) else best


def share_of_gain(gain, share, optimism=0.0):
    """Return how much of an average to take instead of the anchor, from 0 to 1.

    It is ``1 - 2 / z**2`` for a mean gain of z standard errors, as a Stein estimator
    shrinks, so that a gain within the noise is not taken.

    Parameters
    ----------
    gain : ndarray of shape (n_rows, n_columns)
        The loss of the anchor minus that of the average, for each row.
    share : ndarray of shape (n_rows, 1) or (n_rows, n_columns)
        Weights of the rows, with sums of 1.
    optimism : float, default=0.0
        What to subtract from the mean gain.

    Returns
    -------
    float

    References
    ----------
    James and Stein (1961), "Estimation with Quadratic Loss".

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.model_selection.super_learner import share_of_gain
    >>> gain, share = np.array([[1.0], [3.0]]), np.full((2, 1), 0.5)
    >>> share_of_gain(gain, share)  # 2.0 with a standard error of 0.71
    0.75
    >>> share_of_gain(-gain, share)
    0.0
    """
    z = mean_in_errors(gain, share, optimism)
    return max(0.0, 1 - DOUBT / z**2) if z > 0 else 0.0


def mean_in_errors(values, share, subtracted=0.0):
    """Return the sum of the columns' weighted means in units of its standard error.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    share : ndarray of shape (n_rows, 1) or (n_rows, n_columns)
        Weights of the rows, with sums of 1.
    subtracted : float, default=0.0
        What is subtracted from the sum of the means.
    """
    mean = (share * values).sum(axis=0)
    error = np.linalg.norm((share * (values - mean)).sum(axis=1))
    mean = mean.sum() - subtracted
    return float(mean / error) if error else float(np.copysign(np.inf, mean))
