"""The violation of the optimality conditions by trained models."""

import torch

from skreg.training.assembly import batches_in_order
from skreg.training.objective import Objective


def violations(stack, positions, n_epochs):
    """Compute the violation of the optimality conditions for some models of a stack.

    With random regularisers, the gradient and the violation are estimates from a single
    pass over the rows, with the random numbers of the next epoch. Models with random
    regularisers and models without them are evaluated in separate passes.

    Parameters
    ----------
    stack : Stack
    positions : list of int
        Positions of the models in the stack.
    n_epochs : list of int
        Number of completed epochs of each model of the stack.

    Returns
    -------
    dict of int to float
        The violation for each position.
    """
    if not positions:
        return {}
    is_noisy, found = _noisy_models(stack), {}
    for streams, n in zip(stack.streams, n_epochs):
        streams.begin_epoch(n)
    for noisy in (False, True):
        chosen = [p for p in positions if is_noisy[p] == noisy]
        if chosen:
            found |= zip(chosen, _violations(stack, chosen, noisy))
    return found


def _noisy_models(stack):
    """Return for each model whether its gradient is random."""
    # Batch normalisation depends on which rows share a batch.
    if stack.module.architecture.batchnorm:
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
        stack.network.select(index),
        stack.loss,
        stack.penalties.select(index),
        batches,
        stack.noise.select(index),
    )
    streams = [stack.streams[p] for p in positions]
    objective.loss_and_gradient(streams if noisy else None)
    if stack.pruning:
        # Pruned weights are not part of the optimisation problem.
        pruning = stack.pruning.select(objective.module, index)
        pruning.mask_gradients(len(positions))
    return objective.violation().tolist()
