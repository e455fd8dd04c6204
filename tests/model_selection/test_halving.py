"""The estimators that tune themselves: candidates of several rungs and kinds."""

import numpy as np
import pytest
from _tuned import KINDS, NETWORKS
from scipy.stats import loguniform, randint, uniform

from skreg import MLPClassifierCV, OffOr
from skreg.model_selection.halving import halving_plan
from skreg.model_selection.race import Race
from skreg.model_selection.strategies import drawn

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rows(n_samples=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4))
    return X, (X[:, 0] + 0.3 * rng.normal(size=n_samples) > 0).astype(int)


def test_halving_plan():
    assert halving_plan(16, 4, 60) == ([16, 8, 4], [15, 30, 60])
    assert halving_plan(1, 4, 60) == ([1], [60])
    assert halving_plan(3, 1, 8) == ([3, 2, 1], [2, 4, 8])


@pytest.mark.parametrize("hidden", [(), (8,)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_full_batch_solver_does_not_pause(kind, hidden):
    """It is done in the first rung, and the rungs that follow have nothing to do."""
    X, y = rows()
    network = NETWORKS[kind](hidden, solver="lbfgs", max_iter=30)
    search = kind(network, random_state=0).fit(X, y)
    assert np.isfinite(search.scores_).all()
    # As those that train on, it would be the worst candidates that were chosen.
    best = search.cv_results_["mean_test_score"].argmax()
    assert search.best_index_ == best


def test_each_candidate_has_its_own_length():
    X, y = rows()
    network = NETWORKS[MLPClassifierCV]((4,), max_iter=8, learning_rate="cosine")
    space = {"max_iter": [20], "l2": [1e-3, 1e-2, 1e-1]}
    search = MLPClassifierCV(
        network, param_distributions=space, n_ensemble=1, random_state=0
    ).fit(X, y)
    assert sorted(search.cv_results_["n_epochs"]) == [2, 4, 20]


def test_draws_share_out_the_ranges():
    """A Latin hypercube: one candidate in each twelfth of each distribution."""
    space = {
        "l2": loguniform(1e-4, 1e-1),
        "batch_size": randint(10, 22),
        "dropout": OffOr(uniform(0.1, 0.4), probability=0.5),
        "activation": ["relu", "tanh", "silu"],
    }
    candidates = drawn(space, 12, np.random.RandomState(0))
    twelfths = [
        12 * (np.log10(candidate["l2"]) + 4) / 3 // 1 for candidate in candidates
    ]
    assert sorted(twelfths) == list(range(12))
    assert sorted(c["batch_size"] for c in candidates) == list(range(10, 22))
    assert {type(c["batch_size"]) for c in candidates} == {int}
    on = sorted(c["dropout"] for c in candidates if c["dropout"])
    assert len(on) == 6
    np.testing.assert_array_equal((np.array(on) - 0.1) * 15 // 1, range(6))
    counts = [c["activation"] for c in candidates]
    assert {name: counts.count(name) for name in counts} == dict.fromkeys(
        space["activation"], 4
    )


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_fitted(error, monkeypatch):
    X, y = rows()
    network = NETWORKS[MLPClassifierCV]((4,), max_iter=4)
    search = MLPClassifierCV(network, n_candidates=2, random_state=0).fit(X, y)
    before = search.predict_proba(X)

    def fail(self, epoch, in_turns=False):
        raise error

    monkeypatch.setattr(Race, "advance", fail)
    with pytest.raises(error):
        search.fit(np.hstack([X, X]), np.arange(60) % 3)
    assert search.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(search.predict_proba(X), before)


def test_seeds_are_not_searched():
    X, y = rows()
    with pytest.raises(ValueError, match="must not contain 'random_state'"):
        MLPClassifierCV(param_distributions={"random_state": [0, 1]}).fit(X, y)


def test_stacks_take_turns_under_a_deadline():
    """So that candidates of several layouts are equally far when the time is over."""
    X, y = rows()
    space = {"hidden_layer_sizes": [(4,), (5,)], "l2": [1e-3]}
    search = MLPClassifierCV(
        NETWORKS[MLPClassifierCV](max_iter=100_000, learning_rate="constant", tol=0.0),
        param_distributions=space,
        strategy="random",
        max_time=0.5,
        random_state=0,
    ).fit(X, y)
    one, other = search.cv_results_["n_epochs"]
    assert 1 < one < 100_000
    assert abs(one - other) <= 1


def test_few_rows_have_few_folds():
    X, y = rows(6)
    y = np.array([0, 0, 0, 1, 1, 1])
    network = NETWORKS[MLPClassifierCV]((4,), max_iter=4)
    search = MLPClassifierCV(network, n_candidates=2, random_state=0)
    assert search.fit(X, y).n_splits_ == 3
    with pytest.raises(ValueError, match="n_splits=5 cannot be greater"):
        search.set_params(cv=5).fit(X, y)
