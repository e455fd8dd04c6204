"""Arrays of images with the channels first, or last."""

import pickle

import numpy as np
import pytest
from _images import SMALL, images, targets
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict

from skreg import CNNClassifier, CNNRegressor, ImageAugmenter, fused
from skreg.parameters.image_shapes import channels_last

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = (CNNClassifier, CNNRegressor)
FIRST = {"data_format": "channels_first"}
FLIPS = ImageAugmenter(horizontal_flip=True)


def pair(kind):
    """Return images in both formats, the first by torch's order, and targets."""
    X, y = images(shape=(6, 8, 3))
    return np.ascontiguousarray(X.transpose(0, 3, 1, 2)), X, targets(kind, y)


def outputs(estimator, X):
    """Return everything that the methods say about some images."""
    names = ("predict", "decision_function", "predict_proba")
    found = [getattr(estimator, n)(X) for n in names if hasattr(estimator, n)]
    return [*found, *estimator.coefs_, estimator.loss_curve_, estimator.support_]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("augment", [None, FLIPS])
@pytest.mark.parametrize("kind", KINDS)
def test_results_are_those_of_the_transposed_array(kind, augment):
    first, last, y = pair(kind)
    one = kind(augment=augment, **FIRST, **SMALL)
    one.fit(first, y, X_val=first[:9], y_val=y[:9])
    other = kind(augment=augment, **SMALL).fit(last, y, X_val=last[:9], y_val=y[:9])
    assert_same(outputs(one, first), outputs(other, last))
    assert one.validation_loss_curve_ == other.validation_loss_curve_
    assert one.score(first, y) == other.score(last, y)
    assert one.image_shape_ == (6, 8, 3)
    again = pickle.loads(pickle.dumps(one))
    assert_same(outputs(again, first.tolist()), outputs(other, last))
    # Rows have the channels last in both formats.
    assert_same(outputs(one, last.reshape(60, -1)), outputs(other, last))


@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_and_warm_start(kind):
    first, last, y = pair(kind)
    one, other = kind(**FIRST, **SMALL), kind(**SMALL)
    for _ in range(2):
        one.partial_fit(first, y)
        other.partial_fit(last, y)
    assert_same(outputs(one, first), outputs(other, last))
    one.set_params(warm_start=True).fit(first, y)
    other.set_params(warm_start=True).fit(last, y)
    assert_same(outputs(one, first), outputs(other, last))


@pytest.mark.parametrize("kind", KINDS)
def test_cross_validation_and_searches(kind):
    first, last, y = pair(kind)
    one, other = kind(**FIRST, **SMALL), kind(**SMALL)
    assert clone(one).data_format == "channels_first"
    np.testing.assert_array_equal(
        cross_val_predict(one, first, y, cv=2), cross_val_predict(other, last, y, cv=2)
    )
    grid = {"l2": [0.0, 0.1]}
    with fused():
        found = GridSearchCV(one, grid, cv=2).fit(first, y)
        expected = GridSearchCV(other, grid, cv=2).fit(last, y)
    assert_same(
        outputs(found.best_estimator_, first), outputs(expected.best_estimator_, last)
    )


def test_images_without_channels_have_one_in_both_formats():
    X, y = images(shape=(6, 8, 1))
    expected = CNNRegressor(**SMALL).fit(X, y)
    for grey in (X[..., 0], X[:, None, :, :, 0]):
        found = CNNRegressor(**FIRST, **SMALL).fit(grey, y)
        assert_same(outputs(found, grey), outputs(expected, X))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_what_looks_like_channels_first_is_an_error(kind, n_channels):
    X, y = images(shape=(6, 8, n_channels))
    X, y = X.transpose(0, 3, 1, 2), targets(kind, y)
    message = f"X of shape .60, {n_channels}, 6, 8. looks like .* data_format is 'chann"
    with pytest.raises(ValueError, match=message):
        kind(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="looks like"):
        kind(**SMALL).partial_fit(X.tolist(), y)
    # A given shape confirms it.
    few = SMALL | {"pool": 1}
    confirmed = kind(image_shape=(n_channels, 6, 8), **few).fit(X, y)
    assert confirmed.image_shape_ == (n_channels, 6, 8)


@given(st.tuples(*[st.integers(1, 9)] * 3))
@settings(max_examples=100, deadline=None)
def test_which_shapes_look_like_channels_first(shape):
    height, width, channels = shape
    X = np.zeros((2, *shape))
    few = height in (1, 3) and height < width and height < channels
    if few and channels not in (1, 3, 4):
        with pytest.raises(ValueError, match="data_format='channels_first'"):
            channels_last(X, "channels_last")
    else:
        assert channels_last(X, "channels_last") is X
    assert channels_last(X, "channels_last", confirmed=shape) is X
    moved = channels_last(X, "channels_first")
    assert moved.shape == (2, width, channels, height)


def test_other_images_than_in_training():
    first, last, y = pair(CNNRegressor)
    fitted = CNNRegressor(**SMALL).fit(last, y)
    with pytest.raises(ValueError, match=r"looks like images with the channels first"):
        fitted.predict(first)
    message = r"got X of shape \(60, 6, 8, 3\) with data_format='channels_first'"
    fitted = CNNRegressor(**FIRST, **SMALL).fit(first, y)
    with pytest.raises(ValueError, match=message):
        fitted.predict(last)


def test_wrong_values_are_named():
    X, y = images()
    with pytest.raises(ValueError, match="The 'data_format' parameter of CNNRegressor"):
        CNNRegressor(data_format="NCHW", **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="The 'data_format' parameter of ImageAugm"):
        ImageAugmenter(data_format="NCHW").sample(X)


@pytest.mark.parametrize("image_shape", [None, (6, 8, 3)])
def test_samples_of_an_augmenter(image_shape):
    first, last, _ = pair(CNNRegressor)
    parameters = {"rotation_range": 20, "erasing": 0.5, "image_shape": image_shape}
    expected = ImageAugmenter(**parameters).sample(last, 0)
    assert not np.array_equal(expected, last)
    found = ImageAugmenter(**parameters, **FIRST).sample(first, 0)
    np.testing.assert_array_equal(found, expected.transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match="data_format of ImageAugmenter is"):
        ImageAugmenter().sample(first)
