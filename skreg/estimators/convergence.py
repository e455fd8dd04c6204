"""Warnings of training that ended before it converged, or long after."""

import math

from skreg.networks.activations import ACTIVATIONS

# Shorter schedules are meant as they are.
MANY_EPOCHS = 50


def early_end(tracker, kkt_violation):
    """Return the warning if training did not converge, or None.

    Parameters
    ----------
    tracker : Tracker
    kkt_violation : float
    """
    request = tracker.request
    if request.score and tracker.best_score == -math.inf:
        return (
            "The score of `monitor` was not defined in any epoch, so the last weights "
            "were kept. Use another score, or monitor='loss'."
        )
    if tracker.converged or tracker.halted:
        return None
    if request.solver == "lbfgs" or request.is_certified:
        return (
            f"The optimality conditions are violated by {kkt_violation:.1e}, more than "
            f"{request.accuracy:.1e}, where the solver stopped. Increase max_iter (got "
            f"{request.max_polish}){_how_else(request)}."
        )
    if tracker.n_iter == request.max_iter and not request.has_fixed_length:
        return (
            f"Training stopped at max_iter={request.max_iter} before it converged. "
            "Increase max_iter or learning_rate_init, or use early_stopping=True."
        )
    return None


def _how_else(request):
    """Return what else than more iterations can help the full-batch solver."""
    advice = ""
    if request.scaling.scale is None:
        advice += ", set standardize=True"
    architecture = request.architecture
    if architecture.n_hidden and ACTIVATIONS[architecture.activation].has_kink:
        advice += ", or give the network a smooth activation, such as 'tanh' or 'silu'"
    return advice


def needless_epochs(tracker):
    """Return the warning if a schedule went on for long after the loss stood still.

    Parameters
    ----------
    tracker : Tracker
        Of a network without regularisers, which fits noise from then on.

    Returns
    -------
    str or None
    """
    request = tracker.request
    if request.max_iter < MANY_EPOCHS:
        return None
    last = last_improvement(tracker.loss_curve, request.tol, request.n_iter_no_change)
    if last is None or 2 * last > request.max_iter:
        return None
    return (
        f"Training went on for max_iter={request.max_iter} epochs, the length of "
        f"learning_rate={request.learning_rate!r}, but the loss improved by less than "
        f"tol={request.tol:g} after epoch {last}. Without a regulariser, this fits "
        "noise. Leave max_iter at 'auto' or lower it, set early_stopping=True, or set "
        "learning_rate='constant', under which training ends by tol and "
        "n_iter_no_change."
    )


def last_improvement(losses, tol, patience):
    """Return the last epoch before the loss stood still for longer than `patience`.

    Parameters
    ----------
    losses : list of float
        One for each epoch.
    tol : float
        Smallest change that counts as an improvement on the lowest loss so far.
    patience : float
        Number of epochs.

    Returns
    -------
    int or None
        Counted from 1. None if the loss never stood still for so long.
    """
    lowest, last = math.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss <= lowest - tol:
            last = epoch
        elif epoch - last > patience:
            return last
        lowest = min(lowest, loss)
    return None
