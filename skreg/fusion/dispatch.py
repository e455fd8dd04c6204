"""Training of the fits of a search, here or in other processes, or from disk."""

from functools import partial

from joblib import Parallel, delayed, effective_n_jobs, parallel_config

from skreg.data.shared_arrays import SharedArrays
from skreg.fusion.progress import Progress
from skreg.training.errors import portable
from skreg.training.train import train


class Trainer:
    """Trains the fits of a search.

    Parameters
    ----------
    max_bytes : int or None
        Number of bytes that the training may take.
    n_jobs : int or None
        Number of stacks that train at a time. None is one, or the number of workers of
        a cluster.
    over : str
        The joblib backend that stacks are spread over.
    checkpoint : Checkpoint or None
        Where fits are kept.
    progress : bool
        Whether to show a progress bar.
    """

    def __init__(self, max_bytes, n_jobs, over, checkpoint, progress):
        self._max_bytes, self._over, self._progress = max_bytes, over, progress
        if n_jobs is None:
            n_jobs = 1 if over == "loky" else -1
        with parallel_config(backend=over):
            self._n_jobs = effective_n_jobs(n_jobs)
        self._kept = checkpoint

    def train(self, requests):
        """Train fits, or read them from disk.

        Parameters
        ----------
        requests : list of FitRequest

        Returns
        -------
        list of FitResult

        Raises
        ------
        KeyboardInterrupt
            If the user interrupts the training.
        """
        side_by_side = partial(
            train, max_bytes=self._max_bytes, n_jobs=self._n_jobs, execute=self._execute
        )
        results = train_and_keep(requests, self._kept, side_by_side)
        if any(result is None or result.interrupted for result in results):
            raise KeyboardInterrupt
        return results

    def train_alone(self, requests):
        """Train the networks of a fit outside a search, or read them from disk.

        Parameters
        ----------
        requests : list of FitRequest

        Returns
        -------
        list of FitResult or None
            None for networks that had not started when the user interrupted the
            training, as in `training.train`.
        """
        return train_and_keep(requests, self._kept)

    def _execute(self, train_stack, stacks):
        """Train stacks. It replaces `in_this_process`."""
        with Progress(stacks, self._progress) as progress:
            yield from self._spread(train_stack, stacks, progress)

    def _spread(self, train_stack, stacks, progress):
        """Train stacks in other processes where possible, and the rest in this one."""
        numbers = range(len(stacks))
        away = {n: stacks[n] for n in numbers if self._can_leave(stacks[n])}
        if away:
            for number, results in self._over_workers(train_stack, away):
                progress.finish(away[number])
                yield number, results
        here = {n: stacks[n] for n in numbers if n not in away}
        for number, requests in here.items():
            yield number, train_stack(requests, progress.watch(requests))
            progress.finish(requests)

    def _can_leave(self, requests):
        """Return whether a stack can train in another process.

        The effects of users' functions must be seen in this process.
        """
        return self._n_jobs > 1 and not any(
            r.on_epoch or r.callbacks or callable(r.monitor) for r in requests
        )

    def _over_workers(self, train_stack, stacks):
        """Train stacks in the processes or on the machines of a joblib backend."""
        with parallel_config(backend=self._over, n_jobs=self._n_jobs):
            parallel = Parallel(return_as="generator_unordered", pre_dispatch="all")
            finished = parallel(
                delayed(_train_remotely)(train_stack, number, requests)
                for number, requests in stacks.items()
            )
            for number, results in finished:
                for request, result in zip(stacks[number], results):
                    tracker = result.tracker
                    tracker.request = tracker.request.with_data_of(request)
                yield number, results


def _train_remotely(train_stack, number, requests):
    """Train a stack in another process, and return its results without the data."""
    results = train_stack(requests)
    for result in results:
        tracker = result.tracker
        tracker.best_state, tracker.request = None, tracker.request.without_data()
        if tracker.error is not None:
            tracker.error = portable(tracker.error)
    return number, results


def train_and_keep(requests, checkpoint, train_all=train):
    """Train fits that are not on disk already, and keep them there.

    Parameters
    ----------
    requests : list of FitRequest
    checkpoint : Checkpoint or None
        None keeps nothing.
    train_all : callable, default=train
        `training.train`, or the same with other options.

    Returns
    -------
    list of FitResult or None
        As `training.train` returns them.
    """
    if checkpoint is None or not checkpoint.begin():
        return train_all(requests)
    shared = SharedArrays()  # which are hashed once
    requests = checkpoint.resumed([request.sharing(shared) for request in requests])
    return train_all(requests, keep=checkpoint)
