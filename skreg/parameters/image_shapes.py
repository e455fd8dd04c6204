"""The shapes of images, as users give them."""

from numbers import Integral

import numpy as np


def full_shape(value, of=""):
    """Return the parameter `image_shape` as (height, width, channels).

    Parameters
    ----------
    value : array-like of int
        Height and width, or these and the number of channels.
    of : str, default=""
        Text after the name of the parameter in the error message.

    Examples
    --------
    >>> from skreg.parameters.image_shapes import full_shape
    >>> full_shape([8, 6])
    (8, 6, 1)
    """
    sizes = np.asarray(value, dtype=object)
    if sizes.shape not in ((2,), (3,)) or not all(map(is_count, sizes)):
        raise ValueError(
            f"image_shape{of} must be None, (height, width) or (height, width, "
            f"channels), of positive integers, got {value!r}."
        )
    return (*map(int, sizes), 1)[:3]


def is_count(value):
    """Return whether a value is a positive integer."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0
