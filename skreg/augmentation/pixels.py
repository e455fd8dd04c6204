"""Changes of images, many at a time: pure functions on stacked, channels-last images.

Geometry is one affine map for each image, so that rotation, shift, shear, zoom, crop
and flips together are one resampling. Everything is batched torch; the few numbers of
each image are numpy arrays.
"""

import numpy as np
import torch

# What is beyond the edges of a row a b c d of pixels.
FILL_MODES = ("nearest", "reflect", "wrap", "constant")
INTERPOLATIONS = ("bilinear", "nearest")
# Pixels resampled at a time; what is in use should stay in a core's cache.
PIXELS_AT_A_TIME = 2**16
# Sines and cosines that differ less from -1, 0 or 1 are that, up to rounding.
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
    """Return where in an image each pixel of the changed image comes from.

    As Keras's `apply_affine_transform`, about the centre ``((h-1)/2, (w-1)/2)`` ::

        source = rotation @ shift @ shear @ zoom @ (target - centre) + centre

    of which `target` is first flipped, then moved by the crop.

    Parameters
    ----------
    shape : tuple
        Height and width first.
    rotation, shear : float or ndarray of shape (n,)
        Angles in degrees; a shear is the matrix ``[[1, -sin], [0, cos]]``.
    row_shift, column_shift, row_crop, column_crop : float or ndarray of shape (n,)
        In pixels.
    row_zoom, column_zoom : float or ndarray of shape (n,)
        Distances in the image over those in the changed one: 0.5 magnifies.
    horizontal_flip, vertical_flip : bool or ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (n, 2, 3)
        ``row, column = matrix @ (target row, target column, 1)``.

    Examples
    --------
    >>> from skreg.augmentation.pixels import affine_matrices
    >>> affine_matrices((3, 3), rotation=90.0).tolist()
    [[[0.0, -1.0, 2.0], [1.0, 0.0, 0.0]]]
    """
    angle, sheared = np.deg2rad(rotation), np.deg2rad(np.add(rotation, shear))
    cos, sin = _snapped(np.cos(angle)), _snapped(np.sin(angle))
    # The product of the matrices, multiplied out.
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
    """Return values, whole ones without rounding: quarter turns are to be exact."""
    whole = np.rint(values)
    return np.where(np.abs(values - whole) < ROUNDING, whole, values)


def resample(images, matrices, fill_mode="nearest", cval=0.0, interpolation="bilinear"):
    """Return the images at the places that affine maps say.

    Equal to `scipy.ndimage.affine_transform` of each image and channel with order 1,
    or 0 for "nearest" interpolation, and to plain indexing where all places are whole.

    Parameters
    ----------
    images : Tensor of shape (n, height, width, n_channels)
    matrices : ndarray of shape (n, 2, 3)
        As `affine_matrices` returns them.
    fill_mode : {"nearest", "reflect", "wrap", "constant"}, default="nearest"
        What is beyond the edges of ``a b c d``: ``d d d``, ``d c b``, ``a b c``, or
        `cval`. Those of scipy.ndimage, where "wrap" is called "grid-wrap".
    cval : float, default=0.0
        Value of "constant".
    interpolation : {"bilinear", "nearest"}, default="bilinear"

    Returns
    -------
    Tensor of shape (n, height, width, n_channels)
    """
    if np.array_equal(matrices, np.rint(matrices)):
        interpolation = "nearest"  # the same pixels, without their neighbours
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
    """Return the rows and columns to look at, of shapes that broadcast to (n, h, w).

    Without rotation and shear, a row's place does not depend on the column.
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
    # By more than rounding: the first and last pixels belong to the image.
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
    """Return the pixels that stand for those at whole places, beyond the edges too."""
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
    # A frame of a pixel has the neighbours of the last ones, so that all four corners
    # are at a fixed distance in memory.
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
    """Return the lower neighbour in the frame of each place, and the share of the next.

    The frame begins at -1.
    """
    lower = places.floor()
    share = places - lower
    if fill_mode == "wrap":
        lower.remainder_(size)
    elif fill_mode == "reflect":
        lower.remainder_(2 * size)
        # Backwards the next one is the lower.
        back = lower >= size
        lower = torch.where(back, 2 * size - 2 - lower, lower)
        share = torch.where(back, 1 - share, share)
    else:
        lower.clamp_(-1, size - 1)
    return lower.add_(1), share


def _framed(images, fill_mode):
    """Return the images with the pixels around their edges."""
    n, height, width, n_channels = images.shape
    framed = images.new_empty(n, height + 2, width + 2, n_channels)
    inside = framed[:, 1:-1]
    inside[:, :, 1:-1] = images
    before, after = (-1, 0) if fill_mode == "wrap" else (0, -1)
    inside[:, :, 0], inside[:, :, -1] = images[:, :, before], images[:, :, after]
    framed[:, 0], framed[:, -1] = inside[:, before], inside[:, after]
    return framed


def _pixels(images):
    """Return a view of all pixels, one after another."""
    n_channels = images.size(3)
    images = images.contiguous()
    return images.view(-1) if n_channels == 1 else images.view(-1, n_channels)


def _flat_index(row, column, height, width):
    n = len(row)
    kind = torch.int32 if n * height * width < 2**31 else torch.int64
    first = torch.arange(n, dtype=kind, device=row.device).mul_(height * width)
    index = row.to(kind).mul_(width).add_(first.view(n, 1, 1)) + column.to(kind)
    return index.view(-1)


def shift_channels(images, amount):
    """Return each image plus a number, clipped to its own smallest and largest value.

    Parameters
    ----------
    images : Tensor of shape (n, height, width, n_channels)
    amount : Tensor of shape (n, 1, 1, 1)
    """
    low, high = images.amin((1, 2, 3), True), images.amax((1, 2, 3), True)
    return (images + amount).clamp_(low, high)


def change_contrast(images, factor):
    """Return ``mean + factor * (image - mean)``, of the mean of each channel.

    Parameters
    ----------
    images : Tensor of shape (n, height, width, n_channels)
    factor : Tensor of shape (n, 1, 1, 1)
    """
    mean = images.mean((1, 2), keepdim=True)
    return torch.addcmul(mean * (1 - factor), images, factor)


def erase(images, top, left, height, width, value=0.0):
    """Return the images with a rectangle of each replaced by a value.

    Random erasing, Zhong et al. (2020).

    Parameters
    ----------
    images : Tensor of shape (n, height, width, n_channels)
    top, left, height, width : Tensor of shape (n, 1, 1)
        Of the rectangles, in pixels; of height zero where nothing is to be erased.
    value : float, default=0.0
    """
    n_rows, n_columns = images.shape[1:3]
    i = torch.arange(n_rows, device=images.device).view(1, -1, 1)
    j = torch.arange(n_columns, device=images.device).view(1, 1, -1)
    inside = (i >= top) & (i < top + height) & (j >= left) & (j < left + width)
    return images.masked_fill(inside.unsqueeze(3), value)
