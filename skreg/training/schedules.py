"""Learning rates that are functions of how much of a fit is over."""

import math


def _cosine(t):
    """Fall from 1 to 0 along half a cosine while `t` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * t))


def _onecycle(t):
    low, last, peak = 1 / 25, 1e-4, 0.3
    if t < peak:
        return 1 + (low - 1) * _cosine(t / peak)
    return last + (1 - last) * _cosine((t - peak) / (1 - peak))


def _flat_cosine(t):
    return 1.0 if t < 0.5 else _cosine(2 * t - 1)


# Name: the share of the initial learning rate when a share `t` of the fit is over.
# "cosine" is that of Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent
# with Warm Restarts"; "onecycle" of Smith and Topin 2018, "Super-Convergence".
SCHEDULES = {
    "cosine": _cosine,
    "onecycle": _onecycle,
    "flat_cosine": _flat_cosine,
}


def scheduled_share(name, epoch, max_iter, n_cycles=1):
    """Return the share of the initial learning rate that an epoch is trained with.

    Parameters
    ----------
    name : str
        A key of `SCHEDULES`.
    epoch : int
        Counted from 0.
    max_iter : int
        Number of epochs of the fit.
    n_cycles : int, default=1
        How often the schedule runs from its beginning to its end.

    Returns
    -------
    float

    Examples
    --------
    >>> from skreg.training.schedules import scheduled_share
    >>> [round(scheduled_share("cosine", epoch, 4), 2) for epoch in range(4)]
    [0.96, 0.69, 0.31, 0.04]
    """
    # The middle of the epoch, in whole numbers: a cycle must not end by rounding.
    position = (2 * epoch + 1) * n_cycles % (2 * max_iter)
    return SCHEDULES[name](position / (2 * max_iter))


def ends_cycle(epoch, max_iter, n_cycles):
    """Tell whether a cycle of a schedule ends with an epoch, counted from 0."""
    present, following = (
        (2 * e + 1) * n_cycles // (2 * max_iter) for e in (epoch, epoch + 1)
    )
    return following > present or epoch == max_iter - 1
