"""The full objective of a stack: its value and gradient over all training rows."""

import torch


@torch.no_grad()
def value_and_gradient(module, loss, penalties, batches, noise):
    """Return each model's objective and write the gradient of its smooth part.

    Parameters
    ----------
    module : StackedMLP
        With gradients allocated; they hold the gradient afterwards.
    loss : Loss
    penalties : Penalties
    batches : Batches
        In a fixed order. Several batches bound the memory and do not change the
        result beyond rounding.
    noise : Noise
        Of which label smoothing changes the objective.

    Returns
    -------
    Tensor of shape (n_models,)
        The mean loss and all penalties. l1 and group_l1 count in the value but not in
        the gradient, which is that of the loss and l2.
    """
    parameters = list(module.parameters())
    value = penalties.value(module.weights)
    total = None
    for batch in batches.epoch():
        batch = noise.smooth(batch, loss)
        score, tape = module.forward_training(batch.x, batch.weight)
        part, gradient = loss.value_and_gradient(score, batch.target, batch.weight)
        module.backward(gradient, tape)
        value[: len(part)] += batch.portion * part
        portion = batch.portion.view(-1, 1, 1)
        if batches.n_batches == [1] * module.n_models:
            break
        if total is None:
            total = [torch.zeros_like(p) for p in parameters]
        for sum_, parameter in zip(total, parameters):
            k = len(portion)
            sum_[:k].addcmul_(parameter.grad[:k], portion)
    if total is not None:
        for sum_, parameter in zip(total, parameters):
            parameter.grad.copy_(sum_)
    penalties.add_smooth_gradient(module.weights, [w.grad for w in module.weights])
    return value
