"""How far models are from the optimality conditions."""

import torch

from skreg.training.assembly import batches_in_order
from skreg.training.objective import Objective


def violations(stack, positions):
    """Return how far some live models of a stack are from the optimality conditions.

    Under random regularisers the gradient, and so the distance, is an estimate from
    one pass over the rows. Models with and without them take a pass each.

    Parameters
    ----------
    stack : Stack
    positions : list of int

    Returns
    -------
    dict of float
        By the position.
    """
    is_noisy, found = _noisy_models(stack), {}
    for noisy in (False, True):
        chosen = [p for p in positions if is_noisy[p] == noisy]
        if chosen:
            found |= zip(chosen, _violations(stack, chosen, noisy))
    return found


def _noisy_models(stack):
    """Return for each model whether its gradient depends on chance."""
    if stack.module.architecture.batchnorm:  # on the rows of its batches
        return [True] * stack.module.n_models
    noisy, augmentation = stack.noise.random_models(), stack.batches.augmentation
    if augmentation:
        noisy = list(map(max, noisy, augmentation.random_models))
    return noisy


def _violations(stack, positions, noisy):
    index = torch.tensor(positions, device=stack.device)
    batches = stack.batches.select(positions)
    if not noisy:
        rows = batches.pool, batches.indices, batches.scaling
        batches = batches_in_order(stack.module.architecture, *rows, len(positions))
    objective = Objective(
        stack.network.select(index).prepare_training(),
        stack.loss,
        stack.penalties.select(index),
        batches,
        stack.noise.select(index),
    )
    objective.loss_and_gradient([stack.streams[p] for p in positions])
    if stack.pruning:  # of the problem without the weights that are gone
        pruning = stack.pruning.select(objective.module, index)
        pruning.mask_gradients(len(positions))
    return objective.violation().tolist()
