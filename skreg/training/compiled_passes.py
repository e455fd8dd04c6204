"""Passes of the compiled library over the rows of all models, shared out to threads."""

import numpy as np

from skreg.training.threads import allowed_threads

# Multiplications from which on threads share out the models, or the rows, of a call.
# With fewer, starting a thread takes longer than it saves.
SHARED_PRODUCTS = 2**23
# Multiplications from which on threads compute a part of the rows together. They wait
# for one another twice, which takes microseconds.
PART_PRODUCTS = 2**22
# Rows of such a part, at most: those of large networks have fewer.
ROWS_OF_A_PART = 512


class Passes:
    """Passes over the rows of all models of a plan.

    Parameters
    ----------
    library : Library
    plan : NetworkPlan
    task : {"train", "differentiate", "differentiate_epoch", "evaluate"}
        What to do with the rows, as for `Library.crew`.
    """

    def __init__(self, library, plan, task):
        self._library, self._plan, self._task = library, plan, task
        self._products = plan.module.architecture.largest_product
        rows = plan.models["n_rows"]
        self._most_rows = int(rows.max())
        if task == "train":
            self._most_rows = min(self._most_rows, plan.batch_size)
        self._all_products = int(rows.sum()) * self._products
        self._losses = np.zeros(len(rows))
        self._address = self._losses.ctypes.data
        self._crew, self._sizes = None, None

    def run(self):
        """Go over the rows of all models, and return their losses.

        Returns
        -------
        list of float
        """
        sizes, crew = self._sizes_now(), self._crew
        if crew is None or sizes != self._sizes:
            crew = self._library.crew(self._plan.address, *sizes, self._task)
        # It is of no use after an interrupt.
        self._crew, self._sizes = None, sizes
        crew.work(self._address)
        self._crew = crew
        return self._losses.tolist()

    def _sizes_now(self):
        """Return the number of teams, and that of the threads of each."""
        if self._all_products < SHARED_PRODUCTS:
            return 1, 1
        n_threads = allowed_threads()
        n_teams = min(n_threads, len(self._losses))
        rows = min(self._most_rows, ROWS_OF_A_PART)
        is_large = rows * self._products >= PART_PRODUCTS
        return n_teams, n_threads // n_teams if is_large else 1
