"""Magnitude pruning, gradually during training or all at once."""

import math

import numpy as np
import torch

from skreg.compatibility import foreach_mul_
from skreg.networks.first_models import first_models


def n_pruned(share, n_numbers):
    """Return ``share * n_numbers``, rounded up.

    Rounding up makes a network at least as sparse as requested.

    Examples
    --------
    >>> from skreg.training.gradual_pruning import n_pruned
    >>> n_pruned(0.9, 100), n_pruned(0.9, 101)
    (90, 91)
    """
    # 0.55 * 100 is 55.00000000000001, which must not become 56 weights.
    return math.ceil(round(share * n_numbers, 6))


def sparsity(weights):
    """Return the share of elements that are exactly zero.

    Parameters
    ----------
    weights : list of ndarray

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.training.gradual_pruning import sparsity
    >>> float(sparsity([np.eye(2), np.zeros(4)]))
    0.75
    """
    n_numbers = sum(array.size for array in weights)
    return 1 - sum(map(np.count_nonzero, weights)) / n_numbers


def ramp_length(max_iter, n_cycles=1):
    """Return the number of epochs over which the sparsity increases.

    These are three quarters of the fit, so that the remaining weights still train with
    the final zeros. With several cycles, whose networks are all kept, they are three
    quarters of the first cycle.

    Examples
    --------
    >>> from skreg.training.gradual_pruning import ramp_length
    >>> ramp_length(10), ramp_length(1), ramp_length(40, 4)
    (7, 1, 7)
    """
    return max(1, 3 * max_iter // (4 * n_cycles))


def scheduled_sparsity(share, epoch, length, start=0.0):
    """Return the share of the weights that are pruned after an epoch.

    The share is ``share + (start - share) * (1 - epoch / length)**3`` (Zhu and Gupta
    2017, "To Prune, or Not to Prune: Exploring the Efficacy of Pruning for Model
    Compression"). It rises fast at first, while many weights are redundant, and slowly
    at the end.

    Parameters
    ----------
    share : float
        The final share, which is reached after `length` epochs.
    epoch : int
        Number of completed epochs.
    length : int
        Number of epochs over which the share rises.
    start : float, default=0.0
        The initial share.

    Examples
    --------
    >>> from skreg.training.gradual_pruning import scheduled_sparsity
    >>> [round(scheduled_sparsity(0.9, epoch, 4), 3) for epoch in range(6)]
    [0.0, 0.52, 0.787, 0.886, 0.9, 0.9]
    """
    return share + (start - share) * max(0.0, 1 - epoch / length) ** 3


def keep_largest(magnitudes, n_smallest):
    """Return a mask of all elements of a vector but the `n_smallest` smallest ones.

    Among equal elements, the first ones count as the smallest.

    Parameters
    ----------
    magnitudes : Tensor of shape (n,)
    n_smallest : int

    Returns
    -------
    BoolTensor of shape (n,)

    Examples
    --------
    >>> import torch
    >>> from skreg.training.gradual_pruning import keep_largest
    >>> keep_largest(torch.tensor([2.0, 1.0, 3.0, 1.0]), 1)
    tensor([ True, False,  True,  True])
    """
    if not n_smallest:
        return torch.ones_like(magnitudes, dtype=torch.bool)
    bound = magnitudes.kthvalue(n_smallest).values
    below = magnitudes < bound
    ties = (magnitudes == bound).nonzero().flatten()
    keep = ~below
    keep[ties[: n_smallest - int(below.sum())]] = False
    return keep


def magnitude_masks(weights, share, held=None):
    """Return masks of the weights of one network that global magnitude pruning keeps.

    The weights of all layers are compared with one another. Biases are not pruned (Han,
    Pool, Tran and Dally 2015, "Learning both Weights and Connections for Efficient
    Neural Networks").

    Parameters
    ----------
    weights : list of Tensor
        The weights of each layer.
    share : float
        Share of all weights of the network to prune.
    held : list of BoolTensor, default=None
        Earlier masks. Weights that were pruned before stay pruned.

    Returns
    -------
    list of BoolTensor
        Masks with the shapes of the weights, True where a weight is kept.

    Examples
    --------
    >>> import torch
    >>> from skreg.training.gradual_pruning import magnitude_masks
    >>> weights = [torch.tensor([[1.0, -4.0]]), torch.tensor([[2.0, 3.0]])]
    >>> magnitude_masks(weights, 0.5)
    [tensor([[False,  True]]), tensor([[False,  True]])]
    """
    flat = torch.cat([weight.flatten() for weight in weights]).abs()
    n_smallest = n_pruned(share, len(flat))
    keep = torch.ones_like(flat, dtype=torch.bool)
    if held is not None:
        keep = torch.cat([mask.flatten() for mask in held])
        # Earlier pruned weights rank below zeros of l1, which may become nonzero again.
        flat[~keep] = -1
    if n_smallest > len(flat) - int(keep.sum()):
        keep = keep_largest(flat, n_smallest)
    parts = keep.split([weight.numel() for weight in weights])
    return [part.view(weight.shape) for part, weight in zip(parts, weights)]


class Pruning:
    """Gradual magnitude pruning of the models of a stack.

    After each epoch the smallest weights of each model are set to zero, as many as
    `scheduled_sparsity` says. Their gradients and first moments are set to zero, too.
    So they stay zero, and no update, penalty or gradient clipping takes them into
    account.

    Parameters
    ----------
    module : StackedNetwork
        The networks that the optimiser updates.
    shares : list of float
        The final share of pruned weights of each model, 0 for no pruning.
    lengths : list of int
        The `ramp_length` of each model.
    masks : list of Tensor
        Masks with the shapes of the weights: 0 where a weight is pruned, else 1.
    starts : list of float
        The initial share of pruned weights of each model.
    """

    def __init__(self, module, shares, lengths, masks, starts):
        self._module, self.masks = module, masks
        self._shares, self._lengths, self._starts = shares, lengths, starts

    def select(self, module, models):
        """Return the pruning of the models in the index `models`, for `module`."""
        parts = (self._shares, self._lengths, self._starts)
        shares, lengths, starts = ([part[m] for m in models.tolist()] for part in parts)
        masks = [mask[models].contiguous() for mask in self.masks]
        return Pruning(module, shares, lengths, masks, starts)

    def mask_gradients(self, k):
        """Set the gradients of the pruned weights of the first `k` models to zero."""
        weights = self._module.weights
        gradients = [first_models(weight.grad, k) for weight in weights]
        foreach_mul_(gradients, [first_models(mask, k) for mask in self.masks])

    def after_epoch(self, n_epochs, moments, networks):
        """Prune each model up to its scheduled share.

        Parameters
        ----------
        n_epochs : list of int
            Number of completed epochs of each model.
        moments : list of Tensor
            The first moments of the parameters, weights first.
        networks : list of StackedNetwork
            The networks that the optimiser updates and their averages.
        """
        for model, n in enumerate(n_epochs):
            length, start = self._lengths[model], self._starts[model]
            if self._shares[model] and n <= length:
                share = scheduled_sparsity(self._shares[model], n, length, start)
                self._tighten(model, self._module.weights, share)
        for tensors in (moments, *(network.weights for network in networks)):
            foreach_mul_(list(tensors[: len(self.masks)]), self.masks)

    def complete(self, model, network):
        """Prune a model to its final share, even if its training ended early."""
        if self._shares[model]:
            self._tighten(model, network.weights, self._shares[model])
            for weight, mask in zip(network.weights, self.masks):
                weight[model].mul_(mask[model])

    def _tighten(self, model, weights, share):
        own = [weight[model] for weight in weights]
        held = [mask[model] != 0 for mask in self.masks]
        for mask, keep in zip(self.masks, magnitude_masks(own, share, held)):
            mask[model].copy_(keep)


def pruning_of(requests, module):
    """Return the `Pruning` of the requests, or None if no request uses pruning.

    A fit that starts from given weights keeps their zeros.
    """
    shares = [request.settings["pruning"] for request in requests]
    if requests[0].solver == "lbfgs" or not any(shares):
        return None
    masks = [torch.ones_like(weight) for weight in module.weights]
    n_weights = sum(weight[0].numel() for weight in module.weights)
    starts = [0.0] * len(requests)
    for model, request in enumerate(requests):
        if shares[model] and request.initial:
            for mask, weight in zip(masks, module.weights):
                mask[model].copy_(weight[model] != 0)
            starts[model] = 1 - sum(float(m[model].sum()) for m in masks) / n_weights
    lengths = [ramp_length(r.max_iter, r.n_snapshots) for r in requests]
    return Pruning(module, shares, lengths, masks, starts)
