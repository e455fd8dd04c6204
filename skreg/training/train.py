"""Training of any number of requests: the entry point of this subpackage."""

from functools import partial

from skreg.augmentation.parameter import has_functions
from skreg.data.shared_arrays import SharedArrays
from skreg.training.errors import own_copy
from skreg.training.grouping import stacks_of
from skreg.training.records import (
    is_in_polish,
    polish_of,
    record_of_result,
    resumed_polish,
)
from skreg.training.request import FitResult
from skreg.training.run import run
from skreg.training.tracker import Tracker


def in_this_process(train_stack, stacks):
    """Train stacks one after another and yield the number and results of each."""
    for number, requests in enumerate(stacks):
        yield number, train_stack(requests)


def train(requests, *, max_bytes=None, n_jobs=1, execute=in_this_process, keep=None):
    """Train networks in as few stacks as their settings and the memory allow.

    A fit that must end at an optimum and is not accurate enough continues with the
    full-batch solver. Requests with a record of an interrupted training go on from it.

    Parameters
    ----------
    requests : list of FitRequest
    max_bytes : int, default=None
        Memory that the stacks may take. None is half of the available memory.
    n_jobs : int, default=1
        Number of stacks that train at the same time. Each group of requests that can
        share a stack is divided into a multiple of `n_jobs` stacks.
    execute : callable, default=in_this_process
        Trains the stacks. It takes a function that trains the requests of one stack,
        and a list with the requests of each stack. It returns an iterator over the
        number and the results of each stack.
    keep : object, default=None
        Where fits are kept. Its `save` gets the key of a request and its result, as
        soon as its stack has been trained, and then its `end` the requests of the
        stack. `of_stack` is described in `train_stack`.

    Returns
    -------
    list of FitResult
        In the order of the requests. The result of a failed request holds its error.
        After a keyboard interrupt, the results of the stack that was training are
        marked as interrupted. The results of stacks that had not started are None.
    """
    results = [request.resume if has_result(request) else None for request in requests]
    if len(requests) > 1:
        shared = SharedArrays()
        requests = [request.sharing(shared) for request in requests]
    chunks = [
        part
        for chunk in stacks_of(requests, max_bytes, n_jobs)
        for part in at_one_epoch(chunk, requests)
    ]
    stacks = [[requests[p] for p in chunk] for chunk in chunks]
    for number, part in execute(partial(train_stack, keep=keep), stacks):
        for position, result in zip(chunks[number], part):
            results[position] = result
            if keep is not None:
                keep.save(requests[position].key, result)
        if any(result.interrupted for result in part):
            break
        if keep is not None:
            keep.end(stacks[number])
    return results


def train_stack(requests, watch=None, keep=None):
    """Train the requests of one group as one stack, in the given order.

    If the training of the stack raises an error, each of its models gets this error.
    However, an augmentation function of the user may have failed, which affects a
    single model. In this case the models are trained again one by one.

    Parameters
    ----------
    requests : list of FitRequest
    watch : callable, default=None
        Called after every epoch with the number of models that were trained in it.
    keep : object, default=None
        Its `of_stack` takes the requests and returns an object with two methods:
        `is_due` says after an epoch whether records should be kept now, and `save`
        keeps them.

    Returns
    -------
    list of FitResult
    """
    try:
        return _StackTraining(requests, watch, keep).train()
    except Exception as error:
        if len(requests) > 1 and has_functions(requests[0].augment):
            return [train_stack([request], watch, keep)[0] for request in requests]
        results = [FitResult([], Tracker(request)) for request in requests]
        for result in results:
            result.tracker.error = own_copy(error)
    return results


class _StackTraining:
    """The training of a stack: the steps, and then the polish of those that need it."""

    def __init__(self, requests, watch, keep):
        self.requests, self._watch = requests, watch
        self._kept = None if keep is None else keep.of_stack(requests)
        # The steps of these are over.
        self.results = [
            request.resume if isinstance(request.resume, FitResult) else None
            for request in requests
        ]

    def train(self):
        """Train the models and return their results."""
        places = range(len(self.requests))
        resumed = [p for p in places if is_in_polish(self.requests[p])]
        new = [p for p in places if self.results[p] is None and p not in resumed]
        if new:
            self._run(new, [self.requests[p] for p in new])
        rough = [p for p in places if self.results[p] and needs_polish(self.results[p])]
        if not any(result and result.interrupted for result in self.results):
            if resumed:
                self._run(resumed, [resumed_polish(self.requests[p]) for p in resumed])
            if rough:
                self._polish(rough)
        return self.results

    def _polish(self, places):
        """Continue fits with the full-batch solver."""
        before, requests = [self.results[p] for p in places], []
        for result in before:
            tracker = result.tracker
            n_epochs = tracker.request.max_polish + tracker.n_iter
            tracker.request = polish_of(tracker.request, result.state, n_epochs)
            requests.append(tracker.request)
        self._run(places, requests, before)

    def _run(self, places, requests, earlier=None):
        after_epoch = partial(self._after_epoch, places)
        for place, result in zip(places, run(requests, earlier, after_epoch)):
            self.results[place] = result

    def _after_epoch(self, places, run, n_models):
        if self._watch:
            self._watch(n_models)
        # The results of a run that is over follow at once.
        if self._kept and run.course.trackers and self._kept.is_due():
            records = [
                None if result is None else record_of_result(result)
                for result in self.results
            ]
            for place, record in zip(places, run.records()):
                records[place] = record
            self._kept.save(records)


def at_one_epoch(chunk, requests):
    """Divide a stack so that all models of each part have completed as many epochs.

    Usually there is one part, the stack as it was when its training was interrupted.
    Fits that need no training are left out.

    Parameters
    ----------
    chunk : list of int
        The positions of the requests of the stack.
    requests : list of FitRequest
        All requests.

    Returns
    -------
    list of list of int
    """
    standings = {
        p: _standing(requests[p]) for p in chunk if not has_result(requests[p])
    }
    # Models whose steps are over are polished together with others of the stack.
    first = next((s for s in standings.values() if s is not None), None)
    parts = {}
    for position, standing in standings.items():
        parts.setdefault(standing or first, []).append(position)
    return list(parts.values())


def _standing(request):
    """Return the epoch and the solver of a model. None if its steps are over."""
    record = request.resume
    if isinstance(record, FitResult):
        return None
    return (0, request.solver) if record is None else (record.n_iter, record.solver)


def has_result(request):
    """Return whether a request holds the result of a fit that needs no training."""
    found = request.resume
    return isinstance(found, FitResult) and not needs_polish(found)


def needs_polish(result):
    """Return whether a fit must continue, and set whether it has converged."""
    tracker, request = result.tracker, result.tracker.request
    if not request.is_certified or tracker.error or tracker.halted:
        return False
    tracker.converged = bool(result.kkt_violation <= request.accuracy)
    return request.solver != "lbfgs" and not tracker.converged
