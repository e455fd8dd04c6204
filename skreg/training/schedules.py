"""Learning rate schedules over the course of a fit."""

import math


def _cosine(t):
    """Decay from 1 to 0 along half a cosine as `t` goes from 0 to 1."""
    return 0.5 * (1 + math.cos(math.pi * t))


def _onecycle(t):
    low, last, peak = 1 / 25, 1e-4, 0.3
    if t < peak:
        return 1 + (low - 1) * _cosine(t / peak)
    return last + (1 - last) * _cosine((t - peak) / (1 - peak))


def _flat_cosine(t):
    return 1.0 if t < 0.5 else _cosine(2 * t - 1)


# Functions that map the completed share `t` of a fit to a factor of the initial
# learning rate. "cosine" is due to Loshchilov and Hutter 2017, "SGDR: Stochastic
# Gradient Descent with Warm Restarts", and "onecycle" to Smith and Topin 2018,
# "Super-Convergence".
SCHEDULES = {
    "cosine": _cosine,
    "onecycle": _onecycle,
    "flat_cosine": _flat_cosine,
}


def scheduled_share(name, epoch, max_iter, n_cycles=1):
    """Return the factor by which an epoch multiplies the initial learning rate.

    Parameters
    ----------
    name : str
        A key of `SCHEDULES`.
    epoch : int
        Counted from 0.
    max_iter : int
        Number of epochs of the fit.
    n_cycles : int, default=1
        Number of times that the schedule runs from beginning to end.

    Returns
    -------
    float

    Examples
    --------
    >>> from skreg.training.schedules import scheduled_share
    >>> [round(scheduled_share("cosine", epoch, 4), 2) for epoch in range(4)]
    [0.96, 0.69, 0.31, 0.04]
    """
    # The middle of the epoch. Integers keep rounding from moving the end of a cycle.
    position = (2 * epoch + 1) * n_cycles % (2 * max_iter)
    return SCHEDULES[name](position / (2 * max_iter))


def ends_cycle(epoch, max_iter, n_cycles):
    """Return whether an epoch, counted from 0, is the last one of a cycle."""
    present, following = (
        (2 * e + 1) * n_cycles // (2 * max_iter) for e in (epoch, epoch + 1)
    )
    return following > present or epoch == max_iter - 1
