"""Models without intercept, against those of scikit-learn."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from _images import images
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, Ridge
from sklearn.model_selection import GridSearchCV

from skreg import (
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    MLPRegressorCV,
    compact,
    fused,
    regularization_path,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EXACT = {"solver": "lbfgs", "max_iter": 10**4, "tol": 1e-10, "fit_intercept": False}
LINEAR = EXACT | {"hidden_layer_sizes": (), "standardize": False}
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 10, "random_state": 0}
# The certificate is 1e-10, and the smallest eigenvalue of the Hessian above 0.01.
CLOSE = {"rtol": 0, "atol": 1e-7}


def table(n=80):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4)) * [1, 2, 0.5, 1] + [1, -1, 0.5, 0]
    return X, X @ [1, 0.5, -1, 0.02] + 0.3 * rng.normal(size=n) + 3


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
def test_ridge_and_lasso(solver):
    X, y = table()
    settings = LINEAR | {"solver": solver}
    if solver != "lbfgs":
        settings |= {"max_iter": 500, "tol": 1e-4, "learning_rate_init": 1e-3}
    ridge = MLPRegressor(l2=0.1, **settings).fit(X, y)
    reference = Ridge(2 * 0.1 * len(X), fit_intercept=False, tol=1e-12).fit(X, y)
    atol = 1e-7 if solver == "lbfgs" else 2e-5  # certificates of 1e-10 and 1e-6
    np.testing.assert_allclose(ridge.coef_, reference.coef_, rtol=0, atol=atol)
    lasso = MLPRegressor(l1=0.3, **settings).fit(X, y)
    reference = Lasso(0.3, fit_intercept=False, tol=1e-14).fit(X, y)
    np.testing.assert_allclose(lasso.coef_, reference.coef_, rtol=0, atol=atol)
    np.testing.assert_array_equal(lasso.support_, reference.coef_ != 0)
    for model in (ridge, lasso):
        assert model.intercept_ == 0 and model.kkt_violation_ <= 1e-6
        assert model.predict(np.zeros((1, 4))).tolist() == [0]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_regression(n_classes):
    X, y = table()
    y = np.digitize(y, np.quantile(y, [0.5] if n_classes == 2 else [0.2, 0.7]))
    model = MLPClassifier(l2=0.05, **LINEAR).fit(X, y)
    C = 1 / (2 * 0.05 * len(X))
    reference = LogisticRegression(C=C, fit_intercept=False, tol=1e-10, max_iter=9999)
    reference.fit(X, y)
    # The reference stops at its own violation of about 1e-8.
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=0, atol=1e-6)
    assert not model.intercept_.any()
    assert not model.decision_function(np.zeros((1, 4))).any()


@pytest.mark.parametrize("standardize", [False, True])
def test_poisson_regression(standardize):
    """Counts are not divided by their mean, whose logarithm would be an intercept."""
    X, y = table()
    y = np.round(np.exp(y / 4))
    settings = LINEAR | {"standardize": standardize}
    model = MLPRegressor(loss="poisson", l2=1e-6, **settings).fit(X, y)
    reference = PoissonRegressor(alpha=2e-6, fit_intercept=False, tol=1e-12)
    reference.set_params(max_iter=10**4).fit(X, y)
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=0, atol=1e-4)
    assert model.intercept_ == 0


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_standardised_data_are_only_scaled(kind):
    """The optimum is that of Ridge on scaled columns, without intercept."""
    X, y = table()
    settings = LINEAR | {"standardize": True}
    model = MLPRegressor(l2=0.1, **settings).fit(kind(X), y)
    scale, unit = X.std(0), y.std()
    reference = Ridge(2 * 0.1 * len(X), fit_intercept=False, tol=1e-12)
    reference.fit(X / scale, y / unit)
    np.testing.assert_allclose(model.coef_, reference.coef_ / scale * unit, **CLOSE)
    assert model.intercept_ == 0 and model.feature_offset_ is None
    assert model.target_offset_ is None
    np.testing.assert_allclose(model.feature_scale_, scale, rtol=1e-12)


@given(
    n_outputs=st.integers(2, 3),
    standardize=st.booleans(),
    l1=st.sampled_from([0.0, 0.1]),
    shift=st.floats(-5, 5),
)
def test_no_linear_model_has_an_intercept(n_outputs, standardize, l1, shift):
    X, y = table()
    Y = np.column_stack([y + k * shift for k in range(n_outputs)])
    options = LINEAR | {"standardize": standardize, "tol": 1e-6}
    model = MLPRegressor(l1=l1, **options).fit(X + shift, Y)
    assert not np.any(model.intercept_)
    assert not np.any(model.predict(np.zeros((1, 4))))


def test_a_constant_target_is_no_intercept():
    X, _ = table()
    model = MLPRegressor(**(LINEAR | {"standardize": True})).fit(X, np.full(80, 5.0))
    expected = np.linalg.lstsq(X, np.full(80, 5.0), rcond=None)[0]
    np.testing.assert_allclose(model.coef_, expected, **CLOSE)


def test_a_column_of_ones_is_an_intercept_of_ones_own():
    """Constant columns are not centred, so that they can be penalised."""
    X, y = table()
    model = MLPRegressor(l2=0.1, **(LINEAR | {"standardize": True}))
    model.fit(np.column_stack([X, np.ones(80)]), y)
    assert abs(model.coef_[4]) > 0.5


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"skip": "linear"},
        {"batchnorm": True},
        {"init": "scaled"},
        {"n_estimators": 2, "ensemble": "shared"},
        {"n_estimators": 2},
        {"swa_fraction": 0.5},
        {"weight_decay": 0.1},
    ],
)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_the_last_layer_has_no_bias(kind, options, solver):
    X, y = table()
    y = y > 3 if kind is MLPClassifier else y
    if solver == "lbfgs" and set(options) & {
        *("batchnorm", "ensemble", "swa_fraction", "weight_decay")
    }:
        pytest.skip("lbfgs takes none of these")
    model = kind(fit_intercept=False, solver=solver, **SMALL, **options).fit(X, y)
    for network in getattr(model, "estimators_", [model]):
        assert not np.any(network.intercepts_[-1])
        assert np.any(network.intercepts_[0])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_partial_fit_and_warm_start():
    X, y = table()
    model = MLPRegressor(fit_intercept=False, **SMALL)
    for part in range(0, 80, 20):  # the scales are settled only after some calls
        model.partial_fit(X[part : part + 20], y[part : part + 20])
    assert model.feature_offset_ is None and not model.intercepts_[-1].any()
    np.testing.assert_allclose(model.feature_scale_, X[:40].std(0), rtol=1e-9)
    model.set_params(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="fit_intercept was False and is True"):
        model.set_params(fit_intercept=True).fit(X, y)


def test_images():
    X, y = images()
    settings = {"channels": (3,), "hidden_layer_sizes": (4,), "max_iter": 3}
    model = CNNRegressor(fit_intercept=False, **settings).fit(X, y)
    assert not model.intercepts_[-1].any() and model.feature_offset_ is None
    linear = CNNRegressor(channels=(), l2=0.1, **LINEAR).fit(X, y)
    rows = X.reshape(len(X), -1)
    reference = Ridge(2 * 0.1 * len(X), fit_intercept=False, tol=1e-12).fit(rows, y)
    np.testing.assert_allclose(linear.coef_, reference.coef_, **CLOSE)


def test_searches_and_paths():
    X, y = table()
    grid = {"fit_intercept": [True, False], "l2": [0.0, 0.1]}
    with fused():
        found = GridSearchCV(MLPRegressor(**SMALL), grid, cv=2, refit=False).fit(X, y)
    alone = GridSearchCV(MLPRegressor(**SMALL), grid, cv=2, refit=False).fit(X, y)
    scores = [s.cv_results_["mean_test_score"] for s in (found, alone)]
    np.testing.assert_allclose(*scores, rtol=1e-7)
    path = regularization_path(MLPRegressor(**LINEAR), X, y, n=3, cv=2)
    largest = np.abs(X.T @ y / len(X)).max()
    assert path.strengths[0] == pytest.approx(largest, rel=1e-9)
    tuned = MLPRegressorCV(
        MLPRegressor(fit_intercept=False, **SMALL),
        param_distributions={"l2": [0.0, 0.1]},
        strategy="grid",
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert np.isfinite(tuned.score(X, y))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_compacted_networks_predict_the_same(fit_intercept):
    X, y = table()
    model = MLPRegressor((12,), l1=0.03, max_iter=200, random_state=0)
    model.set_params(fit_intercept=fit_intercept).fit(X, y)
    smaller = compact(model)
    np.testing.assert_allclose(smaller.predict(X), model.predict(X), rtol=1e-10)
    assert np.any(smaller.intercepts_[-1]) == fit_intercept


def test_wrong_values_are_named():
    X, y = table()
    with pytest.raises(ValueError, match="The 'fit_intercept' parameter of MLPRegress"):
        MLPRegressor(fit_intercept="no", **SMALL).fit(X, y)
