"""Averages of weights: their definitions and their uses."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from _engines import with_torch
from _estimators import ESTIMATORS, STEADY, data
from _numeric import request_of, unpolished
from sklearn.metrics import log_loss

from skreg import MLPClassifier, MLPRegressor
from skreg.training.optimizers import ProximalOptimizer
from skreg.training.train import train
from skreg.training.weight_averages import first_averaged

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = STEADY | {"hidden_layer_sizes": (6,), "batch_size": 16, "random_state": 0}
SMALL |= {"max_iter": 7, "learning_rate_init": 0.01, "tol": 0.0}
KINDS = [{}, {"batchnorm": True}, {"dropout": 0.3}, {"solver": "sgd", "l1": 1e-3}]
# An average is a sum of some ten numbers of size 1.
CLOSE = {"rtol": 1e-12, "atol": 1e-13}


def states_of(estimator, X, y):
    """Train without averages, and return the states after each epoch and each step."""
    epochs, steps, update = [], [], ProximalOptimizer.update

    def watched(self, k):
        update(self, k)
        steps.append([tensor[0].numpy().copy() for tensor in self.module.state])

    request = request_of(estimator.set_params(swa_fraction=0.0, ema_decay=0.0), X, y)
    request = replace(
        request,
        may_polish=False,
        on_epoch=lambda tracker, state: epochs.append(state()),
    )
    with mock.patch.object(ProximalOptimizer, "update", watched), with_torch():
        train([request])
    return epochs, steps


def fitted(estimator, X, y, **fit_params):
    with unpolished():
        return estimator.fit(X, y, **fit_params)


def assert_equal(state, expected):
    for array, its in zip(state, expected, strict=True):
        np.testing.assert_allclose(array, its, **CLOSE)


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("share, n_averaged", [(0.1, 1), (0.3, 3), (0.5, 4), (0.99, 7)])
def test_stochastic_weight_averaging(share, n_averaged, settings):
    X, y = data(MLPClassifier)
    estimator = fitted(MLPClassifier(**SMALL, **settings, swa_fraction=share), X, y)
    epochs, _ = states_of(MLPClassifier(**SMALL, **settings), X, y)
    expected = [np.mean(parts, axis=0) for parts in zip(*epochs[-n_averaged:])]
    assert_equal(estimator._fits[0].state, expected)


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_exponential_moving_average(decay, settings):
    X, y = data(MLPRegressor)
    estimator = fitted(MLPRegressor(**SMALL, **settings, ema_decay=decay), X, y)
    _, steps = states_of(MLPRegressor(**SMALL, **settings), X, y)
    assert len(steps) == 7 * 4
    expected = [np.zeros_like(array) for array in steps[0]]
    for state in steps:
        expected = [decay * a + (1 - decay) * w for a, w in zip(expected, state)]
    assert_equal(
        estimator._fits[0].state, [a / (1 - decay ** len(steps)) for a in expected]
    )


def test_the_first_epoch_averaged():
    for fraction in (0.1, 0.2, 0.3, 0.7, 0.9):
        for max_iter in (10, 30, 70):
            n_averaged = max_iter - first_averaged(fraction, max_iter)
            assert n_averaged == round(fraction * max_iter)
    assert first_averaged(0.25, 10) == 7
    assert first_averaged(1e-12, 10) == 9


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_fit_lasts_until_the_weights_were_averaged(kind):
    X, y = data(kind)
    impatient = SMALL | {"tol": 1e6, "n_iter_no_change": 1}
    assert kind(**impatient).fit(X, y).n_iter_ == 3
    assert kind(**impatient, ema_decay=0.9).fit(X, y).n_iter_ == 3
    assert kind(**impatient, swa_fraction=0.2).fit(X, y).n_iter_ == 7


@pytest.mark.parametrize("settings", [{"swa_fraction": 0.6}, {"ema_decay": 0.9}])
def test_validation_rows_see_the_average(settings):
    X, y = data(MLPClassifier, n_samples=120)
    rows = {"X_val": X[60:], "y_val": y[60:]}
    watching = SMALL | {"early_stopping": True, "n_iter_no_change": 50, "max_iter": 20}
    losses = {}
    for monitor in ("loss", "neg_log_loss"):
        estimator = MLPClassifier(**watching, **settings, monitor=monitor)
        estimator.fit(X[:60], y[:60], **rows)
        scores = estimator.validation_scores_
        # The same float64 network scored by other code: rounding only.
        loss = log_loss(y[60:], estimator.predict_proba(X[60:]))
        assert loss == pytest.approx(-max(scores), rel=1e-9)
        losses[monitor] = scores
        # The weights that come back are those of the best epoch's average.
        best = estimator.best_iter_
        assert scores.index(max(scores)) == best - 1
    np.testing.assert_allclose(losses["loss"], losses["neg_log_loss"], rtol=1e-9)
    plain = MLPClassifier(**watching).fit(X[:60], y[:60], **rows)
    # The ninth epoch is the first of 12, whose average is of one state.
    n_same = 9 if "swa_fraction" in settings else 0
    same = np.array(plain.validation_scores_) == losses["loss"]
    assert same[:n_same].all() and not same[n_same:].any()


def test_a_hook_sees_the_average():
    X, y = data(MLPClassifier)
    states = []
    request = request_of(MLPClassifier(**SMALL, ema_decay=0.9), X, y)
    watched = replace(request, on_epoch=lambda t, state: states.append(state()))
    (result,) = train([watched])
    assert_equal(states[-1], result.state)


@pytest.mark.parametrize("settings", [{"swa_fraction": 0.5}, {"ema_decay": 0.9}])
def test_the_certificate_is_that_of_the_result(settings):
    """A linear model goes on from the average to the optimum."""
    X, y = data(MLPClassifier)
    estimator = MLPClassifier((), l1=0.02, max_iter=50, random_state=0, **settings)
    estimator.fit(X, y)
    assert estimator.kkt_violation_ <= 1e-6 and estimator.n_iter_ > 50
    plain = MLPClassifier((), l1=0.02, max_iter=50, random_state=0).fit(X, y)
    # Both at the optimum to 1e-6; the curvature of 60 rows is 0.01 or more.
    np.testing.assert_allclose(estimator.coefs_[0], plain.coefs_[0], atol=1e-3)


def test_the_certificate_of_an_average_that_is_not_polished():
    X, y = data(MLPClassifier)
    settings = SMALL | {"l1": 1e-2, "early_stopping": True, "validation_fraction": None}
    settings |= {"restore_best_weights": False}
    request = request_of(MLPClassifier(**settings, ema_decay=0.9), X, y)
    (result,) = train([request])
    # The same weights as those of a fit of their own, of rate 0.
    still = replace(
        request,
        ema_decay=0.0,
        initial=result.state,
        max_iter=1,
        settings=request.settings | {"lr": 1e-300},
    )
    (other,) = train([still])
    assert result.kkt_violation == pytest.approx(other.kkt_violation, rel=1e-9)
    (plain,) = train([replace(request, ema_decay=0.0)])
    assert result.kkt_violation != pytest.approx(plain.kkt_violation, rel=1e-2)


@pytest.mark.parametrize("batchnorm", [False, "after"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_stacked_is_alone(early_stopping, batchnorm):
    """Other decays, shares and none, of other lengths, beside one another."""
    X, y = data(MLPClassifier, n_samples=120)
    averages = [{"ema_decay": 0.5}, {"ema_decay": 0.99}, {"swa_fraction": 0.3}]
    averages += [{"swa_fraction": 0.9, "max_iter": 12}, {}, {"max_iter": 4}]
    watching = {"early_stopping": early_stopping, "batchnorm": batchnorm}
    watching |= {"n_iter_no_change": 2, "dropout": 0.1}
    requests = [
        request_of(
            MLPClassifier(**(SMALL | watching | own)),
            X[: 60 + 12 * m],
            y[: 60 + 12 * m],
        )
        for m, own in enumerate(averages)
    ]
    together, alone = train(requests), [train([request])[0] for request in requests]
    for one, other in zip(together, alone):
        assert one.tracker.n_iter == other.tracker.n_iter
        for array, its in zip(one.state, other.state):
            # Rounding of sums in another order, over few steps.
            np.testing.assert_allclose(array, its, rtol=1e-10, atol=1e-10)


def test_none_beside_averages_is_bit_for_bit_alone():
    """A copy of the weights is not an average that is rounded."""
    X, y = data(MLPClassifier)
    one = request_of(MLPClassifier(**SMALL), X, y)
    beside = request_of(MLPClassifier(**SMALL, ema_decay=0.0), X, y)
    moving = request_of(MLPClassifier(**SMALL, ema_decay=0.5), X, y)
    without, averaged = train([one, one])[0], train([beside, moving])[0]
    for array, its in zip(without.state, averaged.state):
        np.testing.assert_array_equal(array, its)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_partial_fit_does_not_average(kind):
    X, y = data(kind)
    one, two, three = (
        kind(**SMALL),
        *(kind(**SMALL, **own) for own in ({"ema_decay": 0.9}, {"swa_fraction": 0.5})),
    )
    for _ in range(2):
        for estimator in (one, two, three):
            estimator.partial_fit(X, y)
    np.testing.assert_array_equal(one.coefs_[0], two.coefs_[0])
    np.testing.assert_array_equal(one.coefs_[0], three.coefs_[0])


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_both_averages(kind):
    match = r"swa_fraction and ema_decay both .* swa_fraction=0.5 and ema_decay=0.9"
    with pytest.raises(ValueError, match=match):
        kind(swa_fraction=0.5, ema_decay=0.9).fit(*data(kind))
