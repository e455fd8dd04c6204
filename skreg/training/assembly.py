"""Builds the parts of a stack from the fit requests of its models."""

from dataclasses import fields

import numpy as np
import torch

from skreg.augmentation.steps import Augmentation
from skreg.data.batches import Batches, Pool
from skreg.data.random_streams import INIT
from skreg.data.scaling import StackedScaling
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork
from skreg.parameters.devices import has_double
from skreg.penalties.combined import Penalties
from skreg.penalties.kinds import PENALTIES
from skreg.training.input_penalties import stacked_input_terms
from skreg.training.optimizers import OPTIMIZERS, StepSettings

# Largest number of input elements in a batch of a pass in a fixed order: for validation
# and for the full-batch solver.
ELEMENTS_AT_A_TIME = 2**22


def stack_dtype(request):
    """Return the floating-point type in which a stack computes."""
    # In single precision, rounding keeps gradients from falling below about 1e-6.
    in_double = request.solver == "lbfgs" and has_double(request.device)
    return torch.float64 if in_double else request.dtype


def stacked_vectors(kind, requests, like):
    """Stack the settings of several requests in a dataclass.

    Parameters
    ----------
    kind : type
        The dataclass. Its fields are names of settings.
    requests : list of FitRequest
    like : dict
        The `dtype` and `device` of the tensors.

    Returns
    -------
    object
        An instance of `kind`. Each field is a tensor with one row per request.
    """
    # One array for all numbers, because a stack of a few small networks has more
    # settings than its training has steps.
    names = [part.name for part in fields(kind)]
    lists = {n for n in names if isinstance(requests[0].settings[n], list | tuple)}
    numbers = _settings(requests, [n for n in names if n not in lists], like)
    columns = numbers | {n: _settings(requests, [n], like)[n] for n in lists}
    return kind(**columns)


def _settings(requests, names, like):
    """Return settings by name, each a tensor with one row per request.

    All are numbers, or sequences of one length.
    """
    values = [[request.settings[name] for request in requests] for name in names]
    stacked = torch.tensor(np.array(values, np.float64), **like)
    return dict(zip(names, stacked.unbind()))


def stacked_penalties(requests, like):
    """Return the `Penalties` of the requests."""
    strengths = _settings(requests, [kind.parameter for kind in PENALTIES], like)
    n_rows = requests[0].architecture.group_rows
    return Penalties(strengths, n_rows, stacked_input_terms(requests, like))


def stacked_network(requests, streams, like):
    """Return the networks of the requests with their initial weights."""
    architecture = requests[0].architecture
    states = [
        # Copy, because a stack of one model trains in the memory of these arrays.
        [array.copy() for array in request.initial]
        if request.initial
        else initial_state(architecture, own[INIT], np.float64, request.start)
        for request, own in zip(requests, streams)
    ]
    for request, state in zip(requests, states):
        if request.inputs is not None:
            request.inputs.leave_out(architecture, state)
    network = StackedNetwork(architecture, states, **like)
    return network


def stacked_batches(requests, streams, like):
    """Return the training batches and the validation batches.

    The latter are None if the requests have no validation rows.
    """
    head, n_models = requests[0], len(requests)
    parts = [request.train for request in requests]
    parts += [r.validation for r in requests if r.validation is not None]
    pool = Pool(parts, **like)
    scaling = StackedScaling.of([r.scaling for r in requests], pool.x_device)
    augmentation = Augmentation([r.augment for r in requests], streams)
    size, order = head.batch_size, streams if head.shuffle else None
    if head.solver == "lbfgs":
        size, order = rows_at_a_time(head.architecture), None
    if head.solver == "lbfgs" or not any(augmentation.random_models):
        augmentation = None
    batches = Batches(
        pool,
        pool.indices[:n_models],
        scaling,
        size,
        order,
        head.min_rows,
        augmentation,
    )
    if len(pool.indices) == n_models:
        return batches, None
    rows = pool, pool.indices[n_models:], scaling
    return batches, batches_in_order(head.architecture, *rows)


def batches_in_order(architecture, pool, indices, scaling, n_shares=1):
    """Return batches that pass over all rows in a fixed order.

    Parameters
    ----------
    architecture : Architecture
    pool, indices, scaling
        See `Batches`.
    n_shares : int, default=1
        Number of models that share the memory of a batch.
    """
    rows = max(64, rows_at_a_time(architecture) // n_shares)
    return Batches(pool, indices, scaling, rows)


def rows_at_a_time(architecture):
    """Return the batch size of a pass in a fixed order, at least 64."""
    return max(64, ELEMENTS_AT_A_TIME // (architecture.widest * architecture.n_members))


def stacked_optimizer(requests, network, penalties, n_batches, like):
    """Return the optimiser of the models, or None for the L-BFGS solver."""
    head, buffers, steps = requests[0], None, None
    if head.solver == "lbfgs":
        return None
    if head.has_moving_averages:
        buffers, steps = _moving_averages(requests, like)
    return OPTIMIZERS[head.solver](
        network,
        penalties,
        stacked_vectors(StepSettings, requests, like),
        n_batches,
        head.nesterov,
        buffers,
        steps,
    )


def _moving_averages(requests, like):
    """Stack the optimiser buffers and step counts of an earlier call."""
    states = [request.optimizer_state for request in requests]
    stacked = [
        [torch.tensor(np.concatenate(arrays), **like) for arrays in zip(*kind)]
        for kind in zip(*(state.buffers for state in states))
    ]
    return stacked, [state.n_steps for state in states]
