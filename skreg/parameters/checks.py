"""Checks and conversions of single parameters, before torch sees them."""

import math
from numbers import Integral, Real

import numpy as np

from skreg.parameters.image_shapes import is_count


def check_hidden_layer_sizes(value):
    """Return `hidden_layer_sizes` as a tuple of positive ints; () is a linear model."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    sizes = [value] if isinstance(value, Integral) else list(value)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        raise ValueError(
            "hidden_layer_sizes must be positive integers, one for each hidden layer, "
            f"got {value!r}."
        )
    return tuple(int(size) for size in sizes)


def per_layer(name, value, n_layers, layers, given_by, upper=math.inf):
    """Return a parameter that is one number or one per layer as a list of floats.

    Parameters
    ----------
    name : str
        The parameter, for the error message.
    value : float or sequence of float
    n_layers : int
        Expected length of a sequence.
    layers : str
        Name of the elements, for the error message.
    given_by : str
        Name of the parameters that determine the length, for the error message.
    upper : float, default=inf
        Exclusive upper bound; the lower bound is 0, inclusive.

    Returns
    -------
    list of float

    Raises
    ------
    ValueError
        If the length or an element is wrong.

    Examples
    --------
    >>> from skreg.parameters.checks import per_layer
    >>> per_layer("l1", 0.1, 2, "layers of weights", "hidden_layer_sizes")
    [0.1, 0.1]
    """
    value = value.tolist() if isinstance(value, np.ndarray) else value
    values = [value] * n_layers if isinstance(value, Real) else list(value)
    if len(values) != n_layers:
        raise ValueError(
            f"{name} must be one number or a sequence of {n_layers}, one for each of "
            f"the {layers} given by {given_by}, got {value!r} of length "
            f"{len(values)}."
        )
    for element in values:
        if not isinstance(element, Real) or not 0 <= element < upper:
            bound = "" if upper == math.inf else f" and less than {upper:g}"
            raise ValueError(
                f"{name} must be finite and not negative{bound}, got {value!r}."
            )
    return [float(element) for element in values]


def per_convolution(name, value, n_convolutions=None):
    """Return an integer, or a sequence with one for each convolution, as a tuple.

    For `channels`, which determines the number of convolutions, `n_convolutions` is
    None, and a single integer is one convolution.
    """
    value = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, Integral):
        sizes = [value] * (1 if n_convolutions is None else n_convolutions)
    else:
        sizes = list(value)
    if not all(is_count(size) for size in sizes):
        raise ValueError(
            f"{name} must be positive integers, one for each convolution, got "
            f"{value!r}."
        )
    if n_convolutions is not None and len(sizes) != n_convolutions:
        raise ValueError(
            f"{name} must be one number or a sequence of {n_convolutions}, one for "
            f"each of the convolutions given by channels, got {value!r} of length "
            f"{len(sizes)}."
        )
    return tuple(int(size) for size in sizes)
