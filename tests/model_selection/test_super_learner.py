"""Convex weights, against brute force and a closed form; and the anchor."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skreg.model_selection.super_learner import (
    convex_weights,
    mean_in_errors,
    share_of_gain,
)

RNG = np.random.default_rng(0)


def test_convex_weights_are_the_best_of_a_grid():
    """No weights that are multiples of 1 / 40 are better, and some are hardly worse."""
    target = RNG.integers(2, size=200)
    score = 2 * target[:, None] - 1 + RNG.normal(0, 2, (200, 3))
    predictions = list(1 / (1 + np.exp(-np.where(target[:, None], score, -score).T)))

    def loss(probability_of_truth):
        return -np.log(probability_of_truth).mean()

    weights = convex_weights(predictions, loss)
    assert weights.min() >= 0 and weights.sum() == pytest.approx(1, abs=1e-12)
    grid = [
        loss(np.array([a, b, 40 - a - b]) / 40 @ predictions)
        for a, b in itertools.product(range(41), repeat=2)
        if a + b <= 40
    ]
    # Half a step of the grid from the optimum, where the loss is quadratic.
    assert min(grid) * (1 - 1e-3) < loss(weights @ predictions) < min(grid) + 1e-9


def test_convex_weights_of_the_squared_error_have_a_closed_form():
    """Of two models the weight is a regression of the target on their difference."""
    target = RNG.normal(size=300)
    one, other = target + RNG.normal(size=(2, 300))
    for unit in (1e-8, 1.0, 1e8):
        found = convex_weights(
            [unit * one, unit * other],
            lambda p, unit=unit: np.mean((p - unit * target) ** 2),
        )
        difference = one - other
        expected = difference @ (target - other) / (difference @ difference)
        # The optimum is flat: an error of the loss of 1e-8 is one of 1e-4 here.
        assert_allclose(found, [expected, 1 - expected], atol=5e-4)


def test_what_is_best_alone_is_taken_alone():
    target = RNG.normal(size=30)
    bad = target + RNG.normal(size=30)
    weights = convex_weights([bad, target], lambda p: np.mean((p - target) ** 2))
    assert weights.tolist() == [0, 1]
    assert convex_weights([bad], lambda p: np.nan).tolist() == [1]


def test_a_gain_is_taken_as_far_as_it_is_certain():
    gain = RNG.normal(1, 3, (400, 1))
    share = RNG.uniform(size=(400, 1))
    share /= share.sum()
    mean = (share * gain).sum()
    error = np.sqrt((share**2 * (gain - mean) ** 2).sum())
    z = mean / error
    assert mean_in_errors(gain, share) == pytest.approx(z, rel=1e-12)
    assert share_of_gain(gain, share) == pytest.approx(1 - 2 / z**2, rel=1e-12)
    less = (mean - 0.1) / error
    assert share_of_gain(gain, share, 0.1) == pytest.approx(1 - 2 / less**2, rel=1e-9)
    assert share_of_gain(gain, share, mean) == 0
    assert share_of_gain(np.ones((5, 1)), np.full((5, 1), 0.2)) == 1
