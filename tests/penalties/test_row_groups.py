"""Penalties with a factor for each row, and groups of any rows."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skreg.penalties import L1, L2, GroupLasso, NonNegative, Sum, check_penalty
from skreg.penalties.row_groups import LabelledRows, NeighbouringRows

STRENGTHS = torch.tensor([0.4, 1.5], dtype=torch.float64)
LABELS = torch.tensor([0, 1, 0, 2, 1])
FACTORS = torch.tensor(
    [[0.0, 1.0, 2.0, 0.5, 3.0], [1.0, 0.3, 0.0, 2.0, 1.0]], dtype=torch.float64
)
OF_GROUPS = torch.tensor([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    "parts",
    [
        [L1(STRENGTHS, FACTORS)],
        [L2(STRENGTHS, FACTORS)],
        [GroupLasso(STRENGTHS, labels=LABELS)],
        [GroupLasso(STRENGTHS, factors=OF_GROUPS, labels=LABELS)],
        [GroupLasso(STRENGTHS, factors=FACTORS)],
        # The operators of a sum need equal factors of l2 within each group.
        [
            L1(STRENGTHS, FACTORS),
            NonNegative(STRENGTHS),
            GroupLasso(STRENGTHS, factors=OF_GROUPS, labels=LABELS),
            L2(STRENGTHS, OF_GROUPS[:, LABELS]),
        ],
    ],
)
def test_the_contract_is_kept(parts):
    check_penalty(Sum(parts), shape=(5, 3))


def test_factors_multiply_the_strength_of_each_row():
    weight = torch.randn(2, 5, 3, dtype=torch.float64)
    scale = (STRENGTHS[:, None] * FACTORS)[:, :, None]
    expected = (scale * weight.abs()).sum((1, 2))
    torch.testing.assert_close(L1(STRENGTHS, FACTORS).value(weight), expected)
    expected = (scale * weight**2).sum((1, 2))
    torch.testing.assert_close(L2(STRENGTHS, FACTORS).value(weight), expected)


@pytest.mark.parametrize("kind", [L1, L2])
@pytest.mark.parametrize("strength", [0.0, 1.0, math.inf])
def test_infinite_and_zero_factors(kind, strength):
    """An infinite one empties a row at any strength, and zero frees it."""
    factors = torch.tensor([[math.inf, 0.0, 1.0]])
    penalty = kind(torch.tensor([strength]), factors)
    weight = torch.ones(1, 3, 2)
    found = penalty.prox(weight, torch.tensor(0.5))
    assert not found[0, 0].any() and (found[0, 1] == 1).all()
    found[0, 2] = 0
    assert penalty.value(found).isfinite()
    assert not penalty.reduce(found, torch.ones(1, 3, 2))[0, 0].any()


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=7),
    n_out=st.integers(1, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=80, deadline=None)
def test_groups_of_any_rows(labels, n_out, seed):
    """Each method equals a loop over the groups."""
    labels = np.unique(labels, return_inverse=True)[1]
    rows = np.random.default_rng(seed).normal(size=(2, len(labels), n_out))
    groups = LabelledRows(torch.tensor(labels))
    parts = [rows[:, labels == g] for g in range(labels.max() + 1)]
    methods = {"norms": np.linalg.norm, "sums": np.sum, "means": np.mean}
    for name, method in methods.items():
        found = getattr(groups, name)(torch.tensor(rows))[..., 0].numpy()
        expected = [[method(part[model]) for part in parts] for model in range(2)]
        # To the rounding of sums in another order.
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    found = groups.largest(torch.tensor(np.abs(rows)))[..., 0].numpy()
    np.testing.assert_array_equal(found.T, [np.abs(part).max((1, 2)) for part in parts])
    column = groups.per_row(torch.tensor(found)[..., None])
    np.testing.assert_array_equal(column[..., 0], found[:, labels])
    assert groups.per_group(column)[..., 0].tolist() == found.tolist()


def test_neighbours_are_a_special_case():
    rows = torch.randn(3, 6, 2, dtype=torch.float64)
    one, other = NeighbouringRows(2), LabelledRows(torch.tensor([0, 0, 1, 1, 2, 2]))
    for name in ("norms", "sums", "means"):
        found = getattr(other, name)(rows)
        torch.testing.assert_close(found, getattr(one, name)(rows), rtol=1e-12, atol=0)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_norms_of_tiny_and_huge_numbers(size):
    norms = LabelledRows(torch.tensor([0, 1, 0])).norms(
        torch.tensor([[[3.0], [1.0], [4.0]]], dtype=torch.float64) * size
    )
    np.testing.assert_allclose(norms[0, :, 0].numpy() / size, [5, 1], rtol=1e-14)


def test_the_strength_that_empties():
    """Just above it zero is optimal, and just below it is not."""
    gradient = torch.randn(2, 5, 3, dtype=torch.float64)
    penalised = gradient * (FACTORS > 0)[:, :, None]
    for kind, options in [
        (L1, {"factors": FACTORS}),
        (GroupLasso, {"factors": FACTORS}),
        (GroupLasso, {"labels": LABELS}),
    ]:
        left = penalised if "factors" in options else gradient
        found = kind(STRENGTHS, **options).emptying(left)
        zero = torch.zeros_like(left)
        for share, is_empty in [(1 + 1e-9, True), (1 - 1e-9, False)]:
            residual = kind(share * found, **options).reduce(zero, left)
            assert ((residual == 0).all((1, 2)) == is_empty).all()
