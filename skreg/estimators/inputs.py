"""What the inputs of a network are: the columns of a table, or images."""

from dataclasses import dataclass, replace
from math import isqrt, prod
from types import MappingProxyType

import numpy as np

from skreg.networks.architecture import convolution_shapes


@dataclass(frozen=True)
class Table:
    """Inputs that are rows of numbers."""

    image_shape = None
    convolutions = ()
    attributes = MappingProxyType({})

    def continued(self, known):
        """Return the inputs of a fit that goes on from `known`."""
        return self

    def rows_of(self, X):
        """Return inputs with a row for each sample, and what is known of them."""
        return X, self

    def sized(self, n_features):
        """Return what is known once the number of inputs is."""
        return self


@dataclass(frozen=True)
class Images:
    """Inputs that are images, and become rows with the channels last.

    Parameters
    ----------
    channels, kernel_sizes, pools : tuple of int
        Of each convolution.
    image_shape : tuple of int or None
        Height, width and channels, as soon as they are known.
    source : str, default="image_shape"
        Where the shape is known from, for error messages.
    """

    channels: tuple
    kernel_sizes: tuple
    pools: tuple
    image_shape: tuple | None
    source: str = "image_shape"

    @property
    def attributes(self):
        """The public attributes of an estimator that was fitted to them."""
        return {"image_shape_": self.image_shape}

    @property
    def convolutions(self):
        """The `ConvolutionShape` of each convolution."""
        return convolution_shapes(
            self.image_shape, self.channels, self.kernel_sizes, self.pools
        )

    def continued(self, known):
        """Return the inputs of a fit that goes on from `known`."""
        if self.image_shape not in (None, known.image_shape):
            raise ValueError(
                f"image_shape changed from {known.image_shape} to {self.image_shape}; "
                "a fit can be continued only with the same. Set warm_start=False."
            )
        return replace(self, image_shape=known.image_shape, source="training data")

    def rows_of(self, X):
        """Return images as rows, and what is known of them.

        Everything else is returned as it is, for scikit-learn to judge.
        """
        rows, shape = _flattened(X, self.image_shape, self.source)
        return rows, self if shape is None else replace(self, image_shape=shape)

    def sized(self, n_features):
        """Return what is known once the number of inputs is: square images, or lines.

        Raises
        ------
        ValueError
            If images of the given shape have another number of pixels.
        """
        shape = self.image_shape
        if shape is None:
            side = isqrt(n_features)
            is_square = side**2 == n_features
            shape = (side, side, 1) if is_square else (1, n_features, 1)
        elif prod(shape) != n_features:
            raise ValueError(
                f"image_shape={shape} is that of rows of {prod(shape)} numbers, got X "
                f"with n_features={n_features}."
            )
        return replace(self, image_shape=shape, source="training data")


def _flattened(X, known, source):
    """Return images as rows, and their shape; or what is no image, and None."""
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
