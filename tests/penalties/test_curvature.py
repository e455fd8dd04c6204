"""The second derivatives of penalties, against numerical derivatives of the first."""

import numpy as np
import pytest
import torch

from skreg.penalties.kinds import L2, PENALTIES, GroupLasso

STEP = 1e-3


def tensor(array):
    return torch.tensor(array, dtype=torch.float64)


@pytest.mark.parametrize("kind", PENALTIES, ids=lambda kind: kind.parameter)
@pytest.mark.parametrize("n_rows", [1, 2])
def test_curvature_is_the_derivative_of_the_slope(kind, n_rows):
    rng = np.random.default_rng(0)
    strengths = tensor([0.5, 2.0])
    if kind is GroupLasso:
        penalty = kind(strengths, n_rows)
    else:
        penalty = kind(strengths)
    # Far from the kinks, for steps of 2e-3 times directions of about one.
    weight = tensor(rng.uniform(0.3, 1, (2, 4, 3)))
    direction = tensor(rng.standard_normal((2, 4, 3)))

    def at(step):
        return penalty.slope(weight + step * direction)

    slope = 8 * (at(STEP) - at(-STEP)) - at(2 * STEP) + at(-2 * STEP)
    found = penalty.curvature(weight, direction)
    # Rounding and truncation are both near 1e-12.
    torch.testing.assert_close(found, slope / (12 * STEP), rtol=1e-9, atol=1e-10)
    assert bool(found.any()) == penalty.is_curved


@pytest.mark.parametrize(
    "penalty",
    [
        L2(tensor([0.5, 2.0]), tensor(np.arange(8.0).reshape(2, 4))),
        GroupLasso(tensor([0.5, 2.0]), labels=torch.tensor([0, 1, 0, 1])),
        GroupLasso(
            tensor([0.5, 2.0]),
            factors=tensor([[2.0, 0.5], [0.0, 1.0]]),
            labels=torch.tensor([0, 1, 0, 1]),
        ),
    ],
)
def test_curvature_with_factors_and_groups(penalty):
    rng = np.random.default_rng(0)
    weight = tensor(rng.uniform(0.3, 1, (2, 4, 3)))
    direction = tensor(rng.standard_normal((2, 4, 3)))
    step = STEP * direction
    slope = 8 * (penalty.slope(weight + step) - penalty.slope(weight - step))
    slope += penalty.slope(weight - 2 * step) - penalty.slope(weight + 2 * step)
    found = penalty.curvature(weight, direction)
    # Rounding and truncation are both near 1e-12.
    torch.testing.assert_close(found, slope / (12 * STEP), rtol=1e-9, atol=1e-10)


def test_a_group_of_zeros_has_no_curvature():
    penalty = GroupLasso(tensor([1.0]))
    zero, direction = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    assert not penalty.curvature(zero, direction).any()
