"""Whole fits by the library are those by torch, for every setting that it covers."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from _engines import CLOSE, builds, with_engine, with_torch
from _estimators import ESTIMATORS, data
from _fits import assert_close, assert_same_fit, trained_by, trained_by_torch
from _numeric import request_of

from skreg import MLPClassifier, MLPRegressor
from skreg.compiled.structures import ACTIVATIONS
from skreg.estimators import inference
from skreg.losses.kinds import REGRESSION_LOSSES
from skreg.training.train import train

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SETTINGS = {
    "plain": {},
    "two hidden layers": {"hidden_layer_sizes": (9, 17)},
    "linear": {"hidden_layer_sizes": ()},
    "one batch": {"batch_size": 1000},
    "batches of one": {"batch_size": 1, "max_iter": 3},
    "in order": {"shuffle": False},
    "as they are": {"standardize": False},
    "robust": {"standardize": "robust"},
    "dropout": {"dropout": 0.3},
    "dropout by layers": {"hidden_layer_sizes": (9, 5), "dropout": [0.0, 0.4]},
    "input dropout": {"input_dropout": 0.2},
    "input noise": {"input_noise": 0.3},
    "label smoothing": {"label_smoothing": 0.1},
    "l1": {"l1": 0.01},
    "l2": {"l2": 0.01},
    "elastic net": {"l1": [0.01, 0.001], "l2": [0.0, 0.1]},
    "group lasso": {"group_l1": 0.02},
    "sparse groups": {"group_l1": 0.02, "l1": 0.01, "l2": 0.01},
    "max norm": {"max_norm": 0.7},
    "positive": {"positive": True},
    "weight decay": {"weight_decay": 0.1},
    "clipping": {"clip_norm": 0.05, "l2": 0.01},
    "everything": {
        "dropout": 0.2,
        "input_noise": 0.1,
        "l1": 0.001,
        "l2": 0.001,
        "group_l1": 0.01,
        "max_norm": 1.0,
        "weight_decay": 0.01,
        "clip_norm": 1.0,
    },
    "batchnorm": {"batchnorm": True},
    # With some other seeds, a unit is active in few rows, and normalisation magnifies
    # rounding; or in all, and Adam magnifies that of its bias, which does not count.
    "batchnorm after": {"batchnorm": "after", "dropout": 0.2, "random_state": 9},
    "batchnorm, two layers": {"batchnorm": True, "hidden_layer_sizes": (6, 5)},
    "moving averages": {"ema_decay": 0.9},
    "averages of batchnorm": {"ema_decay": 0.9, "batchnorm": True},
    "averages of epochs": {"swa_fraction": 0.5},
    "pruning": {"pruning": 0.5},
    "linear skip": {"skip": "linear", "skip_l1": 0.01, "skip_l2": 0.1},
    "groups of a skip": {"skip": "linear", "group_l1": 0.02},
    "bins": {"numeric_embedding": "piecewise_linear"},
    "bins and a skip": {"numeric_embedding": "piecewise_linear", "skip": "linear"},
    "groups of bins": {"numeric_embedding": "piecewise_linear", "group_l1": 0.02},
    "no intercept": {"fit_intercept": False},
    "schedule": {"learning_rate": "cosine"},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3},
    "snapshots": {"n_snapshots": 2, "learning_rate": "cosine"},
}
COMMON = {
    "hidden_layer_sizes": (9,),
    "max_iter": 20,
    "batch_size": 16,
    "learning_rate": "constant",
    "learning_rate_init": 0.01,
    "random_state": 0,
}


def compare(kind, X, y, settings, build=None, dtype="float64", **fit_params):
    """Assert that a fit of the library is that of torch."""

    def fit():
        return kind(**COMMON | settings).fit(X.astype(dtype), y, **fit_params)

    found = trained_by(build or builds()[-1], fit)
    assert_same_fit(found, trained_by_torch(fit))
    return found


CASES = [
    (kind, name)
    for kind in ESTIMATORS
    for name in SETTINGS
    if (kind, name) != (MLPRegressor, "label smoothing")
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind, name", CASES)
def test_settings(kind, name, solver, dtype):
    settings = SETTINGS[name] | {"solver": solver}
    X, y = data(kind, n_samples=83)
    compare(kind, X, y, settings, dtype=dtype)


TABLES = (
    *("plain", "linear", "as they are", "robust", "no intercept", "early stopping"),
    *("input dropout", "input noise", "linear skip", "bins and a skip", "batchnorm"),
)


@pytest.mark.parametrize("build", builds())
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", TABLES)
def test_categories_and_missing_numbers(name, dtype, build):
    """Also of levels that training has not seen, in the validation rows."""
    X, y = data(MLPClassifier, n_samples=83)
    X[:, 1] = np.arange(83) % 4
    X[:, 3] = np.arange(83) % 2
    X[::5, 0] = X[::7, 4] = np.nan
    X_val, y_val = X[:20].astype(dtype), y[:20]
    X_val[:3, 1], X_val[:5, 2] = 9, np.nan
    given = {} if name == "early stopping" else {"X_val": X_val, "y_val": y_val}
    settings = SETTINGS[name] | {"categorical_features": [1, 3]}
    compare(MLPClassifier, X, y, settings, build, dtype, **given)


@pytest.mark.parametrize("build", builds())
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["everything", "two hidden layers", "batchnorm after"])
def test_builds(name, dtype, build):
    X, y = data(MLPClassifier, n_samples=83)
    compare(MLPClassifier, X, y, SETTINGS[name], build, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation, dtype):
    X, y = data(MLPClassifier, n_samples=83)
    settings = {"activation": activation, "hidden_layer_sizes": (9, 5), "dropout": 0.1}
    compare(MLPClassifier, X, y, settings, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_losses(loss, dtype):
    X, y = data(MLPRegressor, n_samples=83)
    y = np.abs(y) if loss == "poisson" else y
    compare(MLPRegressor, X, y, {"loss": loss}, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_several_quantiles(dtype):
    X, y = data(MLPRegressor, n_samples=83)
    settings = {"loss": "quantile", "quantile": [0.1, 0.3, 0.8]}
    compare(MLPRegressor, X, y, settings, dtype=dtype)


@pytest.mark.parametrize("n_classes", [2, 3, 20])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes_and_weights(n_classes, weighted):
    X, y = data(MLPClassifier, n_samples=97, n_classes=3)
    y = np.arange(97) % n_classes if n_classes == 20 else y % n_classes
    weight = np.random.default_rng(0).uniform(0, 2, 97) if weighted else None
    settings = {"class_weight": "balanced"} if n_classes == 2 else {"batchnorm": True}
    compare(MLPClassifier, X, y, settings, sample_weight=weight)


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_several_labels(class_weight):
    X, _ = data(MLPClassifier, n_samples=83)
    Y = (np.random.default_rng(0).uniform(size=(83, 5)) < 0.3).astype(int)
    settings = {"class_weight": class_weight, "batchnorm": True, "label_smoothing": 0.1}
    compare(MLPClassifier, X, Y, settings)


@pytest.mark.parametrize("n_targets", [2, 7])
def test_several_targets(n_targets):
    X, y = data(MLPRegressor, n_samples=83)
    Y = np.asfortranarray(np.outer(y, np.arange(1, n_targets + 1)) + X[:, [0]])
    compare(MLPRegressor, X, Y, {"skip": "linear"})


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_rows(index):
    X, y = data(MLPClassifier, n_samples=83)
    S = sp.csr_array(np.where(np.abs(X - X.mean(0)) > X.std(0), X, 0))
    S.indptr, S.indices = S.indptr.astype(index), S.indices.astype(index)
    compare(MLPClassifier, S, y, {"input_dropout": 0.1})


# Sizes of 1, below and above those of vectors and blocks, prime, and large.
@pytest.mark.parametrize("n_rows", [2, 33, 150])
@pytest.mark.parametrize("n_features", [1, 7, 131])
@pytest.mark.parametrize("units", [1, 17, 67])
def test_sizes(n_rows, n_features, units):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(n_rows, n_features)), rng.normal(size=(n_rows, 3))
    for batch_size in (1, 31, 150):
        settings = {"batch_size": batch_size, "hidden_layer_sizes": (units, 5)}
        compare(MLPRegressor, X, Y, settings | {"max_iter": 3, "dropout": 0.2})


def test_batches_of_many_rows():
    """More than pass through the network in one part."""
    X, y = data(MLPRegressor, n_samples=1733)
    settings = {"batch_size": 1100, "dropout": 0.2, "max_iter": 5, "input_noise": 0.1}
    compare(MLPRegressor, X, y, settings | {"hidden_layer_sizes": (9, 40)})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("build", builds())
@pytest.mark.parametrize("batchnorm", [False, True])
def test_large_sizes(batchnorm, build, dtype):
    """Several parts of a batch, and all widths of the blocks of products."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(1009, 211)), rng.normal(size=(1009, 37))
    settings = {"batch_size": 503, "hidden_layer_sizes": (257, 101), "max_iter": 2}
    settings |= {"batchnorm": batchnorm, "early_stopping": True, "input_noise": 0.1}
    # Adam would divide the rounding of small gradients by their size.
    settings |= {"solver": "sgd"}
    compare(MLPRegressor, X, Y, settings, build, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("build", builds())
@pytest.mark.parametrize("n_outputs", [1, 19])
def test_sizes_of_predictions(n_outputs, build, dtype, monkeypatch):
    # So that threads share even this work.
    monkeypatch.setattr(inference, "SHARED_PRODUCTS", 2**16)
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(4099, 7)), rng.normal(size=(4099, n_outputs))
    X = X.astype(dtype)
    network = MLPRegressor((17, 3), max_iter=1, n_estimators=2).fit(X, Y.squeeze())
    for n_rows in (1, 2, 63, 64, 65, 2049, 4099):
        with with_torch():
            expected = network.predict(X[:n_rows])
        with with_engine(build):
            found = network.predict(X[:n_rows])
        np.testing.assert_allclose(found, expected, CLOSE[dtype], CLOSE[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("build", builds())
@pytest.mark.parametrize("kind", ["classes", "labels", "counts"])
def test_what_is_predicted(kind, build, dtype):
    """Probabilities and means, also where the raw outputs are far from zero."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 7)).astype(dtype)
    labels = (X[:, :3] + rng.normal(size=(700, 3)) > 0).astype(int)
    if kind == "counts":
        network, y = MLPRegressor((17,), loss="poisson", max_iter=2), labels.sum(1)
    else:
        network = MLPClassifier((17,), max_iter=2)
        y = labels.sum(1) if kind == "classes" else labels
    network.set_params(dtype=dtype, random_state=0).fit(X, y)
    predict = network.predict if kind == "counts" else network.predict_proba
    for factor in (1, 30):
        with with_torch():
            expected = predict(factor * X)
        with with_engine(build):
            found = predict(factor * X)
        # An exponential magnifies the rounding of a raw output by its size.
        np.testing.assert_allclose(found, expected, factor * CLOSE[dtype], 1e-30)


def requests(kind, solver="adam"):
    """Return requests of one group, of several lengths and with other settings."""
    own = [
        {"l1": 0.01, "dropout": 0.3},
        {"l2": 0.1, "max_norm": 0.5},
        {"weight_decay": 0.1, "ema_decay": 0.9},
        {"pruning": 0.4, "input_noise": 0.2},
        {"early_stopping": True, "n_iter_no_change": 1, "tol": 0.1},
    ]
    found = []
    for seed, settings in enumerate(own):
        X, y = data(kind, n_samples=90 - 11 * seed, seed=seed)
        common = COMMON | {"solver": solver, "max_iter": 12 + seed}
        estimator = kind(**common | settings)
        found.append(replace(request_of(estimator, X, y), seed=seed))
    return found


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_stack_is_its_models_alone(kind, solver):
    """To the bit: a model does not see its companions, not even when they stop."""
    asked = requests(kind, solver)[:4]
    build = builds()[-1]
    stack = trained_by(build, lambda: train(asked))
    alone = trained_by(build, lambda: [train([request])[0] for request in asked])
    torch = trained_by_torch(lambda: train(asked))
    for one, same, other in zip(stack, alone, torch, strict=True):
        assert one.tracker.loss_curve == same.tracker.loss_curve
        for array, its, theirs in zip(one.state, same.state, other.state, strict=True):
            np.testing.assert_array_equal(array, its)
            assert_close(array, theirs)
