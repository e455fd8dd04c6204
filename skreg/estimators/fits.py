"""The outcome of training one network: its weights, its history, or its failure."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from skreg.estimators.inference import Inference
from skreg.networks.shared_members import member_states
from skreg.training.request import OptimizerState

CURVES = ("loss_curve", "validation_loss_curve", "validation_scores")
# Weights and losses are seldom larger than this unless the network diverges.
USUAL = 100
# Inverse links whose results are no larger than what they are given, or than 1.
MODERATE_LINKS = ("identity", "sorted", "logistic", "softmax")
# Number of rows whose predictions are checked if some are larger.
JUDGED_ROWS = 200


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained network and the history of its training.

    Parameters
    ----------
    state : list of ndarray
        The network, in the order of `state_names`.
    snapshots : list of list of ndarray or None, default=None
        The networks whose predictions are averaged, if they are several.
    seed : int or None, default=None
    optimizer_state : OptimizerState or None, default=None
        State of the optimiser, for calls of `partial_fit`.
    epochs_seen, samples_seen : int, default=0
        Epochs and training rows, in all calls.
    curves : dict of list of float or None
        The curves over all calls, by `CURVES`. None is no curve.
    attributes : dict
        Public attributes that describe the last call.
    history : list of dict
        History of the skorch net, if there were callbacks.
    """

    state: list
    snapshots: list | None = None
    seed: int | None = None
    optimizer_state: OptimizerState | None = None
    epochs_seen: int = 0
    samples_seen: int = 0
    curves: dict = field(default_factory=lambda: dict.fromkeys(CURVES))
    attributes: dict = field(default_factory=dict)
    history: list = field(default_factory=list)

    @property
    def states(self):
        """The states of the networks whose predictions are averaged."""
        return self.snapshots or [self.state]

    @property
    def kkt_violation(self):
        return self.attributes["kkt_violation_"]

    def with_states(self, states, **attributes):
        """Return a copy with other networks and other public attributes."""
        return replace(
            self,
            state=states[-1],
            snapshots=states if len(states) > 1 else None,
            attributes=self.attributes | attributes,
        )

    def of_members(self, architecture):
        """Split members that share weights into a fit for each.

        Parameters
        ----------
        architecture : Architecture
            That of the members together.
        """
        snapshots = [member_states(architecture, state) for state in self.states]
        # The optimiser's moving averages are those of all members.
        alone = replace(self, optimizer_state=None)
        return [alone.with_states(list(states)) for states in zip(*snapshots)]


def fits_of(results, requests, prepared, before=()):
    """Convert the results of a call to fits, or raise its error.

    After an interrupt, networks whose training had not begun keep their earlier fit.

    Parameters
    ----------
    results : list of FitResult or None
        Result of each network; None if its training had not begun.
    requests : list of FitRequest
    prepared : Prepared
    before : list of Fit, default=()
        Earlier fits of the networks, which may be fewer.

    Returns
    -------
    fits : list of Fit
    interrupted : bool
        Whether the user has interrupted the training.

    Raises
    ------
    KeyboardInterrupt
        If an interrupt came before there was a network.
    """
    fits, interrupted = [], False
    for number, (result, request) in enumerate(zip(results, requests)):
        earlier = before[number] if number < len(before) else None
        if result is None or not _has_network(result, request, prepared):
            interrupted = True
            fits += [] if earlier is None else [earlier]
            continue
        interrupted |= result.interrupted
        fits.append(fit_of(result, request, earlier))
    if not fits:
        raise KeyboardInterrupt
    return fits, interrupted


def fit_alone(result, prepared):
    """Convert the result of a single network to its fit, or raise its error."""
    (fit,), _ = fits_of([result], [result.tracker.request], prepared)
    return fit


def _has_network(result, request, prepared):
    """Return whether training gave a network. Raise its error, unless interrupted."""
    tracker = result.tracker
    if tracker.error is None and not _is_usable(result, request.train, prepared):
        tracker.diverged(math.nan)
    if tracker.error is None:
        return True
    if result.interrupted:  # before it had done an epoch
        return False
    raise tracker.error


def _is_usable(result, rows, prepared):
    """Return whether the predictions for some training rows are finite.

    Losses are computed before each step, so that the last step was not checked yet.
    On centred inputs, weights of the usual size do not overflow in one step, unless
    the outputs are exponential. Where the optimality conditions were computed, it was
    at the last weights.
    """
    layout = prepared.layout
    numbers = [np.abs(array).max() for array in result.state]
    numbers += result.tracker.loss_curve[-1:]
    is_safe = layout.scaling.offset is not None or np.isfinite(result.kkt_violation)
    grows = layout.loss.out_activation not in MODERATE_LINKS
    if is_safe and max(numbers) < USUAL and not grows:
        return True
    inference = Inference(layout, [result.state], prepared.device)
    X = rows.X[rows.index[:JUDGED_ROWS]]
    score = torch.from_numpy(inference.scores(X))
    prediction = layout.loss.inverse_link(score).numpy()
    return bool(np.isfinite(layout.targets.decode(prediction)).all())


def fit_of(result, request, before=None):
    """Convert the result of a request to a `Fit`.

    Parameters
    ----------
    result : FitResult
    request : FitRequest
    before : Fit or None, default=None
        The fit that this call has continued.
    """
    tracker = result.tracker
    snapshots = tracker.snapshots or None
    if snapshots and tracker.n_iter == request.max_iter:
        snapshots = [*snapshots[:-1], result.state]  # the same numbers
    n_before = len(before.curves["loss_curve"] or ()) if before else 0
    n_seen = tracker.n_iter * len(request.train.index)
    return Fit(
        state=result.state,
        snapshots=snapshots,
        seed=request.seed,
        optimizer_state=result.optimizer_state,
        epochs_seen=request.epochs_seen + tracker.n_iter,
        samples_seen=request.samples_seen + n_seen,
        curves=_curves(tracker, before, n_before),
        attributes=_attributes(result, n_before),
        history=result.history,
    )


def _curves(tracker, before, n_before):
    """Return the curves, appended to those of earlier calls.

    Epochs without validation rows are nan in a curve that others have.
    """
    curves = {}
    for name in CURVES:
        curve = getattr(tracker, name)
        earlier = before.curves[name] if before else None
        if earlier or curve:
            earlier = earlier or [math.nan] * n_before
            curve = [*earlier, *(curve or [math.nan] * tracker.n_iter)]
        curves[name] = curve or None
    return curves


def _attributes(result, n_before):
    """Return the public attributes that describe a call."""
    tracker = result.tracker
    curve, watched = tracker.loss_curve, tracker.request.watch_validation
    return {
        "n_iter_": tracker.n_iter,
        "kkt_violation_": result.kkt_violation,
        "loss_": curve[-1] if curve else math.nan,
        "best_loss_": None if watched else min(curve, default=math.nan),
        "best_validation_score_": tracker.best_score if watched else None,
        "best_iter_": n_before + tracker.best_iter,
    }
