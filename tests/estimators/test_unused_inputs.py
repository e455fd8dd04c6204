"""Predictions that leave out inputs which no network uses are the same."""

from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from skreg import MLPClassifier, MLPRegressor
from skreg.estimators import inference
from skreg.estimators.trained import states_of, with_states

RNG = np.random.default_rng(0)
X = np.where(np.abs(RNG.normal(size=(80, 40))) > 0.5, RNG.normal(size=(80, 40)), 0.0)
NETWORKS = [
    MLPRegressor((), max_iter=2),
    MLPRegressor((3,), max_iter=2, n_estimators=2, batchnorm=True),
    MLPRegressor((40,), max_iter=2, skip="residual"),
    MLPRegressor((3,), max_iter=2, skip="linear", standardize=False),
    MLPRegressor((3,), max_iter=2, standardize="robust"),
    MLPClassifier((3,), max_iter=2, ensemble="shared", n_estimators=2),
    MLPClassifier((3,), max_iter=2, numeric_embedding="periodic"),
]


# Few iterations on purpose.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("network", NETWORKS, ids=str)
@pytest.mark.parametrize("n_used", [0, 3])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_predictions(network, n_used, is_sparse):
    y = (X[:, 0] > 0).astype(int)
    network = clone(network).set_params(random_state=0)
    rows = X
    if is_sparse:
        if network.standardize == "robust":
            pytest.skip("Quantiles need dense inputs.")
        rows = sp.csr_array(X)
    fitted = network.fit(rows, y)
    n_per_input = len(fitted.coefs_[0]) // 40
    states = [[array.copy() for array in state] for state in states_of(fitted)]
    for state in states:
        state[0][n_used * n_per_input :] = 0
    fitted = with_states(fitted, states)
    method = getattr(fitted, "predict_proba", fitted.predict)
    expected = method(rows)  # too few elements for it to be worth it
    with mock.patch.object(inference, "MANY", 1):
        found = method(rows)
    # Sums of fewer terms round otherwise.
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
