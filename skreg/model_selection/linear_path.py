"""The penalised linear model with several strengths, beside networks of a search."""

from dataclasses import replace

import numpy as np

from skreg.fusion.dispatch import train_and_keep
from skreg.model_selection.entries import entered
from skreg.model_selection.heat import judge, score_of, scorer_of, trial_of
from skreg.parameters.regularisers import NOT_OF_THE_OBJECTIVE, REGULARISERS

# Strengths are ``10 ** (i / 2) / n`` for the whole numbers i in this range. It contains
# those of scikit-learn's LogisticRegressionCV, of which l2 is ``1 / (2 * C * n)``.
WEAKEST, STRONGEST = -8, 8
# The first three, around the best strength of most tables.
FIRST = (0, 2, 4)
# A solution within it has a gradient as small as that of scikit-learn's
# LogisticRegression, whose default tolerance it is.
TOLERANCE = 1e-4
MOST_ITERATIONS = 200


def linear_trials(prototype, data, scoring, seeds, deadline, checkpoint):
    """Train a linear model on all folds, with several strengths of l2.

    The first strengths are a power of ten apart. Then those beside the best one follow,
    half a power apart, until it lies between two that are worse. Fits start from the
    optimum of the nearest strength. Those of all folds train together.

    Parameters
    ----------
    prototype : MLPClassifier or MLPRegressor
        The network with the settings that all candidates share.
    data : SearchData
    scoring : str, callable or None
        The score of a candidate. None is the negative loss on the held-out rows.
    seeds : list of int
        As those of the networks, for each fold.
    deadline : Deadline
        No further strength begins after it.
    checkpoint : Checkpoint or None
        Where fits are kept.

    Returns
    -------
    list of Trial
        In the order of their training, by which they are numbered.
    """
    settings, n_rows, found = linear_settings(prototype), len(data.folds[0][0]), {}
    places = FIRST
    while places and not (found and deadline.has_passed):
        params = [settings | {"l2": 10 ** (i / 2) / n_rows} for i in places]
        entries = [
            [entered(prototype, own, data, *fold) for fold in zip(data.folds, seeds)]
            for own in params
        ]
        starts = [_nearest_states(found, i, len(data.folds)) for i in places]
        results = _train(entries, starts, checkpoint)
        for i, *parts in zip(places, params, entries, results):
            states = [result.state for result in parts[-1]]
            trial = _trial(len(found), *parts, data, scoring)
            found[i] = trial, states
        places = _next_places({i: trial.mean_score for i, (trial, _) in found.items()})
    return [trial for trial, _ in found.values()]


def _nearest_states(found, place, n_folds):
    """Return the optima of the nearest strength on all folds, None if there is none."""
    if not found:
        return [None] * n_folds
    return found[min(found, key=lambda i: abs(i - place))][1]


def _train(entries, starts, checkpoint):
    """Train the models of several strengths together, on all folds of each."""
    requests = [
        replace(entry.request, initial=state, may_polish=False, tol=TOLERANCE)
        for of_folds, states in zip(entries, starts)
        for entry, state in zip(of_folds, states)
    ]
    results = train_and_keep(requests, checkpoint)
    if any(result.interrupted for result in results):
        raise KeyboardInterrupt
    n_folds = len(entries[0])
    return [results[i : i + n_folds] for i in range(0, len(results), n_folds)]


def _next_places(scores):
    """Return the strengths to try next, none if the best one is between others.

    Parameters
    ----------
    scores : dict of {int: float}
        The scores of the strengths so far.

    Examples
    --------
    >>> from skreg.model_selection.linear_path import _next_places
    >>> _next_places({0: 1.0, 2: 2.0, 4: 1.5})
    [1, 3]
    >>> _next_places({0: 3.0, 2: 2.0, 4: 1.5})
    [-2, -1, 1]
    """
    best = max(scores, key=scores.get)
    near = {best - 1, best + 1}
    if best == min(scores):
        near.add(best - 2)
    if best == max(scores):
        near.add(best + 2)
    return sorted(i for i in near - scores.keys() if WEAKEST <= i <= STRONGEST)


def _trial(number, params, entries, results, data, scoring):
    """Return the trial of one strength, with its scores on the held-out rows."""
    scores = [
        score_of(
            result.tracker, scorer_of(entry, data, scoring), lambda r=result: r.state
        )
        for entry, result in zip(entries, results)
    ]
    trial = trial_of(number, params, entries, results, scores)
    trial.is_linear = True
    judge(trial, scoring)
    return trial


def linear_settings(prototype):
    """Return the parameters that make a network a linear model without noise.

    Parameters
    ----------
    prototype : MLPClassifier or MLPRegressor

    Returns
    -------
    dict
        Only what is different from the parameters of the network.
    """
    wanted = {
        "hidden_layer_sizes": (),
        "solver": "lbfgs",
        "max_iter": MOST_ITERATIONS,
        "early_stopping": False,
        "skip": None,
        "numeric_embedding": None,
        "n_estimators": 1,
    }
    known = prototype.get_params(deep=False)
    wanted |= {
        name: each.off
        for name, each in REGULARISERS.items()
        if each.effect in NOT_OF_THE_OBJECTIVE
    }
    wanted |= dict.fromkeys(("l1", "group_l1", "label_smoothing"), 0.0)
    return {
        name: value
        for name, value in wanted.items()
        if name in known and not np.array_equal(known[name], value)
    }
