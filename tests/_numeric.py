"""Helpers of the tests of the numerics."""

from dataclasses import replace
from unittest import mock

import torch


def derivative(function, x, step=1e-3):
    """Return the derivative of a function's sum with respect to each element of `x`.

    Fourth-order central differences: in float64 the truncation, ``step^4 f^(5) / 30``,
    and the rounding, ``1e-16 / step``, are both near 1e-13 at a step of 1e-3.

    Parameters
    ----------
    function : callable
        Maps a tensor of the shape of `x` to a tensor of any shape.
    x : Tensor of float64
        No kink of the function may lie within two steps.
    step : float, default=1e-3
    """
    assert x.dtype == torch.float64
    flat, slopes = x.detach().clone().reshape(-1), []
    for position, value in enumerate(flat.tolist()):

        def at(offset, position=position, value=value):
            flat[position] = value + offset * step
            total = function(flat.view(x.shape)).sum().item()
            flat[position] = value
            return total

        slopes.append((8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * step))
    return torch.tensor(slopes, dtype=torch.float64).view(x.shape)


class _Captured(Exception):
    pass


def request_of(estimator, X, y, **fit_params):
    """Return the `FitRequest` of an estimator's fit."""
    with mock.patch("skreg.estimators.base.train_fit", side_effect=_Captured) as train:
        try:
            estimator.fit(X, y, **fit_params)
        except _Captured:
            pass
    return train.call_args.args[0][0]


def steps_only(request):
    """Return a request whose fit ends after Adam or SGD, without L-BFGS."""
    return replace(request, may_polish=False)


def unpolished():
    """Return a context in which fits end after Adam or SGD."""
    return mock.patch("skreg.training.train.needs_polish", return_value=False)
