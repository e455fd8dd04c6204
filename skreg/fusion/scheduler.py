"""Tasks that take turns, so that the fits they wait for can train together.

Each task has a thread, but only one task runs at a time. It runs until it asks for a
fit, starts tasks of its own, or ends. When no task can continue, all fits that tasks
wait for are trained together. So a task may be any code that fits estimators, and two
tasks never use shared objects at the same time.
"""

import contextvars
import os
import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice

from joblib.parallel import get_active_backend

from skreg.fusion.turns import Cancelled, WarningsState, Worker
from skreg.training.train import train

# The largest number of tasks that wait for a fit at a time. A stack of a few hundred
# small networks is as fast as a larger one. A waiting thread costs memory, and so do
# the threads that numerical libraries may have started for it.
MOST_WAITING = max(64, min(512, 2**14 // (os.cpu_count() or 1)))
# With this number of threads, inner tasks start before outer ones, which would start
# still more of them.
MANY_THREADS = 2 * MOST_WAITING

_local = threading.local()
if hasattr(os, "register_at_fork"):
    # A process forked by a task is not a task: no scheduler there gives it turns.
    os.register_at_fork(after_in_child=lambda: setattr(_local, "task", None))


def current_task():
    """Return the task that this thread runs, or None."""
    return getattr(_local, "task", None)


def train_fit(requests):
    """Train the networks of a fit, together with those of other tasks in a search.

    Outside of a task they train at once.

    Parameters
    ----------
    requests : list of FitRequest

    Returns
    -------
    list of FitResult
        As `training.train` returns them.
    """
    task = current_task()
    if task is not None:
        return task.wait_for(requests)
    # The backend of a fused search also keeps the refit, which no task asks for.
    train_alone = getattr(get_active_backend()[0], "train_alone", None)
    return train(requests) if train_alone is None else train_alone(requests)


class Call:
    """Tasks that are waited for together: those of one call of `joblib.Parallel`.

    Parameters
    ----------
    scheduler : Scheduler
    parent : Task or None
        The task that waits for them. None is the thread that runs the scheduler.

    Attributes
    ----------
    unfinished : int
        Number of tasks that were submitted and have not ended.
    failed : bool
        Whether a task has ended with an error.
    """

    def __init__(self, scheduler, parent):
        self.scheduler, self.parent = scheduler, parent
        self.unfinished, self.failed = 0, False
        # All tasks begin with these, also tasks submitted after others have ended.
        self.context, self.warnings = contextvars.copy_context(), WarningsState()
        self.level = 0 if parent is None else parent.call.level + 1

    @property
    def is_over(self):
        """Whether the waiting is over: all tasks have ended, or one has failed."""
        return self.failed or not self.unfinished

    def wait(self):
        """Return when the call is over."""
        if self.parent is None:
            self.scheduler.run(self)
        elif self.parent.has_ended:
            raise RuntimeError(
                "The results of a generator that joblib.Parallel returned in a task "
                "must be taken before the task ends."
            )
        else:
            self.parent.join(self)


class Task:
    """A function that takes turns with others.

    Parameters
    ----------
    call : Call
    function : callable
        Called without arguments.
    on_end : callable
        Called with the task when it has ended, in the thread that runs the scheduler.

    Attributes
    ----------
    result : object
        The result of the function, if `error` is None.
    error : BaseException or None
        The error that ended the function.
    requests : list of FitRequest or None
        The networks that the task waits for.
    joined : Call or None
        The call whose tasks the task waits for.
    waits : list of Wait
        When it waited, and for how much work.
    """

    def __init__(self, call, function, on_end):
        self.call, self.on_end = call, on_end
        self._function, self._context = function, call.context.copy()
        self.worker = self.requests = self.joined = None
        self.result = self.error = None
        self.has_ended = self.is_cancelled = False
        self.warnings, self._answer = call.warnings, None
        self.waits, self._start, self._seconds = [], 0.0, 0.0

    def perform(self):
        """Run the function to its end, in the thread of a worker."""
        _local.task, self._start = self, time.perf_counter()
        try:
            self.result = self._context.run(self._function)
        except Cancelled:  # not kept, because it would keep its frames alive
            pass
        except BaseException as error:
            self.error = error
        finally:
            _local.task = None
            self._function = None
            self._seconds = time.perf_counter() - self._start
            self.has_ended = True

    @property
    def work(self):
        """Seconds of work, including the work it waited for, but not the waiting."""
        return self._seconds + sum(wait.work - wait.seconds for wait in self.waits)

    def wait_for(self, requests):
        """Let other tasks run until networks are trained, and return the results.

        Parameters
        ----------
        requests : list of FitRequest

        Returns
        -------
        list of FitResult
        """
        self.requests = requests
        self._pause()
        results, self._answer = self._answer, None
        return results

    @property
    def bytes_held(self):
        """Approximate number of bytes that the task holds while it waits.

        The networks of a fit share their data.
        """
        return max(request.bytes_held for request in self.requests)

    def join(self, call):
        """Let other tasks run until a call is over."""
        if not call.is_over:
            self.joined = call
            self._pause()

    def answer(self, results):
        """Give the task the results that it waits for."""
        self.requests, self._answer = None, results
        self.waits[-1].work += sum(result.seconds for result in results)

    def _pause(self):
        wait = Wait(time.perf_counter() - self._start)
        self.waits.append(wait)
        # A cancelled task may still ask for a fit while it unwinds.
        if not self.is_cancelled:
            self.worker.pause()
        wait.seconds = time.perf_counter() - self._start - wait.start
        if self.is_cancelled:
            raise Cancelled


@dataclass
class Wait:
    """A period in which a task waited.

    Parameters
    ----------
    start : float
        Seconds from the start of the task.
    seconds : float, default=0.0
        Length of the period.
    work : float, default=0.0
        Seconds of work for what it waited for: the share of a fit in the time of its
        stack, or the work of the tasks of its own.
    """

    start: float
    seconds: float = 0.0
    work: float = 0.0


class Scheduler:
    """Gives turns to tasks and trains their fits, in the thread that calls `run`.

    Parameters
    ----------
    train : callable
        Maps a list of `FitRequest` to a list of `FitResult`.
    max_bytes : int
        Number of bytes that waiting tasks may hold before their fits are trained.
    """

    def __init__(self, train, max_bytes):
        self._train_all, self._max_bytes = train, max_bytes
        self._queues = {}  # by level of nesting
        self._live, self._ready = set(), deque()
        self._waiting, self._bytes, self._most_bytes = [], 0, 0
        self._workers, self._idle_workers = [], []

    def submit(self, call, function, on_end):
        """Add a task, which starts when `run` gives it a turn, and return it."""
        task = Task(call, function, on_end)
        call.unfinished += 1
        self._queues.setdefault(call.level, deque()).append(task)
        return task

    def run(self, call):
        """Run tasks until a call is over."""
        while not call.is_over:
            task = self._ready.popleft() if self._ready else self._next_to_start()
            if task is not None:
                self._continue(task)
            elif self._waiting:
                self._train()
            else:
                raise RuntimeError("Tasks wait for tasks that were never submitted.")

    def _next_to_start(self):
        """Return a task that can start, or None if fits should train first."""
        levels = [level for level, queue in self._queues.items() if queue]
        # The next task is expected to hold as much as the largest one so far.
        full = self._bytes + self._most_bytes > self._max_bytes
        if not levels or (
            self._waiting and (full or len(self._waiting) >= MOST_WAITING)
        ):
            return None
        # Outer tasks start first, so that the inner tasks of all train together.
        level = min(levels) if len(self._live) < MANY_THREADS else max(levels)
        task = self._queues[level].popleft()
        task.worker = self._idle_workers.pop() if self._idle_workers else self._hire()
        task.worker.task = task
        self._live.add(task)
        return task

    def _hire(self):
        worker = Worker()
        self._workers.append(worker)  # first, or Ctrl-C after the start could lose it
        try:
            worker.start()
        except RuntimeError as error:
            # Ctrl-C in the middle of `start` may leave a lock of its own released.
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
        return worker

    def _continue(self, task):
        """Give a task its turn, and then note what it waits for."""
        self._give_turn(task)
        if task.has_ended:
            self._end(task)
        elif task.requests is not None:
            self._waiting.append(task)
            self._bytes += task.bytes_held
            self._most_bytes = max(self._most_bytes, task.bytes_held)
        elif task.joined.is_over:
            self._resume_parent(task.joined)

    def _give_turn(self, task):
        mine = WarningsState()
        task.warnings.restore()
        try:
            task.worker.give_turn()
        finally:
            task.warnings = WarningsState()
            mine.restore()
            if task.has_ended:
                self._live.discard(task)
                if not task.worker.is_lost:
                    self._idle_workers.append(task.worker)
                # Without cycles, threads are freed here and not at any other time.
                # Python ignores Ctrl-C while it frees them.
                task.worker.task = task.worker = None

    def _end(self, task):
        call = task.call
        call.failed |= task.error is not None
        if call.parent is not None:
            call.parent.waits[-1].work += task.work
        task.on_end(task)  # may submit the next task of the call
        call.unfinished -= 1
        if call.is_over:
            self._resume_parent(call)

    def _resume_parent(self, call):
        parent = call.parent
        if parent is not None and parent.joined is call:
            parent.joined = None
            self._ready.append(parent)

    def _train(self):
        tasks, self._waiting, self._bytes = self._waiting, [], 0
        requests = [request for task in tasks for request in task.requests]
        results = iter(self._train_all(requests))
        for task in tasks:
            task.answer(list(islice(results, len(task.requests))))
        self._ready.extend(tasks)

    def cancel(self, call):
        """End the tasks of a call before they are done, and those they wait for."""
        for queue in self._queues.values():
            for task in [task for task in queue if task.call is call]:
                queue.remove(task)
        for task in [task for task in self._live if task.call is call]:
            task.is_cancelled = True
            if task in self._waiting:
                self._waiting.remove(task)
                self._bytes -= task.bytes_held
            if task in self._ready:
                self._ready.remove(task)
            if not task.worker.is_lost:
                self._give_turn(task)
        call.unfinished = 0

    def close(self):
        """End the threads."""
        for worker in self._workers:
            worker.close()
        self._workers, self._idle_workers = [], []
