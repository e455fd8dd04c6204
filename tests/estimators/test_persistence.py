"""Copies of a fitted estimator, however they are made, predict the same bits."""

import copy
import pickle
from functools import cache

import joblib
import numpy as np
import pytest
from _estimators import ALL_CONFIGURATIONS, CONVOLUTIONAL, ESTIMATORS, data, make
from sklearn.base import clone

from skreg import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def by_joblib(estimator, folder, mmap_mode=None):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib", mmap_mode=mmap_mode)


EVERY = [(kind, name) for kind in ESTIMATORS for name in ALL_CONFIGURATIONS]
EVERY += [(kind, name) for kind in CONVOLUTIONAL for name in ("default", "skip")]

WAYS = {
    "pickle": lambda e, folder: pickle.loads(pickle.dumps(e)),
    "pickle protocol 2": lambda e, folder: pickle.loads(pickle.dumps(e, protocol=2)),
    "deepcopy": lambda e, folder: copy.deepcopy(e),
    "copy": lambda e, folder: copy.copy(e),
    "joblib": by_joblib,
    "memory map": lambda e, folder: by_joblib(e, folder, "r"),
    "twice": lambda e, folder: pickle.loads(pickle.dumps(by_joblib(e, folder, "r"))),
}


def predictions(estimator, X):
    names = ("predict", "predict_proba", "decision_function", "predict_log_proba")
    found = [getattr(estimator, name)(X) for name in names if hasattr(estimator, name)]
    return b"".join(np.asarray(part).tobytes() for part in found)


def fitted(kind, configuration, **parameters):
    parameters = {"max_iter": 3, "random_state": 0} | parameters
    return make(kind, configuration, **parameters).fit(*data(kind))


@cache
def copied(kind, configuration):
    """Return an estimator that is only copied and predicts."""
    return fitted(kind, configuration)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind, configuration", EVERY)
def test_copies_predict_the_same_bits(kind, configuration, way, tmp_path):
    X, _ = data(kind)
    estimator = copied(kind, configuration)
    expected = predictions(estimator, X)
    other = WAYS[way](estimator, tmp_path)
    assert predictions(other, X) == expected
    assert predictions(estimator, X) == expected
    assert other.loss_curve_ == estimator.loss_curve_
    assert other.history_ == estimator.history_
    # Augmenters, as all estimators, are equal to themselves only: by their parameters.
    params, others = estimator.get_params(), other.get_params()
    assert str(others.pop("augment")) == str(params.pop("augment"))
    assert others == params


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_copies_are_continued_alike(kind, way, tmp_path):
    """Also copies whose arrays are read-only; and the original stays as it was."""
    X, y = data(kind)
    estimator = fitted(kind, "batchnorm_before").partial_fit(X, y)
    before = predictions(estimator, X)
    other = WAYS[way](estimator, tmp_path).partial_fit(X, y)
    assert predictions(estimator, X) == before
    assert predictions(other, X) == predictions(estimator.partial_fit(X, y), X)


@pytest.mark.parametrize("configuration", ALL_CONFIGURATIONS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_clones_are_fitted_alike(kind, configuration):
    X, y = data(kind)
    estimator = fitted(kind, configuration)
    other = clone(estimator)
    assert not hasattr(other, "coefs_")
    assert predictions(other.fit(X, y), X) == predictions(estimator, X)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_pickle_holds_no_data(kind, early_stopping):
    X, y = data(kind, n_samples=2000, n_features=20)
    weight = np.linspace(1, 2, len(y))
    estimator = kind(max_iter=20, early_stopping=early_stopping, tol=0)
    estimator.fit(X, y, weight)
    estimator.predict(X)
    dump = pickle.dumps(estimator)
    weights = sum(array.nbytes for array in estimator._fits[0].state)
    names = ("loss_curve_", "validation_loss_curve_", "validation_scores_")
    curves = sum(8 * len(getattr(estimator, name) or ()) for name in names)
    assert weights < 0.1 * X.nbytes
    assert len(dump) < 2 * weights + curves
    for array in (X, y.astype(float), weight):
        assert array[:8].tobytes() not in dump


def test_a_pickle_is_read_in_another_process(tmp_path):
    X, _ = data(MLPRegressor)
    estimators = [fitted(MLPRegressor, name) for name in ("default", "deep")]
    # Workers of loky start afresh and unpickle what they are sent.
    work = (joblib.delayed(predictions)(estimator, X) for estimator in estimators)
    found = joblib.Parallel(n_jobs=2, backend="loky")(work)
    assert found == [predictions(estimator, X) for estimator in estimators]


def test_unfitted_estimators_are_copied_too():
    estimator = MLPClassifier(l1=[0.1, 0.2], hidden_layer_sizes=(7,))
    other = pickle.loads(pickle.dumps(estimator))
    assert other.get_params() == estimator.get_params()


@pytest.mark.parametrize("version", ["0.0.1", None])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_pickles_of_other_versions_are_pointed_out(kind, version, monkeypatch):
    estimator = fitted(kind, "default")
    X, _ = data(kind)
    state = estimator.__getstate__()
    if version is None:
        del state["_skreg_version"]
    else:
        state["_skreg_version"] = version
    other = kind.__new__(kind)
    expected = version or "an unknown version"
    with pytest.warns(
        UserWarning, match=f"pickled by skreg {expected}, .*fit it again"
    ):
        other.__setstate__(state)
    assert predictions(other, X) == predictions(estimator, X)
    assert "_skreg_version" not in vars(pickle.loads(pickle.dumps(estimator)))
