"""Every parameter changes the fit."""

from functools import cache
from inspect import signature

import numpy as np
import pytest
import torch
from _estimators import CONVOLUTIONAL, ESTIMATORS, STEADY, data
from sklearn.base import ClassifierMixin
from sklearn.linear_model import Lasso
from skorch.callbacks import Callback

from skreg import ImageAugmenter, MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = STEADY | {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0}
SMALL |= {"batch_size": 16}
WATCHED = {"early_stopping": True, "max_iter": 30, "learning_rate_init": 0.1}
SGD = {"solver": "sgd", "learning_rate_init": 0.01}

# Parameter: what else is set, its value, and the fitted attribute that must differ from
# that of the parameter's default (or of the value in the first dict).
FLIPS = {
    "hidden_layer_sizes": ({}, (7,), "coefs_"),
    "activation": ({}, "tanh", "coefs_"),
    "channels": ({}, (3, 5), "coefs_"),
    "image_shape": ({}, (1, 1, 5), "coefs_"),
    "kernel_size": ({}, 2, "coefs_"),
    "pool": ({}, 1, "coefs_"),
    "loss": ({}, "absolute_error", "coefs_"),
    "quantile": ({"loss": "quantile"}, 0.9, "coefs_"),
    "l1": ({}, 0.01, "coefs_"),
    "l2": ({}, 0.01, "coefs_"),
    "group_l1": ({}, 0.1, "coefs_"),
    "feature_groups": ({"group_l1": 0.1}, [0, 1, 0, 1, 1], "coefs_"),
    "categorical_features": ({}, [0], "coefs_"),
    "feature_penalties": ({"l2": 0.1}, [0, 1, 2, 1, 1], "coefs_"),
    "weight_decay": ({}, 0.1, "coefs_"),
    "max_norm": ({}, 0.5, "coefs_"),
    "positive": ({}, True, "coefs_"),
    "dropout": ({}, 0.3, "coefs_"),
    "input_dropout": ({}, 0.3, "coefs_"),
    "input_noise": ({}, 0.3, "coefs_"),
    "batchnorm": ({}, True, "coefs_"),
    "label_smoothing": ({}, 0.1, "coefs_"),
    "mixup": ({}, 0.3, "coefs_"),
    "skip": ({}, "linear", "coefs_"),
    "skip_l1": ({"skip": "linear"}, 0.1, "skip_coef_"),
    "skip_l2": ({"skip": "linear"}, 0.1, "skip_coef_"),
    "stochastic_depth": ({"skip": "linear"}, 0.3, "coefs_"),
    "cutmix": ({}, 0.3, "coefs_"),
    "cutout": ({}, 0.3, "coefs_"),
    "adversarial": ({}, 0.1, "coefs_"),
    "augment": ({}, ImageAugmenter(image_shape=(1, 5), width_shift_range=2), "coefs_"),
    "pruning": ({}, 0.5, "coefs_"),
    "numeric_embedding": ({}, "periodic", "coefs_"),
    "embedding_size": ({"numeric_embedding": "piecewise_linear"}, 3, "coefs_"),
    "embedding_scale": ({"numeric_embedding": "periodic"}, 1.0, "coefs_"),
    "init": ({}, "scaled", "coefs_"),
    "n_estimators": ({}, 3, "feature_importances_"),
    "ensemble": ({"n_estimators": 3}, "shared", "coefs_"),
    "bootstrap": ({}, True, "coefs_"),
    "max_samples": ({}, 0.5, "coefs_"),
    "early_stopping": ({}, True, "coefs_"),
    "monitor": (WATCHED, "neg_mean_absolute_error", "validation_scores_"),
    "validation_fraction": (WATCHED, 0.3, "coefs_"),
    "n_iter_no_change": (WATCHED | {"max_iter": 100}, 1, "n_iter_"),
    "tol": ({"max_iter": 50}, 1.0, "n_iter_"),
    "restore_best_weights": (
        WATCHED | {"learning_rate_init": 0.3},
        False,
        "coefs_",
    ),
    "solver": ({}, "sgd", "coefs_"),
    "learning_rate": (SGD, "invscaling", "coefs_"),
    "learning_rate_init": ({}, 0.01, "coefs_"),
    "swa_fraction": ({}, 0.5, "coefs_"),
    "ema_decay": ({}, 0.9, "coefs_"),
    "n_snapshots": ({"learning_rate": "cosine"}, 2, "coefs_"),
    "batch_size": ({}, 8, "coefs_"),
    "max_iter": ({}, 7, "coefs_"),
    "shuffle": ({}, False, "coefs_"),
    "momentum": (SGD, 0.5, "coefs_"),
    "nesterovs_momentum": (SGD, False, "coefs_"),
    "beta_1": ({}, 0.5, "coefs_"),
    "beta_2": ({}, 0.9, "coefs_"),
    "epsilon": ({}, 1e-2, "coefs_"),
    "clip_norm": (SGD, 0.01, "coefs_"),
    "fit_intercept": ({}, False, "coefs_"),
    "standardize": ({}, False, "coefs_"),
    "class_weight": ({}, {0: 3.0}, "coefs_"),
    "random_state": ({}, 1, "coefs_"),
}


def verbose_prints(kind, capsys):
    fitted(kind)
    assert capsys.readouterr().out == ""
    fitted(kind, verbose=True)
    assert capsys.readouterr().out.count("Iteration") == SMALL["max_iter"]


def callbacks_are_called(kind, capsys):
    class Counter(Callback):
        n_epochs = 0

        def on_epoch_end(self, net, **kwargs):
            self.n_epochs += 1

    counter = Counter()
    fitted(kind, callbacks=[counter])
    assert counter.n_epochs == SMALL["max_iter"]


def warm_start_goes_on(kind, capsys):
    X, y = data(kind)
    for warm_start in (False, True):
        estimator = fitted(kind, warm_start=warm_start)
        before = estimator.coefs_
        estimator.fit(X, y)
        assert differ(before, estimator.coefs_) == warm_start
        assert len(estimator.loss_curve_) == SMALL["max_iter"] * (1 + warm_start)


def device_is_used(kind, capsys):
    assert fitted(kind).net_.module_.weights[0].device.type == "cpu"
    if torch.cuda.is_available():
        network = fitted(kind, device="cuda").net_.module_
        assert network.weights[0].device.type == "cuda"
    else:
        with pytest.raises(ValueError, match="device='cuda' cannot be used"):
            fitted(kind, device="cuda")


def dtype_is_that_of_the_weights(kind, capsys):
    for dtype in ("float32", "float64"):
        assert {w.dtype.name for w in fitted(kind, dtype=dtype).coefs_} == {dtype}


def data_format_moves_the_channels(kind, capsys):
    """It has no effect on rows, and all other estimators of this test have rows."""
    X, y = data(kind)
    X = X[:, :4].reshape(-1, 2, 2, 1)
    few = SMALL | {"channels": (3,), "pool": 1}
    for data_format, shape in (("last", (2, 2, 1)), ("first", (2, 1, 2))):
        estimator = kind(data_format=f"channels_{data_format}", **few).fit(X, y)
        assert estimator.image_shape_ == shape


# Those that must not change the result, by the effect that they exist for.
RUN_ONLY = {
    "data_format": data_format_moves_the_channels,
    "verbose": verbose_prints,
    "callbacks": callbacks_are_called,
    "warm_start": warm_start_goes_on,
    "device": device_is_used,
    "dtype": dtype_is_that_of_the_weights,
}


def fitted(kind, **parameters):
    few = {"channels": (3, 4)} if kind in CONVOLUTIONAL else {}
    return kind(**(SMALL | few | parameters)).fit(*data(kind))


@cache
def unchanged(kind, base):
    """Return a fit without the change.

    Without the change nothing changes, so it is the parameter that did it.
    """
    one, same = fitted(kind, **dict(base)), fitted(kind, **dict(base))
    assert not differ(one.coefs_, same.coefs_)
    return one


def differ(one, other):
    """Return whether two fitted attributes, or lists of them, differ."""
    if isinstance(one, list):
        return len(one) != len(other) or any(map(differ, one, other))
    return not np.array_equal(one, other)


def parameters():
    kinds = ESTIMATORS + CONVOLUTIONAL
    return [(kind, name) for kind in kinds for name in signature(kind).parameters]


@pytest.mark.parametrize("kind, name", parameters())
def test_every_parameter_changes_the_fit(kind, name, capsys):
    if name in RUN_ONLY:
        RUN_ONLY[name](kind, capsys)
        return
    base, value, attribute = FLIPS[name]
    if name == "monitor" and issubclass(kind, ClassifierMixin):
        value = "accuracy"
    other = fitted(kind, **(base | {name: value}))
    before = getattr(unchanged(kind, tuple(base.items())), attribute)
    assert differ(before, getattr(other, attribute))


def test_the_table_has_no_other_names():
    names = {name for _, name in parameters()}
    assert names == FLIPS.keys() | RUN_ONLY.keys()
    assert not FLIPS.keys() & RUN_ONLY.keys()


# Values of one parameter that must differ from each other, too.
@pytest.mark.parametrize(
    "name, values, base",
    [
        ("batchnorm", (False, "before", "after"), {}),
        (
            "learning_rate",
            (
                "constant",
                "invscaling",
                "adaptive",
                "cosine",
                "onecycle",
                "flat_cosine",
            ),
            SGD | {"tol": 1.0},
        ),
        ("solver", ("adam", "sgd", "lbfgs"), {}),
        ("numeric_embedding", (None, "piecewise_linear", "periodic"), {}),
        ("standardize", (False, True, "robust"), {}),
        ("skip", (None, "linear", "residual"), {"hidden_layer_sizes": (8, 8)}),
        ("l1", (0.01, [0.01, 0], [0, 0.01]), {}),
        ("l2", (0.01, [0.01, 0], [0, 0.01]), {}),
        ("dropout", (0.5, [0.5, 0], [0, 0.5]), {"hidden_layer_sizes": (8, 8)}),
        (
            "activation",
            (
                "identity",
                "relu",
                "tanh",
                "logistic",
                "elu",
                "selu",
                "gelu",
                "silu",
                "mish",
                "leaky_relu",
            ),
            {},
        ),
    ],
)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_values_differ_from_each_other(kind, name, values, base):
    base = base | ({"max_iter": 30} if name == "learning_rate" else {})
    fits = [fitted(kind, **(base | {name: value})).coefs_ for value in values]
    for i, one in enumerate(fits):
        assert all(differ(one, other) for other in fits[:i])


def test_losses_differ_from_each_other():
    losses = ("squared_error", "absolute_error", "huber", "poisson", "quantile")
    settings = {"quantile": 0.3, "max_iter": 20}
    fits = [fitted(MLPRegressor, loss=loss, **settings).coefs_ for loss in losses]
    for i, one in enumerate(fits):
        assert all(differ(one, other) for other in fits[:i])


def test_true_is_before():
    """batchnorm=True is documented as "before"."""
    one, other = (fitted(MLPClassifier, batchnorm=b).coefs_ for b in (True, "before"))
    assert not differ(one, other)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_zero_is_off(kind):
    """Regularisers at zero, and limits that are never reached, change nothing."""
    off = dict.fromkeys(("l1", "l2", "group_l1", "weight_decay", "dropout"), 0)
    off |= dict.fromkeys(("input_dropout", "input_noise", "mixup"), 0)
    off |= dict.fromkeys(("skip_l1", "skip_l2", "stochastic_depth"), 0)
    off |= dict.fromkeys(("cutmix", "cutout", "adversarial"), 0)
    off |= dict.fromkeys(("swa_fraction", "ema_decay", "pruning"), 0)
    off |= {"max_norm": 1e9, "clip_norm": 1e9, "positive": False}
    assert not differ(fitted(kind).coefs_, fitted(kind, **off).coefs_)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("penalty", [{}, {"l1": 1e-3}, {"group_l1": 1e-2}, {"l2": 0.1}])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_positive_weights(kind, solver, penalty):
    """Weights of all layers are not negative, and biases are free."""
    free = fitted(kind, solver=solver, **penalty)
    assert min(coef.min() for coef in free.coefs_) < -0.1
    estimator = fitted(kind, solver=solver, positive=True, **penalty)
    assert all((coef >= 0).all() for coef in estimator.coefs_)
    assert any((coef > 0).any() for coef in estimator.coefs_)
    assert min(intercept.min() for intercept in estimator.intercepts_) < 0
    X, _ = data(kind)
    score = getattr(estimator, "decision_function", estimator.predict)
    # Rectified linear units of such weights make an increasing function.
    assert (score(X + 1) >= score(X)).all()


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"max_norm": 1}])
def test_positive_with_other_settings(solver, settings):
    """Every iterate satisfies the constraint, so the one that is kept does."""
    estimator = fitted(MLPRegressor, solver=solver, positive=True, **settings)
    assert all((coef >= 0).all() for coef in estimator.coefs_)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_positive_is_that_of_the_lasso(solver):
    X, y = data(MLPRegressor)
    X, y = X[:, ::-1], (y - y.mean()) / y.std()
    Z = (X - X.mean(0)) / X.std(0)
    reference = Lasso(alpha=0.05, positive=True, tol=1e-12).fit(Z, y)
    free = Lasso(alpha=0.05, tol=1e-12).fit(Z, y)
    assert (free.coef_ < -0.1).any() and (reference.coef_ == 0).any()
    estimator = MLPRegressor(
        (), solver=solver, l1=0.05, positive=True, learning_rate_init=0.05, max_iter=500
    ).fit(X, y)
    assert estimator.kkt_violation_ <= 1e-6
    coef = estimator.coefs_[0][:, 0]
    np.testing.assert_allclose(coef, reference.coef_, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(coef == 0, reference.coef_ == 0)
