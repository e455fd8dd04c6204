"""Connections that skip layers, and stochastic depth."""

import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from _estimators import ESTIMATORS, data
from _fitted import key_of
from _networks import check_gradients, network, normal, random_weight
from _numeric import request_of
from _pairs import all_pairs
from sklearn.linear_model import Lasso, LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, MLPRegressor, regularization_path
from skreg.data.random_streams import PATH, Streams
from skreg.fusion.checkpoint import Checkpoint
from skreg.losses.kinds import SquaredError
from skreg.networks.architecture import Architecture
from skreg.training.grouping import group_key
from skreg.training.stack import Stack
from skreg.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SKIPS = ["linear", "residual"]
QUICK = {"hidden_layer_sizes": (5, 5), "max_iter": 4, "batch_size": 16}
QUICK |= {"random_state": 0, "learning_rate_init": 0.02}


def masks_and_paths(architecture, n_models=2, n_rows=6):
    masks = [
        (normal(n_models, n_rows, width, seed=i) > -0.5) * 1.5
        for i, width in enumerate(architecture.layer_sizes[1:-1])
    ]
    paths = [
        (normal(n_models, n_rows, 1, seed=20 + i) > -0.3) * 1.25
        for i in range(architecture.n_paths)
    ]
    return [m.double() for m in masks], [p.double() for p in paths]


class WithPaths:
    """A network whose training passes always draw the same paths."""

    def __init__(self, module, paths):
        self.module, self.paths = module, paths

    def __getattr__(self, name):
        return getattr(self.module, name)

    def forward_training(self, x, weight, masks):
        return self.module.forward_training(x, weight, masks, self.paths)


@pytest.mark.parametrize(
    "skip, activation, norm, dropped",
    all_pairs(
        SKIPS,
        ["relu", "tanh", "logistic", "identity", "gelu"],
        [None, "before", "after"],
        others=[False, True],
    ),
)
def test_gradients(skip, activation, norm, dropped):
    """Hidden layers with and without a residual connection, the first with one."""
    architecture = Architecture((3, 3, 4, 4, 2), activation, norm, skip)
    assert architecture.n_paths == (1 if skip == "linear" else 2)
    module = network(architecture)
    if skip == "linear":  # which starts at zero
        module.weight_skip.copy_(normal(2, 3, 2, seed=8))
    masks, paths = masks_and_paths(architecture) if dropped else ((), ())
    x, target = normal(2, 6, 3, seed=13), normal(2, 6, 2, seed=4)
    weight = random_weight() if norm else None
    check_gradients(WithPaths(module, paths), SquaredError(), x, target, weight, masks)


@pytest.mark.parametrize("skip", SKIPS)
def test_outputs_are_the_definition(skip):
    architecture = Architecture((3, 3, 4, 4, 2), "tanh", None, skip)
    module = network(architecture)
    if skip == "linear":
        module.weight_skip.copy_(normal(2, 3, 2, seed=8))
    masks, paths = masks_and_paths(architecture)
    x = normal(2, 6, 3, seed=3)

    def defined(masks, paths):
        paths, h = list(paths), x.numpy()
        for i, (n_in, n_out) in enumerate(pairwise(architecture.layer_sizes)):
            below, W = h, module.weights[i].numpy()
            h = h @ W + getattr(module, f"bias_{i}").numpy()
            if i == 3:
                break
            h = np.tanh(h) * masks[i]
            if skip == "residual" and n_in == n_out:
                h = below + paths.pop(0) * h
        if skip == "linear":
            h = paths.pop(0) * h + x.numpy() @ module.weight_skip.numpy()
        assert not paths
        return h

    found = module.forward_training(x.clone(), None, masks, paths)[0]
    expected = defined([m.numpy() for m in masks], [p.numpy() for p in paths])
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
    expected = defined([1.0] * 3, [1.0] * len(paths))
    np.testing.assert_allclose(module(x), expected, rtol=1e-13, atol=1e-14)
    other = module.select(torch.tensor([1]))
    np.testing.assert_allclose(other(x[1:]), expected[1:], rtol=1e-13, atol=1e-14)


SETTINGS = [
    {"skip_l1": 0.01},
    {"skip_l2": 0.1, "l2": 0.01, "stochastic_depth": 0.3},
    {"l1": 0.01},
    {"max_norm": 0.5, "stochastic_depth": 0.6, "dropout": 0.2},
    {"positive": True, "weight_decay": 0.1},
]
GROUPS = [{"group_l1": 0.02}, {"group_l1": 0.1, "stochastic_depth": 0.2}]


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("settings", [SETTINGS, GROUPS])
@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_stack_is_its_models_alone(kind, skip, settings, solver):
    """Of several lengths, so that the last batches are those of some models."""
    requests = []
    for i, params in enumerate(settings):
        X, y = data(kind, n_samples=60 - 9 * i, seed=i)
        request = request_of(kind(**(QUICK | params), solver=solver, skip=skip), X, y)
        requests.append(replace(request, seed=i))
    alone = [train([request])[0].state for request in requests]
    for one, result in zip(alone, train(requests), strict=True):
        # The order of sums differs; some 30 steps amplify 1e-16 to 1e-12 or so.
        for array, other in zip(one, result.state, strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("skip", SKIPS)
def test_stacks_have_one_kind_of_connection(skip):
    X, y = data(MLPRegressor)
    keys = {
        group_key(request_of(MLPRegressor((5,), skip=kind), X, y))
        for kind in (None, *SKIPS)
    }
    assert len(keys) == 3


def test_the_ridge_beside_an_empty_network():
    """A network that l1 empties leaves scikit-learn's model of the same objective."""
    X, y = data(MLPRegressor)
    Z, t = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    model = MLPRegressor(
        (8,), skip="linear", l1=10, skip_l1=0, skip_l2=0.1, solver="lbfgs", tol=1e-9
    ).fit(X, y)
    assert not any(coef.any() for coef in model.coefs_)
    reference = Ridge(alpha=2 * 0.1 * len(y)).fit(Z, t)
    # The gradient is 1e-9 at most, the curvature 1 or so.
    np.testing.assert_allclose(model.skip_coef_[:, 0], reference.coef_, atol=1e-7)
    expected = reference.predict(Z) * y.std() + y.mean()
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-7)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_the_lasso_beside_an_empty_network(solver):
    X, y = data(MLPRegressor)
    Z, t = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    model = MLPRegressor(
        (8,), skip="linear", l1=10, skip_l1=0.05, solver=solver, max_iter=500
    ).fit(X, y)
    reference = Lasso(alpha=0.05, tol=1e-12).fit(Z, t)
    assert model.kkt_violation_ <= 1e-6
    np.testing.assert_allclose(model.skip_coef_[:, 0], reference.coef_, atol=1e-5)
    np.testing.assert_array_equal(model.support_, reference.coef_ != 0)
    assert not model.support_.all()
    norms = np.abs(model.skip_coef_[:, 0])
    np.testing.assert_allclose(model.feature_importances_, norms)
    n_weights = sum(coef.size for coef in model.coefs_) + 5
    assert model.sparsity_ == 1 - model.support_.sum() / n_weights


def test_the_logistic_regression_beside_an_empty_network():
    X, y = data(MLPClassifier)
    Z = StandardScaler().fit_transform(X)
    model = MLPClassifier(
        (8,), skip="linear", l1=10, skip_l1=0, skip_l2=0.01, solver="lbfgs", tol=1e-9
    ).fit(X, y)
    reference = LogisticRegression(C=1 / (2 * 0.01 * len(y)), tol=1e-12).fit(Z, y)
    np.testing.assert_allclose(model.skip_coef_.T, reference.coef_, atol=1e-5)
    np.testing.assert_allclose(
        model.predict_proba(X), reference.predict_proba(Z), atol=1e-5
    )


def objective(model, X, y, **strengths):
    """Return the objective of a regressor with one hidden layer, in numpy."""
    Z = (X - model.feature_offset_) / model.feature_scale_
    t = (y - model.target_offset_) / model.target_scale_
    W, V = model.coefs_
    hidden = np.tanh(Z @ W + model.intercepts_[0])
    score = (hidden @ V + model.intercepts_[1] + Z @ model.skip_coef_)[:, 0]
    value = np.mean((score - t) ** 2) / 2
    S, l1, l2 = model.skip_coef_, strengths["l1"], strengths["l2"]
    for part, one, two in zip((W, V, S), l1, l2, strict=True):
        value += one * np.abs(part).sum() + two * (part**2).sum()
    for part in (W, S):
        value += strengths["group_l1"] * np.linalg.norm(part, axis=1).sum()
    return value


@pytest.mark.parametrize(
    "params, l1, l2",
    [
        ({"l1": 0.01, "l2": 0.02}, [0.01] * 3, [0.02] * 3),
        ({"l1": [0.01, 0.02], "l2": [0, 0.1]}, [0.01, 0.02, 0.01], [0, 0.1, 0]),
        ({"l1": 0.01, "skip_l1": 0, "skip_l2": 0.3}, [0.01, 0.01, 0], [0, 0, 0.3]),
    ],
)
@pytest.mark.parametrize("group_l1", [0, 0.03])
def test_the_objective(params, l1, l2, group_l1):
    """Which of l1 and l2 the skip connection has, and the rows of group_l1."""
    X, y = data(MLPRegressor)
    settings = {"skip": "linear", "solver": "lbfgs", "random_state": 0} | params
    model = MLPRegressor((4,), "tanh", group_l1=group_l1, **settings).fit(X, y)
    assert model.skip_coef_.shape == (5, 1) and len(model.coefs_) == 2
    value = objective(model, X, y, l1=l1, l2=l2, group_l1=group_l1)
    assert value == pytest.approx(model.loss_, rel=1e-12)
    assert model.kkt_violation_ <= 1e-6


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_group_l1_drops_inputs_from_both(solver):
    X, y = data(MLPRegressor)
    # Without l2, large weights of the outputs would make small ones of the inputs do.
    model = MLPRegressor((4,), "tanh", skip="linear", l2=0.02, group_l1=0.1)
    model.set_params(solver=solver, random_state=0, max_iter=400).fit(X, y)
    assert model.kkt_violation_ <= 1e-6
    support = model.coefs_[0].any(axis=1) | model.skip_coef_.any(axis=1)
    np.testing.assert_array_equal(model.support_, support)
    assert 0 < support.sum() < 5


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_constraints_hold_for_the_connection(solver):
    X, y = data(MLPRegressor)
    settings = QUICK | {"solver": solver, "skip": "linear", "max_iter": 30}
    free = MLPRegressor(**settings).fit(X, y)
    assert free.skip_coef_.min() < 0 and np.linalg.norm(free.skip_coef_) > 0.1
    assert (MLPRegressor(**settings, positive=True).fit(X, y).skip_coef_ >= 0).all()
    short = MLPRegressor(**settings, max_norm=0.1).fit(X, y).skip_coef_
    assert np.linalg.norm(short) <= 0.1 + 1e-15


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_continued_and_pickled(kind, skip):
    X, y = data(kind)
    parameters = QUICK | {"skip": skip, "batchnorm": True}
    whole = kind(**parameters | {"max_iter": 2}).fit(X, y)
    model = kind(**parameters | {"max_iter": 1}, warm_start=True).fit(X, y).fit(X, y)
    assert len(model.loss_curve_) == 2
    assert (model.skip_coef_ is None) == (skip == "residual")
    copy = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(copy.predict(X), whole.predict(X))
    pieces = kind(**parameters).partial_fit(X, y).partial_fit(X, y)
    assert len(pieces.loss_curve_) == 2
    with pytest.raises(ValueError, match="layers changed"):
        model.set_params(skip=None).fit(X, y)


def test_a_linear_model_has_nothing_to_skip():
    X, y = data(MLPRegressor)
    settings = {"hidden_layer_sizes": (), "max_iter": 5, "random_state": 0}
    plain = MLPRegressor(**settings).fit(X, y)
    for skip in SKIPS:
        model = MLPRegressor(**settings, skip=skip, stochastic_depth=0.5).fit(X, y)
        np.testing.assert_array_equal(model.coef_, plain.coef_)
        assert model.skip_coef_ is None


def test_paths_are_dropped_by_rows():
    """Whole rows at the given rate, each layer's with bits of its own."""
    X, y = data(MLPRegressor, n_samples=4000)
    model = MLPRegressor((6, 6, 6), skip="residual", stochastic_depth=0.25, max_iter=1)
    request = request_of(model.set_params(batch_size=4000), X, y)
    stack = Stack([request])
    assert stack.module.architecture.n_paths == 2
    (batch,) = stack.batches.epoch()
    one, two = (m.clone() for m in stack.noise.paths(batch, [Streams(3)], 2))
    assert one.shape == (1, 4000, 1)
    for mask in (one, two):
        assert set(mask.flatten().tolist()) == {0.0, 4 / 3}
        # Five standard errors of a share.
        assert abs((mask == 0).double().mean() - 0.25) < 5 * (0.1875 / 4000) ** 0.5
    both = ((one == 0) & (two == 0)).double().mean()
    assert abs(both - 1 / 16) < 5 * (15 / 256 / 4000) ** 0.5
    # The first sixteen bits of a word for each row.
    bits = Streams(3)[PATH].bit_generator.random_raw(4000).view(np.int16)[::4]
    np.testing.assert_array_equal(one.flatten() == 0, bits < 16384 - 32768)


@pytest.mark.parametrize("skip", SKIPS)
def test_what_is_dropped_does_not_move(skip):
    """At the highest rate no path survives, so that hidden layers get no gradient."""
    X, y = data(MLPRegressor)
    settings = QUICK | {"hidden_layer_sizes": (5,), "max_iter": 3}
    still = MLPRegressor(**settings | {"learning_rate_init": 1e-300}).fit(X, y)
    model = MLPRegressor(**settings, skip=skip, stochastic_depth=0.99999).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], still.coefs_[0])
    np.testing.assert_array_equal(model.intercepts_[0], still.intercepts_[0])
    assert (model.intercepts_[1] != still.intercepts_[1]).all() == (skip == "residual")
    assert skip == "residual" or model.skip_coef_.all()
    model.set_params(stochastic_depth=0.3).fit(X, y)
    assert (model.coefs_[0] != still.coefs_[0]).all()


def test_stochastic_depth_needs_a_connection():
    X, y = data(MLPRegressor)
    with pytest.raises(ValueError, match=r"skip=None.*stochastic_depth=0.5"):
        MLPRegressor(stochastic_depth=0.5).fit(X, y)
    with pytest.raises(ValueError, match=r"lbfgs.*stochastic_depth=0.5"):
        MLPRegressor(skip="linear", stochastic_depth=0.5, solver="lbfgs").fit(X, y)


@pytest.mark.parametrize("penalty", ["l1", "group_l1"])
def test_the_path_of_a_network_with_a_connection(penalty):
    X, y = data(MLPRegressor)
    model = MLPRegressor((3,), skip="linear", random_state=0, max_iter=50)
    path = regularization_path(model, X, y, penalty=penalty, n=3, cv=2)
    assert path.coefs.shape == (3, 5, 4)
    empty, last = path.estimators[0], path.estimators[-1]
    assert not empty.support_.any() and last.support_.any()
    np.testing.assert_array_equal(path.support[-1], last.support_)
    norms = last.feature_importances_
    np.testing.assert_allclose(path.feature_norms[-1], norms)


def test_the_path_leaves_a_strength_of_its_own():
    X, y = data(MLPRegressor)
    model = MLPRegressor((3,), skip="linear", skip_l1=0, random_state=0, max_iter=50)
    path = regularization_path(model, X, y, penalty="l1", n=2, cv=2)
    empty = path.estimators[0]
    assert not any(coef.any() for coef in empty.coefs_)
    assert empty.skip_coef_.all()


@pytest.mark.parametrize("skip", SKIPS)
def test_a_kept_fit(skip, tmp_path):
    X, y = data(MLPRegressor)
    request = request_of(MLPRegressor(**QUICK, skip=skip), X, y)
    (result,) = train([request])
    checkpoint = Checkpoint(tmp_path)
    key = key_of(request)
    checkpoint.save(key, result)
    for one, other in zip(checkpoint.load(key, request).state, result.state):
        np.testing.assert_array_equal(one, other)
    plain = request_of(MLPRegressor(**QUICK), X, y)
    assert key_of(plain) != key
