"""The search of an estimator that tunes itself: its candidates, trained and ranked."""

import warnings
from functools import partial

import numpy as np
from sklearn.exceptions import FitFailedWarning

from skreg.estimators.request import n_epochs
from skreg.model_selection.deadline import Deadline
from skreg.model_selection.defaults import named_space
from skreg.model_selection.heat import Heat
from skreg.model_selection.linear_path import linear_trials
from skreg.model_selection.pilot import within_limit
from skreg.model_selection.strategies import STRATEGIES
from skreg.model_selection.trials import ranked
from skreg.parameters.checks import check_hidden_layer_sizes
from skreg.parameters.suggestions import did_you_mean

# The share of a limited time that the linear model may take.
LINEAR_SHARE = 0.2


def search_candidates(
    search, prototype, data, scoring, seeds, deadline, rng, checkpoint
):
    """Return the trials of the candidates, from best to worst, and their data."""
    space, n_candidates = _space(search, prototype, data), search.n_candidates
    has_linear = _takes_linear(search, prototype)
    if deadline.is_finite:
        limit = deadline
        if has_linear:
            limit = Deadline((1 - LINEAR_SHARE) * deadline.seconds_left)
        n_candidates, data = within_limit(
            search, prototype, space, data, seeds, limit, rng
        )
    linear = []
    if has_linear:
        options = scoring, seeds, deadline, checkpoint
        linear = _linear_trials(search, prototype, data, *options)
    content = {"scoring": search.scoring, "max_time": search.max_time}
    if not type(prototype).__module__.startswith("skreg."):
        content["kind"] = type(prototype)  # it may predict in any way
    is_first = True

    def evaluate(candidates, epochs, n_kept):
        nonlocal is_first
        if deadline.has_passed and not is_first:
            return []
        is_first = False
        options = scoring, seeds, deadline, checkpoint, content
        heat = Heat(prototype, candidates, data, *options)
        return heat.run(epochs, n_kept, partial(_report, search))

    trials = STRATEGIES[search.strategy](
        space,
        n_candidates,
        search.n_ensemble,
        n_epochs(prototype, len(data.folds[0][0])),
        rng,
        evaluate,
    )
    _warn_of_failures(trials)
    return ranked([*trials, *_beside(trials, linear)]), data


def _takes_linear(search, prototype):
    """Return whether the linear model takes part."""
    if search.linear_path == "auto":
        is_wanted = isinstance(search.param_distributions, str)
    else:
        is_wanted = search.linear_path
    sizes = check_hidden_layer_sizes(prototype.hidden_layer_sizes)
    return bool(is_wanted and sizes and not hasattr(prototype, "channels"))


def _linear_trials(search, prototype, data, scoring, seeds, deadline, checkpoint):
    """Return the trials of the linear model."""
    if deadline.is_finite:
        deadline = Deadline(LINEAR_SHARE * deadline.seconds_left)
    trials = linear_trials(prototype, data, scoring, seeds, deadline, checkpoint)
    if search.verbose:
        best = max(trial.mean_score for trial in trials)
        print(
            f"linear model: {len(trials)} strengths, best score {best:.6g}",
            flush=True,
        )
    return trials


def _space(search, prototype, data):
    """Return the distributions of the hyperparameters to search."""
    if isinstance(search.param_distributions, str):
        n_rows, categories = len(data.folds[0][0]), data.checked.inputs.categories
        return named_space(
            prototype, search.param_distributions, data.X, n_rows, categories
        )
    known = prototype.get_params()
    for name in search.param_distributions:
        if name == "random_state":
            raise ValueError(
                "param_distributions must not contain 'random_state', because each "
                "fold has its own seed, which all candidates share. Set "
                f"random_state of {type(search).__name__} instead."
            )
        if name not in known:
            raise ValueError(
                f"param_distributions contains {name!r}, which is not a parameter "
                f"of {type(prototype).__name__}; {did_you_mean(name, known)}"
            )
    return search.param_distributions


def _report(search, rung, n_candidates, epoch, scores):
    if search.verbose:
        best = np.max(scores, where=~np.isnan(scores), initial=-np.inf)
        print(
            f"rung {rung + 1}: {n_candidates} candidates, {epoch} epochs, "
            f"best score {best:.6g}",
            flush=True,
        )


def _beside(trials, linear):
    """Return the trials of the linear model as those of the last rung of a search."""
    rung = max((trial.rung for trial in trials), default=0)
    for number, trial in enumerate(linear, start=len(trials)):
        trial.number, trial.rung = number, rung
    return linear


def _warn_of_failures(trials):
    """Warn of candidates that could not be trained, and raise if none could."""
    failed = [trial for trial in trials if trial.error is not None]
    if len(failed) == len(trials):
        raise failed[0].error
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(trials)} candidates could not be trained on all "
            f"folds and will not be chosen. First error: {failed[0].error}",
            FitFailedWarning,
            stacklevel=6,  # the caller of fit, above scikit-learn
        )
