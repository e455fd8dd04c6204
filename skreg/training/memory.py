"""How many models train in one stack."""

import math
import os

import psutil

from skreg.networks.architecture import state_shapes

# Bytes that every step of a stack passes over, as `model_bytes` counts them. With
# more they no longer stay in the cache that cores share, and with much less a step is
# over before several threads pay.
CACHED_BYTES = 2**24
# Fewer models than this do not pay for a stack's overhead.
FEWEST = 16
# Of a convolution: outputs, gradients, and neighbourhoods or indices of 64 bits.
IMAGES = 4
# Weights, gradients, two moving averages, twice scratch, and the best network so far.
COPIES = 7


def cut(group, requests, max_bytes=None, n_jobs=1):
    """Cut a group of requests that can share a stack into stacks.

    Parameters
    ----------
    group : list of int
        Positions of the requests.
    requests : list of FitRequest
        Equal data are the same arrays.
    max_bytes : int, default=None
        What a stack may take; None is a half of what is free.
    n_jobs : int, default=1
        Stacks that train at a time, and so share `max_bytes`.

    Returns
    -------
    list of list of int
        The positions, in their order.
    """
    if len(group) == 1:
        return [group]
    if max_bytes is None:
        max_bytes = available_memory() // 2
    per_model = model_bytes(requests[group[0]])
    # Convolutions are a call for each model, whose overhead a stack does not save.
    fewest = 1 if requests[group[0]].architecture.convolutions else FEWEST
    most = max(fewest, CACHED_BYTES // per_model)
    # As many stacks for each job, or some would wait for the last.
    n_stacks = n_jobs * math.ceil(len(group) / (most * n_jobs))
    size = math.ceil(len(group) / n_stacks)
    chunks, room, arrays = [[]], max_bytes / n_jobs, set()
    left = room
    for position in group:
        new = _arrays(requests[position]) - arrays
        taken = per_model + sum(n_bytes for _, n_bytes in new)
        if chunks[-1] and (len(chunks[-1]) == size or taken > left):
            chunks.append([])
            left, new = room, _arrays(requests[position])
            taken, arrays = per_model + sum(n_bytes for _, n_bytes in new), set()
        chunks[-1].append(position)
        left -= taken
        arrays |= new
    return chunks


def _arrays(request):
    """Return the identities and sizes of the inputs of a request."""
    parts = [part for part in (request.train, request.validation) if part is not None]
    # A stack keeps its rows in one array, a copy.
    return {(id(part.X), part.n_bytes) for part in parts}


def model_bytes(request):
    """Return about how many bytes a model takes in a stack, its data aside."""
    architecture, itemsize = request.architecture, request.dtype.itemsize
    shapes = state_shapes(architecture)
    n_weights = sum(a * b for n, (a, b) in shapes.items() if n.startswith("weight"))
    rows = min(request.batch_size, len(request.train.index))
    rows *= 2 if request.settings["adversarial"] else 1
    rows *= request.architecture.n_members
    # Inputs, and outputs, masks and gradients of every layer.
    width = 2 * architecture.input_width + 4 * sum(architecture.layer_sizes[1:])
    width += sum(IMAGES * shape.n_units for shape in architecture.convolutions)
    activations = rows * width
    copies = COPIES + bool(request.swa_fraction or request.ema_decay)
    copies += request.settings["pruning"] > 0
    return itemsize * (copies * n_weights + activations)


def available_memory():
    """Return the bytes of memory that are free, within a container's limit."""
    free = psutil.virtual_memory().available
    limit, used = (_control_group(f"memory.{what}") for what in ("max", "current"))
    return free if limit is None or used is None else min(free, limit - used)


def _control_group(name):
    """Return a number that Linux keeps for this container, or None."""
    path = os.path.join("/sys/fs/cgroup", name)
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):  # elsewhere, or "max", which is no limit
        return None
