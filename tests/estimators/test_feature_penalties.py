"""Penalty weights of features, against scikit-learn on rescaled columns."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV

from skreg import MLPClassifier, MLPRegressor, fused, regularization_path

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EXACT = {"standardize": False, "solver": "lbfgs", "max_iter": 10**4, "tol": 1e-10}
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 20, "random_state": 0}
FACTORS = np.array([0.5, 1, 2, 3, np.inf, 1])
KEPT = np.isfinite(FACTORS)
# The certificate is 1e-10, and the smallest eigenvalue of the Hessian above 0.01.
CLOSE = {"rtol": 0, "atol": 1e-7}


def table(n=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 6))
    return X, X @ [1, -0.5, 0.3, 1, 1, 0.02] + 0.3 * rng.normal(size=n) + 1


def test_the_lasso_on_rescaled_columns():
    """l1 * f * |w| is l1 * |v| for v = f * w, which belongs to the column x / f."""
    X, y = table()
    model = MLPRegressor((), l1=0.2, feature_penalties=FACTORS, **EXACT).fit(X, y)
    reference = Lasso(0.2, tol=1e-14).fit(X[:, KEPT] / FACTORS[KEPT], y)
    expected = reference.coef_ / FACTORS[KEPT]
    np.testing.assert_allclose(model.coef_[KEPT], expected, **CLOSE)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, **CLOSE)
    np.testing.assert_array_equal(model.support_[KEPT], expected != 0)
    assert (expected == 0).any() and not model.support_[~KEPT].any()
    assert model.kkt_violation_ <= 1e-9


@given(
    factors=st.lists(st.floats(0.01, 100), min_size=6, max_size=6),
    l1=st.floats(1e-3, 0.5),
    l2=st.floats(0, 0.5),
)
def test_any_factors_give_an_optimum(factors, l1, l2):
    """The conditions of the optimum hold, as computed from their formula."""
    X, y = table()
    model = MLPRegressor((), l1=l1, l2=l2, feature_penalties=factors, **EXACT)
    coef = model.fit(X, y).coef_
    slope = X.T @ (model.predict(X) - y) / len(X) + 2 * l2 * np.multiply(factors, coef)
    bound, used = l1 * np.array(factors), coef != 0
    # A few times the certificate, which is relative to nothing.
    close = {"rtol": 0, "atol": 1e-8}
    np.testing.assert_allclose(slope[used], (-bound * np.sign(coef))[used], **close)
    assert (np.abs(slope[~used]) <= bound[~used] + 1e-8).all()


def test_ridge_on_rescaled_columns():
    """The strength of l2 is multiplied, so that columns are scaled by its root."""
    X, y = table()
    model = MLPRegressor((), l2=0.1, feature_penalties=FACTORS, **EXACT).fit(X, y)
    root = FACTORS[KEPT] ** 0.5
    reference = Ridge(2 * 0.1 * len(X), tol=1e-12).fit(X[:, KEPT] / root, y)
    np.testing.assert_allclose(model.coef_[KEPT], reference.coef_ / root, **CLOSE)
    assert (model.coef_[~KEPT] == 0).all()


@pytest.mark.parametrize("penalty", ["l1", "l2", "group_l1"])
def test_zero_is_not_penalised_and_infinity_is_left_out(penalty):
    """However strong the penalty, and however weak."""
    X, y = table()
    factors = [0, np.inf, 1, 1, np.inf, 0]
    free = np.equal(factors, 0)
    strong = MLPRegressor((), feature_penalties=factors, **{penalty: 1e6}, **EXACT)
    strong.fit(X, y)
    A = np.column_stack([X[:, free], np.ones(len(X))])
    expected = np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(strong.coef_[free], expected[:-1], atol=1e-5)
    assert np.abs(strong.coef_[~free]).max() < 1e-5
    weak = MLPRegressor((), feature_penalties=factors, **{penalty: 0.0}, **EXACT)
    kept = np.isfinite(factors)
    A = np.column_stack([X[:, kept], np.ones(len(X))])
    expected = np.linalg.lstsq(A, y, rcond=None)[0]
    found = weak.fit(X, y)
    np.testing.assert_allclose(found.coef_[kept], expected[:-1], **CLOSE)
    assert found.support_.tolist() == kept.tolist()


def test_a_classifier():
    X, y = table()
    y = y > 1
    model = MLPClassifier((), l2=0.05, feature_penalties=FACTORS, **EXACT).fit(X, y)
    root = FACTORS[KEPT] ** 0.5
    reference = LogisticRegression(C=1 / (2 * 0.05 * len(X)), tol=1e-10, max_iter=9999)
    reference.fit(X[:, KEPT] / root, y)
    expected = reference.coef_[0] / root
    # The reference stops at a violation of 1e-10 in sums over rows.
    np.testing.assert_allclose(model.coef_[0][KEPT], expected, rtol=0, atol=1e-6)


def test_the_adaptive_lasso_of_zou():
    """Factors 1 / |w| from a first fit, with the elastic net as the reference."""
    X, y = table()
    factors = 1 / np.abs(Ridge(1e-6).fit(X, y).coef_)
    model = MLPRegressor((), l1=0.02, feature_penalties=factors, **EXACT).fit(X, y)
    reference = ElasticNet(0.02, l1_ratio=1.0, tol=1e-14).fit(X / factors, y)
    np.testing.assert_allclose(model.coef_, reference.coef_ / factors, **CLOSE)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize(
    "options", [{}, {"skip": "linear"}, {"numeric_embedding": "piecewise_linear"}]
)
def test_networks_leave_features_out(solver, options):
    X, y = table()
    settings = SMALL | {"solver": solver, "l1": 1e-3} | options
    settings |= {"learning_rate_init": 1e-3} if solver == "sgd" else {}
    model = MLPRegressor(feature_penalties={1: np.inf, 4: np.inf}, **settings)
    model.fit(X, y)
    assert not model.support_[[1, 4]].any() and model.support_[[0, 2, 3]].any()
    moved = X.copy()
    moved[:, [1, 4]] += 9
    np.testing.assert_array_equal(model.predict(moved), model.predict(X))


@pytest.mark.parametrize("options", [{"l1": 0.01}, {"l2": 0.1}, {"group_l1": 0.05}])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_factors_of_one_change_nothing(options, solver):
    X, y = table()
    settings = SMALL | options | {"solver": solver, "skip": "linear"}
    settings |= {"learning_rate_init": 1e-3} if solver == "sgd" else {}
    one = MLPRegressor(**settings).fit(X, y)
    other = MLPRegressor(feature_penalties=np.ones(6), **settings).fit(X, y)
    for a, b in zip(one.coefs_, other.coefs_):
        # Sums are rounded in another order, and L-BFGS amplifies it.
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


def test_fused_fits_with_different_factors_are_those_of_single_fits():
    X, y = table()
    grid = {"feature_penalties": [None, FACTORS, {0: 3.0}], "l1": [0.0, 0.05]}
    model = MLPRegressor(**SMALL)
    with fused():
        found = GridSearchCV(model, grid, cv=2, refit=False).fit(X, y)
    alone = GridSearchCV(model, grid, cv=2, refit=False).fit(X, y)
    scores = [s.cv_results_["mean_test_score"] for s in (found, alone)]
    np.testing.assert_allclose(*scores, rtol=1e-7)
    assert len(set(scores[0].round(9))) == 5  # without l1, 3.0 has no effect


def test_a_path_begins_with_the_features_that_are_not_penalised():
    X, y = table()
    factors = np.array([0, 1, 2, 0.5, np.inf, 1])
    model = MLPRegressor((), feature_penalties=factors, **EXACT)
    path = regularization_path(model, X, y, n=3, cv=2)
    A = np.column_stack([X[:, 0], np.ones(len(X))])
    residual = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    slopes = np.abs(X.T @ residual / len(X))
    # glmnet's largest lambda: the features without a penalty are in the model.
    assert path.strengths[0] == pytest.approx(max(slopes[1:] / factors[1:]), rel=1e-8)
    assert path.support[0].tolist() == [True] + [False] * 5
    assert not path.support[:, 4].any() and path.support[1].sum() > 1


def test_a_path_of_networks():
    X, y = table()
    model = MLPRegressor(feature_penalties={0: 0, 4: np.inf}, **SMALL)
    path = regularization_path(model, X, y, n=2, cv=2)
    assert path.support[0].tolist() == [True] + [False] * 5
    model = MLPRegressor((), feature_penalties=np.zeros(6), **EXACT)
    with pytest.raises(ValueError, match="no input that is penalised is related"):
        regularization_path(model, X, y, cv=2)


def test_names_of_columns():
    X, y = table()
    frame = pd.DataFrame(X, columns=list("uvwxyz"))
    settings = SMALL | {"l2": 0.1}
    expected = MLPRegressor(feature_penalties=[1, 1, 5, 1, 1, 0], **settings)
    found = MLPRegressor(feature_penalties={"w": 5, "z": 0}, **settings)
    np.testing.assert_array_equal(
        found.fit(frame, y).coefs_[0], expected.fit(X, y).coefs_[0]
    )


@pytest.mark.parametrize(
    "factors, message",
    [
        ([1, 2], "feature_penalties must have one number for each of n_features=6"),
        (
            [1, 1, -2, 1, 1, 1],
            r"feature_penalties must be numbers .*, got -2 in \[1, 1",
        ),
        ([1, 1, np.nan, 1, 1, 1], "feature_penalties must be numbers of at least 0"),
        ([1, 1, "2", 1, 1, 1], "feature_penalties must be numbers of at least 0"),
        ([[1] * 6], "feature_penalties must be numbers of at least 0"),
        ({6: 1.0}, "feature_penalties must be indices from 0 to 5, .* got 6"),
        ({"age": 1.0}, "feature_penalties has the name 'age', but X has no names"),
        ({0: None}, "feature_penalties must be numbers of at least 0, .* got None"),
        (2.0, "The 'feature_penalties' parameter of MLPRegressor"),
    ],
)
def test_wrong_factors_are_named(factors, message):
    X, y = table()
    with pytest.raises(ValueError, match=message):
        MLPRegressor(feature_penalties=factors, **SMALL).fit(X, y)


def test_factors_that_differ_in_a_group_are_named():
    X, y = table()
    model = MLPRegressor(feature_groups=[0, 0, 1, 1, 2, 2], **SMALL)
    with pytest.raises(
        ValueError, match=r"equal within .* 1 to 3 .* features \[2, 3\]"
    ):
        model.set_params(feature_penalties=[1, 1, 1, 3, 1, np.inf]).fit(X, y)
    model.set_params(feature_penalties=[1, 1, 2, 2, 1, np.inf], group_l1=0.1).fit(X, y)
    assert not model.support_[5]
