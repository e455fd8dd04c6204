"""The choice of the candidates whose predictions are averaged."""

import math

import numpy as np

from skreg.estimators.preparation import learn_weights
from skreg.estimators.validation import as_read
from skreg.model_selection.prediction_averages import mean_over
from skreg.model_selection.trials import most_regularised

# The best candidate must predict the held-out rows better than a constant by this many
# standard errors. Without any signal, the best of many candidates is only the luckiest.
N_ERRORS = 2.0
# Number of picks of a forward selection.
N_PICKS = 25


def select_ensemble(trials, n_ensemble, average, prototype, data):
    """Choose the candidates to average, their weights and the calibration.

    If the best candidate is not clearly better than a constant prediction, the most
    strongly regularised candidate is chosen.

    Parameters
    ----------
    trials : list of Trial
        From best to worst.
    n_ensemble : int
        Largest number of candidates.
    average : ClassAverage or NumberAverage
    prototype : MLPClassifier or MLPRegressor
        The network with the settings that all candidates share.
    data : SearchData

    Returns
    -------
    chosen : list of Trial
        In order of their rank.
    weights : ndarray of shape (n_chosen,)
        Weights of the candidates in the average.
    calibration : dict
        Fitted attributes that calibrate the average.
    mean : list of ndarray
        The average, not calibrated, for the held-out rows of each fold.
    """
    chosen = [trial for trial in trials if trial.is_finalist] or trials[:1]
    chosen = chosen[:n_ensemble]
    predictions, y, weight = _held_out(chosen, average, prototype, data)
    judged = [average.judged(prediction, y) for prediction in predictions]
    share = _shares(weight, len(y))
    constant = average.losses(average.constant(y, weight), y)
    gain = constant - average.losses(judged[0], y)
    is_found = _mean_in_errors(gain, share) >= N_ERRORS
    if is_found:
        weights = forward_selection(
            judged,
            lambda mean: (share * average.losses(mean, y)).sum(),
        )
    else:
        chosen = [most_regularised([t for t in trials if t.error is None])]
        predictions = _held_out(chosen, average, prototype, data)[0]
        weights = np.ones(1)
    mean = mean_over(predictions, weights)
    ends = np.cumsum([len(test) for _, test in data.folds])[:-1]
    calibration = average.calibrated(mean, y, weight, is_found)
    return chosen, weights, calibration, np.split(mean, ends)


def _held_out(chosen, average, prototype, data):
    """Return the predictions of each candidate for the held-out rows of all folds.

    Returns
    -------
    predictions : list of ndarray
        One array for each candidate.
    y : ndarray
        Targets of the held-out rows.
    weight : ndarray of shape (n_rows,) or (n_rows, n_labels) or None
        The weights of these rows, which include class weights as in training.
    """
    for trial in chosen:
        if trial.results:  # not a finalist, so its models are not fitted yet
            trial.keep()
    weights = learn_weights(prototype, data.checked, data.sample_weight)
    weight = weights.of_rows(data.X, data.y, data.sample_weight)
    parts = [test for _, test in data.folds]
    rows = np.concatenate(parts)
    predictions = [
        np.concatenate(
            [
                average.predictions(model, as_read(data.X[part]))
                for model, part in zip(trial.models, parts)
            ]
        )
        for trial in chosen
    ]
    return predictions, data.y[rows], None if weight is None else weight[rows]


def _shares(weight, n_rows):
    """Return weights with a sum of 1, in one column or in a column for each label."""
    weight = np.ones(n_rows) if weight is None else weight
    weight = weight.reshape(n_rows, -1)
    total = weight.sum(axis=0)
    return weight / np.where(total > 0, total, 1)


def _mean_in_errors(values, share):
    """Return the sum of the columns' weighted means in units of its standard error.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    share : ndarray of shape (n_rows, 1) or (n_rows, n_columns)
        Weights of the rows, with sums of 1.
    """
    mean = (share * values).sum(axis=0)
    error = np.linalg.norm((share * (values - mean)).sum(axis=1))
    mean = mean.sum()
    return mean / error if error else math.copysign(math.inf, mean)


def forward_selection(predictions, loss, n_picks=N_PICKS):
    """Choose the weights of models in an average by greedy forward selection.

    In each step, the model that lowers the loss of the mean prediction the most is
    added (Caruana et al. 2004). A model can be added several times. The best of all
    means is returned.

    Parameters
    ----------
    predictions : sequence of ndarray
        Predictions of each model for rows that it was not trained on.
    loss : callable
        Maps a prediction to a number.
    n_picks : int, default=25
        Number of steps.

    Returns
    -------
    ndarray of shape (n_models,)
        The weights. They are multiples of one over the number of picks of the best
        mean, and their sum is 1.

    References
    ----------
    Caruana, Niculescu-Mizil, Crew and Ksikes (2004), "Ensemble Selection from Libraries
    of Models".

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.model_selection.ensemble_selection import forward_selection
    >>> high, low, far = np.array([3.0]), np.array([1.0]), np.array([9.0])
    >>> forward_selection([high, low, far], lambda p: abs(p - 2.0)[0]).tolist()
    [0.5, 0.5, 0.0]
    """
    if len(predictions) == 1:
        return np.ones(1)
    counts, total = np.zeros(len(predictions)), 0.0
    best, best_counts = np.inf, counts
    for n in range(1, n_picks + 1):
        losses = [loss((total + prediction) / n) for prediction in predictions]
        pick = int(np.argmin(losses))
        counts[pick] += 1
        total = total + predictions[pick]
        if losses[pick] < best:
            best, best_counts = losses[pick], counts / n
    return best_counts
