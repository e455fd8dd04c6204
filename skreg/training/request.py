"""The request to train one network, and the result of its training."""

import math
from dataclasses import dataclass, field, replace

import torch

from skreg.augmentation.parameter import is_random
from skreg.data.batches import count_batches
from skreg.data.rows import Rows
from skreg.data.scaling import Scaling
from skreg.losses.contract import Loss
from skreg.networks.architecture import Architecture, Start
from skreg.parameters.regularisers import regularisers
from skreg.training.gradual_pruning import ramp_length
from skreg.training.input_penalties import InputPenalties
from skreg.training.schedules import SCHEDULES
from skreg.training.tracker import Tracker

# Largest violation of the optimality conditions at which a fit counts as optimal.
OPTIMAL = 1e-6


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """The state of the optimiser of one network, from which another call continues.

    Parameters
    ----------
    solver : {"adam", "sgd"}
    buffers : list of list of ndarray of shape (1, n_in, n_out)
        The moving averages: one list for each kind, with one array for each parameter.
    n_steps : float
        Number of steps so far.
    """

    solver: str
    buffers: list
    n_steps: float


@dataclass(frozen=True, eq=False)
class FitRequest:
    """The data and validated settings for the training of one network.

    Parameters
    ----------
    architecture : Architecture
    loss : Loss
    solver : {"adam", "sgd", "lbfgs"}
    dtype : torch.dtype
    device : torch.device
    train : Rows
    validation : Rows or None
    scaling : Scaling
        The centring and scaling of the inputs.
    settings : dict of float
        The fields of `StepSettings` and `Noise`, the strengths of the penalties, and
        `pruning`. Settings with one value per layer are sequences.
    batch_size, max_iter, n_iter_no_change : int
    max_polish : int
        Largest number of iterations of the full-batch solver at the end of the fit.
    tol : float
    shuffle, nesterov, restore_best : bool
    stops_early : bool
        Whether a fit with a planned length may end earlier.
    watch_validation : bool
        Whether the validation rows determine early stopping. Otherwise they are used
        for the validation curve only.
    learning_rate : {"constant", "invscaling", "adaptive"} or a key of `SCHEDULES`
    seed : int
    start : Start
        The initialisation of the network, unless `initial` is given.
    swa_fraction, ema_decay : float
        Settings of weight averaging. See `skreg.training.weight_averages.Averages`.
    n_snapshots : int
        Number of cycles of the learning rate schedule. With several, the network is
        kept at the end of each cycle.
    augment : tuple
        Changes of the rows of training batches, as returned by
        `skreg.augmentation.parameter.batch_changes`.
    inputs : InputPenalties or None
        How the inputs are penalised, where they differ.
    initial : list of ndarray or None
        State to start from instead of random weights.
    epochs_seen, samples_seen : int
        Number of epochs and rows of earlier calls.
    optimizer_state : OptimizerState or None
        The `FitResult.optimizer_state` of the last call.
    keep_optimizer : bool
        Whether to return the state of the optimiser.
    score : callable or None
        Maps a state to a validation score. Greater is better.
    on_epoch : callable or None
        Called after every epoch with the tracker and a function that returns the state.
        Training stops if it returns true.
    callbacks : list
        skorch callbacks.
    may_polish : bool
        Whether the full-batch solver may finish the fit. This requires that there is no
        early stopping.
    monitor : str, callable or tuple
        The metric that `score` computes, and what else the score depends on.
    n_epochs : int or None
        Number of epochs after which training ends, if this is less than `max_iter`, for
        which the schedule is made.
    key : str or None
        The name of the fit in a checkpoint. None if it is not kept.
    resume : Record, FitResult or None
        How far an interrupted training has come: to the end of an epoch, or to the end.
    """

    architecture: Architecture
    loss: Loss
    solver: str
    dtype: torch.dtype
    device: torch.device
    train: Rows
    validation: Rows | None
    scaling: Scaling
    settings: dict
    batch_size: int
    max_iter: int
    max_polish: int
    n_iter_no_change: int
    tol: float
    shuffle: bool
    nesterov: bool
    stops_early: bool
    watch_validation: bool
    restore_best: bool
    learning_rate: str
    seed: int
    start: Start
    swa_fraction: float = 0.0
    ema_decay: float = 0.0
    n_snapshots: int = 1
    augment: tuple = ()
    inputs: InputPenalties | None = None
    initial: list | None = None
    epochs_seen: int = 0
    samples_seen: int = 0
    optimizer_state: OptimizerState | None = None
    keep_optimizer: bool = False
    score: object = None
    on_epoch: object = None
    callbacks: list = field(default_factory=list)
    may_polish: bool = False
    monitor: object = "loss"
    n_epochs: int | None = None
    key: str | None = None
    resume: object = None

    @property
    def is_deterministic(self):
        """Whether all steps minimise the same function of the same weights.

        Random regularisers and weight decay change the function. Pruning changes the
        set of weights.
        """
        names = regularisers(effects={"rows", "optimum"})
        strengths = [self.settings[name] for name in names if name in self.settings]
        return not (
            any(map(_is_on, strengths))
            or self.architecture.batchnorm
            or is_random(self.augment)
        )

    @property
    def is_certified(self):
        """Whether the fit must end at a point that satisfies the optimality conditions.

        This is so for l1 and group_l1, whose zeros are exact only there, and for linear
        models, from which users expect it. Other networks end where their solver stops.
        So do networks with pooling. Their objective has kinks where the largest of
        several units changes. The gradient does not vanish at a kink, so further
        iterations over all rows would be useless.
        """
        if not self.may_polish or self.architecture.is_pooled:
            return False
        settings = self.settings
        sparse = any(settings["l1"]) or any(settings["group_l1"])
        wanted = sparse or self.architecture.is_linear
        return wanted and self.is_deterministic

    @property
    def has_fixed_length(self):
        """Whether `max_iter` is the planned number of epochs and not an upper bound."""
        planned = self.learning_rate in SCHEDULES or self.swa_fraction > 0
        return (planned or self.pruned_after > 0) and self.solver != "lbfgs"

    @property
    def last_epoch(self):
        """The epoch after which training ends at the latest."""
        return min(self.max_iter, self.n_epochs or self.max_iter)

    @property
    def pruned_after(self):
        """The number of epochs after which pruning reaches its final sparsity."""
        if not self.settings["pruning"]:
            return 0
        return ramp_length(self.max_iter, self.n_snapshots)

    @property
    def accuracy(self):
        """The violation of the optimality conditions at which a solver may stop."""
        # tol=0 asks for all epochs, not for an accuracy beyond rounding errors.
        return min(self.tol or OPTIMAL, OPTIMAL) if self.is_certified else self.tol

    @property
    def has_moving_averages(self):
        """Whether the optimiser continues with the moving averages of the last call.

        Those of another solver have a different meaning and are not used.
        """
        state = self.optimizer_state
        return state is not None and state.solver == self.solver

    @property
    def min_rows(self):
        return 2 if self.architecture.batchnorm else 1

    @property
    def n_batches(self):
        return count_batches(len(self.train.index), self.batch_size, self.min_rows)

    @property
    def bytes_held(self):
        """An estimate of the bytes of data that a fit holds while it waits.

        It holds its training rows, a second time before preprocessing, and the
        validation rows.
        """
        return 5 * self.train.n_bytes // 2

    def sharing(self, shared):
        """Return the request with rows that share arrays with earlier equal ones.

        Parameters
        ----------
        shared : SharedArrays
        """
        validation = self.validation and shared.rows(self.validation)
        return replace(self, train=shared.rows(self.train), validation=validation)

    def without_data(self):
        """Return the request without its data, for use after training."""
        data = ("train", "validation", "score", "initial", "resume")
        return replace(self, **dict.fromkeys(data))

    def with_data_of(self, other):
        """Return the request with the data of `other`, which undoes `without_data`."""
        return replace(
            self,
            train=other.train,
            validation=other.validation,
            score=other.score,
            initial=other.initial,
        )


def _is_on(strength):
    """Return whether a strength, or that of any layer, is not zero."""
    return any(strength) if isinstance(strength, list | tuple) else strength != 0


@dataclass
class FitResult:
    """The result of the training of one network.

    Parameters
    ----------
    state : list of ndarray
        The state of the network, in the order of `architecture.state_names`.
    tracker : Tracker
        The loss curves, the best epoch, whether training converged, and the error if
        there was one.
    kkt_violation : float
        Violation of the optimality conditions, nan if it was not computed.
    history : list of dict
        The skorch history of a network with callbacks, else empty.
    optimizer_state : OptimizerState or None
        None if it was not requested.
    interrupted : bool
        Whether a keyboard interrupt ended the training.
    seconds : float
        The share of this model in the training time of its stack.
    """

    state: list
    tracker: Tracker
    kkt_violation: float = math.nan
    history: list = field(default_factory=list)
    optimizer_state: OptimizerState | None = None
    interrupted: bool = False
    seconds: float = 0.0
