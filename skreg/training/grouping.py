"""Grouping of fit requests into stacks that train together."""

from dataclasses import fields

import scipy.sparse as sp

from skreg.augmentation.parameter import layouts
from skreg.training.memory import cut
from skreg.training.optimizers import StepSettings


def stacks_of(requests, max_bytes=None, n_jobs=1):
    """Distribute requests over stacks.

    Parameters
    ----------
    requests : list of FitRequest
        Requests with equal data must share the same arrays.
    max_bytes, n_jobs
        See `skreg.training.memory.cut`.

    Returns
    -------
    list of list of int
        The positions of the requests of each stack.
    """
    return [
        chunk
        for group in _groups(requests)
        for chunk in cut(group, requests, max_bytes, n_jobs)
    ]


def _groups(requests):
    """Group the positions of requests that can share a stack.

    Each group is sorted by descending number of batches and then by the optimiser's
    settings, because neighbours with equal settings share calls of the optimiser's
    kernel.
    """
    groups = {}
    for position, request in enumerate(requests):
        groups.setdefault(group_key(request), []).append(position)
    for positions in groups.values():
        positions.sort(key=lambda p: (-requests[p].n_batches, _step_key(requests[p])))
    return groups.values()


def group_key(request):
    """Return the key of a request: requests with equal keys can share a stack."""
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
        request.scaling.kind,
        request.train.X.dtype,
        request.train.X.shape[1:],
        sp.issparse(request.train.X),
        # group_l1 changes the metric of the optimiser.
        any(request.settings["group_l1"]),
        request.inputs and request.inputs.key,
        # Adversarial training doubles the rows of all models of a stack.
        request.settings["adversarial"] > 0,
        layouts(request.augment),
        request.has_moving_averages,
        id(request) if request.callbacks else None,
    )


def _step_key(request):
    return [request.settings[f.name] for f in fields(StepSettings)]
