"""Time limits: fewer candidates and rows, rather than one epoch of all."""

import math

import numpy as np
import pytest
from _tuned import KINDS, fitted, make, numbers, rows
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skreg import MLPClassifier, MLPClassifierCV
from skreg.model_selection import heat, pilot
from skreg.model_selection.pilot import affordable

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@given(
    limit=st.floats(1e-3, 1e6),
    n_candidates=st.integers(1, 30),
    n_rows=st.integers(1, 10**6),
    power=st.sampled_from([1.0, 0.7, 1.3]),
)
def test_what_is_affordable(limit, n_candidates, n_rows, power):
    def seconds(n, rows):
        return (n * rows) ** power / 1000

    n, kept = affordable(seconds, limit, n_candidates, n_rows)
    assert 1 <= n <= n_candidates and min(n_rows, 1000) <= kept <= n_rows
    if seconds(n_candidates, n_rows) <= limit:
        assert (n, kept) == (n_candidates, n_rows)
    elif kept == n_rows and n > 4:
        # As many candidates as the time suffices for.
        assert seconds(n, kept) <= limit < seconds(n + 1, kept)
    elif kept > 10_000:
        # Few candidates, and as many rows as the time suffices for.
        assert n == min(4, n_candidates)
    if power == 1:
        assert seconds(n, kept) <= limit * (1 + 1e-9) or n == 1


def test_the_plan_of_halving_is_that_of_its_rungs():
    """12 candidates for 8 epochs, 6 for 8 more, 3 for 16 more."""
    assert pilot._epochs_of_halving(12, 3, 32) == 12 * 8 + 6 * 8 + 3 * 16


@pytest.mark.parametrize("kind", KINDS)
def test_enough_time_changes_nothing(kind):
    plain = fitted(kind)
    limited = fitted(kind, max_time=1000)
    assert_array_equal(limited.scores_, plain.scores_)
    X, _ = rows(kind)
    assert_array_equal(numbers(limited, X), numbers(plain, X))


def slow(monkeypatch, seconds):
    """Let the trial tell that a row takes a time."""
    monkeypatch.setattr(pilot, "_seconds_per_row", lambda *args: seconds)


@pytest.mark.parametrize("strategy", ["halving", "random", "bayes"])
@pytest.mark.parametrize("kind", KINDS)
def test_fewer_candidates(kind, strategy, monkeypatch):
    """Trained as if no more had been asked for."""
    options = {
        "strategy": strategy,
        "param_distributions": {"dropout": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]},
    }
    X, y = rows(kind)
    expected = make(kind, n_candidates=5, **options).fit(X, y)
    # 5 candidates take 100 s, or 80 s in two rungs, and 6 take 120 s, or 90 s.
    slow(monkeypatch, 100 / (5 * 12 * 60 * 3))
    seconds = (85 if strategy == "halving" else 110) / (0.9 * pilot.PLANNED)
    limited = make(kind, n_candidates=7, max_time=seconds, **options)
    with pytest.warns(UserWarning, match="suffices for 5 of 7 candidates. Increase"):
        limited.fit(X, y)
    assert_array_equal(limited.scores_, expected.scores_)


def test_fewer_rows(monkeypatch):
    """The folds have parts of their rows, of the same share."""
    X, y = rows(MLPClassifierCV, n_samples=3000)
    network = MLPClassifier((4,), max_iter=2, early_stopping=True)
    search = MLPClassifierCV(
        network, param_distributions={"l2": [0.1]}, cv=3, max_time=100, random_state=0
    )
    seen = []
    enter = heat.entered

    def entered(prototype, params, data, fold, seed):
        seen.append(fold)
        return enter(prototype, params, data, fold, seed)

    monkeypatch.setattr(heat, "entered", entered)
    slow(monkeypatch, 100 * 0.9 * pilot.PLANNED / (2 * 1500 * 3))
    match = r"suffices for 1 of 1 candidates on 1(499|500) of 2000 training rows"
    with pytest.warns(UserWarning, match=match) as caught:
        search.fit(X, y)
    assert caught[0].filename == __file__
    assert {len(train) for train, _ in seen} <= set(range(1480, 1501))
    assert {len(test) for _, test in seen} <= set(range(740, 751))
    for train, test in seen:
        assert not set(train) & set(test) and len(set(train)) == len(train)
    assert search.score(X, y) > 0.5


def test_a_grid_keeps_its_candidates(monkeypatch):
    slow(monkeypatch, 1e9)
    search = fitted(MLPClassifierCV, strategy="grid", max_time=1000)
    assert len(search.scores_) == 3


def test_rungs_are_those_that_were_trained_in(monkeypatch, capsys):
    """The time is over in the first rung of three."""
    X, y = rows(MLPClassifierCV)
    slow(monkeypatch, 0.0)
    calls = iter([False] * 3 + [True] * 10**6)
    monkeypatch.setattr(
        "skreg.model_selection.deadline.Deadline.has_passed",
        property(lambda self: next(calls)),
    )
    search = make(
        MLPClassifierCV,
        {"max_iter": 40},
        param_distributions={"l2": list(np.logspace(-4, 0, 8))},
        n_candidates=8,
        n_ensemble=2,
        max_time=1000,
        verbose=True,
    ).fit(X, y)
    n_epochs = search.cv_results_["n_epochs"]
    assert set(search.cv_results_["rung"]) == {0}
    assert n_epochs.max() < math.ceil(40 / 4)
    printed = capsys.readouterr().out
    assert printed.startswith(f"rung 1: 8 candidates, {n_epochs.max()} epochs")
    assert "rung 2" not in printed
