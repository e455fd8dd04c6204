"""Random changes of the images of training batches."""

from collections.abc import Sequence
from math import prod
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array

from skreg.augmentation.image_draws import (
    DRAWN,
    ImageChanges,
    ImageLayout,
    StackedImages,
)
from skreg.augmentation.image_transforms import FILL_MODES, INTERPOLATIONS
from skreg.compatibility import Interval, RealNotInt, StrOptions, check_constraints
from skreg.data.random_streams import generator_of
from skreg.parameters.image_shapes import DATA_FORMATS, channels_last, full_shape
from skreg.parameters.intervals import COUNT_OR_ZERO, NON_NEGATIVE, PROBABILITY, SHARE
from skreg.typing import ArrayLike, Bounds, NDArray, RandomState

SHIFT = [
    COUNT_OR_ZERO,
    Interval(RealNotInt, 0, None, closed="left"),
]
OWNER = " of ImageAugmenter"
# Range of the height over the width of an erased rectangle (Zhong et al. 2020).
ASPECT = 0.3, 1 / 0.3


class ImageAugmenter(BaseEstimator):
    """Change training images at random: ``augment=ImageAugmenter(...)`` of a network.

    The parameters are those of Keras's ImageDataGenerator, with contrast, crop and
    erasing in addition. Everything is off by default. Each image of each training batch
    is changed anew. Validation rows and predictions are never changed.

    A row of the data holds an image, row of pixels after row of pixels, with the
    channels of a pixel together. Images may have any units: they are changed before
    they are standardised. They are then standardised by channel instead of by pixel.

    Rotation, shift, shear, zoom, crop and flips are computed in one interpolation, with
    a map from the changed image to the original about its centre ::

        source = rotation @ shift @ shear @ zoom @ crop @ flip (target)

    The shift of the channels, brightness, contrast and erasing follow in this order.

    Parameters
    ----------
    rotation_range : float, default=0.0
        Rotate by an angle between ``-rotation_range`` and ``rotation_range`` degrees.
    width_shift_range, height_shift_range : float or int, default=0.0
        Move by up to this distance in both directions. A float below 1 is a share of
        the width or height, and a float from 1 on is a number of pixels; the shift may
        be any fraction of a pixel. An int moves by whole pixels, up to and including
        that number (Keras excludes it).
    shear_range : float, default=0.0
        Shear by an angle between ``-shear_range`` and ``shear_range`` degrees.
    zoom_range : float or [lower, upper], default=0.0
        Scale height and width, each by a number between `lower` and `upper`. A float
        means ``[1 - zoom_range, 1 + zoom_range]``. As in Keras, the number multiplies
        distances in the original image, so that one below 1 magnifies.
    channel_shift_range : float, default=0.0
        Add a number between ``-channel_shift_range`` and ``channel_shift_range`` to all
        pixels, clipped to the range of the image's values.
    brightness_range : [lower, upper] or None, default=None
        Multiply all pixels by a number between `lower` and `upper`. Nothing is rounded
        or clipped, whereas Keras converts images to whole numbers from 0 to 255 for
        this.
    contrast_range : [lower, upper] or None, default=None
        Multiply the differences from the mean of each channel by a number between
        `lower` and `upper`.
    horizontal_flip, vertical_flip : bool, default=False
        Mirror left and right, or top and bottom, with probability 1/2.
    crop_padding : int, default=0
        Pad each side by this number of pixels and crop at random to the original size.
        The padding follows `fill_mode`. For padding with zeros [2]_ set
        ``fill_mode="constant"``.
    erasing : float, default=0.0
        Probability that a random rectangle is set to `cval` [1]_.
    erasing_area : [lower, upper], default=(0.02, 0.33)
        Share of the image that is erased. The ratio of height to width is between 0.3
        and 1/0.3.
    fill_mode : {"nearest", "reflect", "wrap", "constant"}, default="nearest"
        How an image ``a b c d`` continues beyond its edge: with ``d d d``, ``d c b``,
        ``a b c``, or with `cval`. scipy.ndimage calls "wrap" "grid-wrap".
    cval : float, default=0.0
        The value of erased pixels, and that beyond the edges with
        ``fill_mode="constant"``.
    interpolation : {"bilinear", "nearest"}, default="bilinear"
        How values between pixels are computed. Flips and shifts by whole pixels need no
        interpolation.
    image_shape : tuple of int or None, default=None
        Height, width and, if there are several, the number of channels. With None it is
        taken from a convolutional network. Other networks need it here.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        The order of the axes of the arrays that `sample` takes and returns, as in
        Keras. The batches of a network are rows, which have the channels last.

    See Also
    --------
    TableAugmenter : Mixup, CutMix, cutout and noise.

    References
    ----------
    .. [1] Zhong, Zheng, Kang, Li and Yang (2020), "Random Erasing Data Augmentation".
    .. [2] He, Zhang, Ren and Sun (2016), "Deep Residual Learning for Image
       Recognition".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import ImageAugmenter, MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> shifts = ImageAugmenter(width_shift_range=1, image_shape=(8, 8))
    >>> clf = MLPClassifier(augment=shifts, random_state=0).fit(X[:1000], y[:1000])
    >>> bool(clf.score(X[1000:], y[1000:]) > 0.9)
    True
    """

    _parameter_constraints = {
        "rotation_range": [NON_NEGATIVE],
        "width_shift_range": SHIFT,
        "height_shift_range": SHIFT,
        "shear_range": [NON_NEGATIVE],
        "zoom_range": [SHARE, "array-like"],
        "channel_shift_range": [NON_NEGATIVE],
        "brightness_range": ["array-like", None],
        "contrast_range": ["array-like", None],
        "horizontal_flip": ["boolean"],
        "vertical_flip": ["boolean"],
        "crop_padding": [COUNT_OR_ZERO],
        "erasing": [PROBABILITY],
        "erasing_area": ["array-like"],
        "fill_mode": [StrOptions(set(FILL_MODES))],
        "cval": [Interval(Real, None, None, closed="neither")],
        "interpolation": [StrOptions(set(INTERPOLATIONS))],
        "image_shape": ["array-like", None],
        "data_format": [StrOptions(set(DATA_FORMATS))],
    }

    def __init__(
        self,
        *,
        rotation_range: float = 0.0,
        width_shift_range: float = 0.0,
        height_shift_range: float = 0.0,
        shear_range: float = 0.0,
        zoom_range: float | Bounds = 0.0,
        channel_shift_range: float = 0.0,
        brightness_range: Bounds | None = None,
        contrast_range: Bounds | None = None,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        crop_padding: int = 0,
        erasing: float = 0.0,
        erasing_area: Bounds = (0.02, 0.33),
        fill_mode: Literal["nearest", "reflect", "wrap", "constant"] = "nearest",
        cval: float = 0.0,
        interpolation: Literal["bilinear", "nearest"] = "bilinear",
        image_shape: Sequence[int] | None = None,
        data_format: Literal["channels_last", "channels_first"] = "channels_last",
    ) -> None:
        self.rotation_range = rotation_range
        self.width_shift_range = width_shift_range
        self.height_shift_range = height_shift_range
        self.shear_range = shear_range
        self.zoom_range = zoom_range
        self.channel_shift_range = channel_shift_range
        self.brightness_range = brightness_range
        self.contrast_range = contrast_range
        self.horizontal_flip = horizontal_flip
        self.vertical_flip = vertical_flip
        self.crop_padding = crop_padding
        self.erasing = erasing
        self.erasing_area = erasing_area
        self.fill_mode = fill_mode
        self.cval = cval
        self.interpolation = interpolation
        self.image_shape = image_shape
        self.data_format = data_format

    def sample(self, X: ArrayLike, random_state: RandomState = None) -> NDArray[Any]:
        """Return randomly changed images, to see what training batches look like.

        Parameters
        ----------
        X : array-like of shape (n, n_features) or (n, height, width[, n_channels])
            Images, or rows that are images of `image_shape`. With
            ``data_format="channels_first"`` (n, n_channels, height, width).
        random_state : int, RandomState instance or None, default=None
            Determines the changes. With None they differ from call to call.

        Returns
        -------
        ndarray of the shape of `X`
            The changed images.

        Examples
        --------
        >>> import numpy as np
        >>> from skreg import ImageAugmenter
        >>> image = np.arange(6.0).reshape(1, 2, 3)
        >>> flips = ImageAugmenter(horizontal_flip=True, vertical_flip=True)
        >>> flips.sample(image, random_state=0).tolist()
        [[[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]]
        """
        self._check()
        X = check_array(X, allow_nd=True, dtype=(np.float64, np.float32))
        images = channels_last(X, self.data_format, OWNER, self._given_shape())
        rows = images.reshape(len(images), -1)
        own_shape = images.shape[1:] if images.ndim > 2 else None
        changes = self._changes(rows.shape[1], own_shape)
        seed = generator_of(random_state).randint(2**31 - 1)
        draws = np.random.default_rng(seed).random((len(images), len(DRAWN)))
        found = StackedImages([changes]).changed(torch.from_numpy(rows)[None], draws)
        changed = found.numpy().reshape(images.shape)
        return changed if images is X else np.moveaxis(changed, -1, 1)

    def _given_shape(self):
        return None if self.image_shape is None else full_shape(self.image_shape, OWNER)

    def _check(self):
        """Check the parameters, and raise an error for the first invalid one."""
        check_constraints(self)
        for name in ("brightness_range", "contrast_range"):
            if getattr(self, name) is not None:
                _pair(name, getattr(self, name))
        if not isinstance(self.zoom_range, Real):
            _pair("zoom_range", self.zoom_range, smallest=1e-6)
        if _pair("erasing_area", self.erasing_area)[1] > 1:
            raise ValueError(
                "erasing_area of ImageAugmenter must be two shares of the image, from "
                f"0 to 1, got {self.erasing_area!r}."
            )
        if self.image_shape is not None:
            full_shape(self.image_shape, OWNER)

    def _changes(self, n_features, image_shape=None):
        """Return the changes of the rows of one model, after checking the parameters.

        Parameters
        ----------
        n_features : int
            Number of pixels times number of channels.
        image_shape : tuple of int or None, default=None
            The shape of the images of the network or of the array, if it is known.

        Returns
        -------
        ImageChanges
        """
        self._check()
        given = [self.image_shape, image_shape]
        shapes = [full_shape(shape, OWNER) for shape in given if shape is not None]
        if not shapes:
            raise ValueError(
                "ImageAugmenter needs image_shape=(height, width) or (height, width, "
                f"n_channels) to know what the {n_features} features of a row are, got "
                "image_shape=None."
            )
        shape = shapes[0]
        if shape != shapes[-1]:
            raise ValueError(
                f"image_shape={shape!r} of ImageAugmenter is not that of the images, "
                f"{shapes[-1]!r}. Leave it out, or give the same."
            )
        if prod(shape) != n_features:
            raise ValueError(
                f"image_shape={shape!r} of ImageAugmenter has {prod(shape)} values, "
                f"but X has {n_features} features."
            )
        low, high, whole = dict(DRAWN), dict(DRAWN), dict.fromkeys(DRAWN, False)
        for name, (lower, upper, is_whole) in self._ranges(*shape[:2]).items():
            low[name], high[name] = float(lower), float(upper + is_whole)
            whole[name] = is_whole
        layout = ImageLayout(
            shape, self.fill_mode, self.interpolation, float(self.cval)
        )
        parts = (tuple(part.values()) for part in (low, high, whole))
        return ImageChanges(layout, *parts)

    def _ranges(self, height, width):
        """Return the range of each number that is drawn, by name.

        A range is a lower bound, an upper bound and whether the number is whole. For
        flips and erasing the upper bound is the probability.
        """
        found = {
            "rotation": _around_zero(self.rotation_range),
            "row_shift": _shifts(self.height_shift_range, height),
            "column_shift": _shifts(self.width_shift_range, width),
            "shear": _around_zero(self.shear_range),
            "horizontal_flip": (0.0, self.horizontal_flip / 2, False),
            "vertical_flip": (0.0, self.vertical_flip / 2, False),
            "channel_shift": _around_zero(self.channel_shift_range),
            "erasing": (0.0, self.erasing, False),
        }
        zoom = self.zoom_range
        zoom = (1 - zoom, 1 + zoom) if isinstance(zoom, Real) else zoom
        found["row_zoom"] = found["column_zoom"] = (*zoom, False)
        if self.crop_padding:
            padding = -self.crop_padding, self.crop_padding, True
            found["row_crop"] = found["column_crop"] = padding
        if self.brightness_range is not None:
            found["brightness"] = (*self.brightness_range, False)
        if self.contrast_range is not None:
            found["contrast"] = (*self.contrast_range, False)
        if self.erasing:
            found["erased_area"] = (*self.erasing_area, False)
            found["erased_aspect"] = (*np.log(ASPECT), False)
            found["erased_top"] = found["erased_left"] = (0.0, 1.0, False)
        return found


def _around_zero(size):
    return -size, size, False


def _shifts(size, length):
    """Return the range of a shift in pixels, given as whole pixels, pixels or share."""
    if isinstance(size, Integral):
        return -size, size, bool(size)
    return _around_zero(size * length if size < 1 else size)


def _pair(name, value, smallest=0):
    """Return a range as an array of two, or raise an error that names the parameter."""
    pair = np.asarray(value, dtype=object)
    is_pair = pair.shape == (2,) and all(isinstance(bound, Real) for bound in pair)
    if not is_pair or not smallest <= pair[0] <= pair[1] < np.inf:
        bound = "positive" if smallest else "not negative"
        raise ValueError(
            f"{name} of ImageAugmenter must be two numbers [lower, upper], {bound}, "
            f"got {value!r}."
        )
    return pair
