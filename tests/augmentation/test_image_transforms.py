"""Changes of images against scipy.ndimage, numpy and the formulas in plain loops."""

import numpy as np
import pytest
import torch
from scipy import ndimage

import skreg.augmentation.image_transforms
from skreg.augmentation.image_transforms import (
    FILL_MODES,
    affine_matrices,
    change_contrast,
    erase,
    resample,
    shift_channels,
)

# scipy's own "wrap" takes the first and the last pixel for the same point.
SCIPY_MODES = {mode: mode for mode in FILL_MODES} | {"wrap": "grid-wrap"}
ORDERS = {"bilinear": 1, "nearest": 0}
PAD_MODES = {"nearest": "edge", "reflect": "symmetric", "wrap": "wrap"}
SHAPES = [(7, 7, 1), (5, 8, 3), (1, 6, 2), (4, 1, 1)]


def images_of(shape, n=6, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n, *shape)).astype(dtype)


def changed(images, matrices, *args):
    """Return resampled numpy images, and check that the input does not change."""
    before = images.copy()
    matrices = np.broadcast_to(matrices, (len(images), 2, 3))
    found = resample(torch.from_numpy(images), matrices, *args).numpy()
    np.testing.assert_array_equal(images, before)
    assert found.dtype == images.dtype and found.shape == images.shape
    return found


def by_scipy(images, matrices, mode, cval, order):
    """Resample image by image and channel by channel."""
    found = np.empty_like(images)
    for image, matrix, result in zip(images, matrices, found):
        for channel in range(image.shape[2]):
            result[:, :, channel] = ndimage.affine_transform(
                image[:, :, channel],
                matrix[:, :2],
                matrix[:, 2],
                order=order,
                mode=SCIPY_MODES[mode],
                cval=cval,
            )
    return found


@pytest.fixture(params=[1, 2**16], ids=["image by image", "all at once"])
def _at_a_time(request, monkeypatch):
    """The number of images resampled at a time must not matter."""
    monkeypatch.setattr(
        skreg.augmentation.image_transforms, "PIXELS_AT_A_TIME", request.param
    )


@pytest.mark.usefixtures("_at_a_time")
@pytest.mark.parametrize("interpolation", ORDERS)
@pytest.mark.parametrize("mode", FILL_MODES)
@pytest.mark.parametrize("shape", SHAPES)
def test_resampling_is_scipys(shape, mode, interpolation):
    """Any affine maps, to places many images away: to rounding of coordinates."""
    images = images_of(shape, n=30)
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(30, 2, 3)) * [1, 1, 20]
    found = changed(images, matrices, mode, 2.5, interpolation)
    expected = by_scipy(images, matrices, mode, 2.5, ORDERS[interpolation])
    # Coordinates of up to 100 are rounded to 1e-14 and multiply slopes of 5.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("mode", FILL_MODES)
def test_single_precision(mode):
    images = images_of((9, 9, 1), n=30)
    theta = np.random.default_rng(1).uniform(-40, 40, 30)
    matrices = affine_matrices((9, 9), rotation=theta, row_shift=0.3)
    exact = changed(images, matrices, mode)
    found = changed(images.astype(np.float32), matrices, mode)
    # Coordinates of 10 are rounded to 1e-6, under slopes of 5.
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", FILL_MODES)
@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (-2, 3), (7, -9), (23, 40)])
def test_whole_shifts_are_exact(mode, shift, dtype):
    images = images_of((5, 8, 3), dtype=dtype)
    matrix = affine_matrices((5, 8), row_shift=shift[0], column_shift=shift[1])
    found = changed(images, matrix, mode, -1.0)
    expected = ndimage.shift(
        images,
        (0, -shift[0], -shift[1], 0),
        order=0,
        mode=SCIPY_MODES[mode],
        cval=-1.0,
    )
    np.testing.assert_array_equal(found, expected)
    if mode == "wrap":
        rolled = np.roll(images, (-shift[0], -shift[1]), (1, 2))
        np.testing.assert_array_equal(found, rolled)


@pytest.mark.parametrize("mode", FILL_MODES)
@pytest.mark.parametrize("corner", [(0, 0), (2, 4), (4, 1)])
def test_crops_are_those_of_a_padded_image(mode, corner):
    images, padding = images_of((5, 6, 2)), 2
    crop = np.subtract(corner, padding)
    matrix = affine_matrices((5, 6), row_crop=crop[0], column_crop=crop[1])
    widths = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    options = {"mode": PAD_MODES.get(mode, "constant")}
    if mode == "constant":
        options["constant_values"] = 9.0
    padded = np.pad(images, widths, **options)
    expected = padded[:, corner[0] : corner[0] + 5, corner[1] : corner[1] + 6]
    np.testing.assert_array_equal(changed(images, matrix, mode, 9.0), expected)


@pytest.mark.parametrize("mode", FILL_MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("horizontal", [False, True])
@pytest.mark.parametrize("vertical", [False, True])
def test_flips_are_exact(horizontal, vertical, dtype, mode):
    images = images_of((5, 8, 3), dtype=dtype)
    flips = {"horizontal_flip": horizontal, "vertical_flip": vertical}
    axes = [axis for axis, on in ((2, horizontal), (1, vertical)) if on]
    found = changed(images, affine_matrices((5, 8), **flips), mode, 9.0)
    np.testing.assert_array_equal(found, np.flip(images, axes))


@pytest.mark.parametrize("size", [1, 6, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", FILL_MODES)
@pytest.mark.parametrize("quarters", range(-4, 5))
def test_quarter_turns_are_exact(quarters, mode, dtype, size):
    images = images_of((size, size, 2), dtype=dtype)
    matrix = affine_matrices((size, size), rotation=90.0 * quarters)
    expected = np.rot90(images, -quarters, (1, 2))
    np.testing.assert_array_equal(changed(images, matrix, mode, 9.0), expected)


def test_half_turns_of_images_that_are_not_square_are_exact():
    images = images_of((5, 8, 1))
    matrix = affine_matrices((5, 8), rotation=180.0)
    np.testing.assert_array_equal(changed(images, matrix), np.flip(images, (1, 2)))


def keras_matrix(shape, theta, tx, ty, shear, zx, zy):
    """Return the matrix that Keras's `apply_affine_transform` passes to scipy."""
    theta, shear = np.deg2rad(theta), np.deg2rad(shear)
    c, s = np.cos(theta), np.sin(theta)
    rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    shift = np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    shearing = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    zoom = np.diag([zx, zy, 1])
    o_x, o_y = shape[0] / 2 - 0.5, shape[1] / 2 - 0.5
    offset = np.array([[1, 0, o_x], [0, 1, o_y], [0, 0, 1]])
    reset = np.array([[1, 0, -o_x], [0, 1, -o_y], [0, 0, 1]])
    return (offset @ rotation @ shift @ shearing @ zoom @ reset)[:2]


@pytest.mark.parametrize("flips", [(False, False), (True, False), (True, True)])
def test_matrices_are_those_of_keras(flips):
    rng, shape = np.random.default_rng(0), (6, 9)
    theta, shear = rng.uniform(-60, 60, (2, 20))
    tx, ty = rng.uniform(-5, 5, (2, 20))
    zx, zy = rng.uniform(0.5, 1.5, (2, 20))
    crop = rng.integers(-3, 4, (2, 20))
    found = affine_matrices(shape, theta, tx, ty, shear, zx, zy, *flips, *crop)
    pixels = np.stack([*np.indices(shape).reshape(2, -1), np.ones(54)])
    flipped = pixels.copy()
    if flips[0]:
        flipped[1] = shape[1] - 1 - flipped[1]
    if flips[1]:
        flipped[0] = shape[0] - 1 - flipped[0]
    for i, parts in enumerate(zip(theta, tx, ty, shear, zx, zy)):
        moved = np.add(flipped, [[crop[0, i]], [crop[1, i]], [0]])
        expected = keras_matrix(shape, *parts) @ moved
        # Sums of some ten products of numbers below 20.
        np.testing.assert_allclose(found[i] @ pixels, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("factor", [2.0, 0.5, 1.25])
@pytest.mark.parametrize("mode", FILL_MODES)
def test_zoom_is_scipys(mode, factor):
    """About the centre; below 1 magnifies."""
    images = images_of((7, 7, 1))
    found = changed(images, affine_matrices((7, 7), row_zoom=factor), mode, 1.5)
    centre = 3 - 3 * factor
    matrix = np.array([[factor, 0, centre], [0, 1, 0]])
    expected = by_scipy(images, [matrix] * 6, mode, 1.5, 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)
    spot = np.zeros((1, 7, 7, 1))
    spot[:, 3, 3] = 1
    matrix = affine_matrices((7, 7), row_zoom=factor, column_zoom=factor)
    assert (changed(spot, matrix).sum() > 1) == (factor < 1)


def test_directions():
    """A source above moves what is seen down; a source to the left, to the right."""
    image = np.zeros((1, 5, 5, 1))
    image[0, 2, 2] = 1
    for shift, place in {(1, 0): (1, 2), (0, 1): (2, 1), (-2, 0): (4, 2)}.items():
        matrix = affine_matrices((5, 5), row_shift=shift[0], column_shift=shift[1])
        assert changed(image, matrix)[0, place[0], place[1], 0] == 1


def test_edges_are_part_of_the_image_in_spite_of_rounding():
    """Of a coordinate that rounding puts at -1e-16 "constant" keeps the pixel."""
    for dtype in (np.float32, np.float64):
        images = images_of((6, 6, 1), dtype=dtype)
        tiny = np.finfo(dtype).eps
        matrix = np.array([[1.0, 0, -tiny], [0, 1.0, 5 * tiny]])
        found = changed(images, matrix, "constant", 100.0)
        np.testing.assert_allclose(found, images, rtol=0, atol=1e3 * tiny)


def test_images_of_a_stack_do_not_mix():
    images = images_of((6, 7, 2), n=5)
    matrices = affine_matrices((6, 7), rotation=np.linspace(-50, 50, 5))
    together = changed(images, matrices, "wrap")
    for i in range(5):
        alone = changed(images[i : i + 1], matrices[i : i + 1], "wrap")
        np.testing.assert_array_equal(together[i : i + 1], alone)


def test_strided_images():
    images = torch.from_numpy(images_of((6, 6, 2)))
    matrices = affine_matrices((6, 6), rotation=np.full(6, 20.0))
    expected = resample(images, matrices)
    strided = images.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert torch.equal(resample(strided, matrices), expected)
    whole = affine_matrices((6, 6), horizontal_flip=np.ones(6, bool))
    assert torch.equal(resample(strided, whole), resample(images, whole))


def column(values):
    return torch.tensor(values, dtype=torch.float64).view(-1, 1, 1, 1)


def test_shifts_of_channels_stay_in_the_range_of_the_image():
    images = images_of((4, 5, 2), n=3)
    found = shift_channels(torch.from_numpy(images), column([0.7, -0.2, 0.0])).numpy()
    for image, result, amount in zip(images, found, [0.7, -0.2, 0.0]):
        expected = np.clip(image + amount, image.min(), image.max())
        np.testing.assert_array_equal(result, expected)


def test_contrast_keeps_the_mean_of_each_channel():
    images = images_of((4, 5, 2), n=4) + 3
    factors = [0.0, 0.5, 1.0, 2.0]
    found = change_contrast(torch.from_numpy(images), column(factors)).numpy()
    for image, result, factor in zip(images, found, factors):
        mean = image.mean((0, 1))
        expected = mean + factor * (image - mean)
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-14)
    # A model that changes nothing loses nothing beside others that do.
    np.testing.assert_array_equal(found[2], images[2])


def test_erasing():
    images = images_of((5, 6, 2), n=4)
    rectangles = [(0, 0, 2, 3), (3, 4, 2, 2), (1, 2, 0, 4), (0, 0, 5, 6)]
    sides = (torch.tensor(side).view(-1, 1, 1) for side in zip(*rectangles))
    found = erase(torch.from_numpy(images), *sides, 7.0).numpy()
    for image, result, (top, left, height, width) in zip(images, found, rectangles):
        expected = image.copy()
        expected[top : top + height, left : left + width] = 7
        np.testing.assert_array_equal(result, expected)
