"""One fit, step by step, against a training loop written with torch's own parts."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from _numeric import request_of, unpolished
from sklearn.datasets import make_classification, make_regression
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from sklearn.preprocessing import StandardScaler
from torch import nn

from skreg import MLPClassifier, MLPRegressor
from skreg.architecture import Architecture
from skreg.augment import INIT, ORDER, Noise, Streams
from skreg.batches import Batch
from skreg.modules import initial_state

pytestmark = pytest.mark.filterwarnings(
    # The fits are cut off on purpose.
    "ignore::sklearn.exceptions.ConvergenceWarning"
)

SEED, N_ROWS, N_FEATURES = 3, 61, 6
ACTIVATION_LAYERS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "leaky_relu": nn.LeakyReLU,
}


class Mask(nn.Module):
    """Dropout with masks that the test hands over before each batch."""

    mask = None

    def forward(self, x):
        return x if self.mask is None else x * self.mask


class Reference:
    """A network of torch.nn and a loop over torch.optim, for one estimator."""

    def __init__(self, estimator, X, y, weight):
        self.params = estimator.get_params()
        self.dtype = getattr(torch, self.params["dtype"] or X.dtype.name)
        self.streams = Streams(self.params["random_state"])
        self.is_classifier = isinstance(estimator, MLPClassifier)
        self.n_classes = len(np.unique(y))
        if self.params["standardize"]:
            X = StandardScaler().fit(X, sample_weight=weight).transform(X)
            if not self.is_classifier:
                scaler = StandardScaler().fit(
                    y.reshape(len(y), -1), sample_weight=weight
                )
                y = scaler.transform(y.reshape(len(y), -1)).reshape(y.shape)
        self.X = torch.tensor(X, dtype=self.dtype)
        kind = torch.int64 if self.is_classifier and self.n_classes > 2 else self.dtype
        self.y = torch.tensor(y, dtype=kind)
        ones = np.ones(len(y)) if weight is None else weight / weight.mean()
        self.weight = torch.tensor(ones, dtype=self.dtype)
        self.make_network()
        self.make_optimizer()

    def make_network(self):
        params = self.params
        if not self.is_classifier:
            n_outputs = 1 if self.y.ndim == 1 else self.y.shape[1]
        else:
            n_outputs = self.n_classes if self.n_classes > 2 else 1
        hidden = params["hidden_layer_sizes"]
        norm = {False: None, True: "before"}.get(
            params["batchnorm"], params["batchnorm"]
        )
        architecture = Architecture(
            (self.X.shape[1], *hidden, n_outputs), params["activation"], norm
        )
        state = initial_state(architecture, self.streams[INIT], np.float64)
        self.widths = hidden
        self.linears, self.norms, self.masks, layers = [], [], [], []
        for i in range(len(hidden) + 1):
            weight, bias = state[i], state[len(hidden) + 1 + i]
            linear = nn.Linear(*weight.shape, dtype=self.dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight.T))
                linear.bias.copy_(torch.tensor(bias[0]))
            self.linears.append(linear)
            layers.append(linear)
            if i < len(hidden):
                tail = [ACTIVATION_LAYERS[params["activation"]]()]
                if norm:
                    self.norms.append(nn.BatchNorm1d(hidden[i], dtype=self.dtype))
                    tail.insert(0 if norm == "before" else 1, self.norms[-1])
                self.masks.append(Mask())
                layers += [*tail, self.masks[-1]]
        self.network = nn.Sequential(*layers)

    def make_optimizer(self):
        params = self.params
        weights = [linear.weight for linear in self.linears]
        others = [
            p for p in self.network.parameters() if all(p is not w for w in weights)
        ]
        decay = params["weight_decay"]
        groups = [
            {"params": weights, "weight_decay": decay},
            {"params": others, "weight_decay": 0.0},
        ]
        if params["solver"] == "adam":
            self.optimizer = torch.optim.AdamW(
                groups,
                lr=params["learning_rate_init"],
                betas=(params["beta_1"], params["beta_2"]),
                eps=params["epsilon"],
            )
        else:
            # torch's SGD has no decoupled decay.
            self.optimizer = torch.optim.SGD(
                [*weights, *others],
                lr=params["learning_rate_init"],
                momentum=params["momentum"],
                nesterov=params["nesterovs_momentum"] and params["momentum"] > 0,
            )
        self.weights, self.decay = weights, decay

    def row_losses(self, score, y):
        smoothing = self.params.get("label_smoothing", 0.0)
        if self.is_classifier and self.n_classes > 2:
            return nn.functional.cross_entropy(
                score, y, reduction="none", label_smoothing=smoothing
            )
        if self.is_classifier:
            soft = y * (1 - smoothing) + smoothing / 2
            return nn.functional.binary_cross_entropy_with_logits(
                score[:, 0], soft, reduction="none"
            )
        y = y.reshape(score.shape)
        name = self.params["loss"]
        if name == "squared_error":
            losses = nn.functional.mse_loss(score, y, reduction="none") / 2
        elif name == "absolute_error":
            losses = nn.functional.l1_loss(score, y, reduction="none")
        elif name == "huber":
            losses = nn.functional.huber_loss(score, y, reduction="none")
        else:
            losses = nn.functional.poisson_nll_loss(score, y, reduction="none")
        return losses.sum(1)

    def penalty(self):
        l2 = np.broadcast_to(self.params["l2"], len(self.weights)).tolist()
        return sum(s * (w**2).sum() for s, w in zip(l2, self.weights))

    def step(self, rows):
        """Take one step and return the mean loss of the batch, without the penalty."""
        x, y, weight = self.X[rows], self.y[rows], self.weight[rows]
        self.draw_masks(len(rows))
        self.optimizer.zero_grad()
        loss = (weight * self.row_losses(self.network(x), y)).sum() / len(rows)
        (loss + self.penalty()).backward()
        params = self.params
        if params["clip_norm"]:
            nn.utils.clip_grad_norm_(self.network.parameters(), params["clip_norm"])
        with torch.no_grad():
            if params["solver"] == "sgd":
                for w in self.weights:
                    w *= 1 - self.optimizer.param_groups[0]["lr"] * self.decay
            self.optimizer.step()
            if params["max_norm"]:
                for w in self.weights:
                    # Rows are a unit's weights here. (torch.renorm adds 1e-7.)
                    for unit in w:
                        unit *= min(1, params["max_norm"] / unit.norm())
        return loss.item()

    def draw_masks(self, n_rows):
        """Take the masks from the model's streams; what they do is torch's business."""
        rates = np.broadcast_to(self.params["dropout"], len(self.masks)).tolist()
        if not any(rates):
            return
        off = torch.zeros(1, dtype=self.dtype)
        noise = Noise(torch.tensor([rates], dtype=self.dtype), *[off] * 8)
        x = torch.zeros(1, n_rows, 1, dtype=self.dtype)
        batch = Batch(x, x, None, [n_rows], torch.ones(1))
        masks = noise.masks(batch, [self.streams], self.widths)
        for module, mask in zip(self.masks, masks):
            module.mask = mask[0]

    def fit(self):
        """Train as documented; return the loss curve and the learning rates."""
        params, n = self.params, len(self.X)
        size = 200 if params["batch_size"] == "auto" else params["batch_size"]
        bounds = [*range(0, n, size), n]
        if params["batchnorm"] and n - bounds[-2] == 1:
            del bounds[-2]
        curve, rates, waited, best = [], [], 0, math.inf
        rate = params["learning_rate_init"]
        order = np.arange(n)
        for epoch in range(params["max_iter"]):
            if params["shuffle"] and len(bounds) > 2:
                order = self.streams[ORDER].permutation(np.arange(n))
            value = self.penalty().item() if any(np.ravel(params["l2"])) else 0.0
            for start, stop in pairwise(bounds):
                value += self.step(order[start:stop]) * (stop - start) / n
            curve.append(value)
            rates.append(rate)
            waited = waited + 1 if value > best - params["tol"] else 0
            best = min(best, value)
            if params["learning_rate"] == "invscaling":
                rate = params["learning_rate_init"] / math.sqrt((epoch + 1) * n + 1)
            if waited > params["n_iter_no_change"]:
                if params["learning_rate"] != "adaptive" or rate <= 1e-6:
                    break
                rate, waited = rate / 5, 0
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        return curve, rates


def data(n_classes=3, n_rows=N_ROWS):
    """Return inputs of different scales, and classes or (n_classes=0) numbers."""
    if n_classes:
        X, y = make_classification(
            n_rows, N_FEATURES, n_informative=4, n_classes=n_classes, random_state=0
        )
    else:
        X, y = make_regression(n_rows, N_FEATURES, noise=5.0, random_state=0)
    return X * np.arange(1, N_FEATURES + 1) + 1, y


def assert_same_fit(estimator, X, y, weight=None, tolerance=1e-10):
    """Fit both and compare curves and all arrays; return the loss curve and rates."""
    # In float64 the rounding of some hundred steps of networks as small as these stays
    # near 1e-13; Adam divides it by the root of a second moment, which can be small.
    with unpolished():
        estimator.fit(X, y, sample_weight=weight)
    reference = Reference(estimator, X, y, weight)
    curve, rates = reference.fit()
    assert len(curve) == estimator.n_iter_
    close = dict(rtol=tolerance, atol=tolerance)
    if getattr(estimator, "loss", None) == "poisson":
        # torch leaves out what does not depend on the score.
        left_out = y * np.log(np.where(y > 0, y, 1)) - y
        curve = curve + np.average(left_out, weights=weight)
    np.testing.assert_allclose(estimator.loss_curve_, curve, **close)
    for layer, linear in enumerate(reference.linears):
        coef, intercept = linear.weight.detach().T, linear.bias.detach()
        np.testing.assert_allclose(estimator.coefs_[layer], coef, **close)
        if layer == len(reference.linears) - 1 or estimator.batchnorm not in (
            True,
            "before",
        ):
            np.testing.assert_allclose(estimator.intercepts_[layer], intercept, **close)
    return np.array(curve), rates


def network(kind, **params):
    defaults = dict(
        hidden_layer_sizes=(8, 5),
        activation="tanh",
        learning_rate_init=0.01,
        batch_size=16,
        max_iter=15,
        tol=0.0,
        random_state=SEED,
    )
    return kind(**(defaults | params))


ADAM = {"solver": "adam"}
SGD = {"solver": "sgd", "learning_rate_init": 0.05}
SETTINGS = {
    "plain": {},
    "epsilon": {"epsilon": 1e-3},
    "betas": {"beta_1": 0.5, "beta_2": 0.9},
    "one batch": {"batch_size": "auto"},
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
    """Return scikit-learn's network with the weights that an estimator starts from."""
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
    "adam": dict(solver="adam", batch_size=16, epsilon=1e-14),
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
