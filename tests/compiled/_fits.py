"""Fits of the compiled library beside those of torch."""

from unittest import mock

import numpy as np
from _engines import CLOSE, with_engine, with_torch
from _numeric import unpolished

from skreg.training import engine


def trained_by(build, fit):
    """Return the result of a function in which a build of the library must train."""
    alarm = AssertionError("torch trains what the library should")
    with (
        with_engine(build),
        unpolished(),
        mock.patch.object(engine, "TorchEpochs", side_effect=alarm),
    ):
        return fit()


def trained_by_torch(fit):
    """Return the result of a function in which torch trains."""
    with with_torch(), unpolished():
        return fit()


def assert_same_fit(one, other):
    """Assert that all states and curves of two estimators are close."""
    for fit, its in zip(one._fits, other._fits, strict=True):
        for state, other_state in zip(fit.states, its.states, strict=True):
            for array, other_array in zip(state, other_state, strict=True):
                assert_close(array, other_array)
        close = CLOSE[str(fit.state[0].dtype)]
        found, expected = (f.attributes["kkt_violation_"] for f in (fit, its))
        np.testing.assert_allclose(found, expected, close, 10 * close)
        for name, curve in fit.curves.items():
            if curve is not None:
                np.testing.assert_allclose(curve, its.curves[name], close, close)


def assert_close(array, other):
    """Assert that two arrays are close, relative to their largest number."""
    tolerance = CLOSE[str(array.dtype)] * max(1, np.abs(other).max(initial=0))
    np.testing.assert_allclose(array, other, rtol=0, atol=tolerance)
