"""The full-batch solver: optima of linear models and networks, with exact zeros."""

import warnings
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from _estimators import STEADY
from _numeric import request_of
from _versions import elastic_net
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.preprocessing import StandardScaler

import skreg.training.assembly
import skreg.training.train
from skreg import MLPClassifier, MLPRegressor
from skreg.training.objective import Objective
from skreg.training.train import train

# The solver stops where the gradient is below 1e-9, which the curvature turns into an
# error of the coefficients of some hundred times as much; references stop later.
EXACT = dict(rtol=1e-6, atol=1e-7)


def linear(kind, **params):
    defaults = dict(solver="lbfgs", standardize=False, tol=1e-9, max_iter=5000)
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
    return LogisticRegression(tol=1e-12, max_iter=100_000, **params)


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
        model.predict_proba(X), reference.predict_proba(X), rtol=0, atol=1e-6
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
    reference = logistic(C=C, solver="saga", **elastic_net(l1_ratio)).fit(
        X, y, sample_weight=s
    )
    model = linear(
        MLPClassifier, l1=l1_ratio / (C * total), l2=(1 - l1_ratio) / (2 * C * total)
    ).fit(X, y, sample_weight=s)
    np.testing.assert_array_equal(model.coef_ != 0, reference.coef_ != 0)
    assert 0 < (model.coef_ == 0).sum() < model.coef_.size
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    assert model.kkt_violation_ <= 1e-8
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
    assert model.kkt_violation_ <= 1e-8


@pytest.mark.parametrize("weighted", [False, True])
def test_poisson_regression(weighted):
    """l2 = alpha / 2: both halve the deviance."""
    X, y = numbers()
    y = np.random.default_rng(0).poisson(np.exp(y - 1)).astype(float)
    s = weights(len(y), weighted)
    reference = PoissonRegressor(
        alpha=0.2, solver="newton-cholesky", tol=1e-12, max_iter=10_000
    )
    reference.fit(X, y, sample_weight=s)
    model = linear(MLPRegressor, loss="poisson", l2=0.1).fit(X, y, sample_weight=s)
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, **EXACT)
    np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=1e-6)


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
    reference = logistic(C=1 / (2 * l2 * len(y)), solver="newton-cholesky").fit(
        np.r_[X, X],
        np.r_[y, 1 - y],
        sample_weight=np.repeat([1 - s / 2, s / 2], len(y)),
    )
    np.testing.assert_allclose(model.coef_, reference.coef_, **EXACT)
    np.testing.assert_allclose(model.intercept_, reference.intercept_, **EXACT)


def test_pieces_do_not_change_the_optimum(monkeypatch):
    X, y = classes("breast_cancer")
    whole = linear(MLPClassifier, l1=0.02).fit(X, y)
    monkeypatch.setattr(skreg.training.assembly, "rows_at_a_time", lambda pool: 100)
    pieces = linear(MLPClassifier, l1=0.02).fit(X, y)
    np.testing.assert_allclose(pieces.coef_, whole.coef_, **EXACT)
    assert pieces.kkt_violation_ <= 1e-8


PENALISED = {
    "l1": {"l1": 0.01},
    "l1 per layer": {"l1": [0.02, 0.005]},
    "group_l1": {"group_l1": 0.03, "l2": [0.0, 0.01]},
    "elastic net": {"l1": 0.01, "l2": 0.005},
    "sparse groups": {"l1": 0.005, "group_l1": 0.02, "l2": 0.001},
    "positive": {"l1": 0.005, "positive": True},
    "max_norm": {"l1": 0.01, "max_norm": 1.0},
    "deep": {"l1": [0.01, 0.005, 0.005], "hidden_layer_sizes": (4, 3)},
}
SOLVERS = {
    "lbfgs": {"solver": "lbfgs"},
    "adam": {"solver": "adam", "max_iter": 300, "learning_rate_init": 0.01},
    "sgd": {"solver": "sgd", "max_iter": 300, "learning_rate_init": 0.05},
}
OF_STEPS = ["adam", "sgd"]


def network(**params):
    steady = STEADY | dict(
        hidden_layer_sizes=(5,),
        activation="tanh",
        solver="lbfgs",
        standardize=False,
        max_iter=5000,
        random_state=0,
    )
    return MLPClassifier(**(steady | params))


def loss_gradients(model, X, Y):
    """Return the gradients of the mean cross-entropy of a tanh network, by numpy."""
    inputs = [X]
    for W, b in zip(model.coefs_[:-1], model.intercepts_[:-1]):
        inputs.append(np.tanh(inputs[-1] @ W + b))
    score = inputs[-1] @ model.coefs_[-1] + model.intercepts_[-1]
    p = np.exp(score - score.max(1, keepdims=True))
    delta, found = (p / p.sum(1, keepdims=True) - Y) / len(X), []
    for h, W in zip(inputs[::-1], model.coefs_[::-1]):
        found.append((h.T @ delta, delta.sum(0)))
        delta = (delta @ W.T) * (1 - h**2)
    return found[::-1]


def violation_of(model, X, y):
    """Return the largest element of the subgradient nearest to zero, by numpy."""
    worst, n_layers = 0.0, len(model.coefs_)
    l1 = np.broadcast_to(model.l1, n_layers)
    l2 = np.broadcast_to(model.l2, n_layers)
    for i, (G, of_bias) in enumerate(loss_gradients(model, X, np.eye(3)[y])):
        W, group = model.coefs_[i], model.group_l1 if i == 0 else 0.0
        norms = np.linalg.norm(W, axis=1, keepdims=True)
        G = G + 2 * l2[i] * W + l1[i] * np.sign(W) + group * W / np.maximum(norms, 1e-9)
        G = np.where(W == 0, np.sign(G) * np.maximum(np.abs(G) - l1[i], 0), G)
        if model.positive:
            assert (W >= 0).all()
            G = np.where(W == 0, np.minimum(G, 0), G)
        if group:
            length = np.maximum(np.linalg.norm(G, axis=1, keepdims=True), 1e-300)
            G = np.where(norms == 0, G * np.maximum(0, 1 - group / length), G)
        if model.max_norm is not None:
            lengths = np.linalg.norm(W, axis=0)
            assert (lengths <= model.max_norm * (1 + 1e-12)).all()
            for k in np.flatnonzero(lengths > model.max_norm * (1 - 1e-12)):
                along = W[:, k] / lengths[k]
                G[:, k] -= min(0, G[:, k] @ along) * along
        worst = max(worst, np.abs(G).max(), np.abs(of_bias).max())
    return worst


# What follows Adam and SGD is the same solver.
@pytest.mark.parametrize(
    "name, solver",
    [*((name, "lbfgs") for name in PENALISED), *product(["l1", "deep"], OF_STEPS)],
)
def test_networks_end_at_a_stationary_point(name, solver):
    """Not by their own account alone; Adam and SGD by what follows them."""
    X, y = classes("iris")
    model = network(**(PENALISED[name] | SOLVERS[solver]))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        model.fit(X, y)
    violation = violation_of(model, X, y)
    assert violation <= 1e-6
    assert model.kkt_violation_ == pytest.approx(violation, abs=1e-12)
    assert model.sparsity_ < 1
    assert model.sparsity_ > 0 or name == "max_norm"
    if name == "max_norm":
        norms = np.linalg.norm(model.coefs_[0], axis=0)
        assert norms.max() == pytest.approx(1, abs=1e-12), "the constraint must bind"
    # The check can fail.
    model.intercepts_[-1][0] += 1e-2
    assert violation_of(model, X, y) > 1e-5


@pytest.mark.parametrize("name", ["positive", "max_norm"])
def test_constraints_alone(name):
    X, y = classes("iris")
    constraint = {"positive": True} if name == "positive" else {"max_norm": 1.0}
    model = network(**constraint, l2=0.001, tol=1e-7).fit(X, y)
    violation = violation_of(model, X, y)
    assert violation <= 1e-7
    assert model.kkt_violation_ == pytest.approx(violation, abs=1e-12)


def test_a_stack_gives_each_model_what_it_has_alone():
    """The models differ in strengths, ends and rows. Results differ by rounding only.

    Violations below 1e-8 are hidden by rounding. Divided by the curvature, which is
    at least 2 * l2, this is the error.
    """
    X, y = classes("breast_cancer")
    settings = [
        {"l1": 0.02, "l2": 0.1},
        {"l1": 0.1, "l2": 0.1},
        {"l2": 0.1, "max_norm": 0.2},
        {"l2": 0.2, "l1": 0.005, "positive": True},
        {"l1": 0.01, "l2": 0.5},
    ]
    requests = [
        request_of(
            linear(MLPClassifier, tol=1e-10, **own),
            X[: 300 + 50 * i],
            y[: 300 + 50 * i],
        )
        for i, own in enumerate(settings)
    ]
    together = train(requests)
    assert len({result.tracker.n_iter for result in together}) > 1
    for request, result in zip(requests, together):
        (alone,) = train([request])
        for own, other in zip(result.state, alone.state):
            np.testing.assert_allclose(own, other, rtol=0, atol=1e-8)
        np.testing.assert_array_equal(result.state[0] == 0, alone.state[0] == 0)
        assert result.kkt_violation <= 1e-8 and alone.kkt_violation <= 1e-8


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_a_stack_of_networks_gives_each_what_it_has_alone(solver):
    """Where paths do not part: both ends are stationary to 1e-10, and the same."""
    X, y = classes("iris")
    params = SOLVERS[solver] | {"tol": 1e-10, "n_iter_no_change": 300}
    requests = [
        request_of(network(**params, l1=l1, l2=0.01, random_state=seed), X, y)
        for seed, l1 in enumerate([0.005, 0.02, 0.01])
    ]
    for request, result in zip(requests, train(requests)):
        (alone,) = train([replace(request)])
        assert result.kkt_violation <= 1e-8 and alone.kkt_violation <= 1e-8
        for own, other in zip(result.state, alone.state):
            np.testing.assert_allclose(own, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("params", [{"l2": 0.01}, {"l1": 0.02, "l2": 0.01}], ids=str)
def test_float32_comes_near(params):
    """Single precision data are solved in double: what is left is their rounding."""
    X, y = classes("breast_cancer")
    double = linear(MLPClassifier, **params).fit(X, y)
    single = linear(MLPClassifier, **params).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(single.coef_ == 0, double.coef_ == 0)
    # Coefficients rounded to 1e-7 have gradients of that size.
    assert single.kkt_violation_ <= 1e-6


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_fit_that_is_cut_short_warns_of_its_violation(solver):
    X, y = classes("iris")
    model = network(**(SOLVERS[solver] | {"l1": 0.01, "max_iter": 4}))
    with pytest.warns(ConvergenceWarning) as record:
        model.fit(X, y)
    (message,) = [str(w.message) for w in record if w.category is ConvergenceWarning]
    assert "max_iter" in message and "violat" in message
    assert model.kkt_violation_ > 1e-6
    assert model.n_iter_ == (4 if solver == "lbfgs" else 8)  # as many of each
    assert violation_of(model, X, y) == pytest.approx(model.kkt_violation_, abs=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
def test_two_fits_are_the_same(solver):
    X, y = classes("iris")
    params = PENALISED["sparse groups"] | SOLVERS[solver]
    one, two = (network(**params).fit(X, y) for _ in range(2))
    assert one.loss_curve_ == two.loss_curve_
    assert all(map(np.array_equal, one.coefs_, two.coefs_))
    assert all(map(np.array_equal, one.intercepts_, two.intercepts_))


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


def test_an_interrupt_leaves_the_last_iterate(monkeypatch):
    """Not the trial point of a line search, and without a last pass over the rows."""
    X, y = classes("breast_cancer")
    requests = [request_of(linear(MLPClassifier, l2=0.01), X, y)]
    loss_and_gradient, n_calls = Objective.loss_and_gradient, 0

    def interrupt(self, streams=None):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 8:
            raise KeyboardInterrupt
        assert n_calls < 8
        return loss_and_gradient(self, streams)

    monkeypatch.setattr(Objective, "loss_and_gradient", interrupt)
    (found,) = train(requests)
    monkeypatch.undo()
    n_iter = found.tracker.n_iter
    assert found.interrupted and n_iter > 1 and np.isnan(found.kkt_violation)
    short = linear(MLPClassifier, l2=0.01, max_iter=n_iter)
    (expected,) = train([request_of(short, X, y)])
    assert all(map(np.array_equal, found.state, expected.state))


@pytest.mark.parametrize("penalty", [{"l2": 0.01}, {"l1": 0.02}], ids=str)
def test_a_start_at_the_optimum(penalty):
    X, y = classes("breast_cancer")
    model = linear(MLPClassifier, **penalty, tol=1e-6, warm_start=True).fit(X, y)
    before = model.coef_.copy()
    model.fit(X, y)
    assert model.n_iter_ == 1
    np.testing.assert_array_equal(model.coef_, before)


def solvers_of(model, X, y, how="fit"):
    """Return the solvers that a fit uses, and the fitted model."""
    seen, original = [], skreg.training.train.run

    def watched(requests, *args, **kwargs):
        seen.extend(request.solver for request in requests)
        return original(requests, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        patch.setattr(skreg.training.train, "run", watched)
        if how == "fit":
            model.fit(X, y)
        else:
            model.partial_fit(X, y, classes=np.unique(y))
    return seen, model


@pytest.mark.parametrize(
    "penalties",
    [
        {"l1": 0.01},
        {"group_l1": 0.01},
        {"l1": 0.01, "max_norm": 1.0},
        {"l1": 0.01, "positive": True},
    ],
    ids=str,
)
def test_the_full_batch_solver_ends_deterministic_fits(penalties):
    X, y = classes("iris")
    for hidden in ((), (5,)):
        short = network(
            hidden_layer_sizes=hidden, solver="adam", max_iter=3, **penalties
        )
        assert solvers_of(short, X, y)[0] == ["adam", "lbfgs"]
    linear_l2 = network(hidden_layer_sizes=(), solver="sgd", max_iter=3, l2=0.01)
    assert solvers_of(linear_l2, X, y)[0] == ["sgd", "lbfgs"]


@pytest.mark.parametrize(
    "params",
    [
        {"l1": 0.01, "dropout": 0.2},
        {"l1": 0.01, "input_dropout": 0.2},
        {"l1": 0.01, "input_noise": 0.1},
        {"l1": 0.01, "mixup": 0.2},
        {"l1": 0.01, "batchnorm": True},
        {"l1": 0.01, "weight_decay": 0.01},
        {"l1": 0.01, "early_stopping": True},
        {"group_l1": 0.01, "weight_decay": 0.01},
    ],
    ids=str,
)
def test_other_fits_end_with_their_own_solver(params):
    X, y = classes("iris")
    seen, model = solvers_of(network(solver="adam", max_iter=3, **params), X, y)
    assert seen == ["adam"] and model.n_iter_ <= 3


def test_partial_fit_is_not_continued():
    X, y = classes("iris")
    model = network(solver="adam", l1=0.01)
    assert solvers_of(model, X, y, "partial_fit")[0] == ["adam"]


def test_a_network_without_sparsity_is_not_certified():
    X, y = classes("iris")
    seen, model = solvers_of(network(solver="adam", max_iter=3, l2=0.01), X, y)
    assert seen == ["adam"] and np.isnan(model.kkt_violation_)
