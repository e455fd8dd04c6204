"""The selection of scikit-learn's checks for each estimator."""

import os

import pytest
from _estimators import is_most_different
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg.compatibility import SKLEARN
from skreg.parameters.regularisers import regularisers_on

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


# The most rows that scikit-learn's check of equivalence has, with the copies.
N_ROWS = 32
# What changes rows or units without random numbers.
DRAW_NOTHING = {"adversarial", "batchnorm"}


def in_full(kind, name):
    """Return whether all checks run on a configuration. In nightly tests they do."""
    return is_nightly() or is_most_different(kind, name)


def exemption(estimator):
    """Return the check that draws for each row cannot pass, with the reason.

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


def _mixing(estimator):
    """Return the check of class weights that mixing fails, with the reason."""
    augment = getattr(estimator, "augment", None)
    if not (estimator.get_params().get("mixup") or getattr(augment, "mixup", 0)):
        return {}
    reason = "rows between a heavy class and others count as partly of the others"
    return {"check_class_weight_classifiers": reason}


def expected_failures(estimator):
    """Return the checks that fail, with reasons. The README names them."""
    found = exemption(estimator) | _mixing(estimator)
    if SKLEARN < (1, 7) and not get_tags(estimator).input_tags.sparse:
        reason = "before 1.7 scikit-learn gives sparse rows to all estimators"
        return {EQUIVALENCE[1]: reason} | found
    return found
