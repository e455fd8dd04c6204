"""Rare uses of fused searches, which must not go wrong silently."""

import multiprocessing
import random
import signal
import threading
import warnings

import numpy as np
import pytest
from _processes import exit_code, started
from joblib import Parallel, delayed
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, cross_val_score

import skreg
import skreg.training.train
from skreg import MLPClassifier

pytestmark = [
    # Fits of few epochs, on purpose.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning"),
]
X, y = load_iris(return_X_y=True)
X, y = X[::3], y[::3]


def network(**params):
    return MLPClassifier(
        **{"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0} | params
    )


def counted(monkeypatch):
    """Return a list to which the number of models of each stack is added."""
    sizes, original = [], skreg.training.train.run

    def run(requests, *args, **kwargs):
        sizes.append(len(requests))
        return original(requests, *args, **kwargs)

    monkeypatch.setattr(skreg.training.train, "run", run)
    return sizes


class Undecided(MLPClassifier):
    """Predicts the last class for any input."""

    def predict(self, X):
        return np.full(len(X), 2)


class TestCheckpoint:
    def test_the_refit_is_kept(self, tmp_path, monkeypatch):
        sizes = counted(monkeypatch)
        for expected in ([4, 1], []):
            del sizes[:]
            with skreg.fused(checkpoint=tmp_path):
                GridSearchCV(network(), {"l2": [0.0, 0.1]}, cv=2).fit(X, y)
            assert sizes == expected

    def test_subclasses_that_score_otherwise_are_not_mixed_up(self, tmp_path):
        options = {"early_stopping": True, "monitor": "accuracy", "max_iter": 40}
        options |= {"n_iter_no_change": 3, "learning_rate_init": 0.05}
        found = []
        for kind in (MLPClassifier, Undecided):
            model = kind((4,), random_state=0, **options)
            with skreg.fused(checkpoint=tmp_path):
                found.append(model.fit(X, y).n_iter_)
            assert found[-1] == model.fit(X, y).n_iter_
        assert found[0] != found[1]

    def test_callbacks_hear_of_every_fit(self, tmp_path, capsys):
        for _ in range(2):
            with skreg.fused(checkpoint=tmp_path):
                cross_val_score(network(verbose=True), X, y, cv=2)
            assert capsys.readouterr().out.count("Iteration") == 4


class TestProcesses:
    @pytest.mark.skipif(
        "fork" not in multiprocessing.get_all_start_methods(), reason="needs fork"
    )
    # The child forks from a process with threads, which is what is tested.
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_a_forked_child_of_a_task_is_no_task(self):
        def task(queue):
            queue.put(network().fit(X, y).loss_)

        def forks():
            context = multiprocessing.get_context("fork")
            queue = context.SimpleQueue()
            child = context.Process(target=task, args=(queue,))
            child.start()
            child.join(30)
            assert child.exitcode == 0
            return queue.get()

        with skreg.fused():
            (found,) = Parallel()([delayed(forks)()])
        assert found == network().fit(X, y).loss_

    def test_monitors_that_are_functions_stay_here(self):
        seen = []

        def monitor(estimator, X, y):
            seen.append(threading.get_ident())
            return estimator.score(X, y)

        watched = network(early_stopping=True, monitor=monitor)
        with skreg.fused(n_jobs=2):
            cross_val_score(watched, X, y, cv=2)
        assert len(seen) == 4

    @pytest.mark.parametrize("over", ["multiprocessing", "fused", "nothing"])
    def test_backends_that_cannot_do_it_are_refused(self, over):
        with pytest.raises(ValueError, match="over must be the name of a joblib"):
            with skreg.fused(over=over):
                pass


def test_an_error_of_many_fits_is_told_once(monkeypatch):
    def run(requests, *args, **kwargs):
        raise MemoryError("no more")

    monkeypatch.setattr(skreg.training.train, "run", run)
    grid = {"l2": np.linspace(0, 1, 20)}
    with skreg.fused(), pytest.raises(ValueError, match="All the 100 fits") as info:
        GridSearchCV(network(), grid, cv=5).fit(X, y)
    text = str(info.value)
    assert text.count("100 fits failed with the following error") == 1
    assert text.count("MemoryError: no more") == 1 and len(text) < 10_000


def test_a_cancelled_fit_changes_nothing():
    fitted = network().fit(X, y)
    classes, score = fitted.classes_.copy(), fitted.score(X, y)

    def task(number):
        if number == 1:
            raise RuntimeError("stumbled")
        fitted.fit(X, y + 5)

    with skreg.fused(), pytest.raises(RuntimeError, match="stumbled"):
        Parallel()(delayed(task)(number) for number in range(2))
    np.testing.assert_array_equal(fitted.classes_, classes)
    assert fitted.score(X, y) == score


def test_a_generator_that_outlives_its_task():
    def task():
        return Parallel(return_as="generator")(delayed(abs)(-i) for i in range(3))

    with skreg.fused():
        (results,) = Parallel()([delayed(task)()])
        with pytest.raises(RuntimeError, match="before the task ends"):
            list(results)


def test_results_that_only_look_like_times():
    def task():
        return {"fit_time": "1", "score_time": np.zeros(3), "test_scores": None}

    with skreg.fused():
        (found,) = Parallel()([delayed(task)()])
    assert found["fit_time"] == "1"


def test_failing_fits_in_many_rounds():
    """Candidates that fail do not keep others from their scores."""
    grid = {"learning_rate_init": [1e-3, 1e-2, -1.0, 1e-1]}
    search = GridSearchCV(network(), grid, cv=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skreg.fusion.scheduler.MOST_WAITING", 2)
        with skreg.fused(), pytest.warns(FitFailedWarning, match="3 fits failed"):
            search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isnan(scores).tolist() == [False, False, True, False]


# Python reports, and drops, what is raised while it frees a thread.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("untraced")
def test_interrupts_at_any_moment():
    """Of short tasks, over and over: no deadlock, no thread, no changed filter."""

    def interrupt(*args):
        raise KeyboardInterrupt

    def give_up(*args):
        pytest.fail("a deadlock")

    rng, filters = random.Random(0), warnings.filters
    old = signal.signal(signal.SIGALRM, interrupt)
    old_virtual = signal.signal(signal.SIGUSR1, give_up)
    watchdog = threading.Timer(60, signal.raise_signal, (signal.SIGUSR1,))
    watchdog.start()
    n_interrupts = 0
    try:
        for _ in range(60):
            try:
                signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-3, 1e-2))
                with skreg.fused():
                    Parallel()(delayed(pow)(i, 2) for i in range(300))
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                n_interrupts += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        watchdog.cancel()
        signal.signal(signal.SIGALRM, old)
        signal.signal(signal.SIGUSR1, old_virtual)
    assert n_interrupts > 20
    assert warnings.filters is filters
    with skreg.fused():
        assert Parallel()(delayed(pow)(i, 2) for i in range(9))[-1] == 64
    # Python lists threads that were interrupted before they started, too.
    named = [t for t in threading.enumerate() if t.name == "skreg-task"]
    left = [thread for thread in named if thread.is_alive()]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)


# Exits with this code after an interrupt.
INTERRUPTED = 3
TRACED = """
import signal, sys, threading, time
from joblib import Parallel, delayed
import skreg

def trace(frame, event, arg):
    return trace

sys.settrace(trace)
threading.settrace(trace)
signal.setitimer(signal.ITIMER_REAL, 0.3)
signal.signal(signal.SIGALRM, signal.default_int_handler)
try:
    with skreg.fused():
        Parallel()(delayed(time.sleep)(i) for i in (0, 300))
except KeyboardInterrupt:
    sys.exit(*arguments)
"""


def test_an_interrupt_under_a_debugger():
    """Python before 3.13 enters no traced function while an exception is pending."""
    assert exit_code(started(TRACED, INTERRUPTED)) == INTERRUPTED
