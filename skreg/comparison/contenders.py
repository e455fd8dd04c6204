"""The estimators that the command line compares."""

import numpy as np
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg.comparison.inner_scorer import InnerScorer
from skreg.compatibility import RIDGE_LOGISTIC_CV
from skreg.estimators.mlp import MLPClassifier, MLPRegressor
from skreg.model_selection.defaults import N_FOLDS
from skreg.model_selection.mlp_classifier_cv import MLPClassifierCV
from skreg.model_selection.mlp_regressor_cv import MLPRegressorCV

DEFAULT_NETWORK = "default network"
TUNED_NETWORK = "tuned network"
# The baseline and the tuned network have the same number of folds, to be fair.
N_INNER_FOLDS = N_FOLDS
N_CANDIDATES = MLPClassifierCV().n_candidates


def contenders(table, *, scoring, n_candidates, seed):
    """Make the baseline, the default network and the tuned network.

    Parameters
    ----------
    table : Table
        The data set.
    scoring : str or None
        Score that the baseline and the tuned network optimise. ``None`` is the log
        loss for classification and the squared error for regression.
    n_candidates : int
        Number of settings that the tuned network starts with.
    seed : int
        Seed of the networks, of the search and of the inner folds.

    Returns
    -------
    dict of str to Pipeline
        The baseline comes first, under the name of its class. Each pipeline takes the
        raw columns of the table, which skrub turns into numbers.
    """
    if table.task == "classification":
        network, tuned = MLPClassifier, MLPClassifierCV
    else:
        network, tuned = MLPRegressor, MLPRegressorCV
    baseline = _baseline(table.task, scoring, seed)
    return {
        type(baseline).__name__: table.pipeline(
            make_pipeline(StandardScaler(), baseline)
        ),
        DEFAULT_NETWORK: table.pipeline(network(random_state=seed)),
        TUNED_NETWORK: table.pipeline(
            tuned(n_candidates=n_candidates, scoring=scoring, random_state=seed)
        ),
    }


def _baseline(task, scoring, seed):
    if task == "regression":
        scoring = InnerScorer(scoring) if scoring else "neg_mean_squared_error"
        return RidgeCV(alphas=np.logspace(-3, 4, 15), scoring=scoring)
    return LogisticRegressionCV(
        scoring=InnerScorer(scoring) if scoring else "neg_log_loss",
        cv=StratifiedKFold(N_INNER_FOLDS, shuffle=True, random_state=seed),
        max_iter=1000,
        **RIDGE_LOGISTIC_CV,
    )
