"""The threads of a fit: their number, work that they share, and subnormal numbers."""

import os
import sys
import threading
from _thread import start_new_thread
from contextlib import contextmanager, suppress

import torch

# With fewer multiplications than this in the largest product of a step, synchronising
# several threads takes longer than they save.
SINGLE_THREAD_PRODUCTS = 2**23
# The same for each model of a stack, where each thread computes whole models. A stack
# of many small networks gains little on an idle machine. On a busy one, where the
# threads that wait for one another in each of its short operations do not run at the
# same time, it takes twenty times as long.
SINGLE_THREAD_PRODUCTS_OF_MODELS = 2**20
# With fewer multiplications than this in all, starting a thread takes longer than it
# saves.
SHARED_PRODUCTS = 2**24

_lock = threading.Lock()
_active = {"count": 0, "found": 1}


@contextmanager
def threads_for(products, n_models=1):
    """Limit torch to a single thread inside the context if the work is small.

    The number of threads is restored at the end. torch also applies it to Python
    threads that start inside the context. Concurrent calls therefore all restore the
    number that the first one found.

    Parameters
    ----------
    products : int
        Number of multiplications in the largest matrix product, over all models.
    n_models : int, default=1
        Number of models in the stack.

    Examples
    --------
    >>> import torch
    >>> from skreg.training.threads import threads_for
    >>> with threads_for(1000):
    ...     torch.get_num_threads()
    1
    """
    few = SINGLE_THREAD_PRODUCTS
    if n_models > 1:
        few = SINGLE_THREAD_PRODUCTS_OF_MODELS * n_models
    if products >= few:
        yield
        return
    with _lock:
        # This call also makes a new thread adopt its number of threads now, not later.
        found = torch.get_num_threads()
        if _active["count"] == 0:
            _active["found"] = found
        _active["count"] += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _active["count"] -= 1
            torch.set_num_threads(_active["found"])


def allowed_threads():
    """Return the number of threads that torch uses outside of `threads_for`."""
    with _lock:
        return _active["found"] if _active["count"] else torch.get_num_threads()


class _Crew:
    """Threads that were started, of which none may go on after it was dismissed.

    An interrupt can come at any time, also while a thread is being started, when nobody
    knows yet whether it runs. So each thread asks before it begins.
    """

    def __init__(self):
        self._changed = threading.Condition()
        self._is_dismissed, self._n_working, self._n_done = False, 0, 0
        self.errors = []

    def work(self, function, number):
        """Call the function with the number of this thread, unless it is too late."""
        with self._changed:
            if self._is_dismissed:
                return
            self._n_working += 1
        try:
            function(number)
        except BaseException as error:
            self.errors.append(error)
        finally:
            with self._changed:
                self._n_working -= 1
                self._n_done += 1
                self._changed.notify_all()

    def wait_for(self, n):
        """Wait until `n` threads are done."""
        with self._changed:
            self._changed.wait_for(lambda: self._n_done == n)

    def dismiss(self):
        """Let no thread begin, and wait for those that work."""
        # The interrupt that led here is raised in the end; another changes nothing.
        while True:
            with suppress(KeyboardInterrupt), self._changed:
                self._is_dismissed = True
                self._changed.wait_for(lambda: self._n_working == 0)
                return


def together(function, n_threads, abandon=lambda: None):
    """Call a function with the numbers from 0 on, each in a thread of its own.

    Parameters
    ----------
    function : callable
        It should release the lock of the interpreter.
    n_threads : int
        Number of calls. The first one is made in this thread.
    abandon : callable, default=lambda: None
        Called if this thread is interrupted or a thread cannot be started, so that the
        others do not wait for it.
    """
    if n_threads == 1:
        function(0)
        return
    crew = _Crew()
    try:
        for number in range(1, n_threads):
            # Half the time that an object of `threading` takes.
            start_new_thread(crew.work, (function, number))
        function(0)
        crew.wait_for(n_threads - 1)
    except BaseException:
        abandon()
        crew.dismiss()
        raise
    if crew.errors:
        raise crew.errors[0]


def share_out(function, n):
    """Call a function with the numbers below `n`, which threads take one by one.

    Parameters
    ----------
    function : callable
        It should release the lock of the interpreter.
    n : int

    Examples
    --------
    >>> from skreg.training.threads import share_out
    >>> squares = [0] * 4
    >>> def square(number):
    ...     squares[number] = number**2
    >>> share_out(square, 4)
    >>> squares
    [0, 1, 4, 9]
    """
    stopped, numbers = threading.Event(), iter(range(n))  # its `next` is atomic

    def work(thread):
        for number in numbers:
            if stopped.is_set():
                return
            function(number)

    together(work, min(allowed_threads(), n), stopped.set)


@contextmanager
def flushed_subnormals():
    """Let the processor take subnormal numbers for zero inside the context.

    Adam's first moment of a weight without a gradient, as of a unit that is never
    active, decays by a tenth in each step. After 800 steps in single precision it is
    smaller than 1e-38, where an operation takes as long as a hundred others.
    """
    if _flushes_subnormals():
        yield
        return
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _flushes_subnormals():
    # Python and torch divide with the same instructions and settings of the processor.
    smallest = sys.float_info.min
    return smallest / 2 == 0


@contextmanager
def at_most(n_jobs):
    """Set the number of threads of torch inside the context.

    Parameters
    ----------
    n_jobs : int or None
        Negative numbers count back from the number of cores, as in joblib: -1 uses all
        cores. None leaves the number unchanged.
    """
    if n_jobs is None:
        yield
        return
    found = torch.get_num_threads()
    torch.set_num_threads(
        n_jobs if n_jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + n_jobs)
    )
    try:
        yield
    finally:
        torch.set_num_threads(found)
