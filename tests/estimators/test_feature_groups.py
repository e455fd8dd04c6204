"""Groups of features for group_l1, against references written in numpy."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import MultiTaskLasso
from sklearn.model_selection import GridSearchCV

from skreg import (
    MLPClassifier,
    MLPRegressor,
    MLPRegressorCV,
    compact,
    fused,
    prune,
    regularization_path,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

GROUPS = ["a", "b", "a", "c", "b", "b", "d"]
LISTS = [[0, 2], [1, 4, 5]]
EXACT = {"standardize": False, "solver": "lbfgs", "max_iter": 10**4, "tol": 1e-10}
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 20, "random_state": 0}


def table(n=80, n_outputs=1, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 7)) @ (np.eye(7) + 0.3 * rng.normal(size=(7, 7)))
    W = rng.normal(size=(7, n_outputs)) * [[1], [0.05], [1], [0.1], [0.05], [0], [0.5]]
    return X, (X @ W + 0.3 * rng.normal(size=(n, n_outputs))).squeeze() + 1


def members(labels):
    return [np.flatnonzero(np.array(labels) == g) for g in dict.fromkeys(labels)]


def group_lasso(X, y, strength, labels, factors=None):
    """Return coefficients and objective, by proximal gradient steps (FISTA)."""
    n, groups = len(X), members(labels)
    factors = np.ones(X.shape[1]) if factors is None else factors
    Z, t = X - X.mean(0), y - y.mean()
    step = n / np.linalg.norm(Z, 2) ** 2
    w = v = np.zeros(X.shape[1])
    weights = [strength * len(g) ** 0.5 * factors[g[0]] for g in groups]
    for k in range(1, 2000):
        z, old = v - step * Z.T @ (Z @ v - t) / n, w
        w = np.zeros_like(z)
        for g, s in zip(groups, weights):
            norm = np.linalg.norm(z[g])
            w[g] = z[g] * max(0, 1 - step * s / norm) if norm > 0 else 0
        v = w + (k - 1) / (k + 2) * (w - old)
    value = ((Z @ w - t) ** 2).mean() / 2
    return w, value + sum(s * np.linalg.norm(w[g]) for g, s in zip(groups, weights))


def objective(model, X, y, strength, labels, factors=None):
    """Return the objective at a fitted linear model, by its formula."""
    coef = model.coef_
    factors = np.ones(len(coef)) if factors is None else factors
    norms = [
        len(g) ** 0.5 * factors[g[0]] * np.linalg.norm(coef[g]) for g in members(labels)
    ]
    return ((model.predict(X) - y) ** 2).mean() / 2 + strength * sum(norms)


FACTORS = np.array([1, 2, 1, 0, 2, 2, 0.5])


@pytest.mark.parametrize(
    "solver, strength, factors",
    [
        ("lbfgs", 0.05, None),
        ("lbfgs", 0.2, FACTORS),
        ("adam", 0.05, FACTORS),
        ("adam", 0.2, None),
        ("sgd", 0.05, FACTORS),
    ],
    ids=str,
)
def test_the_optimum_is_that_of_a_reference(solver, strength, factors):
    X, y = table()
    settings = EXACT | {"solver": solver, "group_l1": strength}
    settings |= {} if solver == "lbfgs" else {"max_iter": 200}
    settings |= {"feature_groups": GROUPS, "feature_penalties": factors}
    model = MLPRegressor((), **settings).fit(X, y)
    coef, expected = group_lasso(X, y, strength, GROUPS, factors)
    assert model.kkt_violation_ <= 1e-6
    found = objective(model, X, y, strength, GROUPS, factors)
    assert abs(found - expected) <= 1e-8
    np.testing.assert_array_equal(model.support_, coef != 0)
    assert model.loss_ == pytest.approx(expected, abs=1e-8)


def test_groups_are_emptied_as_a_whole():
    X, y = table()
    model = MLPRegressor((), group_l1=0.1, feature_groups=GROUPS, **EXACT).fit(X, y)
    used = [set(model.support_[g]) for g in members(GROUPS)]
    assert {True} in used and {False} in used and {True, False} not in used


def test_equal_groups_are_those_of_the_multi_task_lasso():
    """Group g has feature g of each of two tasks, which have blocks of their own."""
    X, Y = table(n_outputs=2)
    X, Y = X - X.mean(0), Y - Y.mean(0)
    p = X.shape[1]
    blocks, alpha = np.kron(np.eye(2), X), 0.1
    reference = MultiTaskLasso(alpha, fit_intercept=False, tol=1e-14, max_iter=10**6)
    reference.fit(X, Y)
    # The mean is over twice as many rows.
    model = MLPRegressor(
        (),
        group_l1=alpha / 2 / 2**0.5,
        feature_groups=[*range(p), *range(p)],
        **EXACT,
    ).fit(blocks, Y.T.ravel())
    assert (reference.coef_ == 0).any() and (reference.coef_ != 0).any()
    found = model.coef_.reshape(2, p)
    np.testing.assert_array_equal(found == 0, reference.coef_ == 0)
    # The certificate is 1e-10, and the Hessian's smallest eigenvalue above 0.01.
    np.testing.assert_allclose(found, reference.coef_, rtol=0, atol=1e-7)


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("skip", [None, "linear"])
def test_groups_of_one_change_nothing(solver, skip):
    X, y = table()
    settings = SMALL | {"solver": solver, "group_l1": 0.05, "skip": skip}
    settings |= {"learning_rate_init": 1e-3} if solver == "sgd" else {}
    one = MLPRegressor(**settings).fit(X, y)
    other = MLPRegressor(feature_groups=list("abcdefg"), **settings).fit(X, y)
    for a, b in zip(one.coefs_, other.coefs_):
        # Norms are rounded in another order, and L-BFGS amplifies it.
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"skip": "linear"},
        {"numeric_embedding": "piecewise_linear", "embedding_size": 3},
        {"numeric_embedding": "periodic", "embedding_size": 3},
        {"n_estimators": 2},
        {"max_norm": 2.0},
        {"l1": 1e-3, "l2": 1e-3},
    ],
)
def test_networks_empty_whole_groups(solver, options):
    X, y = table()
    settings = SMALL | {"solver": solver, "group_l1": 0.15} | options
    settings |= {"max_iter": 60 if solver == "lbfgs" else 30}
    settings |= {"learning_rate_init": 3e-3} if solver == "sgd" else {}
    model = MLPRegressor(feature_groups=LISTS, **settings).fit(X, y)
    labels = [0, 1, 0, 2, 1, 1, 3]
    for estimator in getattr(model, "estimators_", [model]):
        used = [set(estimator.support_[g]) for g in members(labels)]
        assert {True, False} not in used
        if estimator is model:
            assert {False} in used and {True} in used


@pytest.mark.parametrize(
    "groups", [np.array([0, 1, 0, 2, 1, 1, 3]), LISTS, tuple(GROUPS)]
)
def test_ways_to_write_groups(groups):
    X, y = table()
    expected = MLPRegressor(feature_groups=GROUPS, group_l1=0.05, **SMALL).fit(X, y)
    found = MLPRegressor(feature_groups=groups, group_l1=0.05, **SMALL).fit(X, y)
    np.testing.assert_allclose(found.coefs_[0], expected.coefs_[0], rtol=1e-9)


def test_names_of_columns():
    X, y = table()
    X = pd.DataFrame(X, columns=list("uvwxyzt"))
    settings = SMALL | {"group_l1": 0.05}
    expected = MLPRegressor(feature_groups=LISTS, **settings).fit(X, y)
    groups = [["u", "w"], ["v", 4, "z"]]
    found = MLPRegressor(feature_groups=groups, **settings).fit(X, y)
    np.testing.assert_array_equal(found.coefs_[0], expected.coefs_[0])
    with fused():
        search = GridSearchCV(
            MLPRegressor(feature_groups=groups, **SMALL),
            {"group_l1": [0.01, 0.1]},
            cv=2,
        ).fit(X, y)
    again = clone(search.best_estimator_).fit(X, y)
    for a, b in zip(search.best_estimator_.coefs_, again.coefs_):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_fused_fits_with_different_groups_are_those_of_single_fits():
    X, y = table()
    grid = {
        "feature_groups": [None, GROUPS, LISTS, [[0, 1, 2]]],
        "group_l1": [0.0, 0.1],
    }
    model = MLPRegressor(**SMALL)
    with fused():
        found = GridSearchCV(model, grid, cv=2, refit=False).fit(X, y)
    alone = GridSearchCV(model, grid, cv=2, refit=False).fit(X, y)
    np.testing.assert_allclose(
        found.cv_results_["mean_test_score"],
        alone.cv_results_["mean_test_score"],
        rtol=1e-7,
    )
    assert len(set(found.cv_results_["mean_test_score"].round(9))) > 3


def test_partial_fit_warm_start_and_pickles():
    X, y = table()
    model = MLPRegressor(feature_groups=GROUPS, group_l1=0.3, **SMALL)
    for _ in range(3):
        model.partial_fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    again.partial_fit(X, y)
    np.testing.assert_array_equal(again.coefs_[0], model.partial_fit(X, y).coefs_[0])
    model.set_params(warm_start=True, feature_groups=[[0, 1], [2, 3]]).fit(X, y)


def test_a_path_begins_where_all_groups_are_empty():
    X, y = table()
    model = MLPRegressor((), feature_groups=GROUPS, **EXACT)
    path = regularization_path(model, X, y, penalty="group_l1", n=4, cv=2)
    Z, t = X - X.mean(0), y - y.mean()
    slopes = Z.T @ t / len(X)
    largest = max(np.linalg.norm(slopes[g]) / len(g) ** 0.5 for g in members(GROUPS))
    assert path.strengths[0] == pytest.approx(largest, rel=1e-9)
    assert not path.support[0].any() and path.support[1].any()


def test_the_estimator_that_tunes_itself():
    X, y = table()
    network = MLPRegressor(feature_groups=LISTS, **SMALL)
    grid = {"group_l1": [0.0, 0.2]}
    tuned = MLPRegressorCV(
        network, param_distributions=grid, strategy="grid", cv=2, random_state=0
    )
    assert np.isfinite(tuned.fit(X, y).score(X, y))
    # The folds know the names that the columns of the whole table have.
    frame = pd.DataFrame(X, columns=list("uvwxyzt"))
    network = MLPRegressor(feature_groups=[["u", "w"], ["v", "y", "z"]], **SMALL)
    named = clone(tuned).set_params(estimator=network).fit(frame, y)
    np.testing.assert_allclose(named.predict(frame), tuned.predict(X), rtol=1e-9)


def test_pruned_and_compacted_networks_keep_empty_groups():
    X, y = table()
    settings = SMALL | {"max_iter": 100}
    model = MLPRegressor(feature_groups=GROUPS, group_l1=0.15, **settings).fit(X, y)
    smaller = compact(model)
    np.testing.assert_allclose(smaller.predict(X), model.predict(X), rtol=1e-12)
    np.testing.assert_array_equal(smaller.support_, model.support_)
    pruned = prune(model, 0.3)
    assert not pruned.support_[~model.support_].any()


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    "groups, message",
    [
        (
            [0, 1, 1],
            "feature_groups must have one label for each of n_features=7, .* 3",
        ),
        ([[0, 7]], "feature_groups must be indices from 0 to 6, .* got 7"),
        ([[0, -1]], "feature_groups must be indices from 0 to 6, .* got -1"),
        ([[0, 1], [1, 2]], "feature_groups must have each feature in one group, got 1"),
        ([[0, 1.5]], "feature_groups must name features by .*, got 1.5"),
        ([["age"]], "feature_groups has the name 'age', but X has no names"),
        (
            [None, {}, 1, 2, 3, 4, 5],
            "feature_groups must be labels, numbers or strings",
        ),
        (
            [np.nan, 1, 2, 3, 4, 5, 6],
            "feature_groups must be labels, numbers or strings",
        ),
        (3, "The 'feature_groups' parameter of MLP"),
        ("abcdefg", "The 'feature_groups' parameter of MLP"),
    ],
)
def test_wrong_groups_are_named(kind, groups, message):
    X, y = table()
    y = y > 1 if kind is MLPClassifier else y
    with pytest.raises(ValueError, match=message):
        kind(feature_groups=groups, **SMALL).fit(X, y)


def test_unknown_names_are_named():
    X, y = table()
    X = pd.DataFrame(X, columns=list("uvwxyzt"))
    with pytest.raises(ValueError, match="has the name 'age', which is not a column"):
        MLPRegressor(feature_groups=[["age"]], **SMALL).fit(X, y)
