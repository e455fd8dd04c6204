"""Weight averages during training: exponential moving averages and SWA."""

import math

import torch

from skreg.compatibility import foreach_lerp_
from skreg.networks.first_models import first_models


def first_averaged(swa_fraction, max_iter):
    """Return the number of epochs before stochastic weight averaging starts.

    Examples
    --------
    >>> from skreg.training.weight_averages import first_averaged
    >>> first_averaged(0.25, 10), first_averaged(0.1, 30)
    (7, 27)
    """
    # 0.1 * 30 is 3.0000000000000004, which must not become 4 epochs.
    return max_iter - max(1, math.ceil(round(swa_fraction * max_iter, 9)))


class Averages:
    """The weight averages of the models of a stack.

    With `ema_decay`, the average is ``A <- d * A + (1 - d) * W`` after each step,
    divided by ``1 - d^t`` as in Adam. This is the same as
    ``A <- A + (W - A) * (1 - d) / (1 - d^t)``.

    With `swa_fraction`, it is the mean of the weights at the ends of the last epochs
    (Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima and Better
    Generalization"). Before these epochs, and for models that use neither, it equals
    the weights at the end of the last epoch.

    Parameters
    ----------
    module : StackedNetwork
        The networks that the optimiser updates.
    network : StackedNetwork
        A copy of `module`, in which the averages are stored.
    decays : list of float
        The `ema_decay` of each model, 0 for none.
    starts : list of int
        For each model, the number of epochs before its stochastic weight averaging.
    steps : list of int, default=None
        Number of steps of each model that were averaged so far. None is zero.

    Attributes
    ----------
    network : StackedNetwork
        The averages.
    decays : list of float
        The `ema_decay` of each model.
    steps : list of int
        Number of steps of each model that were averaged so far.
    """

    def __init__(self, module, network, decays, starts, steps=None):
        self.network, self._starts, self.decays = network, starts, decays
        self.steps = steps or [0] * len(decays)
        # Looked up once, because this would take a notable share of a small step.
        self._averages, self._state = network.state, module.state

    def select(self, module, models):
        """Return the averages of the models in the index `models`, for `module`."""
        parts = (self.decays, self._starts, self.steps)
        parts = [[part[m] for m in models.tolist()] for part in parts]
        return Averages(module, self.network.select(models), *parts)

    def after_step(self, k):
        """Update the averages after a step of the first `k` models."""
        if any(self.decays):
            for model in range(k):
                self.steps[model] += 1
            pairs = zip(self.decays, self.steps[:k])
            # Models without a decay are updated after the epoch.
            self._approach([(1 - d) / (1 - d**t) if d else 0.0 for d, t in pairs])

    def after_epoch(self, n_epochs):
        """Update the averages after an epoch.

        Parameters
        ----------
        n_epochs : list of int
            Number of completed epochs of each model.
        """
        if not all(self.decays):
            counts = [max(1, n - start) for n, start in zip(n_epochs, self._starts)]
            pairs = zip(self.decays, counts)
            self._approach([0.0 if decay else 1 / n for decay, n in pairs])

    def _approach(self, shares):
        """Move the averages of the first models towards the weights by a share."""
        k, averages, state = len(shares), self._averages, self._state
        if k < len(self.steps):
            averages = [first_models(tensor, k) for tensor in averages]
            state = [first_models(tensor, k) for tensor in state]
        weight = shares[0]
        if shares.count(weight) < k:
            like = {"device": state[0].device, "dtype": state[0].dtype}
            weight = [torch.tensor(shares, **like).view(-1, 1, 1)] * len(state)
        foreach_lerp_(averages, state, weight)


def averages_of(requests, module):
    """Return the `Averages` of the requests, or None if no request uses averaging."""
    if requests[0].solver == "lbfgs" or not any(
        request.swa_fraction or request.ema_decay for request in requests
    ):
        return None
    everyone = torch.arange(module.n_models, device=module.weights[0].device)
    return Averages(
        module,
        module.select(everyone),
        [request.ema_decay for request in requests],
        [first_averaged(r.swa_fraction, r.max_iter) for r in requests],
    )
