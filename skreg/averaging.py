"""Averages of the weights over the course of training."""

import math

import torch

from skreg.modules import first


def first_averaged(swa_fraction, max_iter):
    """Return the number of epochs before those whose weights are averaged.

    Examples
    --------
    >>> from skreg.averaging import first_averaged
    >>> first_averaged(0.25, 10), first_averaged(0.1, 30)
    (7, 27)
    """
    # 0.1 * 30 is 3.0000000000000004, which is not meant to be 4 epochs.
    return max_iter - max(1, math.ceil(round(swa_fraction * max_iter, 9)))


class Averages:
    """The averaged networks of a stack, beside those that take the steps.

    With `ema_decay`, ``A <- d * A + (1 - d) * W`` after each step, divided by
    ``1 - d^t`` as in Adam: the same as ``A <- A + (W - A) * (1 - d) / (1 - d^t)``.
    With `swa_fraction`, the mean over the ends of the last epochs (Izmailov et al.
    2018, "Averaging Weights Leads to Wider Optima and Better Generalization"). Until
    that begins, and for models with neither, the weights at the end of each epoch.

    Parameters
    ----------
    network : StackedMLP
        A copy of what takes the steps, which becomes the averages.
    decays : list of float
        The `ema_decay` of each model, 0 for none.
    starts : list of int
        For each model, the number of epochs before `swa_fraction` counts.
    steps : list of float, default=None
        Number of steps averaged so far, for each model.

    Attributes
    ----------
    network : StackedMLP
    """

    def __init__(self, network, decays, starts, steps=None):
        self.network, self.starts = network, starts
        # Where 1 - d is small single precision would lose it.
        self._decays = torch.tensor(decays, dtype=torch.float64).view(-1, 1, 1)
        steps = steps or [0.0] * len(decays)
        self._steps = torch.tensor(steps, dtype=torch.float64).view(-1, 1, 1)
        self._shares = (1 - self._decays) * (self._decays > 0)
        self._moves = [decay > 0 for decay in decays]

    def select(self, models):
        """Return the averages of the models in the index tensor `models`."""
        keep = models.tolist()
        return Averages(
            self.network.select(models),
            self._decays.flatten()[keep].tolist(),
            [self.starts[m] for m in keep],
            self._steps.flatten()[keep].tolist(),
        )

    def after_step(self, module, k):
        """Take note of the weights after a step of the first `k` models."""
        if not any(self._moves):
            return
        steps, decays = first(self._steps, k).add_(1), first(self._decays, k)
        # 0 for models without a decay, which follow after the epoch.
        self._approach(module, first(self._shares, k) / (1 - decays**steps))

    def after_epoch(self, module, n_epochs):
        """Take note of the weights after an epoch.

        Parameters
        ----------
        module : StackedMLP
        n_epochs : list of int
            For each model, how many there were by now.
        """
        if all(self._moves):
            return
        counts = [max(1, n - start) for n, start in zip(n_epochs, self.starts)]
        weights = [0 if m else 1 / n for m, n in zip(self._moves, counts)]
        weight = torch.tensor(weights, dtype=torch.float64).view(-1, 1, 1)
        self._approach(module, weight)

    def _approach(self, module, weight):
        """Move the averages of the first models by a share of the way."""
        k, averages, state = weight.size(0), self.network.state, module.state
        if (weight == weight[0]).all():
            weight = weight[0].item()
        else:
            weight = [weight.to(averages[0].device, averages[0].dtype)] * len(state)
        torch._foreach_lerp_(
            [first(tensor, k) for tensor in averages],
            [first(tensor, k) for tensor in state],
            weight,
        )


def averages_of(requests, module):
    """Return the `Averages` that requests ask for, or None if none does."""
    if requests[0].solver == "lbfgs" or not any(
        request.swa_fraction or request.ema_decay for request in requests
    ):
        return None
    everyone = torch.arange(module.n_models, device=module.weights[0].device)
    return Averages(
        module.select(everyone),
        [request.ema_decay for request in requests],
        [first_averaged(r.swa_fraction, r.max_iter) for r in requests],
    )
