"""The full-batch solver: scikit-learn's linear models, and exact zeros."""

import numpy as np
import pytest
import torch
from _numeric import derivative, request_of
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.preprocessing import StandardScaler

import skreg.training
from skreg import MLPClassifier, MLPRegressor
from skreg.augment import INIT, Streams
from skreg.lbfgs import _Problem
from skreg.modules import initial_state
from skreg.training import Stack, train

# The solver stops where the gradient is below 1e-8, which the curvature turns into an
# error of the coefficients; references stop later.
EXACT = dict(rtol=2e-5, atol=2e-6)


def linear(kind, **params):
    defaults = dict(solver="lbfgs", standardize=False, tol=1e-8, max_iter=5000)
    return kind((), **(defaults | params))


def classes(name):
    X, y = (
        load_iris(return_X_y=True)
        if name == "iris"
        else load_breast_cancer(return_X_y=True)
    )
    return StandardScaler().fit_transform(X), y


def numbers():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return StandardScaler().fit_transform(X), y / y.std()


def weights(n, weighted):
    return np.random.default_rng(0).uniform(0.2, 3, n) if weighted else None


def logistic(**params):
    return LogisticRegression(tol=1e-10, max_iter=100_000, **params)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["breast_cancer", "iris"])
def test_logistic_regression_with_l2(name, weighted):
    """l2 = 1 / (2 C n); weights count by their sum for scikit-learn's C."""
    X, y = classes(name)
    s = weights(len(y), weighted)
    C = 0.5
    total = len(y) if s is None else s.sum()
    reference = logistic(C=C, solver="newton-cholesky").fit(X, y, sample_weight=s)
    model = linear(MLPClassifier, l2=1 / (2 * C * total)).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    if name == "breast_cancer":
        np.testing.assert_allclose(model.intercept_, reference.intercept_, **EXACT)
    else:  # only the differences of a softmax's intercepts are determined
        centred = [b - b.mean() for b in (model.intercept_, reference.intercept_)]
        np.testing.assert_allclose(*centred, **EXACT)
    # The coefficients' error times inputs of up to ten.
    np.testing.assert_allclose(
        model.predict_proba(X), reference.predict_proba(X), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.6])
@pytest.mark.parametrize("name", ["breast_cancer", "iris"])
def test_logistic_regression_with_l1(name, l1_ratio, weighted):
    """l1 = l1_ratio / (C n) and l2 = (1 - l1_ratio) / (2 C n); the zeros are exact."""
    X, y = classes(name)
    s = weights(len(y), weighted)
    total = len(y) if s is None else s.sum()
    C = 1 / (0.02 * total)
    reference = logistic(C=C, l1_ratio=l1_ratio, solver="saga").fit(
        X, y, sample_weight=s
    )
    model = linear(
        MLPClassifier, l1=l1_ratio / (C * total), l2=(1 - l1_ratio) / (2 * C * total)
    ).fit(X, y, sample_weight=s)
    np.testing.assert_array_equal(model.coef_ != 0, reference.coef_ != 0)
    assert 0 < (model.coef_ == 0).sum() < model.coef_.size
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    assert model.kkt_violation_ < 1e-7
    if (name, l1_ratio, weighted) == ("breast_cancer", 1.0, False):
        assert model.support_.sum() == 7


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_ridge(n_outputs, weighted):
    """l2 = alpha / (2 n), with weights alpha / (2 sum)."""
    X, y = numbers()
    y = np.c_[y, X[:, 0] * X[:, 1]] if n_outputs == 2 else y
    s = weights(len(y), weighted)
    total = len(y) if s is None else s.sum()
    reference = Ridge(alpha=30.0, solver="cholesky").fit(X, y, sample_weight=s)
    model = linear(MLPRegressor, l2=30.0 / (2 * total)).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, **EXACT)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_lasso_and_elastic_net(l1_ratio, weighted):
    """l1 = alpha l1_ratio and l2 = alpha (1 - l1_ratio) / 2."""
    X, y = numbers()
    s = weights(len(y), weighted)
    alpha, precise = 0.1, dict(tol=1e-14, max_iter=100_000)
    reference = (
        Lasso(alpha, **precise)
        if l1_ratio == 1
        else ElasticNet(alpha, l1_ratio=l1_ratio, **precise)
    )
    reference.fit(X, y, sample_weight=s)
    model = linear(MLPRegressor, l1=alpha * l1_ratio, l2=alpha * (1 - l1_ratio) / 2)
    model.fit(X, y, sample_weight=s)
    np.testing.assert_array_equal(model.coef_ != 0, reference.coef_ != 0)
    assert 0 < (model.coef_ == 0).sum() < model.coef_.size
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, **EXACT)
    assert model.kkt_violation_ < 1e-7


@pytest.mark.parametrize("weighted", [False, True])
def test_poisson_regression(weighted):
    """l2 = alpha / 2: both halve the deviance."""
    X, y = numbers()
    y = np.random.default_rng(0).poisson(np.exp(y - 1)).astype(float)
    s = weights(len(y), weighted)
    reference = PoissonRegressor(alpha=0.2, tol=1e-10, max_iter=10_000)
    reference.fit(X, y, sample_weight=s)
    model = linear(MLPRegressor, loss="poisson", l2=0.1).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, **EXACT)
    np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=1e-4)


@pytest.mark.parametrize("l1", [0.0, 0.02])
def test_standardising_is_a_pipelines(l1):
    """Coefficients come back on the scale of the data."""
    X, y = load_breast_cancer(return_X_y=True)
    scaler = StandardScaler().fit(X)
    own = linear(MLPClassifier, l1=l1, l2=1e-3, standardize=True).fit(X, y)
    outside = linear(MLPClassifier, l1=l1, l2=1e-3).fit(scaler.transform(X), y)
    np.testing.assert_allclose(own.coef_ * scaler.scale_, outside.coef_, **EXACT)
    np.testing.assert_allclose(
        own.decision_function(X),
        outside.decision_function(scaler.transform(X)),
        **EXACT,
    )


def test_label_smoothing_is_a_shared_row():
    """A share s of each row's weight goes to both classes alike."""
    X, y = classes("breast_cancer")
    s, l2 = 0.2, 1e-3
    model = linear(MLPClassifier, l2=l2, label_smoothing=s).fit(X, y)
    reference = logistic(C=1 / (2 * l2 * len(y))).fit(
        np.r_[X, X],
        np.r_[y, 1 - y],
        sample_weight=np.repeat([1 - s / 2, s / 2], len(y)),
    )
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, **EXACT)


def test_pieces_do_not_change_the_optimum(monkeypatch):
    X, y = classes("breast_cancer")
    whole = linear(MLPClassifier, l1=0.02).fit(X, y)
    monkeypatch.setattr(skreg.training, "_rows_at_a_time", lambda pool: 100)
    pieces = linear(MLPClassifier, l1=0.02).fit(X, y)
    np.testing.assert_allclose(pieces.coef_, whole.coef_, **EXACT)
    assert pieces.kkt_violation_ < 1e-7


def test_float32_comes_near():
    """To the rounding of a float32 gradient, some 1e-7, over the curvature."""
    X, y = classes("breast_cancer")
    double = linear(MLPClassifier, l2=0.01).fit(X, y)
    single = linear(MLPClassifier, l2=0.01, tol=1e-5).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=0, atol=1e-3)


def problem_of(estimator, X, y):
    stack = Stack([request_of(estimator, X, y)])
    return _Problem(
        stack.module, stack.loss, stack.penalties, stack.batches, stack.noise
    )


@pytest.mark.parametrize("l1", [0.0, [0.1, 0.0], [0.1, 0.3]])
def test_the_split_problem_is_smooth(l1):
    """Its gradient is its derivative, also where both parts are positive."""
    X, y = classes("iris")
    estimator = MLPClassifier(
        (3,),
        "tanh",
        solver="lbfgs",
        l1=l1,
        l2=0.05,
        label_smoothing=0.1,
        random_state=0,
    )
    problem = problem_of(estimator, X[::5], y[::5])
    start, bounds = problem.start()
    n_penalised = {0: 0, 1: 4 * 3, 2: 4 * 3 + 3 * 3}[np.count_nonzero(l1)]
    assert np.isfinite(bounds[:, 0]).sum() == 2 * n_penalised
    assert (start[bounds[:, 0] == 0] >= 0).all()
    rng = np.random.default_rng(0)
    inside = np.where(bounds[:, 0] == 0, start + rng.uniform(0.1, 1, len(start)), start)
    _, gradient = problem(inside)

    def value(vector):
        return torch.tensor([problem(vector.numpy().copy())[0]])

    expected = derivative(value, torch.tensor(inside))
    np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-10)


def test_the_start_is_the_network():
    X, y = classes("iris")
    problem = problem_of(
        MLPClassifier((3,), solver="lbfgs", l1=0.1, random_state=0), X, y
    )
    before = [p.detach().clone() for p in problem.module.parameters()]
    problem.write(problem.start()[0])
    assert all(map(torch.equal, before, problem.module.parameters()))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_network_takes_scikit_learns_path(activation):
    """From the same weights: both are scipy's L-BFGS-B on the same objective."""
    X, y = classes("iris")
    alpha, n_iter = 1.0, 15
    estimator = MLPClassifier(
        (6, 4),
        activation,
        solver="lbfgs",
        l2=alpha / (2 * len(y)),
        max_iter=n_iter,
        tol=1e-12,
        standardize=False,
        random_state=0,
    )
    request = request_of(estimator, X, y)
    state = initial_state(request.architecture, Streams(0)[INIT], np.float64)
    mlp = SklearnMLPClassifier(
        (6, 4),
        activation,
        solver="lbfgs",
        alpha=alpha,
        tol=1e-12,
        max_iter=1,
        warm_start=True,
        random_state=0,
    ).fit(X, y)
    mlp.coefs_ = [array.copy() for array in state[:3]]
    mlp.intercepts_ = [array[0].copy() for array in state[3:]]
    mlp.set_params(max_iter=n_iter).fit(X, y)
    estimator.fit(X, y)
    assert estimator.n_iter_ == mlp.n_iter_ == n_iter
    # The rounding of the two objectives grows from step to step.
    assert estimator.loss_ == pytest.approx(mlp.loss_, rel=1e-8)
    for coef, other in zip(estimator.coefs_, mlp.coefs_):
        np.testing.assert_allclose(coef, other, rtol=1e-6, atol=1e-7)


def test_a_network_with_l1_ends_at_a_stationary_point():
    X, y = classes("iris")
    model = MLPClassifier(
        (5,), "tanh", solver="lbfgs", l1=0.01, tol=1e-7, max_iter=5000, random_state=0
    ).fit(X, y)
    assert model.kkt_violation_ < 1e-6
    assert 0 < model.sparsity_ < 1


def test_the_curve_and_the_end():
    """One value an iteration, falling, and whether the gradient vanished."""
    X, y = classes("breast_cancer")
    short = train([request_of(linear(MLPClassifier, l2=0.01, max_iter=4), X, y)])[0]
    assert short.tracker.n_iter == 4 and not short.tracker.converged
    long = train([request_of(linear(MLPClassifier, l2=0.01), X, y)])[0]
    curve = long.tracker.loss_curve
    assert long.tracker.converged and len(curve) == long.tracker.n_iter > 4
    assert curve[:4] == short.tracker.loss_curve
    assert (np.diff(curve) < 1e-12).all()
    assert all(
        np.array_equal(a, b)
        for a, b in zip(
            long.state,
            train([request_of(linear(MLPClassifier, l2=0.01), X, y)])[0].state,
        )
    )


def test_a_start_at_the_optimum():
    X, y = classes("breast_cancer")
    model = linear(MLPClassifier, l2=0.01, tol=1e-6, warm_start=True).fit(X, y)
    before = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ == 1
    np.testing.assert_array_equal(model.coef_, before)
