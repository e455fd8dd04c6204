"""`compact`: smaller networks that predict the same."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from _estimators import ESTIMATORS, STEADY, data
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skreg import MLPClassifier, MLPRegressor, compact, prune
from skreg.networks.activations import ACTIVATIONS
from skreg.networks.architecture import Architecture, state_shapes
from skreg.networks.stacked import StackedNetwork
from skreg.sparsity.compaction import without_idle_units
from skreg.sparsity.units import named, unit_groups

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = STEADY | {"hidden_layer_sizes": (8, 7, 6), "batch_size": 16, "random_state": 0}
SMALL |= {"max_iter": 6, "learning_rate_init": 0.03}
# A sum without its zeros, in another order: rounding of numbers of size 1 to 100.
CLOSE = {"rtol": 1e-11, "atol": 1e-11}


def fitted(kind=MLPClassifier, **parameters):
    return kind(**(SMALL | parameters)).fit(*data(kind))


def raw(estimator, X):
    return estimator._raw_predict(X)


def changed(estimator, **arrays):
    """Return the estimator with some elements of its network changed, by name."""
    network = named(estimator._layout.architecture, estimator._fits[0].state)
    for name, (index, value) in arrays.items():
        network[name][index] = value
    fit = estimator._fits[0].with_states([list(network.values())])
    return estimator._become(estimator._layout, estimator._device, [fit])


def assert_same(small, estimator, X):
    np.testing.assert_allclose(raw(small, X), raw(estimator, X), **CLOSE)
    np.testing.assert_allclose(small.predict(X), estimator.predict(X), **CLOSE)


def sizes(estimator):
    assert (
        estimator._layout.architecture.layer_sizes[1:-1] == estimator.hidden_layer_sizes
    )
    shapes = [coef.shape[1] for coef in estimator.coefs_[:-1]]
    assert tuple(shapes) == estimator.hidden_layer_sizes
    return estimator.hidden_layer_sizes


@pytest.mark.parametrize("batchnorm", [False, "before", "after"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_constant_units_move_into_the_next_bias(activation, batchnorm):
    """Biases stay where they are, so the constants are not zero."""
    X, _ = data(MLPClassifier)
    estimator = changed(
        fitted(activation=activation, batchnorm=batchnorm),
        weight_0=(np.s_[:, [1, 4]], 0),
        weight_1=(np.s_[:, 2], 0),
        weight_2=(np.s_[:, [0, 5]], 0),
    )
    before = raw(estimator, X)
    small = compact(estimator)
    assert sizes(small) == (6, 6, 4)
    assert_same(small, estimator, X)
    np.testing.assert_array_equal(raw(estimator, X), before)


@pytest.mark.parametrize("batchnorm", [False, "before", "after"])
@pytest.mark.parametrize("activation", ["relu", "logistic"])
def test_units_without_effect_go(activation, batchnorm):
    X, _ = data(MLPClassifier)
    estimator = changed(
        fitted(activation=activation, batchnorm=batchnorm),
        weight_1=([0, 3, 5], 0),
        weight_3=(2, 0),
    )
    small = compact(estimator)
    assert sizes(small) == (5, 7, 5)
    assert_same(small, estimator, X)


def test_one_unit_that_goes_takes_others_along():
    """Forwards: a unit is constant whose inputs all are. Backwards: it has no use."""
    X, _ = data(MLPRegressor)
    estimator = changed(
        fitted(MLPRegressor, activation="logistic"),
        # Unit 0 of the second layer reads units 0 and 1 of the first alone, ...
        weight_0=(np.s_[:, :2], 0),
        weight_1=(np.s_[2:, 0], 0),
        # ... and unit 1 of the second layer is read by unit 5 of the third alone.
        weight_2=(np.s_[1, :5], 0),
        weight_3=(5, 0),
    )
    small = compact(estimator)
    assert sizes(small) == (6, 5, 5)
    assert_same(small, estimator, X)


@pytest.mark.parametrize("layer", [0, 1, 2, 3])
@pytest.mark.parametrize("activation", ["relu", "logistic"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_network_that_is_a_constant(kind, activation, layer):
    X, _ = data(kind)
    name = f"weight_{layer}"
    estimator = changed(fitted(kind, activation=activation), **{name: (np.s_[:], 0)})
    small = compact(estimator)
    assert sizes(small) == (1, 1, 1)
    assert_same(small, estimator, X)
    assert len(np.unique(raw(small, X), axis=0)) == 1


SETTINGS = [
    {},
    {"skip": "linear"},
    {"skip": "residual"},
    {"skip": "residual", "hidden_layer_sizes": (5, 6, 6)},
    {"skip": "residual", "hidden_layer_sizes": (9, 9, 9, 4), "activation": "tanh"},
    {"skip": "residual", "hidden_layer_sizes": (9, 9), "batchnorm": "before"},
    {"batchnorm": "before", "activation": "elu"},
    {"batchnorm": "after", "activation": "logistic"},
    {"numeric_embedding": "piecewise_linear", "embedding_size": 3},
    {"numeric_embedding": "periodic", "embedding_size": 3, "skip": "linear"},
    {"standardize": "robust", "hidden_layer_sizes": 9},
    {"learning_rate": "cosine", "n_snapshots": 2},
    {"dtype": "float64", "ema_decay": 0.9},
]


@pytest.mark.parametrize("amount", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_pruned_units_are_gone(kind, settings, amount):
    X, y = data(kind)
    if kind is MLPRegressor:
        y = np.stack([y, X[:, 0]], 1)
    estimator = kind(**(SMALL | settings)).fit(X, y)
    pruned = prune(estimator, amount, X, y, structured=True, finetune_epochs=2)
    small = compact(pruned)
    assert_same(small, pruned, X)
    alive = [
        int(max((state[layer] != 0).any(0).sum() for state in states))
        for states in [pruned.snapshots_ or [pruned._fits[0].state]]
        for layer in range(len(pruned.coefs_) - 1)
    ]
    collides = settings.get("skip") == "residual"
    found = sizes(small)
    if not collides:
        assert all(one <= max(1, other) for one, other in zip(found, alive))
    assert (
        small._layout.architecture.residual_layers
        == pruned._layout.architecture.residual_layers
    )
    assert sum(found) <= sum(pruned._layout.architecture.layer_sizes[1:-1])
    if amount > 0.5 and settings.get("hidden_layer_sizes") != (5, 6, 6):
        assert sum(found) < sum(pruned._layout.architecture.layer_sizes[1:-1])


@pytest.mark.parametrize("activation", ["relu", "logistic"])
@pytest.mark.parametrize("batchnorm", [False, "before", "after"])
def test_constants_on_residual_connections(batchnorm, activation):
    """A unit goes if it is constant in all layers that are added up, or never read."""
    X, _ = data(MLPClassifier)
    settings = {"skip": "residual", "hidden_layer_sizes": (8, 8, 8, 4)}
    settings |= {"batchnorm": batchnorm, "activation": activation}
    estimator = changed(
        fitted(**settings),
        weight_0=(np.s_[:, [0, 1]], 0),
        weight_1=(np.s_[:, [0, 1]], 0),
        weight_2=(np.s_[:, [0]], 0),
    )
    small = compact(estimator)
    assert sizes(small) == (7, 7, 7, 4)
    assert_same(small, estimator, X)
    estimator = fitted(**settings)
    changed(estimator, weight_1=(3, 0), weight_2=(3, 0))
    assert sizes(compact(estimator)) == (8, 8, 8, 4)
    changed(estimator, weight_3=(3, 0))
    small = compact(estimator)
    assert sizes(small) == (7, 7, 7, 4)
    assert_same(small, estimator, X)


def test_layers_do_not_become_equal_under_residual_connections():
    """Else they would be added up from now on."""
    X, _ = data(MLPClassifier)
    estimator = fitted(skip="residual", hidden_layer_sizes=(8, 6, 3))
    changed(estimator, weight_0=(np.s_[:, :2], 0))
    small = compact(estimator)
    assert sizes(small) == (7, 6, 3)
    assert_same(small, estimator, X)
    # With one of the second layer gone, the first may be as small.
    changed(estimator, weight_1=(np.s_[:, 3], 0))
    small = compact(estimator)
    assert sizes(small) == (6, 5, 3)
    assert_same(small, estimator, X)


def test_units_that_inputs_are_added_to_stay():
    X, _ = data(MLPClassifier)
    estimator = fitted(skip="residual", hidden_layer_sizes=(5, 5, 3))
    changed(
        estimator, weight_0=(np.s_[:, 1], 0), weight_1=(np.s_[:], 0), weight_2=(1, 0)
    )
    small = compact(estimator)
    assert sizes(small) == (5, 5, 3)
    assert_same(small, estimator, X)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize(
    "settings", [{"l1": 0.02}, {"l1": [0.05, 0.01, 0], "group_l1": 0.05}]
)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_what_l1_has_emptied(activation, settings, solver):
    """Of fits that ended at an optimum."""
    X, y = data(MLPRegressor)
    estimator = MLPRegressor(
        (30, 10),
        activation,
        solver=solver,
        learning_rate_init=0.02,
        max_iter=100,
        random_state=0,
        **settings,
    ).fit(X, y)
    small = compact(estimator)
    assert_same(small, estimator, X)
    assert sizes(small)[0] < 30
    # Nothing is left to remove.
    for coef in small.coefs_[:-1]:
        assert (coef != 0).any(0).all() or coef.shape[1] == 1
    for coef in small.coefs_[1:]:
        assert (coef != 0).any(1).all() or coef.shape[0] == 1
    again = compact(small)
    assert again.hidden_layer_sizes == small.hidden_layer_sizes
    np.testing.assert_array_equal(again.support_, estimator.support_)
    assert small.kkt_violation_ == estimator.kkt_violation_
    assert small.loss_curve_ == estimator.loss_curve_


def test_gradual_pruning_of_a_wide_network():
    X, y = load_digits(return_X_y=True)
    estimator = MLPClassifier((256,), pruning=0.97, random_state=0).fit(X, y)
    small = compact(estimator)
    assert sizes(small)[0] < 256
    np.testing.assert_allclose(
        small.predict_proba(X), estimator.predict_proba(X), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("skip", [None, "linear"])
def test_single_precision(skip):
    """To 1e-6 of probabilities, as is documented."""
    X, y = load_digits(return_X_y=True)
    estimator = MLPClassifier((64, 64), skip=skip, dtype="float32", random_state=0)
    pruned = prune(estimator.fit(X, y), 0.5, structured=True)
    small = compact(pruned)
    assert sum(sizes(small)) == 64
    assert {array.dtype.name for array in small._fits[0].state} == {"float32"}
    assert np.abs(small.predict_proba(X) - pruned.predict_proba(X)).max() < 1e-6


@pytest.mark.parametrize("settings", [{}, {"hidden_layer_sizes": ()}])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_nothing_to_remove(kind, settings):
    X, _ = data(kind)
    estimator = fitted(kind, **settings)
    small = compact(estimator)
    assert small is not estimator
    assert small.get_params() == estimator.get_params()
    for one, other in zip(small._fits[0].state, estimator._fits[0].state):
        np.testing.assert_array_equal(one, other)
        assert not np.shares_memory(one, other)
    np.testing.assert_array_equal(small.predict(X), estimator.predict(X))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_life_goes_on(kind):
    """Pickles, clones and continued fits have the small network."""
    X, y = data(kind)
    estimator = kind(**SMALL, warm_start=True).partial_fit(X, y)
    pruned = prune(estimator.fit(X, y), 0.6, structured=True)
    small = compact(pruned)
    copied = pickle.loads(pickle.dumps(small))
    np.testing.assert_array_equal(copied.predict(X), small.predict(X))
    assert small.net_.module_.architecture.layer_sizes[1:-1] == sizes(small)
    assert clone(small).fit(X, y).hidden_layer_sizes == sizes(small)
    before = small.coefs_[0].copy()
    small.partial_fit(X, y)
    assert (small.coefs_[0] != before).any()
    small.fit(X, y)
    assert len(small.loss_curve_) == 1 + 6 + 1 + 6
    assert pruned.hidden_layer_sizes == (8, 7, 6)
    assert small.sparsity_ < pruned.sparsity_


def test_a_pipeline_is_compacted_at_its_end():
    X, y = data(MLPClassifier)
    pipeline = make_pipeline(MinMaxScaler(), MLPClassifier(**SMALL)).fit(X, y)
    pruned = prune(pipeline, 0.5, structured=True)
    small = compact(pruned)
    assert sum(sizes(small[-1])) <= 11 and pruned[-1].hidden_layer_sizes == (8, 7, 6)
    np.testing.assert_allclose(small.predict_proba(X), pruned.predict_proba(X), **CLOSE)


def test_what_cannot_be_compacted():
    with pytest.raises(NotFittedError):
        compact(MLPClassifier())
    with pytest.raises(TypeError, match="must be a fitted skreg network"):
        compact(LogisticRegression())


def test_groups_of_units():
    groups = unit_groups(Architecture((4, 4, 4, 3, 3, 2, 1), skip="residual"))
    assert [(g.layers, g.n_units, g.is_fixed) for g in groups] == [
        ((0, 1), 4, True),
        ((2, 3), 3, False),
        ((4,), 2, False),
    ]
    groups = unit_groups(replace(Architecture((4, 4, 4, 1)), skip="linear"))
    assert [g.layers for g in groups] == [(0,), (1,)]


@pytest.mark.parametrize("seed", range(20))
def test_random_networks(seed):
    """Random zeros in random networks, of random depth and kind."""
    rng = np.random.default_rng(seed)
    depth = rng.integers(1, 5)
    widths = rng.integers(2, 5, depth).tolist()
    architecture = Architecture(
        (3, *widths, 2),
        rng.choice(list(ACTIVATIONS)).item(),
        [None, "before", "after"][rng.integers(3)],
        [None, "linear", "residual"][rng.integers(3)],
    )
    shapes = state_shapes(architecture)
    state = [np.abs(rng.normal(size=s)) + 0.1 for s in shapes.values()]
    for name, array in zip(shapes, state):
        if name.startswith(("weight", "bias")):
            array *= rng.choice([-1, 1], array.shape)
        if name.startswith("weight"):
            array[rng.random(array.shape) < 0.6] = 0
            array[:, rng.random(array.shape[1]) < 0.2] = 0
    smaller, (small,) = without_idle_units(architecture, [state])
    x = torch.from_numpy(rng.normal(size=(1, 50, 3)))
    one, two = (
        StackedNetwork(a, [s], torch.float64)(x)
        for a, s in ((architecture, state), (smaller, small))
    )
    np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-10)
    assert smaller.residual_layers == architecture.residual_layers


def test_networks_that_predict_together_keep_units_of_their_own():
    """As many as the one that needs most of them."""
    X, _ = data(MLPClassifier)
    settings = {"learning_rate": "cosine", "n_snapshots": 3, "hidden_layer_sizes": (8,)}
    estimator = fitted(**settings)
    for state, units in zip(estimator.snapshots_, ([0, 1, 2], [5, 6], [1, 3, 4, 7])):
        state[0][:, units] = 0
    estimator = pickle.loads(pickle.dumps(estimator))
    small = compact(estimator)
    assert sizes(small) == (6,)
    assert [len(state[1]) for state in small.snapshots_] == [6, 6, 6]
    assert_same(small, estimator, X)
