"""Adversarial training with the fast gradient sign method."""

from dataclasses import replace

import torch

from skreg.networks.first_models import first_models


def with_adversaries(seen, module, loss):
    """Return a batch with twice the rows: the original ones, then adversarial ones.

    The adversarial inputs are ``x + epsilon * sign(d loss / d x)``, the fast gradient
    sign method (Goodfellow, Shlens and Szegedy 2015, "Explaining and Harnessing
    Adversarial Examples"). Both halves use the same dropout masks. The loss of the
    returned batch is the mean of the losses of the two halves.

    Parameters
    ----------
    seen : Drawn
        Must have an `epsilon`. It is not modified.
    module : StackedNetwork
        Its gradients are overwritten. Its running statistics do not change.
    loss : Loss

    Returns
    -------
    Drawn
    """
    batch, weight = seen.batch, seen.batch.weight
    direction = _input_gradient(seen, module, loss).sign()
    size = first_models(seen.epsilon, batch.x.size(0)).view(-1, 1, 1)
    doubled = batch.replace(
        x=torch.cat([batch.x, torch.addcmul(batch.x, direction, size)], 1),
        target=_twice(batch.target),
        weight=None if weight is None else _twice(weight).mul_(0.5),
    )
    masks = [None if mask is None else _twice(mask) for mask in seen.masks]
    return replace(
        seen, batch=doubled, masks=masks, paths=list(map(_twice, seen.paths))
    )


def _input_gradient(seen, module, loss):
    """Return the gradient of the loss of a batch with respect to its inputs."""
    batch = seen.batch
    # The training step that follows updates the statistics with both halves together.
    running = [(tensor, tensor.clone()) for tensor in module.buffers()]
    score, tape = module.forward_training(
        batch.x, batch.row_weight, seen.masks, seen.paths
    )
    for tensor, before in running:
        tensor.copy_(before)
    gradient = loss.gradient(score, batch.target, batch.weight)
    return module.input_gradient(gradient, tape)


def _twice(tensor):
    return torch.cat([tensor, tensor], 1)
