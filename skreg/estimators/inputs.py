"""The two kinds of inputs of a network: tables and images."""

from dataclasses import dataclass, replace
from math import isqrt, prod

import numpy as np
import scipy.sparse as sp

from skreg.estimators.levels import Categories
from skreg.estimators.table_columns import columns_of_table
from skreg.networks.architecture import convolution_shapes
from skreg.parameters.image_shapes import channels_last


@dataclass(frozen=True, eq=False)
class Table:
    """Inputs that are the columns of a table: numbers and categories.

    Parameters
    ----------
    categorical_features : {"from_dtype"}, array-like or None, default="from_dtype"
        Which columns are categories, the parameter of an estimator.
    feature_names : ndarray of str of shape (n_features,) or None, default=None
        The names of the columns, if they have any.
    categories : Categories or None, default=None
        None as long as they are unknown, and if there are none.
    """

    categorical_features: object = "from_dtype"
    feature_names: np.ndarray | None = None
    categories: Categories | None = None

    image_shape = None
    convolutions = ()

    @property
    def attributes(self):
        """Public attributes of an estimator fitted to these inputs."""
        known = self.categories
        return {"is_categorical_": None if known is None else known.is_categorical}

    def continued(self, known):
        """Return the inputs of a fit that continues one with the inputs `known`."""
        return replace(
            self, feature_names=known.feature_names, categories=known.categories
        )

    def rows_of(self, X):
        """Return `X` with a row for each sample, and the inputs that it reveals."""
        return X, self

    def table_of(self, X):
        """Return the columns of a table that may have categories.

        Returns
        -------
        TableColumns or None
            None for rows of numbers.
        """
        if sp.issparse(X) and self._names_columns:
            raise ValueError(
                "X must be a DataFrame or a dense array, because some columns are "
                f"categories, got {type(X).__name__}."
            )
        return columns_of_table(X, self._names_columns)

    @property
    def _names_columns(self):
        """Whether there may be categories in columns of numbers."""
        given = self.categorical_features
        return self.categories is not None or not (
            given is None or isinstance(given, str)
        )

    def learned(self, table):
        """Return the inputs with the categories of a table, if it has any."""
        if table is None:
            return self
        categories = Categories.of(table, self.categorical_features)
        if not categories.is_categorical.any():
            categories = None
        return replace(self, categories=categories)

    def coded(self, table):
        """Return the rows of a table as numbers, in which levels are codes, or None.

        None if there are no categories.
        """
        return None if self.categories is None else self.categories.coded(table)

    def sized(self, n_features, names=None):
        """Return the inputs, given the number of features and their names."""
        return replace(self, feature_names=names)


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
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        The order of the axes of arrays of images. Rows have the channels last.
    """

    channels: tuple
    kernel_sizes: tuple
    pools: tuple
    image_shape: tuple | None
    source: str = "image_shape"
    data_format: str = "channels_last"

    feature_names = categories = None

    @property
    def attributes(self):
        """Public attributes of an estimator fitted to these inputs."""
        return {"image_shape_": self.image_shape}

    def table_of(self, X):
        """Return None: images have no categories."""

    def learned(self, table):
        """Return the inputs, whatever the columns are."""
        return self

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
        images = _images(X)
        if images is None:
            return X, self
        images = channels_last(images, self.data_format, confirmed=self.image_shape)
        shape = *images.shape[1:], *([1] if images.ndim == 3 else [])
        if self.image_shape not in (None, shape):
            raise ValueError(
                f"X must hold images of shape {self.image_shape}, height, width and "
                f"channels as in the {self.source}, got X of shape {np.shape(X)} with "
                f"data_format={self.data_format!r}. See the parameters image_shape and "
                "data_format."
            )
        rows = images.reshape(len(images), prod(shape))
        return rows, replace(self, image_shape=shape)

    def sized(self, n_features, names=None):
        """Return the inputs, given the number of features: square images, or signals.

        Names of features are not used.

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


def _images(X):
    """Return an array of images, or None for other inputs."""
    if isinstance(X, list | tuple):
        X = _array_of_images(X)
    n_axes = getattr(X, "ndim", 2)
    if n_axes > 4:
        raise ValueError(
            "X must hold rows, or images in an array of shape (n_samples, height, "
            "width), (n_samples, height, width, channels) or, with "
            "data_format='channels_first', (n_samples, channels, height, width), got "
            f"one of {n_axes} dimensions."
        )
    return None if n_axes < 3 else np.asarray(X)


def _array_of_images(X):
    """Convert nested lists to an array if they hold images."""
    try:
        array = np.asarray(X)
    except ValueError:  # of different lengths
        return X
    return array if array.ndim in (3, 4) else X
