"""`pruning`, `prune` and `compact` of ensembles."""

import numpy as np
import pytest
from _estimators import ESTIMATORS, STEADY, data
from sklearn.base import clone

from skreg import MLPClassifier, compact, prune
from skreg.estimators.trained import states_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = STEADY | {"hidden_layer_sizes": (8, 6), "batch_size": 16, "random_state": 0}
SMALL |= {"max_iter": 6, "learning_rate_init": 0.01, "n_estimators": 3}
CLOSE = {"rtol": 1e-11, "atol": 1e-11}


@pytest.mark.parametrize("ensemble", ["independent", "shared"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_gradual_pruning(kind, ensemble):
    X, y = data(kind)
    estimator = kind(**SMALL, ensemble=ensemble, pruning=0.7).fit(X, y)
    assert estimator.sparsity_ >= 0.7
    for member in estimator.estimators_:
        assert member.sparsity_ >= 0.7


@pytest.mark.parametrize(
    "settings", [{}, {"learning_rate": "cosine", "n_snapshots": 2}, {"bootstrap": True}]
)
@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_each_member_is_pruned(kind, structured, settings):
    X, y = data(kind)
    estimator = kind(**(SMALL | settings)).fit(X, y)
    before = estimator.predict(X)
    for n_epochs in (0, 2):
        pruned = prune(
            estimator, 0.6, X, y, structured=structured, finetune_epochs=n_epochs
        )
        assert pruned.get_params() == estimator.get_params()
        assert len(states_of(pruned)) == len(states_of(estimator))
        parts = zip(estimator.estimators_, pruned.estimators_, strict=True)
        for own, member in parts:
            alone = prune(
                own, 0.6, X, y, structured=structured, finetune_epochs=n_epochs
            )
            np.testing.assert_array_equal(alone.predict(X), member.predict(X))
        small = compact(pruned)
        np.testing.assert_allclose(small.predict(X), pruned.predict(X), **CLOSE)
        if structured:
            assert sum(small.hidden_layer_sizes) < 14
        for member in small.estimators_:
            assert member.hidden_layer_sizes == small.hidden_layer_sizes
        clone(small).fit(X, y)
    small.set_params(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(estimator.predict(X), before)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_partial_fit_keeps_the_zeros_of_each_member(kind):
    """Of which one may have more than another, such as those of l1."""
    X, y = data(kind)
    estimator = kind(**SMALL, pruning=0.5).fit(X, y)
    first, second, third = estimator.estimators_
    members = first, prune(second, 0.8), third
    fits = [fit for member in members for fit in member._fits]
    estimator._become(estimator._layout, estimator._device, fits)
    before = [[w == 0 for w in m.coefs_] for m in estimator.estimators_]
    estimator.partial_fit(X, y)
    for zeros, member in zip(before, estimator.estimators_, strict=True):
        for was, array in zip(zeros, member.coefs_, strict=True):
            np.testing.assert_array_equal(array == 0, was)


def test_members_that_share_weights():
    X, y = data(MLPClassifier)
    estimator = MLPClassifier(**SMALL, ensemble="shared").fit(X, y)
    pruned = prune(estimator, 0.6, X, y, finetune_epochs=2)
    assert pruned.sparsity_ >= 0.6
    for function in (compact, lambda e: prune(e, 0.5, structured=True)):
        with pytest.raises(
            ValueError, match=r"got ensemble='shared'. Pass the members"
        ):
            function(estimator)
    member = pruned.estimators_[0]
    np.testing.assert_allclose(
        compact(member).predict_proba(X), member.predict_proba(X), **CLOSE
    )
