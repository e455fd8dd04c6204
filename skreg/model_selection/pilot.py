"""How many candidates and rows a time limit suffices for, by a short trial."""

import time
import warnings
from copy import deepcopy
from dataclasses import replace

from skreg.estimators.request import n_epochs
from skreg.model_selection.entries import entered
from skreg.model_selection.halving import halving_plan
from skreg.model_selection.race import Race
from skreg.model_selection.strategies import drawn
from skreg.training.schedules import SCHEDULES

# Rows of each fold in the trial.
PILOT_ROWS = 512
# The share of the remaining time that is planned for, as the estimate is not exact.
PLANNED = 0.8
# The number of epochs that is planned for without a schedule, if patience is short.
UNSCHEDULED = 20
# First there are fewer candidates, then fewer rows: down to these, and then again.
FEWEST = ((4, 10_000), (1, 1_000))


def within_limit(search, prototype, space, data, seeds, deadline, rng):
    """Return the number of candidates and the data that a time limit suffices for.

    A few candidates that are trained to the end are better than many with one epoch. An
    epoch of all candidates on a few rows tells how long training takes.

    Parameters
    ----------
    search : BaseNetworkCV
    prototype : MLPClassifier or MLPRegressor
    space : dict
        The distributions of the hyperparameters.
    data : SearchData
    seeds : list of int
        The seed of the networks for each fold.
    deadline : Deadline
    rng : RandomState
        It is not advanced.

    Returns
    -------
    n_candidates : int
    data : SearchData
        Where the limit suffices for all rows, that which was given.
    """
    # The full-batch solver does not pause, and a grid has all of its candidates.
    if prototype.solver == "lbfgs" or search.strategy == "grid":
        return search.n_candidates, data
    candidates = drawn(space, search.n_candidates, deepcopy(rng))
    n_candidates, n_rows = len(candidates), len(data.folds[0][0])
    pace = _seconds_per_row(prototype, candidates, data, seeds)
    length = usual_length(prototype, n_rows)

    def seconds(n, n_trained):
        epochs = n * length
        if search.strategy == "halving":
            epochs = _epochs_of_halving(n, search.n_ensemble, length)
        return pace * epochs * n_trained * len(data.folds)

    limit = PLANNED * deadline.seconds_left
    n, n_trained = affordable(seconds, limit, n_candidates, n_rows)
    if (n, n_trained) == (n_candidates, n_rows):
        return search.n_candidates, data
    rows = "" if n_trained == n_rows else f" on {n_trained} of {n_rows} training rows"
    warnings.warn(
        f"max_time={search.max_time:g} suffices for {n} of {n_candidates} candidates"
        f"{rows}. Increase max_time for more.",
        stacklevel=6,  # the caller of fit, above scikit-learn
    )
    return n, data if n_trained == n_rows else data.limited(n_trained, seeds[-1])


def usual_length(prototype, n_rows):
    """Return the number of epochs to plan for.

    Without a schedule, training ends when it no longer improves, at a time that nobody
    knows before.
    """
    length = n_epochs(prototype, n_rows)
    if prototype.learning_rate in SCHEDULES:
        return length
    patience = prototype.n_iter_no_change
    return min(length, max(UNSCHEDULED, 2 * patience if patience < length else 0))


def affordable(seconds, limit, n_candidates, n_rows):
    """Return the numbers of candidates and rows that a time suffices for.

    Parameters
    ----------
    seconds : callable
        Maps both numbers to the time that they take, which grows with either.
    limit : float
        In seconds.
    n_candidates, n_rows : int
        The numbers that are wanted.

    Returns
    -------
    n_candidates, n_rows : int
        At least one candidate, on at least a thousand rows or all.
    """
    n, kept = n_candidates, n_rows
    for fewest_candidates, fewest_rows in FEWEST:
        while n > fewest_candidates and seconds(n, kept) > limit:
            n -= 1
        if seconds(n, kept) > limit:
            suffices = int(kept * limit / seconds(n, kept))
            kept = min(kept, max(suffices, fewest_rows))
    return n, kept


def _epochs_of_halving(n_candidates, n_final, length):
    """Return the number of epochs of all candidates together."""
    counts, ends = halving_plan(n_candidates, n_final, length)
    return sum(n * (end - start) for n, start, end in zip(counts, [0, *ends], ends))


def _seconds_per_row(prototype, candidates, data, seeds):
    """Return the time that a network takes for a row in an epoch, in a whole stack."""
    few = data.limited(PILOT_ROWS, seeds[-1])
    requests = [
        replace(
            entered(prototype, params, few, fold, seed).request,
            callbacks=[],
            max_iter=2,
        )
        for params in candidates
        for fold, seed in zip(few.folds, seeds)
    ]
    race = Race(requests)
    race.advance(1)  # which also makes what is made once
    start = time.perf_counter()
    race.advance(2)
    n_rows = sum(len(request.train.index) for request in requests)
    return (time.perf_counter() - start) / n_rows
