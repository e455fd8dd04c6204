"""Convolutional estimators: images, settings, and their own attributes."""

import pickle

import numpy as np
import pytest
import torch
from _images import SMALL, images, targets
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch.nn import functional

from skreg import (
    CNNClassifier,
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    fused,
    search_space,
)
from skreg.data.random_streams import INIT, Streams
from skreg.networks.initial import initial_state

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

KINDS = (CNNClassifier, CNNRegressor)


def score_of(estimator, X):
    return getattr(estimator, "decision_function", estimator.predict)(X)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)


def test_better_than_dense_layers(digits):
    X, X_test, y, y_test = digits
    settings = {"random_state": 0, "dtype": "float32"}
    dense = MLPClassifier(**settings).fit(X, y).score(X_test, y_test)
    found = CNNClassifier((16, 32), **settings).fit(X, y).score(X_test, y_test)
    assert found > 0.98 and found > dense


@pytest.mark.parametrize("kind", KINDS)
def test_images_and_their_rows_are_the_same(kind):
    X, y = images()
    y = targets(kind, y)
    rows = X.reshape(len(X), -1)
    one = kind(**SMALL).fit(X, y, X_val=X[:9], y_val=y[:9])
    other = kind(image_shape=(6, 8, 2), **SMALL)
    other.fit(rows, y, X_val=rows[:9], y_val=y[:9])
    np.testing.assert_array_equal(score_of(one, X), score_of(other, rows))
    np.testing.assert_array_equal(score_of(one, rows), score_of(other, X))
    np.testing.assert_array_equal(score_of(one, X.tolist()), score_of(other, X))
    assert one.validation_loss_curve_ == other.validation_loss_curve_
    assert one.image_shape_ == other.image_shape_ == (6, 8, 2)
    assert one.n_features_in_ == 96


def test_images_without_channels_have_one():
    X, y = images(shape=(6, 8, 1))
    one = CNNRegressor(**SMALL).fit(X, y)
    other = CNNRegressor(image_shape=[6, 8], **SMALL).fit(X[..., 0], y)
    np.testing.assert_array_equal(one.predict(X), other.predict(X[..., 0]))
    assert one.image_shape_ == other.image_shape_ == (6, 8, 1)


@pytest.mark.parametrize("n_features, shape", [(64, (8, 8, 1)), (10, (1, 10, 1))])
def test_shape_of_rows_without_one(n_features, shape):
    X, y = np.random.default_rng(0).normal(size=(20, n_features)), np.arange(20.0)
    estimator = CNNRegressor(**SMALL).fit(X, y)
    assert estimator.image_shape_ == shape
    # Along an axis of a single pixel there are no neighbours.
    assert estimator.filters_[0].shape == (min(shape[0], 3), 3, 1, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_partial_fit_of_images(kind):
    X, y = images()
    y = targets(kind, y)
    one, other = kind(**SMALL), kind(image_shape=(6, 8, 2), **SMALL)
    for _ in range(2):
        one.partial_fit(X, y)
        other.partial_fit(X.reshape(len(X), -1), y)
    np.testing.assert_array_equal(score_of(one, X), score_of(other, X))


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"image_shape": (8,)}, r"image_shape must be None, .* got \(8,\)"),
        ({"image_shape": (8, 0)}, r"of positive integers, got \(8, 0\)"),
        ({"image_shape": (8.0, 8)}, r"of positive integers, got \(8.0, 8\)"),
        ({"image_shape": ((8,), 8)}, r"of positive integers, got \(\(8,\), 8\)"),
        ({"image_shape": (8, True)}, r"of positive integers, got \(8, True\)"),
        ({"image_shape": (5, 5)}, "X must hold images of shape .5, 5, 1."),
        ({"channels": (4, 0)}, r"channels must be positive integers, .* \(4, 0\)"),
        ({"kernel_size": (3,)}, "kernel_size must be one number or a sequence of 2"),
        ({"kernel_size": (3, 2.5)}, "kernel_size must be positive integers"),
        ({"pool": (2, 2, 2)}, r"pool must be .* of 2, .* \(2, 2, 2\) of length 3"),
        ({"pool": 4}, "convolution 2: its images have 1 x 2 pixels, and pool=4"),
        ({"dropout": (0.1, 0.2)}, "each of the hidden layers given by channels and hi"),
        ({"l2": (0.1, 0.2)}, "a sequence of 4, one for each of the layers of weights"),
    ],
)
def test_wrong_parameters(parameters, message):
    X, y = images()
    with pytest.raises(ValueError, match=message):
        CNNRegressor(**(SMALL | parameters)).fit(X, y)


def test_wrong_images():
    X, y = images()
    rows = X.reshape(len(X), -1)
    with pytest.raises(ValueError, match=r"shape=\(5, 5, 1\) is that of rows of 25"):
        CNNRegressor(image_shape=(5, 5), **SMALL).fit(rows, y)
    estimator = CNNRegressor(**SMALL).fit(X, y)
    message = r"of shape \(6, 8, 2\), .* training data, got X of shape \(60, 8, 6, 2\)"
    with pytest.raises(ValueError, match=message):
        estimator.predict(X.transpose(0, 2, 1, 3))
    with pytest.raises(ValueError, match="expecting 96 features"):
        estimator.predict(rows[:, 1:])
    X[0, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="Input X contains inf"):
        CNNRegressor(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"X must hold rows, .* got one of 5 dimens"):
        CNNRegressor(**SMALL).fit(np.zeros((5, 2, 2, 2, 2)), np.arange(5))


def reference_network(state, architecture):
    """Return the outputs by torch's own layers as a function of the rows."""
    n = architecture.n_hidden + 1
    weights, biases = state[:n], state[n:]

    def network(x):
        for i, shape in enumerate(architecture.convolutions):
            x = x.view(-1, shape.height, shape.width, shape.n_in).permute(0, 3, 1, 2)
            filters = weights[i].view(shape.n_in, *shape.kernel, shape.n_out)
            filters = filters.permute(3, 0, 1, 2)
            x = functional.conv2d(x, filters, biases[i][0], padding="same")
            x = functional.max_pool2d(torch.relu(x), shape.pool)
            x = x.permute(0, 2, 3, 1).flatten(1)
        for i in range(len(architecture.convolutions), n):
            x = x @ weights[i] + biases[i]
            x = torch.relu(x) if i < n - 1 else x
        return x

    return network


@pytest.mark.parametrize("kernel_size", [3, (5, 1)])
@pytest.mark.parametrize("pool", [2, (1, 2)])
def test_training_is_that_of_torch(kernel_size, pool):
    """Some steps of Adam on the whole batch, with autograd and torch's optimiser."""
    X, y = images()
    y = targets(CNNClassifier, y)
    settings = SMALL | {"kernel_size": kernel_size, "pool": pool, "batch_size": 60}
    settings |= {"learning_rate": "constant", "learning_rate_init": 0.01}
    model = CNNClassifier(**settings, l2=0.01)
    fitted = model.set_params(max_iter=7, tol=0.0).fit(X, y)
    architecture = fitted._layout.architecture
    state = initial_state(architecture, Streams(0)[INIT], np.float64)
    state = [torch.from_numpy(array).requires_grad_() for array in state]
    optimiser = torch.optim.Adam(state, 0.01)
    network = reference_network(state, architecture)
    x = torch.from_numpy((X - X.mean((0, 1, 2))) / X.std((0, 1, 2))).flatten(1)
    target, losses = torch.from_numpy(y), []
    for _ in range(7):
        optimiser.zero_grad()
        penalty = 0.01 * sum((weight**2).sum() for weight in state[:4])
        loss = functional.cross_entropy(network(x), target) + penalty
        loss.backward()
        losses.append(loss.item())
        optimiser.step()
    np.testing.assert_allclose(fitted.loss_curve_, losses, rtol=1e-9)
    for found, expected in zip(fitted.coefs_, state):
        # The direction of the first step is the sign of the gradient, whatever it is.
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=0, atol=1e-7)


def test_image_arrays_in_a_fused_search():
    X, y = images()
    y = targets(CNNClassifier, y)
    grid = {"l2": [0.0, 0.1]}
    with fused():
        search = GridSearchCV(CNNClassifier(**SMALL), grid, cv=2).fit(X, y)
    assert search.best_estimator_.image_shape_ == (6, 8, 2)


def test_a_pipeline():
    X, y = images()
    y = targets(CNNClassifier, y)
    model = make_pipeline(MinMaxScaler(), CNNClassifier(image_shape=(6, 8, 2), **SMALL))
    assert len(cross_val_score(model, X.reshape(len(X), -1), y, cv=2)) == 2


def test_without_channels_it_is_a_dense_network():
    X, y = images(shape=(6, 8, 1))
    settings = SMALL | {"channels": (), "standardize": False}
    settings["learning_rate_init"] = 0.01  # by default that of convolutions is lower
    one = CNNRegressor(**settings).fit(X, y)
    del settings["channels"]
    dense = MLPRegressor(**settings).fit(X.reshape(len(X), -1), y)
    np.testing.assert_array_equal(one.predict(X), dense.predict(X.reshape(len(X), -1)))


def test_a_linear_model_of_images():
    X, y = images()
    y = targets(CNNClassifier, y)
    rows = X.reshape(len(X), -1)
    linear = CNNClassifier((), (), solver="lbfgs", l2=0.01, standardize=False)
    linear.set_params(max_iter=1000, tol=1e-9).fit(X, y)
    reference = LogisticRegression(C=1 / (2 * 0.01 * len(X)), tol=1e-10, max_iter=9999)
    reference.fit(rows, y)
    # To a few times the violations at which both solvers stop.
    np.testing.assert_allclose(linear.coef_, reference.coef_, rtol=0, atol=1e-5)
    assert linear.coef_.shape == (3, 96)
    with pytest.raises(AttributeError, match=r"with channels=\(\) and hidden_layer_s"):
        _ = CNNClassifier(**SMALL).fit(X, y).coef_


def test_attributes():
    X, y = images()
    fitted = CNNRegressor(**SMALL).fit(X, y)
    assert [coef.shape for coef in fitted.coefs_] == [(18, 3), (27, 4), (8, 6), (6, 1)]
    assert [f.shape for f in fitted.filters_] == [(3, 3, 2, 3), (3, 3, 3, 4)]
    np.testing.assert_array_equal(
        fitted.filters_[0][:, :, 1, 2].ravel(), fitted.coefs_[0][9:, 2]
    )
    assert fitted.n_layers_ == 5 and fitted.n_features_in_ == 96
    assert fitted.feature_offset_.shape == fitted.support_.shape == (96,)
    assert fitted.net_.module_.weights[0].shape == (1, 18, 3)


def test_a_pickle_predicts_the_same():
    X, y = images()
    fitted = CNNRegressor(**SMALL).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))


def test_warm_start_goes_on():
    X, y = images()
    fitted = CNNRegressor(warm_start=True, **SMALL).fit(X, y)
    assert len(fitted.fit(X, y).loss_curve_) == 6
    with pytest.raises(ValueError, match="The layers changed"):
        fitted.set_params(channels=(2, 2)).fit(X, y)
    with pytest.raises(ValueError, match=r"image_shape changed from \(6, 8, 2\) to"):
        fitted.set_params(image_shape=(8, 6, 2)).fit(X.reshape(len(X), -1), y)


def test_early_stopping_and_snapshots():
    X, y = images()
    stopped = CNNRegressor(**(SMALL | {"max_iter": 60}), early_stopping=True).fit(X, y)
    assert len(stopped.validation_loss_curve_) == stopped.n_iter_
    settings = SMALL | {"max_iter": 4, "learning_rate": "cosine", "n_snapshots": 2}
    fitted = CNNClassifier(**settings).fit(X, targets(CNNClassifier, y))
    np.testing.assert_allclose(fitted.predict_proba(X).sum(1), 1)


def test_multilabel():
    X, y = images()
    labels = np.stack([y > np.median(y), y > np.quantile(y, 0.8)], 1).astype(int)
    fitted = CNNClassifier(class_weight="balanced", **SMALL).fit(X, labels)
    assert fitted.predict(X).shape == (60, 2)


def test_rows_are_predicted_in_parts():
    X, y = images()
    fitted = CNNRegressor(**SMALL).fit(X, y)
    many = np.tile(X, (300, 1, 1, 1))
    np.testing.assert_allclose(
        fitted.predict(many), np.tile(fitted.predict(X), 300), rtol=1e-12
    )


@pytest.mark.parametrize("kind", ["regularization", "cocktail"])
def test_search_space(kind):
    """That of tables without their embeddings; convolutions are hidden layers."""
    space = search_space(CNNClassifier(3, ()), kind)
    assert "dropout" in space and "numeric_embedding" not in space
    assert "dropout" not in search_space(CNNClassifier((), ()), kind)
    X, y = images()
    search = RandomizedSearchCV(
        CNNClassifier(**SMALL), search_space(CNNClassifier(**SMALL), kind), n_iter=3,
        cv=2, random_state=0, error_score="raise",
    )  # fmt: skip
    with fused():
        search.fit(X, targets(CNNClassifier, y))
