"""Transformations of images: pure functions of many images, whose channels come last.

The geometry of each image is one affine map, so that rotation, shift, shear, zoom, crop
and flips together take one resampling. Images are tensors of torch. The few parameters
of each image are arrays of numpy.
"""

import numpy as np
import torch

# How images continue beyond their edges.
FILL_MODES = ("nearest", "reflect", "wrap", "constant")
INTERPOLATIONS = ("bilinear", "nearest")
# Number of pixels resampled at a time. They should fit the cache of a core.
PIXELS_AT_A_TIME = 2**16
# Sines and cosines that differ less than this from -1, 0 or 1 are rounded to it.
ROUNDING = 1e-15


def affine_matrices(
    shape,
    rotation=0.0,
    row_shift=0.0,
    column_shift=0.0,
    shear=0.0,
    row_zoom=1.0,
    column_zoom=1.0,
    horizontal_flip=False,
    vertical_flip=False,
    row_crop=0.0,
    column_crop=0.0,
):
    """Return the affine maps from pixels of a changed image to the original image.

    As Keras's `apply_affine_transform`, about the centre ``((h-1)/2, (w-1)/2)`` ::

        source = rotation @ shift @ shear @ zoom @ (target - centre) + centre

    Before this, `target` is flipped and then moved by the crop.

    Parameters
    ----------
    shape : tuple
        Height and width, and anything after them.
    rotation, shear : float or ndarray of shape (n,), default=0.0
        Angles in degrees. A shear is the matrix ``[[1, -sin], [0, cos]]``.
    row_shift, column_shift : float or ndarray of shape (n,), default=0.0
        Distances in pixels.
    row_crop, column_crop : float or ndarray of shape (n,), default=0.0
        Distances in pixels.
    row_zoom, column_zoom : float or ndarray of shape (n,), default=1.0
        Distances in the original image divided by those in the changed image, so that
        0.5 magnifies.
    horizontal_flip, vertical_flip : bool or ndarray of shape (n,), default=False
        Whether to mirror left and right, or top and bottom.

    Returns
    -------
    ndarray of shape (n, 2, 3)
        The maps ``row, column = matrix @ (target row, target column, 1)``.

    Examples
    --------
    >>> from skreg.augmentation.image_transforms import affine_matrices
    >>> affine_matrices((3, 3), rotation=90.0).tolist()
    [[[0.0, -1.0, 2.0], [1.0, 0.0, 0.0]]]
    """
    angle, sheared = np.deg2rad(rotation), np.deg2rad(np.add(rotation, shear))
    cos, sin = _snapped(np.cos(angle)), _snapped(np.sin(angle))
    # The product of the four matrices.
    a, b = cos * row_zoom, -_snapped(np.sin(sheared)) * column_zoom
    c, d = sin * row_zoom, _snapped(np.cos(sheared)) * column_zoom
    y, x = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    row = y + cos * row_shift - sin * column_shift - a * y - b * x
    column = x + sin * row_shift + cos * column_shift - c * y - d * x
    # A flip is a step of -1 from the other end.
    down = np.where(vertical_flip, -1.0, 1.0)
    right = np.where(horizontal_flip, -1.0, 1.0)
    first = np.where(vertical_flip, shape[0] - 1.0, 0.0) + row_crop
    left = np.where(horizontal_flip, shape[1] - 1.0, 0.0) + column_crop
    row, column = row + a * first + b * left, column + c * first + d * left
    parts = [a * down, b * right, row, c * down, d * right, column]
    return np.stack(np.broadcast_arrays(*parts), -1).reshape(-1, 2, 3)


def _snapped(values):
    """Round values that are whole up to rounding errors, so that 90° is exact."""
    whole = np.rint(values)
    return np.where(np.abs(values - whole) < ROUNDING, whole, values)


def resample(images, matrices, fill_mode="nearest", cval=0.0, interpolation="bilinear"):
    """Return images resampled by affine maps.

    This equals `scipy.ndimage.affine_transform` of each image and channel with order 1,
    or with order 0 for "nearest" interpolation. Where all positions are whole it equals
    plain indexing.

    Parameters
    ----------
    images : Tensor of shape (n, height, width, n_channels)
    matrices : ndarray of shape (n, 2, 3)
        As `affine_matrices` returns them.
    fill_mode : {"nearest", "reflect", "wrap", "constant"}, default="nearest"
        How an image ``a b c d`` continues beyond its edge: with ``d d d``, ``d c b``,
        ``a b c``, or with `cval`. The modes are those of scipy.ndimage, which calls
        "wrap" "grid-wrap".
    cval : float, default=0.0
        The value beyond the edges with "constant".
    interpolation : {"bilinear", "nearest"}, default="bilinear"

    Returns
    -------
    Tensor of shape (n, height, width, n_channels)
    """
    if np.array_equal(matrices, np.rint(matrices)):
        interpolation = "nearest"  # the same result, without reading neighbours
    at_a_time = max(1, PIXELS_AT_A_TIME // (images.size(1) * images.size(2)))
    pieces = [
        _resampled(
            images[start : start + at_a_time],
            matrices[start : start + at_a_time],
            fill_mode,
            cval,
            interpolation,
        )
        for start in range(0, len(images), at_a_time)
    ]
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)


def _resampled(images, matrices, fill_mode, cval, interpolation):
    height, width = images.shape[1:3]
    rows, columns = _places(images, matrices)
    sample = _bilinear if interpolation == "bilinear" else _nearest
    found = sample(images, rows, columns, fill_mode)
    if fill_mode == "constant":
        outside = _outside(rows, height) | _outside(columns, width)
        found.masked_fill_(outside.unsqueeze(3), cval)
    return found


def _places(images, matrices):
    """Return the rows and columns to read, with shapes that broadcast to (n, h, w).

    Without rotation and shear, rows do not depend on the column, nor columns on the
    row, and the shapes are small.
    """
    n, height, width, _ = images.shape
    like = {"dtype": images.dtype, "device": images.device}
    i = torch.arange(height, **like).view(1, -1, 1)
    j = torch.arange(width, **like).view(1, 1, -1)
    parts = torch.tensor(matrices, **like).view(n, 6, 1, 1).unbind(1)
    rows, columns = parts[0] * i + parts[2], parts[4] * j + parts[5]
    if matrices[:, 0, 1].any():
        rows = rows + parts[1] * j
    if matrices[:, 1, 0].any():
        columns = columns + parts[3] * i
    return rows, columns


def _outside(places, size):
    # By more than rounding errors, because the edge pixels belong to the image.
    margin = 8 * size * torch.finfo(places.dtype).eps
    return (places < -margin) | (places > size - 1 + margin)


def _nearest(images, rows, columns, fill_mode):
    n, height, width, n_channels = images.shape
    row = _folded(rows.add(0.5).floor_(), height, fill_mode)
    column = _folded(columns.add(0.5).floor_(), width, fill_mode)
    index = _flat_index(row, column, height, width)
    found = _pixels(images).index_select(0, index)
    return found.view(n, height, width, n_channels)


def _folded(places, size, fill_mode):
    """Return the positions of pixels to read for whole positions beyond the edges."""
    if fill_mode == "wrap":
        return places.remainder_(size)
    if fill_mode == "reflect":
        places.remainder_(2 * size)
        return torch.minimum(places, 2 * size - 1 - places)
    return places.clamp_(0, size - 1)


def _bilinear(images, rows, columns, fill_mode):
    n, height, width, n_channels = images.shape
    row, down = _lower(rows, height, fill_mode)
    column, right = _lower(columns, width, fill_mode)
    # A frame of one pixel holds the neighbours of edge pixels, so that the four corners
    # are at fixed distances in memory.
    pixels = _pixels(_framed(images, fill_mode))
    index = _flat_index(row, column, height + 2, width + 2)

    def corner(distance):
        found = pixels[distance:].index_select(0, index)
        return found.view(n, height, width, n_channels)

    down, right = down.unsqueeze(3), right.unsqueeze(3)
    above = torch.lerp(corner(0), corner(1), right)
    below = torch.lerp(corner(width + 2), corner(width + 3), right)
    return torch.lerp(above, below, down)


def _lower(places, size, fill_mode):
    """Return the lower neighbour of each position, and the share of the upper one.

    Neighbours are counted from the frame, which begins at -1.
    """
    lower = places.floor()
    share = places - lower
    if fill_mode == "wrap":
        lower.remainder_(size)
    elif fill_mode == "reflect":
        lower.remainder_(2 * size)
        # In the mirrored half, neighbours are in reverse order.
        back = lower >= size
        lower = torch.where(back, 2 * size - 2 - lower, lower)
        share = torch.where(back, 1 - share, share)
    else:
        lower.clamp_(-1, size - 1)
    return lower.add_(1), share


def _framed(images, fill_mode):
    """Return the images with a frame of one pixel around them."""
    n, height, width, n_channels = images.shape
    framed = images.new_empty(n, height + 2, width + 2, n_channels)
    inside = framed[:, 1:-1]
    inside[:, :, 1:-1] = images
    before, after = (-1, 0) if fill_mode == "wrap" else (0, -1)
    inside[:, :, 0], inside[:, :, -1] = images[:, :, before], images[:, :, after]
    framed[:, 0], framed[:, -1] = inside[:, before], inside[:, after]
    return framed


def _pixels(images):
    """Return all pixels of all images in one list, as a view if possible."""
    n_channels = images.size(3)
    images = images.contiguous()
    return images.view(-1) if n_channels == 1 else images.view(-1, n_channels)


def _flat_index(row, column, height, width):
    """Return the positions of pixels in the list of `_pixels`."""
    n = len(row)
    kind = torch.int32 if n * height * width < 2**31 else torch.int64
    first = torch.arange(n, dtype=kind, device=row.device).mul_(height * width)
    index = row.to(kind).mul_(width).add_(first.view(n, 1, 1)) + column.to(kind)
    return index.view(-1)


def shift_channels(images, amount):
    """Add a number to each image, clipped to the range of the image.

    Parameters
    ----------
    images : Tensor of shape (n, height, width, n_channels)
    amount : Tensor of shape (n, 1, 1, 1)

    Returns
    -------
    Tensor of shape (n, height, width, n_channels)
    """
    low, high = images.amin((1, 2, 3), True), images.amax((1, 2, 3), True)
    return (images + amount).clamp_(low, high)


def change_contrast(images, factor):
    """Return ``mean + factor * (image - mean)``, with the mean of each channel.

    Parameters
    ----------
    images : Tensor of shape (n, height, width, n_channels)
    factor : Tensor of shape (n, 1, 1, 1)

    Returns
    -------
    Tensor of shape (n, height, width, n_channels)
    """
    mean = images.mean((1, 2), keepdim=True)
    return torch.addcmul(mean * (1 - factor), images, factor)


def erase(images, top, left, height, width, value=0.0):
    """Replace a rectangle of each image by a value.

    This is random erasing (Zhong et al. 2020) for given rectangles.

    Parameters
    ----------
    images : Tensor of shape (n, height, width, n_channels)
    top, left, height, width : Tensor of shape (n, 1, 1)
        The rectangles, in pixels. A height of zero erases nothing.
    value : float, default=0.0

    Returns
    -------
    Tensor of shape (n, height, width, n_channels)
    """
    n_rows, n_columns = images.shape[1:3]
    i = torch.arange(n_rows, device=images.device).view(1, -1, 1)
    j = torch.arange(n_columns, device=images.device).view(1, 1, -1)
    inside = (i >= top) & (i < top + height) & (j >= left) & (j < left + width)
    return images.masked_fill(inside.unsqueeze(3), value)
