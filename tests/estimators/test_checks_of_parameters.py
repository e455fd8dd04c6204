"""Whatever trains or changes a network checks its parameters as `fit` does."""

import copy

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.utils._param_validation import InvalidParameterError

import skreg
from skreg import (
    BayesSearchCV,
    MLPClassifier,
    MLPClassifierCV,
    MLPRegressor,
    MLPRegressorCV,
    compact,
    compare,
    prune,
    regularization_path,
)

X = np.random.default_rng(0).normal(size=(60, 3))
NUMBERS, CLASSES = X[:, 0], (X[:, 0] > 0).astype(int)
INVALID = {
    "activation": "foo",
    "learning_rate_init": -7,
    "solver": "newton",
    "dropout": "much",
    "max_iter": 0,
    "batch_size": -1,
    "random_state": "zero",
}


def fitted_then_changed(kind, **params):
    """Return a fitted network whose parameters were changed since."""
    fitted = _fitted(kind)
    return copy.copy(fitted).set_params(**params)


def _fitted(kind):
    y = CLASSES if kind is MLPClassifier else NUMBERS
    return kind((4,), max_iter=2, random_state=0).fit(X, y)


def _partial_fit(**params):
    MLPClassifier((4,), **params).partial_fit(X, CLASSES, classes=[0, 1])


def _next_partial_fit(**params):
    network = MLPClassifier((4,)).partial_fit(X, CLASSES, classes=[0, 1])
    network.set_params(**params).partial_fit(X, CLASSES)


def _fused_search(**params):
    search = GridSearchCV(
        MLPRegressor((4,), **params), {"l2": [0.1, 1.0]}, cv=2, error_score="raise"
    )
    with skreg.fused():
        search.fit(X, NUMBERS)


def _prune(**params):
    network = fitted_then_changed(MLPRegressor, **params)
    prune(network, 0.5, X, NUMBERS, finetune_epochs=1)


def _members(**params):
    MLPRegressor((4,), n_estimators=2, **params).fit(X, NUMBERS)


def _shared_members(**params):
    MLPRegressor((4,), n_estimators=2, ensemble="shared", **params).fit(X, NUMBERS)


WAYS = {
    "fit": lambda **p: MLPRegressor((4,), **p).fit(X, NUMBERS),
    "partial_fit": _partial_fit,
    "next partial_fit": _next_partial_fit,
    "members": _members,
    "shared members": _shared_members,
    "regularization_path of a network": lambda **p: regularization_path(
        MLPRegressor((4,), **p), X, NUMBERS, strengths=[0.1]
    ),
    "regularization_path of a linear model": lambda **p: regularization_path(
        MLPClassifier((), **p), X, CLASSES, strengths=[0.1]
    ),
    "MLPRegressorCV": lambda **p: MLPRegressorCV(
        MLPRegressor((4,), **p), n_candidates=2, cv=2
    ).fit(X, NUMBERS),
    "MLPClassifierCV": lambda **p: MLPClassifierCV(
        MLPClassifier((4,), **p), n_candidates=2, cv=2
    ).fit(X, CLASSES),
    "BayesSearchCV": lambda **p: BayesSearchCV(
        MLPRegressor((4,), **p), {"l2": [0.1, 1.0]}, n_iter=2, cv=2, error_score="raise"
    ).fit(X, NUMBERS),
    "fused search": _fused_search,
    "compare": lambda **p: compare(
        {"one": MLPRegressor((4,), **p), "other": MLPRegressor(())}, X, NUMBERS, cv=2
    ),
    "prune": _prune,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", INVALID)
def test_invalid_parameters_are_reported_as_by_fit(way, name):
    with pytest.raises(InvalidParameterError, match=rf"'{name}' parameter"):
        WAYS[way](**{name: INVALID[name]})


@pytest.mark.parametrize("kind", [MLPRegressorCV, MLPClassifierCV])
def test_invalid_candidates_are_reported(kind):
    y = NUMBERS if kind is MLPRegressorCV else CLASSES
    with pytest.raises(InvalidParameterError, match="'dropout' parameter"):
        kind(param_distributions={"dropout": [-1.0]}, n_candidates=1, cv=2).fit(X, y)


def test_compact_reads_only_weights():
    """It trains nothing, so that parameters which changed since do not matter."""
    network = fitted_then_changed(MLPRegressor, learning_rate_init=-7)
    expected = _fitted(MLPRegressor).predict(X)
    np.testing.assert_allclose(compact(network).predict(X), expected, rtol=1e-12)
