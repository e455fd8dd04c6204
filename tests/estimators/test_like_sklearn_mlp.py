"""What a user of scikit-learn's own network expects, side by side with it."""

import warnings

import numpy as np
import pytest
from _estimators import ESTIMATORS, STEADY, data
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor

from skreg import MLPClassifier, MLPRegressor
from skreg.estimators.convergence import last_improvement

PEERS = {MLPClassifier: SklearnClassifier, MLPRegressor: SklearnRegressor}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 12, "random_state": 0}


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_patience_without_end(kind):
    X, y = data(kind)
    settings = SMALL | {"n_iter_no_change": np.inf, "tol": 1e9, "early_stopping": True}
    for each in (kind(**STEADY | settings), PEERS[kind](**settings)):
        assert each.fit(X, y).n_iter_ == 12


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_steps_do_not_stop_early(kind):
    X, y = data(kind)
    with pytest.raises(ValueError, match="early_stopping=True"):
        steps = {} if kind is MLPRegressor else {"classes": [0, 1, 2]}
        PEERS[kind](early_stopping=True).partial_fit(X, y, **steps)
    estimator = kind(early_stopping=True)
    assert not hasattr(estimator, "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as caught:
        estimator.partial_fit(X, y)
    assert "Set early_stopping=False" in str(caught.value.__cause__)


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 3]])
def test_a_warm_started_fit_with_other_classes(classes):
    X, y = data(MLPClassifier)
    for kind in (SklearnClassifier, MLPClassifier):
        net = kind(warm_start=True, **SMALL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(X, y)
        before = net.predict_proba(X)
        with pytest.raises(ValueError, match="class"):
            net.fit(X, np.array(classes)[y % len(classes)])
        np.testing.assert_array_equal(net.predict_proba(X), before)


def test_the_order_of_the_arguments_of_steps():
    X, y = data(MLPClassifier)
    weight = np.linspace(0, 2, len(y))
    by_place = MLPClassifier(**SMALL).partial_fit(X[:9], y[:9], weight[:9], [0, 1, 2])
    by_name = MLPClassifier(**SMALL).partial_fit(
        X[:9], y[:9], sample_weight=weight[:9], classes=[0, 1, 2]
    )
    np.testing.assert_array_equal(by_place.coefs_[0], by_name.coefs_[0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_length_that_only_fits_noise(kind):
    """scikit-learn's max_iter is a bound; that of a schedule is a length."""
    X, y = data(kind)
    net = kind((50,), max_iter=1000, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"max_iter=1000 .*after epoch \d+\."):
        net.fit(X, y)
    # What it advises, and what is meant to be long, gives no warning.
    for other in (
        {"max_iter": "auto"},
        {"max_iter": 20},
        {"early_stopping": True},
        {"dropout": 0.2, "max_iter": 100},
        {"l2": [0, 1e-3]},
    ):
        kind(**net.get_params() | other).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constant = kind(**net.get_params() | {"learning_rate": "constant"}).fit(X, y)
    assert constant.n_iter_ < 1000


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=40),
    st.integers(1, 5),
    st.sampled_from([0, 1, 2]),
)
def test_the_last_improvement_is_where_scikit_learns_loop_counts_from(
    losses, patience, tol
):
    """Against its loop: a counter of epochs without an improvement by tol."""
    best, count, expected = np.inf, 0, None
    for epoch, loss in enumerate(losses, start=1):
        count = count + 1 if loss > best - tol else 0
        best = min(best, loss)
        if count > patience:
            expected = epoch - count
            break
    assert last_improvement(losses, tol, patience) == expected
