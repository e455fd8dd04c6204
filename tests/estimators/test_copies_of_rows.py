"""A row of weight 2 is a row given twice, to the last bit if steps use all rows."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils import get_tags

from skreg import CNNClassifier, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Kinks and L-BFGS amplify a difference in the last bit to one in the second digit.
SETTINGS = [
    {"l1": 1e-3},
    {"group_l1": 1e-2},
    {"l1": 1e-4, "l2": 1e-3, "skip": "linear"},
    {"solver": "lbfgs", "l2": 1e-2},
    {"solver": "lbfgs", "group_l1": 1e-2, "max_norm": 2.0},
    {"solver": "sgd", "learning_rate": "invscaling", "max_iter": 50},
    {"numeric_embedding": "piecewise_linear", "group_l1": 1e-3},
    {"standardize": "robust", "l1": 1e-3},
    {"n_estimators": 2, "l1": 1e-3},
    {"dtype": "float32", "l1": 1e-3},
    {"weight_decay": 0.1, "max_norm": 1.0, "max_iter": 100},
    {"hidden_layer_sizes": ()},
]
OF_CLASSES = [{"class_weight": "balanced", "l1": 1e-3}, {"label_smoothing": 0.1}]
OF_NUMBERS = [
    {"loss": "absolute_error", "l1": 1e-3},
    {"loss": "poisson", "l1": 1e-3},
    {"loss": "quantile", "quantile": 0.8, "group_l1": 1e-2},
]
CASES = [
    *((kind, own) for kind in (MLPClassifier, MLPRegressor) for own in SETTINGS),
    *((MLPClassifier, own) for own in OF_CLASSES),
    *((MLPRegressor, own) for own in OF_NUMBERS),
    (CNNClassifier, {"channels": (4,), "pool": 1, "l1": 1e-3}),
]


def make(kind, own):
    sizes = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}
    return kind(**(sizes | own))


def rows(kind, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(15, 6)), rng.integers(0, 3, 15)
    y[:3] = 0, 1, 2
    weight = rng.integers(0, 3, 15)
    weight[:3] = 1, 2, 1
    return X, y if kind is not MLPRegressor else y + 0.5, weight, rng


def with_containers():
    """Return the cases with dense rows, and those of classes with sparse ones, too."""
    dense = [(kind, own, np.asarray) for kind, own in CASES]
    return dense + [
        (kind, own, sp.csr_array)
        for kind, own in CASES
        if kind is MLPClassifier and get_tags(kind(**own)).input_tags.sparse
    ]


@pytest.mark.parametrize("kind, own, container", with_containers(), ids=str)
def test_copies_and_order_do_not_count(kind, own, container):
    X, y, weight, rng = rows(kind, seed=0)
    order = rng.permutation(np.repeat(np.arange(15), weight))
    one, other = make(kind, own), make(kind, own)
    one.fit(container(X), y, sample_weight=weight)
    other.fit(container(X[order]), y[order])
    for a, b in zip(one.coefs_ + one.intercepts_, other.coefs_ + other.intercepts_):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    assert one.loss_curve_ == other.loss_curve_


@given(st.integers(0, 1000), st.sampled_from(["l1", "group_l1", "l2"]))
def test_any_rows_and_weights(seed, penalty):
    X, y, weight, rng = rows(MLPClassifier, seed)
    X = X.round(rng.integers(0, 3))  # some of them equal
    order = rng.permutation(np.repeat(np.arange(15), weight))
    model = make(MLPClassifier, {"solver": "lbfgs", penalty: 1e-2})
    one = clone(model).fit(X, y, sample_weight=weight)
    other = clone(model).fit(X[order], y[order])
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


def test_equal_weights_are_none():
    X, y, _, _ = rows(MLPClassifier, seed=0)
    fits = [
        make(MLPClassifier, {"l1": 1e-3}).fit(X, y, weight)
        for weight in (None, np.ones(15), np.full(15, 2.5))
    ]
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.coefs_[0], fits[0].coefs_[0])


@pytest.mark.parametrize(
    "own", [{"dropout": 0.2}, {"input_noise": 0.1}, {"batchnorm": True}, {"mixup": 0.2}]
)
def test_rows_that_draw_numbers_are_not_merged(own):
    """Each of two equal rows has its own draws; and normalisation needs two rows."""
    X, y = np.zeros((4, 2)), np.array([0, 0, 1, 1])
    fit = make(MLPClassifier, own | {"max_iter": 3}).fit(X, y)
    assert fit.t_ == 12
    merged = make(MLPClassifier, {"max_iter": 3}).fit(X, y)
    assert merged.t_ == 6
