"""The choice of the candidates whose predictions are averaged."""

from dataclasses import dataclass

import numpy as np

from skreg.estimators.preparation import learn_weights
from skreg.estimators.validation import as_read
from skreg.model_selection.prediction_averages import mean_over
from skreg.model_selection.super_learner import (
    convex_weights,
    mean_in_errors,
    share_of_gain,
)
from skreg.model_selection.trials import most_regularised

# The best candidate must predict the held-out rows better than a constant by this many
# standard errors. Without any signal, the best of many candidates is only the luckiest.
N_ERRORS = 2.0
# The part of the optimism of networks, whose best epochs are those of the held-out
# rows, that is taken from their gain over the linear model. The mean of the networks of
# all folds, which no held-out row shows, makes up for the rest.
OPTIMISM = 0.5


@dataclass(frozen=True, eq=False)
class Chosen:
    """The candidates that are averaged, and how.

    Parameters
    ----------
    trials : list of Trial
        In order of their rank.
    weights : ndarray of shape (n_trials,)
        Their weights in the average.
    temperatures : ndarray of shape (n_trials,)
        What calibrates each of them before.
    calibration : dict
        Fitted attributes that calibrate the average.
    held_out : list of ndarray
        The average, not calibrated, for the held-out rows of each fold.
    """

    trials: list
    weights: np.ndarray
    temperatures: np.ndarray
    calibration: dict
    held_out: list

    @property
    def linear_weight(self):
        """The weight of the linear model from the path beside the search."""
        is_linear = [trial.is_linear for trial in self.trials]
        return float(self.weights[is_linear].sum())


def select_ensemble(trials, n_ensemble, average, prototype, data):
    """Choose the candidates to average, their weights and the calibration.

    The weights are those of a convex combination with the lowest loss on the held-out
    rows. If there is a linear model from the path beside the search, it takes part, and
    as much of the weight as makes the gain of the others certain. If the best candidate
    is not clearly better than a constant prediction, one is chosen alone: the linear
    model, or else the most strongly regularised candidate.

    Parameters
    ----------
    trials : list of Trial
        From best to worst.
    n_ensemble : int
        Largest number of candidates besides the linear model; with 1, there is a single
        one, whatever it is.
    average : ClassAverage or NumberAverage
    prototype : MLPClassifier or MLPRegressor
        The network with the settings that all candidates share.
    data : SearchData

    Returns
    -------
    Chosen
    """
    chosen, linear = _considered(trials, n_ensemble)
    rows = _held_out(chosen, average, prototype, data)
    predictions, y, weight = rows
    judged = [average.judged(prediction, y) for prediction in predictions]
    share = _shares(weight, len(y))
    losses = [average.losses(each, y) for each in judged]
    best = np.argmin([(share * each).sum() for each in losses])
    gain = average.losses(average.constant(y, weight), y) - losses[best]
    is_found = mean_in_errors(gain, share) >= N_ERRORS
    temperatures, weights = np.ones(1), np.ones(1)
    if is_found:
        temperatures, weights = _weights(chosen, average, rows, share)
        if n_ensemble == 1:
            chosen = [chosen[np.argmax(weights)]]
            temperatures, weights = np.ones(1), np.ones(1)
    else:
        alone = linear or most_regularised([t for t in trials if t.error is None])
        chosen = [alone]
    if len(chosen) == 1:
        predictions = _held_out(chosen, average, prototype, data)[0]
    mean = mean_over(
        (
            average.tempered(prediction, temperature, y, weight)
            for prediction, temperature in zip(predictions, temperatures)
        ),
        weights,
    )
    ends = np.cumsum([len(test) for _, test in data.folds])[:-1]
    calibration = average.calibrated(mean, y, weight, is_found)
    return Chosen(chosen, weights, temperatures, calibration, np.split(mean, ends))


def _considered(trials, n_ensemble):
    """Return the candidates to weigh, and the best linear model or None."""
    linear = next((t for t in trials if t.is_linear and t.error is None), None)
    others = [trial for trial in trials if not trial.is_linear]
    chosen = [trial for trial in others if trial.is_finalist] or others[:1]
    chosen = chosen[:n_ensemble]
    if linear is None:
        return chosen, None
    return [trial for trial in trials if trial in chosen or trial is linear], linear


def _weights(chosen, average, rows, share):
    """Return the temperature and the weight of each candidate.

    Parameters
    ----------
    chosen : list of Trial
    average : ClassAverage or NumberAverage
    rows : tuple
        What `_held_out` returns.
    share : ndarray
        Weights of the rows, with sums of 1.
    """
    predictions, y, weight = rows
    if len(chosen) == 1:
        return np.ones(1), np.ones(1)
    temperatures = [average.temperature(each, y, weight) for each in predictions]
    judged = [
        average.judged(average.tempered(each, temperature, y, weight), y)
        for each, temperature in zip(predictions, temperatures)
    ]

    def losses(weights):
        return average.losses(mean_over(judged, weights), y)

    weights = convex_weights(judged, lambda p: (share * average.losses(p, y)).sum())
    anchor = np.array([float(trial.is_linear) for trial in chosen])
    if anchor.any():
        optimism = np.array([trial.optimism for trial in chosen]) @ weights
        found = losses(weights)
        optimism *= OPTIMISM * abs((share * found).sum())
        part = share_of_gain(losses(anchor) - found, share, optimism)
        weights = part * weights + (1 - part) * anchor
    return np.array(temperatures), weights


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
