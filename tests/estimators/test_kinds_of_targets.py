"""Targets are of the kind that scikit-learn says, and scored as it scores them."""

import numpy as np
import pandas as pd
import pytest
from _estimators import data
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.multiclass import type_of_target

from skreg import MLPClassifier, MLPRegressor
from skreg.estimators import labels
from skreg.estimators.labels import learn_labels

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
SIZES = [(40, 1), (40, 2), (40, 3), (40, 39), (5, 3), (2, 2), (1, 1)]
TYPES = [bool, np.int8, np.uint16, int, float, np.float32, str, object]


def drawn(n_rows, n_classes, dtype):
    y = np.arange(n_rows) % (min(n_classes, 2) if dtype is bool else n_classes)
    return RNG.permutation(y).astype(dtype)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("n_rows", "n_classes"), SIZES)
def test_kind(n_rows, n_classes, dtype):
    y = drawn(n_rows, n_classes, dtype)
    classes, kind = np.unique(y), type_of_target(y)
    if kind == "unknown" or len(classes) < 2:
        with pytest.raises(ValueError, match=r"Unknown label type|got one class"):
            learn_labels(y, None, "Any")
        return
    checked, found = learn_labels(y, None, "Any")
    assert checked is y and found.kind == kind
    assert found.classes.dtype == classes.dtype
    np.testing.assert_array_equal(found.classes, classes)


def test_codes_are_sorted_once(monkeypatch):
    """Neither scikit-learn nor we look for the classes again."""
    calls, unique = [], np.unique

    def counted(*args, **kwargs):
        calls.append(args)
        return unique(*args, **kwargs)

    X, y = data(MLPClassifier)
    monkeypatch.setattr(labels, "type_of_target", None)
    monkeypatch.setattr(np, "unique", counted)
    MLPClassifier((3,), max_iter=1).fit(X, y)
    assert [len(args) for args in calls] == [1] and calls[0][0] is y


@pytest.mark.filterwarnings("ignore:The number of unique classes")
@pytest.mark.parametrize("convert", [np.asarray, list, pd.Series, np.c_.__getitem__])
@pytest.mark.parametrize("dtype", [int, float, str, bool])
@pytest.mark.parametrize("weighted", [False, True])
def test_accuracy(dtype, convert, weighted):
    X, y = data(MLPClassifier, n_classes=2)
    y = y.astype(int).astype(dtype)
    network = MLPClassifier((4,), max_iter=5, random_state=0).fit(X, y)
    weight = RNG.random(len(y)) if weighted else None
    for n_rows in 60, 30, 1:
        part, own = convert(y[:n_rows]), None if weight is None else weight[:n_rows]
        predicted = network.predict(X[:n_rows])
        expected = accuracy_score(part, predicted, sample_weight=own)
        found = network.score(X[:n_rows], part, own)
        assert found == expected and type(found) is float


def outcome(function, *args):
    """Return the result, or the message of the error."""
    try:
        return function(*args)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    "y",
    [
        np.arange(59),
        np.arange(60) / 7,
        np.full(60, "a"),
        np.full(60, "a", object),
        np.zeros((60, 2), int),
        np.zeros((60, 1), int),
        np.zeros((60, 1, 1), int),
    ],
)
@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_accuracy_of_targets_that_are_not_those_of_the_training(y):
    X, codes = data(MLPClassifier)
    network = MLPClassifier((4,), max_iter=1, random_state=0).fit(X, codes)
    expected = outcome(accuracy_score, y, network.predict(X))
    assert outcome(network.score, X, y) == expected


def test_accuracy_of_other_labels_than_those_of_the_training():
    X, y = data(MLPClassifier)
    network = MLPClassifier((4,), max_iter=1, random_state=0).fit(X, y)
    for others in y - 1, y + 1, np.full_like(y, 7):
        expected = accuracy_score(others, network.predict(X))
        assert network.score(X, others) == expected


@pytest.mark.filterwarnings("ignore:R\\^2 score is not well-defined")
@pytest.mark.parametrize("convert", [np.asarray, list, pd.Series, np.c_.__getitem__])
@pytest.mark.parametrize("dtype", [float, np.float32, int])
@pytest.mark.parametrize("weighted", [False, True])
def test_r_squared(dtype, convert, weighted):
    X, y = data(MLPRegressor, n_samples=300)
    y = y.astype(dtype)
    network = MLPRegressor((4,), max_iter=5, random_state=0).fit(X, y)
    weight = RNG.random(len(y)) if weighted else None
    for n_rows in 300, 12, 2, 1:
        part, own = convert(y[:n_rows]), None if weight is None else weight[:n_rows]
        predicted = network.predict(X[:n_rows])
        expected = r2_score(part, predicted, sample_weight=own)
        np.testing.assert_equal(network.score(X[:n_rows], part, own), expected)


@pytest.mark.parametrize("y", [np.zeros(60), np.full(60, 1e200), np.arange(60) * 1e155])
def test_r_squared_of_unusual_targets(y):
    X, targets = data(MLPRegressor)
    network = MLPRegressor((4,), max_iter=1, random_state=0).fit(X, targets)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = r2_score(y, network.predict(X))
        np.testing.assert_equal(network.score(X, y), expected)


def test_r_squared_of_several_outputs():
    X, y = data(MLPRegressor)
    Y = np.c_[y, -y, y**2]
    network = MLPRegressor((4,), max_iter=5, random_state=0).fit(X, Y)
    assert network.score(X, Y) == r2_score(Y, network.predict(X))


@pytest.mark.parametrize(
    "y", [np.full(60, np.nan), np.full(60, np.inf), np.arange(59.0)]
)
def test_r_squared_of_what_cannot_be_scored(y):
    X, targets = data(MLPRegressor)
    network = MLPRegressor((4,), max_iter=1, random_state=0).fit(X, targets)
    with pytest.raises(ValueError, match=r"NaN|infinity|inconsistent"):
        network.score(X, y)
