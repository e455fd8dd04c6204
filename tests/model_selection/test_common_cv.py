"""scikit-learn's own checks, run on the estimators that tune themselves."""

import pytest
from _checks import CAN_DIFFER, is_nightly, some_checks
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    parametrize_with_checks,
)

from skreg import MLPClassifier, MLPClassifierCV, MLPRegressor, MLPRegressorCV

# Of the checks' classes, made of rounded numbers, one has a single row.
pytestmark = pytest.mark.filterwarnings("ignore:The least populated class in y")

KINDS = {MLPClassifierCV: MLPClassifier, MLPRegressorCV: MLPRegressor}

# Few candidates, folds and epochs keep the checks quick.
QUICK = {"n_candidates": 2, "cv": 2, "param_distributions": {"l2": [1e-4, 1e-2]}}
NETWORK = {
    "hidden_layer_sizes": (16,),
    "skip": "linear",
    "learning_rate_init": 0.03,
    "max_iter": 40,
    "batch_size": 200,  # all rows of the checks, for a batch draws them at random
    "early_stopping": True,
}
CONFIGURATIONS = {
    # The network and the space that a user gets who sets nothing.
    "default": {"n_candidates": 2, "cv": 2},
    "random": QUICK | {"strategy": "random"},
    "grid": QUICK | {"strategy": "grid"},
    "bayes": QUICK | {"strategy": "bayes"},
    "refit": QUICK | {"refit": True, "n_ensemble": 1},
}


def make(kind, configuration):
    """Return an estimator. All except the default tune a small network."""
    parameters = CONFIGURATIONS[configuration]
    if configuration != "default":
        parameters = parameters | {"estimator": KINDS[kind](**NETWORK)}
    return kind(**parameters)


def expected_failures(estimator):
    """Return the checks that cannot pass, with the reason.

    Otherwise, for the checks on weights, scikit-learn gives folds that keep a row's
    copies together.
    """
    kinds = ["dense", "sparse"]
    if estimator.estimator is None:
        if isinstance(estimator, MLPRegressorCV):
            # There is no signal in the dense data, and the linear model is used alone.
            kinds.remove("dense")
        reason = (
            "batches of 64 draw a row given twice at random, and single precision "
            "rounds"
        )
    elif isinstance(estimator, MLPClassifierCV):
        reason = (
            "the temperature counts effective rows, for which weights of 1/n and of 1 "
            "are the same, and so are weights of 2 and of 1; its networks are compared "
            "in test_mlp_cv_data.py"
        )
    else:
        return {}
    name = "check_sample_weight_equivalence_on_{}_data"
    return {name.format(kind): reason for kind in kinds}


def made(is_full):
    """Return the estimators on which all checks run, or those on which some run."""
    full = CONFIGURATIONS if is_nightly() else ["default"]
    names = [name for name in CONFIGURATIONS if (name in full) == is_full]
    return [make(kind, name) for kind in KINDS for name in names]


@parametrize_with_checks(made(True), expected_failed_checks=expected_failures)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@some_checks(
    # Searches also differ in what they draw and in what they keep.
    CAN_DIFFER | {"check_fit_idempotent", "check_estimators_pickle"},
    made(False),
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_check_that_can_differ(estimator, check):
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
