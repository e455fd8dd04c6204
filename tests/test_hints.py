"""What messages advise can be done, and then works."""

import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _estimators import ESTIMATORS, data
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Checkpoint, EarlyStopping, LRScheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skreg import (
    MLPClassifier,
    MLPClassifierCV,
    MLPRegressor,
    MLPRegressorCV,
    prune,
    regularization_path,
)
from skreg.model_selection.race import Race

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
TUNING = {"n_candidates": 2, "cv": 2, "random_state": 0}
NETWORK = MLPClassifier(**SMALL)


@pytest.mark.parametrize(
    "estimator",
    [
        GridSearchCV(NETWORK, {"l2": [0.0, 0.1]}, cv=2),
        MLPClassifierCV(NETWORK, **TUNING),
        OneVsRestClassifier(NETWORK),
        CalibratedClassifierCV(NETWORK, cv=2),
        LogisticRegression(),
        make_pipeline(StandardScaler(), GridSearchCV(NETWORK, {"l2": [0.0]}, cv=2)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize("is_fitted", [True, False])
def test_what_to_prune_instead(estimator, is_fitted):
    X, y = data(MLPClassifier)
    estimator = clone(estimator)
    if is_fitted:
        estimator.fit(X, y)
    with pytest.raises(TypeError, match="must be a fitted skreg network") as caught:
        prune(estimator, 0.5)
    advised = re.search(r"its (\w+)( one by one)?\.$", str(caught.value))
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    if advised is None:
        assert not any(
            hasattr(last, name) for name in ("best_estimator_", "estimators_")
        )
        return
    inner = getattr(last, advised[1])
    for network in inner if advised[2] else [inner]:
        assert prune(network, 0.5).sparsity_ >= 0.5


def test_what_to_prune_in_a_transformed_target_regressor():
    X, y = data(MLPRegressor)
    estimator = TransformedTargetRegressor(MLPRegressor(**SMALL)).fit(X, y)
    with pytest.raises(TypeError, match=r"Pass its regressor_\.$"):
        prune(estimator, 0.5)
    assert prune(estimator.regressor_, 0.5).sparsity_ >= 0.5


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping(),
        Checkpoint(f_params=None, f_optimizer=None, f_criterion=None, f_history=None),
        LRScheduler(ReduceLROnPlateau, monitor="valid_loss"),
    ],
    ids=lambda callback: type(callback).__name__,
)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_callbacks_that_need_validation_rows(kind, callback):
    X, y = data(kind)
    estimator = kind(callbacks=[callback], **SMALL)
    match = r"needs 'valid_loss(_best)?', .*Watch 'train_loss(_best)?'.* X_val .*early_"
    with pytest.raises(ValueError, match=match):
        estimator.fit(X, y)
    estimator.fit(X, y, X_val=X[:9], y_val=y[:9])
    estimator.set_params(early_stopping=True).fit(X, y)


def test_callbacks_of_networks_that_are_trained_again_on_all_rows(monkeypatch):
    """Before the search is lost, and a way on for each method."""
    X, y = data(MLPClassifier)
    net = MLPClassifier(callbacks=[("stop", EarlyStopping())], **SMALL)
    search = MLPClassifierCV(net, n_candidates=2, cv=2, refit=True)
    with monkeypatch.context() as patched, pytest.raises(ValueError) as caught:
        patched.setattr(Race, "advance", None)
        search.fit(X, y)
    assert re.search("EarlyStopping .*'valid_loss'.*refit='folds'", str(caught.value))
    search.set_params(refit="folds").fit(X, y)
    net.set_params(callbacks=[EarlyStopping(monitor="train_loss")])
    search.set_params(estimator=net, refit=True).fit(X, y)
    net.partial_fit(X, y)


def test_callbacks_that_fail_in_a_path():
    X, y = data(MLPClassifier)
    net = MLPClassifier(callbacks=[EarlyStopping()], **SMALL)
    with pytest.raises(ValueError, match="needs 'valid_loss'"):
        regularization_path(net, X, y, n=2, cv=2)


@pytest.mark.parametrize("key", ["valid_acc", "accuracy"])
def test_callbacks_that_need_another_score(key):
    X, y = data(MLPClassifier)
    callback = EarlyStopping(monitor=key)
    net = MLPClassifier(callbacks=[callback], early_stopping=True, **SMALL)
    with pytest.raises(ValueError, match=rf"needs '{key}', .*use monitor= with early_"):
        net.fit(X, y)
    net.set_params(callbacks=None, monitor="accuracy").fit(X, y)


def test_other_errors_of_callbacks_are_their_own():
    class Broken(EarlyStopping):
        def on_epoch_end(self, net, **kwargs):
            raise KeyError("mine")

    X, y = data(MLPClassifier)
    with pytest.raises(KeyError, match="mine"):
        MLPClassifier(callbacks=[Broken()], **SMALL).fit(X, y)


@pytest.mark.parametrize("kind", [*ESTIMATORS, MLPClassifierCV, MLPRegressorCV])
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_words_among_numbers(frame, kind):
    ages = np.arange(20.0)
    X, y = frame({"age": ages, "size": ages}), np.arange(20) % 2
    estimator = kind(**TUNING if kind.__name__.endswith("CV") else SMALL)
    estimator.fit(X, y)
    match = "numbers in column 'size', got the word 'big'.*categorical_features"
    with pytest.raises(ValueError, match=match):
        estimator.predict(frame({"age": ages, "size": ["big"] * 20}))


@pytest.mark.parametrize(
    "X, y",
    [
        ([[np.inf], [1.0]], [0, 1]),
        ([[0.0], [1.0]], [1, 1]),
        ([[0.0], [1.0]], [[0, 1, 2], [2, 1, 0]]),
        (np.zeros((2, 0)), [0, 1]),
        ([[0.0], [1.0]], [0.5, 0.7]),
        ([[0.0]], [0, 1]),
    ],
)
def test_an_error_names_the_estimator_of_the_user(X, y):
    with pytest.raises(ValueError) as caught:
        MLPClassifierCV(**TUNING).fit(X, y)
    assert not re.search(r"\bMLPClassifier\b", str(caught.value))


class Sampler(BaseEstimator):
    """A step that only resamples rows, as those of imbalanced-learn."""

    def fit_resample(self, X, y):
        return np.vstack([X, X[y == 1]]), np.concatenate([y, y[y == 1]])


class SamplingPipeline(Pipeline):
    """A pipeline whose samplers act in `fit` alone, as imbalanced-learn's."""

    def fit(self, X, y):
        X_inner = self.steps[0][1].fit_transform(X)
        X_inner, y = self.steps[1][1].fit_resample(X_inner, y)
        self.steps[-1][1].fit(X_inner, y)
        return self


@pytest.mark.parametrize("structured", [False, True])
def test_fine_tuning_after_samplers(structured):
    X, y = data(MLPClassifier, n_classes=2)
    steps = [("scale", StandardScaler()), ("sample", Sampler()), ("net", NETWORK)]
    pipeline = SamplingPipeline(steps).fit(X, y)
    pruned = prune(pipeline, 0.5, X, y, structured=structured, finetune_epochs=2)
    expected = prune(
        pipeline.steps[-1][1],
        0.5,
        pipeline.steps[0][1].transform(X),
        y,
        structured=structured,
        finetune_epochs=2,
    )
    np.testing.assert_array_equal(pruned[-1].coefs_[0], expected.coefs_[0])
    assert pruned[-1].sparsity_ >= 0.5


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("sizes", [(), (8,)])
@pytest.mark.parametrize("standardize", [True, False])
def test_how_a_solver_that_stopped_can_reach_the_optimum(
    standardize, sizes, activation
):
    """Only what is not so already is advised."""
    X, y = data(MLPClassifier)
    parameters = {"activation": activation, "standardize": standardize}
    net = MLPClassifier(sizes, solver="lbfgs", max_iter=2, l2=1e-2, **parameters)
    with pytest.warns(ConvergenceWarning, match=r"Increase max_iter \(got 2\)") as seen:
        net.fit(X, y)
    message = str(seen[0].message)
    assert ("set standardize=True" in message) == (not standardize)
    assert ("smooth activation" in message) == (activation == "relu" and sizes == (8,))
    better = {"max_iter": 5000, "standardize": True, "activation": "tanh"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.set_params(**better).fit(X, y)
