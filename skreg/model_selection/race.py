"""Training of many networks that pauses at chosen epochs, so that some can stop."""

from skreg.data.shared_arrays import SharedArrays
from skreg.training.errors import own_copy
from skreg.training.grouping import stacks_of
from skreg.training.records import record_of_result
from skreg.training.request import FitResult
from skreg.training.run import Run
from skreg.training.tracker import Tracker
from skreg.training.train import at_one_epoch


class Race:
    """Networks that train side by side and pause, so that some can be dropped.

    All networks are in memory at the same time. So the remaining ones continue their
    training and are not started again.

    Parameters
    ----------
    requests : list of FitRequest
    max_bytes : int, default=None
        Memory that the stacks may take. None is half of the available memory.
    after_epoch : callable, default=None
        See `Run`.

    Attributes
    ----------
    trackers : list of Tracker
        The progress of each network, in the order of the requests.
    """

    def __init__(self, requests, max_bytes=None, after_epoch=None):
        shared = SharedArrays()
        self.requests = [request.sharing(shared) for request in requests]
        self.trackers = [None] * len(requests)
        self._places, self._runs = [None] * len(requests), []
        # The results of networks that take no part: they failed, or ended earlier.
        self._results, self._failed = {}, set()
        for position, request in enumerate(requests):
            if isinstance(request.resume, FitResult):
                self._results[position] = request.resume
                self.trackers[position] = request.resume.tracker
        for chunk in stacks_of(self.requests, max_bytes):
            remaining = [p for p in chunk if p not in self._results]
            for part in at_one_epoch(remaining, self.requests):
                self._enter(part, after_epoch)

    def _enter(self, chunk, after_epoch):
        try:
            run = Run([self.requests[p] for p in chunk], after_epoch=after_epoch)
        except Exception as error:
            self._fail(chunk, error)
            return
        self._runs.append((run, chunk))
        for place, position in enumerate(chunk):
            self.trackers[position] = run.course.trackers[place]
            self._places[position] = run, place

    def _fail(self, chunk, error):
        """Set the error of a stack as the error of each of its networks."""
        for position in chunk:
            tracker = self.trackers[position] or Tracker(self.requests[position])
            tracker.error, self.trackers[position] = own_copy(error), tracker
            self._results[position] = FitResult([], tracker)
            self._failed.add(position)

    def advance(self, epoch, in_turns=False):
        """Train all remaining networks up to an epoch.

        Parameters
        ----------
        epoch : float
            Number of epochs after which to pause. Infinity trains to the end.
        in_turns : bool, default=False
            Whether the stacks take turns after each epoch. All stacks have then
            completed the same number of epochs when a time limit is reached.

        Raises
        ------
        KeyboardInterrupt
            If the user interrupts the training.
        """
        done = max(tracker.n_iter for tracker in self.trackers) if in_turns else epoch
        while done < epoch and any(run.course.trackers for run, _ in self._going()):
            done += 1
            self._advance(done)
        if not in_turns:
            self._advance(epoch)

    def _going(self):
        """Return the runs that have not failed and the positions of their networks."""
        return [
            (run, chunk) for run, chunk in self._runs if not self._failed & set(chunk)
        ]

    def _advance(self, epoch):
        for run, chunk in self._going():
            try:
                run.advance(epoch)
            except Exception as error:
                self._fail(chunk, error)
            if run.interrupted:
                raise KeyboardInterrupt

    def halt(self):
        """Stop the training of all networks that have completed an epoch."""
        for run, _ in self._going():
            if run.course.trackers and min(run.course.n_epochs):
                run.halt()

    def drop(self, positions):
        """Stop the training of the networks at the given positions."""
        for position in positions:
            self.trackers[position].halted = True
        for run, _ in self._going():
            trackers = run.course.trackers
            keep = [p for p, tracker in enumerate(trackers) if not tracker.halted]
            run.retire(keep)

    def state(self, position):
        """Return the best state of a network so far, or else its current state."""
        tracker = self.trackers[position]
        if tracker.best_state is not None:
            return tracker.best_state
        if position in self._results:
            return self._results[position].state
        run, place = self._places[position]
        result = run.results[place]
        if result is not None:
            return result.state
        return run.stack.state_of(run.course.trackers.index(tracker))

    def finish(self):
        """End the training and return a `FitResult` for each network."""
        for run, chunk in self._going():
            self._results.update(zip(chunk, run.finish()))
        return [self._results[position] for position in range(len(self.requests))]

    def records(self):
        """Return a `Record` of each network. None if it has failed, or no epoch."""
        found = {p: record_of_result(result) for p, result in self._results.items()}
        for run, chunk in self._going():
            if not self._results.keys() >= set(chunk):  # it is not finished
                found.update(zip(chunk, run.records()))
        return [found.get(position) for position in range(len(self.requests))]
