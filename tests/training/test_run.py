"""The results of models that leave a stack."""

import traceback
from dataclasses import replace

import numpy as np
import pytest
from _fitted import prepared_request
from sklearn.datasets import load_iris

from skreg import MLPClassifier
from skreg.training.run import Run, run

X, y = load_iris(return_X_y=True)

# Random and not, with and without penalties that have kinks.
KINDS = [
    {"l1": 1e-3},
    {"l1": 1e-3, "dropout": 0.3},
    {"l2": 1e-3},
    {"l1": 1e-4, "input_noise": 0.1},
    {"l1": 1e-4, "input_dropout": 0.2, "label_smoothing": 0.1},
    {"max_norm": 1.0, "mixup": 0.3},
    {"positive": True},
]


def request(n_rows, max_iter=3, **params):
    """Return the request of a fit that is not polished."""
    estimator = MLPClassifier((5,), batch_size=16, tol=0, max_iter=max_iter, **params)
    rows = np.random.default_rng(0).permutation(len(X))[:n_rows]
    request = prepared_request(estimator, X[rows], y[rows], seed=n_rows)
    return replace(request, may_polish=False)


def in_order(requests):
    return sorted(requests, key=lambda r: -r.n_batches)


@pytest.mark.parametrize("batchnorm", [False, "after"])
def test_violations_are_those_of_each_model_alone(batchnorm):
    """Also of models that leave together and apart, and of other lengths."""
    shapes = [(150, 3), (143, 3), (141, 2), (120, 3), (60, 3), (31, 2), (31, 3)]
    requests = [
        request(n_rows, epochs, batchnorm=batchnorm, **params)
        for (n_rows, epochs), params in zip(shapes, KINDS)
    ]
    together = [result.kkt_violation for result in run(in_order(requests))]
    alone = [run([request])[0].kkt_violation for request in requests]
    np.testing.assert_allclose(together, alone, rtol=1e-9)
    # Nothing is certified without a kink.
    assert [np.isnan(v) for v in alone] == ["l2" in params for params in KINDS]


def test_small_pieces_give_the_same_violations(monkeypatch):
    requests = [request(n_rows, l1=1e-3) for n_rows in (150, 140, 100)]
    whole = [result.kkt_violation for result in run(in_order(requests))]
    monkeypatch.setattr("skreg.training.assembly.ELEMENTS_AT_A_TIME", 1)
    pieces = [result.kkt_violation for result in run(in_order(requests))]
    np.testing.assert_allclose(pieces, whole, rtol=1e-9)


def fail(tracker, state):
    if tracker.n_iter == 2:
        raise LookupError("the user's")


def test_an_error_of_one_model_stops_that_model_only():
    requests = [request(seed, 4, l1=1e-3) for seed in (150, 149, 148)]
    expected = run(in_order(requests))
    requests[1] = replace(requests[1], on_epoch=fail)
    results = run(in_order(requests))
    error = results[1].tracker.error
    assert isinstance(error, LookupError)
    assert "in fail" in "".join(traceback.format_tb(error.__traceback__))
    assert [result.tracker.n_iter for result in results] == [4, 2, 4]
    for position in (0, 2):
        assert results[position].tracker.error is None
        for array, other in zip(results[position].state, expected[position].state):
            np.testing.assert_allclose(array, other, rtol=1e-9, atol=1e-12)


def test_an_interrupt_stops_all():
    def interrupt(tracker, state):
        raise KeyboardInterrupt

    requests = [request(seed, 4) for seed in (150, 149)]
    requests[1] = replace(requests[1], on_epoch=interrupt)
    results = run(in_order(requests))
    assert all(result.interrupted for result in results)
    assert [result.tracker.error for result in results] == [None, None]


def test_seconds_are_shared_by_steps():
    """In proportion to epochs times batches, and all of them."""
    results = run(in_order([request(150, 6), request(40, 2), request(16, 3)]))
    seconds = np.array([result.seconds for result in results])
    np.testing.assert_allclose(seconds / seconds.sum(), np.array([60, 6, 3]) / 69)
    assert 0 < seconds.sum() < 60


def test_seconds_without_a_step():
    """After an interrupt before the first epoch ends, equal shares."""

    def interrupt(*args):
        raise KeyboardInterrupt

    training = Run(in_order([request(150), request(40)]))
    training.course.note_epoch = interrupt
    training.advance()
    one, two = training.finish()
    assert one.seconds == two.seconds > 0
