"""The losses and the calibration of averaged probabilities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.metrics import log_loss

from skreg.estimators.labels import Labels
from skreg.model_selection.class_average import ClassAverage

CLASSES = np.array(["a", "b", "c"])
N_ROWS = 40


def draw(is_multilabel):
    """Return an average, probabilities, targets and weights."""
    rng = np.random.default_rng(0)
    weight = rng.integers(1, 4, N_ROWS).astype(float)
    if is_multilabel:
        average = ClassAverage(Labels(np.arange(2), "multilabel-indicator"))
        y = rng.integers(0, 2, (N_ROWS, 2))
        return average, rng.uniform(0.1, 0.9, (N_ROWS, 2)), y, weight
    average = ClassAverage(Labels(CLASSES, "multiclass"))
    probability = softmax(rng.normal(size=(N_ROWS, 3)), axis=1)
    return average, probability, rng.choice(CLASSES, N_ROWS, p=[0.6, 0.3, 0.1]), weight


def sklearn_loss(probability, y, weight):
    """Return the log loss of scikit-learn, summed over labels."""
    if y.ndim == 1:
        return log_loss(y, probability, sample_weight=weight, labels=CLASSES)
    columns = zip(y.T, probability.T)
    return sum(log_loss(labels, p, sample_weight=weight) for labels, p in columns)


@pytest.mark.parametrize("is_multilabel", [False, True])
def test_row_losses_average_to_the_log_loss(is_multilabel):
    average, probability, y, weight = draw(is_multilabel)
    losses = average.losses(average.judged(probability, y), y).sum(axis=1)
    mean = np.average(losses, weights=weight)
    assert_allclose(mean, sklearn_loss(probability, y, weight), rtol=1e-12)


@pytest.mark.parametrize("is_multilabel", [False, True])
def test_no_constant_has_a_lower_loss(is_multilabel):
    average, probability, y, weight = draw(is_multilabel)
    losses = average.losses(average.constant(y, weight), y).sum(axis=1)

    def loss(logits):
        row = 1 / (1 + np.exp(-logits)) if is_multilabel else softmax(logits)
        return sklearn_loss(np.tile(row, (N_ROWS, 1)), y, weight)

    best = minimize(loss, np.zeros(probability.shape[1]))
    assert_allclose(np.average(losses, weights=weight), best.fun, rtol=1e-7)


def test_noise_doubles_the_temperature():
    average, probability, y, weight = draw(is_multilabel=False)
    found = average.calibrated(probability, y, weight, is_found=True)
    noise = average.calibrated(probability, y, weight, is_found=False)
    assert noise["temperature_"] == 2 * found["temperature_"]
    shares = [weight[y == label].sum() / weight.sum() for label in CLASSES]
    assert_allclose(found["class_prior_"], shares)


def test_labels_are_not_calibrated():
    average, probability, y, weight = draw(is_multilabel=True)
    found = average.calibrated(probability, y, weight, is_found=False)
    assert found["temperature_"] == 1
    assert_allclose(found["class_prior_"], np.average(y, axis=0, weights=weight))
