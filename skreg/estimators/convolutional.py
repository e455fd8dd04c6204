"""What makes a network convolutional: images, their shapes, and layers over them."""

from math import isqrt, prod
from numbers import Integral

import numpy as np

from skreg.estimators.constraints import CONSTRAINTS, COUNT
from skreg.networks.architecture import ConvolutionShape
from skreg.parameters.image_shapes import full_shape, is_count

# Parameters of tables, which images do not have.
OF_TABLES = ("numeric_embedding", "embedding_size", "embedding_scale", "ensemble")
OF_IMAGES = {
    "image_shape": ["array-like", None],
    "channels": ["array-like", COUNT],
    "kernel_size": ["array-like", COUNT],
    "pool": ["array-like", COUNT],
}


def image_constraints(constraints=CONSTRAINTS):
    """Return constraints of parameters with those of images for those of tables."""
    kept = {name: rule for name, rule in constraints.items() if name not in OF_TABLES}
    return kept | OF_IMAGES


class ConvolutionalMixin:
    """Convolutions before the dense layers of a network.

    Inside, images are rows of numbers, whose channels come last.
    """

    numeric_embedding, embedding_size, embedding_scale = None, 1, 1.0
    ensemble = "independent"
    _layers_given_by = "channels and hidden_layer_sizes"
    _linear_with = "channels=() and hidden_layer_sizes=()"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _check_parameters(self):
        super()._check_parameters()
        self._given_shape()
        n_convolutions = len(per_convolution("channels", self.channels))
        for name in ("kernel_size", "pool"):
            per_convolution(name, getattr(self, name), n_convolutions)

    def _given_shape(self):
        return None if self.image_shape is None else full_shape(self.image_shape)

    def _validate(self, X, y, reset):
        given = self._given_shape()
        known = given if reset else self.image_shape_
        if given not in (None, known):
            raise ValueError(
                f"image_shape changed from {known} to {given}; a fit can be continued "
                "only with the same. Set warm_start=False."
            )
        rows, found = _flattened(X, known, "image_shape" if reset else "training data")
        rows, y = super()._validate(rows, y, reset)
        if reset:
            self.image_shape_ = found or _shape_of_rows(rows.shape[1], known)
        return rows, y

    def _as_rows(self, X):
        return _flattened(X, self.image_shape_, "training data")[0]

    def _convolutions(self):
        channels = per_convolution("channels", self.channels)
        kernels = per_convolution("kernel_size", self.kernel_size, len(channels))
        pools = per_convolution("pool", self.pool, len(channels))
        return convolution_shapes(self.image_shape_, channels, kernels, pools)

    def _batch_changes(self):
        return super()._batch_changes(self.image_shape_)

    def _n_channels(self):
        return self.image_shape_[2]

    @property
    def filters_(self):
        """Weights of the convolutions, each (height, width, inputs, outputs)."""
        shapes = self._architecture.convolutions
        return [
            coef.reshape(shape.n_in, *shape.kernel, shape.n_out).transpose(1, 2, 0, 3)
            for coef, shape in zip(self.coefs_, shapes)
        ]


def per_convolution(name, value, n_convolutions=None):
    """Return a parameter that is an integer, or one for each convolution, as a tuple.

    `channels` says how many there are, and is one of itself if it is a number.
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


def convolution_shapes(image_shape, channels, kernel_sizes, pools):
    """Return the shapes of convolutions, one after another.

    Along an axis of a single pixel there are no neighbours: filters and windows of the
    pooling have length 1 there.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width and channels.
    channels, kernel_sizes, pools : sequence of int
        Of each convolution.

    Returns
    -------
    tuple of ConvolutionShape

    Examples
    --------
    >>> from skreg.estimators.convolutional import convolution_shapes
    >>> one, two = convolution_shapes((8, 8, 1), (4, 6), (3, 3), (2, 2))
    >>> one.pooled, two.pooled, two.n_outputs
    ((4, 4), (2, 2), 24)
    """
    shapes, (height, width, n_in) = [], image_shape
    layers = zip(channels, kernel_sizes, pools)
    for number, (n_out, size, pool) in enumerate(layers, start=1):
        kernel = tuple(1 if length == 1 else size for length in (height, width))
        windows = tuple(1 if length == 1 else pool for length in (height, width))
        if height < windows[0] or width < windows[1]:
            raise ValueError(
                f"Nothing is left after the pooling of convolution {number}: its "
                f"images have {height} x {width} pixels, and pool={pool}. Use smaller "
                "windows, pool=1 there, or fewer channels."
            )
        shapes.append(ConvolutionShape(height, width, n_in, n_out, kernel, windows))
        (height, width), n_in = shapes[-1].pooled, n_out
    return tuple(shapes)


def _flattened(X, known, source):
    """Return images as rows, and their shape.

    Everything else is returned as it is, for scikit-learn to judge, and None.

    Parameters
    ----------
    X : object
    known : tuple of int or None
        What the shape must be.
    source : str
        Where it is known from, for the error message.
    """
    if isinstance(X, list | tuple):
        X = _array_of_images(X)
    n_axes = getattr(X, "ndim", 2)
    if n_axes > 4:
        raise ValueError(
            "X must hold rows, or images in an array of shape (n_samples, height, "
            f"width) or (n_samples, height, width, channels), got one of {n_axes} "
            "dimensions."
        )
    if n_axes < 3:
        return X, None
    X = np.asarray(X)
    shape = *X.shape[1:], *([1] if X.ndim == 3 else [])
    if known is not None and shape != known:
        raise ValueError(
            f"X must hold images of shape {known}, height, width and channels as in "
            f"the {source}, got X of shape {X.shape}. See the parameter image_shape."
        )
    return X.reshape(len(X), prod(shape)), shape


def _array_of_images(X):
    """Return nested lists as an array if they are images, else as they are."""
    try:
        array = np.asarray(X)
    except ValueError:  # of different lengths
        return X
    return array if array.ndim in (3, 4) else X


def _shape_of_rows(n_features, given):
    """Return the shape of images that come as rows."""
    if given is None:
        side = isqrt(n_features)
        return (side, side, 1) if side**2 == n_features else (1, n_features, 1)
    if prod(given) != n_features:
        raise ValueError(
            f"image_shape={given} is that of rows of {prod(given)} numbers, got X "
            f"with n_features={n_features}."
        )
    return given
