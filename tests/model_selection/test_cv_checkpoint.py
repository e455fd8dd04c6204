"""Estimators that tune themselves go on after a kill, and give the same result."""

import warnings
from unittest import mock

import numpy as np
import pytest
import skorch.callbacks
from _checkpoints import Killed
from _tuned import KINDS, fitted, make, network, numbers, rows
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import make_scorer

from skreg import MLPClassifierCV
from skreg.fusion.checkpoint import Checkpoint
from skreg.model_selection import pilot
from skreg.model_selection.heat import Heat
from skreg.training.run import Run

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
]
# Of each, candidates that drop out, that fail, or that are in several stacks.
SEARCHES = {
    "halving": {"n_candidates": 6, "n_ensemble": 2},
    "again": {"n_candidates": 6, "n_ensemble": 2, "refit": True},
    "random": {"strategy": "random", "refit": False},
    "bayes": {"strategy": "bayes", "n_candidates": 8},
    "layers": {"param_distributions": {"hidden_layer_sizes": [(4,), (3, 3), ()]}},
    "noise": {"param_distributions": {"dropout": [0.1, 0.5], "ema_decay": [0.0, 0.9]}},
    "lbfgs": {"own": {"solver": "lbfgs"}, "refit": True},
    "without early stopping": {"own": {"early_stopping": False}, "refit": True},
}


def outcome(search):
    """Return what a search has found, without its times."""
    X, _ = rows(type(search))
    results = {k: v for k, v in search.cv_results_.items() if "time" not in k}
    found = [repr(results), repr(search.curves_), repr(search.best_params_)]
    if hasattr(search, "estimators_"):
        found += [numbers(search, X).tobytes(), search.weights_.tobytes()]
        found += [model.n_iter_ for model in search.estimators_]
    return found


def deadly(n_times):
    """Return a patch under which every call of fit writes that often and is killed."""
    write, n_left = Checkpoint.write, n_times

    def wrapper(self, path, records):
        nonlocal n_left
        write(self, path, records)
        n_left -= 1
        if n_left == 0:
            n_left = n_times
            raise Killed

    return mock.patch.object(Checkpoint, "write", wrapper)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SEARCHES)
def test_killed_again_and_again(kind, name, tmp_path):
    options = SEARCHES[name]
    expected, search, n_kills = outcome(fitted(kind, **options)), None, 0
    kept = {"checkpoint": tmp_path / "kept", "checkpoint_interval": 0}
    with deadly(5):
        while search is None:
            try:
                search = fitted(kind, **options, **kept)
            except Killed:
                n_kills += 1
    assert n_kills > 0
    assert outcome(search) == expected
    # It is read from then on, whatever the interval is.
    with mock.patch.object(Run, "advance", side_effect=AssertionError):
        again = fitted(kind, **options, checkpoint=tmp_path / "kept")
    assert outcome(again) == expected


def test_candidates_that_fail(tmp_path):
    """They fail again, because errors are not kept."""
    space = {"learning_rate_init": [0.01, 0.03, 1e200]}
    options = {"param_distributions": space, "strategy": "grid"}
    kept = {"checkpoint": tmp_path, "checkpoint_interval": 0}
    searches = []
    with deadly(7):
        while not searches:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    searches.append(fitted(MLPClassifierCV, **options, **kept))
                except Killed:
                    pass
    with pytest.warns(FitFailedWarning, match="1 of 3 candidates"):
        searches.append(fitted(MLPClassifierCV, **options))
    found, expected = (search.cv_results_ for search in searches)
    for name in ("mean_test_score", "n_epochs", "rung"):
        np.testing.assert_array_equal(found[name], expected[name])


CHANGED = {
    "random_state": 1,
    "scoring": "accuracy",
    "n_candidates": 2,
    "n_ensemble": 1,
    "max_time": 1e6,
    "param_distributions": {"l2": [1e-3, 1e-2, 1.0]},
    "estimator": network(MLPClassifierCV, l1=1e-3),
    "cv": 2,
}


@pytest.mark.parametrize("name", CHANGED)
def test_another_search_is_not_mixed_up(name, tmp_path):
    fitted(MLPClassifierCV, checkpoint=tmp_path)
    options = {name: CHANGED[name]}
    expected = outcome(fitted(MLPClassifierCV, **options))
    assert outcome(fitted(MLPClassifierCV, **options, checkpoint=tmp_path)) == expected


@pytest.mark.parametrize("what", ["targets", "weights", "inputs"])
def test_other_data_are_not_mixed_up(what, tmp_path):
    X, y = rows(MLPClassifierCV)
    make(MLPClassifierCV, checkpoint=tmp_path).fit(X, y)
    weight = np.linspace(1, 2, len(y)) if what == "weights" else None
    X, y = (X + np.eye(*X.shape), y) if what == "inputs" else (X, y)
    y = np.array(["b", "c", "a"])[y] if what == "targets" else y
    expected = make(MLPClassifierCV).fit(X, y, weight)
    found = make(MLPClassifierCV, checkpoint=tmp_path).fit(X, y, weight)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    np.testing.assert_array_equal(found.classes_, expected.classes_)


@pytest.mark.parametrize(
    "survivors",
    [None, 5, "all", [[7]], [[0, 1, 2], [-1]], [[]], [[0.0]], [[True]], [[0]] * 9],
)
def test_survivors_that_are_none(survivors, tmp_path):
    """Of a file that somebody has changed and whose digests are valid."""
    expected = outcome(fitted(MLPClassifierCV))

    def keep(heat):
        heat.file.save(heat.race.records(), {"survivors": survivors})

    with mock.patch.object(Heat, "_keep", keep):
        fitted(MLPClassifierCV, checkpoint=tmp_path)
    assert outcome(fitted(MLPClassifierCV, checkpoint=tmp_path)) == expected


def test_a_damaged_file(tmp_path):
    expected = outcome(fitted(MLPClassifierCV, checkpoint=tmp_path))
    (path,) = tmp_path.iterdir()
    for content in (path.read_bytes()[:-1], b"", b"\0" * 99):
        path.write_bytes(content)
        with pytest.warns(UserWarning, match="trained anew"):
            found = outcome(fitted(MLPClassifierCV, checkpoint=tmp_path))
        assert found == expected


def metric(y, predictions):
    return -np.abs(y - predictions).mean()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "options, match",
    [
        ({"random_state": None}, "integer random_state"),
        ({"random_state": np.random.RandomState(0)}, "integer random_state"),
        ({"scoring": make_scorer(metric)}, "names for its monitor and for scoring"),
        ({"own": {"callbacks": [skorch.callbacks.Callback()]}}, "leave callbacks"),
        ({"own": {"augment": lambda X, rng: X}}, "no function in augment"),
        ({"checkpoint": 5}, "checkpoint"),
        ({"checkpoint": ""}, "checkpoint must be the path"),
        ({"checkpoint_interval": -1}, "checkpoint_interval"),
    ],
)
def test_what_cannot_be_kept(kind, options, match, tmp_path):
    with pytest.raises(ValueError, match=match):
        fitted(kind, **({"checkpoint": tmp_path} | options))


def test_the_limit_on_the_time_still_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(pilot, "affordable", lambda seconds, limit, *numbers: numbers)
    long = {"own": {"max_iter": 10**6, "n_iter_no_change": 10**6}}
    for _ in range(2):  # the second one is read
        search = fitted(MLPClassifierCV, **long, max_time=0.3, checkpoint=tmp_path)
        assert 0 < search.cv_results_["n_epochs"].max() < 10**5
