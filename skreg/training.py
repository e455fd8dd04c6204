"""The one training path: requests are grouped, stacked, trained and taken apart."""

import math
from dataclasses import dataclass, field, fields

import numpy as np
import scipy.sparse as sp
import torch

from skreg.augment import INIT, Noise, Streams
from skreg.batches import Batches, Pool, Rows, Scaling, count_batches
from skreg.callbacks import Tracker
from skreg.losses import Loss
from skreg.modules import Architecture, StackedMLP, initial_state
from skreg.net import StackedNet
from skreg.objective import value_and_gradient
from skreg.optim import OPTIMIZERS, StepSettings
from skreg.penalties import Penalties
from skreg.threads import threads_for

# Elements of the inputs at a time where the order does not matter: validation and
# full-batch passes.
ELEMENTS_AT_A_TIME = 2**22


@dataclass
class FitRequest:
    """Everything that training one network needs, already validated.

    Parameters
    ----------
    architecture : Architecture
    loss : Loss
    solver : {"adam", "sgd", "lbfgs"}
    dtype : torch.dtype
    device : torch.device
    train : Rows
    validation : Rows or None
    scaling : tuple of ndarray of shape (n_features,) or None
        Offset (or None) and scale of the inputs.
    settings : dict of float
        The fields of `StepSettings`, of `Noise` and of `Penalties`; those for several
        layers are sequences.
    batch_size, max_iter, n_iter_no_change : int
    tol : float
    shuffle, nesterov, restore_best : bool
    watch_validation : bool
        Whether the validation rows decide on stopping, not only on a curve.
    learning_rate : {"constant", "invscaling", "adaptive"}
    seed : int
    initial : list of ndarray or None
        State to start from instead of random weights.
    epochs_seen, samples_seen : int
        What earlier calls have trained.
    optimizer_state : tuple or None
        What `FitResult.optimizer_state` of the last call was.
    keep_optimizer : bool
    score : callable or None
        Maps a state to a validation score, greater is better.
    on_epoch : callable or None
        Called with the tracker and a function returning the state after every epoch; a
        true answer stops training.
    callbacks : list
        skorch callbacks.
    """

    architecture: Architecture
    loss: Loss
    solver: str
    dtype: torch.dtype
    device: torch.device
    train: Rows
    validation: Rows | None
    scaling: tuple | None
    settings: dict
    batch_size: int
    max_iter: int
    n_iter_no_change: int
    tol: float
    shuffle: bool
    nesterov: bool
    watch_validation: bool
    restore_best: bool
    learning_rate: str
    seed: int
    initial: list | None = None
    epochs_seen: int = 0
    samples_seen: int = 0
    optimizer_state: tuple | None = None
    keep_optimizer: bool = False
    score: object = None
    on_epoch: object = None
    callbacks: list = field(default_factory=list)

    @property
    def min_rows(self):
        return 2 if self.architecture.batchnorm else 1

    @property
    def n_batches(self):
        return count_batches(len(self.train.index), self.batch_size, self.min_rows)

    def group_key(self):
        """Return what requests must have in common to train in one stack."""
        alone = self.solver == "lbfgs" or self.callbacks or self.optimizer_state
        return (
            self.architecture,
            self.loss,
            self.solver,
            self.dtype,
            self.device,
            self.batch_size,
            self.shuffle,
            self.nesterov,
            self.validation is None,
            self.scaling is None or self.scaling[0] is None,
            self.scaling is None,
            self.train.X.dtype,
            self.train.X.shape[1:],
            sp.issparse(self.train.X),
            # The metric of group_l1 is not that of the others.
            self.settings["group_l1"] > 0,
            id(self) if alone else None,
        )


@dataclass
class FitResult:
    """What became of a request.

    Parameters
    ----------
    state : list of ndarray
        The network, in the order of `modules.state_names`.
    tracker : Tracker
        The curves, the best epoch, whether training converged, the error if any.
    kkt_violation : float
        Distance to optimality, nan where the objective is not deterministic.
    history : list of dict
        The skorch history of a net that trained alone, else empty.
    optimizer_state : tuple or None
    interrupted : bool
        Whether a keyboard interrupt ended the training.
    """

    state: list
    tracker: Tracker
    kkt_violation: float = math.nan
    history: list = field(default_factory=list)
    optimizer_state: tuple | None = None
    interrupted: bool = False


def train(requests):
    """Train networks, as few stacks as their settings allow.

    Parameters
    ----------
    requests : list of FitRequest

    Returns
    -------
    list of FitResult
        In the order of the requests. A request that failed carries its error. After a
        keyboard interrupt the results of the stack that was training are marked so,
        and those of stacks that had not begun are None.
    """
    groups = {}
    for position, request in enumerate(requests):
        groups.setdefault(request.group_key(), []).append(position)
    results = [None] * len(requests)
    for positions in groups.values():
        # Neighbours with equal settings share their calls of the optimiser's kernel.
        positions.sort(key=lambda p: (-requests[p].n_batches, _step_key(requests[p])))
        stack = Stack([requests[p] for p in positions])
        for position, result in zip(positions, run(stack)):
            results[position] = result
        if results[positions[0]].interrupted:
            break
    return results


def _step_key(request):
    return [request.settings[f.name] for f in fields(StepSettings)]


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
        self.loss, self.widths = head.loss, head.architecture.layer_sizes[1:-1]
        self.trackers = [Tracker(request) for request in requests]
        self.results = [None] * len(requests)
        self._live = list(range(len(requests)))
        self.streams = [Streams(r.seed, r.epochs_seen) for r in requests]
        self.noise = self._vectors(Noise, requests)
        self.penalties = self._vectors(Penalties, requests)
        self._make_module(requests)
        self._make_batches(requests)
        self._make_optimizer(requests)

    def _vectors(self, kind, requests):
        """Return the dataclass `kind` of the requests' settings, stacked."""
        columns = []
        for part in fields(kind):
            values = np.array([request.settings[part.name] for request in requests])
            columns.append(torch.tensor(values, dtype=self.dtype, device=self.device))
        return kind(*columns)

    def _make_module(self, requests):
        architecture, dtype = requests[0].architecture, np.float64
        states = [
            # Copies: training writes into the arrays of a stack of one.
            [array.copy() for array in request.initial]
            if request.initial
            else initial_state(architecture, streams[INIT], dtype)
            for request, streams in zip(requests, self.streams)
        ]
        self.module = StackedMLP(architecture, states, self.dtype, self.device)
        self.module.prepare_training()

    def _make_batches(self, requests):
        head = requests[0]
        parts = [request.train for request in requests]
        parts += [r.validation for r in requests if r.validation is not None]
        pool = Pool(parts, self.dtype, self.device)
        indices = pool.indices
        scaling = _stack_scaling([r.scaling for r in requests], self.device)
        size, streams = head.batch_size, self.streams if head.shuffle else None
        if head.solver == "lbfgs":
            size, streams = _rows_at_a_time(pool), None
        n_models = len(requests)
        self.batches = Batches(
            pool, indices[:n_models], scaling, size, streams, head.min_rows
        )
        self.validation = None
        if len(indices) > n_models:
            self.validation = _in_order(pool, indices[n_models:], scaling)

    def _make_optimizer(self, requests):
        head, self.optimizer = requests[0], None
        self.rates = [request.settings["lr"] for request in requests]
        if head.solver == "lbfgs":
            return
        buffers = steps = None
        # Another solver's moving averages mean something else.
        if head.optimizer_state and head.optimizer_state[0] == head.solver:
            _, buffers, steps = head.optimizer_state
            like = {"dtype": self.dtype, "device": self.device}
            buffers = [[torch.tensor(b, **like) for b in kind] for kind in buffers]
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

    def largest_product(self):
        """Return the number of multiplications in the largest product of a step."""
        rows = min(self.batches.batch_size, max(map(len, self.batches.indices)))
        return rows * max(weight.numel() for weight in self.module.weights)

    def state_of(self, position):
        """Return a copy of one live model's state."""
        return [tensor[position].cpu().numpy().copy() for tensor in self.module.state]

    def set_rates(self, rates):
        """Give the optimiser the live models' learning rates, if they changed."""
        if rates != self.rates:
            self.rates = self.optimizer.lr = rates

    def note_epoch(self, losses, valid_losses):
        """Tell the trackers of an epoch; return the positions that go on."""
        keep = []
        for position, tracker in enumerate(self.trackers):
            goes_on = tracker.update(
                losses[position],
                valid_losses and valid_losses[position],
                lambda position=position: self.state_of(position),
            )
            if goes_on:
                keep.append(position)
        return keep

    def retire(self, keep):
        """Finish all models but those at the positions `keep`, and close the ranks."""
        if len(keep) < len(self.trackers):
            for position in set(range(len(self.trackers))) - set(keep):
                self._finish(position)
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
        self.noise = self.noise.select(index)
        self.penalties = self.penalties.select(index)
        self.streams = [self.streams[p] for p in keep]
        self.batches = self.batches.select(keep)
        if self.validation:
            self.validation = self.validation.select(keep)
        if self.optimizer:
            self.optimizer = self.optimizer.select(self.module, index)

    def _finish(self, position):
        """Freeze a model at its best weights and write its result."""
        tracker, request = self.trackers[position], self.trackers[position].request
        if tracker.best_state is not None:
            for tensor, best in zip(self.module.state, tracker.best_state):
                tensor[position].copy_(torch.from_numpy(best))
        result = FitResult(self.state_of(position), tracker)
        if not all(np.isfinite(array).all() for array in result.state):
            tracker.diverged(math.nan)
        elif request.settings["group_l1"] > 0 or np.any(request.settings["l1"]):
            result.kkt_violation = self._kkt_violation(position)
        if request.keep_optimizer and self.optimizer:
            index = torch.tensor([position], device=self.device)
            chosen = self.optimizer.select(
                self.module.select(index).prepare_training(), index
            )
            buffers = [[b.cpu().numpy() for b in kind] for kind in chosen.buffers]
            steps = chosen.steps.flatten().tolist()
            result.optimizer_state = (request.solver, buffers, steps)
        self.results[self._live[position]] = result

    def _kkt_violation(self, position):
        """Return how far a model is from the optimum of its deterministic objective."""
        index = torch.tensor([position], device=self.device)
        noise = self.noise.select(index)
        if noise.is_random or self.module.architecture.batchnorm:
            return math.nan
        module = self.module.select(index).prepare_training()
        penalties, one = self.penalties.select(index), self.batches.select([position])
        batches = _in_order(one.pool, one.indices, one.scaling)
        value_and_gradient(module, self.loss, penalties, batches, noise)
        gradients = [weight.grad for weight in module.weights]
        return penalties.kkt_violation(module.weights, gradients).item()


def _in_order(pool, indices, scaling):
    """Return batches over all rows in a fixed order."""
    return Batches(pool, indices, scaling, _rows_at_a_time(pool))


def _rows_at_a_time(pool):
    return max(64, ELEMENTS_AT_A_TIME // pool.n_features)


def _stack_scaling(scalings, device):
    """Return the `Scaling` of several models from their offsets and scales."""
    if scalings[0] is None:
        return Scaling()
    offsets, scales = zip(*scalings)

    def stacked(arrays):
        if arrays[0] is None:
            return None
        return torch.from_numpy(np.stack(arrays)).unsqueeze(1).to(device)

    return Scaling(stacked(offsets), stacked(scales))


@torch.no_grad()
def run(stack):
    """Train a stack with a skorch net and return the results in its order."""
    callbacks = stack.trackers[0].request.callbacks
    net = StackedNet(stack.module, stack.loss, stack, callbacks=callbacks).initialize()
    net.notify("on_train_begin", X=None, y=None)
    interrupted = False
    try:
        with threads_for(stack.largest_product()):
            net.fit_loop()
    except KeyboardInterrupt as interrupt:
        interrupted = not _raised_by_skorch(interrupt)
    stack.retire([])
    net.notify("on_train_end", X=None, y=None)
    for result in stack.results:
        result.interrupted = interrupted
        result.history = [_epoch_row(row) for row in net.history] if callbacks else []
    return stack.results


def _raised_by_skorch(interrupt):
    """Tell skorch's way to stop a training from a user's Ctrl-C.

    Its EarlyStopping raises KeyboardInterrupt, in its own file.
    """
    trace = interrupt.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_globals.get("__name__", "").startswith("skorch.callbacks")


def _epoch_row(row):
    """Return a row of a skorch history without what was recorded for each batch."""
    return {key: value for key, value in row.items() if key != "batches"}
