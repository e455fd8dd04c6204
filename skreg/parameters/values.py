"""Which values of hyperparameters are numbers, and which switch something off."""

from numbers import Real

import numpy as np


def is_number(value):
    """Return whether a value is a number, and not True or False.

    Examples
    --------
    >>> from skreg.parameters.values import is_number
    >>> is_number(0.5), is_number(True), is_number("0.5")
    (True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def is_off(value):
    """Return whether a value switches its hyperparameter off: None, False or zero.

    Examples
    --------
    >>> from skreg.parameters.values import is_off
    >>> is_off(None), is_off(False), is_off(0.0), is_off("before")
    (True, True, True, False)
    """
    is_false = isinstance(value, bool | np.bool_) and not value
    return value is None or is_false or (is_number(value) and bool(value == 0))
