"""The networks that predict, made from the chosen candidates."""

from dataclasses import replace

import numpy as np

from skreg.model_selection.entries import entered
from skreg.training.train import train


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
            n_epochs = max(1, round(float(np.mean(trial.best_epochs))))
            request = replace(
                entry.request,
                on_epoch=_end_after(n_epochs),
                restore_best=False,
                n_iter_no_change=entry.request.max_iter,
            )
            entry = replace(entry, request=request)
        entries.append(entry)
    results = train([entry.request for entry in entries])
    return [entry.fitted(result) for entry, result in zip(entries, results)]


def _end_after(n_epochs):
    """Return a hook that ends training after a number of epochs."""
    return lambda tracker, state: tracker.n_iter >= n_epochs
