"""What is kept of the training of a network."""

import numpy as np
import pytest
from _estimators import ESTIMATORS, data

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_epochs_without_validation_rows_are_nan_in_a_continued_curve(kind):
    X, y = data(kind)
    estimator = kind((4,), max_iter=3, tol=0.0, warm_start=True, random_state=0)
    estimator.fit(X, y)
    assert estimator.validation_loss_curve_ is None
    estimator.fit(X, y, X_val=X[:20], y_val=y[:20])
    estimator.fit(X, y)
    assert len(estimator.loss_curve_) == 9
    is_missing = np.isnan(estimator.validation_loss_curve_)
    assert is_missing.tolist() == [True] * 3 + [False] * 3 + [True] * 3
