"""The full objective: its value by its formula, its gradient by finite differences."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from _numeric import derivative
from _versions import elastic_net
from scipy.special import log_softmax
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import Lasso, LogisticRegression, MultiTaskLasso
from sklearn.preprocessing import StandardScaler

from skreg.data.batches import Batches, Pool
from skreg.data.random_streams import Streams
from skreg.data.rows import Rows
from skreg.data.scaling import StackedScaling
from skreg.losses.kinds import LogLoss
from skreg.networks.architecture import Architecture
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork
from skreg.penalties.combined import Penalties
from skreg.penalties.kinds import PENALTIES
from skreg.training.noise import Noise
from skreg.training.objective import Objective

N_MODELS, SIZES = 2, (3, 4, 3)


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def stack(size):
    """Return an objective of two models and their rows."""
    rng = np.random.default_rng(0)
    architecture = Architecture(SIZES, "tanh")
    states = [initial_state(architecture, rng, np.float64) for _ in range(N_MODELS)]
    module = StackedNetwork(architecture, states, torch.float64).prepare_training()
    parts = []
    for n in (11, 7):
        X, y = rng.standard_normal((n, 3)), np.eye(3)[rng.integers(3, size=n)]
        parts.append(Rows(X, y, rng.uniform(0.1, 3, n), np.arange(1, n)))
    pool = Pool(parts, torch.float64, "cpu")
    batches = Batches(pool, pool.indices, StackedScaling(), size)
    off = torch.zeros(N_MODELS, dtype=torch.float64)
    smoothing = torch.tensor([0.0, 0.2], dtype=torch.float64)
    noise = Noise(off.view(-1, 1), off, off, smoothing, *[off] * 5)
    on = {
        "l1": [[0.3, 0.1], [0.0, 0.2]],
        "group_l1": [[0.4, 0.0], [0.0, 0.0]],
        "l2": [[0.1, 0.03], [0.0, 0.07]],
    }
    strengths = {
        kind.parameter: torch.tensor(
            on.get(kind.parameter, [[kind.off] * 2] * 2), dtype=torch.float64
        )
        for kind in PENALTIES
    }
    penalties = Penalties(strengths)
    return Objective(module, LogLoss(), penalties, batches, noise), parts


def arrays_of(module):
    return {name: p.detach().numpy() for name, p in module.named_parameters()}


@pytest.mark.parametrize("size", [4, 100])
def test_loss(size):
    """The weighted mean of smoothed targets, without the penalties."""
    objective, parts = stack(size)
    loss, arrays = objective.loss_and_gradient(), arrays_of(objective.module)
    for model, part in enumerate(parts):
        X, y, s = part.X[1:], part.y[1:], part.weight[1:]
        hidden = np.tanh(X @ arrays["weight_0"][model] + arrays["bias_0"][model])
        score = hidden @ arrays["weight_1"][model] + arrays["bias_1"][model]
        smooth = [0.0, 0.2][model]
        target = (1 - smooth) * y + smooth / 3
        expected = np.average(-(target * log_softmax(score, axis=1)).sum(1), weights=s)
        assert loss[model].item() == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize("size", [4, 100])
def test_gradient_is_that_of_the_loss(size):
    objective, _ = stack(size)
    objective.loss_and_gradient()
    parameters = dict(objective.module.named_parameters())
    gradients = {name: p.grad.clone() for name, p in parameters.items()}
    for name, parameter in parameters.items():
        before = parameter.detach().clone()

        def value(moved, parameter=parameter):
            parameter.copy_(moved)
            return objective.loss_and_gradient()

        expected = derivative(value, before)
        parameter.copy_(before)
        torch.testing.assert_close(gradients[name], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("size", [4, 100])
def test_violation(size):
    """The worst derivative of a weight with its penalties, or of a bias without."""
    objective, _ = stack(size)
    objective.loss_and_gradient()
    parameters = dict(objective.module.named_parameters())
    strengths = objective.penalties.strengths
    worst = np.zeros(N_MODELS)
    for name, parameter in parameters.items():
        W, G = parameter.detach().numpy(), parameter.grad.numpy()
        if name.startswith("weight"):
            layer = int(name[-1])
            l1, group, l2 = (
                strengths[key][:, layer].numpy()[:, None, None]
                for key in ("l1", "group_l1", "l2")
            )
            # Random weights are not zero, where the penalties are smooth.
            rows = W / np.linalg.norm(W, axis=2, keepdims=True)
            G = G + l1 * np.sign(W) + group * rows + 2 * l2 * W
        worst = np.maximum(worst, np.abs(G).max((1, 2)))
    np.testing.assert_allclose(objective.violation(), worst, rtol=1e-13)


def test_violation_counts_the_biases():
    objective, _ = stack(100)
    for parameter in objective.module.parameters():
        parameter.grad.zero_()
    for weight in objective.module.weights:
        weight.zero_()
    assert objective.violation().tolist() == [0, 0]
    dict(objective.module.named_parameters())["bias_1"].grad[1, 0, 2] = -0.25
    assert objective.violation().tolist() == [0, 0.25]


def test_gradients_of_a_second_call_are_those_of_a_first():
    objective, _ = stack(4)
    found = []
    for _ in range(2):
        loss = objective.loss_and_gradient()
        gradients = [p.grad.clone() for p in objective.module.parameters()]
        found.append([loss.clone(), *gradients])
    assert all(map(torch.equal, *found))


def test_without_streams_nothing_is_random():
    """Of the noise label smoothing alone acts; with streams the rest does too."""
    objective, _ = stack(100)
    plain = objective.loss_and_gradient().clone()
    some = torch.tensor([0.0, 0.5], dtype=torch.float64)
    noise = replace(objective.noise, input_noise=some)
    objective = replace(objective, noise=noise)
    assert torch.equal(objective.loss_and_gradient(), plain)
    noisy = objective.loss_and_gradient([Streams(0), Streams(1)])
    assert noisy[0] == plain[0] and noisy[1] != plain[1]


def gradient_of(kind, X, y, W, b):
    """Return the gradient of the mean loss with respect to the weights, by numpy."""
    score = X @ W + b
    if kind == "squared":
        residual = score - y
    elif kind == "binary":
        residual = 1 / (1 + np.exp(-score)) - y
    else:
        p = np.exp(score - score.max(1, keepdims=True))
        residual = p / p.sum(1, keepdims=True) - y
    return X.T @ residual / len(X)


def lasso():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X, y = StandardScaler().fit_transform(X), y / y.std()
    model = Lasso(0.1, tol=1e-14, max_iter=100_000).fit(X, y)
    W, b = model.coef_[:, None], model.intercept_
    return W, gradient_of("squared", X, y[:, None], W, b), {"l1": 0.1}


def multitask_lasso():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X = StandardScaler().fit_transform(X)
    Y = np.c_[y / y.std(), X[:, 2] * X[:, 3], X[:, 0] - X[:, 8]]
    model = MultiTaskLasso(0.15, tol=1e-14, max_iter=100_000).fit(X, Y)
    W, b = model.coef_.T, model.intercept_
    return W, gradient_of("squared", X, Y, W, b), {"group_l1": 0.15}


def binary_logistic():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = LogisticRegression(
        C=1 / (0.02 * len(y)),
        solver="saga",
        tol=1e-12,
        max_iter=100_000,
        **elastic_net(1),
    ).fit(X, y)
    W, b = model.coef_.T, model.intercept_
    return W, gradient_of("binary", X, y[:, None], W, b), {"l1": 0.02}


def multinomial_elastic_net():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    l1, l2 = 0.03, 0.002
    C = 1 / (len(y) * (l1 + 2 * l2))
    model = LogisticRegression(
        C=C,
        solver="saga",
        tol=1e-12,
        max_iter=100_000,
        **elastic_net(l1 / (l1 + 2 * l2)),
    ).fit(X, y)
    W, b = model.coef_.T, model.intercept_
    gradient = gradient_of("multinomial", X, np.eye(3)[y], W, b)
    return W, gradient, {"l1": l1, "l2": l2}


def positive_lasso():
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X, y = StandardScaler().fit_transform(X), y / y.std()
    model = Lasso(0.02, positive=True, tol=1e-14, max_iter=100_000).fit(X, y)
    W, b = model.coef_[:, None], model.intercept_
    gradient = gradient_of("squared", X, y[:, None], W, b)
    return W, gradient, {"l1": 0.02, "positive": 1.0}


@pytest.mark.parametrize(
    "optimum",
    [lasso, multitask_lasso, binary_logistic, multinomial_elastic_net, positive_lasso],
)
def test_violation_at_an_optimum_found_by_scikit_learn(optimum):
    W, gradient, strengths = optimum()
    assert 0 < (W == 0).sum() < W.size, "the optimum must have both kinds of weights"
    checks = Penalties(
        {
            kind.parameter: tensor([[strengths.get(kind.parameter, kind.off)]])
            for kind in PENALTIES
        }
    )

    def violation(W, gradient):
        return checks.violation([tensor(W)[None]], [tensor(gradient)[None]]).item()

    at_optimum = violation(W, gradient)
    # The solvers stop at 1e-12 to 1e-14 of the objective, 1e-7 in the gradient.
    assert at_optimum < 1e-7
    # Off the optimum: another gradient, a zero weight moved, the signs turned.
    assert violation(W, gradient + 1e-3) > 5e-4
    moved = W.copy()
    moved[tuple(np.argwhere(W == 0)[0])] = 1e-6
    assert violation(moved, gradient) > 100 * at_optimum
    assert violation(-W, gradient) > 0.01
