"""Faults inside a fused search: errors, interrupts, crashes and late tasks.

Every test here has a time limit, because a failure would be a deadlock.
"""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
from _processes import exit_code, started
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline

import skreg
import skreg.fusion.scheduler
import skreg.fusion.turns
import skreg.training.train
from skreg import MLPClassifier, MLPRegressor

pytestmark = [
    # Fits of few epochs, and fits that fail, on purpose.
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:One or more of the test scores:UserWarning"),
]
X, y = load_iris(return_X_y=True)
X, y = X[::3], y[::3]
LIMIT = 60  # seconds; each takes one or two


@pytest.fixture(autouse=True)
def watchdog():
    """Fail tests that take too long or leave threads behind."""

    def bark(*args):
        raise TimeoutError(f"a deadlock: {LIMIT} s have passed")

    before = set(threading.enumerate())
    old_alarm = signal.signal(signal.SIGALRM, bark)
    old_interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.alarm(LIMIT)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old_alarm)
    signal.signal(signal.SIGINT, old_interrupt)
    left = {t for t in threading.enumerate() if t.name == "skreg-task"} - before
    assert not any(thread.is_alive() for thread in left)


def network(**params):
    return MLPClassifier(**{"hidden_layer_sizes": (4,), "max_iter": 2} | params)


class Stumbling(TransformerMixin, BaseEstimator):
    """Fails in a given place."""

    def __init__(self, at=None):
        self.at = at

    def fit(self, X, y=None):
        if self.at == "fit":
            raise RuntimeError("stumbled in fit")
        return self

    def transform(self, X):
        if self.at == "transform":
            raise RuntimeError("stumbled in transform")
        return X


class TestErrors:
    def test_a_diverging_candidate_fails_alone(self):
        grid = {"learning_rate_init": [1e-3, 1e300], "l2": [0.0, 1e-2]}
        X, y = np.random.default_rng(0).normal(size=(2, 60, 1))
        search = GridSearchCV(MLPRegressor((4,), max_iter=3, random_state=0), grid)
        with pytest.warns(FitFailedWarning, match="10 fits failed"):
            search.fit(X, y[:, 0])
        expected = search.cv_results_["mean_test_score"]
        with skreg.fused(), pytest.warns(FitFailedWarning, match="10 fits failed"):
            search.fit(X, y[:, 0])
        assert np.isnan(expected).sum() == 2
        # Sums in another order.
        np.testing.assert_allclose(
            search.cv_results_["mean_test_score"], expected, rtol=1e-9
        )

    def test_of_a_diverging_candidate_raised(self):
        grid = {"learning_rate_init": [1e-3, 1e300]}
        search = GridSearchCV(MLPRegressor((4,)), grid, error_score="raise")
        with skreg.fused(), pytest.raises(ValueError, match="diverged") as info:
            search.fit(X, y)
        assert "in fits_of" in info.value.__notes__[0]  # the traceback of the task

    @pytest.mark.parametrize("at", ["fit", "transform"])
    def test_of_a_transformer(self, at):
        pipeline = make_pipeline(Stumbling(), network())
        grid = {"stumbling__at": [None, None, at, None]}
        search = GridSearchCV(pipeline, grid, cv=3)
        with skreg.fused(), pytest.warns(FitFailedWarning, match="3 fits failed"):
            search.fit(X, y)
        assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [
            *[False, False, True, False]
        ]
        search.set_params(error_score="raise")
        with skreg.fused(), pytest.raises(RuntimeError, match="stumbled") as info:
            search.fit(X, y)
        assert f"in {at}\n" in info.value.__notes__[0]

    def test_of_a_scorer(self):
        def scorer(estimator, X, y):
            raise ZeroDivisionError("in the scorer")

        with skreg.fused(), pytest.raises(ZeroDivisionError) as info:
            cross_val_score(network(), X, y, scoring=scorer, error_score="raise")
        assert ", in scorer\n" in info.value.__notes__[0]

    def test_of_a_monitor_is_its_fits_own(self):
        def monitor(estimator, X, y):
            if estimator.l2 > 0:
                raise ZeroDivisionError("in the monitor")
            return 0.5

        early = network(early_stopping=True, monitor=monitor)
        search = GridSearchCV(early, {"l2": [0.0, 1e-3]}, cv=3)
        with skreg.fused(), pytest.warns(FitFailedWarning, match="3 fits failed"):
            search.fit(X, y)
        assert np.isfinite(search.cv_results_["mean_test_score"][0])
        search.set_params(error_score="raise")
        with skreg.fused(), pytest.raises(ZeroDivisionError) as info:
            search.fit(X, y)
        assert ", in monitor\n" in info.value.__notes__[0]

    def test_of_a_skorch_callback(self):
        import skorch.callbacks

        class Failing(skorch.callbacks.Callback):
            def on_epoch_end(self, net, **kwargs):
                raise ZeroDivisionError("in the callback")

        grid = {"callbacks": [None, [Failing()]]}
        search = GridSearchCV(network(), grid, cv=3)
        with skreg.fused(), pytest.warns(FitFailedWarning, match="3 fits failed"):
            search.fit(X, y)
        assert np.isfinite(search.cv_results_["mean_test_score"][0])

    def test_in_a_nested_search(self):
        pipeline = make_pipeline(Stumbling(), network())
        grid = {"stumbling__at": [None, "fit"]}
        search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
        with skreg.fused(), pytest.raises(RuntimeError, match="stumbled"):
            cross_val_score(search, X, y, cv=3, error_score="raise")
        with skreg.fused(), pytest.raises(ValueError, match="All the 3 fits failed"):
            cross_val_score(search, X, y, cv=3)

    def test_of_a_whole_stack(self):
        """Memory that runs out, or a bug of ours: the search goes on to the next."""
        original, calls = skreg.training.train.run, []

        def run(requests, *args, **kwargs):
            calls.append(len(requests))
            if len(calls) == 1:
                raise MemoryError("no more")
            return original(requests, *args, **kwargs)

        search = GridSearchCV(network(), {"hidden_layer_sizes": [(3,), (4,)]}, cv=3)
        with (
            mock.patch("skreg.training.train.run", run),
            skreg.fused(),
            pytest.warns(FitFailedWarning, match="3 fits failed"),
        ):
            search.fit(X, y)
        assert calls[:2] == [3, 3]
        assert np.isnan(search.cv_results_["mean_test_score"]).sum() == 1


class TestTasks:
    """Arbitrary functions that joblib runs."""

    @staticmethod
    def fit(seed):
        return network(random_state=seed).fit(X, y).loss_

    def run(self, function, values, expected=None, **options):
        if expected is None:
            expected = [function(value) for value in values]
        with skreg.fused():
            found = Parallel(**options)(delayed(function)(value) for value in values)
        # Sums in another order.
        np.testing.assert_allclose(found, expected, rtol=1e-9)

    def test_never_fit(self):
        self.run(lambda value: value**2, range(20))

    def test_fit_once_twice_or_not_at_all(self):
        self.run(lambda n: sum((self.fit(i) for i in range(n % 3)), 0.0), range(9))

    def test_come_late(self):
        """More tasks than joblib submits before the first has ended."""
        seen = []

        def function(value):
            seen.append(value)
            return value

        with mock.patch("skreg.fusion.backend.TASKS_AT_A_TIME", 3):
            self.run(self.fit, range(20))
            self.run(self.fit, range(20), pre_dispatch=1)
            self.run(self.fit, range(20), batch_size=4)
        self.run(function, range(1500))
        assert seen[:1500] == list(range(1500))

    def test_wait_in_small_numbers(self):
        with mock.patch("skreg.fusion.scheduler.MOST_WAITING", 2):
            self.run(self.fit, range(7))

    @pytest.mark.parametrize("backend", [None, "threading", "sequential"])
    def test_start_parallel_work_of_their_own(self, backend):
        def function(value):
            parallel = Parallel(n_jobs=2, backend=backend)
            return sum(parallel(delayed(self.fit)(value + i) for i in range(3)))

        losses = [self.fit(seed) for seed in range(6)]
        self.run(function, range(4), [sum(losses[v : v + 3]) for v in range(4)])

    def test_start_more_nested_calls_than_there_are_threads(self):
        def function(value):
            return sum(Parallel()(delayed(self.fit)(value + i) for i in range(2)))

        with (
            mock.patch("skreg.fusion.scheduler.MOST_WAITING", 2),
            mock.patch("skreg.fusion.scheduler.MANY_THREADS", 4),
        ):
            self.run(function, range(12))

    def test_start_threads_that_fit(self):
        def function(value):
            found = []
            thread = threading.Thread(target=lambda: found.append(self.fit(value)))
            thread.start()
            thread.join()
            return found[0]

        self.run(function, range(3))

    def test_without_tasks(self):
        with skreg.fused():
            assert Parallel()([]) == []

    def test_whose_generator_fails(self):
        def tasks():
            yield delayed(self.fit)(0)
            raise ZeroDivisionError("in the generator")

        with skreg.fused(), pytest.raises(ZeroDivisionError):
            Parallel()(tasks())

    def test_whose_results_nobody_takes(self):
        with skreg.fused():
            results = Parallel(return_as="generator")(
                delayed(self.fit)(seed) for seed in range(4)
            )
            assert next(results) == pytest.approx(self.fit(0), rel=1e-9)
            results.close()


@contextmanager
def interrupted_after(seconds):
    """Check that Ctrl-C ends what would go on for hours."""
    # Python ignores it while threads are freed, such as those of the test before.
    gc.collect()
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        yield
    timer.join()
    # It takes at most 0.3 s, and longer on a busy machine.
    assert time.monotonic() - start < seconds + 10


@pytest.mark.usefixtures("untraced")
class TestInterrupts:
    endless = MLPClassifier(max_iter=10**6, n_iter_no_change=10**6, tol=0)

    def test_while_training(self):
        with skreg.fused(), interrupted_after(0.5):
            GridSearchCV(self.endless, {"l2": [0.0, 0.1]}, cv=3).fit(X, y)
        with skreg.fused():  # and after it
            assert len(cross_val_score(network(), X, y)) == 5

    def test_while_training_nested(self):
        search = GridSearchCV(self.endless, {"l2": [0.0, 0.1]}, cv=3)
        with skreg.fused(), interrupted_after(0.5):
            cross_val_score(search, X, y)

    def test_while_a_task_runs(self):
        def slow(estimator, X, y):
            while True:
                time.sleep(0.001)

        search = GridSearchCV(network(), {"l2": [0.0, 0.1]}, cv=3, scoring=slow)
        with skreg.fused(), interrupted_after(0.5):
            search.fit(X, y)

    def test_while_a_task_is_deaf(self):
        """In code that is not Python's: the thread ends as soon as it returns."""
        with skreg.fused(), interrupted_after(0.5):
            cross_val_score(network(), X, y, scoring=lambda *args: time.sleep(3) or 0.0)
        time.sleep(3)

    def test_of_a_task_itself(self):
        def scorer(estimator, X, y):
            raise KeyboardInterrupt

        with skreg.fused(), pytest.raises(KeyboardInterrupt):
            cross_val_score(network(), X, y, scoring=scorer)


def three_stacks(**options):
    """Return a fused search over three architectures."""
    grid = {"hidden_layer_sizes": [(3,), (4,), (5,)], "l2": [0.0, 0.1]}
    # Long enough to be killed in the next stack.
    slow = MLPClassifier(max_iter=600, tol=0, random_state=0)
    slow.set_params(n_iter_no_change=10**6, batch_size=200)
    search = GridSearchCV(slow, grid, cv=3, error_score="raise")
    with skreg.fused(**options):
        return search.fit(*load_iris(return_X_y=True))


class TestResume:
    def test_after_sigkill(self, tmp_path):
        """A search killed in its second or third stack repeats that stack at most."""
        code = "from test_faults import three_stacks; three_stacks(**arguments[0])"
        slow = started(code, {"checkpoint": tmp_path})
        while len(list(tmp_path.glob("*.safetensors"))) < 6 and slow.is_alive():
            time.sleep(0.001)
        slow.kill()
        assert exit_code(slow) == -signal.SIGKILL
        kept = len(list(tmp_path.glob("*.safetensors")))
        assert kept in (6, 12)
        trained, original = [], skreg.training.train.run

        def run(requests, *args, **kwargs):
            trained.append(len(requests))
            return original(requests, *args, **kwargs)

        with mock.patch("skreg.training.train.run", run):
            found = three_stacks(checkpoint=tmp_path).cv_results_
        assert sum(trained) == 18 - kept + 1  # and the refit
        for name, column in three_stacks().cv_results_.items():
            if name.startswith(("split", "mean_test", "rank")):
                # Kept weights are those trained, bit for bit.
                np.testing.assert_array_equal(found[name], column)

    def test_fit_times_are_kept(self, tmp_path):
        def fit():
            with skreg.fused(checkpoint=tmp_path):
                slow = network(random_state=0, max_iter=200, tol=0)
                return cross_validate(slow, X, y)["fit_time"]

        first, second = fit(), fit()
        # The time of the tasks themselves differs.
        assert second.sum() > 0.3 * first.sum()


def test_processes_and_clusters(tmp_path):
    """Stacks train in other processes: loky's, and those of a dask cluster."""
    from dask.distributed import Client, LocalCluster

    search = GridSearchCV(network(random_state=0), {"l1": [0.0, 0.1, 0.2]}, cv=3)
    expected = search.fit(X, y).cv_results_["mean_test_score"]

    def check(**options):
        with mock.patch("skreg.training.train.run", side_effect=AssertionError):
            search.set_params(refit=False)
            with skreg.fused(**options):
                search.fit(X, y)
        # Sums in another order.
        np.testing.assert_allclose(
            search.cv_results_["mean_test_score"], expected, rtol=1e-9
        )

    check(n_jobs=2)
    check(n_jobs=2, checkpoint=tmp_path)
    check(n_jobs=2, checkpoint=tmp_path)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as dask,
        Client(dask) as client,
    ):
        check(over="dask")
        check(over="dask", n_jobs=2)
        assert client.run(lambda: "skreg" in sys.modules)


def test_peak_memory():
    """Fits in many rounds stay under the bound."""
    code = """
        import threading, time, warnings
        import numpy as np, psutil
        from sklearn.model_selection import GridSearchCV
        import skreg
        warnings.simplefilter("ignore")
        bound, rng = 150 * 2**20, np.random.default_rng(0)
        X = rng.normal(size=(1500, 784)).astype(np.float32)
        y = rng.integers(0, 10, len(X))
        network = skreg.MLPClassifier((16,), max_iter=1, random_state=0)
        network.fit(X[:300], y[:300])
        process, peak = psutil.Process(), 0
        before = process.memory_info().rss

        def watch():
            global peak
            while True:
                peak = max(peak, process.memory_info().rss - before)
                time.sleep(0.002)

        threading.Thread(target=watch, daemon=True).start()
        grid = {"l2": np.geomspace(1e-6, 1e-1, 20).tolist()}
        with skreg.fused(max_memory=bound):
            GridSearchCV(network, grid, cv=3, refit=False).fit(X, y)
        print(peak / bound)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        # Otherwise glibc keeps what each thread has freed, and the process looks up to
        # half as large again.
        env=os.environ | {"MALLOC_ARENA_MAX": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # Without rounds the 60 fits would hold 60 × 7.9 MB, more than three times as much.
    assert float(done.stdout) < 1


def test_the_watchdog_sees_threads():
    """Else the fixture above could not fail."""
    worker = skreg.fusion.turns.Worker()
    worker.start()
    assert worker.name == "skreg-task" and worker.is_alive()
    worker.close()
    assert not worker.is_alive()
