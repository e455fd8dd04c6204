"""The models that train together, and what becomes of each."""

import math
from dataclasses import fields, replace

import numpy as np
import torch

from skreg.augmentation.steps import Augmentation
from skreg.data.batches import Batches, Pool, Scaling
from skreg.data.streams import INIT, Streams
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork
from skreg.penalties.combined import Penalties
from skreg.penalties.kinds import PENALTIES
from skreg.training.gradual_pruning import pruning_of
from skreg.training.noise import Noise
from skreg.training.objective import Objective
from skreg.training.optimizers import OPTIMIZERS, StepSettings
from skreg.training.request import FitResult
from skreg.training.tracker import Tracker
from skreg.training.weight_averages import averages_of

# Elements of the inputs at a time where the order does not matter: validation and
# full-batch passes.
ELEMENTS_AT_A_TIME = 2**22


class Stack:
    """The models that are still training, side by side.

    Parameters
    ----------
    requests : list of FitRequest
        Of one group, with descending numbers of batches.

    Attributes
    ----------
    trackers : list of Tracker
        One for each live model, in the order of the stack.
    results : list of FitResult or None
        One for each request.
    """

    def __init__(self, requests):
        head = requests[0]
        self.dtype, self.device = head.dtype, head.device
        if head.solver == "lbfgs" and head.device.type != "mps":  # it has no double
            # Rounded to single precision, gradients vanish to 1e-6 or so only.
            self.dtype = torch.float64
        self.loss = head.loss
        self.trackers = [request.tracker or Tracker(request) for request in requests]
        self.results, self.watch = [None] * len(requests), None
        self._live = list(range(len(requests)))
        self.streams = [Streams(r.seed, r.epochs_seen) for r in requests]
        self.noise = self._vectors(Noise, requests)
        self.penalties = self._stacked_penalties(requests)
        self._make_module(requests)
        self.averages = averages_of(requests, self.module)
        self.pruning = pruning_of(requests, self.module)
        self._make_batches(requests)
        self._make_optimizer(requests)

    def _vectors(self, kind, requests):
        """Return the dataclass `kind` of the requests' settings, stacked."""
        columns = []
        for part in fields(kind):
            values = np.array([request.settings[part.name] for request in requests])
            columns.append(torch.tensor(values, dtype=self.dtype, device=self.device))
        return kind(*columns)

    def _stacked_penalties(self, requests):
        strengths = {}
        for name in (kind.parameter for kind in PENALTIES):
            rows = [request.settings[name] for request in requests]
            strengths[name] = torch.tensor(rows, dtype=self.dtype, device=self.device)
        return Penalties(strengths, requests[0].architecture.group_rows)

    def _make_module(self, requests):
        architecture, dtype = requests[0].architecture, np.float64
        states = [
            # Copies: training writes into the arrays of a stack of one.
            [array.copy() for array in request.initial]
            if request.initial
            else initial_state(architecture, streams[INIT], dtype, request.start)
            for request, streams in zip(requests, self.streams)
        ]
        self.module = StackedNetwork(architecture, states, self.dtype, self.device)
        self.module.prepare_training()

    def _make_batches(self, requests):
        head = requests[0]
        parts = [request.train for request in requests]
        parts += [r.validation for r in requests if r.validation is not None]
        pool = Pool(parts, self.dtype, self.device)
        indices = pool.indices
        scaling = _stack_scaling(requests, self.device)
        size, streams = head.batch_size, self.streams if head.shuffle else None
        augmentation = Augmentation([r.augment for r in requests], self.streams)
        if head.solver == "lbfgs" or not any(augmentation.random_models):
            augmentation = None
        if head.solver == "lbfgs":
            size, streams = _rows_at_a_time(head.architecture), None
        n_models = len(requests)
        self.batches = Batches(
            pool,
            indices[:n_models],
            scaling,
            size,
            streams,
            head.min_rows,
            augmentation,
        )
        self.validation = None
        if len(indices) > n_models:
            rows = pool, indices[n_models:], scaling
            self.validation = _in_order(head.architecture, *rows)

    def _make_optimizer(self, requests):
        head, self.optimizer = requests[0], None
        self.rates = [request.settings["lr"] for request in requests]
        if head.solver == "lbfgs":
            return
        buffers = steps = None
        if head.has_moving_averages:
            buffers, steps = self._moving_averages(requests)
        self.optimizer = OPTIMIZERS[head.solver](
            self.module,
            self.penalties,
            self._vectors(StepSettings, requests),
            self.batches.n_batches,
            head.nesterov,
            buffers,
            steps,
        )
        # A continued fit may have come some way down its schedule.
        self.set_rates([tracker.lr for tracker in self.trackers])

    def _moving_averages(self, requests):
        """Return the optimiser's buffers that models go on with, and their steps."""
        _, buffers, steps = zip(*(request.optimizer_state for request in requests))
        like = {"dtype": self.dtype, "device": self.device}
        stacked = [
            [torch.tensor(np.concatenate(arrays), **like) for arrays in zip(*kind)]
            for kind in zip(*buffers)
        ]
        return stacked, [n for of_model in steps for n in of_model]

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
        dtype = self.trackers[position].request.dtype
        return [
            tensor[position].to("cpu", dtype, copy=True).numpy()
            for tensor in self.network.state
        ]

    def objective(self):
        """Return the full objective of the live models, without what is random."""
        return Objective(
            self.module, self.loss, self.penalties, self.batches, self.noise
        )

    def set_rates(self, rates):
        """Give the optimiser the live models' learning rates, if they changed."""
        if rates != self.rates:
            self.rates = self.optimizer.lr = rates

    def after_epoch(self):
        """Let averages and pruning take note of an epoch of steps."""
        n_epochs = [tracker.n_iter + 1 for tracker in self.trackers]
        networks = [self.module]
        if self.averages:
            self.averages.after_epoch(n_epochs)
            networks.append(self.averages.network)
        if self.pruning:
            self.pruning.after_epoch(n_epochs, self.optimizer.buffers[0], networks)

    def note_epoch(self, losses, valid_losses):
        """Tell the trackers of an epoch; return the positions that go on."""
        if self.watch:
            self.watch(len(self.trackers))
        keep = []
        for position, tracker in enumerate(self.trackers):
            try:
                goes_on = tracker.update(
                    losses[position],
                    valid_losses and valid_losses[position],
                    lambda position=position: self.state_of(position),
                )
            except Exception as error:
                # From a scorer or a hook of the user's: of this model alone.
                tracker.error, goes_on = error, False
            if goes_on:
                keep.append(position)
        return keep

    def retire(self, keep):
        """Finish all models but those at the positions `keep`, and close the ranks."""
        if len(keep) < len(self.trackers):
            going = set(keep)
            self._finish([p for p in range(len(self.trackers)) if p not in going])
            self.trackers = [self.trackers[p] for p in keep]
            self.rates = [self.rates[p] for p in keep]
            self._live = [self._live[p] for p in keep]
            if keep:
                self._select(keep)
        if self.optimizer:
            self.set_rates([tracker.lr for tracker in self.trackers])

    def _select(self, keep):
        index = torch.tensor(keep, device=self.device)
        self.module = self.module.select(index).prepare_training()
        if self.averages:
            self.averages = self.averages.select(self.module, index)
        if self.pruning:
            self.pruning = self.pruning.select(self.module, index)
        self.noise = self.noise.select(index)
        self.penalties = self.penalties.select(index)
        self.streams = [self.streams[p] for p in keep]
        self.batches = self.batches.select(keep)
        if self.validation:
            self.validation = self.validation.select(keep)
        if self.optimizer:
            self.optimizer = self.optimizer.select(self.module, index)

    def _finish(self, positions):
        """Freeze models at their best weights and write their results."""
        certified = self.penalties.nonsmooth_models()
        to_certify = []
        for position in positions:
            result = self._result(position)
            self.results[self._live[position]] = result
            request = result.tracker.request
            if not all(np.isfinite(array).all() for array in result.state):
                result.tracker.diverged(math.nan)
            elif (
                request.solver == "lbfgs" or request.is_certified or certified[position]
            ):
                to_certify.append(position)
        is_noisy = self._noisy_models()
        for noisy in (False, True):
            self._certify([p for p in to_certify if is_noisy[p] == noisy], noisy)

    def _result(self, position):
        """Return what a model has become, and leave the stack with it."""
        tracker, request = self.trackers[position], self.trackers[position].request
        if tracker.best_state is not None:
            for tensor, best in zip(self.network.state, tracker.best_state):
                tensor[position].copy_(torch.from_numpy(best))
        if self.pruning:
            self.pruning.complete(position, self.network)
        result = FitResult(self.state_of(position), tracker)
        if request.keep_optimizer and self.optimizer:
            index = torch.tensor([position], device=self.device)
            chosen = self.optimizer.select(
                self.module.select(index).prepare_training(), index
            )
            buffers = [[b.cpu().numpy() for b in kind] for kind in chosen.buffers]
            steps = chosen.steps.flatten().tolist()
            result.optimizer_state = (request.solver, buffers, steps)
        return result

    def _noisy_models(self):
        """Return for each model whether its gradient depends on chance."""
        if self.module.architecture.batchnorm:  # on the rows of its batches
            return [True] * self.module.n_models
        noisy, augmentation = self.noise.random_models(), self.batches.augmentation
        if augmentation:
            noisy = list(map(max, noisy, augmentation.random_models))
        return noisy

    def _certify(self, positions, noisy):
        """Note how far models are from the optimality conditions, in one pass.

        Under random regularisers the gradient is an estimate, of one pass.
        """
        if not positions:
            return
        index = torch.tensor(positions, device=self.device)
        batches = self.batches.select(positions)
        if not noisy:
            rows = batches.pool, batches.indices, batches.scaling
            batches = _in_order(self.module.architecture, *rows, len(positions))
        objective = Objective(
            self.network.select(index).prepare_training(),
            self.loss,
            self.penalties.select(index),
            batches,
            self.noise.select(index),
        )
        objective.loss_and_gradient([self.streams[p] for p in positions])
        if self.pruning:  # of the problem without the weights that are gone
            self.pruning.select(objective.module, index).mask_gradients(len(positions))
        for position, violation in zip(positions, objective.violation().tolist()):
            self.results[self._live[position]].kkt_violation = violation


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


def _in_order(architecture, pool, indices, scaling, n_shares=1):
    """Return batches over all rows in a fixed order."""
    rows = max(64, _rows_at_a_time(architecture) // n_shares)
    return Batches(pool, indices, scaling, rows)


def _rows_at_a_time(architecture):
    return max(64, ELEMENTS_AT_A_TIME // (architecture.widest * architecture.n_members))


def _stack_scaling(requests, device):
    """Return the `Scaling` of several models."""
    if requests[0].scaling is None:
        return Scaling()
    offsets, scales = zip(*(request.scaling for request in requests))

    def stacked(arrays):
        if arrays[0] is None:
            return None
        return torch.from_numpy(np.stack(arrays)).unsqueeze(1).to(device)

    return Scaling(stacked(offsets), stacked(scales), requests[0].smooth_clip)
