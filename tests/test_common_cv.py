"""scikit-learn's own checks, over the estimators that tune themselves."""

import pytest
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    parametrize_with_checks,
)

from skreg import MLPClassifier, MLPClassifierCV, MLPRegressor, MLPRegressorCV

KINDS = {MLPClassifierCV: MLPClassifier, MLPRegressorCV: MLPRegressor}

# Few candidates, folds and epochs keep the checks quick.
QUICK = {"n_candidates": 2, "cv": 2}
NETWORK = {
    "hidden_layer_sizes": (16,),
    "skip": "linear",
    "learning_rate_init": 0.03,
    "batch_size": 32,
    "max_iter": 20,
    "early_stopping": True,
}
CONFIGURATIONS = {
    "default": {},
    "random": QUICK | {"strategy": "random"},
    "grid": QUICK | {"strategy": "grid", "param_distributions": {"l2": [1e-4, 1e-2]}},
    "bayes": QUICK | {"strategy": "bayes", "param_distributions": {"l2": [1e-4, 1e-2]}},
    "refit": QUICK | {"refit": True, "n_ensemble": 1},
    "cocktail": QUICK | {"param_distributions": "cocktail"},
}


def make(kind, configuration):
    """Return an estimator; all but the default tune a small network."""
    parameters = CONFIGURATIONS[configuration]
    if configuration != "default":
        parameters = parameters | {"estimator": KINDS[kind](**NETWORK)}
    return kind(**parameters)


REASON = "a row given twice may fall into two folds, a row of weight two into one"
EQUIVALENCE = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


# scikit-learn exempts its own estimators with a `cv` for the same reason.
@parametrize_with_checks(
    [make(kind, name) for kind in KINDS for name in CONFIGURATIONS],
    expected_failed_checks=lambda estimator: dict.fromkeys(EQUIVALENCE, REASON),
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_inplace_ensure_writeable]
)
def test_check_that_is_not_run_by_itself(check, kind):
    check(kind.__name__, make(kind, "random"))


@pytest.mark.parametrize("kind", KINDS)
def test_param_validation(kind):
    check_param_validation(kind.__name__, make(kind, "random"))
