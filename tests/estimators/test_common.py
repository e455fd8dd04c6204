"""scikit-learn's own checks, on estimators and their most different configurations."""

import re
from pathlib import Path

import pytest
from _checks import exemption, expected_failures, in_full
from _estimators import (
    CONVOLUTIONAL,
    ESTIMATORS,
    configurations,
    every_checked,
    every_checked_estimator,
    make,
)
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_inplace_ensure_writeable,
    check_param_validation,
    parametrize_with_checks,
)

from skreg import CNNRegressor, MLPRegressor, MLPRegressorCV
from skreg.losses.kinds import REGRESSION_LOSSES

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks(
    [make(kind, name) for kind, name in every_checked() if in_full(kind, name)],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


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
