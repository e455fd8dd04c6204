"""The full objective of a stack: values and gradients over all training rows."""

from dataclasses import dataclass

import torch

from skreg.data.batches import Batches
from skreg.networks.losses import Loss
from skreg.networks.stacked import StackedNetwork
from skreg.penalties.combined import Penalties
from skreg.training.draws import draw
from skreg.training.noise import Noise
from skreg.training.step import differentiate


@dataclass
class Objective:
    """The mean loss and the penalties of a stack of models.

    Parameters
    ----------
    module : StackedNetwork
        With gradients allocated.
    loss : Loss
    penalties : Penalties
    batches : Batches
        In a fixed order. Several batches bound the memory and do not change the
        result beyond rounding.
    noise : Noise
        Of which label smoothing alone changes the objective, unless there are streams.
    """

    module: StackedNetwork
    loss: Loss
    penalties: Penalties
    batches: Batches
    noise: Noise

    @torch.no_grad()
    def loss_and_gradient(self, streams=None):
        """Return each model's mean loss and write its gradient into the module.

        Parameters
        ----------
        streams : list of Streams, default=None
            What the random regularisers draw from, if they are to act.
        """
        parameters, n_models = list(self.module.parameters()), self.module.n_models
        in_one = self.batches.n_batches == [1] * n_models
        total, sums = 0, None if in_one else [torch.zeros_like(p) for p in parameters]
        for batch in self.batches.epoch():
            seen = draw(batch, self.noise, self.loss, self.module.architecture, streams)
            *_, value = differentiate(self.module, self.loss, seen, with_value=True)
            total = _added(total, batch.portion * value)
            if not in_one:
                portion = batch.portion.view(-1, 1, 1)
                for sum_, parameter in zip(sums, parameters):
                    k = len(portion)
                    sum_[:k].addcmul_(parameter.grad[:k], portion)
        if not in_one:
            for sum_, parameter in zip(sums, parameters):
                parameter.grad.copy_(sum_)
        return total

    def violation(self):
        """Return how far each model is from its optimality conditions.

        The largest element of the subgradient that is nearest to zero, for weights and
        the parameters that are free. The module's gradients must be those of the loss.
        """
        weights = self.module.weights
        worst = self.penalties.violation(weights, [w.grad for w in weights])
        for parameter in self.module.free_parameters:
            worst = torch.maximum(worst, parameter.grad.abs().amax((1, 2)))
        return worst


def _added(total, part):
    """Return the sum, where `part` is that of the first models of the stack."""
    if isinstance(total, int):
        return part
    total[: len(part)] += part
    return total
