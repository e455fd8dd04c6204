"""The joblib backend "fused": a whole search trains as a few large networks."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral

from joblib import parallel_config
from joblib.parallel import (
    BACKENDS,
    EXTERNAL_BACKENDS,
    FallbackToBackend,
    ParallelBackendBase,
    SequentialBackend,
    ThreadingBackend,
    get_active_backend,
    register_parallel_backend,
)

from skreg.fusion.dispatch import Trainer
from skreg.fusion.scheduler import Call, Scheduler, current_task
from skreg.training.memory import available_memory

# What those are told who ask how many tasks run at a time, to cut their work in as many
# parts: an ensemble its networks, which then train by as many, but others distances. It
# is an unusual number, so that who takes it for one of threads can be told from a user
# who asks for threads.
PARTS = 17
# Joblib submits twice as many tasks at first, and one more for each that ends.
TASKS_AT_A_TIME = 512
# Share of the free memory that a search takes if nothing else is said.
FREE_SHARE = 0.5
# What scikit-learn's searches measure, in this order.
TIMES = ("fit_time", "score_time")


class _TaskBackend(ParallelBackendBase):
    """What joblib asks of both backends."""

    supports_retrieve_callback = True
    supports_sharedmem = True
    supports_timeout = False
    uses_threads = True

    def apply_async(self, func, callback=None):
        """Add a task: the name of `submit` before joblib 1.5."""
        return self.submit(func, callback)


class FusedBackend(_TaskBackend):
    """What `joblib.parallel_config(backend="fused")` stands for.

    Parameters
    ----------
    nesting_level : int, default=None
        Of joblib's.
    max_memory, over, checkpoint, progress
        As in `fused`.
    """

    def __init__(
        self,
        nesting_level=None,
        max_memory=None,
        over="loky",
        checkpoint=None,
        progress=False,
    ):
        super().__init__(nesting_level=nesting_level)
        self.options = {
            "max_memory": max_memory,
            "over": over,
            "checkpoint": checkpoint,
            "progress": progress,
        }

    def effective_n_jobs(self, n_jobs):
        """Return in how many parts work is to be cut."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return PARTS

    def configure(self, n_jobs=1, parallel=None, prefer=None, **kwargs):
        """Give each `joblib.Parallel` a backend of its own."""
        level = self.nesting_level
        if prefer != "threads":
            raise FallbackToBackend(PooledCalls(level, self.options))
        # Such as a forest, which computes in its threads and fits no network.
        threads = SequentialBackend if n_jobs == PARTS else ThreadingBackend
        raise FallbackToBackend(threads(nesting_level=level))

    def train_alone(self, requests):
        """Train a fit that no task asks for, such as the refit of a search."""
        checkpoint = self.options["checkpoint"]
        return Trainer(None, 1, "loky", checkpoint, False).train_alone(requests)


class PooledCalls(_TaskBackend):
    """The backend of one `joblib.Parallel`, for its calls one after another.

    In a task, the calls are those of the task's scheduler: nested searches train
    together.

    Parameters
    ----------
    nesting_level : int
    options : dict
        Those of `FusedBackend`.
    """

    def __init__(self, nesting_level, options):
        super().__init__(nesting_level=nesting_level)
        self._options, (_, self._n_jobs) = options, get_active_backend()
        self._parent = current_task()
        if self._parent is None:
            self._scheduler = make_scheduler(self._n_jobs, **options)
        else:
            self._scheduler = self._parent.call.scheduler
        self._call = None

    def effective_n_jobs(self, n_jobs):
        """Return how many tasks are submitted at a time."""
        return TASKS_AT_A_TIME

    def configure(self, n_jobs=1, parallel=None, **kwargs):
        """Return how many tasks are submitted at a time."""
        return self.effective_n_jobs(n_jobs)

    def start_call(self):
        """Begin a call."""
        self._call = Call(self._scheduler, self._parent)

    def submit(self, func, callback=None):
        """Add a task, which runs when the call is waited for."""

        def on_end(task):
            correct_times(task)
            callback(task)

        return self._scheduler.submit(self._call, func, on_end)

    @contextmanager
    def retrieval_context(self):
        """Run the tasks before joblib, which would poll, collects the results."""
        self._call.wait()
        yield

    def retrieve_result_callback(self, task):
        """Return what a task returned, or raise what it raised."""
        error = task.error
        if error is None:
            return task.result
        # joblib removes the traceback.
        error.add_note("".join(traceback.format_exception(error)))
        raise error

    def abort_everything(self, ensure_ready=True):
        """Unwind all tasks of the call."""
        self._scheduler.cancel(self._call)
        self.start_call()

    def terminate(self):
        """End the threads."""
        if self._parent is None:
            self._scheduler.close()

    def get_nested_backend(self):
        """Return the backend of the calls that a task makes."""
        level = self.nesting_level + 1
        return FusedBackend(nesting_level=level, **self._options), self._n_jobs


def make_scheduler(n_jobs, max_memory, over, checkpoint, progress):
    """Return the scheduler of a search; parameters are those of `fused`."""
    check_options(max_memory, n_jobs, over)
    memory = max_memory or int(FREE_SHARE * available_memory())
    # One half is for what waiting tasks hold, the other for what trains.
    half = memory // 2
    return Scheduler(Trainer(half, n_jobs, over, checkpoint, progress).train, half)


def correct_times(task):
    """Count as the time of a fit what it took, not how long it waited.

    scikit-learn's searches measure from the call of a fit to its return, and then to
    that of the scorer, which may wait for fits of its own.
    """
    if task.error is not None:
        return
    end = 0.0
    for result in filter(_is_timed, task.result):
        for name in TIMES:
            start, end = end, end + result[name]
            for wait in task.waits:
                if start <= wait.start + wait.seconds / 2 < end:
                    result[name] += wait.work - wait.seconds
            result[name] = max(0.0, result[name])


def _is_timed(result):
    """Tell what scikit-learn returns from a fit and a score that it has timed."""
    return (
        isinstance(result, dict)
        and {*TIMES, "test_scores"} <= set(result)
        and all(isinstance(result[name], float) for name in TIMES)
    )


@contextmanager
def fused(
    *,
    max_memory: int | None = None,
    n_jobs: int | None = None,
    over: str = "loky",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Iterator[None]:
    """Train the fits of a search, or of whatever joblib runs, in few large networks.

    Within the block, what scikit-learn gives to joblib takes turns in threads: each
    task runs until it asks for a fit of a skreg estimator, and when all wait, their
    networks train as stacks. Cross-validation, searches, ensembles and one-vs-rest
    gain, nested ones too, with any preprocessing before the networks; results are those
    without it. Other estimators are fitted one after another.
    `joblib.parallel_config(backend="fused", ...)` does the same.

    Parameters
    ----------
    max_memory : int, default=None
        Bytes that fits may take beyond what is in use, for the data of those that wait
        and the networks that train. None is half of what is free. A search that needs
        more trains in several rounds.
    n_jobs : int, default=None
        Number of processes, or workers of a cluster, that stacks are spread over; -1
        is all. None is this process alone, and with another `over` all its workers.
    over : str, default="loky"
        The joblib backend that they are spread over, such as "dask".
    checkpoint : path-like, default=None
        Directory in which every finished fit is kept. A search that was killed and is
        started again, with the same data and an integer `random_state`, takes from
        there what it had finished.
    progress : bool, default=False
        Whether to show a bar of the epochs trained, on standard error.

    Yields
    ------
    None

    See Also
    --------
    sklearn.model_selection.GridSearchCV : A search that this speeds up.

    Notes
    -----
    `n_jobs` of the search itself is not used. The fit times of a search are each fit's
    share of its stack's time. A fit by hand, outside a search, is not changed.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> import skreg
    >>> X, y = load_iris(return_X_y=True)
    >>> grid = {"l1": [0.0, 0.01], "dropout": [0.0, 0.2]}
    >>> network = skreg.MLPClassifier((20,), "tanh", random_state=0)
    >>> with skreg.fused():
    ...     search = GridSearchCV(network, grid, cv=5).fit(X, y)
    >>> search.cv_results_["split0_test_score"].shape
    (4,)
    """
    check_options(max_memory, n_jobs, over)
    with parallel_config(
        backend="fused",
        n_jobs=n_jobs,
        max_memory=max_memory,
        over=over,
        checkpoint=checkpoint,
        progress=progress,
    ):
        yield


def check_options(max_memory, n_jobs, over):
    """Check what joblib would not, or not before it is too late."""
    is_size = _is_int(max_memory) and max_memory > 0
    if max_memory is not None and not is_size:
        raise ValueError(
            "max_memory must be an integer, a positive number of bytes, or None, got "
            f"{max_memory!r}."
        )
    if n_jobs is not None and (not _is_int(n_jobs) or n_jobs == 0):
        raise ValueError(
            "n_jobs must be a number of processes, -1 for all, or None for this one, "
            f"got {n_jobs!r}."
        )
    # Stacks come back in the order in which they end, which not every backend can do.
    # (Asked of the class: dask's cannot be made without a cluster.)
    able = {
        name
        for name, backend in BACKENDS.items()
        if getattr(backend, "supports_return_generator", True)
    }
    names = (able | set(EXTERNAL_BACKENDS)) - {"fused"}
    if over not in names:
        raise ValueError(
            f"over must be the name of a joblib backend, one of {sorted(names)}, got "
            f"{over!r}."
        )


def _is_int(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


register_parallel_backend("fused", FusedBackend)
