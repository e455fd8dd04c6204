"""Embeddings of numeric inputs: their definitions, derivatives and fits."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from _estimators import ESTIMATORS, data
from _fitted import key_of, others_of, weights_of
from _networks import check_gradients, normal, random_weight
from _numeric import request_of
from _pairs import all_pairs
from sklearn.linear_model import LogisticRegression, Ridge

from skreg import MLPClassifier, MLPRegressor, regularization_path
from skreg.data.quantiles import bin_edges, quantiles
from skreg.data.random_streams import INIT, Streams
from skreg.fusion.checkpoint import Checkpoint
from skreg.losses.kinds import SquaredError
from skreg.networks.architecture import N_FREQUENCIES, Architecture, Start, state_shapes
from skreg.networks.embeddings import PiecewiseLinear
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork
from skreg.penalties.kinds import GroupLasso
from skreg.training.grouping import group_key
from skreg.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = ["piecewise_linear", "periodic"]
QUICK = {"hidden_layer_sizes": (5,), "max_iter": 4, "batch_size": 16}
QUICK |= {"random_state": 0, "learning_rate_init": 0.02, "embedding_size": 3}


def encoded(x, edges):
    """Return the piecewise linear encoding of a number, as the paper defines it."""
    distinct = np.unique(edges)
    numbers = []
    for t in range(1, len(edges)):
        if t >= len(distinct):
            numbers.append(0.0)
            continue
        low, high, last = distinct[t - 1], distinct[t], len(distinct) - 1
        if x < low and t > 1:
            numbers.append(0.0)
        elif x >= high and t < last:
            numbers.append(1.0)
        else:
            numbers.append((x - low) / (high - low))
    return numbers


EDGES = np.array(
    [
        [[-2.0, -1, 0, 0.5], [0, 1, 1, 1], [3, 3, 3, 3]],
        [[-0.7, 0.1, 0.2, 4], [-1, 0, 2, 2], [0, 0.25, 0.5, 1]],
    ]
)


def test_piecewise_linear_encoding():
    """Inputs with three bins, two, one and none; values between, on and off edges."""
    layer = PiecewiseLinear(torch.tensor(EDGES), np.ones((3, 3), bool))
    rows = np.linspace(-5, 5, 81)  # multiples of an eighth, so some are edges
    assert {0.0, 0.25, 0.5, 1.0, 3.0} < set(rows)
    x = torch.tensor(rows).view(1, -1, 1).expand(2, -1, 3).contiguous()
    expected = [
        [np.concatenate([encoded(v, edges) for edges in of_model]) for v in rows]
        for of_model in EDGES
    ]
    found = layer.predict(x)
    np.testing.assert_allclose(found, expected, rtol=1e-15, atol=1e-15)
    np.testing.assert_array_equal(layer.predict(x[:1]), found[:1])
    assert layer.backward(found, layer.forward(x, None, ())[1], False) is None


def test_edges_are_distinct_quantiles():
    rng = np.random.default_rng(0)
    X = np.stack(
        [rng.normal(size=100), np.arange(100) < 30, np.ones(100), np.arange(100)], 1
    )
    found = bin_edges(quantiles(X, np.arange(100), None, np.linspace(0, 1, 5)).T)
    ordered = np.sort(X[:, 0])
    np.testing.assert_array_equal(found[0], ordered[[0, 24, 49, 74, 99]])
    np.testing.assert_array_equal(found[1:3], [[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]])
    np.testing.assert_array_equal(found[3], [0, 24, 49, 74, 99])


@pytest.mark.parametrize("block", [1, 10**9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_quantiles(monkeypatch, dtype, block):
    """numpy's, of all rows and of some, and of repeated rows with whole weights."""
    monkeypatch.setattr("skreg.data.quantiles.ELEMENTS_AT_A_TIME", block)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(97, 5)).astype(dtype).round(1)
    before, levels = X.copy(), np.linspace(0, 1, 8)
    rows = np.sort(rng.permutation(97)[:40])
    found = quantiles(X, rows, None, levels)
    expected = np.quantile(X[rows], levels, axis=0, method="inverted_cdf")
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)
    weight = rng.integers(1, 5, size=97).astype(float)
    repeated = np.repeat(rows, weight[rows].astype(int))
    expected = quantiles(X, repeated, None, levels)
    for scale in (1, 0.1, 2.0**60):
        weighted = quantiles(X, rows, weight * scale, levels)
        np.testing.assert_array_equal(weighted, expected)
    np.testing.assert_array_equal(X, before)


def network(architecture, n_models=2):
    start = [Start("glorot", 0.5, edges) for edges in EDGES]
    states = [
        initial_state(architecture, Streams(seed)[INIT], np.float64, start[seed])
        for seed in range(n_models)
    ]
    return StackedNetwork(architecture, states, torch.float64).prepare_training()


@pytest.mark.parametrize(
    "kind, hidden, skip, weighted",
    all_pairs(
        KINDS, [(), (4,), (9, 9)], [None, "linear", "residual"], others=[False, True]
    ),
)
def test_gradients(kind, hidden, skip, weighted):
    architecture = Architecture((9, *hidden, 2), "tanh", None, skip, kind, (3, 3, 3))
    module = network(architecture)
    shapes = [tuple(tensor.shape[1:]) for tensor in module.state]
    assert shapes == list(state_shapes(architecture).values())
    assert len(list(module.parameters())) == len(shapes) - (kind != "periodic")
    x, target = normal(2, 6, 3, seed=3), normal(2, 6, 2, seed=4)
    weight = random_weight() if weighted else None
    check_gradients(module, SquaredError(), x, target, weight)


def test_the_gradients_of_the_first_models():
    """A batch of one model of two moves nothing of the other."""
    module = network(Architecture((9, 4, 2), "tanh", None, None, "periodic", (3, 3, 3)))
    x, target = normal(1, 6, 3, seed=3), normal(1, 6, 2, seed=4)
    score, tape = module.forward_training(x)
    module.backward(score - target, tape)
    alone = module.select(torch.tensor([0])).prepare_training()
    score, tape = alone.forward_training(x)
    alone.backward(score - target, tape)
    for one, other in zip(module.parameters(), alone.parameters()):
        np.testing.assert_allclose(one.grad[:1], other.grad, rtol=1e-12, atol=1e-14)
        assert not one.grad[1].any() and other.grad.any()


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_periodic_outputs_are_the_definition(kind):
    X, y = data(kind)
    model = kind((4,), "tanh", numeric_embedding="periodic", embedding_size=3)
    model.set_params(max_iter=5, random_state=0, batchnorm=True).fit(X, y)
    w, b, A, c = others_of(model)[-4:]
    Z = (X - model.feature_offset_) / model.feature_scale_
    parts = []
    for j in range(5):
        waves = np.cos(2 * np.pi * np.outer(Z[:, j], w[j]) + b[j])
        mixing = A[N_FREQUENCIES * j : N_FREQUENCIES * (j + 1)]
        parts += [Z[:, j], *(waves @ mixing + c[j]).T]
    assert model.coefs_[0].shape == (15, 4)
    gamma, beta, mean, var = (array[0] for array in others_of(model)[:4])
    hidden = np.stack(parts, 1) @ model.coefs_[0] + model.intercepts_[0]
    hidden = np.tanh(gamma * (hidden - mean) / np.sqrt(var + 1e-5) + beta)
    score = hidden @ model.coefs_[1] + model.intercepts_[1]
    found = model._raw_predict(X)
    np.testing.assert_allclose(found, score, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("standardize", [True, False, "robust"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bins_are_those_of_the_training_rows(standardize, dtype):
    """Of the standardised inputs, and so the same bins whatever the standardising."""
    X, y = data(MLPRegressor)
    X = X.astype(dtype)
    X[:, 3] = X[:, 3] > 3
    weight = np.ones(60)
    weight[[3, 9]] = 0
    settings = QUICK | {"standardize": standardize, "early_stopping": True}
    model = MLPRegressor(**settings, numeric_embedding=KINDS[0])
    request = request_of(model, X, y, sample_weight=weight)
    assert len(request.train.index) == 52
    model.fit(X, y, sample_weight=weight)
    edges = others_of(model)[-1]
    assert edges.dtype == dtype and edges.shape == (5, 4)
    Z = X[request.train.index]
    if standardize:
        Z = (Z - model.feature_offset_) / model.feature_scale_
    if standardize == "robust":
        Z = Z / np.sqrt(1 + (Z / 3) ** 2)
    expected = np.quantile(Z, np.linspace(0, 1, 4), axis=0, method="inverted_cdf").T
    tolerance = 4 * np.finfo(dtype).eps
    kept = [0, 1, 2, 4]
    np.testing.assert_allclose(edges[kept], expected[kept], tolerance, tolerance)
    assert len(np.unique(edges[3])) == 2


def encoding(model, X):
    """Return the encoded inputs of a fitted model."""
    Z = (X - model.feature_offset_) / model.feature_scale_
    rows = [[encoded(x, e) for x, e in zip(row, others_of(model)[-1])] for row in Z]
    return np.array(rows).reshape(len(X), -1)


def test_an_additive_model_is_the_ridge_of_the_encoding():
    X, y = data(MLPRegressor)
    model = MLPRegressor((), numeric_embedding=KINDS[0], l2=0.01, tol=1e-8).fit(X, y)
    assert model.kkt_violation_ <= 1e-8
    E, t = encoding(model, X), (y - y.mean()) / y.std()
    reference = Ridge(alpha=2 * 0.01 * 60, solver="cholesky").fit(E, t)
    # The gradient is at most 1e-8 and the curvature at least 0.02.
    np.testing.assert_allclose(model.coefs_[0][:, 0], reference.coef_, atol=1e-6)
    expected = reference.predict(E) * y.std() + y.mean()
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5)
    assert model.coefs_[0].shape == (40, 1) and model.skip_coef_ is None
    for name in ("coef_", "intercept_"):
        with pytest.raises(AttributeError, match="without numeric_embedding"):
            getattr(model, name)
    assert model.support_.shape == model.feature_importances_.shape == (5,)
    norms = np.linalg.norm(reference.coef_.reshape(5, 8), axis=1)
    np.testing.assert_allclose(model.feature_importances_, norms, atol=1e-4)


def test_an_additive_classifier_with_a_linear_part():
    """The connection skips the embedding: a model of the inputs and the encoding."""
    X, y = data(MLPClassifier)
    model = MLPClassifier((), numeric_embedding=KINDS[0], skip="linear", l2=0.01)
    model.fit(X, y)
    Z = (X - model.feature_offset_) / model.feature_scale_
    design = np.hstack([encoding(model, X), Z])
    reference = LogisticRegression(C=1 / (2 * 0.01 * 60), tol=1e-12, max_iter=5000)
    reference.fit(design, y)
    found = np.vstack([model.coefs_[0], model.skip_coef_])
    np.testing.assert_allclose(found.T, reference.coef_, atol=2e-4)


@pytest.mark.parametrize(
    "solver, skip",
    [("lbfgs", None), ("lbfgs", "linear"), ("adam", None), ("sgd", "linear")],
)
def test_group_l1_takes_all_numbers_of_an_input(solver, skip):
    """The optimum of the group lasso, by proximal gradient steps in numpy."""
    X, y = data(MLPRegressor)
    model = MLPRegressor(
        (), numeric_embedding=KINDS[0], embedding_size=4, group_l1=0.03, skip=skip
    )
    model.set_params(solver=solver, max_iter=200, random_state=0).fit(X, y)
    assert model.kkt_violation_ <= 1e-6
    E, t = encoding(model, X), (y - y.mean()) / y.std()
    groups = np.repeat(np.arange(5), 4)
    if skip:
        Z = (X - model.feature_offset_) / model.feature_scale_
        E, groups = np.hstack([E, Z]), np.append(groups, np.arange(5, 10))
    E, t = E - E.mean(0), t - t.mean()
    step, w = 60 / np.linalg.norm(E, 2) ** 2, np.zeros(len(groups))
    v, momentum = w, 1.0
    for _ in range(100_000):
        z = v - step * E.T @ (E @ v - t) / 60
        norm = np.sqrt(np.bincount(groups, z**2))[groups]
        new = z * np.maximum(1 - step * 0.03 / np.maximum(norm, 1e-300), 0)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        v, change = new + (momentum - 1) / following * (new - w), abs(new - w).max()
        w, momentum = new, following
        if change < 1e-15:
            break
    found = np.concatenate([part.ravel() for part in weights_of(model)])
    np.testing.assert_allclose(found, w, atol=1e-3)
    np.testing.assert_array_equal(found != 0, w != 0)
    used = np.bincount(groups % 5 if not skip else groups, w != 0)
    assert 0 < (used == 0).sum() < len(used)
    np.testing.assert_allclose(
        model.predict(X), (E @ w) * y.std() + y.mean(), rtol=1e-4
    )


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("kind", KINDS)
def test_group_l1_of_a_network(kind, solver):
    """Inputs are in or out with all of their numbers."""
    X, y = data(MLPRegressor)
    model = MLPRegressor((6,), "tanh", numeric_embedding=kind, embedding_size=3)
    model.set_params(group_l1=0.1, l2=0.01, solver=solver, random_state=0)
    model.set_params(max_iter=100, learning_rate_init=0.01).fit(X, y)
    of_inputs = model.coefs_[0].reshape(5, -1)
    np.testing.assert_array_equal((of_inputs != 0).any(1), (of_inputs != 0).all(1))
    np.testing.assert_array_equal(model.support_, of_inputs.any(axis=1))
    assert 0 < model.support_.sum() < 5


def test_groups_of_several_rows_are_groups_of_one():
    """Of the same weights with the rows of each group side by side."""
    strength = torch.tensor([0.0, 0.8], dtype=torch.float64)
    tall, wide = GroupLasso(strength, n_rows=3), GroupLasso(strength)
    W, G, start = (normal(2, 12, 2, seed=seed) for seed in range(3))
    W[:, 3:6] = 0
    start[:, 6:9] = -W[:, 6:9]

    def flat(tensor):
        return tensor.reshape(2, 4, 6)

    def same(one, other):
        torch.testing.assert_close(flat(one), other, rtol=1e-14, atol=1e-15)

    metric = normal(2, 4, 1, seed=5).exp()
    same(tall.prox(W, tall.per_row(metric)), wide.prox(flat(W), metric))
    same(tall.prox(W, metric[:, :1]), wide.prox(flat(W), metric[:, :1]))
    same(tall.slope(W), wide.slope(flat(W)))
    same(tall.reduce(W, G), wide.reduce(flat(W), flat(G)))
    same(tall.pull_back(W, start), wide.pull_back(flat(W), flat(start)))
    assert not tall.pull_back(W, start)[1, 6:9].any()
    assert torch.equal(tall.value(W), wide.value(flat(W)))
    assert torch.equal(tall.emptying(G), wide.emptying(flat(G)))
    moved = W.clone()
    tall.prox_(moved, metric[:, :1] * 0 + 0.5, tall.per_row(metric), [])
    same(moved, wide.prox(flat(W), 0.5 / metric))


SETTINGS = [
    [
        {"l1": 0.01},
        {"l2": 0.1, "init": "scaled", "embedding_scale": 1.0},
        {"max_norm": 0.5, "input_noise": 0.1, "embedding_scale": 0.01},
    ],
    [{"group_l1": 0.02}, {"group_l1": 0.1, "l2": 0.01}],
]


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("embedding", KINDS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_stack_is_its_models_alone(kind, embedding, settings, solver):
    """Each with bins of its own rows."""
    requests = []
    for i, params in enumerate(settings):
        if solver == "lbfgs":
            params = {name: v for name, v in params.items() if name != "input_noise"}
        X, y = data(kind, n_samples=60 - 9 * i, seed=i)
        model = kind(**(QUICK | params), solver=solver, numeric_embedding=embedding)
        request = request_of(model, X, y)
        requests.append(replace(request, seed=i, may_polish=False))
    assert len({group_key(request) for request in requests}) == 1
    alone = [train([request])[0].state for request in requests]
    for one, result in zip(alone, train(requests), strict=True):
        # The order of sums differs; some 16 steps amplify 1e-16 to 1e-12 or so.
        for array, other in zip(one, result.state, strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("embedding", KINDS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_continued_and_pickled(kind, embedding):
    X, y = data(kind)
    parameters = QUICK | {"numeric_embedding": embedding, "batchnorm": True}
    model = kind(**parameters, warm_start=True).fit(X, y)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))
    before = [array.copy() for array in others_of(model)]
    model.fit(X * 2, y)
    assert len(model.loss_curve_) == 8
    moved = [(a != b).any() for a, b in zip(before, others_of(model), strict=True)]
    # Bins stay those of the first fit, as the standardising does.
    assert moved == [True] * 4 + ([True] * 4 if embedding == "periodic" else [False])
    pieces = kind(**parameters).partial_fit(X, y).partial_fit(X, y)
    assert len(pieces.loss_curve_) == 2
    with pytest.raises(ValueError, match="layers changed"):
        model.set_params(embedding_size=4).fit(X, y)


@pytest.mark.parametrize("embedding", KINDS)
def test_a_kept_fit(embedding, tmp_path):
    X, y = data(MLPRegressor)
    model = MLPRegressor(**QUICK, numeric_embedding=embedding)
    request = request_of(model, X, y)
    (result,) = train([request])
    checkpoint = Checkpoint(tmp_path)
    key = key_of(request)
    checkpoint.save(key, result)
    for one, other in zip(checkpoint.load(key, request).state, result.state):
        np.testing.assert_array_equal(one, other)
    again = request_of(model.set_params(embedding_scale=0.2), X, y)
    assert key_of(again) != key


@pytest.mark.parametrize("penalty", ["l1", "group_l1"])
@pytest.mark.parametrize("skip", [None, "linear"])
def test_the_path_of_an_additive_model(penalty, skip):
    """It begins with the strength that empties it, to the last digits."""
    X, y = data(MLPRegressor)
    model = MLPRegressor((), numeric_embedding=KINDS[0], embedding_size=4, skip=skip)
    path = regularization_path(model, X, y, penalty=penalty, n=5, cv=2)
    assert path.support.shape == (5, 5)
    assert path.support.sum(axis=1)[0] == 0 < path.support.sum(axis=1)[-1]
    just_below = model.set_params(**{penalty: path.strengths[0] * (1 - 1e-4)})
    assert just_below.fit(X, y).support_.any()


def test_embedded_inputs_are_dense():
    X, y = data(MLPRegressor)
    model = MLPRegressor(numeric_embedding=KINDS[0])
    with pytest.raises(ValueError, match=r"numeric_embedding='piece.* for sparse X"):
        model.fit(sp.csr_array(X), y)
    model.set_params(numeric_embedding="periodic", max_iter=3).fit(sp.csr_array(X), y)
    with pytest.raises(ValueError, match="embedding_size must be at least 2"):
        model.set_params(embedding_size=1).fit(X, y)


def test_scaled_initial_weights():
    """Variances of 1 / fan_in and of 1, and a last layer of zeros (RealMLP)."""
    sizes = (200, 300, 100, 7)
    state = initial_state(
        Architecture(sizes), np.random.default_rng(0), np.float64, Start("scaled")
    )
    for array, fan_in in zip(state[:2], sizes):
        # Five standard errors of a normal variance.
        error = 5 * np.sqrt(2 / array.size) / fan_in
        assert abs(array.var() - 1 / fan_in) < error
        assert abs(array.mean()) < 5 / np.sqrt(fan_in * array.size)
    biases = np.hstack(state[3:5])
    assert abs(biases.var() - 1) < 5 * np.sqrt(2 / 400)
    assert not state[2].any() and not state[5].any()
    assert state[2].shape == (100, 7) and state[5].shape == (1, 7)


def test_the_embedding_learns_what_is_not_linear():
    """A wave and a step that a linear model cannot see."""
    X = np.random.default_rng(0).uniform(-1, 1, size=(400, 2))
    y = np.cos(3 * X[:, 0]) + (np.abs(X[:, 1]) < 0.5)
    scores = [
        MLPRegressor((), numeric_embedding=kind, random_state=0, **settings)
        .fit(X[:300], y[:300])
        .score(X[300:], y[300:])
        for kind, settings in [
            (None, {}),
            ("piecewise_linear", {"embedding_size": 12}),
            ("periodic", {"max_iter": 300, "learning_rate_init": 0.02}),
        ]
    ]
    assert scores[0] < 0.1 and scores[1] > 0.9 and scores[2] > 0.9
