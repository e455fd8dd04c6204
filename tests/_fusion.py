"""Helpers of the tests of fused training: the same call with and without it."""

from contextlib import contextmanager
from unittest import mock

import numpy as np
import pandas as pd
import scipy.sparse as sp
from _estimators import STEADY
from sklearn.model_selection import GridSearchCV

import skreg.training.train
from skreg import MLPClassifier, MLPRegressor, fused

# A stack sums in another order than a network alone (other matrix kernels, ragged ends
# as rows of weight zero). The few epochs of these tests amplify the 1e-16 of a sum to
# some 1e-12; any mix-up of rows, seeds or settings changes scores by 1e-3 and more.
TOLERANCE = 1e-6

# Few, small steps of small networks, whose outcome still depends on every setting.
QUICK = STEADY | {"max_iter": 4, "batch_size": 20, "random_state": 0}
QUICK |= {"learning_rate_init": 0.03}


def classifier(hidden_layer_sizes=(4,), **parameters):
    return MLPClassifier(hidden_layer_sizes, **(QUICK | parameters))


def regressor(hidden_layer_sizes=(4,), **parameters):
    return MLPRegressor(hidden_layer_sizes, **(QUICK | parameters))


def search(network=None, grid=None, **options):
    """Return a grid search over l2, or over another grid, with three folds."""
    options = {"scoring": "neg_log_loss"} | options
    grid = grid or {"l2": [0.0, 0.03, 0.3]}
    return GridSearchCV(network or classifier(), grid, cv=3, **options)


def classes(n_rows=50, n_classes=3, n_features=4, seed=0):
    """Return noisy blobs in random order, with features on different scales."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_rows) % n_classes)
    X = rng.normal(size=(n_rows, n_features)) + np.eye(n_classes, n_features)[y]
    return X * np.arange(1, n_features + 1) + 3, y


def numbers(n_rows=50, n_features=4, n_outputs=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) * 2 + 1
    y = np.sin(X[:, 0]) + X[:, 1] + 0.3 * rng.normal(size=n_rows)
    if n_outputs:
        y = np.stack([y * (k + 1) + X[:, k % n_features] for k in range(n_outputs)], 1)
    return X, y


@contextmanager
def counted():
    """Yield a list that receives the number of models of every stack that trains."""
    sizes, run = [], skreg.training.train.run

    def counting(requests, *args, **kwargs):
        sizes.append(len(requests))
        return run(requests, *args, **kwargs)

    with mock.patch.object(skreg.training.train, "run", counting):
        yield sizes


def compare(work, stacks=None, tolerance=TOLERANCE, **options):
    """Run a function alone and fused, and compare the results.

    Parameters
    ----------
    work : callable
        Takes no arguments. Returns lists or dicts of arrays, numbers and texts.
    stacks : list of int, default=None
        The expected number of models of each stack.
    **options
        Passed to `fused`.

    Returns
    -------
    list of int
        The numbers of models of the fused stacks.
    """
    with counted() as sizes:
        expected = work()
    assert set(sizes) <= {1}, "the reference is fused"
    with counted() as sizes, fused(**options):
        result = work()
    assert_same(result, expected, tolerance)
    if stacks is not None:
        assert sizes == stacks
    return sizes


def assert_same(result, expected, tolerance=TOLERANCE, where="result"):
    """Compare nested lists and dicts of arrays, except for times."""
    assert type(result) is type(expected), where
    if isinstance(expected, dict):
        assert list(result) == list(expected), where
        for key in expected:
            if "time" not in str(key):
                at = f"{where}[{key!r}]"
                assert_same(result[key], expected[key], tolerance, at)
    elif isinstance(expected, list | tuple):
        assert len(result) == len(expected), where
        for number, (one, two) in enumerate(zip(result, expected)):
            assert_same(one, two, tolerance, f"{where}[{number}]")
    elif isinstance(expected, pd.DataFrame):
        assert list(result) == list(expected)
        assert_same(result.to_numpy(), expected.to_numpy(), tolerance, where)
    elif sp.issparse(expected):
        assert_same(result.toarray(), expected.toarray(), tolerance, where)
    elif np.asarray(expected).dtype.kind == "f":
        np.testing.assert_allclose(
            result, expected, rtol=tolerance, atol=tolerance, err_msg=where
        )
    else:
        np.testing.assert_array_equal(result, expected, err_msg=where)


def outcome(search, X, y, **fit_params):
    """Fit a search and return its results."""
    search.fit(X, y, **fit_params)
    found = {
        # Ranks of candidates that are equally good depend on rounding.
        "results": {k: v for k, v in search.cv_results_.items() if "rank" not in k},
        "best_params": search.best_params_,
        "best_score": search.best_score_,
    }
    best = search.best_estimator_
    predict = getattr(best, "predict_proba", best.predict)
    return found | {"predictions": predict(X)}
