"""The two kinds of inputs of a network: tables and images."""

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
        """Return the inputs of a fit that continues one with the inputs `known`."""
        return self

    def rows_of(self, X):
        """Return `X` with a row for each sample, and the inputs that it reveals."""
        return X, self

    def sized(self, n_features):
        """Return the inputs, given the number of features."""
        return self


@dataclass(frozen=True)
class Images:
    """Images, which become rows with the channels last.

    Parameters
    ----------
    channels, kernel_sizes, pools : tuple of int
        Sizes of each convolution.
    image_shape : tuple of int or None
        Height, width and channels; None as long as they are unknown.
    source : str, default="image_shape"
        Where the shape comes from, for error messages.
    """

    channels: tuple
    kernel_sizes: tuple
    pools: tuple
    image_shape: tuple | None
    source: str = "image_shape"

    @property
    def attributes(self):
        """Public attributes of an estimator fitted to these inputs."""
        return {"image_shape_": self.image_shape}

    @property
    def convolutions(self):
        """The `ConvolutionShape` of each convolution."""
        return convolution_shapes(
            self.image_shape, self.channels, self.kernel_sizes, self.pools
        )

    def continued(self, known):
        """Return the inputs of a fit that continues one with the inputs `known`."""
        if self.image_shape not in (None, known.image_shape):
            raise ValueError(
                f"image_shape changed from {known.image_shape} to {self.image_shape}; "
                "a fit can be continued only with the same. Set warm_start=False."
            )
        return replace(self, image_shape=known.image_shape, source="training data")

    def rows_of(self, X):
        """Return images as rows, and the inputs with the shape of the images.

        Everything else is returned unchanged, for scikit-learn to check.
        """
        rows, shape = _flattened(X, self.image_shape, self.source)
        return rows, self if shape is None else replace(self, image_shape=shape)

    def sized(self, n_features):
        """Return the inputs, given the number of features: square images, or signals.

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
    """Return images as rows, and their shape. Other inputs stay, with shape None."""
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
    """Convert nested lists to an array if they hold images."""
    try:
        array = np.asarray(X)
    except ValueError:  # of different lengths
        return X
    return array if array.ndim in (3, 4) else X
