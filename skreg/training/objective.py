"""The objective of a stack and its gradient over all training rows."""

from dataclasses import dataclass

import torch

from skreg.compiled.library import library
from skreg.data.batches import Batches
from skreg.losses.contract import Loss
from skreg.networks.stacked import StackedNetwork
from skreg.penalties.combined import Penalties
from skreg.training.compiled_passes import Passes
from skreg.training.compiled_plan import NetworkPlan, covers_gradient, is_for_torch
from skreg.training.draws import draw
from skreg.training.noise import Noise
from skreg.training.step import differentiate


@dataclass
class Objective:
    """The mean loss and the penalties of a stack of models.

    Parameters
    ----------
    module : StackedNetwork
    loss : Loss
    penalties : Penalties
    batches : Batches
        The training rows in a fixed order. Several batches limit the memory. They
        change the result by rounding errors only.
    noise : Noise
        Without random streams, only label smoothing changes the objective.
    """

    module: StackedNetwork
    loss: Loss
    penalties: Penalties
    batches: Batches
    noise: Noise

    def __post_init__(self):
        found = library()
        self.module.prepare_training()
        self._plan, self._passes = None, {}
        is_full_batch = not self.batches.streams
        if found and covers_gradient(self) and not is_for_torch(self, is_full_batch):
            self._plan = plan = NetworkPlan(self.module, self.loss)
            plan.set_batches(self.batches)
            plan.set_noise(self.noise)
            for task in ("differentiate", "differentiate_epoch"):
                self._passes[task] = Passes(found, plan, task)

    @torch.no_grad()
    def loss_and_gradient(self, streams=None):
        """Return the mean loss of each model and write its gradient into the module.

        Parameters
        ----------
        streams : list of Streams, default=None
            The random streams of each model. If None, no random regulariser is applied.
        """
        if self._plan is None:
            return self._with_torch(streams)
        task = "differentiate"
        if streams is not None:
            self._plan.set_streams(streams)
            task = "differentiate_epoch"
        return self.module.weights[0].new_tensor(self._passes[task].run())

    def _with_torch(self, streams):
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
        """Return the violation of the optimality conditions by each model.

        It is the largest absolute element of the minimum-norm subgradient over the
        weights and the unpenalised parameters. The module must hold the gradients of
        the loss.
        """
        weights = self.module.weights
        worst = self.penalties.violation(weights, [w.grad for w in weights])
        for parameter in self.module.free_parameters:
            worst = torch.maximum(worst, parameter.grad.abs().amax((1, 2)))
        return worst


def _added(total, part):
    """Add `part`, which has values of the first models only, to `total`."""
    if isinstance(total, int):
        return part
    total[: len(part)] += part
    return total
