"""Early stopping: the watched metric, when it stops, and the restored weights."""

import math

import numpy as np
import pandas as pd
import pytest
from _estimators import ESTIMATORS, STEADY, data
from sklearn.metrics import (
    accuracy_score,
    d2_absolute_error_score,
    log_loss,
    make_scorer,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)

from skreg import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# A large learning rate makes the best epoch an early one and the curve a rough one.
ROUGH = STEADY | {"early_stopping": True, "learning_rate_init": 0.03, "max_iter": 60}
ROUGH |= {"hidden_layer_sizes": (20,), "n_iter_no_change": 8, "random_state": 0}


def split(kind, n_classes=2, n_samples=120):
    X, y = data(kind, n_samples=n_samples, n_classes=n_classes)
    half = n_samples // 2
    return X[:half], y[:half], X[half:], y[half:]


def margin(estimator, X, y):
    """Return minus the mean error of the probabilities, as a user's own metric."""
    return -float(np.abs(estimator.predict_proba(X)[:, 1] - y).mean())


def spread(estimator, X, y):
    return -float(np.median(np.abs(estimator.predict(X) - y)))


# Kind, monitor, and an independent computation of what it watches.
MONITORS = [
    (MLPClassifier, "loss", lambda e, X, y: -log_loss(y, e.predict_proba(X))),
    (MLPClassifier, "accuracy", lambda e, X, y: accuracy_score(y, e.predict(X))),
    (
        MLPClassifier,
        "roc_auc",
        lambda e, X, y: roc_auc_score(y, e.predict_proba(X)[:, 1]),
    ),
    (MLPClassifier, "neg_log_loss", lambda e, X, y: -log_loss(y, e.predict_proba(X))),
    (MLPClassifier, margin, margin),
    (
        MLPRegressor,
        "loss",
        # Half the squared error, on standardised targets.
        lambda e, X, y: (
            -mean_squared_error(y, e.predict(X)) / e.target_scale_[0] ** 2 / 2
        ),
    ),
    (MLPRegressor, "r2", lambda e, X, y: r2_score(y, e.predict(X))),
    (
        MLPRegressor,
        "neg_mean_absolute_error",
        lambda e, X, y: -mean_absolute_error(y, e.predict(X)),
    ),
    (
        MLPRegressor,
        make_scorer(d2_absolute_error_score),
        lambda e, X, y: d2_absolute_error_score(y, e.predict(X)),
    ),
    (MLPRegressor, spread, spread),
]


@pytest.mark.parametrize("kind, monitor, rescore", MONITORS)
def test_the_best_epochs_weights_come_back(kind, monitor, rescore):
    X, y, X_val, y_val = split(kind)
    estimator = kind(monitor=monitor, **ROUGH).fit(X, y, X_val=X_val, y_val=y_val)
    scores = estimator.validation_scores_
    assert 1 <= estimator.best_iter_ < estimator.n_iter_ == len(scores)
    assert estimator.best_validation_score_ == max(scores)
    assert scores.index(max(scores)) == estimator.best_iter_ - 1
    # The same float64 network scored by other code: rounding only.
    assert rescore(estimator, X_val, y_val) == pytest.approx(max(scores), rel=1e-9)


@pytest.mark.parametrize("kind, monitor, rescore", MONITORS)
def test_without_restoring_the_last_weights_stay(kind, monitor, rescore):
    X, y, X_val, y_val = split(kind)
    estimator = kind(monitor=monitor, restore_best_weights=False, **ROUGH)
    estimator.fit(X, y, X_val=X_val, y_val=y_val)
    scores = estimator.validation_scores_
    assert rescore(estimator, X_val, y_val) == pytest.approx(scores[-1], rel=1e-9)
    restored = kind(monitor=monitor, **ROUGH).fit(X, y, X_val=X_val, y_val=y_val)
    assert restored.validation_scores_ == scores
    assert not np.allclose(restored.coefs_[0], estimator.coefs_[0])


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_best_weights_are_those_of_a_fit_that_ends_there(kind):
    """The best epoch's weights are bit for bit those after that many epochs."""
    X, y, X_val, y_val = split(kind)
    rows = {"X_val": X_val, "y_val": y_val}
    best = kind(**ROUGH, batchnorm=True).fit(X, y, **rows)
    settings = ROUGH | {"max_iter": best.best_iter_, "early_stopping": False}
    short = kind(**settings, batchnorm=True, tol=0).fit(X, y)
    assert short.n_iter_ == best.best_iter_
    for one, other in zip(best._fits[0].state, short._fits[0].state):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_lbfgs_gives_back_its_best_iterate(kind):
    X, y, X_val, y_val = split(kind)
    settings = ROUGH | {"solver": "lbfgs", "tol": 0, "max_iter": 40}
    estimator = kind(**settings).fit(X, y, X_val=X_val, y_val=y_val)
    rescore = MONITORS[0 if kind is MLPClassifier else 5][2]
    assert estimator.best_iter_ < estimator.n_iter_
    best = max(estimator.validation_scores_)
    assert rescore(estimator, X_val, y_val) == pytest.approx(best, rel=1e-9)


def epochs_until_patience_ends(scores, tol, n_iter_no_change):
    """Return the epoch in which scikit-learn's rule stops on a curve."""
    best, no_improvement = -math.inf, 0
    for epoch, score in enumerate(scores, start=1):
        if score < best + tol:
            no_improvement += 1
        else:
            no_improvement = 0
        best = max(best, score)
        if no_improvement > n_iter_no_change:
            return epoch
    return None


@pytest.mark.parametrize("n_iter_no_change", [1, 3, 10])
@pytest.mark.parametrize("tol", [0, 1e-3, 0.05])
@pytest.mark.parametrize("monitored", [True, False])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_stopping_epoch(kind, monitored, tol, n_iter_no_change):
    settings = ROUGH | {"max_iter": 200, "early_stopping": monitored}
    settings |= {"tol": tol, "n_iter_no_change": n_iter_no_change}
    estimator = kind(**settings).fit(*data(kind))
    curve = estimator.validation_scores_
    if not monitored:
        assert curve is None
        curve = [-loss for loss in estimator.loss_curve_]
    stop = epochs_until_patience_ends(curve, tol, n_iter_no_change)
    assert estimator.n_iter_ == stop or (stop is None and estimator.n_iter_ == 200)
    if tol > 0:
        assert stop is not None  # else the rule has not been seen at work


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_validation_rows_are_not_trained_on(kind):
    """X_val only watches: without early stopping the weights do not depend on it."""
    X, y, X_val, y_val = split(kind)
    settings = ROUGH | {"early_stopping": False, "max_iter": 5}
    without = kind(**settings).fit(X, y)
    watched = kind(**settings).fit(X, y, X_val=X_val, y_val=y_val)
    assert without.validation_loss_curve_ is None
    assert len(watched.validation_loss_curve_) == 5
    assert watched.validation_scores_ is None
    np.testing.assert_array_equal(without.coefs_[0], watched.coefs_[0])


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_rows_set_aside_are_not_trained_on(kind):
    """The inputs' mean is that of the training rows, which are 90 % of all rows."""
    X, y = data(kind, n_samples=100)
    estimator = kind(**ROUGH | {"max_iter": 2}).fit(X, y)
    assert estimator.t_ == 2 * 90
    assert not np.allclose(estimator.feature_offset_, X.mean(0), rtol=1e-3)


def test_the_split_keeps_the_shares_of_the_classes():
    """Of 95 to 5 rows, 20 % hold 19 to 1 whatever the seed."""
    X, _ = data(MLPClassifier, n_samples=100)
    y = np.repeat([0, 1], [95, 5])
    seen = []

    def count(estimator, X_val, y_val):
        seen.append(np.bincount(y_val).tolist())
        return 0.0

    for seed in range(5):
        settings = ROUGH | {"max_iter": 1, "random_state": seed}
        MLPClassifier(**settings, monitor=count, validation_fraction=0.2).fit(X, y)
    assert seen == [[19, 1]] * 5


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_without_validation_rows_the_training_loss_is_watched(kind):
    X, y = data(kind)
    # Dropout makes the training loss a rough curve as well.
    settings = ROUGH | {"dropout": 0.5, "tol": 0}
    estimator = kind(validation_fraction=None, **settings).fit(X, y)
    assert estimator.t_ == estimator.n_iter_ * len(y)
    assert estimator.validation_scores_ is estimator.validation_loss_curve_ is None
    assert estimator.best_loss_ == min(estimator.loss_curve_)
    best = estimator.best_iter_
    assert estimator.loss_curve_[best - 1] == estimator.best_loss_
    assert best < estimator.n_iter_
    # In batches of all rows the loss of epoch k is that before its step.
    short = kind(**(settings | {"early_stopping": False, "max_iter": best})).fit(X, y)
    np.testing.assert_array_equal(short.coefs_[0], estimator.coefs_[0])


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_weights_of_the_validation_rows(kind):
    """A weight of 2 is a row given twice, one of 0 a row not given."""
    X, y, X_val, y_val = split(kind)
    weight = np.resize([0, 1, 2], len(y_val))
    repeated = {"X_val": X_val.repeat(weight, 0), "y_val": y_val.repeat(weight)}
    weighted = {"X_val": X_val, "y_val": y_val, "sample_weight_val": weight}
    scorer = "accuracy" if kind is MLPClassifier else "r2"
    for monitor in ("loss", scorer):
        one = kind(monitor=monitor, **ROUGH).fit(X, y, **weighted)
        other = kind(monitor=monitor, **ROUGH).fit(X, y, **repeated)
        for name in ("validation_scores_", "validation_loss_curve_"):
            np.testing.assert_allclose(
                getattr(one, name), getattr(other, name), rtol=1e-10
            )
        np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


def test_a_callable_gets_the_weights_if_it_takes_them():
    X, y, X_val, y_val = split(MLPRegressor)
    weight = np.arange(1.0, 1 + len(y_val))
    got = []

    def weighted(estimator, X, y, sample_weight=None):
        got.append(sample_weight)
        return 0.0

    rows = {"X_val": X_val, "y_val": y_val, "sample_weight_val": weight}
    settings = ROUGH | {"max_iter": 1}
    MLPRegressor(monitor=weighted, **settings).fit(X, y, **rows)
    np.testing.assert_array_equal(got[0], weight)
    MLPRegressor(monitor=spread, **settings).fit(X, y, **rows)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("monitor", ["loss", "scorer"])
def test_data_frames(kind, monitor):
    X, y, X_val, y_val = split(kind)
    if monitor == "scorer":
        monitor = "accuracy" if kind is MLPClassifier else "r2"
    expected = kind(monitor=monitor, **ROUGH).fit(X, y, X_val=X_val, y_val=y_val)
    frame, frame_val = (pd.DataFrame(part).add_prefix("x") for part in (X, X_val))
    estimator = kind(monitor=monitor, **ROUGH)
    estimator.fit(frame, pd.Series(y), X_val=frame_val, y_val=pd.Series(y_val))
    assert estimator.validation_scores_ == expected.validation_scores_
    with pytest.raises(ValueError, match="feature names should match"):
        renamed = frame_val.rename(columns={"x0": "other"})
        estimator.fit(frame, y, X_val=renamed, y_val=y_val)


def test_string_labels():
    X, y, X_val, y_val = split(MLPClassifier)
    names = np.array(["no", "yes"])
    one = MLPClassifier(monitor="accuracy", **ROUGH)
    one.fit(X, names[y], X_val=X_val, y_val=names[y_val])
    other = MLPClassifier(monitor="accuracy", **ROUGH)
    other.fit(X, y, X_val=X_val, y_val=y_val)
    assert one.validation_scores_ == other.validation_scores_


@pytest.mark.parametrize("n_labels", [2, 4])
def test_multilabel(n_labels):
    X, _ = data(MLPClassifier)
    y = (X[:, :n_labels] > np.arange(n_labels)).astype(int)
    estimator = MLPClassifier(monitor="accuracy", **ROUGH)
    estimator.fit(X, y, X_val=X, y_val=y)
    best = accuracy_score(y, estimator.predict(X))
    assert best == pytest.approx(max(estimator.validation_scores_))


def test_validation_rows_may_lack_a_class():
    X, y, X_val, y_val = split(MLPClassifier, n_classes=3)
    rows = {"X_val": X_val[y_val < 2], "y_val": y_val[y_val < 2]}
    estimator = MLPClassifier(**ROUGH).fit(X, y, **rows)
    proba = estimator.predict_proba(rows["X_val"])
    expected = -log_loss(rows["y_val"], proba, labels=[0, 1, 2])
    assert estimator.best_validation_score_ == pytest.approx(expected, rel=1e-9)


def test_the_class_weights_enter_the_validation_loss():
    """Class weights enter every mean, as those of the rows do."""
    kind = MLPClassifier
    X, y, X_val, y_val = split(kind)
    weights = {0: 1.0, 1: 4.0}
    one = kind(class_weight=weights, **ROUGH).fit(X, y, X_val=X_val, y_val=y_val)
    of_row = np.where(y == 1, 4.0, 1.0)
    rows = {"X_val": X_val, "y_val": y_val}
    rows["sample_weight_val"] = np.where(y_val == 1, 4.0, 1.0)
    other = kind(**ROUGH).fit(X, y, of_row, **rows)
    assert one.validation_scores_ == other.validation_scores_
