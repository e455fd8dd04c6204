"""One fit, step by step, against a training loop written with torch's own parts."""

import numpy as np
import pytest
import torch
from _loop import ACTIVATION_LAYERS, Reference, assert_same_fit, data, network
from _numeric import request_of
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, MLPRegressor
from skreg.data.random_streams import INIT, Streams
from skreg.networks.initial import initial_state

pytestmark = pytest.mark.filterwarnings(
    # The fits are cut off on purpose.
    "ignore::sklearn.exceptions.ConvergenceWarning"
)

ADAM = {"solver": "adam"}
SGD = {"solver": "sgd", "learning_rate_init": 0.05}
SETTINGS = {
    "plain": {},
    "epsilon": {"epsilon": 1e-3},
    "betas": {"beta_1": 0.5, "beta_2": 0.9},
    "one batch": {"batch_size": 200},
    "batches of 32": {"batch_size": "auto"},
    "flat_cosine": {"learning_rate": "flat_cosine"},
    "in order": {"shuffle": False},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "l2": {"l2": 0.01},
    "l2 per layer": {"l2": [0.1, 0.0, 0.01]},
    "weight decay": {"weight_decay": 0.5},
    "batchnorm before": {"batchnorm": "before"},
    "batchnorm after": {"batchnorm": "after"},
    # The last of 61 rows joins the batch before it.
    "batchnorm, ragged": {"batchnorm": True, "batch_size": 12},
    "clip norm": {"clip_norm": 0.2},
    "max norm": {"max_norm": 0.6},
    "dropout": {"dropout": [0.3, 0.5]},
    "invscaling": {"learning_rate": "invscaling", "learning_rate_init": 0.5},
    "together": {
        "l2": 0.01,
        "weight_decay": 0.1,
        "batchnorm": "after",
        "clip_norm": 1.0,
        "max_norm": 0.8,
        "dropout": 0.2,
        "label_smoothing": 0.1,
        "learning_rate": "invscaling",
        "learning_rate_init": 0.3,
    },
}


@pytest.mark.parametrize("solver", [ADAM, SGD], ids=["adam", "sgd"])
@pytest.mark.parametrize("name", SETTINGS)
def test_classifier(name, solver):
    assert_same_fit(network(MLPClassifier, **(solver | SETTINGS[name])), *data())


@pytest.mark.parametrize("n_rows", [20, 61, 200])
@pytest.mark.parametrize("kind, n_classes", [(MLPClassifier, 3), (MLPRegressor, 0)])
def test_the_defaults(kind, n_classes, n_rows):
    """Batches of 32, 50 steps or more, at a rate of 0.01 that falls in the second half.

    Of a smooth network: rounding decides for a rectifier near its kink.
    """
    X, y = data(n_classes, n_rows)
    estimator = kind(activation="tanh", random_state=0)
    assert_same_fit(estimator, X, y)
    assert_same_fit(estimator.set_params(clip_norm=None), X, y)


@pytest.mark.parametrize("params", [{"momentum": 0.0}, {"nesterovs_momentum": False}])
def test_momentum(params):
    assert_same_fit(network(MLPClassifier, **SGD, **params), *data())


@pytest.mark.parametrize("activation", ACTIVATION_LAYERS)
def test_activation(activation):
    assert_same_fit(network(MLPClassifier, activation=activation), *data())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("batchnorm", [False, True])
def test_label_smoothing_and_sample_weights(n_classes, batchnorm):
    """Without weights under batchnorm, for which torch has none."""
    X, y = data(n_classes)
    weight = None
    if not batchnorm:
        weight = np.random.default_rng(0).uniform(0.1, 3, len(y))
    estimator = network(MLPClassifier, label_smoothing=0.2, batchnorm=batchnorm)
    assert_same_fit(estimator, X, y, weight)


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "poisson"]
)
@pytest.mark.parametrize("weighted", [False, True])
def test_regressor(loss, weighted):
    X, y = data(0)
    standardize = loss != "poisson"
    if not standardize:
        X, y = X / 10, np.random.default_rng(1).poisson(np.exp(y / 200)).astype(float)
    weight = np.random.default_rng(0).uniform(0.1, 3, len(y)) if weighted else None
    assert_same_fit(
        network(MLPRegressor, loss=loss, standardize=standardize, l2=1e-3), X, y, weight
    )


def test_several_outputs():
    X, y = data(0)
    assert_same_fit(network(MLPRegressor), X, np.c_[y, X[:, 0] * X[:, 1]])


def test_adaptive_schedule_and_the_end_of_patience():
    estimator = network(
        MLPClassifier,
        solver="sgd",
        learning_rate="adaptive",
        learning_rate_init=1e-4,
        tol=0.02,
        n_iter_no_change=2,
        max_iter=100,
    )
    _, rates = assert_same_fit(estimator, *data())
    # Divided by five until it is below 1e-6, then three more epochs.
    assert len(set(np.round(np.log(rates), 6))) == 4
    assert estimator.n_iter_ < 100


def test_float32():
    """The rounding of float32 is 6e-8 a step, and the fit is short."""
    X, y = data()
    estimator = network(MLPClassifier, dtype="float32", max_iter=4, standardize=False)
    assert_same_fit(estimator, StandardScaler().fit_transform(X), y, tolerance=1e-5)


@pytest.mark.parametrize("batchnorm", ["before", "after"])
def test_running_statistics(batchnorm):
    """Predictions are torch's, once its running variance is the population's."""
    X, y = data(n_rows=64)  # full batches, so that the correction is a constant
    estimator = network(MLPClassifier, batchnorm=batchnorm, hidden_layer_sizes=(8,))
    estimator.fit(X, y)
    reference = Reference(estimator, X, y, None)
    reference.fit()
    (norm,) = reference.norms
    n_steps = 15 * 4
    start = (1 - norm.momentum) ** n_steps  # what is left of the initial variance of 1
    norm.running_var = (norm.running_var - start) * 15 / 16 + start
    if batchnorm == "before":
        # torch's bias wanders with the rounding errors that are its gradient.
        bias = torch.tensor(estimator.intercepts_[0])
        assert (reference.linears[0].bias - bias).abs().max().item() < 1e-8
    reference.network.eval()
    score = reference.network(reference.X).detach()
    np.testing.assert_allclose(
        estimator.decision_function(X), score, rtol=1e-9, atol=1e-9
    )


def with_initial_weights(kind, estimator, X, y, **params):
    """Return scikit-learn's network with the initial weights of an estimator."""
    request = request_of(estimator, X, y)
    state = initial_state(request.architecture, Streams(request.seed)[INIT], np.float64)
    mlp = kind(
        hidden_layer_sizes=estimator.hidden_layer_sizes,
        activation=estimator.activation,
        solver=estimator.solver,
        learning_rate_init=estimator.learning_rate_init,
        max_iter=1,
        tol=0.0,
        alpha=0.0,
        n_iter_no_change=1000,
        shuffle=False,
        warm_start=True,
        batch_size=min(estimator.batch_size, len(y)),
        **params,
    )
    mlp.fit(X, y)
    n = len(estimator.hidden_layer_sizes) + 1
    mlp.coefs_ = [array.copy() for array in state[:n]]
    mlp.intercepts_ = [array[0].copy() for array in state[n : 2 * n]]
    mlp.loss_curve_ = []
    return mlp.set_params(max_iter=estimator.max_iter)


CASES = {
    "sgd, one batch": dict(solver="sgd", batch_size=1000),
    "sgd, batches": dict(solver="sgd", batch_size=16),
    "sgd, no nesterov": dict(solver="sgd", batch_size=16, nesterovs_momentum=False),
    # scikit-learn adds epsilon before the correction of the second moment, so the two
    # coincide where it does not count.
    "adam": dict(solver="adam", batch_size=16, epsilon=1e-16),
}


@pytest.mark.parametrize("n_classes", [0, 2, 3])
@pytest.mark.parametrize(
    "case, activation",
    [
        (case, activation)
        for case in CASES
        for activation in ("tanh", "logistic", "relu")
        # A rectifier that is off has no gradient, and 0 / 0 needs an epsilon.
        if (case, activation) != ("adam", "relu")
    ],
)
def test_scikit_learn_takes_the_same_steps(case, activation, n_classes):
    params = CASES[case]
    X, y = data(n_classes)
    X = StandardScaler().fit_transform(X)
    kinds = (MLPClassifier, SklearnMLPClassifier)
    if n_classes == 0:
        y, kinds = y / np.std(y), (MLPRegressor, SklearnMLPRegressor)
    estimator = network(
        kinds[0],
        activation=activation,
        shuffle=False,
        standardize=False,
        learning_rate_init=0.02,
        **params,
    )
    others = {k: v for k, v in params.items() if k not in ("solver", "batch_size")}
    mlp = with_initial_weights(kinds[1], estimator, X, y, **others)
    estimator.fit(X, y)
    mlp.fit(X, y)
    tolerance = dict(rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(estimator.loss_curve_, mlp.loss_curve_, **tolerance)
    for layer in range(3):
        np.testing.assert_allclose(
            estimator.coefs_[layer], mlp.coefs_[layer], **tolerance
        )
        np.testing.assert_allclose(
            estimator.intercepts_[layer], mlp.intercepts_[layer], **tolerance
        )


def test_l2_is_scikit_learns_alpha():
    """With one batch, l2 = alpha / (2 n)."""
    X, y = data()
    X = StandardScaler().fit_transform(X)
    estimator = network(
        MLPClassifier,
        solver="sgd",
        batch_size=1000,
        standardize=False,
        shuffle=False,
        l2=3.0 / (2 * len(y)),
    )
    mlp = with_initial_weights(SklearnMLPClassifier, estimator, X, y)
    mlp.set_params(alpha=3.0).fit(X, y)
    estimator.fit(X, y)
    np.testing.assert_allclose(estimator.loss_curve_, mlp.loss_curve_, rtol=1e-10)
    for coef, other in zip(estimator.coefs_, mlp.coefs_):
        np.testing.assert_allclose(coef, other, rtol=1e-10, atol=1e-11)
