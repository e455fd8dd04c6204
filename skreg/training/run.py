"""The training run of one stack, which can pause between epochs."""

import math
import time

import numpy as np
import torch

from skreg.training.certificate import violations
from skreg.training.course import Course
from skreg.training.epoch import train_epoch, validation_losses
from skreg.training.lbfgs import minimise
from skreg.training.observer import is_raised_by_skorch, observer_of
from skreg.training.request import FitResult
from skreg.training.stack import Stack
from skreg.training.threads import threads_for


class Run:
    """The training run of one stack.

    Parameters
    ----------
    requests : list of FitRequest
        Requests with equal `group_key`, in descending order of their number of batches.
    trackers : list of Tracker, default=None
        The trackers of fits to continue, in the order of the requests.
    watch : callable, default=None
        Called after every epoch with the number of models that were trained in it.

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

    def __init__(self, requests, trackers=None, watch=None):
        self.stack, self.course = Stack(requests), Course(requests, trackers)
        # In a continued fit, the schedule may have changed the learning rate already.
        self.stack.set_rates(self.course.rates)
        self.results, self.interrupted = [None] * len(requests), False
        self._watch, self._seconds = watch, 0.0
        self._observer = observer_of(self.stack, requests[0].callbacks)
        self._observer.begin()

    @torch.no_grad()
    def advance(self, until=math.inf):
        """Train until each model has stopped or has completed `until` epochs.

        The full-batch solver ignores `until`.
        """
        start, n_models = time.perf_counter(), len(self.course.trackers)
        try:
            with threads_for(self.stack.largest_product(), n_models):
                self._train(until)
        except KeyboardInterrupt as interrupt:
            self.interrupted = not is_raised_by_skorch(interrupt)
            self.course.halt()
        self._seconds += time.perf_counter() - start

    def _train(self, until):
        if self.stack.optimizer is None:
            if self.course.trackers:  # the solver needs at least one model
                minimise(
                    self.stack.objective,
                    lambda: self.course.accuracies,
                    self._end_iteration,
                )
            return
        while self.course.has_until(until):
            start = time.perf_counter()
            self._observer.begin_epoch()
            n_epochs = [1 + n for n in self.course.n_epochs]
            losses = train_epoch(self.stack, n_epochs, self._observer)
            self._end_epoch(start, losses)

    def _end_iteration(self, objectives, converged, finished):
        """Record an iteration of the full-batch solver, which counts as an epoch."""
        start = time.perf_counter()
        self.course.note_iteration(converged, finished)
        self._observer.begin_epoch()
        return self._end_epoch(start, objectives)

    def _end_epoch(self, start, losses):
        """Validate the models, update their trackers and retire those that stop.

        Returns
        -------
        list of int
            The positions of the models that continue.
        """
        if self._watch:
            self._watch(len(losses))
        valid_losses = validation_losses(self.stack)
        going = self.course.note_epoch(losses, valid_losses, self.stack.state_of)
        seconds = time.perf_counter() - start
        self._observer.end_epoch(seconds, losses, valid_losses)
        self.retire(going)
        return going

    @torch.no_grad()
    def retire(self, going):
        """End the training of all models except those at the positions `going`."""
        n_models = len(self.course.trackers)
        if len(going) < n_models:
            self._finish(sorted(set(range(n_models)) - set(going)))
            self.course.keep(going)
        if going:
            if len(going) < n_models:
                self.stack.keep(going)
            self.stack.set_rates(self.course.rates)
            self._observer.follow(self.stack)

    def _finish(self, positions):
        """Store the results of the models at the given positions."""
        certified = self.stack.penalties.nonsmooth_models()
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
        for position, violation in violations(self.stack, to_certify).items():
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
        start = time.perf_counter()
        self.retire([])
        self._observer.end()
        for result in self.results:
            result.interrupted = self.interrupted
            result.history = list(self._observer.history)
        _share_out(self._seconds + time.perf_counter() - start, self.results)
        return self.results


def run(requests, trackers=None, watch=None):
    """Train a stack to the end.

    Parameters
    ----------
    requests, trackers, watch
        See `Run`.

    Returns
    -------
    list of FitResult
        In the order of the requests.
    """
    training = Run(requests, trackers, watch)
    training.advance()
    return training.finish()


def _share_out(seconds, results):
    """Divide the training time of a stack in proportion to the steps of each model."""
    steps = [r.tracker.n_iter * r.tracker.request.n_batches for r in results]
    # After an interrupt in the first epoch, no model has completed a step.
    total = sum(steps) or len(results)
    for result, n_steps in zip(results, steps):
        result.seconds = seconds * (n_steps if any(steps) else 1) / total
