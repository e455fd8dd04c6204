"""Robust standardising: medians and interquartile ranges."""

import math
from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from _estimators import ESTIMATORS, STEADY, data
from _numeric import request_of
from scipy.special import softmax

from skreg import MLPClassifier, MLPRegressor
from skreg.data.quantiles import quantiles, robust_scaling
from skreg.training.grouping import group_key
from skreg.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = STEADY | {"max_iter": 4, "batch_size": 16, "random_state": 0}
QUICK |= {"standardize": "robust"}


def test_median_and_interquartile_range():
    """With half the range, and then 1, where quartiles are equal."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(101, 4)) * [1, 5, 1, 1] + [0, 3, 0, 0]
    X[:, 2] = np.arange(101) < 7
    X[:, 3] = -4
    median, scale = robust_scaling(X, np.arange(101), None)
    lower, middle, upper = np.sort(X, axis=0)[[25, 50, 75]]
    np.testing.assert_array_equal(median, middle)
    np.testing.assert_array_equal(scale[:2], (upper - lower)[:2])
    np.testing.assert_array_equal(scale[2:], [0.5, 1])
    assert robust_scaling(X.astype(np.float32), np.arange(101), None)[1].dtype == "f4"


@pytest.mark.parametrize("weighted", [False, True])
def test_rounding_does_not_move_a_quantile(weighted):
    """Products such as 0.55 * 100 are rounded up to just above a whole number."""
    for n_rows in (20, 60, 100, 180):
        X = np.arange(n_rows, dtype=float)[:, None]
        weight = np.full(n_rows, 0.1) if weighted else None
        shares = [Fraction(k, 20) for k in range(1, 20)]
        found = quantiles(X, np.arange(n_rows), weight, [k / 20 for k in range(1, 20)])
        expected = [math.ceil(share * n_rows) - 1 for share in shares]
        assert found.ravel().tolist() == expected


def test_weights_are_repetitions():
    X, _ = data(MLPRegressor)
    weight = np.random.default_rng(0).integers(0, 4, size=60)
    rows = np.flatnonzero(weight)
    found = robust_scaling(X, rows, weight * 0.1)
    expected = robust_scaling(X, np.repeat(np.arange(60), weight), None)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_are_those_of_clipped_inputs(dtype):
    X, y = data(MLPClassifier)
    X[3] *= 1000
    X = X.astype(dtype)
    model = MLPClassifier((), solver="lbfgs", standardize="robust", l2=0.01).fit(X, y)
    Z = (X - model.feature_offset_) / model.feature_scale_
    Z = Z / np.sqrt(1 + (Z / 3) ** 2)
    assert np.abs(Z).max() <= 3
    expected = softmax(Z @ model.coefs_[0] + model.intercepts_[0], axis=1)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=tolerance)
    # Trained on the same inputs: the gradient there is zero.
    residual = (expected - np.eye(3)[y]) / len(y)
    gradient = Z.T @ residual + 2 * 0.01 * model.coefs_[0]
    assert np.abs(gradient).max() <= (1e-5 if dtype == np.float32 else 2e-6)
    for name in ("coef_", "intercept_"):
        with pytest.raises(AttributeError, match="standardize='robust'"):
            getattr(model, name)


def test_targets_keep_their_mean_and_deviation():
    X, y = data(MLPRegressor)
    model = MLPRegressor(**QUICK).fit(X, y)
    np.testing.assert_allclose(model.target_offset_, y.mean())
    np.testing.assert_allclose(model.target_scale_, y.std())


def test_parameters_set_after_fit_do_not_matter():
    X, y = data(MLPRegressor)
    robust, plain = (
        MLPRegressor(**QUICK | {"standardize": s}) for s in ("robust", True)
    )
    for model in (robust, plain):
        before = model.fit(X, y).predict(X)
        other = True if model is robust else "robust"
        model.set_params(standardize=other, warm_start=True)
        np.testing.assert_array_equal(model.predict(X), before)
        scales = model.feature_scale_
        model.fit(3 * X, y)  # goes on with the standardising that it has
        np.testing.assert_array_equal(model.feature_scale_, scales)
        assert model._layout.scaling.clips == (model is robust)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_stack_is_its_models_alone(kind):
    requests = []
    for i in range(3):
        X, y = data(kind, n_samples=60 - 9 * i, seed=i)
        X[0] *= 100
        requests.append(request_of(kind((5,), **QUICK), X, y))
    plain = request_of(kind((5,), **QUICK | {"standardize": True}), X, y)
    assert group_key(plain) != group_key(requests[0])
    alone = [train([request])[0].state for request in requests]
    for one, result in zip(alone, train(requests), strict=True):
        for array, other in zip(one, result.state, strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-9, atol=1e-10)


def test_an_outlier_moves_nothing_else():
    X, y = data(MLPRegressor)
    far = X.copy()
    far[np.argmax(X[:, 0]), 0] = 1e12
    one, other = (MLPRegressor(**QUICK).fit(Z, y) for Z in (X, far))
    np.testing.assert_array_equal(one.feature_scale_, other.feature_scale_)
    np.testing.assert_allclose(one.predict(X), other.predict(X), rtol=0.01)


def test_sparse_inputs():
    X, y = data(MLPRegressor)
    with pytest.raises(ValueError, match=r"standardize='robust' .* for sparse X"):
        MLPRegressor(**QUICK).fit(sp.csr_array(X), y)
    model = MLPRegressor(**QUICK).fit(X, y)
    np.testing.assert_array_equal(model.predict(sp.csr_array(X)), model.predict(X))


@pytest.mark.parametrize("weighted", [False, True])
def test_missing_numbers_do_not_count(weighted):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(50, 3)), rng.uniform(0.5, 2, 50) if weighted else None
    X[rng.random((50, 3)) < [0.0, 0.3, 1.0]] = np.nan
    levels, index = [0, 0.25, 0.5, 1], np.arange(50)
    found = quantiles(X, index, weight, levels)
    for column in (0, 1):
        known = np.flatnonzero(~np.isnan(X[:, column]))
        own = None if weight is None else weight[known]
        alone = X[known, column]
        expected = np.quantile(alone, levels, weights=own, method="inverted_cdf")
        np.testing.assert_array_equal(found[:, column], expected)
    assert (found[:, 2] == 0).all()
    assert np.isfinite(quantiles(X[:, 1:], index, weight, levels)).all()
