"""`prune` and `compact` of convolutional networks, whose units are channels."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from skreg import CNNClassifier, CNNRegressor, compact, prune
from skreg.networks.activations import ACTIVATIONS
from skreg.networks.architecture import BATCHNORM
from skreg.sparsity.units import named

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, y = load_digits(return_X_y=True)
X, y = X[:150], y[:150]
SMALL = {"channels": (5, 6, 4), "pool": (2, 1, 2), "hidden_layer_sizes": (9,)}
SMALL |= {"max_iter": 3, "random_state": 0}
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def sizes(estimator):
    shapes = estimator._layout.architecture.convolutions
    assert estimator.channels == tuple(shape.n_out for shape in shapes)
    assert (
        estimator._layout.architecture.layer_sizes[1:-1] == estimator.hidden_layer_sizes
    )
    return *estimator.channels, *estimator.hidden_layer_sizes


def changed(estimator, **arrays):
    network = named(estimator._layout.architecture, estimator._fits[0].state)
    for name, (index, value) in arrays.items():
        network[name][index] = value
    fit = estimator._fits[0].with_states([list(network.values())])
    return estimator._become(estimator._layout, estimator._device, [fit])


def assert_same(small, estimator):
    np.testing.assert_allclose(
        small._raw_predict(X), estimator._raw_predict(X), **CLOSE
    )


@pytest.mark.parametrize("batchnorm", [False, "before", "after"])
@pytest.mark.parametrize("activation", ["relu", "logistic", "elu"])
def test_pruned_channels_are_gone(activation, batchnorm):
    settings = {"activation": activation, "batchnorm": batchnorm}
    estimator = CNNClassifier(**SMALL, **settings).fit(X, y)
    pruned = prune(estimator, 0.5, X, y, structured=True, finetune_epochs=2)
    small = compact(pruned)
    assert sum(sizes(small)) == 12
    assert_same(small, pruned)
    assert clone(small).fit(X, y).channels == small.channels
    small.set_params(warm_start=True).fit(X, y)


@pytest.mark.parametrize("batchnorm", [False, "before", "after"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_constant_channels(activation, batchnorm):
    """Into dense layers they fold, into padded ones only if they are zero."""
    settings = {"activation": activation, "batchnorm": batchnorm}
    estimator = changed(
        CNNRegressor(**SMALL, **settings).fit(X, y),
        weight_0=(np.s_[:, 1], 0),
        weight_2=(np.s_[:, [0, 3]], 0),
        weight_3=(np.s_[:, 4], 0),
    )
    small = compact(estimator)
    channels = sizes(small)
    assert channels[1:] == (6, 2, 8)
    before = estimator.intercepts_[0][1]
    if batchnorm == "before":
        gamma, beta, mean, var = (
            named(estimator._layout.architecture, estimator._fits[0].state)[
                f"{part}_0"
            ][0, 1]
            for part in BATCHNORM
        )
        before = gamma * (before - mean) / np.sqrt(var + 1e-5) + beta
    is_zero = activation == "relu" and batchnorm != "after" and before <= 0
    assert channels[0] == 5 - is_zero
    assert_same(small, estimator)


def test_channels_of_zeros_and_channels_without_effect():
    estimator = changed(
        CNNClassifier(**SMALL).fit(X, y),
        weight_0=(np.s_[:, 1], 0),
        bias_0=(np.s_[:, 1], 0),
        # The third channel is read by nobody.
        weight_1=(np.s_[18:27], 0),
        weight_2=(np.s_[9:18], 0),
        weight_3=(np.s_[2::4], 0),
    )
    small = compact(estimator)
    assert sizes(small) == (3, 5, 3, 9)
    assert_same(small, estimator)


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": (6, 6), "pool": 1, "hidden_layer_sizes": (8, 8)},
        {"channels": (4, 6), "pool": (4, 1), "hidden_layer_sizes": (24, 24)},
        {"channels": (1,), "pool": 1},
        {"channels": (3,), "pool": 2, "hidden_layer_sizes": ()},
        {"channels": (6, 6), "kernel_size": 1, "pool": 1, "activation": "tanh"},
        {"skip": "linear"},
        {"learning_rate": "cosine", "n_snapshots": 2},
    ],
)
def test_other_networks(settings):
    estimator = CNNClassifier(**(SMALL | {"skip": "residual"} | settings)).fit(X, y)
    pruned = prune(estimator, 0.6, structured=True)
    small = compact(pruned)
    assert_same(small, pruned)
    architectures = small._layout.architecture, pruned._layout.architecture
    assert len({a.residual_layers for a in architectures}) == 1
    if "n_snapshots" not in settings:
        assert sum(sizes(small)) < sum(sizes(compact(estimator)))


def test_gradual_pruning():
    estimator = CNNClassifier(**SMALL, pruning=0.9).fit(X, y)
    n_weights = sum(coef.size for coef in estimator.coefs_)
    zeros = n_weights - sum(map(np.count_nonzero, estimator.coefs_))
    assert zeros == int(np.ceil(round(0.9 * n_weights, 6)))
    assert_same(compact(estimator), estimator)


def test_each_layer_loses_the_same_share():
    """Also where the weights of one are much smaller than those of another."""
    estimator = CNNClassifier(**SMALL).fit(X, y)
    estimator = changed(estimator, weight_1=(..., estimator.coefs_[1] / 100))
    small = compact(prune(estimator, 0.5, structured=True))
    # Of 5, 6, 4 and 9 half, rounded down, and 24 / 2 together.
    assert all(n in (half, half + 1) for n, half in zip(sizes(small), (2, 3, 2, 4)))
    assert sum(sizes(small)) == 12
