"""The checks of scikit-learn that can differ, over the other configurations."""

import pytest
from _checks import CAN_DIFFER, expected_failures, in_full, name_of, some_checks
from _estimators import ESTIMATORS, every_checked, make
from sklearn.utils.estimator_checks import estimator_checks_generator

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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
