"""How many threads a piece of work deserves."""

import os
import threading
from contextlib import contextmanager

import torch

# Multiplications in the largest product of a step below which the threads' waiting
# for one another costs more than they save.
SINGLE_THREAD_PRODUCTS = 2**23
# The same for a stack of several models, which threads share out model by model.
SINGLE_THREAD_PRODUCTS_OF_STACKS = 2**21

_lock = threading.Lock()
_active = {"count": 0, "found": 1}


@contextmanager
def threads_for(products, n_models=1):
    """Compute small work in one thread, and other work in as many as torch has.

    The number is put back as it was found. torch gives it to threads that begin
    meanwhile, too, so of several calls at once each puts back what the first found.

    Parameters
    ----------
    products : int
        Number of multiplications in the largest matrix product, of all models.
    n_models : int, default=1

    Examples
    --------
    >>> import torch
    >>> from skreg.training.threads import threads_for
    >>> with threads_for(1000):
    ...     torch.get_num_threads()
    1
    """
    few = SINGLE_THREAD_PRODUCTS if n_models == 1 else SINGLE_THREAD_PRODUCTS_OF_STACKS
    if products >= few:
        yield
        return
    with _lock:
        # Asking also makes a new thread take up its number now and not later.
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


@contextmanager
def at_most(n_jobs):
    """Let torch use so many threads, as joblib counts them; None is as it is."""
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
