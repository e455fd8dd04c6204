"""The time limit of a comparison: shares, splits that are left out, and the clock."""

import json
import time

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline

from skreg import MLPRegressorCV, compare
from skreg.comparison.budget import LEAST_SHARE, Budget, time_parameter
from skreg.comparison.commandline import main

X, Y = load_diabetes(return_X_y=True)


class Sleeper(RegressorMixin, BaseEstimator):
    """Takes its whole time limit, and `excess` seconds more."""

    def __init__(self, max_time=None, excess=0.0):
        self.max_time = max_time
        self.excess = excess

    def fit(self, X, y):
        time.sleep((self.max_time or 0.0) + self.excess)
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


class Watch:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def simulate(seconds, n_splits, quick, excess=0.0, need=np.inf, own=None):
    """Run a comparison whose fits take known times, one after another."""
    watch = Watch()
    models = {"quick": Ridge(), "slow": make_pipeline(Sleeper(own))}
    budget = Budget(models, n_splits, seconds, clock=watch)
    fits = []
    for name, split, share in budget.tasks():
        taken = quick if share is None else min(share, need) + excess
        watch.now += taken
        budget.record(name, taken, share)
        fits.append((name, split, share))
    return fits, watch.now - 100.0


def test_what_is_left_is_shared_evenly():
    fits, taken = simulate(60.0, 5, quick=2.0)
    assert [fit[:2] for fit in fits[:4]] == [
        ("quick", 0),
        ("slow", 0),
        ("quick", 1),
        ("slow", 1),
    ]
    shares = [share for name, _, share in fits if name == "slow"]
    # 60 seconds less five times 2, over five.
    np.testing.assert_allclose(shares, 10.0)
    assert taken == pytest.approx(60.0)


def test_time_that_a_fit_does_not_need_goes_to_the_others():
    fits, taken = simulate(60.0, 5, quick=2.0, need=4.0)
    shares = [share for name, _, share in fits if name == "slow"]
    # After the first, 46 - 4 seconds are left for four.
    np.testing.assert_allclose(shares[:2], [10.0, (60 - 2 - 4 - 4 * 2) / 4])
    assert taken == pytest.approx(5 * 6.0)


def test_the_excess_of_stopped_fits_is_learnt():
    fits, taken = simulate(60.0, 5, quick=0.0, excess=1.0)
    shares = [share for name, _, share in fits if name == "slow"]
    assert shares[0] == pytest.approx(12.0)
    # 47 seconds over four, less one.
    np.testing.assert_allclose(shares[1:], 47 / 4 - 1)
    assert taken == pytest.approx(60.0)


def test_splits_are_left_out_whole_where_the_time_is_too_short():
    fits, taken = simulate(10.0, 20, quick=1.0)
    names = [name for name, _, _ in fits]
    assert names.count("quick") == names.count("slow") == 5
    assert {share for _, _, share in fits} == {None, LEAST_SHARE}
    assert taken <= 10.0


def test_two_splits_are_done_in_any_case():
    fits, _ = simulate(1e-9, 7, quick=1.0)
    assert [split for _, split, _ in fits] == [0, 0, 1, 1]


def test_an_estimators_own_limit_counts_as_well():
    fits, _ = simulate(60.0, 5, quick=2.0, own=3.0)
    assert {share for name, _, share in fits if name == "slow"} == {3.0}
    fits, _ = simulate(None, 5, quick=2.0, own=3.0)
    assert {share for name, _, share in fits if name == "slow"} == {3.0}


def test_without_a_bound_nothing_is_limited():
    fits, _ = simulate(None, 5, quick=2.0, need=50.0)
    assert len(fits) == 10
    assert {share for _, _, share in fits} == {None}


def test_workers_share_in_rounds():
    budget = Budget({"slow": Sleeper()}, 5, 30.0, n_workers=2, clock=Watch())
    shares = [share for _, _, share in budget.tasks()]
    # At the same instant: 3 rounds, of 5 and 4 fits left 3 and 2, and so on.
    np.testing.assert_allclose(shares, [10.0, 15.0, 15.0, 30.0, 30.0])


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (MLPRegressorCV(), "max_time"),
        (make_pipeline(MLPRegressorCV()), "mlpregressorcv__max_time"),
        (GridSearchCV(MLPRegressorCV(), {"n_candidates": [1]}), "estimator__max_time"),
        (Ridge(), None),
    ],
)
def test_time_parameter(estimator, expected):
    assert time_parameter(estimator) == expected


# compare


def test_compare_keeps_to_its_time_and_says_what_it_left_out():
    models = {"mean": DummyRegressor(), "slow": make_pipeline(Sleeper(excess=0.1))}
    start = time.monotonic()
    result = compare(models, X, Y, cv=KFold(10), max_time=4.0)
    taken = time.monotonic() - start
    # The last fit may exceed its share by 0.1 s; the rest is for a busy machine.
    assert taken < 4.0 + 2.0
    n_done = len(result.n_train)
    assert 2 <= n_done <= 4
    assert result.n_planned == 10
    assert all(len(scores) == n_done for scores in result.scores.values())
    assert len(result.n_test) == len(result.chosen["slow"]) == n_done
    assert result.time_limits["slow"][0] == LEAST_SHARE
    assert result.time_limits["mean"] == [None] * n_done
    assert (result.n_stopped("slow"), result.n_stopped("mean")) == (n_done, 0)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["n_planned"] == 10


def test_enough_time_changes_nothing():
    models = {"mean": DummyRegressor(), "ridge": Ridge()}
    free = compare(models, X, Y, cv=3)
    bound = compare(models, X, Y, cv=3, max_time=600)
    np.testing.assert_array_equal(free.scores["ridge"], bound.scores["ridge"])
    assert free.n_planned == bound.n_planned == 3


def test_splits_are_the_first_ones():
    models = {"mean": DummyRegressor(), "slow": Sleeper(excess=0.05)}
    free = compare(models, X, Y, cv=KFold(6))
    bound = compare(models, X, Y, cv=KFold(6), max_time=0.01)
    np.testing.assert_array_equal(bound.scores["mean"], free.scores["mean"][:2])


@pytest.mark.parametrize("max_time", [0, -1, "1", np.nan])
def test_bad_max_time(max_time):
    models = {"mean": DummyRegressor(), "ridge": Ridge()}
    with pytest.raises(ValueError, match="'max_time' parameter of compare must be"):
        compare(models, X, Y, max_time=max_time)


# the command line


def test_a_search_that_leaves_out_candidates_was_stopped():
    """The count says so, and no warning of a parameter that the user did not give."""
    X, y = load_diabetes(return_X_y=True)
    search = MLPRegressorCV(n_candidates=200, random_state=0)
    models, half = {"mean": DummyRegressor(), "tuned": search}, np.arange(0, 442, 2)
    result = compare(models, X, y, cv=[(half, half + 1)] * 2, max_time=3)
    assert result.cut_searches == {"mean": [False] * 2, "tuned": [True] * 2}
    assert (result.n_stopped("tuned"), result.n_stopped("mean")) == (2, 0)


def test_the_command_keeps_to_its_budget(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    start = time.monotonic()
    command = ["compare", "iris", "--cv", "5", "--repeats", "20", "--budget", "2"]
    code = main([*command, "--output", str(tmp_path)])
    taken = time.monotonic() - start
    out = capsys.readouterr().out
    assert code == 0
    # What is under way at the end is finished, and the page is drawn: 3 s by itself,
    # and more on a busy machine.
    assert taken < 2 + 15
    content = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    n_done = len(content["n_train"])
    assert 2 <= n_done < content["n_planned"] == 100
    assert content["budget"] == 2
    line = f"budget of 2 s: it ended after {n_done} of 100 splits"
    assert line in " ".join(out.split())
    assert line in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert any(line in note for note in content["notes"])


@pytest.mark.parametrize("budget", ["0", "-3", "soon", "nan", "inf", ""])
def test_bad_budgets(budget, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "iris", f"--budget={budget}"])
    message = capsys.readouterr().err
    assert f"argument --budget: expected a number above 0, got {budget!r}" in message
