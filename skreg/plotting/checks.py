"""Checks of what displays are given, before matplotlib sees it."""

from collections.abc import Mapping

import numpy as np

from skreg.compatibility import InvalidParameterError


def check_has(parameter, value, attributes, expected):
    """Raise if an object lacks attributes that are plotted.

    Parameters
    ----------
    parameter : str
        Name of the parameter, for the error message.
    value : object
    attributes : sequence of str
    expected : str
        What the value must be, for the error message.

    Raises
    ------
    ValueError
    """
    if not all(hasattr(value, name) for name in attributes):
        raise InvalidParameterError(f"{parameter} must be {expected}, got {value!r}.")


def check_mapping(parameter, value, expected, *, is_optional=False):
    """Raise if a parameter is no dictionary, or an empty one.

    Parameters
    ----------
    parameter : str
        Name of the parameter, for the error message.
    value : object
    expected : str
        What the dictionary holds, for the error message.
    is_optional : bool, default=False
        Whether None and an empty dictionary are allowed.

    Raises
    ------
    ValueError
    """
    if is_optional and value is None:
        return
    if not isinstance(value, Mapping) or not (value or is_optional):
        raise InvalidParameterError(
            f"{parameter} must be a dict of {expected}, got {value!r}."
        )


def check_axes(ax):
    """Raise if an object is not one of matplotlib's axes.

    Parameters
    ----------
    ax : object

    Raises
    ------
    ValueError
    """
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise InvalidParameterError(f"ax must be axes of matplotlib, got {ax!r}.")


def numbers(parameter, value):
    """Return a sequence of numbers as an array.

    Parameters
    ----------
    parameter : str
        Name of the parameter, for the error message.
    value : array-like

    Returns
    -------
    ndarray of float of shape (n,)

    Raises
    ------
    ValueError
    """
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim != 1:
        raise InvalidParameterError(
            f"{parameter} must be a sequence of numbers, got {value!r}."
        )
    return array
