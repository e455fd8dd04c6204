"""Races: networks that continue or drop out have the results of training alone."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from _estimators import data
from _numeric import request_of
from numpy.testing import assert_allclose, assert_array_equal

from skreg import MLPClassifier, MLPRegressor
from skreg.model_selection.race import Race
from skreg.training.run import Run
from skreg.training.train import train

# Stacked products are summed in another order than single ones.
TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}
SETTINGS = [
    {"l2": 1e-3},
    {"l2": 1e-1, "dropout": 0.3},
    {"l1": 1e-3, "learning_rate_init": 0.01},
    {"input_noise": 0.1, "learning_rate": "cosine"},
    {"hidden_layer_sizes": (5, 3)},
    {"batchnorm": True, "swa_fraction": 0.5},
]


def requests(kind=MLPClassifier, settings=SETTINGS, **common):
    """Return a request for each of the settings, each with its own rows."""
    X, y = data(kind)
    common = {"hidden_layer_sizes": (6,), "max_iter": 12, "batch_size": 16} | common
    common |= {"early_stopping": True, "n_iter_no_change": 12}
    found = []
    for seed, own in enumerate(settings):
        network = kind(**(common | own), random_state=seed)
        rows = np.arange(seed, 60)
        found.append(request_of(network, X[rows], y[rows]))
    return found


def assert_equal_results(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        assert one.tracker.n_iter == other.tracker.n_iter
        assert one.tracker.best_iter == other.tracker.best_iter
        for array, like in zip(one.state, other.state, strict=True):
            assert_allclose(array, like, **tolerance)
        assert_allclose(one.tracker.loss_curve, other.tracker.loss_curve, **tolerance)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_without_drops_it_is_train(kind):
    race = Race(requests(kind))
    for epoch in (3, 4, 12):
        race.advance(epoch)
    # The same stacks do the same sums.
    assert_equal_results(race.finish(), train(requests(kind)), rtol=0, atol=0)


def halted_after(request, epoch):
    return replace(request, on_epoch=lambda tracker, state: tracker.n_iter >= epoch)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_survivors_and_dropped_ones_are_as_alone(kind):
    race, ends = Race(requests(kind)), {1: 3, 4: 3, 0: 6}
    race.advance(3)
    race.drop([1, 4])
    race.advance(6)
    race.drop([0])
    race.advance(12)
    found = race.finish()
    for position, request in enumerate(requests(kind)):
        alone = train([halted_after(request, ends.get(position, 12))])
        assert_equal_results([found[position]], alone, **TOLERANCE)
        assert found[position].tracker.n_iter == ends.get(position, 12)


def test_dropping_all_ends_the_race():
    race = Race(requests())
    race.advance(2)
    race.drop(range(6))
    race.advance(12)
    assert [result.tracker.n_iter for result in race.finish()] == [2] * 6


def test_the_state_is_the_best_so_far():
    race = Race(requests())
    race.advance(5)
    states = [race.state(position) for position in range(6)]
    alone = [train([halted_after(request, 5)])[0] for request in requests()]
    for state, result in zip(states, alone, strict=True):
        for array, like in zip(state, result.state, strict=True):
            assert_allclose(array, like, **TOLERANCE)


def test_without_a_best_state_it_is_the_present_one():
    own = [replace(request, restore_best=False) for request in requests()]
    race = Race(own)
    race.advance(5)
    before = race.state(3)
    # A stack closes its ranks where others leave it.
    race.drop([0, 1])
    for array, like in zip(before, race.state(3), strict=True):
        assert_array_equal(array, like)
    race.advance(12)
    results = race.finish()
    for array, like in zip(race.state(3), results[3].state, strict=True):
        assert_array_equal(array, like)


def test_networks_that_stop_by_themselves():
    patient = [{"learning_rate_init": 0.1, "l2": 0.1 * k} for k in range(3)]
    common = {"max_iter": 100, "tol": 1e-2}

    def short():
        return [
            replace(request, n_iter_no_change=2)
            for request in requests(settings=patient, **common)
        ]

    race = Race(short())
    race.advance(30)
    ended = [tracker.n_iter for tracker in race.trackers]
    assert all(n < 30 for n in ended)
    race.drop([0])  # who has left already
    race.advance(100)
    assert_equal_results(race.finish(), train(short()), rtol=0, atol=0)


def test_the_full_batch_solver_does_not_pause():
    linear = [{"l2": 1e-2}, {"l2": 1e-1}]
    common = {"solver": "lbfgs", "max_iter": 30}
    race = Race(requests(settings=linear, **common))
    race.advance(2)
    assert all(tracker.n_iter > 2 for tracker in race.trackers)
    race.drop([0])
    race.advance(30)
    expected = train(requests(settings=linear, **common))
    assert_equal_results(race.finish(), expected, rtol=0, atol=0)


def failing(method, stack_size):
    """Return a patch under which a method fails for stacks of one size."""
    original = getattr(Run, method)

    def wrapper(self, *args, **options):
        n_models = len(args[0]) if method == "__init__" else len(self.results)
        if n_models == stack_size:
            raise RuntimeError("out of memory")
        return original(self, *args, **options)

    return mock.patch.object(Run, method, wrapper)


@pytest.mark.parametrize("method", ["__init__", "_end_epoch"])
def test_a_stack_that_fails_is_not_the_others_concern(method):
    settings = [*SETTINGS[:2], {"hidden_layer_sizes": (5, 3)}]
    with failing(method, 2):
        race = Race(requests(settings=settings))
        race.advance(4)
        race.drop([0])
        race.advance(12)
        results = race.finish()
    errors = [result.tracker.error for result in results]
    assert [type(error) for error in errors] == [RuntimeError] * 2 + [type(None)]
    assert errors[0] is not errors[1]  # each raises its own
    expected = train(requests(settings=settings))[2:]
    assert_equal_results(results[2:], expected, rtol=0, atol=0)


def test_a_network_that_diverges_fails_alone():
    wild = [{"l2": 1e-3}, {"learning_rate_init": 1e200}]
    race = Race(requests(settings=wild))
    with np.errstate(all="ignore"):
        race.advance(12)
    results = race.finish()
    assert "diverged" in str(results[1].tracker.error)
    assert results[0].tracker.error is None
    expected = train([requests(settings=wild)[0]])
    assert_equal_results(results[:1], expected, **TOLERANCE)


def test_ctrl_c_ends_the_race():
    def interrupt(tracker, state):
        if tracker.n_iter == 2:
            raise KeyboardInterrupt

    own = requests()
    own[0] = replace(own[0], on_epoch=interrupt)
    race = Race(own)
    with pytest.raises(KeyboardInterrupt):
        race.advance(12)
    results = race.finish()
    assert results[0].interrupted and results[0].tracker.n_iter == 2
    assert np.isfinite(results[0].state[0]).all()
