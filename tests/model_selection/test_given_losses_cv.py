"""Losses given as objects, in estimators that tune themselves."""

import numpy as np
import pytest
from _losses import Expectile, OwnPoisson, OwnSquaredError, Tweedie
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from sklearn.base import clone

from skreg import MLPRegressor, MLPRegressorCV
from skreg.estimators.preparation import check_data
from skreg.losses import SquaredError
from skreg.model_selection.search_data import SearchData
from skreg.model_selection.target_loss import target_loss

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def draw(n_outputs=1):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 3))
    y = rng.gamma(2.0, np.exp(X[:, :n_outputs]))
    return X, y[:, 0] if n_outputs == 1 else y, rng.integers(1, 4, 90).astype(float)


def loss_of(loss, weight=None, n_outputs=1, **options):
    """Return the loss of targets and predictions, the targets and predictions."""
    X, y, _ = draw(n_outputs)
    network = MLPRegressor(loss=loss, **options)
    data = SearchData(check_data(network, X, y), weight, [])
    return (
        target_loss(network, data),
        y,
        y * np.linspace(0.5, 1.5, 90).reshape((-1,) + (1,) * (y.ndim - 1)),
    )


def expectile(y, prediction, scale):
    error = (prediction - y) / scale
    return np.where(error < 0, 0.8, 0.2) * error**2


def poisson(y, prediction, scale):
    return (prediction - y + xlogy(y, y / prediction)) / scale


REFERENCES = {
    "expectile": (Expectile(0.8), expectile),
    "poisson": (OwnPoisson(), poisson),
}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_the_loss_is_that_of_scaled_targets(name, weighted, standardize, n_outputs):
    given, reference = REFERENCES[name]
    weight = draw()[2] if weighted else None
    loss, y, prediction = loss_of(given, weight, n_outputs, standardize=standardize)
    scale = np.average(y, axis=0, weights=weight)
    if name == "expectile":
        scale = np.average((y - scale) ** 2, axis=0, weights=weight) ** 0.5
    expected = reference(y, prediction, scale if standardize else 1.0)
    expected = expected.reshape(90, -1).mean(axis=1)
    assert_allclose(loss.of_rows(y, prediction), expected, rtol=1e-10, atol=1e-14)
    mean = np.average(expected, weights=weight)
    assert loss(y, prediction, weight) == pytest.approx(mean, rel=1e-10)


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_no_constant_has_a_lower_loss(name, weighted, n_outputs):
    given, reference = REFERENCES[name]
    weight = draw()[2] if weighted else None
    loss, y, _ = loss_of(given, weight, n_outputs)
    found = loss.constant(y, weight)
    assert np.shape(found) == y.shape[1:]
    for one, own in zip(np.reshape(found, -1), y.reshape(90, -1).T):
        best = minimize_scalar(
            lambda c, own=own: np.average(reference(own, c, 1.0), weights=weight),
            bounds=(0.01, 20),
            method="bounded",
            options={"xatol": 1e-8},
        )
        assert one == pytest.approx(best.x, rel=1e-3)


def test_a_prediction_of_zero_has_a_finite_loss_under_a_logarithm():
    loss, y, _ = loss_of(OwnPoisson())
    assert np.isfinite(loss.of_rows(y, np.zeros(90))).all()


@pytest.mark.parametrize("loss", [OwnSquaredError(), SquaredError()])
def test_the_search_is_that_of_the_same_loss_by_name(loss):
    X, y, weight = draw()
    named = MLPRegressorCV(
        MLPRegressor(max_iter=10), n_candidates=4, cv=3, random_state=0
    )
    given = clone(named).set_params(estimator__loss=loss)
    for each in (named, given):
        each.fit(X, y, sample_weight=weight)
    assert given.best_params_ == named.best_params_
    mean = np.average(y, weights=weight)
    variance = np.average((y - mean) ** 2, weights=weight)
    assert given.best_score_ == pytest.approx(
        named.best_score_ / (2 * variance), rel=1e-9
    )
    assert_allclose(given.predict(X), named.predict(X), rtol=1e-9)
    assert given.score_name_ == f"negative {loss!r}"


def test_noise_is_shrunk_to_the_best_constant():
    X, y, _ = draw()
    X = np.random.default_rng(1).normal(size=(90, 20))
    found = MLPRegressorCV(
        MLPRegressor(loss=Tweedie(1.5)), n_candidates=4, cv=3, random_state=0
    ).fit(X, y)
    assert found.shrinkage_ < 1
    # The mean minimises every Tweedie deviance.
    assert found.target_center_ == pytest.approx(np.mean(y), rel=1e-4)


def test_checkpoints_keep_losses_of_skreg_only(tmp_path):
    X, y, _ = draw()
    search = MLPRegressorCV(
        MLPRegressor(loss=Expectile(0.8), max_iter=3),
        n_candidates=2,
        cv=2,
        random_state=0,
        checkpoint=tmp_path,
    )
    with pytest.raises(ValueError, match="no loss of your own"):
        search.fit(X, y)
    search.set_params(estimator__loss=SquaredError()).fit(X, y)
    assert any(tmp_path.rglob("*.*"))
