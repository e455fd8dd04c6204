"""scikit-learn's own checks, over every estimator and configuration."""

import re
from pathlib import Path

import pytest
from _checks import CAN_DIFFER, EQUIVALENCE, is_nightly, name_of, some_checks
from _estimators import (
    CONVOLUTIONAL,
    ESTIMATORS,
    configurations,
    every_checked,
    every_checked_estimator,
    is_most_different,
    make,
)
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    estimator_checks_generator,
    parametrize_with_checks,
)

from skreg import CNNRegressor, MLPRegressor, MLPRegressorCV
from skreg.compatibility import SKLEARN
from skreg.networks.losses import REGRESSION_LOSSES
from skreg.parameters.regularisers import regularisers_on

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# The most rows that scikit-learn's check of equivalence has, with the copies.
N_ROWS = 32
# What changes rows or units without random numbers.
DRAW_NOTHING = {"adversarial", "batchnorm"}


def in_full(kind, name):
    """Return whether all checks run on a configuration. In nightly tests they do."""
    return is_nightly() or is_most_different(kind, name)


def exemption(estimator):
    """Return the one check that some configurations cannot pass, with the reason.

    The README names them.
    """
    params = estimator.get_params()
    if estimator.early_stopping:
        reason = "a row given twice may have one copy in the random validation split"
    elif params.get("bootstrap"):
        reason = "a row given twice may be drawn once"
    elif set(regularisers_on(estimator, effects={"rows"})) - DRAW_NOTHING:
        reason = "a row given twice draws twice, a row of weight two draws once"
    elif estimator.batch_size != "auto" and estimator.batch_size < N_ROWS:
        reason = "a row given twice may be in two batches"
    else:
        return {}
    return dict.fromkeys(EQUIVALENCE, reason)


def expected_failures(estimator):
    """Return the checks that fail, with reasons."""
    if SKLEARN < (1, 7) and not get_tags(estimator).input_tags.sparse:
        reason = "before 1.7 scikit-learn gives sparse rows to all estimators"
        return {EQUIVALENCE[1]: reason} | exemption(estimator)
    return exemption(estimator)


@parametrize_with_checks(
    [make(kind, name) for kind, name in every_checked() if in_full(kind, name)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


@some_checks(
    CAN_DIFFER,
    [make(kind, name) for kind, name in every_checked() if not in_full(kind, name)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_check_that_can_differ(estimator, check):
    check(estimator)


def test_checks_that_can_differ_are_scikit_learns():
    """Else one that is renamed would silently run no more."""
    estimator = ESTIMATORS[0]()
    names = {name_of(check) for _, check in estimator_checks_generator(estimator)}
    assert names >= CAN_DIFFER


def test_the_exemption_is_the_only_one():
    exempt = [e for e in every_checked_estimator() if exemption(e)]
    assert len(exempt) == 9 * len(ESTIMATORS) + 2 * len(CONVOLUTIONAL)


def test_the_readme_counts_the_configurations():
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    found = re.search(r"(\d+) configurations of\s+`MLPC\w+`, (\d+) of `MLPR", text)
    counts = [len(configurations(kind)) for kind in ESTIMATORS]
    assert counts == list(map(int, found.groups()))
    n_convolutional = {len(configurations(kind)) for kind in CONVOLUTIONAL}
    assert f"and {n_convolutional.pop()} of each convolutional" in text


# Checks that scikit-learn has and does not run by itself.


@pytest.mark.parametrize(
    "kind, configuration", [each for each in every_checked() if in_full(*each)]
)
@pytest.mark.parametrize(
    "check", [check_dataframe_column_names_consistency, check_inplace_ensure_writeable]
)
def test_check_that_is_not_run_by_itself(check, kind, configuration):
    check(kind.__name__, make(kind, configuration))


@pytest.mark.parametrize("kind", ESTIMATORS + CONVOLUTIONAL)
def test_param_validation(kind):
    check_param_validation(kind.__name__, kind(max_iter=2))


@pytest.mark.parametrize("kind", ESTIMATORS + CONVOLUTIONAL)
def test_set_output_does_not_apply(kind):
    """Networks do not transform, so there is no output whose container is chosen."""
    assert not hasattr(kind(), "transform")
    assert not hasattr(kind(), "set_output")


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_the_tags_say_which_targets_a_loss_takes(loss):
    network = MLPRegressor(loss=loss)
    for estimator in (network, CNNRegressor(loss=loss), MLPRegressorCV(network)):
        assert get_tags(estimator).target_tags.positive_only == (loss == "poisson")
