"""The outcome of training one network: its weights and its history."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from skreg.networks.shared_members import member_states

CURVES = ("loss_curve", "validation_loss_curve", "validation_scores")


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained network, and how its training went.

    Parameters
    ----------
    state : list of ndarray
        The network, in the order of `state_names`.
    snapshots : list of list of ndarray or None, default=None
        The networks whose predictions are averaged, if they are several.
    seed : int or None, default=None
    optimizer_state : tuple or None, default=None
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
    optimizer_state: tuple | None = None
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
        result.state,
        snapshots,
        request.seed,
        result.optimizer_state,
        request.epochs_seen + tracker.n_iter,
        request.samples_seen + n_seen,
        _curves(tracker, before, n_before),
        _attributes(result, n_before),
        result.history,
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


def sparsity(weights):
    """Return the share of elements that are exactly zero."""
    return 1 - sum(map(np.count_nonzero, weights)) / sum(
        array.size for array in weights
    )
