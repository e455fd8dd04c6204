"""The one training path: requests are grouped, stacked, trained and taken apart."""

import copy
from dataclasses import replace

from skreg.augmentation.parameter import has_functions
from skreg.data.shared_arrays import SharedArrays
from skreg.training.grouping import stacks_of
from skreg.training.request import FitResult
from skreg.training.run import run
from skreg.training.tracker import Tracker


def in_this_process(train_stack, stacks):
    """Train stacks one after another; yield the number of each and its results."""
    for number, requests in enumerate(stacks):
        yield number, train_stack(requests)


def train(requests, *, max_bytes=None, n_jobs=1, execute=in_this_process):
    """Train networks, in as few stacks as their settings and the memory allow.

    Fits that are to end at an optimum and have not come near enough go on with the
    full-batch solver.

    Parameters
    ----------
    requests : list of FitRequest
    max_bytes : int, default=None
        What a stack may take; None is a half of what is free.
    n_jobs : int, default=1
        Number of stacks that train at a time, and so the least to cut groups into.
    execute : callable, default=in_this_process
        Maps a function that trains the requests of one stack, and a list of such
        requests, to an iterator over numbers and results of the stacks.

    Returns
    -------
    list of FitResult
        In the order of the requests. A request that failed carries its error. After a
        keyboard interrupt the results of the stack that was training are marked so,
        and those of stacks that had not begun are None.
    """
    results = [None] * len(requests)
    if len(requests) > 1:
        shared = SharedArrays()
        requests = [shared.request(request) for request in requests]
    chunks = stacks_of(requests, max_bytes, n_jobs)
    stacks = [[requests[p] for p in chunk] for chunk in chunks]
    for number, part in execute(train_stack, stacks):
        for position, result in zip(chunks[number], part):
            results[position] = result
        if any(result.interrupted for result in part):
            break
    return results


def train_stack(requests, watch=None):
    """Train requests of one group, in their order, as one stack.

    An error of the stack as a whole is that of each of its models; unless it may be
    that of a function of the user's, which changes the rows of one model.
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


def own_copy(error):
    """Return a copy of an error, as every fit that raises it adds its frames to it."""
    try:
        return copy.copy(error).with_traceback(error.__traceback__)
    except Exception:  # one that cannot be made again from its arguments
        return error


def _needs_polish(result):
    """Tell whether a fit is to go on, and note if it has converged instead."""
    tracker, request = result.tracker, result.tracker.request
    if not request.is_certified or tracker.error or tracker.halted:
        return False
    tracker.converged = result.kkt_violation <= request.accuracy
    return request.solver != "lbfgs" and not tracker.converged


def _polished(results, watch):
    """Return the results of fits that go on with the full-batch solver."""
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
        tracker.go_on_with(request)
        requests.append(request)
    polished = run(requests, trackers, watch)
    for result, before in zip(polished, results):
        result.seconds += before.seconds
    return polished
