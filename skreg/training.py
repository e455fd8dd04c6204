"""The one training path: requests are grouped, stacked, trained and taken apart."""

from dataclasses import fields, replace

from skreg.optim import StepSettings
from skreg.stack import Stack, run


def train(requests):
    """Train networks, as few stacks as their settings allow.

    Fits that are to end at an optimum and have not come near enough go on with the
    full-batch solver.

    Parameters
    ----------
    requests : list of FitRequest

    Returns
    -------
    list of FitResult
        In the order of the requests. A request that failed carries its error. After a
        keyboard interrupt the results of the stack that was training are marked so,
        and those of stacks that had not begun are None.
    """
    results = _train_stacks(requests)
    if any(result is None or result.interrupted for result in results):
        return results
    rough = [p for p, result in enumerate(results) if _needs_polish(result)]
    polished = _train_stacks([_polishing(results[p]) for p in rough])
    for position, result in zip(rough, polished):
        results[position] = result or results[position]
    return results


def _train_stacks(requests):
    """Train requests in stacks, with the solver that each asks for."""
    groups = {}
    for position, request in enumerate(requests):
        groups.setdefault(request.group_key(), []).append(position)
    results = [None] * len(requests)
    for positions in groups.values():
        # Neighbours with equal settings share their calls of the optimiser's kernel.
        positions.sort(key=lambda p: (-requests[p].n_batches, _step_key(requests[p])))
        stack = Stack([requests[p] for p in positions])
        for position, result in zip(positions, run(stack)):
            results[position] = result
        if results[positions[0]].interrupted:
            break
    return results


def _needs_polish(result):
    """Tell whether a fit is to go on, and note if it has converged instead."""
    tracker, request = result.tracker, result.tracker.request
    if not request.is_certified or tracker.error or tracker.halted:
        return False
    tracker.converged = result.kkt_violation <= request.accuracy
    return request.solver != "lbfgs" and not tracker.converged


def _polishing(result):
    """Return the request that ends a fit at an optimum."""
    tracker, request = result.tracker, result.tracker.request
    tracker.request = replace(
        request,
        solver="lbfgs",
        initial=result.state,
        # Epochs and iterations are different things: each has max_iter to itself.
        max_iter=request.max_iter + tracker.n_iter,
        optimizer_state=None,
        tracker=tracker,
    )
    return tracker.request


def _step_key(request):
    return [request.settings[f.name] for f in fields(StepSettings)]
