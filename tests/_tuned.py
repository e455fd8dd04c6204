"""Small estimators that tune themselves, and rows for them."""

import numpy as np
from _estimators import data
from sklearn.model_selection import KFold

from skreg import MLPClassifier, MLPClassifierCV, MLPRegressor, MLPRegressorCV

NETWORKS = {MLPClassifierCV: MLPClassifier, MLPRegressorCV: MLPRegressor}
KINDS = list(NETWORKS)
# A stack sums in another order than a network alone.
TOLERANCE = {"rtol": 1e-8, "atol": 1e-10}
L2 = {"l2": [1e-4, 1e-2, 1.0]}
SCORING = {MLPClassifierCV: "neg_log_loss", MLPRegressorCV: "neg_mean_squared_error"}


def network(kind, **own):
    """Return a small network that learns in a few epochs."""
    settings = {
        "hidden_layer_sizes": (6,),
        "learning_rate_init": 0.03,
        "max_iter": 12,
        "early_stopping": True,
        "random_state": 0,
    }
    return NETWORKS[kind](**(settings | own))


def rows(kind, n_samples=90, **options):
    """Return rows with a relation that can be learnt."""
    return data(NETWORKS[kind], n_samples, **options)


def make(kind, own=(), **parameters):
    """Return an estimator with few candidates and folds."""
    common = {"param_distributions": L2, "cv": 3, "random_state": 0, "n_candidates": 3}
    return kind(**({"estimator": network(kind, **dict(own))} | common | parameters))


def fitted(kind, own=(), **parameters):
    return make(kind, own, **parameters).fit(*rows(kind))


def numbers(estimator, X):
    """Return the averaged predictions: probabilities, or numbers."""
    return getattr(estimator, "predict_proba", estimator.predict)(X)


# The folds of 90 rows.
FOLDS = list(KFold(3, shuffle=True, random_state=1).split(np.zeros(90)))


def without_early_stopping(kind, cv):
    """Return an estimator whose networks train for all epochs, as they do alone."""
    return make(
        kind, {"early_stopping": False, "tol": 0.0}, cv=cv, scoring=SCORING[kind]
    )
