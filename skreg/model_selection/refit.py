"""The networks that predict, made from the chosen candidates."""

from dataclasses import replace

import numpy as np

from skreg.fusion.dispatch import train_and_keep
from skreg.model_selection.entries import entered


def check_callbacks_of_refit(callbacks):
    """Raise if a callback watches validation rows, which a refit does not have."""
    for item in callbacks or ():
        callback = item[1] if isinstance(item, tuple) else item
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor.startswith("valid"):
            raise ValueError(
                f"The callback {type(callback).__name__} of estimator watches "
                f"{monitor!r}, which refit=True does not have, because it trains on "
                "all rows. Set refit='folds', or let the callback watch "
                f"{monitor.replace('valid', 'train')!r}."
            )


def refitted(prototype, trials, data, seed, checkpoint=None):
    """Train the networks of the given candidates on all rows.

    Candidates with early stopping train for the mean over the folds of the best number
    of epochs.

    Parameters
    ----------
    prototype : MLPClassifier or MLPRegressor
    trials : list of Trial
    data : SearchData
    seed : int
    checkpoint : Checkpoint or None, default=None
        Where the fits are kept.

    Returns
    -------
    list of estimator
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
                n_epochs=n_epochs,
                restore_best=False,
                n_iter_no_change=entry.request.max_iter,
            )
            entry = replace(entry, request=request)
        entries.append(entry)
    results = train_and_keep([entry.request for entry in entries], checkpoint)
    return [entry.fitted(result) for entry, result in zip(entries, results)]
