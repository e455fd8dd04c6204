"""Which requests train together, and in how many stacks."""

from dataclasses import fields

import scipy.sparse as sp

from skreg.augmentation.parameter import layouts
from skreg.training.memory import cut
from skreg.training.optimizers import StepSettings


def stacks_of(requests, max_bytes=None, n_jobs=1):
    """Return the positions of the requests of each stack.

    Parameters
    ----------
    requests : list of FitRequest
        Equal data are the same arrays.
    max_bytes, n_jobs
        As those of `memory.cut`.

    Returns
    -------
    list of list of int
    """
    return [
        chunk
        for group in _groups(requests)
        for chunk in cut(group, requests, max_bytes, n_jobs)
    ]


def _groups(requests):
    """Return the positions of requests that can share a stack, group by group.

    Neighbours with equal settings share their calls of the optimiser's kernel, and
    numbers of batches descend.
    """
    groups = {}
    for position, request in enumerate(requests):
        groups.setdefault(group_key(request), []).append(position)
    for positions in groups.values():
        positions.sort(key=lambda p: (-requests[p].n_batches, _step_key(requests[p])))
    return groups.values()


def group_key(request):
    """Return what is equal in all requests that can train in one stack."""
    return (
        request.architecture,
        request.loss,
        request.solver,
        request.dtype,
        request.device,
        request.batch_size,
        request.shuffle,
        request.nesterov,
        request.validation is None,
        request.scaling is None or request.scaling[0] is None,
        request.scaling is None,
        request.smooth_clip,
        request.train.X.dtype,
        request.train.X.shape[1:],
        sp.issparse(request.train.X),
        # The metric of group_l1 is not that of the others.
        any(request.settings["group_l1"]),
        # Twice the rows for all, if for one.
        request.settings["adversarial"] > 0,
        layouts(request.augment),
        request.has_moving_averages,
        id(request) if request.callbacks else None,
    )


def _step_key(request):
    return [request.settings[f.name] for f in fields(StepSettings)]
