"""Any data and any parameters give a fit that predicts, or an intended error."""

import traceback
from inspect import signature

import numpy as np
import pytest
import scipy.sparse as sp
from _device_fits import assert_as_on_cpu
from _devices import devices
from _engines import with_torch
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import RegressorMixin

from skreg import (
    CNNClassifier,
    CNNRegressor,
    ImageAugmenter,
    MLPClassifier,
    MLPRegressor,
    TableAugmenter,
)

# Few epochs on purpose; and odd data make numpy, scipy and scikit-learn warn.
pytestmark = pytest.mark.filterwarnings("ignore")

SCALES = st.sampled_from([1.0, 1e-30, 1e-8, 1e4, 1e15, 1e30])


def often(value, others):
    """Return the usual value in about half of the draws, so that most fits succeed."""
    return st.one_of(st.just(value), others)


def strength(high=1.0):
    return often(0.0, st.floats(0, high) | st.sampled_from([0, 1e-300, 1e6]))


def share(below=1.0):
    return often(0.0, st.floats(0, below, exclude_max=True))


def per_layer(values):
    return values | st.lists(values, max_size=4)


COMMON = {
    "hidden_layer_sizes": st.sampled_from([(), (1,), (5,), 4, [3, 2], (6, 1, 3)]),
    "activation": st.sampled_from(
        "identity relu tanh logistic elu selu gelu silu mish leaky_relu".split()
    ),
    "l1": per_layer(strength()),
    "l2": per_layer(strength()),
    "group_l1": strength(),
    "feature_groups": st.sampled_from([None, None, [[0]], [[0, 2]], [0, 1, 0, 1]]),
    "categorical_features": st.sampled_from(["from_dtype", None]),
    "feature_penalties": st.sampled_from(
        [None, None, {0: 0}, {0: np.inf}, {0: 1e9, 1: 0.5}, [1, 0, 2], np.ones(4)]
    ),
    "weight_decay": strength(),
    "max_norm": often(None, st.floats(1e-6, 1e6)),
    "positive": often(False, st.booleans()),
    "dropout": per_layer(share()),
    "input_dropout": share(),
    "input_noise": strength(3),
    "batchnorm": st.sampled_from([False, True, "before", "after"]),
    "mixup": strength(10),
    "skip": st.sampled_from([None, None, "linear", "residual"]),
    "skip_l1": often(None, strength()),
    "skip_l2": often(None, strength()),
    "stochastic_depth": often(0.0, share()),
    "cutmix": strength(10),
    "cutout": share(),
    "adversarial": strength(3),
    "augment": often(
        None,
        st.sampled_from(
            [
                TableAugmenter(mixup=0.3),
                ImageAugmenter(image_shape=(2, 2), zoom_range=0.5, fill_mode="wrap"),
                lambda X, rng: rng.permutation(X),
            ]
        ),
    ),
    "pruning": share(),
    "numeric_embedding": st.sampled_from([None, None, "piecewise_linear", "periodic"]),
    "embedding_size": st.integers(1, 5),
    "embedding_scale": st.floats(1e-3, 10),
    "init": st.sampled_from(["glorot", "scaled"]),
    "n_estimators": often(1, st.integers(1, 4)),
    "ensemble": st.sampled_from(["independent", "shared"]),
    "bootstrap": often(False, st.booleans()),
    "max_samples": often(1.0, st.floats(0.01, 1) | st.integers(1, 70)),
    "early_stopping": st.booleans(),
    "validation_fraction": st.none() | st.floats(0.01, 0.99),
    "n_iter_no_change": st.integers(1, 10),
    "tol": st.sampled_from([0, 1e-4, 10]),
    "restore_best_weights": st.booleans(),
    "solver": st.sampled_from(["adam", "adam", "sgd", "lbfgs"]),
    "learning_rate": st.sampled_from(
        "constant invscaling adaptive cosine onecycle flat_cosine".split()
    ),
    "learning_rate_init": often(0.01, st.floats(1e-8, 1e3)),
    "swa_fraction": share(),
    "ema_decay": share(),
    "n_snapshots": often(1, st.integers(1, 4)),
    "batch_size": often("auto", st.integers(1, 70)),
    "max_iter": st.sampled_from([1, 2, 3, 4, 5, 6, "auto"]),
    "shuffle": st.booleans(),
    "momentum": st.floats(0, 1, exclude_max=True),
    "nesterovs_momentum": st.booleans(),
    "beta_1": st.floats(0, 1, exclude_max=True),
    "beta_2": st.floats(0, 1, exclude_max=True),
    "epsilon": often(1e-8, st.floats(1e-12, 10)),
    "clip_norm": often(None, st.floats(1e-6, 1e6)),
    "fit_intercept": often(True, st.booleans()),
    "standardize": often(True, st.sampled_from([False, True, "robust"])),
    "warm_start": st.booleans(),
    "random_state": st.integers(0, 2**32 - 1),
    "device": st.just("cpu"),
    "dtype": st.sampled_from([None, "float32", "float64"]),
    "callbacks": st.none(),
    "verbose": st.just(False),
}
OF_KIND = {
    MLPClassifier: {
        "label_smoothing": share(),
        "class_weight": st.sampled_from([None, None, "balanced", {0: 3.0}, {9: 1}]),
        "monitor": st.sampled_from(["loss", "accuracy", "roc_auc", "r2", "f1_macro"]),
    },
    MLPRegressor: {
        "loss": st.sampled_from(
            ["squared_error", "absolute_error", "huber", "poisson", "quantile"]
        ),
        "quantile": st.floats(0, 1, exclude_min=True, exclude_max=True)
        | st.sampled_from([[0.5], (0.1, 0.9), [0.05, 0.5, 0.95]]),
        "monitor": st.sampled_from(["loss", "r2", "neg_mean_absolute_error"]),
    },
}
# Convolutions have these for embeddings.
OF_TABLES = ("numeric_embedding", "embedding_size", "embedding_scale", "ensemble")
OF_TABLES += ("categorical_features", "feature_groups", "feature_penalties")
OF_IMAGES = {
    "channels": st.sampled_from([(), (3,), 2, [2, 2], (3, 1, 2)]),
    "image_shape": st.sampled_from([None, None, (1, 6), (2, 2, 1), (2, 1, 2)]),
    "data_format": st.sampled_from(["channels_last", "channels_first"]),
    "kernel_size": st.sampled_from([1, 2, 3, 3, (3, 2)]),
    "pool": st.sampled_from([1, 2, 2, 3, (1, 2)]),
}


def table_of(kind):
    """Return the possible values of each parameter of a kind."""
    if kind in OF_KIND:
        return COMMON | OF_KIND[kind]
    dense = {CNNClassifier: MLPClassifier, CNNRegressor: MLPRegressor}[kind]
    table = COMMON | OF_KIND[dense] | OF_IMAGES
    return {name: values for name, values in table.items() if name not in OF_TABLES}


@st.composite
def inputs(draw):
    """Draw inputs: few rows, constant and duplicated columns, odd scales, sparse."""
    n_rows, n_features = draw(st.integers(1, 60)), draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    X = rng.normal(size=(n_rows, n_features)) * draw(SCALES) + draw(
        st.sampled_from([0, 0, 1, 1e8])
    )
    odd = draw(
        st.sampled_from(["", "", "constant", "zero", "scale", "rows", "strings"])
    )
    if odd == "constant":
        X[:, 0] = draw(st.sampled_from([1.0, 1e30, 0.1]))
    elif odd == "zero":
        X[:] = 0
    elif odd == "scale":
        X[:, -1] *= draw(SCALES)
    elif odd == "rows":
        X[:] = X[0]
    elif odd == "strings":
        return X.astype(str)
    dtype = draw(st.sampled_from(["float64", "float64", "float32", "int64"]))
    if dtype == "int64":
        X = np.clip(X, -(2.0**62), 2.0**62)
    X = X.astype(dtype)
    return sp.csr_array(X) if draw(st.booleans()) else X


def targets(draw, kind, n_rows):
    """Draw labels or numbers of any sort."""
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    if issubclass(kind, RegressorMixin):
        n_outputs = draw(st.sampled_from([(), (), (1,), (3,)]))
        y = rng.normal(size=(n_rows, *n_outputs)) * draw(SCALES)
        y = y.round() if draw(st.booleans()) else y
        return np.abs(y) if draw(st.booleans()) else y
    y = rng.integers(0, draw(st.integers(1, 5)), n_rows)
    sort = draw(st.sampled_from(["int", "int", "str", "float", "multilabel"]))
    if sort == "multilabel":
        return rng.integers(0, 2, (n_rows, draw(st.integers(1, 4))))
    return y.astype(sort)


def weights(draw, n_rows):
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    some = rng.integers(0, 4, n_rows).astype(float)
    return draw(
        st.sampled_from([None, None, some, some + 1, some * 1e30, np.zeros(n_rows)])
    )


def innermost_file(error):
    return traceback.extract_tb(error.__traceback__)[-1].filename


def on_purpose(error):
    """Return whether an error was raised on purpose, for the user to read."""
    if not isinstance(error, (ValueError, TypeError)):
        return False
    file = innermost_file(error).replace("\\", "/")
    return "/torch/" not in file and ("/sklearn/" in file or "/skreg/" in file)


def check_values(estimator, X):
    """Check that all predictions are valid."""
    prediction = estimator.predict(X)
    assert len(prediction) == X.shape[0]
    if isinstance(estimator, RegressorMixin):
        assert np.isfinite(prediction).all()
        return
    proba = estimator.predict_proba(X)
    assert np.isfinite(proba).all()
    assert proba.min() >= 0
    assert proba.max() <= 1
    assert np.isfinite(estimator.decision_function(X)).all()


@st.composite
def cases(draw, kind):
    names = signature(kind).parameters
    table = table_of(kind)
    assert table.keys() == names.keys()
    # A few parameters at a time, or hardly any combination would be allowed.
    changed = draw(st.sets(st.sampled_from(sorted(names)), max_size=8))
    parameters = {name: draw(table[name]) for name in sorted(changed)}
    parameters.setdefault("max_iter", 4)
    X = draw(inputs())
    return X, targets(draw, kind, X.shape[0]), weights(draw, X.shape[0]), parameters


def run(kind, case):
    X, y, weight, parameters = case
    estimator = kind(**parameters)
    try:
        estimator.fit(X, y, weight)
    except Exception as error:
        assert on_purpose(error), "".join(traceback.format_exception(error))
        assume(False)  # counts as no example: those asked for are fits that succeed
    check_values(estimator, X)
    if hasattr(estimator, "partial_fit"):
        try:
            estimator.partial_fit(X, y, sample_weight=weight)
        except Exception as error:
            assert on_purpose(error), "".join(traceback.format_exception(error))
        check_values(estimator, X)


@given(case=cases(MLPClassifier))
def test_classifier(case):
    run(MLPClassifier, case)


@given(case=cases(MLPRegressor))
def test_regressor(case):
    run(MLPRegressor, case)


@given(case=cases(CNNClassifier))
def test_convolutional_classifier(case):
    run(CNNClassifier, case)


@given(case=cases(CNNRegressor))
def test_convolutional_regressor(case):
    run(CNNRegressor, case)


@st.composite
def any_cases(draw):
    kind = draw(st.sampled_from([*OF_KIND, CNNClassifier, CNNRegressor]))
    return kind, draw(cases(kind))


@given(any_cases())
def test_a_device_finds_what_the_cpu_finds(drawn):
    kind, (X, y, weight, parameters) = drawn
    parameters = {"random_state": 0} | parameters | {"device": "cpu"}
    try:
        estimator = kind(**parameters).fit(X, y, weight)
    except Exception:
        assume(False)  # the tests above look at it
    parameters["dtype"] = estimator.coefs_[0].dtype.name
    with devices(), with_torch():
        assert_as_on_cpu(
            lambda device: kind(**parameters | {"device": device}),
            X,
            y,
            lambda estimator, X, y: estimator.fit(X, y, weight),
        )


def test_an_accident_is_told_from_an_error_on_purpose():
    """Else the tests above could not fail."""
    import torch

    with pytest.raises(RuntimeError) as accident:
        torch.ones(2) @ torch.ones(3)
    assert not on_purpose(accident.value)
    with pytest.raises(ValueError) as inside:
        torch.nn.functional.dropout(torch.ones(2), p=2)
    assert not on_purpose(inside.value)
    with pytest.raises(ValueError) as purpose:
        MLPClassifier(l1=-1).fit([[1.0], [2.0]], [0, 1])
    assert on_purpose(purpose.value)
