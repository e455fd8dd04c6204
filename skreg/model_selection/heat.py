"""Comparison of candidates at each rung of a search, by their scores on all folds."""

import math
from dataclasses import replace

import numpy as np

from skreg.data.rows import Rows
from skreg.estimators.monitoring import scorer_of_states
from skreg.model_selection.entries import entered
from skreg.model_selection.race import Race
from skreg.model_selection.trials import Trial

# Why a race cannot be kept.
UNKEPT = (
    "checkpoint needs networks and a score that can be compared with those of an "
    "earlier call. Functions cannot: leave callbacks of the estimator unset, give "
    "names for its monitor and for scoring, no loss of your own, and no function in "
    "augment."
)


class Heat:
    """Candidates that train together on all folds and are compared at each rung.

    Parameters
    ----------
    prototype : MLPClassifier or MLPRegressor
        An estimator with validated data and the settings that all candidates share.
    candidates : list of dict
    data : SearchData
    scoring : str, callable or None
        The score of a candidate. None is the negative loss on the held-out rows.
    seeds : list of int
        The seed of the networks for each fold.
    deadline : Deadline
    checkpoint : Checkpoint or None, default=None
        Where the networks are kept.
    content : dict, default=None
        What decides the scores besides the networks and the targets.
    """

    def __init__(
        self,
        prototype,
        candidates,
        data,
        scoring,
        seeds,
        deadline,
        checkpoint=None,
        content=None,
    ):
        self.candidates, self.n_folds = candidates, len(data.folds)
        self.deadline, self.entries, self.scorers = deadline, [], []
        self.scoring = scoring
        self.checkpoint, self.data, self.content = checkpoint, data, content or {}
        for params in candidates:
            for fold, seed in zip(data.folds, seeds):
                entry = entered(prototype, params, data, fold, seed)
                self.entries.append(entry)
                self.scorers.append(scorer_of(entry, data, scoring))
        self.rungs = np.zeros(len(candidates), int)
        self.race = self.file = None
        # The candidates that continued after each rung.
        self.survivors = []

    def run(self, epochs, n_kept, report):
        """Train up to the end of each rung, and drop all but the best candidates there.

        Parameters
        ----------
        epochs : list of float
            Number of epochs after which each rung ends.
        n_kept : list of int
            Number of candidates that continue after each rung except the last.
        report : callable
            Called after each rung with its number, its number of candidates, the
            largest number of epochs that they were trained for, and the scores.

        Returns
        -------
        list of Trial
        """
        racing, known = np.arange(len(self.candidates)), self._enter(epochs, n_kept)
        for rung, epoch in enumerate(epochs):
            self.race.advance(epoch, in_turns=self.deadline.is_finite)
            self.rungs[racing] = rung
            if rung < len(known):  # an earlier call has compared them
                best = np.array(known[rung])
            else:
                scores = np.array([self._scores(c).mean() for c in racing])
                positions = [p for c in racing for p in self._positions(c)]
                n_epochs = max(self.race.trackers[p].n_iter for p in positions)
                report(rung, len(racing), n_epochs, scores)
                best = racing
                if rung < len(n_kept) and not self.deadline.has_passed:
                    # Scores of nan rank last.
                    order = racing[np.argsort(-scores, kind="stable")]
                    best = np.sort(order[: n_kept[rung]])
            worst = np.setdiff1d(racing, best)
            self.race.drop([p for c in worst for p in self._positions(c)])
            racing = best
            self.survivors.append(racing.tolist())
            if self.deadline.has_passed:
                break  # so that no candidate takes part in a rung without training
        return self._trials(set(racing.tolist()))

    def _enter(self, epochs, n_kept):
        """Start the race, or go on with it. Return the known survivors of rungs."""
        requests, known = [entry.request for entry in self.entries], []
        if self.checkpoint is not None:
            y = getattr(self.data.checked.targets, "attributes", {}).get("classes_")
            content = self.content | {
                "targets": self.data.y if y is None else y.tolist(),
                "weight": self.data.sample_weight,
                "score_params": self.data.score_params,
                "epochs": epochs,
                "n_kept": n_kept,
            }
            self.file, requests, notes = self.checkpoint.race(requests, content)
            if self.file is None:
                raise ValueError(UNKEPT)
            known = notes.get("survivors", [])
            if not _are_survivors(known, len(self.candidates), len(epochs)):
                known, requests = [], [replace(r, resume=None) for r in requests]
        self.race = Race(requests, after_epoch=self._after_epoch)
        return known

    def _after_epoch(self, run, n_models):
        if self.deadline.has_passed:
            # Also the stacks whose turn would come, if they have had one.
            self.race.halt()
        elif self.file is not None and self.file.is_due():
            self._keep()

    def _keep(self):
        self.file.save(self.race.records(), {"survivors": self.survivors})

    def _positions(self, candidate):
        return range(candidate * self.n_folds, (candidate + 1) * self.n_folds)

    def _scores(self, candidate):
        """Return the score of a candidate on each fold."""
        return np.array([self._score(p) for p in self._positions(candidate)])

    def _score(self, position):
        tracker, state = self.race.trackers[position], self.race.state
        return score_of(tracker, self.scorers[position], lambda: state(position))

    def _trials(self, finalists):
        """End the race, and return the trial of each candidate."""
        scores = [self._scores(c) for c in range(len(self.candidates))]
        results, trials = self.race.finish(), []
        if self.file is not None:
            self._keep()
        for c, own in enumerate(scores):
            positions = self._positions(c)
            trial = trial_of(
                c,
                self.candidates[c],
                [self.entries[p] for p in positions],
                [results[p] for p in positions],
                own,
                rung=int(self.rungs[c]),
                is_finalist=c in finalists,
            )
            judge(trial, self.scoring)
            trials.append(trial)
        return trials


def score_of(tracker, scorer, state):
    """Return the score of a network on its held-out rows, nan if it has none.

    Parameters
    ----------
    tracker : Tracker
    scorer : callable or None
        From a state to the score. None is the negative loss.
    state : callable
        Returns the state of the network.
    """
    if tracker.error is not None or not tracker.validation_loss_curve:
        return math.nan
    if scorer is not None:
        return scorer(state())
    # The tracker's best score may be of another metric than the loss.
    return -tracker.validation_loss_curve[max(_length(tracker), 1) - 1]


def trial_of(number, params, entries, results, scores, rung=0, is_finalist=True):
    """Return the trial of a candidate, given what its training on each fold gave.

    Parameters
    ----------
    number, params, entries, rung, is_finalist
        As in `Trial`.
    results : list of FitResult
    scores : sequence of float
    """
    trackers = [result.tracker for result in results]
    return Trial(
        number=number,
        params=params,
        entries=entries,
        scores=np.asarray(scores, dtype=float),
        rung=rung,
        is_finalist=is_finalist,
        n_epochs=[tracker.n_iter for tracker in trackers],
        best_epochs=[_length(tracker) for tracker in trackers],
        curves=[tracker.validation_loss_curve for tracker in trackers],
        seconds=np.array([result.seconds for result in results]),
        results=results,
    )


def judge(trial, scoring):
    """Mark a trial as failed, or make the models of a finalist.

    Parameters
    ----------
    trial : Trial
    scoring : str, callable or None
        What the scores are, for the message. None is the loss.
    """
    errors = [result.tracker.error for result in trial.results]
    error = next(filter(None, errors), None)
    if error is None and not np.isfinite(trial.scores).all():
        name = "The loss" if scoring is None else f"scoring={scoring!r}"
        error = ValueError(
            f"{name} gave scores of the folds that are not finite: "
            f"{trial.scores.tolist()}."
        )
    if error is not None:
        trial.fail(error)
    elif trial.is_finalist:
        trial.keep()


def _are_survivors(known, n_candidates, n_rungs):
    """Return whether a value read from a file lists the survivors of some rungs."""
    racing = set(range(n_candidates))
    if not isinstance(known, list) or len(known) > n_rungs:
        return False
    for survivors in known:
        if not isinstance(survivors, list) or not survivors:
            return False
        if not all(type(c) is int and c in racing for c in survivors):
            return False
        racing = set(survivors)
    return True


def _length(tracker):
    """Return the number of epochs that led to the current state of a network."""
    return tracker.best_iter if tracker.request.restore_best else tracker.n_iter


def scorer_of(entry, data, scoring):
    """Return a function that scores a state of a network, or None for the loss.

    As in GridSearchCV, class weights do not enter the score.
    """
    if scoring is None:
        return None
    index = entry.prepared.validation.index
    rows = Rows(data.X, data.y, None, index)
    options = data.score_params_of(index)
    return scorer_of_states(
        entry.model, scoring, entry.prepared, rows, options, "scoring"
    )
