"""Continued fits: partial_fit and warm_start."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from _estimators import ALL_CONFIGURATIONS, ESTIMATORS, STEADY, data, make
from _numeric import unpolished

from skreg import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Full batches in their order, so that a call of partial_fit is an epoch of a fit.
STEPS = STEADY | {"hidden_layer_sizes": (8,), "batch_size": 1000, "shuffle": False}
STEPS |= {"random_state": 0, "tol": 0}
STEPPING = {
    "adam": {},
    "sgd": {"solver": "sgd"},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "plain_sgd": {"solver": "sgd", "momentum": 0},
    "batchnorm": {"batchnorm": True},
    "l1": {"l1": 1e-3},
    "group_l1": {"group_l1": 1e-2},
    "positive": {"positive": True, "l1": 1e-3},
    "weight_decay": {"weight_decay": 0.1, "l2": 1e-3, "max_norm": 1, "clip_norm": 0.1},
    "linear": {"hidden_layer_sizes": ()},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
}


def bits(estimator):
    return b"".join(array.tobytes() for array in estimator._fits[0].state)


@pytest.mark.parametrize("configuration", STEPPING)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_calls_are_the_epochs_of_a_fit(kind, configuration):
    """Bit for bit, the optimiser's moments and step counts included."""
    X, y = data(kind)
    settings = STEPS | STEPPING[configuration]
    with unpolished():
        fit = kind(**settings | {"max_iter": 7}).fit(X, y)
    calls = kind(**settings)
    for _ in range(7):
        calls.partial_fit(X, y)
    assert calls.loss_curve_ == fit.loss_curve_
    assert bits(calls) == bits(fit)
    assert (calls.t_, calls.n_iter_) == (7 * len(y), 1)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_chunks_are_the_batches_of_a_fit(kind, solver):
    """An epoch over chunks takes the steps of a fit in batches of their size."""
    X, y = data(kind)
    # As chunks cannot know the mean of all rows, there is nothing to standardise.
    y = y / 100 if kind is MLPRegressor else y
    settings = STEPS | {"solver": solver, "standardize": False}
    fit = kind(**settings | {"batch_size": 20, "max_iter": 3}).fit(X, y)
    chunks = kind(**settings)
    for _ in range(3):
        for start in range(0, 60, 20):
            rows = slice(start, start + 20)
            if kind is MLPClassifier:
                chunks.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
            else:
                chunks.partial_fit(X[rows], y[rows])
    np.testing.assert_allclose(chunks.coefs_[0], fit.coefs_[0], rtol=1e-12)
    assert chunks.t_ == fit.t_ == 180


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_first_call_decides_on_the_standardising(kind):
    X, y = data(kind)
    estimator = kind().partial_fit(X, y)
    offset, scale = estimator.feature_offset_, estimator.feature_scale_
    np.testing.assert_allclose(offset, X.mean(0), rtol=1e-12)
    estimator.partial_fit(100 * X, y)
    np.testing.assert_array_equal(estimator.feature_offset_, offset)
    np.testing.assert_array_equal(estimator.feature_scale_, scale)


def test_classes_of_the_first_call():
    X, y = data(MLPClassifier)
    estimator = MLPClassifier(random_state=0)
    estimator.partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert estimator.classes_.tolist() == [0, 1, 2]
    assert estimator.predict_proba(X).shape == (60, 3)
    for _ in range(200):
        estimator.partial_fit(X[y > 0], y[y > 0])
    assert estimator.score(X[y > 0], y[y > 0]) > 0.8
    # One class in a call is no reason to refuse it.
    estimator.partial_fit(X[y == 2], y[y == 2], classes=[2, 1, 0])


def test_one_class_in_the_first_call_needs_classes():
    X, _ = data(MLPClassifier)
    with pytest.raises(ValueError, match="one class"):
        MLPClassifier().partial_fit(X, np.zeros(60))
    estimator = MLPClassifier().partial_fit(X, np.zeros(60), classes=[0, 1])
    assert estimator.predict_proba(X).shape == (60, 2)


@pytest.mark.parametrize("classes", [None, [0, 1, 2]])
def test_multilabel(classes):
    X, _ = data(MLPClassifier)
    y = (X[:, :3] > 1).astype(int)
    estimator = MLPClassifier(random_state=0, learning_rate_init=0.01)
    for _ in range(100):
        estimator.partial_fit(X, y, classes=classes)
    assert estimator.out_activation_ == "logistic"
    assert estimator.score(X, y) > 0.8


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_weights(kind):
    X, y = data(kind)
    weight = np.resize([0, 1, 2], 60)
    one, other = kind(**STEPS), kind(**STEPS)
    for _ in range(3):
        one.partial_fit(X, y, sample_weight=weight)
        other.partial_fit(X.repeat(weight, 0), y.repeat(weight))
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-9)


@pytest.mark.parametrize("configuration", ["dropout", "noise", "small_batches"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_calls_do_not_repeat_their_draws(kind, configuration):
    """Each epoch has its own masks and order, whichever call it is in."""
    X, y = data(kind)
    settings = {"random_state": 0, "learning_rate_init": 0.0001, "batch_size": 7}
    one = make(kind, configuration, **settings).partial_fit(X, y)
    first = one.coefs_[0].copy()
    estimator = pickle.loads(pickle.dumps(one))
    estimator.partial_fit(X, y)
    again = pickle.loads(pickle.dumps(one))
    # As it would be if draws were repeated.
    again._fits = [replace(again._fits[0], epochs_seen=0)]
    again.partial_fit(X, y)
    assert not np.array_equal(first, estimator.coefs_[0])
    assert not np.array_equal(again.coefs_[0], estimator.coefs_[0])


@pytest.mark.parametrize(
    "configuration",
    [
        name
        for name in ALL_CONFIGURATIONS
        if hasattr(make(ESTIMATORS[0], name), "partial_fit")
    ],
)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_pickled_half_way(kind, configuration):
    X, y = data(kind)
    estimator = make(kind, configuration, random_state=0)
    for _ in range(3):
        estimator.partial_fit(X, y)
    copy = pickle.loads(pickle.dumps(estimator))
    for _ in range(3):
        estimator.partial_fit(X, y)
        copy.partial_fit(X, y)
    assert bits(estimator) == bits(copy)
    assert estimator.loss_curve_ == copy.loss_curve_


@pytest.mark.parametrize("way", ["partial_fit", "fit"])
@pytest.mark.parametrize("random_state", [None, "instance"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_continuation_draws_from_the_seed_of_its_beginning(kind, random_state, way):
    X, y = data(kind)
    if random_state == "instance":
        random_state = np.random.RandomState(3)
    settings = {"dropout": 0.5, "warm_start": True, "max_iter": 2, "batch_size": 16}
    one = kind(random_state=random_state, **settings).partial_fit(X, y)
    same, other = (pickle.loads(pickle.dumps(one)) for _ in range(2))
    getattr(one, way)(X, y)
    getattr(same, way)(X, y)
    (fit,) = other._fits
    other._fits = [replace(fit, seed=fit.seed + 1)]
    getattr(other, way)(X, y)
    assert bits(one) == bits(same) != bits(other)


@pytest.mark.parametrize(
    "change",
    [
        {"solver": "sgd"},
        {"dtype": "float32"},
        {"learning_rate_init": 0.1},
        {"group_l1": 0.1},
        {"l1": 0.1, "dropout": 0.5, "mixup": 0.5},
        {"batch_size": 7, "shuffle": False},
        {"learning_rate": "invscaling"},
    ],
)
@pytest.mark.parametrize("way", ["partial_fit", "fit"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_parameters_may_change_half_way(kind, way, change):
    X, y = data(kind)
    base = kind(random_state=0, warm_start=True, max_iter=3)
    base.partial_fit(X, y)
    one, other = (pickle.loads(pickle.dumps(base)) for _ in range(2))
    getattr(one, way)(X, y)
    getattr(other.set_params(**change), way)(X, y)
    assert not np.array_equal(one.coefs_[0], other.coefs_[0])
    assert np.isfinite(other.predict(X)).all()
    assert other.coefs_[0].dtype == change.get("dtype", "float64")


@pytest.mark.parametrize("dtypes", [("float64", "float32"), ("float32", "float64")])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_dtype_of_the_data_may_change_half_way(kind, dtypes):
    """To rounding, the same numbers in another precision are the same chunk."""
    X, y = data(kind)
    one, other = (kind(**STEPS).partial_fit(X.astype(dtypes[0]), y) for _ in range(2))
    one.partial_fit(X.astype(dtypes[0]), y)
    other.partial_fit(X.astype(dtypes[1]), y)
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], atol=1e-5)


@pytest.mark.parametrize("configuration", ALL_CONFIGURATIONS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_warm_start_goes_on(kind, configuration):
    """From the last weights and standardising, with curves joined together."""
    X, y = data(kind)
    settings = {"random_state": 0, "warm_start": True, "max_iter": 4, "tol": 0}
    estimator = make(kind, configuration, **settings).fit(X, y)
    curve, weights = estimator.loss_curve_, bits(estimator)
    offset, n_seen = estimator.feature_offset_, estimator.t_
    n_first = estimator.n_iter_
    estimator.fit(X + 1, y)
    assert bits(estimator) != weights
    assert estimator.loss_curve_[: len(curve)] == curve
    assert len(estimator.loss_curve_) == n_first + estimator.n_iter_
    assert estimator.t_ == n_seen / n_first * len(estimator.loss_curve_)
    if offset is not None:
        np.testing.assert_array_equal(estimator.feature_offset_, offset)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_warm_start_from_a_minimum_stays_there(kind):
    """A convex fit that has converged has nothing left to do."""
    X, y = data(kind)
    settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "l2": 0.1, "tol": 1e-9}
    estimator = kind(**settings, warm_start=True).fit(X, y)
    coef = estimator.coef_.copy()
    estimator.fit(X, y)
    assert estimator.n_iter_ <= 2
    np.testing.assert_allclose(estimator.coef_, coef, rtol=1e-6)


def everything(estimator):
    """Return the content of an estimator as bytes that do not depend on identities."""
    state = pickle.loads(pickle.dumps(estimator)).__getstate__()
    return {name: pickle.dumps(value) for name, value in state.items()}


def diverging(estimator, X, y):
    estimator.set_params(learning_rate_init=1e200, solver="sgd")
    with pytest.raises(ValueError, match="diverged"):
        for _ in range(5):
            estimator.partial_fit(X, y)


def other_labels(estimator, X, y):
    with pytest.raises(ValueError, match=r"not among the classes|Input y contains"):
        broken = np.full(60, 9) if isinstance(estimator, MLPClassifier) else y * np.nan
        estimator.partial_fit(X, broken)


def other_layers(estimator, X, y):
    with pytest.raises(ValueError, match="The layers changed"):
        estimator.set_params(hidden_layer_sizes=(3, 3)).partial_fit(X, y)


def other_width(estimator, X, y):
    with pytest.raises(ValueError, match="X has 2 features"):
        estimator.partial_fit(X[:, :2], y)


def a_negative_strength(estimator, X, y):
    """scikit-learn itself checks the parameters in the first call only."""
    with pytest.raises(ValueError, match=r"The 'l2' parameter .* Got -1 instead"):
        estimator.set_params(l2=-1).partial_fit(X, y)


def a_bad_strength(estimator, X, y):
    with pytest.raises(ValueError, match="one number or a sequence of 2"):
        estimator.set_params(l1=[1, 2, 3]).partial_fit(X, y)


def a_callback_that_raises(estimator, X, y):
    from skorch.callbacks import Callback

    class Broken(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("of the user's making")

    with pytest.raises(RuntimeError, match="of the user's making"):
        estimator.set_params(callbacks=[Broken()]).partial_fit(X, y)


@pytest.mark.parametrize(
    "fail",
    [
        other_labels,
        other_layers,
        other_width,
        a_negative_strength,
        a_bad_strength,
        a_callback_that_raises,
    ],
)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_failed_continuation_leaves_the_estimator_as_it_was(kind, fail):
    X, y = data(kind)
    estimator = kind(random_state=0, batchnorm=True).partial_fit(X, y)
    params = estimator.get_params()
    untouched = pickle.loads(pickle.dumps(estimator))
    fail(estimator, X, y)
    estimator.set_params(**params)
    assert bits(estimator) == bits(untouched)
    assert everything(estimator) == everything(untouched)
    estimator.partial_fit(X, y)
    assert bits(estimator) == bits(untouched.partial_fit(X, y))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_diverging_continuation_leaves_finite_weights(kind):
    X, y = data(kind)
    estimator = kind(random_state=0).partial_fit(X, y)
    diverging(estimator, X, y)
    assert all(np.isfinite(array).all() for array in estimator._fits[0].state)
