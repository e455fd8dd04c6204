"""The shapes of images and the order of their axes, as users give them."""

from numbers import Integral

import numpy as np

DATA_FORMATS = ("channels_last", "channels_first")
# Numbers of channels of grey images, colours, and colours with opacity.
USUAL_CHANNELS = (1, 3, 4)


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


def channels_last(X, data_format, owner="", confirmed=None):
    """Return an array of images with the channels on its last axis.

    Parameters
    ----------
    X : ndarray
        Arrays without an axis of channels, (n, height, width), are returned unchanged.
    data_format : {"channels_last", "channels_first"}
        The order of the axes of `X`.
    owner : str, default=""
        Text after the name of the parameter in the error message.
    confirmed : tuple of int or None, default=None
        The shape (height, width, channels) that the user gave. Images of this shape are
        not doubted.

    Raises
    ------
    ValueError
        If the channels should come last, but the shape is that of a usual number of
        channels before the pixels. Such images would be read as few rows of pixels with
        many channels, and nothing else would reveal it.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.parameters.image_shapes import channels_last
    >>> channels_last(np.zeros((5, 3, 32, 32)), "channels_first").shape
    (5, 32, 32, 3)
    """
    if X.ndim != 4:
        return X
    if data_format == "channels_first":
        return np.moveaxis(X, 1, -1)
    shape = X.shape[1:]
    if shape != confirmed and _looks_channels_first(shape):
        raise ValueError(
            f"X of shape {X.shape} looks like images with the channels first, but "
            f"data_format{owner} is 'channels_last'. Set data_format='channels_first'. "
            f"If the images do have {shape[0]} x {shape[1]} pixels and {shape[2]} "
            f"channels, confirm it with image_shape={shape}."
        )
    return X


def _looks_channels_first(shape):
    """Return whether a shape is that of grey or coloured images, channels first."""
    first, *others = shape
    return first in (1, 3) and first < min(others) and others[-1] not in USUAL_CHANNELS
