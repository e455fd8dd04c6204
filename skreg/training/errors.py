"""Copies of errors: for several fits that raise the same, and for other processes."""

import copy
import traceback

import cloudpickle


def own_copy(error):
    """Return a copy of an error.

    Each fit that raises the error adds frames to its traceback, so each needs a copy.
    """
    try:
        return copy.copy(error).with_traceback(error.__traceback__)
    except Exception:  # some errors cannot be created again from their arguments
        return error


def portable(error):
    """Return an error that can be pickled and has its traceback as a note."""
    text = "".join(traceback.format_exception(error))
    try:
        error = cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:  # a user's class of errors may fail in any way when pickled
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In another process:\n{text}")
    return error
