"""Random changes of the images of a stack, drawn from the ranges of each model."""

from dataclasses import dataclass

import numpy as np
import torch

from skreg.augmentation.image_transforms import (
    affine_matrices,
    change_contrast,
    erase,
    resample,
    shift_channels,
)

# The numbers drawn for each image, with the values that change nothing. The position
# decides which random numbers each one takes, so new ones must come last.
GEOMETRY = {
    "rotation": 0.0,
    "row_shift": 0.0,
    "column_shift": 0.0,
    "shear": 0.0,
    "row_zoom": 1.0,
    "column_zoom": 1.0,
    "horizontal_flip": 0.0,
    "vertical_flip": 0.0,
    "row_crop": 0.0,
    "column_crop": 0.0,
}
DRAWN = GEOMETRY | {
    "channel_shift": 0.0,
    "brightness": 1.0,
    "contrast": 1.0,
    "erasing": 0.0,
    "erased_area": 0.0,
    "erased_aspect": 0.0,
    "erased_top": 0.0,
    "erased_left": 0.0,
}
NAMES = list(DRAWN)


@dataclass(frozen=True)
class ImageLayout:
    """The settings that all images of a stack share.

    Parameters
    ----------
    shape : tuple of int
        Height, width and number of channels.
    fill_mode, interpolation, cval
        As in `resample`.
    """

    shape: tuple
    fill_mode: str
    interpolation: str
    cval: float


@dataclass(frozen=True)
class ImageChanges:
    """The changes of one model's images, as a range for each number that is drawn.

    Parameters
    ----------
    layout : ImageLayout
    low, high : tuple of float
        For each of `DRAWN`, the bounds of a uniform distribution.
    whole : tuple of bool
        For each of `DRAWN`, whether it is rounded down to a whole number.
    """

    layout: ImageLayout
    low: tuple
    high: tuple
    whole: tuple

    @property
    def is_random(self):
        """Whether anything changes."""
        return (self.low, self.high) != (tuple(DRAWN.values()),) * 2


class StackedImages:
    """The changes of the images of several models, which share a layout.

    Parameters
    ----------
    changes : list of ImageChanges
        One for each model.
    """

    def __init__(self, changes):
        self.changes, self.layout = changes, changes[0].layout
        low, high, whole = (
            np.array([getattr(c, part) for c in changes])
            for part in ("low", "high", "whole")
        )
        self._low, self._span, self._whole = low[:, None], (high - low)[:, None], whole
        self.is_random = [c.is_random for c in changes]
        neutral = np.array(list(DRAWN.values()))
        on = ((low != neutral) | (high != neutral)).any(0)
        self._on = dict(zip(NAMES, on.tolist()))
        self._probability = dict(zip(NAMES, high.T[:, :, None]))
        self._moves = any(self._on[name] for name in GEOMETRY)

    def apply(self, x, generators, rows, size):
        """Return randomly changed images.

        A model draws the same count of numbers for each of its images, one after
        another. So the result does not depend on how many batches come at a time.

        Parameters
        ----------
        x : Tensor of shape (k, n, n_features)
            The images of the first `k` models. Left unchanged.
        generators : list of Generator
            One for each model.
        rows : list of int
            Number of images of each model, without padding.
        size : int
            Number of images in a batch. It is not used here.

        Returns
        -------
        Tensor of shape (k, n, n_features)
        """
        draws = np.full((*x.shape[:2], len(NAMES)), 0.5)
        for model, n in enumerate(rows):
            if self.is_random[model]:
                generators[model].random(out=draws[model, :n])
        return self.changed(x, draws)

    def values(self, draws):
        """Return uniform random numbers mapped to the models' ranges.

        Parameters
        ----------
        draws : ndarray of shape (k, n, n_drawn)
            Numbers between 0 and 1.

        Returns
        -------
        dict of {str: ndarray of shape (k, n)}
            The values by the names in `DRAWN`. Flips and erasing are booleans.
        """
        k = len(draws)
        low, span = self._low[:k], self._span[:k]
        found = low + draws * span
        if self._whole.any():
            # The upper bound itself does not belong to the range of whole numbers.
            floor = np.minimum(np.floor(found), low + span - 1)
            found = np.where(self._whole[:k, None], floor, found)
        found = dict(zip(NAMES, np.moveaxis(found, 2, 0)))
        for name in ("horizontal_flip", "vertical_flip", "erasing"):
            drawn = draws[:, :, NAMES.index(name)]
            found[name] = drawn < self._probability[name][:k]
        return found

    def changed(self, x, draws):
        """Return images changed as uniform random numbers decide.

        Parameters
        ----------
        x : Tensor of shape (k, n, n_features)
            The images of the first `k` models. Left unchanged.
        draws : ndarray of shape (k, n, n_drawn)
            Numbers between 0 and 1.

        Returns
        -------
        Tensor of shape (k, n, n_features)
        """
        layout, on = self.layout, self._on
        values = self.values(draws.reshape(len(x), -1, len(NAMES)))
        images = x.reshape(-1, *layout.shape)
        if self._moves:
            geometry = {name: values[name].ravel() for name in GEOMETRY if on[name]}
            images = resample(
                images,
                affine_matrices(layout.shape, **geometry),
                layout.fill_mode,
                layout.cval,
                layout.interpolation,
            )

        def tensor(array, *shape):
            array = torch.from_numpy(np.ascontiguousarray(array, dtype=float))
            return array.to(images.device, images.dtype).view(-1, *shape)

        if on["channel_shift"]:
            images = shift_channels(images, tensor(values["channel_shift"], 1, 1, 1))
        if on["brightness"]:
            images = images * tensor(values["brightness"], 1, 1, 1)
        if on["contrast"]:
            images = change_contrast(images, tensor(values["contrast"], 1, 1, 1))
        if on["erasing"]:
            rectangles = erased_rectangles(layout.shape, values)
            rectangles = (tensor(side, 1, 1) for side in rectangles)
            images = erase(images, *rectangles, layout.cval)
        return images.reshape(x.shape)


def erased_rectangles(shape, values):
    """Return the rectangles to erase.

    Their sides follow from area and aspect, rounded to whole pixels and limited to the
    image.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the images, and anything after them.
    values : dict of {str: ndarray of shape (k, n)}
        As `StackedImages.values` returns them.

    Returns
    -------
    top, left, height, width : ndarray of shape (k, n)
        The height is zero where nothing is erased.
    """
    n_rows, n_columns = shape[:2]
    area = values["erased_area"] * n_rows * n_columns
    aspect = np.exp(values["erased_aspect"])
    height = np.clip(np.rint(np.sqrt(area * aspect)), 1, n_rows)
    width = np.clip(np.rint(np.sqrt(area / aspect)), 1, n_columns)
    top = np.floor(values["erased_top"] * (n_rows - height + 1))
    left = np.floor(values["erased_left"] * (n_columns - width + 1))
    return top, left, height * values["erasing"], width
