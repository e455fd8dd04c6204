"""The estimators that the command line compares."""

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import KFold, RandomizedSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.mlp import MLPClassifier, MLPRegressor
from skreg.search_space import OffOr

DEFAULT_NETWORK = "default network"
TUNED_NETWORK = "tuned network"
N_INNER_FOLDS = 3

_TUNED_FOR = {
    "classification": "neg_log_loss",
    "regression": "neg_mean_squared_error",
}
_VALIDATION_FRACTION = 0.1


def contenders(table, *, scoring, n_iter, n_folds, seed):
    """Make the baseline, the default network and the tuned network.

    Parameters
    ----------
    table : Table
        The data set that they are made for.
    scoring : str or None
        What the baseline and the tuned network are tuned for. ``None`` is the
        log loss for classes and the squared error for numbers.
    n_iter : int
        Number of settings that the search of the tuned network tries.
    n_folds : int
        Number of outer folds.
    seed : int
        Seed of the networks, of the search and of the inner folds.

    Returns
    -------
    dict of str to Pipeline
        The baseline first, under its class's name. Each takes the table's
        columns as they are: skrub turns them into numbers.
    """
    # skrub takes seconds to import, and only a comparison needs it.
    from skrub import tabular_pipeline

    tuned_for = scoring or _TUNED_FOR[table.task]
    baseline = _baseline(table.task, tuned_for, seed)
    network_class = MLPClassifier if table.task == "classification" else MLPRegressor
    network = network_class(random_state=seed)
    search = RandomizedSearchCV(
        network,
        _search_space(table, n_folds),
        n_iter=n_iter,
        scoring=tuned_for,
        cv=_inner_folds(table.task, seed),
        random_state=seed,
        error_score="raise",
    )
    return {
        type(baseline).__name__: tabular_pipeline(
            make_pipeline(StandardScaler(), baseline)
        ),
        DEFAULT_NETWORK: tabular_pipeline(network),
        TUNED_NETWORK: tabular_pipeline(search),
    }


def _baseline(task, tuned_for, seed):
    if task == "regression":
        return RidgeCV(alphas=np.logspace(-3, 4, 15), scoring=tuned_for)
    return LogisticRegressionCV(
        l1_ratios=(0,),
        scoring=tuned_for,
        cv=_inner_folds(task, seed),
        max_iter=1000,
        use_legacy_attributes=False,
    )


def _inner_folds(task, seed):
    folds = StratifiedKFold if task == "classification" else KFold
    return folds(n_splits=N_INNER_FOLDS, shuffle=True, random_state=seed)


def _search_space(table, n_folds):
    space = {
        "l1": OffOr(stats.loguniform(1e-6, 1e-2)),
        "l2": OffOr(stats.loguniform(1e-6, 1e-1)),
        "dropout": OffOr(stats.uniform(0.05, 0.65)),
        "batchnorm": [False, True],
        "early_stopping": [False, True],
    }
    n_rows = len(table.y) * (1 - 1 / n_folds) * (1 - 1 / N_INNER_FOLDS)
    n_classes = len(np.unique(table.y)) if table.task == "classification" else 1
    # Early stopping validates on rows of every class.
    if n_rows * _VALIDATION_FRACTION < n_classes + 1:
        del space["early_stopping"]
    return space
