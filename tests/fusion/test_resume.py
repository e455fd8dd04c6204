"""Training that was killed goes on where it was, and ends with the same bits."""

import signal
import sys
import time
from dataclasses import replace
from functools import cache, partial
from unittest import mock

import cloudpickle
import numpy as np
import pytest
from _checkpoints import FITS, Deadly, Killed, bits, prepared, same
from _estimators import data
from _fitted import prepared_request
from _processes import exit_code, started
from _varied import classes, everything
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

import skreg
from skreg import MLPClassifier
from skreg.fusion.checkpoint import Checkpoint, StackFile
from skreg.fusion.dispatch import train_and_keep
from skreg.training.run import Run
from skreg.training.train import train, train_stack

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
]

ORIGINAL = Run._end_epoch


def killed(requests, directory, n_times):
    """Train until the fits have been written a number of times. Return the results.

    None if the training was killed before its end.
    """
    try:
        return train_and_keep(requests, Deadly(directory, n_times))
    except Killed:
        return None


def without_times(result):
    return replace(result, seconds=0.0)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert same(without_times(one), without_times(other))


@cache
def uninterrupted(name):
    return train([prepared(name)[1]])


# Few for each of a hundred kinds. With every epoch of all of them, it takes minutes.
@pytest.mark.parametrize("name", FITS)
@settings(max_examples=settings.default.max_examples // 25)
@given(share=st.floats(0, 1))
def test_a_fit_of_any_kind_goes_on(name, share, tmp_path_factory):
    """Killed after any epoch, or iteration of the polish."""
    expected, directory = uninterrupted(name), tmp_path_factory.mktemp("kept")
    n_epochs = expected[0].tracker.n_iter
    n_killed = max(1, round(share * n_epochs))
    results = killed([prepared(name)[1]], directory, n_killed)
    with mock.patch.object(Run, "_end_epoch", autospec=True) as counted:
        counted.side_effect = ORIGINAL
        if results is None:
            results = train_and_keep([prepared(name)[1]], Checkpoint(directory))
    assert_same(results, expected)
    # The epochs before are not trained again. The last one is not written by itself.
    assert counted.call_count <= max(0, n_epochs - n_killed)
    assert len(list(directory.iterdir())) == 1


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings(max_examples=settings.default.max_examples // 8)
@given(kills=st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_a_stack_of_fits_that_differ_in_all_goes_on(
    solver, dtype, kills, tmp_path_factory
):
    """Killed several times, with models that end at different epochs."""
    requests = [
        prepared_request(estimator, *classes(40 + 20 * seed, seed), seed=seed)
        for seed, estimator in enumerate(everything(dtype, solver=solver))
    ]
    expected, directory = train(requests), tmp_path_factory.mktemp("kept")
    results = None
    for n_times in kills:
        if results is None:
            results = killed(requests, directory, n_times)
    assert_same(results or train_and_keep(requests, Checkpoint(directory)), expected)


def of_seeds(seeds, **parameters):
    network = MLPClassifier((5,), **({"max_iter": 9, "batch_size": 16} | parameters))
    X, y = data(MLPClassifier)
    return [prepared_request(network, X, y, seed=seed) for seed in seeds]


@pytest.mark.parametrize("seeds", [range(1, 3), range(4), range(2, 6), range(6)])
def test_other_companions(seeds, tmp_path):
    """Fits of a stack go on in another one, and equal those trained alone."""
    assert killed(of_seeds(range(4)), tmp_path, 5) is None
    with mock.patch.object(Run, "_end_epoch", autospec=True) as counted:
        counted.side_effect = ORIGINAL
        results = train_and_keep(of_seeds(seeds), Checkpoint(tmp_path))
    # Four epochs of those that were begun, and nine of the others.
    assert counted.call_count == 4 + 9 * (not set(seeds) <= set(range(4)))
    for request, result in zip(of_seeds(seeds), results):
        (alone,) = train([request])
        for one, other in zip(result.state, alone.state):
            # A stack sums in another order than a network alone.
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
        assert result.tracker.n_iter == 9
    # The file of the stack remains while there are fits that only it holds.
    n_left = len(list(tmp_path.glob("*.training")))
    assert n_left == (not set(range(4)) <= set(seeds))


def test_fits_that_ended_before_are_companions_again(tmp_path):
    """A kill between the writing of two results does not change the bits."""
    requests = of_seeds(range(4))
    expected = train(requests)
    # Eight epochs and two results.
    assert killed(requests, tmp_path, 10) is None
    assert len(list(tmp_path.glob("*.safetensors"))) == 2
    assert_same(train_and_keep(requests, Checkpoint(tmp_path)), expected)
    assert len(list(tmp_path.iterdir())) == 4


def test_fits_that_stopped_early_are_not_trained_again(tmp_path):
    """Those of a stack whose others were still in training when it was killed."""
    requests = [
        replace(request, max_iter=n_epochs)
        for n_epochs, request in zip((3, 9, 9), of_seeds(range(3)))
    ]
    expected = train(requests)
    assert killed(requests, tmp_path, 5) is None
    with mock.patch("skreg.training.train.run", wraps=skreg.training.train.run) as runs:
        assert_same(train_and_keep(requests, Checkpoint(tmp_path)), expected)
    assert [len(call.args[0]) for call in runs.call_args_list] == [2]


def test_times_are_those_of_all_calls(tmp_path):
    (request,) = of_seeds([0], max_iter=40)
    with mock.patch.object(Run, "_end_epoch", autospec=True) as slow:
        slow.side_effect = lambda *args: (time.sleep(0.01), ORIGINAL(*args))[1]
        assert killed([request], tmp_path, 20) is None
    (result,) = train_and_keep([request], Checkpoint(tmp_path))
    assert result.seconds > 20 * 0.01


def test_fits_that_are_not_kept_train_beside_others(tmp_path):
    requests = of_seeds(range(3))
    hooked = replace(requests[1], on_epoch=lambda tracker, state: False)
    requests = [requests[0], hooked, requests[2]]
    expected = train(requests)
    assert killed(requests, tmp_path, 5) is None
    results = train_and_keep(requests, Checkpoint(tmp_path))
    for one, other in zip(results, expected):
        for array, like in zip(one.state, other.state):
            np.testing.assert_allclose(array, like, rtol=1e-9, atol=1e-12)
    assert len(list(tmp_path.iterdir())) == 2


def test_stacks_in_other_processes_are_written_there(tmp_path):
    requests = Checkpoint(tmp_path).resumed(of_seeds(range(2)))
    work = partial(train_stack, keep=Checkpoint(tmp_path, interval=0))
    cloudpickle.loads(cloudpickle.dumps(work))(requests)
    (path,) = tmp_path.iterdir()
    again = Checkpoint(tmp_path).resumed(of_seeds(range(2)))
    assert [request.resume.n_iter for request in again] == [8, 8]
    Checkpoint(tmp_path).end(requests)
    assert not path.exists()


class TestInterval:
    @pytest.mark.parametrize(
        "interval, cost, due",
        [
            # After a second, then after a tenth of the time, then every minute.
            (None, 0.0, [1, 2, 6, 10, 100, 1000, 1060, 5000]),
            (None, 0.1, [1, 6, 11, 100, 1000, 1060, 5000]),
            (0, 0.1, [0, 1, 2, 6, 10, 11, 100, 110, 1000, 1059, 1060, 5000]),
            (50, 0.0, [100, 1000, 1059, 5000]),
        ],
    )
    def test_when_fits_are_written(self, interval, cost, due, tmp_path):
        checkpoint, now = Checkpoint(tmp_path, interval), 0.0
        with mock.patch("skreg.fusion.checkpoint.time.monotonic", lambda: now):
            with mock.patch.object(Checkpoint, "write"):
                file, found = StackFile(checkpoint, tmp_path / "a", ["a"]), []
                for now in (0, 1, 2, 6, 10, 11, 100, 110, 1000, 1059, 1060, 5000):
                    if file.is_due():
                        file.save([None])
                        file._cost = cost
                        found.append(now)
        assert found == due

    @pytest.mark.parametrize("value", [-1, np.nan, np.inf, "1", True, [1]])
    def test_what_is_no_interval(self, value, tmp_path):
        with pytest.raises(ValueError, match="checkpoint_interval must be") as caught:
            with skreg.fused(checkpoint=tmp_path, checkpoint_interval=value):
                pass
        assert repr(value) in str(caught.value)


def kept_search(folder):
    """Return the bits of what a search finds, and the number of its epochs."""
    network = MLPClassifier(
        (8,), max_iter=300, dropout=0.1, batch_size=16, random_state=0
    )
    search = GridSearchCV(network, {"l2": [0.0, 0.01], "ema_decay": [0.0, 0.9]}, cv=3)
    with mock.patch.object(Run, "_end_epoch", autospec=True) as counted:
        counted.side_effect = ORIGINAL
        with skreg.fused(checkpoint=folder, checkpoint_interval=0.02):
            search.fit(*load_iris(return_X_y=True))
    scores = [search.cv_results_[f"split{n}_test_score"] for n in range(3)]
    return bits([scores, search.best_estimator_.coefs_]), counted.call_count


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_search_that_is_killed_again_and_again(tmp_path):
    """Each call goes on, so that a few short ones do what a long one does."""
    expected, n_epochs = kept_search(tmp_path / "whole")
    folder = tmp_path / "killed"
    for _ in range(3):
        process = started(
            "from test_resume import kept_search; kept_search(*arguments)", folder
        )
        # Whatever the time of a write is, something is kept by then.
        while process.is_alive() and not any(folder.glob("*.training")):
            time.sleep(0.001)
        process.kill()
        assert exit_code(process) == -signal.SIGKILL
    found, n_last = kept_search(folder)
    assert found == expected
    # What was kept is not trained again.
    assert n_last < n_epochs
    assert {path.suffix for path in folder.iterdir()} == {".safetensors"}


def test_a_search_through_fused(tmp_path):
    X, y = data(MLPClassifier)
    network = MLPClassifier((5,), max_iter=12, dropout=0.2, random_state=0)

    def search():
        found = GridSearchCV(network, {"l2": [0.0, 0.1]}, cv=3)
        with skreg.fused(checkpoint=tmp_path / "kept", checkpoint_interval=0):
            found.fit(X, y)
        scores = [found.cv_results_[f"split{n}_test_score"] for n in range(3)]
        return bits([scores, found.best_estimator_.coefs_])

    with skreg.fused():
        alone = GridSearchCV(network, {"l2": [0.0, 0.1]}, cv=3).fit(X, y)
    n_writes, write = 0, Checkpoint.write

    def deadly(self, path, records):
        nonlocal n_writes
        write(self, path, records)
        n_writes += 1
        if n_writes in (4, 9, 15, 17, 21):
            raise Killed

    n_kills, found = 0, None
    with mock.patch.object(Checkpoint, "write", deadly):
        while found is None:
            try:
                found = search()
            except Killed:
                n_kills += 1
    assert n_kills == 5
    scores = [alone.cv_results_[f"split{n}_test_score"] for n in range(3)]
    assert found == bits([scores, alone.best_estimator_.coefs_])
