"""The number of models per stack, from the memory that they take."""

import math
import os

import psutil

from skreg.networks.architecture import state_shapes

# Bytes that each step of a stack works on, as counted by `model_bytes`. A larger stack
# does not fit into the cache that the cores share. In a much smaller one, a step is too
# short for several threads to pay off.
CACHED_BYTES = 2**24
# Stacks of fewer models than this do not make up for their overhead.
FEWEST = 16
# Copies of a convolution's outputs: the outputs, their gradients, and neighbourhoods or
# 64-bit indices.
IMAGES = 4
# Copies of the weights: the weights, their gradients, two moving averages, two scratch
# buffers, and the best network so far.
COPIES = 7


def cut(group, requests, max_bytes=None, n_jobs=1):
    """Divide a group of requests that can share a stack into stacks.

    Parameters
    ----------
    group : list of int
        Positions of the requests of the group.
    requests : list of FitRequest
        All requests. Those with equal data must share the same arrays.
    max_bytes : int, default=None
        Memory that the stacks may take. None is half of the available memory.
    n_jobs : int, default=1
        Number of stacks that train at the same time and share `max_bytes`.

    Returns
    -------
    list of list of int
        The positions of the requests of each stack, in the order of the group.
    """
    if len(group) == 1:
        return [group]
    if max_bytes is None:
        max_bytes = available_memory() // 2
    per_model = model_bytes(requests[group[0]])
    # Convolutions take one call per model, so a stack does not save their overhead.
    fewest = 1 if requests[group[0]].architecture.convolutions else FEWEST
    most = max(fewest, CACHED_BYTES // per_model)
    # Every job gets the same number of stacks, so that none waits for the last one.
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
    """Return the identities and sizes of the input arrays of a request."""
    parts = [part for part in (request.train, request.validation) if part is not None]
    # A stack copies its rows into a single array.
    return {(id(part.X), part.n_bytes) for part in parts}


def model_bytes(request):
    """Estimate the bytes that a model takes in a stack, without its data."""
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
    """Return the bytes of available memory, within the limit of the container."""
    free = psutil.virtual_memory().available
    limit, used = (_control_group(f"memory.{what}") for what in ("max", "current"))
    return free if limit is None or used is None else min(free, limit - used)


def _control_group(name):
    """Return a number from the Linux control group of this process, or None."""
    path = os.path.join("/sys/fs/cgroup", name)
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):  # not in a control group, or "max" for no limit
        return None
