"""Tasks that take turns, so that the fits they wait for can train together.

Every task runs in a thread of its own, one at a time: it has its turn until it asks
for a fit, starts tasks of its own, or ends. When none can go on, the fits that are
waited for are trained, all at once. So tasks may be any code that fits estimators,
and nothing that they share is ever used by two at a time.
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

# Most tasks that wait for a fit at a time. A stack of some hundred small networks is as
# fast as any; a waiting thread costs memory, and the threads that numerical libraries
# may have started for it come on top.
MOST_WAITING = max(64, min(512, 2**14 // (os.cpu_count() or 1)))
# Threads from which on inner tasks have precedence over outer ones, which start more.
MANY_THREADS = 2 * MOST_WAITING

_local = threading.local()
if hasattr(os, "register_at_fork"):
    # A child of a task is none: nobody there gives it turns.
    os.register_at_fork(after_in_child=lambda: setattr(_local, "task", None))


def current_task():
    """Return the task that this thread runs, or None."""
    return getattr(_local, "task", None)


def train_fit(requests):
    """Train the networks of a fit: at once, or in a task together with others.

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
    # Such as the refit of a fused search, which is to be kept like its other fits.
    train_alone = getattr(get_active_backend()[0], "train_alone", None)
    return train(requests) if train_alone is None else train_alone(requests)


class Call:
    """Tasks that somebody waits for.

    Parameters
    ----------
    scheduler : Scheduler
    parent : Task or None
        The task that waits for them; None is the thread that runs the scheduler.

    Attributes
    ----------
    unfinished : int
        Number of tasks that have been submitted and have not ended.
    failed : bool
        Whether a task has ended with an error.
    """

    def __init__(self, scheduler, parent):
        self.scheduler, self.parent = scheduler, parent
        self.unfinished, self.failed = 0, False
        # For all tasks, those too that are submitted when others have ended.
        self.context, self.warnings = contextvars.copy_context(), WarningsState()
        self.level = 0 if parent is None else parent.call.level + 1

    @property
    def is_over(self):
        """Whether there is nothing to wait for: all tasks have ended, or one failed."""
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
    """A function that runs in turns with others.

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
        What `function` returned, if `error` is None.
    error : BaseException or None
    requests : list of FitRequest or None
        The networks that the task waits for.
    joined : Call or None
        The tasks that it waits for.
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
        """Run to the end, in the thread of a worker."""
        _local.task, self._start = self, time.perf_counter()
        try:
            self.result = self._context.run(self._function)
        except Cancelled:  # to be kept for nobody, with all its frames
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
        """Seconds that the task has taken: what it waited for, but not the waiting."""
        return self._seconds + sum(wait.work - wait.seconds for wait in self.waits)

    def wait_for(self, requests):
        """Let others have their turn until networks are trained; return the results."""
        self.requests = requests
        self._pause()
        results, self._answer = self._answer, None
        return results

    @property
    def bytes_held(self):
        """About how many bytes the task holds while it waits.

        The networks of one fit have the same data.
        """
        return max(request.bytes_held for request in self.requests)

    def join(self, call):
        """Let others have their turn until a call is over."""
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
        # A task that unwinds may meet a fit on its way.
        if not self.is_cancelled:
            self.worker.pause()
        wait.seconds = time.perf_counter() - self._start - wait.start
        if self.is_cancelled:
            raise Cancelled


@dataclass
class Wait:
    """A wait of a task.

    Parameters
    ----------
    start : float
        Seconds after the start of the task.
    seconds : float
        How long it was.
    work : float
        Seconds that was taken by what it waited for: the share of a fit in the time of
        its stack, or the work of its own tasks.
    """

    start: float
    seconds: float = 0.0
    work: float = 0.0


class Scheduler:
    """Runs tasks in turns, in the thread that calls `run`.

    Parameters
    ----------
    train : callable
        Maps a list of `FitRequest` to a list of `FitResult`.
    max_bytes : int
        Bytes of data that waiting tasks may hold before their fits are trained.
    """

    def __init__(self, train, max_bytes):
        self._train_all, self._max_bytes = train, max_bytes
        self._queues = {}  # by level of nesting
        self._live, self._ready = set(), deque()
        self._waiting, self._bytes, self._most_bytes = [], 0, 0
        self._workers, self._idle_workers = [], []

    def submit(self, call, function, on_end):
        """Add a task, which starts when `run` gives it a turn; return it."""
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
                raise RuntimeError("Tasks wait for tasks that nobody has submitted.")

    def _next_to_start(self):
        """Start a task and return it, or None if fits should train first."""
        levels = [level for level, queue in self._queues.items() if queue]
        # The next task will hold as much as the largest until now.
        full = self._bytes + self._most_bytes > self._max_bytes
        if not levels or (
            self._waiting and (full or len(self._waiting) >= MOST_WAITING)
        ):
            return None
        # Outer tasks first, so that the inner ones of all of them train together.
        level = min(levels) if len(self._live) < MANY_THREADS else max(levels)
        task = self._queues[level].popleft()
        task.worker = self._idle_workers.pop() if self._idle_workers else self._hire()
        task.worker.task = task
        self._live.add(task)
        return task

    def _hire(self):
        worker = Worker()
        self._workers.append(worker)  # before it starts, or Ctrl-C could lose it
        try:
            worker.start()
        except RuntimeError as error:
            # Ctrl-C in the middle of `start` may leave a lock of its own released.
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise
        return worker

    def _continue(self, task):
        """Give a task its turn, and see what it waits for after it."""
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
                # Threads in cycles would be freed at any time, and Python ignores
                # Ctrl-C while they are.
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
        """Unwind the tasks of a call, and so those that they wait for."""
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
