"""Passes of the compiled library over the rows of all models, shared out to threads."""

import numpy as np

from skreg.training.threads import SHARED_PRODUCTS, allowed_threads, together

# Seconds that a call of the library should take: an interrupt waits for its end.
CALL = 0.2
# Multiplications from which on threads compute a part of the rows together. They wait
# for one another twice, which takes microseconds.
PART_PRODUCTS = 2**22
# Rows of such a part, at most.
ROWS_OF_A_PART = 512


class Passes:
    """Passes over the rows of all models of a plan.

    Parameters
    ----------
    library : Library
    plan : NetworkPlan
    task : {"train", "differentiate", "differentiate_epoch", "evaluate"}
        What to do with the rows, as for `Library.team`.
    """

    def __init__(self, library, plan, task):
        self._library, self._plan, self._task = library, plan, task
        self._products = plan.module.architecture.largest_product
        rows = plan.models["n_rows"]
        self._most_rows = int(rows.max())
        if task == "train":
            self._most_rows = min(self._most_rows, plan.batch_size)
        self._all_products = int(rows.sum()) * self._products
        self._next_model, self._losses = np.zeros(1, np.int64), np.zeros(len(rows))
        self._addresses = self._next_model.ctypes.data, self._losses.ctypes.data
        self._teams, self._n_threads = [], 0

    def run(self):
        """Go over the rows of all models, and return their losses.

        Returns
        -------
        list of float
        """
        n_teams, n_threads = self._sizes()
        if (len(self._teams), self._n_threads) != (n_teams, n_threads):
            address, self._n_threads = self._plan.address, n_threads
            make = self._library.team
            self._teams = [make(address, n_threads, self._task) for _ in range(n_teams)]
        teams, (next_model, losses) = self._teams, self._addresses
        self._next_model[0] = 0

        def work(number):
            team, thread = divmod(number, n_threads)
            while teams[team].work(thread, next_model, CALL, losses):
                pass

        together(work, n_teams * n_threads, self._abandon)
        return self._losses.tolist()

    def _abandon(self):
        for team in self._teams:
            team.abandon()
        self._teams = []

    def _sizes(self):
        """Return the number of teams, and that of the threads of each."""
        if self._all_products < SHARED_PRODUCTS:
            return 1, 1
        n_threads = allowed_threads()
        n_teams = min(n_threads, len(self._losses))
        rows = min(self._most_rows, ROWS_OF_A_PART)
        is_large = rows * self._products >= PART_PRODUCTS
        return n_teams, n_threads // n_teams if is_large else 1
