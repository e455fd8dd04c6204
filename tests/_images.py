"""Images for the tests of convolutional estimators, and estimators that fit fast."""

import numpy as np

from skreg import CNNRegressor

SMALL = {"channels": (3, 4), "hidden_layer_sizes": (6,), "max_iter": 3}
SMALL |= {"random_state": 0, "batch_size": 16}


def images(n=60, shape=(6, 8, 2), seed=0):
    """Return images of shape (n, *shape) and numbers that depend on them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, *shape)) * 2 + 1
    return X, X[:, : shape[0] // 2].mean((1, 2, 3)) * 9 + rng.normal(size=n) * 0.1


def targets(kind, y):
    """Return classes or numbers."""
    return y if kind is CNNRegressor else np.digitize(y, np.quantile(y, [0.3, 0.6]))
