"""The scales that calls of partial_fit learn, whatever the number of their rows."""

import warnings

import numpy as np
import pytest
from _estimators import ESTIMATORS, data
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_wine

from skreg import CNNRegressor, ImageAugmenter, MLPClassifier, MLPRegressor, fused
from skreg.data.moments import ENOUGH_ROWS

SMALL = {"hidden_layer_sizes": (4,), "random_state": 0}


def in_calls(estimator, X, y, sizes):
    """Train by calls of the given numbers of rows, and return the estimator."""
    classes = {} if isinstance(estimator, MLPRegressor) else {"classes": [0, 1, 2]}
    start = 0
    for size in sizes:
        rows = slice(start, start + size)
        estimator.partial_fit(X[rows], y[rows], **classes)
        start += size
    return estimator


@pytest.mark.parametrize("kind", ESTIMATORS)
@given(sizes=st.lists(st.integers(1, 25), min_size=1, max_size=10))
def test_scales_are_those_of_the_rows_until_there_are_enough(kind, sizes):
    X, y = data(kind, n_samples=sum(sizes))
    y = np.arange(len(X)) % 3 if kind is MLPClassifier else y
    estimator = in_calls(kind(**SMALL), X, y, sizes)
    seen = np.cumsum(sizes)
    n_rows = seen[min(np.searchsorted(seen, ENOUGH_ROWS), len(seen) - 1)]
    X, y = X[:n_rows], y[:n_rows]
    np.testing.assert_allclose(estimator.feature_offset_, X.mean(0), rtol=1e-12)
    scale = X.std(0) if n_rows > 1 else np.ones(5)
    np.testing.assert_allclose(estimator.feature_scale_, scale, rtol=1e-12)
    if kind is MLPRegressor:
        scale = y.std() if n_rows > 1 else 1
        np.testing.assert_allclose(estimator.target_offset_, y.mean(), rtol=1e-12)
        np.testing.assert_allclose(estimator.target_scale_, scale, rtol=1e-12)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_column_that_is_constant_at_first(kind):
    X, y = data(kind, n_samples=120)
    X[:80, 1] = 7
    estimator = in_calls(kind(**SMALL), X, y, [40, 40])
    assert estimator.feature_scale_[1] == 1
    first = estimator.feature_scale_[0]
    estimator = in_calls(kind(**SMALL), X, y, [40, 40, 40])
    np.testing.assert_allclose(estimator.feature_scale_[1], X[:, 1].std())
    assert estimator.feature_scale_[0] == first == pytest.approx(X[:40, 0].std())


def test_pixels_keep_the_scale_of_their_channel():
    """Pixels of a frame are constant in all images, but their channel is not."""
    X = np.random.default_rng(0).normal(size=(60, 4, 4, 2)) * [1, 50]
    X[:, 0] = 3
    y = X[:, 1:].mean((1, 2, 3))
    net = CNNRegressor((2,), hidden_layer_sizes=(), random_state=0)
    for part in np.split(np.arange(60), 6):
        net.partial_fit(X[part], y[part])
    seen = X[:40]  # the calls until there are enough rows
    np.testing.assert_allclose(net.feature_scale_[:2], seen.std((0, 1, 2)))
    assert len(np.unique(net.feature_scale_)) == 2
    augmented = MLPRegressor(
        **SMALL, augment=ImageAugmenter(horizontal_flip=True, image_shape=(4, 4, 2))
    )
    augmented = in_calls(augmented, X.reshape(60, -1), y, [10] * 6)
    np.testing.assert_allclose(augmented.feature_scale_, net.feature_scale_)


@pytest.mark.parametrize("first", [1, 2, 50])
def test_a_stream_of_rows_is_learnt(first):
    """As after one fit: accuracy 1, and an R2 of 0.58."""
    X, y = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X[order], y[order]
    classifier = MLPClassifier((16,), random_state=0)
    # One by one until there are enough rows.
    in_calls(classifier, X, y, [first, *[1] * ENOUGH_ROWS])
    for _ in range(6):
        in_calls(classifier, X, y, [10] * 18)
    assert classifier.score(X, y) > 0.98
    X, y = load_diabetes(return_X_y=True)
    regressor = MLPRegressor((16,), random_state=0)
    regressor.partial_fit(X[:first], y[:first])
    for _ in range(10):
        in_calls(regressor, X, y, [40] * 12)
    assert regressor.score(X, y) > 0.55


def test_counts_that_begin_with_zeros():
    X, _ = data(MLPRegressor, n_samples=80)
    counts = np.random.default_rng(0).poisson(np.exp(X[:, 0] / 3))
    counts[:3] = 0
    regressor = MLPRegressor((), loss="poisson", random_state=0)
    regressor.partial_fit(X[:1], counts[:1])
    assert regressor.predict(X).tolist() == [0] * 80
    in_calls(regressor, X, counts, [1] * 80)
    assert regressor.target_scale_[0] == pytest.approx(counts[:32].mean(), rel=0.1)


def test_a_fit_decides_for_the_calls_after_it():
    X, y = data(MLPRegressor)
    estimator = MLPRegressor(**SMALL).fit(X[:3], y[:3])
    scale = estimator.feature_scale_
    estimator.partial_fit(X, y)
    np.testing.assert_array_equal(estimator.feature_scale_, scale)


def test_calls_that_train_together():
    X, y = data(MLPRegressor)
    alone = in_calls(MLPRegressor(**SMALL), X, y, [1, 1, 40])
    with fused():
        together = in_calls(MLPRegressor(**SMALL), X, y, [1, 1, 40])
    np.testing.assert_allclose(together.predict(X), alone.predict(X), rtol=1e-10)


@pytest.mark.parametrize(
    "parameters",
    [{"standardize": "robust"}, {"numeric_embedding": "piecewise_linear"}],
    ids=str,
)
def test_quantiles_of_few_rows_are_pointed_out(parameters):
    X, y = data(MLPRegressor)
    (name,) = parameters
    estimator = MLPRegressor(**SMALL, **parameters)
    with pytest.warns(UserWarning, match=f"{name}=.*n_samples=5.*at least 8") as caught:
        estimator.partial_fit(X[:5], y[:5])
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.partial_fit(X[5:], y[5:])
        MLPRegressor(**SMALL, **parameters).partial_fit(X, y)
