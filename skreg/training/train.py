"""Training of any number of requests: the entry point of this subpackage."""

from dataclasses import replace

from skreg.augmentation.parameter import has_functions
from skreg.data.shared_arrays import SharedArrays
from skreg.training.errors import own_copy
from skreg.training.grouping import stacks_of
from skreg.training.request import FitResult
from skreg.training.run import run
from skreg.training.tracker import Tracker


def in_this_process(train_stack, stacks):
    """Train stacks one after another and yield the number and results of each."""
    for number, requests in enumerate(stacks):
        yield number, train_stack(requests)


def train(
    requests, *, max_bytes=None, n_jobs=1, execute=in_this_process, on_result=None
):
    """Train networks in as few stacks as their settings and the memory allow.

    A fit that must end at an optimum and is not accurate enough continues with the
    full-batch solver.

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
    on_result : callable, default=None
        Called with the position of a request and its result, as soon as its stack has
        been trained.

    Returns
    -------
    list of FitResult
        In the order of the requests. The result of a failed request holds its error.
        After a keyboard interrupt, the results of the stack that was training are
        marked as interrupted. The results of stacks that had not started are None.
    """
    results = [None] * len(requests)
    if len(requests) > 1:
        shared = SharedArrays()
        requests = [request.sharing(shared) for request in requests]
    chunks = stacks_of(requests, max_bytes, n_jobs)
    stacks = [[requests[p] for p in chunk] for chunk in chunks]
    for number, part in execute(train_stack, stacks):
        for position, result in zip(chunks[number], part):
            results[position] = result
            if on_result is not None:
                on_result(position, result)
        if any(result.interrupted for result in part):
            break
    return results


def train_stack(requests, watch=None):
    """Train the requests of one group as one stack, in the given order.

    If the training of the stack raises an error, each of its models gets this error.
    However, an augmentation function of the user may have failed, which affects a
    single model. In this case the models are trained again one by one.

    Parameters
    ----------
    requests : list of FitRequest
    watch : callable, default=None
        See `Run`.

    Returns
    -------
    list of FitResult
    """
    try:
        results = run(requests, watch=watch)
        rough = [p for p, result in enumerate(results) if _needs_polish(result)]
        if rough and not results[0].interrupted:
            polished = _polished([results[p] for p in rough], watch)
            for position, result in zip(rough, polished):
                results[position] = result
    except Exception as error:
        if len(requests) > 1 and has_functions(requests[0].augment):
            return [train_stack([request], watch)[0] for request in requests]
        results = [FitResult([], Tracker(request)) for request in requests]
        for result in results:
            result.tracker.error = own_copy(error)
    return results


def _needs_polish(result):
    """Return whether a fit must continue, and set whether it has converged."""
    tracker, request = result.tracker, result.tracker.request
    if not request.is_certified or tracker.error or tracker.halted:
        return False
    tracker.converged = result.kkt_violation <= request.accuracy
    return request.solver != "lbfgs" and not tracker.converged


def _polished(results, watch):
    """Continue fits with the full-batch solver and return their results."""
    trackers, requests = [result.tracker for result in results], []
    for result in results:
        tracker = result.tracker
        request = replace(
            tracker.request,
            solver="lbfgs",
            initial=result.state,
            max_iter=tracker.request.max_polish + tracker.n_iter,
            optimizer_state=None,
        )
        tracker.request = request
        requests.append(request)
    polished = run(requests, trackers, watch)
    for result, before in zip(polished, results):
        result.seconds += before.seconds
    return polished
