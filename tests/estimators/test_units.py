"""Fits do not depend on the units of inputs and targets, in any precision."""

import numpy as np
import pytest

from skreg import MLPClassifier, MLPRegressor, MLPRegressorCV

# An origin and a unit: coordinates in metres, and the magnitudes of physics.
UNITS = [(5e6, 1e-2), (1.6e9, 10.0), (0.0, 1e-50), (0.0, 1e50)]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3))
    return X, X @ [1.0, 2.0, -1.0] + 0.1 * rng.normal(size=150)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("dtype", [None, "float32"])
@pytest.mark.parametrize("standardize", [True, "robust"])
def test_inputs(unit, dtype, standardize, data):
    X, y = data
    origin, scale = unit
    model = MLPRegressor(dtype=dtype, standardize=standardize, random_state=0)
    expected = model.fit(X, y).predict(X)
    found = model.fit(origin + scale * X, y).predict(origin + scale * X)
    # Inputs are rounded to 1e-7 of their spread, and single precision to 6e-8.
    np.testing.assert_allclose(found, expected, atol=2e-4 * y.std())


@pytest.mark.parametrize("unit", UNITS)
def test_inputs_of_a_classifier(unit, data):
    X, y = data
    origin, scale = unit
    model = MLPClassifier(dtype="float32", random_state=0)
    expected = model.fit(X, y > 0).predict_proba(X)
    found = model.fit(origin + scale * X, y > 0).predict_proba(origin + scale * X)
    np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "model",
    [
        MLPRegressor(random_state=0),
        MLPRegressor(dtype="float32", random_state=0),
        MLPRegressor(hidden_layer_sizes=(), dtype="float32", random_state=0),
        MLPRegressorCV(n_candidates=2, random_state=0),
    ],
    ids=["double", "single", "linear", "tuned"],
)
def test_targets(unit, model, data):
    """Predictions in single precision would be rounded to 0.5 at five million."""
    X, y = data
    origin, scale = unit
    expected = model.fit(X, y).predict(X)
    found = (model.fit(X, origin + scale * y).predict(X) - origin) / scale
    np.testing.assert_allclose(found, expected, atol=2e-4 * y.std())


@pytest.mark.parametrize("targets", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_have_at_least_the_precision_of_the_targets(targets, dtype, data):
    X, y = data
    y = (10 * y).astype(targets)
    found = MLPRegressor(dtype=dtype, max_iter=1).fit(X, y).predict(X).dtype
    in_single = dtype == "float32" and targets is np.float32
    assert found == (np.float32 if in_single else np.float64)


def test_noise_is_shrunk_in_any_unit(data):
    """Where nothing is found, half of the best slope is kept, whatever the unit is."""
    X = data[0]
    y = np.random.default_rng(1).normal(size=len(X))
    model = MLPRegressorCV(n_candidates=2, random_state=0)
    expected = model.fit(X, y).shrinkage_
    assert model.fit(X, 1e-50 * y).shrinkage_ == pytest.approx(expected, rel=1e-3)
