"""Training and scoring of the candidates of a search on cross-validation folds."""

import copy
import math
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.stats import rankdata

from skreg.data.rows import Rows
from skreg.estimators.base import BaseNetwork
from skreg.estimators.conflicts import validate_parameters
from skreg.estimators.fits import fit_alone
from skreg.estimators.members import check_single
from skreg.estimators.preparation import (
    CheckedData,
    Prepared,
    learn_weights,
    prepare_rows,
)
from skreg.estimators.request import make_request
from skreg.parameters.regularisers import regularisers
from skreg.training.request import FitRequest
from skreg.training.train import train


@dataclass
class SearchData:
    """The validated data of a search and its folds.

    Parameters
    ----------
    checked : CheckedData
    sample_weight : ndarray of shape (n_samples,) or None
    folds : list of (ndarray, ndarray)
        The indices of the training rows and of the held-out rows.
    """

    checked: CheckedData
    sample_weight: np.ndarray | None
    folds: list
    _rows: dict = field(default_factory=dict)

    @property
    def X(self):
        return self.checked.X

    @property
    def y(self):
        return self.checked.y

    def rows_for(self, model, fold):
        """Return the training rows and the held-out rows of a fold.

        Candidates with the same class weights get the same objects, so that results
        that depend on the rows only are computed once.

        Returns
        -------
        train : Rows
        held_out : Rows or None
            None if there are none.
        """
        key = id(fold), repr(getattr(model, "class_weight", None))
        if key not in self._rows:
            # Keep a reference to the fold, so that its id is not reused.
            self._rows[key] = fold, self._weighted_rows(model, *fold)
        return self._rows[key][1]

    def _weighted_rows(self, model, train, test):
        weights = learn_weights(model, self.checked, self.sample_weight, train)
        weight = weights.of_rows(self.X, self.y, self.sample_weight)
        if weight is not None:
            train, test = train[weight[train] > 0], test[weight[test] > 0]
        rows = Rows(self.X, self.y, weight, train)
        return rows, Rows(self.X, self.y, weight, test) if len(test) else None


@dataclass
class Entry:
    """The network of a candidate for one fold.

    Parameters
    ----------
    model : BaseNetwork
    prepared : Prepared
        The prepared data. Its validation rows are the held-out rows, if there are any.
    request : FitRequest
    """

    model: BaseNetwork
    prepared: Prepared
    request: FitRequest

    def fitted(self, result):
        """Return the model with its trained network, or raise the training error."""
        fit = fit_alone(result, self.prepared)
        return self.model._become(self.prepared.layout, self.prepared.device, [fit])


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

    @property
    def models(self):
        """The estimators, one for each fold. They are fitted in a finalist."""
        return [entry.model for entry in self.entries]

    @property
    def mean_score(self):
        """Mean score over the folds, minus infinity if it is not finite."""
        mean = self.scores.mean()
        return mean if np.isfinite(mean) else -math.inf

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


def entered(prototype, params, data, fold, seed):
    """Prepare the network of a candidate for a fold.

    Parameters
    ----------
    prototype : MLPClassifier or MLPRegressor
    params : dict
        The parameters of the candidate.
    data : SearchData
    fold : tuple of ndarray
        The indices of the training rows and of the held-out rows, which may be empty.
    seed : int

    Returns
    -------
    Entry
    """
    model = copy.copy(prototype).set_params(**params, random_state=seed)
    validate_parameters(model)
    check_single(model, "For each fold, a search by cross-validation trains")
    rows, held_out = data.rows_for(model, fold)
    # Candidates may have different convolutions, but the images are the same.
    inputs = model._make_inputs().continued(data.checked.inputs)
    checked = replace(data.checked, inputs=inputs)
    prepared = prepare_rows(model, checked, rows, held_out)
    # Without held-out rows, the number of epochs is known from the folds.
    request = make_request(model, prepared, seed, is_scored=held_out is not None)
    return Entry(model, prepared, request)


def refitted(prototype, trials, data, seed):
    """Train the networks of the given candidates on all rows.

    Candidates with early stopping train for the mean over the folds of the best number
    of epochs.
    """
    everything, entries = np.arange(data.X.shape[0]), []
    fold = everything, everything[:0]
    for trial in trials:
        entry = entered(prototype, trial.params, data, fold, seed)
        # With early stopping, the held-out rows determined the number of epochs.
        if entry.model.early_stopping:
            request, n_epochs = entry.request, float(np.mean(trial.best_epochs))
            request.on_epoch = _end_after(max(1, round(n_epochs)))
            request.restore_best = False
            request.n_iter_no_change = request.max_iter
        entries.append(entry)
    results = train([entry.request for entry in entries])
    return [entry.fitted(result) for entry, result in zip(entries, results)]


def _end_after(n_epochs):
    """Return a hook that ends training after a number of epochs."""
    return lambda tracker, state: tracker.n_iter >= n_epochs


def in_precision(model, dtype):
    """Convert a trained network to a precision, in place."""

    def cast(state):
        return [array.astype(dtype) for array in state]

    model.dtype = None  # use the precision of X
    fits = [
        replace(
            fit,
            state=cast(fit.state),
            snapshots=fit.snapshots and [cast(state) for state in fit.snapshots],
        )
        for fit in model._fits
    ]
    model._become(model._layout, model._device, fits)


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
