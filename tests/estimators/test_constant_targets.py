"""Targets that are constant are predicted as they are, by every regressor."""

import numpy as np
import pytest
from _estimators import ALL_CONFIGURATIONS, data, make
from hypothesis import given
from hypothesis import strategies as st

from skreg import CNNRegressor, MLPRegressor, MLPRegressorCV
from skreg.losses.kinds import REGRESSION_LOSSES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [1e-6, -1e9, 1e-200])
# Without an intercept, a constant is as any other target.
@pytest.mark.parametrize(
    "configuration", sorted(ALL_CONFIGURATIONS.keys() - {"no_intercept"})
)
def test_alone(configuration, constant, dtype):
    if dtype == np.float32 and constant == 1e-200:
        constant = 1e-30  # the smallest that it can hold has an exponent of -38
    X, _ = data(MLPRegressor, 40)
    regressor = make(MLPRegressor, configuration, max_iter=3, random_state=0)
    if regressor.standardize is False:
        regressor.set_params(standardize=True)
    regressor.fit(X.astype(dtype), np.full(40, constant, dtype))
    predicted = regressor.predict(X.astype(dtype))
    np.testing.assert_array_equal(predicted, dtype(constant))


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
@pytest.mark.parametrize("sizes", [(), (4,)])
def test_among_several(sizes, loss):
    """The others are predicted as if the constant had another value."""
    X, y = data(MLPRegressor, 40)
    y = np.abs(y)
    both = []
    for constant in (2e-6, 5.0):
        Y = np.column_stack([y, np.full(40, constant)])
        regressor = MLPRegressor(
            **SMALL | {"hidden_layer_sizes": sizes}, loss=loss, batch_size=8
        )
        predicted = regressor.fit(X, Y).predict(X)
        np.testing.assert_array_equal(predicted[:, 1], constant)
        both.append(predicted[:, 0])
        if not sizes:
            np.testing.assert_array_equal(regressor.coef_[1], 0)
            of_score = np.log if loss == "poisson" else np.array
            assert regressor.intercept_[1] == pytest.approx(of_score(constant))
    assert np.ptp(both[0]) > 0
    np.testing.assert_allclose(*both, rtol=1e-12)


@given(value=st.floats(-1e12, 1e12), n_rows=st.integers(1, 30), weighted=st.booleans())
def test_any_value(value, n_rows, weighted):
    X, _ = data(MLPRegressor, n_rows)
    weight = np.linspace(1, 2, n_rows) if weighted else None
    regressor = MLPRegressor(**SMALL).fit(X, np.full(n_rows, value), weight)
    np.testing.assert_array_equal(regressor.predict(X), value)


def test_other_regressors():
    X, _ = data(MLPRegressor, 60)
    y = np.full(60, 4.5)
    assert set(CNNRegressor((), max_iter=2).fit(X, y).predict(X)) == {4.5}
    search = MLPRegressorCV(n_candidates=2, cv=2, random_state=0).fit(X, y)
    assert set(search.predict(X)) == {4.5}
    early = MLPRegressor(**SMALL, early_stopping=True).fit(X, y)
    assert set(early.predict(X)) == {4.5}
