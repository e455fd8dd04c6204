"""The preparation of a fit is the same for all its callers."""

import numpy as np
import pytest
from _estimators import data
from _fitted import prepared_request
from _numeric import request_of
from sklearn.linear_model import LogisticRegression
from sklearn.utils import compute_class_weight

from skreg import MLPClassifier, MLPRegressor, prune, regularization_path
from skreg.estimators.preparation import (
    check_data,
    learn_weights,
    prepare,
    prepare_rows,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
KINDS = [MLPClassifier, MLPRegressor]
# Each with the name that the error is to have.
WRONG = [
    ({"activation": "foo"}, "activation"),
    ({"learning_rate_init": -7}, "learning_rate_init"),
    ({"dropout": [0.1, 0.2]}, "dropout"),
    ({"stochastic_depth": 0.1}, "stochastic_depth"),
    ({"swa_fraction": 0.5, "ema_decay": 0.5}, "swa_fraction"),
]


def equal(one, other):
    """Return whether two fields of a request have equal contents."""
    if hasattr(one, "__dataclass_fields__"):
        names = [n for n in one.__dataclass_fields__ if not n.startswith("_")]
        return all(equal(getattr(one, n), getattr(other, n)) for n in names)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(equal, one, other))
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "params", [{}, {"early_stopping": True, "standardize": "robust"}]
)
def test_a_fit_prepares_as_everyone_else(kind, params):
    X, y = data(kind)
    own = request_of(kind(**QUICK, **params), X, y)
    other = prepared_request(kind(**QUICK, **params), X, y)
    for name in own.__dataclass_fields__:
        assert equal(getattr(own, name), getattr(other, name)), name


@pytest.mark.parametrize("kind", KINDS)
def test_an_estimator_is_not_changed(kind):
    """But for what scikit-learn asks: the number of inputs, and their names."""
    X, y = data(kind)
    estimator = kind(**QUICK)
    before = dict(vars(estimator))
    prepare(estimator, X, y)
    assert vars(estimator) == before | {"n_features_in_": X.shape[1]}


@pytest.mark.parametrize("params, name", WRONG)
@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_checked_on_every_way(kind, params, name):
    X, y = data(kind)
    estimator = kind(**QUICK, **params)
    with pytest.raises(ValueError, match=name):
        estimator.fit(X, y)
    with pytest.raises(ValueError, match=name):
        regularization_path(estimator, X, y, n=3, cv=2)
    fitted = kind(**QUICK).fit(X, y).set_params(**params)
    with pytest.raises(ValueError, match=name):
        prune(fitted, 0.5, X, y, finetune_epochs=1)


def test_balanced_weights_are_those_of_the_rows_of_the_fold():
    """Whichever way rows come: in a search they are an index into the whole."""
    X, y = data(MLPClassifier)
    estimator = MLPClassifier(**QUICK, class_weight="balanced")
    rows = np.flatnonzero(np.arange(len(y)) % 3)
    alone = prepare(estimator, X[rows], y[rows]).train
    classes = np.unique(y)
    weights = compute_class_weight("balanced", classes=classes, y=y[rows])
    expected = weights[np.searchsorted(classes, y[rows])]
    np.testing.assert_allclose(alone.weight, expected, rtol=1e-15)


def test_sample_weights_of_the_fold_alone_balance_its_classes():
    X, y = data(MLPClassifier)
    rng = np.random.default_rng(0)
    sample_weight = rng.uniform(0.5, 2, size=len(y))
    rows = rng.permutation(len(y))[:40]
    estimator = MLPClassifier(class_weight="balanced")
    checked = check_data(estimator, X, y)
    weights = learn_weights(estimator, checked, sample_weight, rows)
    found = weights.of_rows(X[rows], y[rows], sample_weight[rows])
    # Each class has the same total weight, and all rows the same as before.
    totals = np.bincount(y[rows], found)
    np.testing.assert_allclose(totals, sample_weight[rows].sum() / 3, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_halves_make_the_whole(kind):
    """Candidates share checked data, and learn from rows of their own."""
    X, y = data(kind)
    estimator = kind(**QUICK)
    whole = prepare(estimator, X, y)
    checked = check_data(estimator, X, y)
    parts = prepare_rows(estimator, checked, whole.train, None)
    assert equal(parts.layout.architecture, whole.layout.architecture)
    # The mean is summed in another order.
    np.testing.assert_allclose(parts.layout.scaling.offset, X.mean(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(
        parts.layout.scaling.scale, whole.layout.scaling.scale
    )


def test_weights_of_zero_are_rows_not_given():
    X, y = data(MLPClassifier)
    weight = (np.arange(len(y)) % 4).astype(float)
    prepared = prepare(MLPClassifier(**QUICK), X, y, weight)
    np.testing.assert_array_equal(prepared.train.index, np.flatnonzero(weight))


def test_rows_of_validation_are_weighed_as_those_of_training():
    X, y = data(MLPClassifier)
    X_val, y_val = X[:20], y[:20]
    estimator = MLPClassifier(**QUICK, class_weight="balanced")
    prepared = prepare(estimator, X, y, validation=(X_val, y_val, None))
    reference = LogisticRegression(class_weight="balanced").fit(X, y)
    weights = compute_class_weight("balanced", classes=reference.classes_, y=y)
    expected = weights[np.searchsorted(reference.classes_, y_val)]
    np.testing.assert_allclose(prepared.validation.weight, expected, rtol=1e-15)
