"""The random numbers of each change of images, and invalid parameters."""

import numpy as np
import pytest
import torch
from scipy import ndimage, stats
from sklearn.base import clone

from skreg import ImageAugmenter
from skreg.augmentation.image_draws import (
    DRAWN,
    GEOMETRY,
    StackedImages,
    erased_rectangles,
)
from skreg.augmentation.image_transforms import FILL_MODES, INTERPOLATIONS

SHAPE = (8, 10)
# Of a Kolmogorov-Smirnov test. The seeds are fixed: a test that passes goes on passing.
SMALLEST_P = 1e-3
NAMES = list(DRAWN)
ALL_ON = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 3,
    "shear_range": 10.0,
    "zoom_range": [0.5, 1.1],
    "channel_shift_range": 0.3,
    "brightness_range": [0.8, 1.4],
    "contrast_range": [0.5, 2],
    "horizontal_flip": True,
    "vertical_flip": True,
    "crop_padding": 2,
    "erasing": 0.4,
}


def changes(n_channels=1, **parameters):
    parameters = {"image_shape": (*SHAPE, n_channels)} | parameters
    return ImageAugmenter(**parameters)._changes(80 * n_channels)


def draws(n, seed=0):
    return np.random.default_rng(seed).random((1, n, len(NAMES)))


def values(n=4000, seed=0, **parameters):
    """Return the random draws for each of many images."""
    found = StackedImages([changes(**parameters)]).values(draws(n, seed))
    return {name: array[0] for name, array in found.items()}


def images(n=6, n_channels=1, dtype=np.float64):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, *SHAPE, n_channels)).astype(dtype)


CONTINUOUS = {
    "rotation": ({"rotation_range": 25}, -25, 25),
    "row_shift": ({"height_shift_range": 0.25}, -2, 2),
    "column_shift": ({"width_shift_range": 2.5}, -2.5, 2.5),
    "shear": ({"shear_range": 7.0}, -7, 7),
    "row_zoom": ({"zoom_range": 0.3}, 0.7, 1.3),
    "column_zoom": ({"zoom_range": [0.6, 2]}, 0.6, 2),
    "channel_shift": ({"channel_shift_range": 0.5}, -0.5, 0.5),
    "brightness": ({"brightness_range": [0.2, 1.5]}, 0.2, 1.5),
    "contrast": ({"contrast_range": (0.0, 3.0)}, 0, 3),
    "erased_area": ({"erasing": 1, "erasing_area": [0.1, 0.3]}, 0.1, 0.3),
    "erased_aspect": ({"erasing": 0.5}, np.log(0.3), -np.log(0.3)),
}


@pytest.mark.parametrize("name", CONTINUOUS)
def test_uniform_numbers(name):
    parameters, low, high = CONTINUOUS[name]
    drawn = values(**parameters)[name]
    assert low <= drawn.min() and drawn.max() <= high
    uniform = stats.uniform(low, high - low)
    assert stats.kstest(drawn, uniform.cdf).pvalue > SMALLEST_P


WHOLE = {
    "row_shift": {"height_shift_range": 2},
    "column_shift": {"width_shift_range": np.int64(2)},
    "row_crop": {"crop_padding": 2},
    "column_crop": {"crop_padding": 2},
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers(name):
    """From -2 to 2, all as often."""
    found, counts = np.unique(values(**WHOLE[name])[name], return_counts=True)
    assert found.tolist() == [-2, -1, 0, 1, 2]
    assert stats.chisquare(counts).pvalue > SMALLEST_P


def test_the_ends_of_the_random_numbers():
    """0 and the number before 1 stay within the ranges, of whole numbers too."""
    stack = StackedImages([changes(**ALL_ON)])
    for end, expected in ((0.0, -1), (np.nextafter(1, 0), 1)):
        drawn = stack.values(np.full((1, 1, len(NAMES)), end))
        assert drawn["row_shift"].item() == 3 * expected
        assert drawn["row_crop"].item() == 2 * expected
        assert drawn["rotation"].item() == pytest.approx(20 * expected, rel=1e-12)


@pytest.mark.parametrize(
    "name, parameters, share",
    [
        ("horizontal_flip", {"horizontal_flip": True}, 0.5),
        ("vertical_flip", {"vertical_flip": True}, 0.5),
        ("erasing", {"erasing": 0.2}, 0.2),
        ("erasing", {"erasing": 1}, 1),
        ("vertical_flip", {"horizontal_flip": True}, 0),
        ("erasing", {"rotation_range": 3}, 0),
    ],
)
def test_probabilities(name, parameters, share):
    drawn = values(**parameters)[name]
    assert drawn.dtype == bool
    assert stats.binomtest(drawn.sum(), len(drawn), share).pvalue > SMALLEST_P


def test_numbers_of_an_image_do_not_depend_on_each_other():
    drawn = values(**ALL_ON)
    table = np.array([drawn[name].astype(float) for name in NAMES])
    correlations = np.corrcoef(table)[np.triu_indices(len(NAMES), 1)]
    # Standard errors of 1/sqrt(4000) = 0.016, of 153 pairs.
    assert np.abs(correlations).max() < 0.065


def test_a_parameter_does_not_change_the_draws_of_the_others():
    every = values(**ALL_ON)
    for name in ("rotation_range", "zoom_range", "erasing"):
        others = ALL_ON | {name: ImageAugmenter().get_params()[name]}
        drawn = values(**others)
        same = [key for key in NAMES if np.array_equal(drawn[key], every[key])]
        expected = {"rotation_range": 1, "zoom_range": 2, "erasing": 5}[name]
        assert len(same) == len(NAMES) - expected


def test_nothing_is_changed_by_default():
    X = images()
    np.testing.assert_array_equal(ImageAugmenter().sample(X, 0), X)
    assert not changes().is_random
    for name, value in ALL_ON.items():
        assert changes(**{name: value}).is_random, name
    assert not changes(brightness_range=[1, 1], erasing_area=[0.2, 0.3]).is_random


@pytest.mark.parametrize("name", ALL_ON)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_every_parameter_changes_images(name, n_channels):
    X = images(n=20, n_channels=n_channels)
    found = ImageAugmenter(**{name: ALL_ON[name]}).sample(X, 0)
    assert not np.array_equal(found, X)
    assert np.isfinite(found).all()


def test_samples():
    """Flat rows and images alike, by the seed, in the precision of the data."""
    augmenter = ImageAugmenter(**ALL_ON)
    for dtype in (np.float32, np.float64):
        X = images(n_channels=3, dtype=dtype)
        before = X.copy()
        found = augmenter.sample(X, random_state=0)
        assert found.dtype == dtype
        np.testing.assert_array_equal(X, before)
        flat = clone(augmenter).set_params(image_shape=(*SHAPE, 3))
        rows = flat.sample(X.reshape(len(X), -1), random_state=0)
        np.testing.assert_array_equal(rows.reshape(X.shape), found)
        again = augmenter.sample(X, np.random.RandomState(0))
        np.testing.assert_array_equal(again, found)
        assert not np.array_equal(augmenter.sample(X, 1), found)
        assert not np.array_equal(augmenter.sample(X), augmenter.sample(X))
    grey = images()[..., 0]
    np.testing.assert_array_equal(
        augmenter.sample(grey, 0), augmenter.sample(grey[..., None], 0)[..., 0]
    )
    assert augmenter.sample(np.ones((2, 4, 4), np.uint8), 0).shape == (2, 4, 4)


def slowly(image, drawn, parameters, mode, cval):
    """Change one image as documented, step by step, by scipy and numpy."""
    h, w = image.shape[:2]
    theta, shear = np.deg2rad(drawn["rotation"]), np.deg2rad(drawn["shear"])
    c, s = np.cos(theta), np.sin(theta)
    linear = np.array([[c, -s], [s, c]])
    shift = linear @ [drawn["row_shift"], drawn["column_shift"]]
    linear = linear @ [[1, -np.sin(shear)], [0, np.cos(shear)]]
    linear = linear @ np.diag([drawn["row_zoom"], drawn["column_zoom"]])
    centre = np.array([(h - 1) / 2, (w - 1) / 2])
    crop = np.array([drawn["row_crop"], drawn["column_crop"]])
    offset = centre + shift + linear @ (crop - centre)
    found = np.empty_like(image)
    for channel in range(image.shape[2]):
        found[..., channel] = ndimage.affine_transform(
            image[..., channel], linear, offset, order=1, mode=mode, cval=cval
        )
    if drawn["horizontal_flip"]:
        found = found[:, ::-1]
    if drawn["vertical_flip"]:
        found = found[::-1]
    low, high = found.min(), found.max()
    found = np.clip(found + drawn["channel_shift"], low, high)
    found = found * drawn["brightness"]
    mean = found.mean((0, 1))
    found = mean + drawn["contrast"] * (found - mean)
    if drawn["erasing"]:
        area, aspect = drawn["erased_area"] * h * w, np.exp(drawn["erased_aspect"])
        height = min(max(round(np.sqrt(area * aspect)), 1), h)
        width = min(max(round(np.sqrt(area / aspect)), 1), w)
        top = int(drawn["erased_top"] * (h - height + 1))
        left = int(drawn["erased_left"] * (w - width + 1))
        found[top : top + height, left : left + width] = cval
    return found


@pytest.mark.parametrize("mode", ["nearest", "reflect", "constant"])
def test_all_changes_together(mode):
    """In the documented order, image by image."""
    X, uniform = images(n=12, n_channels=2), draws(12)
    stack = StackedImages([changes(2, fill_mode=mode, cval=0.5, **ALL_ON)])
    drawn = stack.values(uniform)
    x = torch.from_numpy(X).reshape(1, 12, -1)
    found = stack.changed(x, uniform).numpy().reshape(X.shape)
    for i, image in enumerate(X):
        own = {name: array[0, i] for name, array in drawn.items()}
        expected = slowly(image, own, ALL_ON, mode, 0.5)
        np.testing.assert_allclose(found[i], expected, rtol=0, atol=1e-12)
    assert len(set(drawn["erasing"].ravel().tolist())) == 2


def test_erased_rectangles():
    """In the image, of about the area, and anywhere."""
    drawn = values(erasing=0.5, erasing_area=[0.05, 0.2])
    top, left, height, width = erased_rectangles(SHAPE, drawn)
    assert (height[~drawn["erasing"]] == 0).all()
    on = drawn["erasing"]
    assert (height[on] >= 1).all() and (width >= 1).all()
    assert (top >= 0).all() and (top + height <= SHAPE[0]).all()
    assert (left >= 0).all() and (left + width <= SHAPE[1]).all()
    assert (top + height)[on].max() == SHAPE[0] and (left + width)[on].max() == SHAPE[1]
    share = (height * width / 80)[on].mean()
    # Rounding of the sides and the shape of the image change some of it.
    assert share == pytest.approx(drawn["erased_area"][on].mean(), rel=0.05)
    everything = values(100, erasing=1, erasing_area=[1, 1])
    assert erased_rectangles(SHAPE, everything)[2].max() == SHAPE[0]


def test_models_of_a_stack_are_changed_as_alone():
    """With strengths of their own, off in one of them, and ragged ends."""
    own = [
        changes(2, **ALL_ON),
        changes(2),
        changes(2, rotation_range=5, erasing=0.9),
        changes(2, width_shift_range=1, contrast_range=[0.5, 2]),
    ]
    rows, n = [7, 7, 5, 1], 7
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(4, n, 160)))
    before = x.clone()

    def generators():
        return [np.random.default_rng(seed) for seed in range(4)]

    stack = StackedImages(own)
    together = stack.apply(x, generators(), rows, n)
    assert torch.equal(x, before)
    for model, (n_own, generator) in enumerate(zip(rows, generators())):
        single = StackedImages([own[model]])
        alone = single.apply(x[model : model + 1, :n_own], [generator], [n_own], n)
        torch.testing.assert_close(
            together[model, :n_own], alone[0], rtol=0, atol=1e-12
        )
    assert torch.equal(together[1], x[1])
    # In two halves. The first holds the batches before.
    halves, generator = [], generators()
    for part in (slice(0, 3), slice(3, 7)):
        n_rows = [len(range(*part.indices(n)))] * 2
        halves.append(stack.apply(x[:2, part], generator, n_rows, 3))
    torch.testing.assert_close(torch.cat(halves, 1), together[:2], rtol=0, atol=1e-12)


def test_what_is_off_is_skipped(monkeypatch):
    """Not a resampling without geometry, nor a number for a model without changes."""
    monkeypatch.setattr("skreg.augmentation.image_draws.resample", None)
    x = torch.ones(1, 2, 80)
    StackedImages([changes(brightness_range=[1, 2])]).changed(x, draws(2))
    with pytest.raises(TypeError):
        StackedImages([changes(rotation_range=2)]).changed(x, draws(2))
    found = StackedImages([changes()]).apply(x, [None], [2], 2)
    assert torch.equal(found, x)


@pytest.mark.parametrize("mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_everything_is_on_the_device_of_the_images(mode, interpolation):
    """Tensors on "meta" cannot be combined with those of the CPU."""
    own = changes(2, fill_mode=mode, interpolation=interpolation, **ALL_ON)
    x = torch.empty(1, 5, 160, device="meta")
    generators = [np.random.default_rng(0)]
    found = StackedImages([own]).apply(x, generators, [5], 5)
    assert found.device.type == "meta" and found.shape == x.shape


def test_geometry_comes_first():
    assert NAMES[: len(GEOMETRY)] == list(GEOMETRY)


INVALID = {
    "rotation_range": (-1, "10"),
    "width_shift_range": (-1, -0.1, [1, 2]),
    "height_shift_range": (-1, None),
    "shear_range": (-3, np.nan),
    "zoom_range": (
        1.0,
        -0.1,
        [0, 1],
        [1.2, 0.8],
        [0.5, 1, 2],
        ["a", "b"],
        [[1, 2], [3]],
    ),
    "channel_shift_range": (-1, None),
    "brightness_range": (0.5, [-1, 1], [2, 1], [1, np.inf], [1, np.nan]),
    "contrast_range": ("x", [0.5], [[1, 2]]),
    "horizontal_flip": ("yes", 2),
    "vertical_flip": (None,),
    "crop_padding": (-1, 1.5),
    "erasing": (-0.1, 1.1),
    "erasing_area": ([0.5, 2], None, [0.5, 0.1]),
    "fill_mode": ("mirror", None),
    "cval": (np.inf, "0"),
    "interpolation": ("bicubic", 3),
    "data_format": ("NCHW", None),
    "image_shape": (
        8,
        (8,),
        (8, 0),
        (8, 10.0),
        (2, 2, 2, 2),
        "ab",
        (8, True),
        (8, [8]),
    ),
}


@pytest.mark.parametrize(
    "name, value", [(name, value) for name in INVALID for value in INVALID[name]]
)
def test_invalid_parameters_are_named(name, value):
    with pytest.raises(ValueError, match="ImageAugmenter") as error:
        ImageAugmenter(**{name: value}).sample(images(), 0)
    assert name in str(error.value) and repr(value) in str(error.value)


def test_every_parameter_is_checked():
    assert INVALID.keys() == ImageAugmenter().get_params().keys()
    assert INVALID.keys() == ImageAugmenter._parameter_constraints.keys()


def test_shapes_that_do_not_fit():
    rows = np.ones((2, 80))
    with pytest.raises(ValueError, match=r"needs image_shape=.*80 features"):
        ImageAugmenter().sample(rows)
    with pytest.raises(ValueError, match=r"image_shape=\(8, 9, 1\).*72 .* 80 features"):
        ImageAugmenter(image_shape=(8, 9)).sample(rows)
    with pytest.raises(ValueError, match=r"image_shape=\(8, 10, 1\).*\(10, 8, 1\)"):
        ImageAugmenter(image_shape=(8, 10)).sample(np.ones((2, 10, 8)))
