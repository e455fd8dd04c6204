"""One epoch of a stack: training steps and validation."""

from skreg.networks.shared_members import mean_of_members
from skreg.training.draws import draw
from skreg.training.loss_meter import LossMeter
from skreg.training.step import differentiate


def train_epoch(stack, n_epochs, observer):
    """Train for one epoch and return the mean objective of each model.

    Parameters
    ----------
    stack : Stack
    n_epochs : list of int
        Number of epochs of each model, including this one.
    observer : Observer
        Notified at the start and at the end of each batch.

    Returns
    -------
    list of float
        The penalties before the epoch plus the mean loss over its batches.
    """
    stack.begin_epoch(n_epochs)
    meter = LossMeter(stack.loss, stack.penalties.value(stack.module.weights))
    for batch in stack.batches.epoch():
        observer.begin_batch(batch)
        score, seen = take_step(stack, batch, observer)
        meter.add(score, seen)
        observer.end_batch(batch, score)
    stack.after_epoch(n_epochs)
    return meter.total().tolist()


def take_step(stack, batch, observer):
    """Take an optimisation step with the models that have a batch.

    Returns
    -------
    score : Tensor of shape (k, n_rows, n_outputs)
        The raw outputs.
    seen : Batch
        The rows that they belong to.
    """
    module, n_models = stack.module, len(batch.rows)
    drawn = draw(batch, stack.noise, stack.loss, module.architecture, stack.streams)
    score, seen, _ = differentiate(module, stack.loss, drawn)
    if stack.pruning:
        stack.pruning.mask_gradients(n_models)
    if observer.sees_batches:
        observer.have_gradients(batch)
        stack.optimizer.step()
    else:
        stack.optimizer.update(n_models)
    if stack.averages:
        stack.averages.after_step(n_models)
    return score, seen


def validation_losses(stack):
    """Return the mean validation loss of each model.

    Returns
    -------
    list of float or None
        None if there are no validation rows.
    """
    if stack.validation is None:
        return None
    zeros = stack.module.weights[0].new_zeros(stack.module.n_models)
    meter = LossMeter(stack.loss, zeros)
    n_members = stack.module.architecture.n_members
    for batch in stack.validation.epoch():
        score = stack.network(batch.x)
        meter.add(mean_of_members(score, n_members, stack.loss), batch)
    return meter.total().tolist()
