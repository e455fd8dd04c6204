"""The joblib backend "fused": a whole search trains as a few large networks."""

import math
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real

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

from skreg.fusion.checkpoint import Checkpoint
from skreg.fusion.dispatch import Trainer
from skreg.fusion.scheduler import Call, Scheduler, current_task
from skreg.training.memory import available_memory

# The number of jobs that the backend reports. Estimators that ask for it split their
# work into as many parts: an ensemble its networks, which then train in that many
# groups, and other estimators, for example, the distances that they compute. The number
# is unusual so that it can be told from one that a user has set (see `configure`).
PARTS = 17
# Joblib submits twice this number of tasks at first, and then one for each that ends.
TASKS_AT_A_TIME = 512
# Share of the free memory that a search may take by default.
FREE_SHARE = 0.5
# The times that scikit-learn's searches measure, in this order.
TIMES = ("fit_time", "score_time")


class _TaskBackend(ParallelBackendBase):
    """The part of joblib's interface that both backends share."""

    supports_retrieve_callback = True
    supports_sharedmem = True
    supports_timeout = False
    uses_threads = True

    def apply_async(self, func, callback=None):
        """Add a task. Before joblib 1.5, `submit` has this name."""
        return self.submit(func, callback)


class FusedBackend(_TaskBackend):
    """The backend of `joblib.parallel_config(backend="fused")`.

    It gives each `joblib.Parallel` a backend of its own, a `PooledCalls`.

    Parameters
    ----------
    nesting_level : int, default=None
        How deep the call is nested in others, as joblib counts.
    max_memory, over, checkpoint, checkpoint_interval, progress
        As in `fused`. The backends of nested calls share a `Checkpoint`.
    """

    def __init__(
        self,
        nesting_level=None,
        max_memory=None,
        over="loky",
        checkpoint=None,
        checkpoint_interval=None,
        progress=False,
    ):
        super().__init__(nesting_level=nesting_level)
        if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
            check_interval(checkpoint_interval)
            checkpoint = Checkpoint(checkpoint, checkpoint_interval)
        self.options = {
            "max_memory": max_memory,
            "over": over,
            "checkpoint": checkpoint,
            "progress": progress,
        }

    def effective_n_jobs(self, n_jobs):
        """Return the number of parts that estimators should split their work into."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        return PARTS

    def configure(self, n_jobs=1, parallel=None, prefer=None, **kwargs):
        """Make joblib go on with a new backend for this `joblib.Parallel`."""
        level = self.nesting_level
        if prefer != "threads":
            raise FallbackToBackend(PooledCalls(level, self.options))
        # A forest, for example, computes in threads and fits no networks.
        threads = SequentialBackend if n_jobs == PARTS else ThreadingBackend
        raise FallbackToBackend(threads(nesting_level=level))

    def train_alone(self, requests):
        """Train a fit outside of any task, such as the refit of a search."""
        checkpoint = self.options["checkpoint"]
        return Trainer(None, 1, "loky", checkpoint, False).train_alone(requests)


class PooledCalls(_TaskBackend):
    """The backend of one `joblib.Parallel`, for all of its calls.

    Inside a task it uses the scheduler of the task, so that nested searches train
    together.

    Parameters
    ----------
    nesting_level : int
    options : dict
        The parameters of `FusedBackend`, without the nesting level.
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
        """Return the number of tasks that joblib should submit at a time."""
        return TASKS_AT_A_TIME

    def configure(self, n_jobs=1, parallel=None, **kwargs):
        """Return the number of tasks that joblib should submit at a time."""
        return self.effective_n_jobs(n_jobs)

    def start_call(self):
        """Begin a call."""
        self._call = Call(self._scheduler, self._parent)

    def submit(self, func, callback=None):
        """Add a task, which runs once joblib asks for the results of the call."""

        def on_end(task):
            correct_times(task)
            callback(task)

        return self._scheduler.submit(self._call, func, on_end)

    @contextmanager
    def retrieval_context(self):
        """Run the tasks before joblib collects results, for which it would poll."""
        self._call.wait()
        yield

    def retrieve_result_callback(self, task):
        """Return the result of a task, or raise its error."""
        error = task.error
        if error is None:
            return task.result
        # The note keeps the traceback, which joblib removes.
        error.add_note("".join(traceback.format_exception(error)))
        raise error

    def abort_everything(self, ensure_ready=True):
        """End all tasks of the call before they are done."""
        self._scheduler.cancel(self._call)
        self.start_call()

    def terminate(self):
        """End the threads."""
        if self._parent is None:
            self._scheduler.close()

    def get_nested_backend(self):
        """Return the backend for the calls that a task makes."""
        level = self.nesting_level + 1
        return FusedBackend(nesting_level=level, **self._options), self._n_jobs


def make_scheduler(n_jobs, max_memory, over, checkpoint, progress):
    """Return the scheduler of a search. The parameters are those of `fused`."""
    check_options(max_memory, n_jobs, over)
    memory = max_memory or int(FREE_SHARE * available_memory())
    # One half is for the data of waiting tasks, the other half for training.
    half = memory // 2
    return Scheduler(Trainer(half, n_jobs, over, checkpoint, progress).train, half)


def correct_times(task):
    """Replace waiting by work in the times that a task has measured.

    scikit-learn's searches measure the time from the call of a fit to its return, and
    then to the return of the scorer, which may wait for fits, too. The time of a fit
    should be what its training took and not how long it waited for others.

    Parameters
    ----------
    task : Task
        Its result is changed.
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
    """Return whether a result is that of a fit and a score that scikit-learn timed."""
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
    checkpoint_interval: float | None = None,
    progress: bool = False,
) -> Iterator[None]:
    """Train the fits of a search, or of other work that joblib runs, as large networks.

    Within the block, the tasks that scikit-learn gives to joblib take turns in threads.
    Each task runs until it asks for a fit of a skreg estimator. When all tasks wait,
    their networks train together as a few stacks. Cross-validation, searches, ensembles
    and one-vs-rest become faster, also when they are nested, and with any preprocessing
    before the networks. The results are the same as without this. Other estimators are
    fitted one after another.

    `joblib.parallel_config(backend="fused", ...)` does the same.

    Parameters
    ----------
    max_memory : int, default=None
        Number of bytes that fits may take beyond what is in use, for the data of those
        that wait and the networks that train. None is half of the free memory. A search
        that needs more trains in several rounds. The process may look larger, because
        the C library keeps memory that threads have freed.
    n_jobs : int, default=None
        Number of processes, or of workers of a cluster, that stacks are spread over. -1
        uses all. None is this process alone, or all workers of another `over`.
    over : str, default="loky"
        The joblib backend that stacks are spread over, such as "dask".
    checkpoint : path-like, default=None
        Directory in which fits are kept, when they have ended and from time to time
        before. If a search is killed and started again, with the same data and an
        integer `random_state`, it goes on from there and gives the same result.
    checkpoint_interval : float, default=None
        Seconds after which fits that are still in training are written to `checkpoint`,
        between two epochs. 0 writes after every epoch. None is a tenth of the time that
        the networks have trained, but at least a second and at most a minute, and so
        seldom that writing takes less than 2 % of the time.
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
    The parameter `n_jobs` of the search itself is not used. The fit times that a search
    reports are the share of each fit in the time of its stack. A call of `fit` outside
    a search works as usual.

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
    check_interval(checkpoint_interval)
    with parallel_config(
        backend="fused",
        n_jobs=n_jobs,
        max_memory=max_memory,
        over=over,
        checkpoint=checkpoint,
        checkpoint_interval=checkpoint_interval,
        progress=progress,
    ):
        yield


def check_options(max_memory, n_jobs, over):
    """Check the parameters of `fused` that joblib checks too late or not at all."""
    is_size = _is_int(max_memory) and max_memory > 0
    if max_memory is not None and not is_size:
        raise ValueError(
            "max_memory must be a positive integer, a number of bytes, or None, got "
            f"{max_memory!r}."
        )
    if n_jobs is not None and (not _is_int(n_jobs) or n_jobs == 0):
        raise ValueError(
            "n_jobs must be a number of processes, -1 for all of them, or None for "
            f"this process alone, got {n_jobs!r}."
        )
    # Results must come back as they end, which not every backend can do. The class is
    # asked, because an instance of dask's backend needs a cluster.
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


def check_interval(checkpoint_interval):
    """Check the parameter of `fused`."""
    is_number = isinstance(checkpoint_interval, Real)
    is_number = is_number and not isinstance(checkpoint_interval, bool)
    is_valid = is_number and 0 <= checkpoint_interval < math.inf
    if checkpoint_interval is not None and not is_valid:
        raise ValueError(
            "checkpoint_interval must be a number of seconds that is not negative, or "
            f"None for the default, got {checkpoint_interval!r}."
        )


def _is_int(value):
    return isinstance(value, Integral) and not isinstance(value, bool)


register_parallel_backend("fused", FusedBackend)
