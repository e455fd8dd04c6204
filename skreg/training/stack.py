"""The models that train together, and all that takes part in their steps."""

from dataclasses import replace

import torch

from skreg.data.random_streams import Streams
from skreg.training.assembly import (
    compute_dtype,
    stacked_batches,
    stacked_network,
    stacked_optimizer,
    stacked_penalties,
    stacked_vectors,
)
from skreg.training.gradual_pruning import pruning_of
from skreg.training.noise import Noise
from skreg.training.objective import Objective
from skreg.training.weight_averages import averages_of


class Stack:
    """The models that are still training, side by side.

    Parameters
    ----------
    requests : list of FitRequest
        Of one group, with descending numbers of batches.

    Attributes
    ----------
    requests : list of FitRequest
        Those of the live models, in the order of the stack.
    module : StackedNetwork
        The networks that take the steps.
    optimizer : ProximalOptimizer or None
        None is the full-batch solver.
    batches, validation : Batches
        The training rows; and the validation rows, or None.
    noise, penalties, streams, loss
        What changes batches at random, the penalties, the random number generators of
        each model, and the loss.
    averages, pruning : Averages and Pruning, or None
    """

    def __init__(self, requests):
        head, self.requests = requests[0], requests
        self.dtype, self.device = compute_dtype(head), head.device
        self.loss = head.loss
        like = {"dtype": self.dtype, "device": self.device}
        self.streams = [Streams(r.seed, r.epochs_seen) for r in requests]
        self.noise = stacked_vectors(Noise, requests, like)
        self.penalties = stacked_penalties(requests, like)
        self.module = stacked_network(requests, self.streams, like)
        self.averages = averages_of(requests, self.module)
        self.pruning = pruning_of(requests, self.module)
        self.batches, self.validation = stacked_batches(requests, self.streams, like)
        self.optimizer = stacked_optimizer(
            requests, self.module, self.penalties, self.batches.n_batches, like
        )
        self._rates = [request.settings["lr"] for request in requests]

    @property
    def network(self):
        """What the models would be if training ended now: averages, if they are on."""
        return self.averages.network if self.averages else self.module

    def largest_product(self):
        """Return the number of multiplications in the largest product of a step.

        That of all models: threads share out the models of a stack.
        """
        rows = min(self.batches.batch_size, max(map(len, self.batches.indices)))
        architecture = self.module.architecture
        n_networks = self.module.n_models * architecture.n_members
        return rows * n_networks * architecture.largest_product

    def state_of(self, position):
        """Return a copy of one live model's state, in the precision it asked for."""
        dtype = self.requests[position].dtype
        return [
            tensor[position].to("cpu", dtype, copy=True).numpy()
            for tensor in self.network.state
        ]

    def restore(self, position, state):
        """Make a state that of one live model."""
        for tensor, array in zip(self.network.state, state):
            tensor[position].copy_(torch.from_numpy(array))

    def optimizer_state_of(self, position):
        """Return the optimiser's moving averages of one live model, and its steps."""
        index = torch.tensor([position], device=self.device)
        module = self.module.select(index).prepare_training()
        chosen = self.optimizer.select(module, index)
        buffers = [[b.cpu().numpy() for b in kind] for kind in chosen.buffers]
        return buffers, chosen.steps.flatten().tolist()

    def objective(self):
        """Return the full objective of the live models, without what is random."""
        return Objective(
            self.module, self.loss, self.penalties, self.batches, self.noise
        )

    def set_rates(self, rates):
        """Give the optimiser the live models' learning rates, if they changed."""
        if self.optimizer and rates != self._rates:
            self._rates = self.optimizer.lr = rates

    def after_epoch(self, n_epochs):
        """Let averages and pruning take note of an epoch of steps.

        Parameters
        ----------
        n_epochs : list of int
            For each model, how many there were by now.
        """
        networks = [self.module]
        if self.averages:
            self.averages.after_epoch(n_epochs)
            networks.append(self.averages.network)
        if self.pruning:
            self.pruning.after_epoch(n_epochs, self.optimizer.buffers[0], networks)

    def keep(self, positions):
        """Drop all models but those at the positions, in place."""
        index = torch.tensor(positions, device=self.device)
        self.requests = [self.requests[p] for p in positions]
        self._rates = [self._rates[p] for p in positions]
        self.module = self.module.select(index).prepare_training()
        if self.averages:
            self.averages = self.averages.select(self.module, index)
        if self.pruning:
            self.pruning = self.pruning.select(self.module, index)
        self.noise = self.noise.select(index)
        self.penalties = self.penalties.select(index)
        self.streams = [self.streams[p] for p in positions]
        self.batches = self.batches.select(positions)
        if self.validation:
            self.validation = self.validation.select(positions)
        if self.optimizer:
            self.optimizer = self.optimizer.select(self.module, index)


def loss_gradients(request):
    """Return the gradients of the mean loss at the initial weights.

    Parameters
    ----------
    request : FitRequest

    Returns
    -------
    list of Tensor of shape (1, n_in, n_out)
        In the order of `StackedNetwork.weights`.
    """
    stack = Stack([replace(request, solver="lbfgs")])
    stack.objective().loss_and_gradient()
    return [weight.grad for weight in stack.module.weights]
