"""The list of regularisers agrees with the behaviour of the estimators."""

from inspect import signature

import pytest
from _estimators import data
from _fitted import prepared_request

from skreg import MLPClassifier, MLPRegressor
from skreg.estimators.constraints import CONSTRAINTS
from skreg.parameters.regularisers import REGULARISERS, regularisers

# Two iterations are not meant to converge.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# A value with which each does something, and what else it takes.
ON = {
    "l1": {"l1": 0.01},
    "l2": {"l2": 0.01},
    "skip_l1": {"skip_l1": 0.01, "skip": "linear"},
    "skip_l2": {"skip_l2": 0.01, "skip": "linear"},
    "group_l1": {"group_l1": 0.01},
    "max_norm": {"max_norm": 1.0},
    "positive": {"positive": True},
    "label_smoothing": {"label_smoothing": 0.1},
    "dropout": {"dropout": 0.1},
    "input_dropout": {"input_dropout": 0.1},
    "input_noise": {"input_noise": 0.1},
    "mixup": {"mixup": 0.1},
    "cutmix": {"cutmix": 0.1},
    "cutout": {"cutout": 0.1},
    "stochastic_depth": {"stochastic_depth": 0.1, "skip": "linear"},
    "adversarial": {"adversarial": 0.1},
    "batchnorm": {"batchnorm": True},
    "augment": {"augment": lambda X, rng: X},
    "weight_decay": {"weight_decay": 0.1},
    "pruning": {"pruning": 0.1},
    "swa_fraction": {"swa_fraction": 0.5},
    "ema_decay": {"ema_decay": 0.5},
    "n_snapshots": {"n_snapshots": 2, "learning_rate": "cosine", "max_iter": 4},
}


def test_each_is_tried():
    assert ON.keys() == REGULARISERS.keys()


@pytest.mark.parametrize("name", REGULARISERS)
def test_off_is_the_default(name):
    default = signature(MLPClassifier).parameters[name].default
    assert default == REGULARISERS[name].off and type(default) is not str


@pytest.mark.parametrize("name", REGULARISERS)
def test_only_objectives_are_for_the_full_batch_solver(name):
    estimator = MLPClassifier((4,), solver="lbfgs", max_iter=2).set_params(**ON[name])
    X, y = data(MLPClassifier)
    if REGULARISERS[name].effect == "objective":
        estimator.fit(X, y)
    else:
        with pytest.raises(ValueError, match=f"solver='lbfgs' .*{name}="):
            estimator.fit(X, y)


@pytest.mark.parametrize("name", REGULARISERS)
def test_what_keeps_a_fit_from_an_optimum(name):
    """Steps on other rows than those given, or away from the objective's minimum."""
    request = prepared_request(MLPClassifier((4,), **ON[name]), *data(MLPClassifier))
    expected = REGULARISERS[name].effect in ("objective", "course")
    assert request.is_deterministic == expected


def test_strengths_are_numbers():
    for name in regularisers(kind="penalty") + regularisers(kind="noise"):
        assert REGULARISERS[name].off in (0, None)
        assert isinstance(ON[name][name], float)


def test_every_parameter_that_takes_a_regulariser_is_listed():
    """Of all parameters, those that are neither structure, optimisation nor a run's."""
    others = {
        *("hidden_layer_sizes", "activation", "skip", "numeric_embedding"),
        *("embedding_size", "embedding_scale", "init", "n_estimators", "ensemble"),
        *("bootstrap", "max_samples", "early_stopping", "monitor"),
        *("validation_fraction", "n_iter_no_change", "tol", "restore_best_weights"),
        *("solver", "learning_rate", "learning_rate_init", "batch_size", "max_iter"),
        *("shuffle", "momentum", "nesterovs_momentum", "beta_1", "beta_2", "epsilon"),
        *("clip_norm", "standardize", "warm_start", "random_state", "device", "dtype"),
        *("callbacks", "verbose", "loss", "quantile", "class_weight"),
        *("fit_intercept", "feature_groups", "feature_penalties"),
        "categorical_features",
    }
    names = {*signature(MLPClassifier).parameters, *signature(MLPRegressor).parameters}
    assert names - others == REGULARISERS.keys()
    assert CONSTRAINTS.keys() <= names
