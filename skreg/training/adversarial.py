"""What a training step sees: noisy rows, and rows as bad as small changes make them."""

import torch

from skreg.networks.products import first


def perturbed(batch, streams, noise, module, loss):
    """Return the batch of a training step, and what it drops.

    Parameters
    ----------
    batch : Batch
        With smooth labels. Left as it is.
    streams : list of Streams
    noise : Noise
    module : StackedNetwork
    loss : Loss

    Returns
    -------
    batch : Batch
    masks, paths : sequence of Tensor
        As `StackedNetwork.forward_training` takes them.
    """
    architecture = module.architecture
    batch = noise.apply(batch, streams)
    masks = noise.masks(batch, streams, architecture.hidden_widths)
    paths = noise.paths(batch, streams, architecture.n_paths)
    if noise.active["adversarial"]:
        return with_adversaries(batch, masks, paths, module, loss, noise.adversarial)
    return batch, masks, paths


def with_adversaries(batch, masks, paths, module, loss, epsilon):
    """Return twice the rows, and their masks: as they are, and adversarial.

    The second half is ``x + epsilon * sign(d loss / d x)``, the fast gradient sign
    method (Goodfellow, Shlens and Szegedy 2015, "Explaining and Harnessing Adversarial
    Examples"), with the same units dropped. The loss of the result is the mean of the
    losses of both.

    Parameters
    ----------
    batch : Batch
        Left as it is.
    masks, paths : sequence of Tensor or None
    module : StackedNetwork
        Its gradients are overwritten, its running statistics kept.
    loss : Loss
    epsilon : Tensor of shape (n_models,)
    """
    x, weight = batch.x, batch.weight
    running = [(tensor, tensor.clone()) for tensor in module.buffers()]
    score, tape = module.forward_training(x, weight, masks, paths)
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
    masks = [None if m is None else torch.cat([m] * 2, 1) for m in masks]
    return batch, masks, [torch.cat([path] * 2, 1) for path in paths]
