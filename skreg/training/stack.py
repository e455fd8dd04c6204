"""A stack of models that train together, and everything that their steps need."""

from dataclasses import replace

import numpy as np
import torch

from skreg.data.random_streams import Streams
from skreg.networks.architecture import parameter_shapes
from skreg.training.assembly import (
    stack_dtype,
    stacked_batches,
    stacked_network,
    stacked_optimizer,
    stacked_penalties,
    stacked_vectors,
)
from skreg.training.gradual_pruning import pruning_of
from skreg.training.lbfgs import Solver
from skreg.training.noise import Noise
from skreg.training.objective import Objective
from skreg.training.records import named
from skreg.training.request import OptimizerState
from skreg.training.weight_averages import averages_of


class Stack:
    """The models that are still training, side by side.

    Parameters
    ----------
    requests : list of FitRequest
        Requests with equal `group_key`, in descending order of their number of batches.

    Attributes
    ----------
    module : StackedNetwork
        The networks that the optimiser updates.
    optimizer : ProximalOptimizer or None
        None for the full-batch solver.
    batches : Batches
        The batches of the training rows.
    validation : Batches or None
        The batches of the validation rows.
    noise : Noise
        The stochastic regularisers.
    penalties : Penalties
    streams : list of Streams
        The random streams of each model.
    loss : Loss
    averages : Averages or None
    pruning : Pruning or None
    solver : Solver or None
        The full-batch solver, once it has started.
    """

    def __init__(self, requests):
        head = requests[0]
        self.dtype, self.device = stack_dtype(head), head.device
        self.loss = head.loss
        self._solver, self._state_dtype = head.solver, head.dtype
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
        self.solver = None

    @property
    def network(self):
        """The networks to validate and to return: the averages, if they are used."""
        return self.averages.network if self.averages else self.module

    def largest_product(self):
        """Return the number of multiplications in the largest product of a batch.

        It is the total over all models, because threads divide the models of a stack
        among themselves.
        """
        batches, architecture = self.batches, self.module.architecture
        rows = min(batches.batch_size, max(map(len, batches.indices)))
        n_networks = self.module.n_models * architecture.n_members
        return rows * n_networks * architecture.largest_product

    def state_of(self, position):
        """Return a copy of the state of one model, in the requested precision."""
        state = self.network.state
        if self.device.type == "cpu" and self.dtype == self._state_dtype:
            # A third of the time that torch takes.
            return [tensor.numpy()[position].copy() for tensor in state]
        return [
            tensor[position].to("cpu", self._state_dtype, copy=True).numpy()
            for tensor in state
        ]

    def restore(self, position, state):
        """Set the state of one model."""
        for tensor, array in zip(self.network.state, state):
            tensor[position].copy_(torch.from_numpy(array))

    def columns(self):
        """Return the tensors that the steps change, by name. The model is first axis.

        Together with the epoch and the steps of the averages, they decide how the
        training of each model goes on.
        """
        names = self.module.state_names
        parameters = parameter_shapes(self.module.architecture)
        parts = {"": dict(zip(names, self.module.state))}
        if self.averages:
            parts["average"] = dict(zip(names, self.averages.network.state))
        if self.pruning:
            parts["mask"] = dict(zip(parameters, self.pruning.masks))
        if self.optimizer:
            parts["taken"] = {"steps": self.optimizer.steps}
            for number, kind in enumerate(self.optimizer.buffers):
                parts[f"moment_{number}"] = dict(zip(parameters, kind))
        if self.solver:
            parts["solver"] = self.solver.columns()
        return named(parts)

    def resume(self, records):
        """Go on from records of models in training. They stand at the same epoch.

        Parameters
        ----------
        records : list of Record
            One for each model.
        """
        for name, column in self.columns().items():
            for position, record in enumerate(records):
                # Others of the stack may use averages or masks that this one does not.
                own = name if name in record.arrays else name.removeprefix("average_")
                if own in record.arrays:
                    column[position].copy_(torch.from_numpy(record.arrays[own]))
        for position, record in enumerate(records):
            if self.averages:
                self.averages.steps[position] = record.numbers["n_averaged"]
        if self.optimizer is None:
            self.solver = Solver(self.objective(), self._solver_columns(records))

    def _solver_columns(self, records):
        like, columns = {"dtype": self.dtype, "device": self.device}, {}
        for name in records[0].arrays:
            if name.startswith("solver_"):
                parts = [record.arrays[name] for record in records]
                column = torch.tensor(np.stack(parts), **like)
                columns[name.removeprefix("solver_")] = column
        return columns

    def optimizer_state_of(self, position):
        """Return the `OptimizerState` of one model."""
        buffers = [
            [b[position : position + 1].to("cpu", copy=True).numpy() for b in kind]
            for kind in self.optimizer.buffers
        ]
        n_steps = self.optimizer.steps[position].item()
        return OptimizerState(self._solver, buffers, n_steps)

    def objective(self):
        """Return the objective of the models over all training rows, without noise."""
        return Objective(
            self.module, self.loss, self.penalties, self.batches, self.noise
        )

    def set_rates(self, rates):
        """Set the learning rate of each model, if any has changed."""
        if self.optimizer and rates != self._rates:
            self._rates = self.optimizer.lr = rates

    def begin_epoch(self, n_epochs):
        """Let the models draw the random numbers of an epoch.

        Parameters
        ----------
        n_epochs : list of int
            Number of epochs of each model, including this one.
        """
        for streams, n in zip(self.streams, n_epochs):
            streams.begin_epoch(n - 1)

    def after_epoch(self, n_epochs):
        """Update weight averages and pruning after an epoch.

        Parameters
        ----------
        n_epochs : list of int
            Number of completed epochs of each model.
        """
        networks = [self.module]
        if self.averages:
            self.averages.after_epoch(n_epochs)
            networks.append(self.averages.network)
        if self.pruning:
            self.pruning.after_epoch(n_epochs, self.optimizer.buffers[0], networks)

    def keep(self, positions):
        """Keep only the models at the given positions, in place."""
        index = torch.tensor(positions, device=self.device)
        self._rates = [self._rates[p] for p in positions]
        self.module = self.module.select(index)
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
        if self.solver:
            self.solver.select(index, self.objective())


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
