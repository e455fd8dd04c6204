"""scikit-learn's own tests of metadata routing, over BayesSearchCV."""

import pytest
import sklearn
from sklearn.tests import test_metaestimators_metadata_routing as routing

from skreg import BayesSearchCV

# As RandomizedSearchCV's there.
(RANDOMIZED,) = [
    entry
    for entry in routing.METAESTIMATORS
    if entry["metaestimator"].__name__ == "RandomizedSearchCV"
]
ENTRY = RANDOMIZED | {"metaestimator": BayesSearchCV}
TESTS = [
    routing.test_default_request,
    routing.test_error_on_missing_requests_for_sub_estimator,
    routing.test_setting_request_on_sub_estimator_removes_error,
    routing.test_non_consuming_estimator_works,
    routing.test_metadata_is_routed_correctly_to_scorer,
    routing.test_metadata_is_routed_correctly_to_splitter,
    routing.test_metadata_routed_to_sub_estimator_in_pipeline,
    routing.test_metadata_routed_to_group_splitter,
]


@pytest.mark.parametrize("test", TESTS)
def test_metadata(test):
    with sklearn.config_context(enable_metadata_routing=True):
        test(ENTRY)
