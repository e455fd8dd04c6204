"""Greedy forward selection, against its definition and brute force."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skreg.model_selection.ensemble_selection import forward_selection
from skreg.model_selection.prediction_averages import mean_over

RNG = np.random.default_rng(0)


def test_forward_selection_is_greedy():
    """Step by step the definition of Caruana et al., with the mean of all picks."""
    target = RNG.normal(size=50)
    predictions = [target + RNG.normal(size=50) + shift for shift in (0.3, -0.4, 0.1)]

    def loss(p):
        return np.mean((p - target) ** 2)

    picks, best, expected = [], np.inf, None
    for _ in range(25):
        losses = [
            loss(np.mean([predictions[i] for i in [*picks, k]], axis=0))
            for k in range(3)
        ]
        picks.append(int(np.argmin(losses)))
        if min(losses) < best:
            best = min(losses)
            expected = np.bincount(picks, minlength=3) / len(picks)
    weights = forward_selection(predictions, loss)
    assert_allclose(weights, expected)
    assert loss(mean_over(predictions, weights)) == pytest.approx(best)


def test_forward_selection_is_near_the_best_multiset():
    """For a convex loss greed comes near all means of as many models."""
    target = RNG.normal(size=30)
    predictions = [target + RNG.normal(size=30) for _ in range(4)]

    def loss(p):
        return np.mean((p - target) ** 2)

    weights = forward_selection(predictions, loss, n_picks=6)
    brute = min(
        loss(np.mean([predictions[k] for k in picks], axis=0))
        for n in range(1, 7)
        for picks in combinations_with_replacement(range(4), n)
    )
    found = loss(mean_over(predictions, weights))
    assert brute <= found <= 1.05 * brute
    assert found <= min(map(loss, predictions))


def test_forward_selection_keeps_what_cannot_be_bettered():
    target = RNG.normal(size=30)
    bad = target + RNG.normal(size=30)
    weights = forward_selection([bad, target], lambda p: np.mean((p - target) ** 2))
    assert weights.tolist() == [0, 1]
    assert forward_selection([bad], lambda p: np.nan).tolist() == [1]
