"""Learning-rate schedules: their formulas, and the end of fits that use them."""

import math
import warnings
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from _estimators import ESTIMATORS, data
from _numeric import request_of
from sklearn.exceptions import ConvergenceWarning

from skreg import MLPClassifier, MLPRegressor, regularization_path
from skreg.training.schedules import SCHEDULES, ends_cycle, scheduled_share
from skreg.training.tracker import Tracker
from skreg.training.train import train

SMALL = {"hidden_layer_sizes": (6,), "batch_size": 16, "random_state": 0}
SMALL |= {"learning_rate_init": 1e-3}


def half_cosine(start, stop, share):
    return stop + (start - stop) * (1 + math.cos(math.pi * share)) / 2


def expected_share(name, t):
    """Return the schedules by their definitions."""
    if name == "cosine":
        return half_cosine(1, 0, t)
    if name == "flat_cosine":
        return 1 if t < 0.5 else half_cosine(1, 0, (t - 0.5) / 0.5)
    if t < 0.3:
        return half_cosine(1 / 25, 1, t / 0.3)
    return half_cosine(1, 1e-4, (t - 0.3) / 0.7)


@pytest.mark.parametrize("max_iter", [1, 2, 7, 10, 200])
@pytest.mark.parametrize("name", SCHEDULES)
def test_formula(name, max_iter):
    for epoch in range(max_iter):
        share = expected_share(name, (epoch + 0.5) / max_iter)
        # A few roundings of numbers of at most 1.
        assert scheduled_share(name, epoch, max_iter) == pytest.approx(share, abs=1e-14)


@pytest.mark.parametrize("max_iter, n_cycles", [(12, 3), (10, 3), (7, 7), (200, 6)])
def test_cycles(max_iter, n_cycles):
    """Each cycle falls from the top, and ends where the next begins."""
    shares = [scheduled_share("cosine", e, max_iter, n_cycles) for e in range(max_iter)]
    for epoch, share in enumerate(shares):
        t = (epoch + 0.5) * n_cycles / max_iter % 1
        assert share == pytest.approx(half_cosine(1, 0, t), abs=1e-12)
    ends = [e for e in range(max_iter) if ends_cycle(e, max_iter, n_cycles)]
    assert len(ends) == n_cycles and ends[-1] == max_iter - 1
    risen = [e for e, (one, two) in enumerate(pairwise(shares)) if two > one]
    if max_iter > n_cycles:
        assert ends == [*risen, max_iter - 1]
    lengths = np.diff([-1, *ends])
    assert lengths.max() - lengths.min() <= 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_fit_takes_steps_of_that_rate(name):
    """SGD without momentum on one batch: steps are rates times gradients."""
    X, y = data(MLPRegressor)
    settings = {"solver": "sgd", "momentum": 0.0, "batch_size": 100, "max_iter": 5}
    settings |= {"hidden_layer_sizes": (), "learning_rate_init": 0.2, "clip_norm": None}
    states = []

    def keep(tracker, state):
        states.append((tracker.lr, state()))

    request = request_of(MLPRegressor(learning_rate=name, **settings), X, y)
    train([replace(request, on_epoch=keep, may_polish=False)])
    Z, t = (X - X.mean(0)) / X.std(0), ((y - y.mean()) / y.std())[:, None]
    weight, bias = np.zeros((5, 1)), np.zeros((1, 1))
    for epoch in range(5):
        rate = 0.2 * expected_share(name, (epoch + 0.5) / 5)
        residual = (Z @ weight + bias - t) / len(Z)
        weight = weight - rate * Z.T @ residual
        bias = bias - rate * residual.sum()
        # Five steps in float64.
        np.testing.assert_allclose(states[epoch][1][0], weight, rtol=0, atol=1e-13)
    # The rate of the last epoch is the last.
    assert states[-1][0] == pytest.approx(rate, rel=1e-14)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_training_loss_does_not_end_a_fit(kind, name):
    X, y = data(kind)
    impatient = SMALL | {"tol": 1e6, "n_iter_no_change": 1, "max_iter": 9}
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        estimator = kind(learning_rate=name, **impatient).fit(X, y)
    assert estimator.n_iter_ == 9
    assert kind(learning_rate="constant", **impatient).fit(X, y).n_iter_ == 3


@pytest.mark.parametrize("validation_fraction", [0.1, None])
@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_early_stopping_may_end_a_fit(kind, name, validation_fraction):
    """By validation rows, and by the training loss where it is to watch that."""
    X, y = data(kind)
    impatient = SMALL | {"tol": 1e6, "n_iter_no_change": 1, "max_iter": 9}
    settings = impatient | {"early_stopping": True, "learning_rate": name}
    settings["validation_fraction"] = validation_fraction
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        estimator = kind(**settings).fit(X, y)
    assert estimator.n_iter_ == 3
    assert request_of(kind(**settings), X, y).stops_early
    # Rows that are only looked at end none.
    assert not request_of(kind(**SMALL), X, y, X_val=X, y_val=y).stops_early


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_full_batch_solver_ignores_it(name):
    X, y = data(MLPClassifier)
    settings = SMALL | {
        "solver": "lbfgs",
        "l2": 0.01,
        "activation": "tanh",
        "max_iter": 500,
    }
    one = MLPClassifier(learning_rate="constant", **settings).fit(X, y)
    other = MLPClassifier(learning_rate=name, **settings).fit(X, y)
    assert one.loss_curve_ == other.loss_curve_
    short = settings | {"learning_rate": name, "max_iter": 2}
    with pytest.warns(ConvergenceWarning, match="optimality conditions"):
        MLPClassifier(**short).fit(X, y)


@pytest.mark.parametrize("name", SCHEDULES)
def test_an_optimum_is_reached_after_a_schedule(name):
    X, y = data(MLPClassifier)
    settings = {"l1": 0.01, "max_iter": 60, "random_state": 0}
    estimator = MLPClassifier((), learning_rate=name, **settings).fit(X, y)
    assert estimator.kkt_violation_ <= 1e-6 and estimator.n_iter_ > 60


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_partial_fit_keeps_the_initial_rate(kind, name):
    X, y = data(kind)
    one = kind(learning_rate="constant", **SMALL)
    other = kind(learning_rate=name, **SMALL)
    for _ in range(2):
        one.partial_fit(X, y)
        other.partial_fit(X, y)
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_warm_start_begins_the_schedule_anew(name):
    X, y = data(MLPClassifier)
    settings = SMALL | {"learning_rate": name, "max_iter": 4, "warm_start": True}
    estimator = MLPClassifier(**settings).fit(X, y)
    with pytest.MonkeyPatch.context() as patch:
        rates, update = [], Tracker.update

        def watched(self, *args):
            rates.append(self.lr)
            return update(self, *args)

        patch.setattr(Tracker, "update", watched)
        estimator.fit(X, y)
    shares = [expected_share(name, (epoch + 0.5) / 4) for epoch in range(4)]
    np.testing.assert_allclose(rates, np.array(shares) * 1e-3, rtol=1e-12)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_stacked_is_alone(solver):
    """Models whose rates differ in every epoch, of different lengths and numbers."""
    X, y = data(MLPClassifier, n_samples=70)
    requests = [
        request_of(
            MLPClassifier(
                **(SMALL | {"learning_rate_init": 0.01 * (1 + position)}),
                solver=solver,
                learning_rate=name,
                max_iter=5 + 2 * position,
            ),
            X[: 40 + 10 * position],
            y[: 40 + 10 * position],
        )
        for position, name in enumerate([*SCHEDULES, "constant"])
    ]
    together, alone = train(requests), [train([r])[0] for r in requests]
    for one, other in zip(together, alone):
        assert one.tracker.n_iter == other.tracker.n_iter
        assert one.tracker.lr == other.tracker.lr
        for array, its in zip(one.state, other.state):
            # Rounding of sums in another order, over few steps.
            np.testing.assert_allclose(array, its, rtol=1e-10, atol=1e-10)


def test_a_path_of_schedules_does_not_warn():
    X, y = data(MLPRegressor)
    settings = SMALL | {"max_iter": 3, "dropout": 0.1}
    network = MLPRegressor(learning_rate="cosine", **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        regularization_path(network, X, y, strengths=[0.01, 0.1], cv=2)
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        network = MLPRegressor(learning_rate="constant", **settings)
        regularization_path(network, X, y, strengths=[0.01, 0.1], cv=2)
