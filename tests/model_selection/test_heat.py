"""Candidates that train side by side, of several rungs and kinds."""

import numpy as np
import pytest
from _tuned import KINDS, NETWORKS
from sklearn.exceptions import FitFailedWarning

from skreg import MLPClassifierCV
from skreg.model_selection.race import Race

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rows(n_samples=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4))
    return X, (X[:, 0] + 0.3 * rng.normal(size=n_samples) > 0).astype(int)


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


def test_stacks_take_turns_under_a_deadline():
    """So that candidates of several layouts are equally far when the time is over."""
    X, y = rows()
    space = {"hidden_layer_sizes": [(4,), (5,)], "l2": [1e-3]}
    search = MLPClassifierCV(
        NETWORKS[MLPClassifierCV](
            max_iter=100_000, learning_rate="constant", n_iter_no_change=100_000
        ),
        param_distributions=space,
        strategy="random",
        max_time=0.5,
        random_state=0,
    ).fit(X, y)
    one, other = search.cv_results_["n_epochs"]
    assert 1 < one < 100_000
    assert abs(one - other) <= 1


def test_a_candidate_with_an_infinite_score_is_not_chosen():
    X, y = rows()

    def scoring(network, X, y):
        return np.inf if network.l2 > 0.05 else network.score(X, y)

    search = MLPClassifierCV(
        NETWORKS[MLPClassifierCV]((4,), max_iter=4),
        param_distributions={"l2": [0.1, 0.01]},
        strategy="grid",
        scoring=scoring,
        random_state=0,
    )
    with pytest.warns(FitFailedWarning, match="1 of 2 candidates .* not finite"):
        search.fit(X, y)
    assert search.best_params_ == {"l2": 0.01}
