"""The candidates of a search after their training: their scores and their order."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from skreg.parameters.regularisers import regularisers


@dataclass(kw_only=True)
class Trial:
    """The result of the training of one candidate.

    Parameters
    ----------
    number : int
        Its index in the order in which candidates were drawn.
    params : dict
    entries : list of Entry
        One for each fold.
    scores : ndarray of shape (n_folds,)
        Scores on the held-out rows. Greater is better. nan if training failed.
    rung : int
        The last rung in which it took part, counted from 0.
    is_finalist : bool
        Whether it was trained to the end.
    n_epochs : list of int
        Number of epochs that it was trained for on each fold.
    best_epochs : list of int
        Number of epochs after which it was best on each fold.
    curves : list of list of float
        Loss on the held-out rows of each fold after each epoch.
    seconds : ndarray of shape (n_folds,)
        Training time on each fold.
    results : list of FitResult
        Training results from which `keep` makes fitted models.
    error : Exception or None
        The first error of its fits.
    is_linear : bool
        Whether it is a linear model from the path beside the search.
    """

    number: int
    params: dict
    entries: list
    scores: np.ndarray
    rung: int
    is_finalist: bool
    n_epochs: list
    best_epochs: list
    curves: list
    seconds: np.ndarray
    results: list
    error: Exception | None = None
    is_linear: bool = False

    @property
    def models(self):
        """The estimators, one for each fold. They are fitted in a finalist."""
        return [entry.model for entry in self.entries]

    @property
    def mean_score(self):
        """Mean score over the folds, minus infinity if it is not finite."""
        mean = self.scores.mean()
        return mean if np.isfinite(mean) else -math.inf

    @property
    def optimism(self):
        """How much lower the loss is for the choice of the best epoch on each fold.

        As a share of the loss: the difference to the epoch that is best on the other
        folds, on average. 0 without curves, or with a single fold.
        """
        n_epochs = min(map(len, self.curves), default=0)
        if n_epochs == 0 or len(self.curves) < 2:
            return 0.0
        curves = np.array([curve[:n_epochs] for curve in self.curves])
        epochs = ((curves.sum(axis=0) - curves) / (len(curves) - 1)).argmin(axis=1)
        chosen = curves[np.arange(len(curves)), epochs].mean()
        lowest = np.mean([min(curve) for curve in self.curves])
        return float((chosen - lowest) / abs(chosen)) if chosen else 0.0

    def keep(self):
        """Make its models fitted estimators.

        The models of a dropped candidate get their best state so far. If this fails,
        the error is stored in the trial.
        """
        results, self.results = self.results, []
        try:
            for entry, result in zip(self.entries, results):
                entry.fitted(result)
        except ValueError as error:
            self.fail(error)

    def fail(self, error):
        """Mark the trial as failed, so that it is not chosen."""
        self.error, self.is_finalist = error, False
        self.scores = np.full(len(self.scores), math.nan)


def ranked(trials):
    """Sort trials from best to worst.

    Trials that reached a higher rung come first. Within a rung, trials are sorted by
    score. Failed trials come last.
    """
    order = np.lexsort(
        [
            [-trial.mean_score for trial in trials],
            [-trial.rung for trial in trials],
            [trial.error is not None for trial in trials],
        ]
    )
    return [trials[i] for i in order]


def most_regularised(trials):
    """Return the most strongly regularised trial.

    It is the trial whose penalties have the highest mean rank among the trials. Among
    ties, the trial whose noise (dropout and similar regularisers) has the highest mean
    rank is chosen.

    Parameters
    ----------
    trials : list of Trial
        In order from best to worst. Among remaining ties, the best trial is chosen.

    Returns
    -------
    Trial
    """

    def total_rank(names):
        total = np.zeros(len(trials))
        for name in names:
            values = [trial.params.get(name) for trial in trials]
            if all(value is not None for value in values):
                total += rankdata([np.mean(value) for value in values])
        return total

    noise, penalties = (regularisers(kind=kind) for kind in ("noise", "penalty"))
    return trials[np.lexsort([-total_rank(noise), -total_rank(penalties)])[0]]


def results_table(trials, best_first):
    """Return a table like `cv_results_` of GridSearchCV, in the order of the trials."""
    n_trials = len(trials)
    rank = {trial.number: 1 + place for place, trial in enumerate(best_first)}
    scores = np.array([trial.scores for trial in trials])
    seconds = np.array([trial.seconds for trial in trials])
    table = {"mean_fit_time": seconds.mean(1), "std_fit_time": seconds.std(1)}
    table["rung"] = np.array([trial.rung for trial in trials])
    table["n_epochs"] = np.array([max(trial.n_epochs) for trial in trials])
    table["is_linear"] = np.array([trial.is_linear for trial in trials])
    for name in sorted({name for trial in trials for name in trial.params}):
        column = np.ma.masked_all(n_trials, dtype=object)
        for i, trial in enumerate(trials):
            if name in trial.params:
                column[i] = trial.params[name]
        table[f"param_{name}"] = column
    table["params"] = [trial.params for trial in trials]
    for fold, column in enumerate(scores.T):
        table[f"split{fold}_test_score"] = column
    table["mean_test_score"] = scores.mean(1)
    table["std_test_score"] = scores.std(1)
    table["rank_test_score"] = np.array([rank[t.number] for t in trials], np.int32)
    return table
