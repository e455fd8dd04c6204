"""`check_loss` accepts losses whose methods agree, and names what does not."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from _losses import USERS_LOSSES, Expectile, Hazard, OwnSquaredError, Softplus

from skreg.losses import Loss, check_loss
from skreg.losses.checks import check_on_targets
from skreg.losses.kinds import (
    REGRESSION_LOSSES,
    BinaryLogLoss,
    LogLoss,
    QuantileLoss,
)

GOOD = {name: kind() for name, kind in REGRESSION_LOSSES.items()} | USERS_LOSSES
GOOD["three quantiles"] = QuantileLoss((0.1, 0.5, 0.8))
INTERVALS = np.array([[0, 0, 1], [0, 1, -1], [0, 0, 0], [1, -1, -1]])


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("seed", range(3))
def test_losses_that_agree(name, seed):
    check_loss(GOOD[name], INTERVALS if name == "hazard" else None, seed=seed)


def test_losses_of_classes():
    check_loss(LogLoss(), np.random.default_rng(0).dirichlet(np.ones(4), 9))
    check_loss(BinaryLogLoss(), np.eye(3))


def changed(base, **attributes):
    """Return a class with some attributes replaced."""
    return type("Changed", (base,), attributes)


def times_two(self, score, target):
    return 2 * OwnSquaredError().derivative(score, target)


def in_place(self, score, target):
    return score.sub_(target).square()


def expanded(self, score, target):
    return torch.zeros(()).double().expand_as(score)


@dataclass
class Unhashable(OwnSquaredError):
    power: float = 2.0


BAD = {
    "derivative of .* is not the slope of elementwise": changed(
        OwnSquaredError, derivative=times_two
    ),
    "curvature of .* is not the slope of derivative": changed(
        OwnSquaredError, curvature=lambda self, score, target, direction: 2 * direction
    ),
    "is constant between jumps. Set has_curvature=False": changed(
        OwnSquaredError, elementwise=lambda self, score, target: (score - target).abs()
    ),
    "varies between jumps. Set has_curvature=True": changed(
        OwnSquaredError, has_curvature=False
    ),
    "is not 1 everywhere. Set is_quadratic=False": changed(
        OwnSquaredError,
        is_quadratic=True,
        elementwise=lambda self, score, target: (score - target) ** 4,
    ),
    "must return a tensor of the shape": changed(
        OwnSquaredError, elementwise=lambda self, score, target: (score - target).sum(2)
    ),
    "dtype torch.float32.* got of the shape .* and dtype torch.float64": changed(
        OwnSquaredError,
        elementwise=lambda self, score, target: (score - target).double() ** 2 / 2,
    ),
    "got ndarray": changed(
        OwnSquaredError, elementwise=lambda self, score, target: score.numpy()
    ),
    "changes its arguments": changed(OwnSquaredError, elementwise=in_place),
    "must return new memory": changed(OwnSquaredError, derivative=expanded),
    "is nan at the score .* and target": changed(
        OwnSquaredError, elementwise=lambda self, score, target: score.log()
    ),
    "raised ZeroDivisionError for tensors of the shape .*: division by zero": changed(
        OwnSquaredError, elementwise=lambda self, score, target: 1 / 0
    ),
    "Compute elementwise by torch, or define derivative": changed(
        OwnSquaredError, elementwise=lambda self, score, target: score.detach() ** 2
    ),
    "other losses for some rows alone": changed(
        OwnSquaredError, elementwise=lambda self, score, target: score * score.mean()
    ),
    "The loss of a row must depend on its own": changed(
        OwnSquaredError, elementwise=lambda self, score, target: score.cumsum(1)
    ),
    "equal to its copies and have a hash": Unhashable,
    "out_activation='cloglog' .* define inverse_link and link": changed(
        OwnSquaredError, out_activation="cloglog"
    ),
    "Set out_activation to a name of its own": changed(
        Softplus, out_activation="identity"
    ),
    "link of .* is not the inverse": changed(Softplus, link=lambda self, p: p),
    "mean_score of .* does not predict the mean": changed(
        Softplus, mean_score=lambda self, scores: scores.mean(0)
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_losses_that_do_not(message):
    with pytest.raises(AssertionError, match=message) as raised:
        check_loss(BAD[message]())
    assert repr(BAD[message]()) in str(raised.value)


@pytest.mark.parametrize("loss", [OwnSquaredError, "squared_error", None])
def test_what_is_no_loss(loss):
    with pytest.raises(TypeError, match="must be an instance of Loss"):
        check_loss(loss)


def test_any_slope_is_right_at_a_kink():
    """Raw outputs at which a slope jumps: those of the check, as targets."""
    generator = torch.Generator().manual_seed(0)
    score = torch.randn(2, 5, 1, generator=generator, dtype=torch.float64)[0]
    for slope in (-1.0, 0.3, 1.0):
        kink = changed(
            OwnSquaredError,
            elementwise=lambda self, score, target: (score - target).abs(),
            derivative=lambda self, score, target, slope=slope: torch.where(
                score == target, slope, (score - target).sign()
            ),
        )
        check_on_targets(kink(), score.numpy(), torch.float64)
    with pytest.raises(AssertionError, match="derivative"):
        check_on_targets(
            changed(
                kink,
                derivative=lambda self, score, target: torch.where(
                    score == target, 1.01, (score - target).sign()
                ),
            )(),
            score.numpy(),
            torch.float64,
        )


def test_all_targets_are_tried():
    target = np.ones((1000, 1))
    target[999] = -1
    loss = changed(
        OwnSquaredError,
        elementwise=lambda self, score, target: (score - target.log()) ** 2,
    )()
    check_on_targets(loss, target[:999], torch.float64)
    with pytest.raises(AssertionError, match="is nan at the score 0 and target -1"):
        check_on_targets(loss, target, torch.float64)


def test_losses_are_values():
    assert Expectile(0.3) == Expectile(0.3) != Expectile(0.4)
    assert hash(Expectile(0.3)) == hash(Expectile(0.3))
    assert OwnSquaredError() != Hazard()
    several = Expectile(np.array([0.1, 0.9]))
    assert several == Expectile(np.array([0.1, 0.9])) != Expectile(np.array([0.1, 0.8]))
    assert hash(several) == hash(Expectile(np.array([0.1, 0.9])))
    assert repr(Expectile(0.3)) == "Expectile(share=0.3)"


def test_several_directions_at_one_score():
    """Second derivatives by automatic differentiation broadcast over the models."""
    score, target = torch.randn(2, 1, 6, 2, dtype=torch.float64).abs()
    direction = torch.randn(4, 6, 2, dtype=torch.float64)
    found = OwnSquaredError().curvature(score, target, direction)
    torch.testing.assert_close(found, direction, rtol=1e-15, atol=0)


def test_a_loss_that_is_linear_has_no_curvature():
    linear = changed(Loss, elementwise=lambda self, score, target: score * target)()
    score, target = torch.randn(2, 1, 6, 2)
    assert not linear.curvature(score, target, score).any()
    torch.testing.assert_close(linear.derivative(score, target), target)


@pytest.mark.parametrize("target_range", [(2.0, 3.0), (5.0, np.inf), (-np.inf, -1.0)])
def test_targets_are_drawn_from_the_range(target_range):
    low, high = target_range
    loss = changed(
        OwnSquaredError,
        target_range=target_range,
        elementwise=lambda self, score, target: (
            torch.where((target > low) & (target < high), 1.0, torch.nan) * score**2
        ),
    )
    check_loss(loss())
