"""Losses that a user gave as an object: checked on the targets of a fit."""

from skreg.losses.checks import check_on_targets


def check_given_loss(parameter, loss, encoded, dtype):
    """Raise if a loss cannot be used, before the first step.

    Parameters
    ----------
    parameter : str
        The name of the parameter, for the message.
    loss : Loss
    encoded : Rows
        With encoded targets.
    dtype : torch.dtype
        The precision of the fit.

    Raises
    ------
    ValueError
        If its methods do not agree, or if it is not finite for a target.
    """
    try:
        check_on_targets(loss, encoded.y[encoded.index], dtype)
    except AssertionError as error:
        # The cause is an error in the user's function, if it raised one.
        cause = error.__cause__
        raise ValueError(f"{parameter}={loss!r} cannot be used: {error}") from cause
