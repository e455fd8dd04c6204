"""Comparison of fits on a device of `_devices` with the same fits on the CPU."""

import contextlib
from unittest import mock

import numpy as np
from _devices import DEVICE, Work
from _engines import with_torch

from skreg.estimators.trained import networks_of
from skreg.networks import convolution

# Few epochs, in which everything happens that happens in many.
SHORT = {"max_iter": 3, "random_state": 0, "dtype": "float64"}


@contextlib.contextmanager
def convolved_as_on_devices():
    """Compute convolutions on the CPU in the way of devices, which rounds otherwise."""
    with mock.patch.object(convolution, "way_of", lambda x, shape: "grouped"):
        yield


def numbers_of(estimator, X):
    """Return the numbers that a fit has found, and predictions."""
    found = [estimator.predict(X)]
    if hasattr(estimator, "predict_proba"):
        found.append(estimator.predict_proba(X))
    for fit in networks_of(estimator):
        found += [array for state in fit.states for array in state]
        found += [curve for curve in fit.curves.values() if curve is not None]
        found.append(fit.attributes["kkt_violation_"])
    return found


def assert_equal(one, other):
    """Assert that two lists of arrays have the same bits."""
    assert len(one) == len(other)
    for a, b in zip(one, other):
        np.testing.assert_array_equal(a, b, strict=True)


def plain_fit(estimator, X, y):
    """Fit an estimator."""
    return estimator.fit(X, y)


def as_on_cpu(make, X, y, fit=plain_fit):
    """Return what a fit and its predictions find on the CPU, for `assert_as_on_cpu`."""
    with convolved_as_on_devices(), with_torch():
        return numbers_of(fit(make(device="cpu"), X, y), X)


def assert_as_on_cpu(make, X, y, fit=plain_fit, expected=None):
    """Assert that a device computes a fit and its predictions, to the bits of the CPU.

    Parameters
    ----------
    make : callable
        Returns an estimator, given its parameter `device`.
    X, y
        The rows.
    fit : callable, default=plain_fit
        Called with the estimator and the rows, and returns it fitted.
    expected : list of array, default=None
        The result of `as_on_cpu`. None computes it.

    Returns
    -------
    estimator
        Fitted on the device.
    """
    expected = expected or as_on_cpu(make, X, y, fit)
    with Work() as work:
        estimator = fit(make(device=DEVICE), X, y)
        found = numbers_of(estimator, X)
    assert work.places == {DEVICE}, f"computed on {work.places}"
    assert_equal(found, expected)
    state = estimator.net_.module_.state
    assert {tensor.device.type for tensor in state} == {DEVICE}
    return estimator


def n_reads(make, X, y):
    """Return how often a fit on a device waits for its values, with few and many steps.

    Parameters
    ----------
    make : callable
        Returns an estimator, given its parameters `device` and `batch_size`.
    X, y
        The rows.
    """
    counts = []
    for n_batches in (2, 6):
        with Work() as work:
            make(device=DEVICE, batch_size=len(X) // n_batches).fit(X, y)
        counts.append(work.n_read)
    return counts
