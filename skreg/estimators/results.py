"""Conversion of the results of training to fits; failures and early ends."""

import math

import numpy as np

from skreg.estimators.fits import fit_of
from skreg.estimators.inference import Inference

# What weights and losses of networks that have not diverged seldom reach.
USUAL = 100
# Rows whose predictions are looked at where they do.
JUDGED_ROWS = 200


def fits_of(results, requests, prepared, before=()):
    """Convert the results of a call to fits, or raise its error.

    After an interrupt, networks whose training had not begun keep their earlier fit.

    Parameters
    ----------
    results : list of FitResult or None
        Result of each network; None if its training had not begun.
    requests : list of FitRequest
    prepared : Prepared
    before : list of Fit, default=()
        Earlier fits of the networks, which may be fewer.

    Returns
    -------
    fits : list of Fit
    interrupted : bool
        Whether the user has interrupted the training.

    Raises
    ------
    KeyboardInterrupt
        If an interrupt came before there was a network.
    """
    fits, interrupted = [], False
    for number, (result, request) in enumerate(zip(results, requests)):
        earlier = before[number] if number < len(before) else None
        if result is None or not _has_network(result, request, prepared):
            interrupted = True
            fits += [] if earlier is None else [earlier]
            continue
        interrupted |= result.interrupted
        fits.append(fit_of(result, request, earlier))
    if not fits:
        raise KeyboardInterrupt
    return fits, interrupted


def fit_alone(result, prepared):
    """Convert the result of a single network to its fit, or raise its error."""
    (fit,), _ = fits_of([result], [result.tracker.request], prepared)
    return fit


def _has_network(result, request, prepared):
    """Tell whether training gave a network. Raise its error, unless interrupted."""
    tracker = result.tracker
    if tracker.error is None and not _is_usable(result, request.train, prepared):
        tracker.diverged(math.nan)
    if tracker.error is None:
        return True
    if result.interrupted:  # before it had done an epoch
        return False
    raise tracker.error


def _is_usable(result, rows, prepared):
    """Tell whether the predictions for some training rows are finite.

    Losses are computed before each step, so that the last step was not checked yet.
    On centred inputs, weights of the usual size do not overflow in one step, unless
    the outputs are exponential.
    """
    layout = prepared.layout
    numbers = [np.abs(array).max() for array in result.state]
    numbers += result.tracker.loss_curve[-1:]
    is_centred, grows = layout.offset is not None, layout.loss.out_activation == "exp"
    if is_centred and max(numbers) < USUAL and not grows:
        return True
    inference = Inference(layout, [result.state], prepared.device)
    X = rows.X[rows.index[:JUDGED_ROWS]]
    prediction = inference.predict(X, layout.loss.inverse_link)
    return bool(np.isfinite(layout.targets.decode(prediction)).all())


def early_end(tracker, kkt_violation):
    """Return the warning if training did not converge, or None.

    Parameters
    ----------
    tracker : Tracker
    kkt_violation : float
    """
    request = tracker.request
    if tracker.converged or tracker.halted:
        return None
    if request.solver == "lbfgs" or request.is_certified:
        return (
            f"The optimality conditions are violated by {kkt_violation:.1e}, more than "
            f"{request.accuracy:.1e}, where the solver stopped. Increase max_iter (got "
            f"{request.max_polish}), standardise the inputs, or give a network a "
            "smooth activation, such as 'tanh' or 'silu'."
        )
    if tracker.n_iter == request.max_iter and not request.has_fixed_length:
        return (
            f"Training stopped at max_iter={request.max_iter} before it converged. "
            "Increase max_iter or learning_rate_init, or use early_stopping=True."
        )
    return None
