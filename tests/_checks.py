"""The selection of scikit-learn's checks for each estimator."""

import os

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

EQUIVALENCE = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
# Checks whose result depends on what a network is and how it trains. That of the others
# depends on how the data are checked, which all configurations have in common, or has
# a stricter test over all configurations (copies in test_persistence.py, the same bits
# twice in test_isolation.py).
CAN_DIFFER = {
    EQUIVALENCE[0],
    "check_classifiers_one_label_sample_weights",
    "check_decision_proba_consistency",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
}


def is_nightly():
    """Return whether the tests run with the nightly profile, which is the broadest."""
    return os.environ.get("HYPOTHESIS_PROFILE") == "nightly"


def name_of(check):
    """Return the name of a check, which scikit-learn wraps."""
    return getattr(check, "func", check).__name__


def some_checks(names, estimators, **options):
    """Return a decorator like `parametrize_with_checks`, for the named checks only.

    Parameters
    ----------
    names : set of str
    estimators : list of estimator
    **options
        Passed to `parametrize_with_checks`.
    """
    mark = parametrize_with_checks(estimators, **options)
    arguments, pairs = mark.args
    chosen = [pair for pair in pairs if name_of(_check_of(pair)) in names]
    return pytest.mark.parametrize(arguments, chosen, **mark.kwargs)


def _check_of(pair):
    return getattr(pair, "values", pair)[1]
