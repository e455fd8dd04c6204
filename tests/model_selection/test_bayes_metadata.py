"""scikit-learn's own tests of metadata routing, run on BayesSearchCV."""

import pytest
import sklearn
from sklearn.tests import test_metaestimators_metadata_routing as routing

from skreg import BayesSearchCV
from skreg.compatibility import SKLEARN

# As RandomizedSearchCV's there.
(RANDOMIZED,) = [
    entry
    for entry in routing.METAESTIMATORS
    if entry["metaestimator"].__name__ == "RandomizedSearchCV"
]
ENTRY = RANDOMIZED | {"metaestimator": BayesSearchCV}
TESTS = [
    "test_default_request",
    "test_error_on_missing_requests_for_sub_estimator",
    "test_setting_request_on_sub_estimator_removes_error",
    "test_non_consuming_estimator_works",
    "test_metadata_is_routed_correctly_to_scorer",
    "test_metadata_is_routed_correctly_to_splitter",
    "test_metadata_routed_to_group_splitter",
    pytest.param(
        "test_metadata_routed_to_sub_estimator_in_pipeline",
        marks=pytest.mark.skipif(SKLEARN < (1, 9), reason="scikit-learn 1.9 has it"),
    ),
]


@pytest.mark.parametrize("test", TESTS)
def test_metadata(test):
    with sklearn.config_context(enable_metadata_routing=True):
        getattr(routing, test)(ENTRY)
