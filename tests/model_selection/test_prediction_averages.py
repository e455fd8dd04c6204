"""Averages and temperatures, against brute force, scipy and closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from sklearn.metrics import log_loss

from skreg.data.sample_weights import effective_n_rows
from skreg.model_selection.prediction_averages import (
    best_temperature,
    mean_over,
    tempered,
)

RNG = np.random.default_rng(0)


def probabilities(n_rows=200, n_classes=3, sharpness=2.0, seed=0):
    """Return calibrated probabilities, and classes drawn from them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(n_classes, 1 / sharpness), size=n_rows)
    return p, np.array([rng.choice(n_classes, p=row) for row in p])


def loss_of(p, target, weight=None):
    return log_loss(
        target, p, labels=np.arange(p.shape[1]), sample_weight=weight, normalize=True
    )


def test_mean_over():
    arrays = RNG.normal(size=(3, 4, 2))
    expected = np.average(arrays, axis=0, weights=[0.5, 0.2, 0.3])
    # A sum of three terms.
    assert_allclose(mean_over(arrays, [0.5, 0.2, 0.3]), expected, atol=1e-15)
    assert_allclose(mean_over(iter(arrays), [0, 1, 0]), arrays[1])


def test_tempered_is_its_formula():
    p, _ = probabilities()
    for temperature in (0.3, 2.0):
        power = p ** (1 / temperature)
        expected = power / power.sum(axis=1, keepdims=True)
        # Logarithms of as little as 1e-12, divided by 0.3, carry rounding of 1e-14.
        assert_allclose(tempered(p, temperature), expected, atol=1e-11)
    assert tempered(p, 1) is p
    assert tempered(p.astype(np.float32), 2.0).dtype == np.float32


def test_tempered_towards_the_base_rate():
    p, prior = probabilities()[0], np.array([0.7, 0.2, 0.1])
    power = prior * (p / prior) ** 0.25
    expected = power / power.sum(axis=1, keepdims=True)
    assert_allclose(tempered(p, 4.0, prior), expected, atol=1e-3)
    safe = np.maximum(p, 1e-3)
    safe /= safe.sum(axis=1, keepdims=True)
    power = prior * (safe / prior) ** 0.25
    expected = power / power.sum(axis=1, keepdims=True)
    assert_allclose(tempered(safe, 4.0, prior), expected, atol=1e-14)
    # Where it leads to, and what it leaves.
    assert_allclose(tempered(safe, 1e9, prior), np.tile(prior, (200, 1)), atol=1e-7)
    rates = np.tile(prior, (2, 1))
    assert_allclose(tempered(rates, 7.0, prior), rates, atol=1e-15)
    assert_allclose(tempered(safe, 3.0, np.full(3, 1 / 3)), tempered(safe, 3.0))


@pytest.mark.parametrize("with_prior", [False, True])
@pytest.mark.parametrize("with_weight", [False, True])
@pytest.mark.parametrize("power", [0.5, 2.0])
def test_best_temperature_minimises_the_log_loss(power, with_weight, with_prior):
    p, target = probabilities()
    p = np.maximum(p, 1e-6) ** power
    p /= p.sum(axis=1, keepdims=True)
    weight = RNG.integers(1, 4, size=len(p)) if with_weight else None
    prior = np.array([0.5, 0.3, 0.2]) if with_prior else None
    found = best_temperature(p, target, weight, prior)
    base = np.full(3, 1 / 3) if prior is None else prior
    n_rows = len(p) if weight is None else weight.sum() ** 2 / (weight**2).sum()
    targets = np.eye(3)[target] + 2 / (n_rows + 2) * (base - np.eye(3)[target])
    expected = minimize_scalar(
        lambda t: np.average(
            -xlogy(targets, tempered(p, t, prior)).sum(axis=1), weights=weight
        ),
        bounds=(0.05, 20),
        method="bounded",
        options={"xatol": 1e-8},
    )
    # Near a minimum the loss is flat: 1e-5 in its place is 1e-10 in the loss, and
    # scipy's default tolerance on the logarithm is 1e-5.
    assert found == pytest.approx(expected.x, rel=1e-4)
    assert (found > 1) == (power > 1)


@pytest.mark.parametrize("unit", [1 / 200, 1e6])
def test_the_unit_of_weights_does_not_matter(unit):
    p, target = probabilities()
    weight = np.where(np.arange(len(p)) < 50, 2.0, 1.0)
    found = best_temperature(p, target, unit * weight)
    # Rounding moves the flat minimum, as above.
    assert found == pytest.approx(best_temperature(p, target, weight), rel=1e-4)


@pytest.mark.parametrize("unit", [1 / 200, 1.0, 1e6])
def test_equal_weights_are_no_weights(unit):
    p, target = probabilities()
    found = best_temperature(p, target, np.full(len(p), unit))
    assert found == pytest.approx(best_temperature(p, target), rel=1e-4)


def test_effective_rows_are_those_of_a_mean_of_equal_variance():
    """The variance of a weighted mean of independent numbers, by its formula."""
    weight = np.random.default_rng(0).exponential(size=50)
    share = weight / weight.sum()
    assert effective_n_rows(50, weight) == pytest.approx(1 / np.sum(share**2))
    assert effective_n_rows(50) == 50


def test_a_closed_form():
    """All rows predicted alike, of two classes: the log-odds of the shares are met."""
    p, target = np.tile([0.9, 0.1], (98, 1)), np.repeat([0, 1], [74, 24])
    # Two rows of doubt, one of each class.
    expected = np.log(9) / np.log(3)
    assert best_temperature(p, target) == pytest.approx(expected, rel=1e-4)


def test_one_where_nothing_is_better():
    p, target = np.full((10, 2), 0.5), np.repeat([0, 1], 5)
    assert best_temperature(p, target) == 1.0


def test_zeros_are_survived():
    p, target = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), np.array([0, 1, 1])
    temperature = best_temperature(p, target)
    assert temperature > 1 and np.isfinite(tempered(p, temperature)).all()
