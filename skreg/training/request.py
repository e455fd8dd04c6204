"""What training one network needs, and what became of it."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from skreg.augmentation.parameter import is_random
from skreg.data.batches import count_batches
from skreg.data.rows import Rows
from skreg.networks.architecture import Architecture, Start
from skreg.networks.losses import Loss
from skreg.parameters.regularisers import regularisers
from skreg.training.gradual_pruning import ramp_length
from skreg.training.schedules import SCHEDULES
from skreg.training.tracker import Tracker

# Largest violation of the optimality conditions that counts as none.
OPTIMAL = 1e-6


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
    smooth_clip : bool
        Whether inputs are then clipped smoothly.
    settings : dict of float
        The fields of `StepSettings`, of `Noise` and of `Penalties`, those for several
        layers as sequences, and `pruning`.
    batch_size, max_iter, n_iter_no_change : int
    max_polish : int
        Iterations of the full-batch solver that may end the fit.
    tol : float
    shuffle, nesterov, restore_best : bool
    stops_early : bool
        Whether the fit may end before a length that was planned for.
    watch_validation : bool
        Whether the validation rows decide on stopping, not only on a curve.
    learning_rate : {"constant", "invscaling", "adaptive"} or a key of `SCHEDULES`
    seed : int
    start : Start
        Where the network starts, unless `initial` says so.
    swa_fraction, ema_decay : float
        What is averaged: see `averaging.Averages`.
    n_snapshots : int
        Number of cycles of the schedule, at whose ends the network is kept if there
        are several.
    augment : tuple
        What changes the rows of training batches: see `augmentation.batch_changes`.
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
    may_polish : bool
        Whether the full-batch solver may end the fit: there is no early stopping.
    monitor : str, callable or tuple
        What `score` was made from, and what else it depends on.
    key : str or None
        Under which the result is kept.
    """

    architecture: Architecture
    loss: Loss
    solver: str
    dtype: torch.dtype
    device: torch.device
    train: Rows
    validation: Rows | None
    scaling: tuple | None
    smooth_clip: bool
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
    initial: list | None = None
    epochs_seen: int = 0
    samples_seen: int = 0
    optimizer_state: tuple | None = None
    keep_optimizer: bool = False
    score: object = None
    on_epoch: object = None
    callbacks: list = field(default_factory=list)
    may_polish: bool = False
    monitor: object = "loss"
    key: str | None = None

    @property
    def is_deterministic(self):
        """Whether the steps taken minimise one function, without noise or decay.

        A network that is pruned has other weights to minimise over.
        """
        names = regularisers(effects={"rows", "optimum"})
        strengths = [self.settings[name] for name in names if name in self.settings]
        return not (
            any(np.any(strength) for strength in strengths)
            or self.architecture.batchnorm
            or is_random(self.augment)
        )

    @property
    def is_certified(self):
        """Whether the fit is to end where the optimality conditions hold.

        That is what l1 and group_l1 are for, and what a linear model is expected to
        do. Other networks stop where the solver does. So do those with pooling, whose
        objective has kinks wherever the largest of several units changes: no gradient
        vanishes there, and passes over all rows would be for nothing.
        """
        settings = self.settings
        sparse = any(settings["l1"]) or any(settings["group_l1"])
        wanted = sparse or self.architecture.is_linear
        wanted = wanted and not self.architecture.is_pooled
        return self.may_polish and self.is_deterministic and wanted

    @property
    def has_fixed_length(self):
        """Whether `max_iter` is the length that was planned for, not a bound on it."""
        planned = self.learning_rate in SCHEDULES or self.swa_fraction > 0
        return (planned or self.pruned_after > 0) and self.solver != "lbfgs"

    @property
    def pruned_after(self):
        """The number of epochs after which the network is as sparse as it is to be."""
        if not self.settings["pruning"]:
            return 0
        return ramp_length(self.max_iter, self.n_snapshots)

    @property
    def accuracy(self):
        """The violation of the optimality conditions at which a solver may stop."""
        # tol=0 is a wish for all epochs, not for an accuracy beyond rounding.
        return min(self.tol or OPTIMAL, OPTIMAL) if self.is_certified else self.tol

    @property
    def has_moving_averages(self):
        """Whether the optimiser goes on with those of the last call.

        Another solver's mean something else.
        """
        return bool(self.optimizer_state) and self.optimizer_state[0] == self.solver

    @property
    def min_rows(self):
        return 2 if self.architecture.batchnorm else 1

    @property
    def n_batches(self):
        return count_batches(len(self.train.index), self.batch_size, self.min_rows)

    @property
    def bytes_held(self):
        """About how many bytes a fit holds while it waits.

        Its rows are those of the fit, once more before any preprocessing, and some are
        held out.
        """
        return 5 * self.train.n_bytes // 2

    def without_data(self):
        """Return what is left of a request when its training is over."""
        return replace(self, train=None, validation=None, score=None, initial=None)

    def with_data_of(self, other):
        """Return a request with the data that `without_data` took from it."""
        return replace(
            self,
            train=other.train,
            validation=other.validation,
            score=other.score,
            initial=other.initial,
        )


@dataclass
class FitResult:
    """What became of a request.

    Parameters
    ----------
    state : list of ndarray
        The network, in the order of `architecture.state_names`.
    tracker : Tracker
        The curves, the best epoch, whether training converged, the error if any.
    kkt_violation : float
        Distance to optimality, nan where the objective is not deterministic.
    history : list of dict
        The skorch history of a net that trained alone, else empty.
    optimizer_state : tuple or None
    interrupted : bool
        Whether a keyboard interrupt ended the training.
    seconds : float
        The model's share of the time that its stack took.
    """

    state: list
    tracker: Tracker
    kkt_violation: float = math.nan
    history: list = field(default_factory=list)
    optimizer_state: tuple | None = None
    interrupted: bool = False
    seconds: float = 0.0
