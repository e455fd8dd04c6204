"""Rows that are as bad as a small change of the inputs can make them."""

import torch

from skreg.modules import first


def with_adversaries(batch, masks, module, loss, epsilon):
    """Return a batch of twice the rows and its masks: as they are, and adversarial.

    The second half is ``x + epsilon * sign(d loss / d x)``, the fast gradient sign
    method (Goodfellow, Shlens and Szegedy 2015, "Explaining and Harnessing Adversarial
    Examples"), with the same units dropped. The loss of the result is the mean of the
    losses of both.

    Parameters
    ----------
    batch : Batch
        Left as it is.
    masks : sequence of Tensor or None
    module : StackedMLP
        Its gradients are overwritten, its running statistics kept.
    loss : Loss
    epsilon : Tensor of shape (n_models,)
    """
    x, weight = batch.x, batch.weight
    running = [(tensor, tensor.clone()) for tensor in module.buffers()]
    score, tape = module.forward_training(x, weight, masks)
    # Of both halves together, in the step that follows.
    for tensor, before in running:
        tensor.copy_(before)
    gradient = loss.gradient(score, batch.target, weight)
    direction = module.input_gradient(gradient, tape).sign()
    size = first(epsilon, x.size(0)).view(-1, 1, 1)
    batch = batch.replace(
        x=torch.cat([x, torch.addcmul(x, direction, size)], 1),
        target=torch.cat([batch.target] * 2, 1),
        weight=None if weight is None else torch.cat([weight] * 2, 1).mul_(0.5),
    )
    return batch, [None if m is None else torch.cat([m] * 2, 1) for m in masks]
