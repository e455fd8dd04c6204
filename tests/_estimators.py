"""The list of estimators and configurations for the contract tests."""

import numpy as np
from _losses import Expectile
from sklearn.base import RegressorMixin

from skreg import (
    CNNClassifier,
    CNNRegressor,
    ImageAugmenter,
    MLPClassifier,
    MLPRegressor,
    TableAugmenter,
)

ESTIMATORS = (MLPClassifier, MLPRegressor)
CONVOLUTIONAL = (CNNClassifier, CNNRegressor)

# How scikit-learn's MLP trains by default: for tests of what the short schedules of our
# own defaults would hide.
STEADY = {
    "learning_rate": "constant",
    "learning_rate_init": 1e-3,
    "max_iter": 200,
    "batch_size": 200,
    "clip_norm": None,
}

# The polish of a network with kinks seldom ends at an optimum, and with the default
# length it takes many times as long as the training before it.
POLISHED = {"max_iter": 20}

# Name: parameters. "default" is what a user gets who sets nothing. scikit-learn's
# checks run on all of these.
CONFIGURATIONS = {
    "default": {},
    "early_stopping": {"early_stopping": True},
    "batchnorm_before": {"batchnorm": "before"},
    "batchnorm_after": {"batchnorm": "after"},
    "dropout": {"dropout": 0.2, "input_dropout": 0.05},
    "l1": POLISHED | {"l1": 1e-3},
    "group_l1": POLISHED | {"group_l1": 1e-2},
    "l2": {"l2": 1e-3, "weight_decay": 0.1, "max_norm": 3, "clip_norm": 1},
    "constant": STEADY | {"max_iter": 60},
    "sgd": STEADY | {"max_iter": 60, "solver": "sgd", "learning_rate_init": 0.1},
    "lbfgs": {"solver": "lbfgs", "l2": 1e-2},
    "linear": {"hidden_layer_sizes": (), "solver": "lbfgs"},
    "linear_sgd": STEADY
    | {"hidden_layer_sizes": (), "solver": "sgd", "learning_rate_init": 0.01},
    "linear_adam": STEADY | {"hidden_layer_sizes": (), "learning_rate_init": 0.1},
    "group_l1_lbfgs": {"solver": "lbfgs", "group_l1": 1e-3},
    "no_intercept": {"fit_intercept": False},
    # The rate falls with the square root of the number of rows that were seen.
    "invscaling": STEADY
    | {
        "max_iter": 60,
        "solver": "sgd",
        "learning_rate": "invscaling",
        "learning_rate_init": 0.3,
    },
    "deep": {"hidden_layer_sizes": (32, 16), "activation": "gelu"},
    "skip": POLISHED | {"skip": "linear", "l1": 1e-3},
    "residual": {"hidden_layer_sizes": (32, 32), "skip": "residual"},
    "stochastic_depth": {"skip": "linear", "stochastic_depth": 0.2},
    "adversarial": {"adversarial": 0.1},
    "cosine": {"learning_rate": "cosine"},
    "onecycle": {"learning_rate": "onecycle"},
    "swa": {"swa_fraction": 0.25},
    "ema": {"ema_decay": 0.9},
    "piecewise_linear": POLISHED
    | {
        "numeric_embedding": "piecewise_linear",
        "embedding_size": 4,
        "group_l1": 1e-3,
    },
    "additive": {
        "hidden_layer_sizes": (),
        "numeric_embedding": "piecewise_linear",
        "skip": "linear",
        "solver": "lbfgs",
        "l2": 1e-3,
    },
    "realmlp": {
        "numeric_embedding": "periodic",
        "embedding_size": 4,
        "standardize": "robust",
        "init": "scaled",
    },
    "snapshots": {"learning_rate": "cosine", "n_snapshots": 2},
    "pruning": {"pruning": 0.8},
    "positive": {"positive": True},
    "not_standardised": {"standardize": False},
    "members": {"n_estimators": 3, "max_iter": 15},
    "shared": {"n_estimators": 4, "ensemble": "shared"},
    "noise": {"input_noise": 0.1, "mixup": 0.1},
    "cut": {"cutmix": 0.1, "cutout": 0.2},
    "table": {"augment": TableAugmenter(mixup=0.1, cutout=0.2)},
    "bootstrap": {"n_estimators": 3, "bootstrap": True, "max_samples": 0.7},
    "small_batches": {"batch_size": 7, "batchnorm": True},
    "adaptive": STEADY
    | {"max_iter": 40, "solver": "sgd", "learning_rate": "adaptive", "batch_size": 16},
}

ALL_CONFIGURATIONS = CONFIGURATIONS | {
    # scikit-learn's checks have inputs of other widths.
    "images": {
        "augment": ImageAugmenter(
            rotation_range=10, width_shift_range=1, image_shape=(1, 5)
        )
    },
}

# Classifiers have class weights on top of them, and regressors losses.
OF_CLASSIFIERS = {"balanced": {"class_weight": "balanced"}}
OF_REGRESSORS = {
    "poisson": {"loss": "poisson"},
    "own_loss": {"loss": Expectile(0.6), "skip": "linear"},
} | {
    loss: POLISHED | {"loss": loss, "l1": 1e-3}
    for loss in ("absolute_error", "huber", "quantile")
}

# What convolutions add to configurations, and those that they have a part in. Without
# an image_shape, for the checks have inputs of many sizes.
FEW_CHANNELS = {"channels": (8, 16)}
OF_CONVOLUTIONS = {
    "default": {},
    "odd_shapes": {"kernel_size": (2, 5), "pool": (1, 2), "activation": "gelu"},
    "without_channels": {"channels": ()},
} | {
    name: FEW_CHANNELS | CONFIGURATIONS[name]
    for name in (
        "early_stopping",
        "batchnorm_before",
        "dropout",
        "group_l1",
        "linear",
        "skip",
        "residual",
    )
}
OF_CONVOLUTIONS["lbfgs"] = FEW_CHANNELS | CONFIGURATIONS["lbfgs"] | POLISHED


# Of each kind, the default and those that reach most of the code that it does not (by
# counting lines), or that do something else with the rows.
MOST_DIFFERENT = ("default", "piecewise_linear", "shared", "early_stopping")
MOST_DIFFERENT += ("balanced", "poisson")
MOST_DIFFERENT_CONVOLUTIONS = ("default",)


def configurations(kind):
    """Return the configurations of a kind that scikit-learn's checks run on."""
    if kind in CONVOLUTIONAL:
        return OF_CONVOLUTIONS
    own = OF_REGRESSORS if kind is MLPRegressor else OF_CLASSIFIERS
    return CONFIGURATIONS | own


def is_most_different(kind, name):
    """Return whether all checks run on a configuration in every test run."""
    chosen = MOST_DIFFERENT_CONVOLUTIONS if kind in CONVOLUTIONAL else MOST_DIFFERENT
    return name in chosen


def every_checked():
    """Return all pairs of a kind and the name of a checked configuration."""
    kinds = ESTIMATORS + CONVOLUTIONAL
    return [(kind, name) for kind in kinds for name in configurations(kind)]


def make(kind, configuration="default", **parameters):
    """Return an estimator of a configuration, with other parameters on top."""
    known = configurations(kind)
    found = known.get(configuration) or ALL_CONFIGURATIONS.get(configuration, {})
    return kind(**(found | parameters))


def every_checked_estimator():
    """Return one estimator of each kind in each checked configuration."""
    return [make(kind, name) for kind, name in every_checked()]


def data(kind, n_samples=60, n_features=5, seed=0, n_classes=3):
    """Return unscaled inputs and targets that can be learnt, but not perfectly."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) * 3 + np.arange(n_features)
    signal = X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=n_samples)
    if issubclass(kind, RegressorMixin):
        return X, signal * 10 + 100
    cuts = np.quantile(signal, np.arange(1, n_classes) / n_classes)
    return X, np.searchsorted(cuts, signal)
