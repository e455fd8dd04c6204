"""The choice of what takes the steps of a stack: torch, or the compiled library.

Both train the same stack for an epoch at a time, with the same random numbers, and give
the same results up to rounding.
"""

from skreg.compiled.library import library
from skreg.training.compiled_epoch import CompiledEpochs
from skreg.training.compiled_plan import covers_gradient, covers_steps, is_for_torch
from skreg.training.epoch import TorchEpochs


def engine_of(stack, observer):
    """Return what trains a stack. Of the full-batch solver, it only validates.

    Parameters
    ----------
    stack : Stack
    observer : Observer

    Returns
    -------
    CompiledEpochs or TorchEpochs
    """
    found = None if observer.sees_batches else library()
    is_full_batch = stack.optimizer is None
    covers = covers_gradient if is_full_batch else covers_steps
    if found is None or not covers(stack) or is_for_torch(stack, is_full_batch):
        return TorchEpochs(stack, observer)
    return CompiledEpochs(found, stack)


def train_epoch(stack, n_epochs, engine):
    """Train for one epoch and return the mean objective of each model.

    Parameters
    ----------
    stack : Stack
    n_epochs : list of int
        Number of epochs of each model, including this one.
    engine : CompiledEpochs or TorchEpochs

    Returns
    -------
    list of float
        The penalties before the epoch plus the mean loss over its batches.
    """
    stack.begin_epoch(n_epochs)
    losses = engine.train()
    stack.after_epoch(n_epochs)
    return losses
