"""Proximal operators are the argmins that define them."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from skreg.penalties.proximal import (
    clip_unit_norm,
    group_shrinkage,
    shrink,
    soft_threshold,
)

INF = float("inf")


def group_soft_threshold(z, threshold):
    """Shrink the norm of each row."""
    norm = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    return z * group_shrinkage(norm, threshold)


OPERATORS = [soft_threshold, group_soft_threshold, shrink, clip_unit_norm]


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def argmin(penalty, z):
    """Return the minimiser of ``penalty(p, n) + ||p - n - z||^2 / 2`` over p, n >= 0.

    As functions of the two parts, the norms are smooth except at zero, which is
    compared by value.
    """

    def objective(parts):
        p, n = np.split(parts, 2)
        return penalty(p, n) + ((p - n - z) ** 2).sum() / 2

    start = np.r_[np.maximum(z, 0), np.maximum(-z, 0)] + 1e-3
    result = minimize(
        objective,
        start,
        bounds=[(0, None)] * len(start),
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-9, "maxiter": 1000},
    )
    p, n = np.split(result.x, 2)
    best, at_zero = result.fun, (z**2).sum() / 2
    return np.zeros_like(z) if at_zero < best else p - n


@pytest.mark.parametrize("seed", range(5))
def test_soft_threshold_is_the_argmin(seed):
    rng = np.random.default_rng(seed)
    z, threshold = rng.standard_normal(6), rng.uniform(0, 1.5, 6)
    result = soft_threshold(tensor(z), tensor(threshold))
    expected = argmin(lambda p, n: threshold @ (p + n), z)
    # scipy's numerical gradient is good to 1e-8, and so is its minimiser.
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)
    assert ((result == 0).numpy() == (np.abs(z) <= threshold)).all()


@pytest.mark.parametrize("seed", range(5))
def test_group_soft_threshold_is_the_argmin(seed):
    rng = np.random.default_rng(seed)
    z, threshold = rng.standard_normal((4, 3)), rng.uniform(0.2, 2.5, (4, 1))
    result = group_soft_threshold(tensor(z), tensor(threshold))
    for row, strength, own in zip(z, threshold[:, 0], result.numpy()):
        expected = argmin(
            lambda p, n, strength=strength: strength * np.linalg.norm(p - n), row
        )
        np.testing.assert_allclose(own, expected, rtol=0, atol=1e-5)
        assert (own == 0).all() == (np.linalg.norm(row) <= strength)


@pytest.mark.parametrize("seed", range(5))
def test_sparse_groups_are_the_argmin(seed):
    """The soft threshold, then the group's, is the operator of the sum of the two."""
    rng = np.random.default_rng(seed)
    z, l1, group = 2 * rng.standard_normal(4), 0.3, 0.8
    shrunk = soft_threshold(tensor(z), tensor(l1))
    result = group_soft_threshold(shrunk[None], tensor([[group]]))[0]
    expected = argmin(
        lambda p, n: l1 * (p + n).sum() + group * np.linalg.norm(p - n), z
    )
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_clip_unit_norm_is_the_projection(seed):
    """The nearest matrix all of whose columns lie in the ball."""
    rng = np.random.default_rng(seed)
    z, radius = rng.standard_normal((3, 4)), rng.uniform(0.5, 2.5, (1, 4))
    result = clip_unit_norm(tensor(z), tensor(radius)).numpy()
    for column, limit, own in zip(z.T, radius[0], result.T):
        solved = minimize(
            lambda w, column=column: ((w - column) ** 2).sum(),
            np.full(3, 0.1),
            jac=lambda w, column=column: 2 * (w - column),
            constraints={
                "type": "ineq",
                "fun": lambda w, limit=limit: limit**2 - w @ w,
                "jac": lambda w: -2 * w,
            },
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 200},
        )
        np.testing.assert_allclose(own, solved.x, rtol=0, atol=1e-6)
        if np.linalg.norm(column) <= limit:
            assert (own == column).all()


@pytest.mark.parametrize("seed", range(5))
def test_shrink_is_the_argmin(seed):
    rng = np.random.default_rng(seed)
    z, strength = rng.standard_normal(6), rng.uniform(0, 3, 6)
    result = shrink(tensor(z), tensor(strength))
    expected = argmin(lambda p, n: strength @ (p - n) ** 2, z)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)


def test_shrink_is_exact():
    z = tensor([-2.0, 0.0, 3.0])
    assert shrink(z, tensor(0.5)).tolist() == [-1, 0, 1.5]
    assert torch.equal(shrink(z, tensor(0.0)), z)
    assert not shrink(z, tensor(INF)).any()


def test_soft_threshold_is_exact():
    z = tensor([-2.0, -0.5, -0.0, 0.0, 0.5, 0.5000000001, 3.0])
    result = soft_threshold(z, tensor(0.5))
    assert result.tolist()[:5] == [-1.5, 0, 0, 0, 0]
    assert result[5] > 0 and result[6] == 2.5
    assert torch.equal(soft_threshold(z, tensor(0.0)), z)
    assert not soft_threshold(z, tensor(INF)).any()


def test_group_soft_threshold_is_exact():
    z = tensor([[3.0, 4.0], [0.0, 0.0], [1e-100, 0.0]])
    at_the_tie = group_soft_threshold(z, tensor(5.0))
    assert not at_the_tie.any()
    assert group_soft_threshold(z, tensor(2.5))[0].tolist() == [1.5, 2.0]
    assert torch.equal(group_soft_threshold(z, tensor(0.0)), z)
    result = group_soft_threshold(z, tensor(INF))
    assert not result.any() and not result.isnan().any()


def test_clip_unit_norm_is_exact():
    z = tensor([[3.0, 0.0, 0.6], [4.0, 0.0, 0.8]])
    result = clip_unit_norm(z, tensor(2.5))
    assert result[:, 0].tolist() == [1.5, 2.0]
    assert torch.equal(result[:, 1:], z[:, 1:])
    assert torch.equal(clip_unit_norm(z, tensor(INF)), z)
    assert torch.equal(clip_unit_norm(z, tensor(5.0)), z)


@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operators_broadcast_and_leave_their_argument(operator, dtype):
    """Each model of a stack has its own threshold."""
    z = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=dtype)
    before = z.clone()
    thresholds = torch.tensor([0.0 + 1e-9, 0.7, INF], dtype=dtype)
    result = operator(z, thresholds.view(3, 1, 1))
    assert result.dtype == dtype and torch.equal(z, before)
    for model, threshold in enumerate(thresholds):
        assert torch.equal(result[model], operator(z[model], threshold))


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_are_firmly_nonexpansive(operator):
    """As every proximal operator is: ||Px - Py||^2 <= (Px - Py) @ (x - y)."""
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 500, 3, 1, generator=rng, dtype=torch.float64)
    if operator is group_soft_threshold:
        x, y = x.mT, y.mT
    moved = operator(x, tensor(0.8)) - operator(y, tensor(0.8))
    inner = (moved * (x - y)).sum((1, 2))
    assert ((moved**2).sum((1, 2)) <= inner + 1e-14).all()
