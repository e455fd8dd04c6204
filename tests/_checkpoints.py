"""Fits of many kinds, and helpers to keep them on disk and to compare their bits."""

from pathlib import Path

import numpy as np
import scipy.sparse as sp
from _estimators import ALL_CONFIGURATIONS, data
from _fitted import key_of, prepared_request
from sklearn.base import clone

from skreg import MLPClassifier, MLPRegressor
from skreg.estimators.preparation import prepare
from skreg.fusion.checkpoint import Checkpoint
from skreg.training.tracker import CURVES, NUMBERS
from skreg.training.train import train

SHORT = {"max_iter": 8, "batch_size": 16}
LINEAR = {"hidden_layer_sizes": (), "l1": 0.02}
IMPATIENT = {"learning_rate": "constant", "tol": 1e9, "n_iter_no_change": 2}
WEIGHT = np.linspace(0, 2, 60)

# Name: the estimator, and what its request is made with besides X and y.
FITS = {
    f"{kind.__name__} {name}": (kind(**(parameters | SHORT)), {})
    for kind in (MLPClassifier, MLPRegressor)
    for name, parameters in ALL_CONFIGURATIONS.items()
} | {
    "polished": (MLPRegressor(**LINEAR, max_iter=50), {}),
    "polished, far": (MLPRegressor(**LINEAR, max_iter=1), {}),
    "polished classes": (MLPClassifier(**LINEAR, max_iter=50), {}),
    "no steps": (MLPRegressor(**LINEAR, solver="lbfgs"), {}),
    "weights": (MLPClassifier(**SHORT), {"sample_weight": WEIGHT}),
    "accuracy": (MLPClassifier(**SHORT, early_stopping=True, monitor="accuracy"), {}),
    "r2": (MLPRegressor(**SHORT, early_stopping=True, monitor="r2"), {}),
    "curve": (MLPRegressor(**SHORT), {"validation": data(MLPRegressor, 20, seed=1)}),
    "float32": (MLPRegressor(**SHORT, dtype="float32"), {}),
    "invscaling": (MLPRegressor(**SHORT, solver="sgd", learning_rate="invscaling"), {}),
    "patience": (MLPRegressor(**IMPATIENT), {}),
}


def prepared(name, sparse=False):
    """Return an estimator and the request for its network, new ones each time."""
    estimator, options = clone(FITS[name][0]), FITS[name][1]
    X, y = data(type(estimator))
    if sparse:
        X = sp.csr_array(np.where(X > 1, X, 0))
    return estimator, prepared_request(estimator, X, y, **options, seed=3)


def preparation(name, sparse):
    """Return the preparation of the data by the fit of the same name."""
    estimator, options = clone(FITS[name][0]), FITS[name][1]
    X, y = data(type(estimator))
    if sparse:
        X = sp.csr_array(np.where(X > 1, X, 0))
    return prepare(estimator, X, y, **options, seed=3)


def kept(folder, name="r2"):
    """Train a fit and store it. Return checkpoint, key, request, result and file."""
    checkpoint, (_, request) = Checkpoint(folder), prepared(name)
    checkpoint.begin()
    (result,) = train([request])
    result.seconds = 0.1
    key = key_of(request)
    checkpoint.save(key, result)
    return checkpoint, key, request, result, Path(folder) / f"{key}.safetensors"


def bits(value):
    """Return a value in a form that is equal only if all bits are equal."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, list | tuple):
        return [type(value), *map(bits, value)]
    if isinstance(value, dict):
        return {name: bits(part) for name, part in value.items()}
    if hasattr(value, "__dict__"):
        return type(value), bits(vars(value))
    return value


def same(one, other):
    """Return whether two results are equal in every bit that is stored."""
    names = ("kkt_violation", "history", "optimizer_state", "interrupted", "seconds")
    trackers = (*CURVES, *NUMBERS, "snapshots", "error")
    return (
        bits(one.state) == bits(other.state)
        and all(bits(getattr(one, n)) == bits(getattr(other, n)) for n in names)
        and all(
            bits(getattr(one.tracker, n)) == bits(getattr(other.tracker, n))
            for n in trackers
        )
    )


class Killed(BaseException):
    """Ends training at once, as a kill does."""


class Deadly(Checkpoint):
    """A checkpoint that ends training after it has written a number of times.

    Fits in training are written after every epoch.
    """

    def __init__(self, directory, n_times):
        super().__init__(directory, interval=0)
        self.n_left = n_times

    def write(self, path, records):
        super().write(path, records)
        self.n_left -= 1
        if self.n_left == 0:
            raise Killed
