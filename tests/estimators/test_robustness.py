"""Unusual situations, in which nothing must be lost, ignored or misread."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import balanced_accuracy_score, make_scorer
from skorch.callbacks import (
    Checkpoint,
    EpochScoring,
    EpochTimer,
    Freezer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
)

from skreg import MLPClassifier, MLPRegressor
from skreg.training.threads import threads_for

pytestmark = pytest.mark.filterwarnings(
    # The fits are cut off on purpose.
    "ignore::sklearn.exceptions.ConvergenceWarning"
)
SMALL = {"max_iter": 8, "random_state": 0, "hidden_layer_sizes": (5,)}


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(60, 4))


@pytest.fixture
def y(X):
    return (X[:, 0] > 0).astype(int)


@pytest.fixture
def y3(X):
    return np.digitize(X[:, 0], [-0.5, 0.5])


def test_a_failed_refit_leaves_the_fit_before_it(X, y, y3):
    estimator = MLPClassifier(**SMALL).fit(X, y)
    before = estimator.predict_proba(X)
    with pytest.raises(ValueError, match="are not among the classes"):
        estimator.fit(X[:, :2], y3, X_val=X[:3, :2], y_val=[9, 9, 9])
    assert estimator.n_features_in_ == 4
    np.testing.assert_array_equal(estimator.predict_proba(X), before)


def test_a_failed_first_fit_leaves_nothing(X, y):
    estimator = MLPClassifier(**SMALL)
    attributes = dict(vars(estimator))
    with pytest.raises(ValueError, match="given together, got X_val only"):
        estimator.fit(X, y, X_val=X)
    assert vars(estimator) == attributes


@pytest.mark.parametrize(
    "changes, match",
    [
        ({"loss": "poisson"}, "The loss changed"),
        ({"loss": "quantile"}, "The loss changed"),
        ({"device": "cuda:99"}, "cannot be used on this machine"),
    ],
)
def test_what_a_continued_fit_cannot_change(X, changes, match):
    regressor = MLPRegressor(warm_start=True, **SMALL).fit(X, X[:, 0] ** 2)
    with pytest.raises(ValueError, match=match):
        regressor.set_params(**changes).fit(X, X[:, 0] ** 2)


def test_a_monitor_that_gives_no_number(X, y):
    settings = {"early_stopping": True, **SMALL}
    one_class = {"X_val": X[y == 1], "y_val": y[y == 1]}
    with pytest.raises(ValueError, match=r"monitor=.* must give a number .* got None"):
        MLPClassifier(monitor=lambda *args: None, **settings).fit(X, y, **one_class)
    with pytest.raises(ValueError, match=r"monitor=.* must give a number .* got nan"):
        MLPClassifier(monitor=lambda *args: np.nan, **settings).fit(X, y)


@pytest.mark.parametrize("monitor", ["adjusted_rand_score", "balanced_accuracy"])
def test_monitors_get_weights_if_their_metric_takes_them(X, y3, monitor):
    estimator = MLPClassifier(
        early_stopping=True, monitor=monitor, class_weight="balanced", **SMALL
    )
    assert len(estimator.fit(X, y3).validation_scores_) == estimator.n_iter_


def test_the_weights_that_a_metric_gets(X, y):
    """The user's own, for the validation rows."""
    got = []

    def metric(y_true, y_pred, sample_weight=None):
        got.append(sample_weight)
        return balanced_accuracy_score(y_true, y_pred, sample_weight=sample_weight)

    weight = np.linspace(1, 5, 20)
    MLPClassifier(early_stopping=True, monitor=make_scorer(metric), **SMALL).fit(
        X, y, X_val=X[:20], y_val=y[:20], sample_weight_val=weight
    )
    for array in got:
        np.testing.assert_array_equal(array, weight)


def test_threads_of_several_fits_at_once():
    """Whichever ends last, and whichever threads began meanwhile."""
    found = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        barrier = threading.Barrier(4)

        def work(_):
            barrier.wait()
            with threads_for(1):
                barrier.wait()
                inside = torch.get_num_threads()
            barrier.wait()
            return inside, torch.get_num_threads()

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, range(4))) == [(1, 2)] * 4
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(found)


@pytest.mark.parametrize(
    "settings, match",
    [
        ({"callbacks": [EpochScoring("accuracy")]}, "Use monitor="),
        ({"callbacks": [("freeze", Freezer("weight_0"))]}, "Leave it out: single"),
        ({"callbacks": [InputShapeSetter()]}, "Leave it out: fit"),
        ({"callbacks": [LoadInitState(Checkpoint())]}, "Use warm_start"),
        ({"callbacks": [LRScheduler], "solver": "lbfgs"}, "acts on the steps"),
    ],
)
def test_callbacks_that_could_do_nothing(X, y, settings, match):
    with pytest.raises(ValueError, match=match):
        MLPClassifier(**settings, **SMALL).fit(X, y)


def test_lbfgs_has_one_row_of_history_for_each_iteration(X, y):
    estimator = MLPClassifier((), solver="lbfgs", l2=0.1, callbacks=[EpochTimer()])
    estimator.fit(X, y)
    assert len(estimator.history_) == estimator.n_iter_ == len(estimator.loss_curve_)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scale", [1e-300, 1e-50, 1e50, 1e300])
def test_the_scale_of_sample_weights_does_not_matter(X, y, dtype, scale):
    weight = np.linspace(1, 2, 60)
    fits = [
        MLPClassifier(dtype=dtype, batchnorm=True, **SMALL).fit(X, y, w)
        for w in (weight, weight * scale)
    ]
    # The powers of ten are rounded.
    tolerance = 1e-5 if dtype == "float32" else 1e-10
    probabilities = [fit.predict_proba(X) for fit in fits]
    np.testing.assert_allclose(*probabilities, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "class_weight, match",
    [
        ({0: -2.0}, "class_weight must be finite"),
        ({0: np.inf}, "class_weight must be finite"),
        ({0: 0, 1: 0, 2: 0}, "at least one non-zero"),
        ([1, 2, 3], "only if y is multilabel"),
    ],
)
def test_bad_class_weights(X, y3, class_weight, match):
    with pytest.raises(ValueError, match=match):
        MLPClassifier(class_weight=class_weight, **SMALL).fit(X, y3)


def test_class_weights_of_batches_that_lack_a_class(X, y3):
    """The weights that the named classes have in each batch are the same."""
    by_class = MLPClassifier(class_weight={0: 2.0, 1: 3.0}, **SMALL)
    by_row = MLPClassifier(**SMALL)
    weight = np.array([2.0, 3.0, 1.0])[y3]
    for rows in (slice(None), y3 > 0, y3 == 2):
        by_class.partial_fit(X[rows], y3[rows])
        by_row.partial_fit(X[rows], y3[rows], sample_weight=weight[rows])
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))


def test_balanced_weights_of_validation_rows_are_those_of_the_training_rows(X, y3):
    count = np.bincount(y3)
    settings = {"early_stopping": True, **SMALL}
    validation = {"X_val": X[y3 < 2], "y_val": y3[y3 < 2]}
    balanced = MLPClassifier(class_weight="balanced", **settings)
    balanced.fit(X, y3, **validation)
    weight = (60 / (3 * count))[y3]
    by_row = MLPClassifier(**settings).fit(
        X, y3, weight, sample_weight_val=weight[y3 < 2], **validation
    )
    np.testing.assert_array_equal(
        balanced.validation_loss_curve_, by_row.validation_loss_curve_
    )


def test_poisson_batches_without_events(X):
    regressor = MLPRegressor(loss="poisson", **SMALL).partial_fit(X, X[:, 0] ** 2)
    regressor.partial_fit(X[:5], np.zeros(5))
    assert np.isfinite(regressor.predict(X)).all()


def test_curves_of_a_fit_that_begins_to_validate_later(X, y):
    estimator = MLPClassifier(warm_start=True, **SMALL).fit(X, y)
    estimator.set_params(early_stopping=True).fit(X, y)
    n_epochs = len(estimator.loss_curve_)
    assert n_epochs == len(estimator.validation_loss_curve_)
    assert n_epochs == len(estimator.history_)
    assert np.isnan(estimator.validation_loss_curve_[:8]).all()
    assert np.nanargmin(estimator.validation_loss_curve_) + 1 == estimator.best_iter_


def test_the_net_can_be_copied(X, y):
    estimator = MLPClassifier(**SMALL).fit(X, y)
    for net in (
        pickle.loads(pickle.dumps(estimator.net_)),
        copy.deepcopy(estimator.net_),
    ):
        for ours, theirs in zip(net.module_.state, estimator.net_.module_.state):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("l1", [np.array(0.1), np.float32(0.1), np.array([0.1, 0.1])])
def test_numpy_numbers_as_parameters(X, y, l1):
    settings = {"max_iter": 3, "random_state": 0}
    given = MLPClassifier(np.array(5), l1=l1, **settings).fit(X, y)
    plain = MLPClassifier(5, l1=np.ravel(l1).tolist()[0], **settings).fit(X, y)
    np.testing.assert_array_equal(given.coefs_[0], plain.coefs_[0])


def test_wide_sparse_rows_are_not_all_dense_at_once(X):
    """In pieces, the predictions are those of single rows."""
    dense = np.random.default_rng(0).random((300, 3000))
    wide = sp.csr_array(np.where(dense < 0.01, 100 * dense, 0))
    target = np.arange(300) % 2
    estimator = MLPClassifier((3,), max_iter=2, random_state=0).fit(wide, target)
    rows = [estimator.predict_proba(wide[[i]]) for i in range(0, 300, 37)]
    # Products of one row and of many round differently.
    np.testing.assert_allclose(
        estimator.predict_proba(wide)[::37], np.concatenate(rows), rtol=1e-12
    )
