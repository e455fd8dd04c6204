"""Why an average consists of certain candidates: their scores beside the others'."""

import numpy as np


def chosen_table(trials, chosen, weights):
    """Return a table of the candidates of an average and of the best one besides.

    Parameters
    ----------
    trials : list of Trial
        All candidates, from best to worst.
    chosen : list of Trial
        Those whose predictions are averaged.
    weights : ndarray of shape (n_chosen,)

    Returns
    -------
    dict of str to ndarray
        Columns of a table, as `cv_results_`. "gap" is the mean difference to the best
        candidate over the folds, and "gap_error" its standard error.
    """
    weight_of = {trial.number: weight for trial, weight in zip(chosen, weights)}
    others = [trial for trial in trials if trial.number not in weight_of]
    listed = [*chosen, *others[:1]]
    best = max(listed, key=lambda trial: trial.mean_score)
    gaps = np.array([best.scores - trial.scores for trial in listed])
    n_folds = gaps.shape[1]
    spread = gaps.std(axis=1, ddof=1) if n_folds > 1 else np.full(len(listed), np.nan)
    return {
        "candidate": np.array([trial.number for trial in listed]),
        "weight": np.array([weight_of.get(trial.number, 0.0) for trial in listed]),
        "mean_test_score": np.array([trial.scores.mean() for trial in listed]),
        "gap": gaps.mean(axis=1),
        "gap_error": spread / np.sqrt(n_folds),
        "params": np.array([trial.params for trial in listed], dtype=object),
    }
