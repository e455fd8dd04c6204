"""The training run of one stack, which can pause between epochs."""

import math
import time

import numpy as np
import torch

from skreg.training.certificate import violations
from skreg.training.course import Course
from skreg.training.engine import engine_of, train_epoch
from skreg.training.lbfgs import Solver
from skreg.training.observer import is_raised_by_skorch, observer_of
from skreg.training.records import (
    record_of_model,
    record_of_result,
    rows_of,
    tracker_of,
)
from skreg.training.request import FitResult
from skreg.training.stack import Stack
from skreg.training.threads import flushed_subnormals, threads_for
from skreg.training.tracker import Tracker


class Run:
    """The training run of one stack.

    If the requests hold records in `resume`, the run goes on from them. Either all or
    none do, and the models have completed the same number of epochs.

    Parameters
    ----------
    requests : list of FitRequest
        Requests with equal `group_key`, in descending order of their number of batches.
    earlier : list of FitResult, default=None
        Results to continue with another solver, in the order of the requests.
    after_epoch : callable, default=None
        Called after every epoch with the run and the number of models that were trained
        in it.

    Attributes
    ----------
    stack : Stack
        The models that are still training.
    course : Course
        The progress of these models.
    results : list of FitResult or None
        One for each request, None until its training has ended.
    interrupted : bool
        Whether a keyboard interrupt has ended the training.
    """

    def __init__(self, requests, earlier=None, after_epoch=None):
        records = [r.resume for r in requests]
        with threads_for(0):  # whose threads would slow down what follows
            self.stack = Stack(requests)
        self._seconds_before = [0.0] * len(requests)
        if earlier is not None:
            self._trackers = [result.tracker for result in earlier]
            self._seconds_before = [result.seconds for result in earlier]
        elif all(records):
            self.stack.resume(records)
            self._trackers = list(map(tracker_of, records, requests))
            self._seconds_before = [r.numbers["seconds"] for r in records]
        else:
            self._trackers = list(map(Tracker, requests))
        self.course = Course(self._trackers)
        self._n_before = self.course.n_epochs
        # In a continued fit, the schedule may have changed the learning rate already.
        self.stack.set_rates(self.course.rates)
        self.results, self.interrupted = [None] * len(requests), False
        self._after_epoch, self._seconds = after_epoch, 0.0
        self._start = math.inf  # of the present call
        self._observer = observer_of(self.stack, requests[0].callbacks)
        self._observer.begin()
        self._engine = engine_of(self.stack, self._observer)

    @torch.no_grad()
    def advance(self, until=math.inf):
        """Train until each model has stopped or has completed `until` epochs.

        The full-batch solver ignores `until`.
        """
        self._start = time.perf_counter()
        try:
            with self._threads(), flushed_subnormals():
                self._train(until)
        except KeyboardInterrupt as interrupt:
            self.interrupted = not is_raised_by_skorch(interrupt)
            self.course.halt()
        self._seconds += time.perf_counter() - self._start
        self._start = math.inf

    def _threads(self):
        """Return a context with the threads of torch that the engine can use."""
        n_models = len(self.course.trackers)
        return threads_for(self._engine.products_of_torch, n_models)

    def halt(self):
        """Stop the training of all models, as after an interrupt."""
        self.course.halt()
        self.retire([])

    def _train(self, until):
        if self.stack.optimizer is None:
            self._minimise()
            return
        while self.course.has_until(until):
            start = time.perf_counter()
            self._observer.begin_epoch()
            n_epochs = [1 + n for n in self.course.n_epochs]
            losses = train_epoch(self.stack, n_epochs, self._engine)
            self._end_epoch(start, losses)

    def _minimise(self):
        """Run the full-batch solver to its end. An iteration counts as an epoch."""
        stack, is_new = self.stack, self.stack.solver is None
        while self.course.trackers:
            start = time.perf_counter()
            if not is_new:
                stack.solver.step()
            elif stack.solver is None:  # the initial weights are the first iterate
                stack.solver = Solver(stack.objective())
            is_new = False
            status = stack.solver.status(self.course.accuracies)
            self.course.note_iteration(*status)
            self._observer.begin_epoch()
            self._end_epoch(start, stack.solver.values)

    def _end_epoch(self, start, losses):
        """Validate the models, update their trackers and retire those that stop."""
        valid_losses = None
        if self.stack.validation is not None:
            valid_losses = self._engine.validation_losses()
        going = self.course.note_epoch(losses, valid_losses, self.stack.state_of)
        seconds = time.perf_counter() - start
        self._observer.end_epoch(seconds, losses, valid_losses)
        self.retire(going)
        if self._after_epoch:
            self._after_epoch(self, len(losses))

    @torch.no_grad()
    def retire(self, going):
        """End the training of all models except those at the positions `going`."""
        n_models = len(self.course.trackers)
        with self._threads():
            if len(going) < n_models:
                self._finish(sorted(set(range(n_models)) - set(going)))
                self.course.keep(going)
            if going:
                if len(going) < n_models:
                    self.stack.keep(going)
                    self._engine = engine_of(self.stack, self._observer)
                self.stack.set_rates(self.course.rates)
                self._observer.follow(self.stack)

    def _finish(self, positions):
        """Store the results of the models at the given positions."""
        certified = self.stack.penalties.nonsmooth_models()
        n_epochs = self.course.n_epochs
        to_certify = []
        for position in positions:
            result = self._result(position)
            self.results[self.course.places[position]] = result
            request = result.tracker.request
            if not all(np.isfinite(array).all() for array in result.state):
                result.tracker.diverged(math.nan)
            elif (
                request.solver == "lbfgs" or request.is_certified or certified[position]
            ):
                to_certify.append(position)
        # After an interrupt, the user does not wait for a pass over all rows.
        if self.interrupted:
            return
        for position, violation in violations(self.stack, to_certify, n_epochs).items():
            self.results[self.course.places[position]].kkt_violation = violation

    def _result(self, position):
        """Return the result of a model, and set its final weights in the stack."""
        stack, tracker = self.stack, self.course.trackers[position]
        if tracker.best_state is not None:
            stack.restore(position, tracker.best_state)
        if stack.pruning:
            stack.pruning.complete(position, stack.network)
        result = FitResult(stack.state_of(position), tracker)
        if tracker.request.keep_optimizer and stack.optimizer:
            result.optimizer_state = stack.optimizer_state_of(position)
        return result

    @torch.no_grad()
    def finish(self):
        """End the training and return the results in the order of the requests."""
        self._start = time.perf_counter()
        self.retire([])
        self._observer.end()
        self._seconds += time.perf_counter() - self._start
        self._start = math.inf
        for result, seconds in zip(self.results, self._shares()):
            result.interrupted = self.interrupted
            result.history = list(self._observer.history)
            result.seconds = seconds
        return self.results

    def _shares(self):
        """Return the time of each model: its share of this run, and what came before.

        The time of a run is divided in proportion to the steps of each model.
        """
        running = max(0.0, time.perf_counter() - self._start)
        seconds, before = self._seconds + running, self._seconds_before
        steps = [
            (tracker.n_iter - n) * tracker.request.n_batches
            for tracker, n in zip(self._trackers, self._n_before)
        ]
        if not any(steps):  # after an interrupt in the first epoch
            steps = [1] * len(steps)
        return [b + seconds * n / sum(steps) for b, n in zip(before, steps)]

    def records(self):
        """Return a `Record` of each request. None if it has failed, or no epoch."""
        seconds, records = self._shares(), [None] * len(self.results)
        for place, result in enumerate(self.results):
            if result is not None:
                result.seconds = seconds[place]
                records[place] = record_of_result(result)
        rows = rows_of(self.stack.columns()) if self.course.trackers else []
        averages = self.stack.averages
        for position, (tracker, columns) in enumerate(zip(self.course.trackers, rows)):
            place = self.course.places[position]
            records[place] = record_of_model(
                tracker,
                seconds[place],
                averages.steps[position] if averages else 0,
                columns,
            )
        return records


def run(requests, earlier=None, after_epoch=None):
    """Train a stack to the end.

    Parameters
    ----------
    requests, earlier, after_epoch
        See `Run`.

    Returns
    -------
    list of FitResult
        In the order of the requests.
    """
    training = Run(requests, earlier, after_epoch)
    training.advance()
    return training.finish()
