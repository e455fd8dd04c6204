"""How many threads a piece of work deserves."""

from contextlib import contextmanager

import torch

# Multiplications in the largest product of a step below which the threads' waiting
# for one another costs more than they save.
SINGLE_THREAD_PRODUCTS = 2**23


@contextmanager
def threads_for(products):
    """Compute small work in one thread, and other work in as many as torch has.

    torch keeps the number of each calling thread apart, so that it is put back as it
    was found.

    Parameters
    ----------
    products : int
        Number of multiplications in the largest matrix product.

    Examples
    --------
    >>> import torch
    >>> from skreg.threads import threads_for
    >>> with threads_for(1000):
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    if products >= SINGLE_THREAD_PRODUCTS or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
