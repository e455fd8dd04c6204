"""Penalties: their value, their smooth gradient, and the optimality conditions."""

import numpy as np
import pytest
import torch
from _numeric import derivative
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.linear_model import Lasso, LogisticRegression, MultiTaskLasso
from sklearn.preprocessing import StandardScaler

from skreg.penalties import Penalties


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def penalties(l1=0.0, l2=0.0, group_l1=0.0, n_models=1, n_layers=1):
    return Penalties(
        torch.full((n_models, n_layers), l1, dtype=torch.float64),
        torch.full((n_models, n_layers), l2, dtype=torch.float64),
        torch.full((n_models,), group_l1, dtype=torch.float64),
    )


def two_models():
    """Return penalties and weights of two models of two layers, some of them zero."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 4, 2))]
    weights[0][0, 1] = 0
    weights[1][1, :, 0] = 0
    strengths = Penalties(
        tensor([[0.1, 0.2], [0.0, 0.5]]),
        tensor([[0.3, 0.0], [0.7, 0.4]]),
        tensor([0.6, 0.0]),
    )
    return strengths, [torch.tensor(weight) for weight in weights]


def test_value():
    strengths, weights = two_models()
    expected = []
    for model in range(2):
        total = (
            strengths.group_l1[model] * np.linalg.norm(weights[0][model], axis=1).sum()
        )
        for layer, weight in enumerate(weights):
            weight = weight[model].numpy()
            total += strengths.l1[model, layer] * np.abs(weight).sum()
            total += strengths.l2[model, layer] * (weight**2).sum()
        expected.append(total)
    np.testing.assert_allclose(strengths.value(weights), expected, rtol=1e-14)
    second = strengths.select(torch.tensor([1]))
    np.testing.assert_allclose(
        second.value([w[1:] for w in weights]), expected[1:], 1e-14
    )
    assert not second.has_group_l1 and strengths.has_group_l1


def test_infinite_strengths_of_nothing_are_nothing():
    strengths, zero = penalties(np.inf, 0.0, np.inf), torch.zeros(1, 3, 2).double()
    assert strengths.value([zero]).item() == 0
    assert strengths.kkt_violation([zero], [zero + 1e9]).item() == 0
    assert strengths.value([zero + 1]).item() == np.inf


def test_smooth_gradient():
    strengths, weights = two_models()
    gradients = [torch.ones_like(weight) for weight in weights]
    strengths.add_smooth_gradient(weights, gradients)
    smooth = Penalties(0 * strengths.l1, strengths.l2, 0 * strengths.group_l1)
    for layer, weight in enumerate(weights):

        def value(moved, layer=layer):
            return smooth.value([*weights[:layer], moved, *weights[layer + 1 :]])

        expected = 1 + derivative(value, weight)
        torch.testing.assert_close(gradients[layer], expected, rtol=1e-9, atol=1e-10)


def test_smooth_gradient_of_the_first_models():
    strengths, weights = two_models()
    whole = [torch.zeros_like(weight) for weight in weights]
    part = [torch.zeros_like(weight[:1]) for weight in weights]
    strengths.add_smooth_gradient(weights, whole)
    strengths.add_smooth_gradient([weight[:1] for weight in weights], part)
    assert all(torch.equal(one[:1], two) for one, two in zip(whole, part))


def nearest_subgradient(row, gradient, l1, group):
    """Return the least distance of ``-gradient`` to the subdifferential at a row.

    Found by projecting, with scipy, onto the set of ``l1 * s + group * u``.
    """
    if row.any():
        target = -gradient - group * row / np.linalg.norm(row)
        s = np.where(row != 0, l1 * np.sign(row), np.clip(target, -l1, l1))
        return target - s

    def objective(parts):
        s, u = np.split(parts, 2)
        residual = -gradient - l1 * s - group * u
        return residual @ residual, np.r_[-2 * l1 * residual, -2 * group * residual]

    n = len(row)
    solved = minimize(
        objective,
        np.zeros(2 * n),
        jac=True,
        bounds=[(-1, 1)] * n + [(None, None)] * n,
        constraints={
            "type": "ineq",
            "fun": lambda parts: 1 - parts[n:] @ parts[n:],
            "jac": lambda parts: np.r_[np.zeros(n), -2 * parts[n:]],
        },
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 500},
    )
    s, u = np.split(solved.x, 2)
    return -gradient - l1 * s - group * u


@pytest.mark.parametrize("group", [0.0, 0.7])
@pytest.mark.parametrize("l1", [0.0, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_violation_is_the_distance_to_the_subdifferential(seed, l1, group):
    rng = np.random.default_rng(seed)
    for weight in (rng.standard_normal(3), np.array([0.5, 0.0, -1.0]), np.zeros(3)):
        gradient = rng.standard_normal(3)
        residual = nearest_subgradient(weight, gradient, l1, group)
        whole_row = group > 0 and not weight.any()
        expected = np.linalg.norm(residual) if whole_row else np.abs(residual).max()
        violation = penalties(l1, 0.0, group).kkt_violation(
            [tensor(weight).view(1, 1, 3)], [tensor(gradient).view(1, 1, 3)]
        )
        # SLSQP finds the distance to the root of its tolerance.
        assert violation.item() == pytest.approx(expected, abs=1e-6)


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
        C=1 / (0.02 * len(y)), l1_ratio=1, solver="saga", tol=1e-12, max_iter=100_000
    ).fit(X, y)
    W, b = model.coef_.T, model.intercept_
    return W, gradient_of("binary", X, y[:, None], W, b), {"l1": 0.02}


def multinomial_elastic_net():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    l1, l2 = 0.03, 0.002
    C = 1 / (len(y) * (l1 + 2 * l2))
    model = LogisticRegression(
        C=C, l1_ratio=l1 / (l1 + 2 * l2), solver="saga", tol=1e-12, max_iter=100_000
    ).fit(X, y)
    W, b = model.coef_.T, model.intercept_
    gradient = gradient_of("multinomial", X, np.eye(3)[y], W, b) + 2 * l2 * W
    return W, gradient, {"l1": l1, "l2": l2}


@pytest.mark.parametrize(
    "optimum", [lasso, multitask_lasso, binary_logistic, multinomial_elastic_net]
)
def test_violation_at_an_optimum_found_by_scikit_learn(optimum):
    W, gradient, strengths = optimum()
    assert 0 < (W == 0).sum() < W.size, "the optimum must have both kinds of weights"
    checks = penalties(**strengths)

    def violation(W, gradient):
        return checks.kkt_violation([tensor(W)[None]], [tensor(gradient)[None]]).item()

    at_optimum = violation(W, gradient)
    # The solvers stop at 1e-12 to 1e-14 of the objective, 1e-7 in the gradient.
    assert at_optimum < 1e-7
    # Off the optimum: another gradient, a zero weight moved, the signs turned.
    assert violation(W, gradient + 1e-3) > 5e-4
    moved = W.copy()
    moved[tuple(np.argwhere(W == 0)[0])] = 1e-6
    assert violation(moved, gradient) > 100 * at_optimum
    assert violation(-W, gradient) > 0.01
