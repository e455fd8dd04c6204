"""Paths of linear models with more inputs than rows: the screening changes nothing.

The active-set method ends at a violation of the optimality conditions near rounding
errors for a squared error, and of at most 1e-6 otherwise. Violations turn into errors
of the coefficients through the inverse of the curvature among the active inputs, which
is up to about a hundred here.
"""

from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
from _pairs import all_pairs
from _versions import elastic_net
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import clone
from sklearn.linear_model import (
    LogisticRegression,
    MultiTaskElasticNet,
    MultiTaskLasso,
    lasso_path,
)

from skreg import MLPClassifier, MLPRegressor, regularization_path
from skreg.model_selection import path_problem
from skreg.training import sparse_path
from skreg.training.active_set import Unsolved

EXACT = 1e-8
KINDS = {
    "squared": MLPRegressor(()),
    "several": MLPRegressor(()),
    "huber": MLPRegressor((), loss="huber"),
    "poisson": MLPRegressor((), loss="poisson"),
    "binary": MLPClassifier(()),
    "multinomial": MLPClassifier(()),
    "multilabel": MLPClassifier(()),
    "smoothed": MLPClassifier((), label_smoothing=0.1),
}


def inputs(n_rows, n_inputs, seed=0, n_factors=3, noise=1.0):
    """Return inputs that have common factors, and so are correlated."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_rows, n_factors))
    X = factors @ rng.normal(size=(n_factors, n_inputs))
    return X + noise * rng.normal(size=X.shape)


def targets(kind, X, seed=0):
    rng = np.random.default_rng(seed)
    signal = X[:, :3] / X[:, :3].std(axis=0) + 0.5 * rng.normal(size=(len(X), 3))
    if kind in ("several", "multilabel"):
        return signal if kind == "several" else (signal > 0).astype(int)
    if kind in ("multinomial", "smoothed"):
        return signal.argmax(axis=1)
    eta = signal @ [1.0, -1.0, 0.5]
    if kind == "poisson":
        return rng.poisson(np.exp(0.5 * eta))
    return (eta > 0).astype(int) if kind == "binary" else eta


def path_of(estimator, X, y, **options):
    return regularization_path(estimator, X, y, **{"cv": 2, "n": 8} | options)


def all_inputs(residual, n):
    """Take the place of the choice of the inputs that take part."""
    return residual.abs().sum(dim=1) >= 0


def unscreened():
    return mock.patch.object(sparse_path, "_largest", all_inputs)


def full_batch():
    """Let L-BFGS fit all inputs, as before there was any screening."""
    return mock.patch.object(path_problem, "takes", lambda request: False)


def not_handed_over():
    """Let no fit be left to L-BFGS."""
    return mock.patch.object(path_problem, "train", side_effect=AssertionError)


def violations(path, X, y, mean=lambda score: score):
    """Return the violation of the optimality conditions, computed for all inputs."""
    found = []
    for strength, model in zip(path.strengths, path.estimators):
        coef = model.coefs_[0][:, 0]
        error = mean(X @ coef + model.intercepts_[0][0]) - y
        slopes = X.T @ error / len(y)
        at_zero = np.maximum(np.abs(slopes) - strength, 0)
        others = np.abs(slopes + strength * np.sign(coef))
        worst = np.where(coef == 0, at_zero, others).max()
        found.append(max(worst, np.abs(error.mean())))
    return np.array(found)


def standard(array):
    return (array - array.mean(axis=0)) / array.std(axis=0)


def test_lasso_path():
    X = standard(inputs(40, 300))
    y = standard(targets("squared", X))
    path = path_of(MLPRegressor(()), X, y, n=20)
    expected = lasso_path(X, y, alphas=path.strengths, tol=1e-14, max_iter=10**6)[1]
    np.testing.assert_allclose(path.coefs[:, :, 0], expected.T, rtol=0, atol=1e-6)
    assert max(model.kkt_violation_ for model in path.estimators) < 1e-10


def test_multi_task_lasso():
    X = standard(inputs(40, 200))
    Y = standard(targets("several", X))
    path = path_of(MLPRegressor(()), X, Y, penalty="group_l1")
    for i in (3, 7):
        task = MultiTaskLasso(path.strengths[i], tol=1e-13, max_iter=10**6).fit(X, Y)
        np.testing.assert_allclose(path.coefs[i], task.coef_.T, rtol=0, atol=1e-5)


@pytest.mark.parametrize("l2", [0.0, 0.05])
def test_many_weights_in_groups(l2):
    """With them coordinate descent comes first, and L-BFGS is not needed."""
    X = standard(inputs(40, 100))
    Y = standard(targets("several", X))
    options = {"penalty": "group_l1", "ratio": 0.02, "n": 5}
    with not_handed_over(), mock.patch.object(sparse_path, "MOST_WEIGHTS", 0):
        path = path_of(MLPRegressor((), l2=l2), X, Y, **options)
    assert path.support.sum(axis=1).max() > 30
    strength = path.strengths[3]
    share = {"l1_ratio": strength / (strength + 2 * l2), "tol": 1e-13}
    task = MultiTaskElasticNet(strength + 2 * l2, max_iter=10**6, **share).fit(X, Y)
    np.testing.assert_allclose(path.coefs[3], task.coef_.T, rtol=0, atol=1e-5)


def test_logistic_lasso():
    X = standard(inputs(60, 200))
    y = targets("binary", X)
    estimator = MLPClassifier((), standardize=False, tol=1e-9)
    path = path_of(estimator, X, y, ratio=0.1)
    options = {"solver": "saga", "tol": 1e-10, "max_iter": 10**5} | elastic_net(1)
    for i in (3, 7):
        reference = LogisticRegression(C=1 / (path.strengths[i] * len(y)), **options)
        coef = reference.fit(X, y).coef_[0]
        np.testing.assert_allclose(path.coefs[i][:, 0], coef, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["squared", "binary", "poisson"])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_the_conditions_of_all_inputs(kind, is_sparse):
    """They are computed here from the definition, without the package."""
    X = inputs(60, 200)
    y = targets(kind, X)
    if is_sparse:
        X = sp.csr_array(np.where(np.abs(X) > 1, X, 0))
    estimator = clone(KINDS[kind]).set_params(standardize=False)
    path = path_of(estimator, X, y, n=10)
    mean = {"binary": expit, "poisson": np.exp, "squared": lambda score: score}[kind]
    assert violations(path, X, y, mean).max() <= 1e-6


OTHERS = [{}, {"l2": 0.01}, {"positive": True}, {"group_l1": 0.02, "l1": 0.02}]


@pytest.mark.parametrize(
    "kind, own, penalty", all_pairs(KINDS, OTHERS, others=["l1", "group_l1"])
)
def test_the_objective_is_that_of_the_full_batch_solver(kind, own, penalty):
    X = inputs(30, 50)
    y = targets(kind, X)
    weight = np.random.default_rng(1).integers(0, 3, size=len(y))
    estimator = clone(KINDS[kind]).set_params(max_iter=2000, **own)
    options = {"penalty": penalty, "sample_weight": weight, "n": 2, "ratio": 0.1}
    with not_handed_over():
        path = path_of(estimator, X, y, **options)
    options["strengths"] = path.strengths
    with full_batch():
        expected = path_of(estimator, X, y, **options)
    # The objective of a convex problem is within the violation times the distance of
    # its minimum. The coefficients sum to less than ten.
    np.testing.assert_allclose(path.losses, expected.losses, rtol=0, atol=1e-8)
    assert all(model.kkt_violation_ <= 1e-6 for model in path.estimators)


problems = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(list(KINDS)),
        "penalty": st.sampled_from(["l1", "group_l1"]),
        "l2": st.sampled_from([0.0, 0.01]),
        "positive": st.booleans(),
        "standardize": st.booleans(),
        "is_sparse": st.booleans(),
        "is_weighted": st.booleans(),
        "n_rows": st.integers(8, 40),
        "n_inputs": st.integers(5, 150),
        "noise": st.sampled_from([0.1, 0.5, 2.0]),
        "n": st.integers(2, 12),
        "seed": st.integers(0, 10**6),
    }
)


@given(problems)
@settings(max_examples=settings.default.max_examples // 2)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_screened_is_unscreened(problem):
    X = inputs(
        problem["n_rows"], problem["n_inputs"], problem["seed"], noise=problem["noise"]
    )
    y = targets(problem["kind"], X, problem["seed"]) if X.shape[1] >= 3 else None
    if KINDS[problem["kind"]]._numeric_targets is False and len(np.unique(y)) < 2:
        return
    if problem["is_sparse"]:
        X = sp.csr_array(np.where(np.abs(X) > 0.5, X, 0))
    weight = None
    if problem["is_weighted"]:
        weight = np.random.default_rng(problem["seed"]).integers(1, 4, size=len(y))
    estimator = clone(KINDS[problem["kind"]]).set_params(
        l2=problem["l2"],
        positive=problem["positive"],
        standardize=problem["standardize"],
        tol=1e-9,
    )
    options = {"n": problem["n"], "penalty": problem["penalty"], "ratio": 0.05}
    options |= {"sample_weight": weight, "cv": [(np.arange(len(y)), np.arange(4))]}
    try:
        path = path_of(estimator, X, y, **options)
    except ValueError as error:
        assert "All weights are zero" in str(error)
        return
    with unscreened():
        whole = path_of(estimator, X, y, strengths=path.strengths, **options)
    sizes = 1 + np.abs(path.coefs).sum(axis=(1, 2)) + np.abs(whole.coefs).sum((1, 2))
    ends = [
        max(one.kkt_violation_, other.kkt_violation_)
        for one, other in zip(path.estimators, whole.estimators)
    ]
    # Rounding, and for a convex function the violation times the distance.
    np.testing.assert_array_less(
        np.abs(path.losses - whole.losses), 1e-12 + np.array(ends) * sizes
    )
    if max(ends) <= 1e-9:
        # An input may be at the border of being used: then its weights are tiny.
        differs = path.support != whole.support
        weights = np.maximum(path.feature_norms, whole.feature_norms)
        assert (weights[differs] < 1e-5).all()


# A single fold, of which the model is that of all rows.
ALL_ROWS = [(np.arange(8), np.arange(4))]


def correlated():
    """Return a problem in which the strong rule discards inputs that are used."""
    rng = np.random.default_rng(98)
    factors = rng.normal(size=(8, 3))
    X = factors @ rng.normal(size=(3, 40)) + 0.3 * rng.normal(size=(8, 40))
    return X, rng.normal(size=8)


@pytest.mark.parametrize("fewest", [64, 1])
def test_the_check_finds_what_screening_missed(fewest):
    """With one input at a time, there are many checks, too."""
    (X, y), n_missed = correlated(), []
    left_out = sparse_path._left_out

    def counted(residual, takes_part):
        missed = left_out(residual, takes_part)
        n_missed.append(int((missed.abs() > 1e-6).any(dim=1).sum()))
        return missed

    with (
        mock.patch.object(sparse_path, "_left_out", counted),
        mock.patch.object(sparse_path, "FEWEST_JOINING", fewest),
    ):
        path = path_of(MLPRegressor((), standardize=False), X, y, n=10, cv=ALL_ROWS)
    assert sum(n_missed) >= 4
    assert violations(path, X, y).max() < 1e-10  # rounding


def test_without_the_check_results_are_wrong():
    X, y = correlated()
    with mock.patch.object(sparse_path, "_left_out", lambda residual, _: 0 * residual):
        path = path_of(MLPRegressor((), standardize=False), X, y, n=10, cv=ALL_ROWS)
    assert violations(path, X, y).max() > 1e-3


def test_where_the_active_set_method_gives_up_l_bfgs_goes_on():
    X = inputs(30, 60)
    y = targets("squared", X)
    expected = path_of(MLPRegressor(()), X, y, n=6)
    solve, calls = sparse_path.SparsePath._solve, []

    def often_unsolved(self, request):
        calls.append(request)
        if len(calls) % 3:
            raise Unsolved
        return solve(self, request)

    with mock.patch.object(sparse_path.SparsePath, "_solve", often_unsolved):
        path = path_of(MLPRegressor((), max_iter=2000), X, y, n=6)
    np.testing.assert_allclose(path.coefs, expected.coefs, rtol=0, atol=1e-4)
    assert all(model.kkt_violation_ <= 1e-6 for model in path.estimators)


@pytest.mark.parametrize("loss", ["absolute_error", "quantile"])
# The optimum of a loss with kinks has a subgradient only.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_losses_without_curvature_are_left_to_l_bfgs(loss):
    X = inputs(20, 30)
    path = path_of(MLPRegressor((), loss=loss), X, targets("squared", X), n=3)
    assert path.support[2].any() and not path.support[0].any()


def test_rows_that_are_not_kept_scaled():
    X = inputs(40, 50)
    y = targets("squared", X)
    expected = path_of(MLPRegressor(()), X, y)
    with mock.patch("skreg.training.linear_rows.KEPT_ELEMENTS", 300):
        path = path_of(MLPRegressor(()), X, y)
    np.testing.assert_allclose(path.coefs, expected.coefs, rtol=0, atol=EXACT)


def test_large_offsets_and_single_precision():
    X = inputs(40, 100)
    y = targets("squared", X)
    expected = path_of(MLPRegressor(()), X, y)
    path = path_of(MLPRegressor(()), X + 1e6, y)
    # The offset takes six of sixteen digits.
    np.testing.assert_allclose(path.coefs, expected.coefs, rtol=0, atol=1e-6)
    single = path_of(MLPRegressor(()), X.astype(np.float32), y)
    assert single.estimators[3].coefs_[0].dtype == np.float32
    np.testing.assert_allclose(single.coefs, expected.coefs, rtol=0, atol=1e-3)


def test_a_path_ends_at_a_number_of_inputs():
    X = inputs(40, 100)
    y = targets("squared", X)
    whole = path_of(MLPRegressor(()), X, y, n=20)
    n_used = whole.support.sum(axis=1)
    path = path_of(MLPRegressor(()), X, y, n=20, max_features=7)
    n = np.flatnonzero(n_used > 7)[0]
    assert 1 < n < 20
    assert len(path.estimators) == len(path.scores) == len(path.losses) == n
    np.testing.assert_array_equal(path.strengths, whole.strengths[:n])
    np.testing.assert_array_equal(path.coefs, whole.coefs[:n])
    assert path.support.sum(axis=1).max() <= 7
    with pytest.raises(ValueError, match="max_features=7"):
        path_of(MLPRegressor(()), X, y, strengths=[1e-3], max_features=7)


# Few iterations on purpose.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_path_of_networks_ends_at_a_number_of_inputs():
    X = inputs(60, 6, n_factors=1, noise=3)
    y = targets("squared", X)
    network = MLPRegressor((3,), "tanh", max_iter=20, random_state=0)
    options = {"penalty": "group_l1", "strengths": [1.0, 0.1, 1e-3], "cv": 2}
    whole = regularization_path(network, X, y, **options)
    empty, few, most = whole.support.sum(axis=1)
    assert empty == 0 < few < most
    path = regularization_path(network, X, y, max_features=int(few), **options)
    assert path.strengths.tolist() == [1.0, 0.1] and path.scores.shape == (2, 2)
    np.testing.assert_array_equal(path.coefs, whole.coefs[:2])
