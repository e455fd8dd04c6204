"""The losses and the shrinkage of averaged numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)

from skreg import MLPRegressor
from skreg.model_selection.number_average import NumberAverage
from skreg.model_selection.target_loss import TargetLoss

LEVEL = 0.8


def doubled_pinball_loss(y, prediction, sample_weight):
    loss = mean_pinball_loss(y, prediction, sample_weight=sample_weight, alpha=LEVEL)
    return 2 * loss


METRICS = {
    "squared_error": mean_squared_error,
    "absolute_error": mean_absolute_error,
    "huber": mean_absolute_error,
    "poisson": mean_poisson_deviance,
    "quantile": doubled_pinball_loss,
}


def draw(loss):
    """Return an average, targets, predictions and weights."""
    rng = np.random.default_rng(0)
    y = rng.gamma(2.0, size=60)
    prediction = y + rng.uniform(0.1, 2.0, size=60)
    average = NumberAverage(TargetLoss(MLPRegressor(loss=loss, quantile=LEVEL)))
    return average, y, prediction, rng.integers(1, 4, 60).astype(float)


@pytest.mark.parametrize("loss", METRICS)
def test_row_losses_average_to_the_metric(loss):
    average, y, prediction, weight = draw(loss)
    losses = average.losses(average.judged(prediction, y), y).sum(axis=1)
    expected = METRICS[loss](y, prediction, sample_weight=weight)
    assert_allclose(np.average(losses, weights=weight), expected, rtol=1e-12)


@pytest.mark.parametrize("loss", METRICS)
def test_no_constant_has_a_lower_loss(loss):
    average, y, _, weight = draw(loss)
    losses = average.losses(average.constant(y, weight), y).sum(axis=1)

    def metric(constant):
        return METRICS[loss](y, np.full(60, constant), sample_weight=weight)

    best = minimize_scalar(metric, bounds=(0.01, 10), method="bounded")
    # The search ends near a kink, never on it.
    assert_allclose(np.average(losses, weights=weight), best.fun, rtol=1e-5)


@pytest.mark.parametrize("unit", [1.0, 1e-200, 1e200])
def test_noise_is_shrunk_by_half_of_the_least_squares_slope(unit):
    average, y, prediction, weight = draw("squared_error")
    center = np.average(y, weights=weight)
    # A regression on the distance from the center, without an intercept.
    root = np.sqrt(weight)
    distance, target = (root * (values - center) for values in (prediction, y))
    slope = np.linalg.lstsq(distance[:, None], target, rcond=None)[0].item()
    assert 0 < slope < 1
    found = average.calibrated(unit * prediction, unit * y, weight, is_found=False)
    assert_allclose(found["target_center_"], unit * center)
    assert_allclose(found["shrinkage_"], slope / 2)


def test_what_is_found_is_not_shrunk():
    average, y, prediction, weight = draw("squared_error")
    assert average.calibrated(prediction, y, weight, is_found=True)["shrinkage_"] == 1
