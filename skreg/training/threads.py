"""The number of threads of a fit, and subnormal numbers."""

import os
import sys
import threading
from contextlib import contextmanager

import torch

# With fewer multiplications than this in the largest product of a step, synchronising
# several threads takes longer than they save.
SINGLE_THREAD_PRODUCTS = 2**23
# The same for each model of a stack, where each thread computes whole models. A stack
# of many small networks gains little on an idle machine. On a busy one, where the
# threads that wait for one another in each of its short operations do not run at the
# same time, it takes twenty times as long.
SINGLE_THREAD_PRODUCTS_OF_MODELS = 2**20

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
