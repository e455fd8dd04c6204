"""Standardising and regularisers of convolutions, alone and in stacks."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from _fitted import others_of
from _images import SMALL, images, targets
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch.nn import functional

from skreg import CNNClassifier, CNNRegressor, fused
from skreg.data.moments import Moments
from skreg.networks.architecture import Architecture, convolution_shapes
from skreg.networks.initial import initial_state
from skreg.networks.layers import ChannelDropout, ChannelNorm
from skreg.networks.stacked import StackedNetwork
from skreg.penalties.kinds import GroupLasso

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = (CNNClassifier, CNNRegressor)


def test_channels_are_standardised():
    X, y = images()
    X[..., 1] = X[..., 1] * 50 - 7
    X[:, 0, 0] = 3  # a pixel that never changes
    weight = np.arange(len(X)) % 3.0
    estimator = CNNRegressor(**SMALL).fit(X, y, sample_weight=weight)
    seen = X.repeat(weight.astype(int), 0)
    offset, scale = seen.mean((0, 1, 2)), seen.std((0, 1, 2))
    for found, of_channel in (
        (estimator.feature_offset_, offset),
        (estimator.feature_scale_, scale),
    ):
        expected = np.broadcast_to(of_channel, X.shape[1:]).ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_robust_channels():
    X, y = images()
    X[..., 1] = X[..., 1] * 50 - 7
    estimator = CNNRegressor(standardize="robust", **SMALL).fit(X, y)
    levels = np.quantile(X, [0.25, 0.5, 0.75], (0, 1, 2), method="inverted_cdf")
    np.testing.assert_allclose(estimator.feature_offset_[:2], levels[1])
    np.testing.assert_allclose(estimator.feature_scale_[-2:], levels[2] - levels[0])
    twice = CNNRegressor(standardize="robust", **SMALL)
    twice.fit(X, y, sample_weight=np.full(len(X), 2.0))
    np.testing.assert_allclose(twice.feature_scale_, estimator.feature_scale_)


def test_a_constant_channel():
    X, _ = images()
    X[..., 0] = 0.1
    rows, index = X.reshape(len(X), -1), np.arange(len(X))
    moments = Moments.of(rows, index, None)
    offset, scale = moments.channel_standardisation(rows.dtype, 2)
    np.testing.assert_allclose(offset[::2], 0.1)
    assert (scale[::2] == 1).all() and (scale[1::2] > 1).all()


def test_sparse_rows():
    """Scaled only, as everywhere."""
    X, y = images()
    rows = np.where(X > 1, X, 0).reshape(len(X), -1)
    sparse = CNNRegressor(image_shape=(6, 8, 2), **SMALL).fit(sp.csr_array(rows), y)
    assert sparse.feature_offset_ is None
    dense = CNNRegressor(image_shape=(6, 8, 2), standardize=False, **SMALL)
    scaled = rows / sparse.feature_scale_
    dense.fit(scaled, (y - y.mean()) / y.std())
    expected = dense.predict(scaled) * y.std() + y.mean()
    np.testing.assert_allclose(sparse.predict(sp.csr_array(rows)), expected, rtol=1e-9)


STACKS = {
    "l2": {"l2": [0.0, 0.01, 0.1]},
    "dropout": {"dropout": [0.0, 0.2, 0.5]},
    "l1": {"l1": [0.0, 1e-3]},
    "group_l1": {"group_l1": [1e-3, 1e-2], "max_iter": [2]},
    "max_norm": {"max_norm": [0.5, None], "learning_rate_init": [0.01, 0.001]},
    "batchnorm": {"batchnorm": ["before", "after"], "dropout": [0.0, 0.3]},
    "noise": {"input_noise": [0.0, 0.3], "mixup": [0.2], "cutout": [0.1]},
    "adversarial": {"adversarial": [0.05, 0.1], "dropout": [0.2]},
    "skip": {"skip": ["linear"], "stochastic_depth": [0.0, 0.2]},
    "residual": {
        "channels": [(2, 2)],
        "pool": [1],
        "skip": ["residual"],
        "stochastic_depth": [0.0, 0.2],
    },
    "gelu": {"activation": ["gelu", "tanh"], "dropout": [0.2, 0.3]},
    "averages": {"ema_decay": [0.0, 0.9], "label_smoothing": [0.0, 0.1]},
    "lbfgs": {"solver": ["lbfgs"], "l2": [0.01, 0.1], "max_iter": [6]},
    "structure": {"kernel_size": [2, 3], "pool": [1, 2], "init": ["scaled"]},
}


@pytest.mark.parametrize("name", STACKS)
def test_a_stack_is_its_single_fits(name):
    X, y = images(51)  # folds of unequal size
    y = targets(CNNClassifier, y)
    search = GridSearchCV(
        CNNClassifier(**(SMALL | {"batch_size": 13})), STACKS[name], cv=2,
        scoring="neg_log_loss",
    )  # fmt: skip
    rows = X.reshape(len(X), -1)
    search.set_params(estimator__image_shape=(6, 8, 2))
    alone = clone(search).fit(rows, y)
    with fused():
        together = clone(search).fit(rows, y)
    for split in range(2):
        key = f"split{split}_test_score"
        np.testing.assert_allclose(
            together.cv_results_[key], alone.cv_results_[key], rtol=1e-9
        )
    one, other = alone.best_estimator_, together.best_estimator_
    for a, b in zip(one.coefs_, other.coefs_):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("skip", [None, "linear", "residual"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_gradients_are_those_of_autograd(activation, skip):
    """Of the parameters and, for adversarial training, of the inputs."""
    shapes = convolution_shapes((6, 5, 2), (3, 3), (3, 2), (2, 1))
    sizes = (shapes[-1].n_outputs, 4, 2)
    architecture = Architecture(sizes, activation, None, skip, convolutions=shapes)
    rng = np.random.default_rng(0)
    states = [initial_state(architecture, rng, np.float64) for _ in range(3)]
    network = StackedNetwork(architecture, states, torch.float64).prepare_training()
    x = torch.from_numpy(rng.normal(size=(3, 7, 60))).requires_grad_()
    gradient = torch.from_numpy(rng.normal(size=(3, 7, 2)))
    parameters = list(network.parameters())
    leaves = [x, *(parameter.requires_grad_() for parameter in parameters)]
    expected = torch.autograd.grad(network(x), leaves, gradient)
    with torch.no_grad():
        _, tape = network.forward_training(x.detach())
        of_x = network.input_gradient(gradient.clone(), tape)
        found = [of_x] + [parameter.grad.clone() for parameter in parameters]
        # Without that of the inputs those of the parameters are the same.
        _, tape = network.forward_training(x.detach())
        network.backward(gradient.clone(), tape)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    for parameter, other in zip(parameters, expected[1:], strict=True):
        torch.testing.assert_close(parameter.grad, other, rtol=0, atol=1e-12)


def test_normalisation_of_channels():
    """Over rows and pixels, with a weight of 2 for a row given twice."""
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(2, 4, 6 * 3)))
    gamma, beta = (torch.from_numpy(rng.normal(size=(2, 1, 3))) for _ in range(2))
    gamma, beta = (torch.nn.Parameter(part, False) for part in (gamma, beta))
    gamma.grad, beta.grad = torch.zeros(2, 1, 3).double(), torch.zeros(2, 1, 3).double()
    gradient = torch.from_numpy(rng.normal(size=x.shape))
    for weight, repeats in ((None, [1] * 4), ([0.5, 1.0, 0.5, 0.0], [1, 2, 1, 0])):
        layer = ChannelNorm(gamma, beta, torch.zeros(2, 1, 3), torch.ones(2, 1, 3))
        layer.running_mean, layer.running_var = (
            part.double() for part in (layer.running_mean, layer.running_var)
        )
        given = weight and torch.tensor(weight).double().view(1, 4, 1).expand(2, -1, -1)
        output, saved = layer.forward(x.clone(), given, ())
        # A row of weight zero takes no part in the loss.
        times = torch.tensor(repeats)
        own = gradient * (times > 0).view(1, 4, 1)
        passed = layer.backward(own.clone(), saved, True)
        for model in range(2):
            leaf = x[model].clone().requires_grad_()
            rows = leaf.repeat_interleave(times, 0).view(-1, 6, 3).permute(0, 2, 1)
            expected = functional.batch_norm(
                rows, None, None, gamma[model, 0], beta[model, 0], training=True
            ).permute(0, 2, 1)
            expected = expected.reshape(-1, 18)
            shares = own[model] / times.clamp(min=1).view(4, 1)
            (of_leaf,) = torch.autograd.grad(
                expected, leaf, shares.repeat_interleave(times, 0)
            )
            kept = output[model].repeat_interleave(times, 0)
            torch.testing.assert_close(kept, expected.detach(), rtol=0, atol=1e-12)
            torch.testing.assert_close(passed[model], of_leaf, rtol=0, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("batchnorm", [False, "before", "after"])
def test_order_of_the_layers(activation, batchnorm):
    """Convolution, batch norm or not, activation, batch norm or not, pooling."""
    X, y = images()
    settings = SMALL | {"channels": 3, "hidden_layer_sizes": ()}
    settings |= {"activation": activation, "batchnorm": batchnorm}
    fitted = CNNRegressor(standardize=False, **settings).fit(X, y)
    shape = fitted._layout.architecture.convolutions[0]
    x = torch.from_numpy(X).permute(0, 3, 1, 2)
    filters = torch.from_numpy(fitted.filters_[0]).permute(3, 2, 0, 1)
    bias = torch.from_numpy(fitted.intercepts_[0])
    x = functional.conv2d(x, filters, bias, padding=1)

    def norm(x):
        gamma, beta, mean, var = map(torch.from_numpy, others_of(fitted))
        return functional.batch_norm(x, mean[0], var[0], gamma[0], beta[0])

    x = norm(x) if batchnorm == "before" else x
    x = getattr(torch, activation, getattr(functional, activation, None))(x)
    x = norm(x) if batchnorm == "after" else x
    x = functional.max_pool2d(x, shape.pool).permute(0, 2, 3, 1).flatten(1)
    expected = x.numpy() @ fitted.coefs_[1] + fitted.intercepts_[1]
    np.testing.assert_allclose(fitted.predict(X), expected[:, 0], rtol=1e-10)


def test_group_l1_drops_channels():
    """The groups are the channels of the input. One of them is pure noise.

    There is no pooling, which has kinks at which the gradient does not vanish.
    """
    X, y = images(40, (4, 4, 2))
    X[..., 1] = np.random.default_rng(1).normal(size=X.shape[:3])
    settings = {"channels": 2, "hidden_layer_sizes": (), "solver": "lbfgs"}
    settings |= {"activation": "tanh", "max_iter": 2000, "random_state": 0, "pool": 1}
    fitted = CNNRegressor(group_l1=0.3, l2=(0, 0.1), **settings).fit(X, y)
    assert fitted.kkt_violation_ <= 1e-6
    used = np.array([np.any(fitted.filters_[0][:, :, c] != 0) for c in range(2)])
    np.testing.assert_array_equal(used, [True, False])
    np.testing.assert_array_equal(fitted.support_, np.tile(used, 16))
    norms = np.linalg.norm(fitted.coefs_[0].reshape(2, -1), axis=1)
    np.testing.assert_allclose(fitted.feature_importances_, np.tile(norms, 16))
    assert GroupLasso(torch.tensor([1.0]), 9).value(
        torch.from_numpy(fitted.coefs_[0][None])
    ).item() == pytest.approx(norms.sum())


def test_max_norm_is_that_of_a_filter():
    X, y = images()
    fitted = CNNRegressor(max_norm=0.3, **SMALL).fit(X, y)
    for filters in fitted.filters_:
        norms = np.linalg.norm(filters.reshape(-1, filters.shape[3]), axis=0)
        assert (norms <= 0.3 + 1e-12).all() and norms.max() > 0.29


def test_l1_zeros_of_filters():
    X, y = images(40, (4, 4, 2))
    settings = {"channels": 2, "hidden_layer_sizes": (), "activation": "tanh"}
    settings |= {"max_iter": 2000, "pool": 1, "solver": "lbfgs", "l2": (0, 0.1)}
    fitted = CNNRegressor(l1=(0.05, 0), random_state=0, **settings).fit(X, y)
    assert 0 < (fitted.coefs_[0] == 0).mean() and (fitted.coefs_[1] != 0).all()
    assert fitted.kkt_violation_ <= 1e-6


def test_pooling_is_not_polished():
    """Its objective has kinks; the zeros are those of the steps."""
    X, y = images()
    fitted = CNNRegressor(l1=0.01, **(SMALL | {"max_iter": 10})).fit(X, y)
    assert fitted.n_iter_ == 10 and 0.02 < fitted.sparsity_ < 1
    assert fitted.kkt_violation_ > 1e-6
    settings = SMALL | {"max_iter": 10, "pool": 1, "hidden_layer_sizes": ()}
    assert CNNRegressor(l1=0.01, **settings).fit(X, y).n_iter_ > 10


def test_dropout_of_channels():
    """A channel is dropped at all of its pixels, or at none."""
    layer, x = ChannelDropout(), torch.ones(2, 3, 4 * 5, dtype=torch.float64)
    mask = torch.tensor([0.0, 2.0, 2.0, 0.0, 2.0]).double().expand(2, 3, 5)
    output, saved = layer.forward(x, None, [mask])
    torch.testing.assert_close(output, mask.repeat(1, 1, 4))
    torch.testing.assert_close(layer.backward(x, saved, True), mask.repeat(1, 1, 4))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("skip", ["linear", "residual"])
def test_skips_are_differentiated(kind, skip):
    """solver="lbfgs" reaches an optimum only with the right gradients."""
    X, y = images(40, (4, 4, 1))
    settings = {"channels": (2, 2), "pool": 1, "hidden_layer_sizes": (3, 3)}
    settings |= {"skip": skip, "solver": "lbfgs", "l2": 0.05, "activation": "tanh"}
    fitted = kind(max_iter=2000, tol=1e-6, random_state=0, **settings)
    fitted.fit(X, targets(kind, y))
    assert fitted.kkt_violation_ <= 1e-6
    expected = [3] if skip == "linear" else [1, 3]
    if skip == "residual":
        assert list(fitted._layout.architecture.residual_layers) == expected
    else:
        assert fitted.skip_coef_.shape == (16, fitted.n_outputs_)
        assert (fitted.skip_coef_ != 0).all()


@pytest.mark.parametrize("batchnorm", [False, True, "after"])
def test_gradients_in_another_order(batchnorm):
    """Those of a dense layer for two rows lie with the rows side by side."""
    X, y = np.array([[0.1, -0.1], [0.6, 0.2]]), np.array([1, 2])
    settings = {"batchnorm": batchnorm, "pool": 1, "max_iter": 3, "dropout": 0.2}
    fitted = CNNClassifier(random_state=0, **settings).fit(X, y)
    assert np.isfinite(fitted.predict_proba(X)).all()
