"""Per-model progress: curves, the best epoch, learning-rate schedules and stopping."""

import math

from skreg.training.schedules import SCHEDULES, ends_cycle, scheduled_share

DIVERGED = (
    "Training diverged: the loss is {loss} in epoch {epoch}. Lower "
    "learning_rate_init (got {lr:g}), set clip_norm, or look for very large inputs "
    "(with standardize={standardize}), targets or penalties."
)


class Tracker:
    """The course of one model's training.

    Parameters
    ----------
    request : FitRequest

    Attributes
    ----------
    loss_curve, validation_loss_curve, validation_scores : list of float
        One value for each epoch; scores are "greater is better".
    best_score, best_iter : float and int
        Best value of what is watched and the (one-based) epoch that had it.
    best_state : list of ndarray or None
        The network at that epoch, if it is to be restored.
    snapshots : list of list of ndarray
        The networks at the ends of the cycles of the schedule, if it has several.
    lr : float
        Present learning rate.
    converged : bool
        Whether training stopped because it no longer improved, or at an optimum.
    finished : bool
        Whether a full-batch solver has no more to do.
    halted : bool
        Whether a callback stopped the training.
    error : Exception or None
    """

    def __init__(self, request):
        self.request = request
        self.loss_curve, self.validation_loss_curve = [], []
        self.validation_scores = []
        self.best_score, self.best_iter, self.best_state = -math.inf, 0, None
        self.snapshots = []
        self.lr = self._scheduled_rate()
        self.converged = self.finished = self.halted = False
        self.error = None
        self._no_improvement = 0

    @property
    def n_iter(self):
        return len(self.loss_curve)

    def go_on_with(self, request):
        """Follow the request of a solver that takes up where the last one ended."""
        self.request = request

    def update(self, loss, validation_loss, state):
        """Take note of an epoch and return whether training goes on.

        Parameters
        ----------
        loss : float
            The penalties before the epoch plus the mean loss over its batches.
        validation_loss : float or None
        state : callable
            Returns the network's present state.
        """
        request = self.request
        self.loss_curve.append(loss)
        if not math.isfinite(loss):
            self.diverged(loss)
            return False
        score = -loss
        if validation_loss is not None:
            self.validation_loss_curve.append(validation_loss)
        if request.watch_validation:
            score = request.score(state()) if request.score else -validation_loss
            self.validation_scores.append(score)
        self._compare(score, state)
        if request.n_snapshots > 1 and self._is_end_of_cycle():
            self.snapshots.append(state())
        if request.on_epoch and request.on_epoch(self, state):
            self.halted = True
        over = self._patience_is_over() or self._is_last_epoch()
        return not (over or self.finished or self.halted)

    def _is_last_epoch(self):
        return self.n_iter >= self.request.max_iter

    def _is_end_of_cycle(self):
        request = self.request
        return ends_cycle(self.n_iter - 1, request.max_iter, request.n_snapshots)

    def summary(self):
        """Return a line about the last epoch."""
        text = f"Iteration {self.n_iter}, loss = {self.loss_curve[-1]:.8f}"
        if self.validation_loss_curve:
            text += f", validation loss = {self.validation_loss_curve[-1]:.8f}"
        if self.request.score:
            text += f", validation score = {self.validation_scores[-1]:.6f}"
        return text

    def diverged(self, loss):
        """Note that training failed, with what the user can do about it."""
        self.error = ValueError(
            DIVERGED.format(
                loss=loss,
                epoch=self.n_iter,
                lr=self.request.settings["lr"],
                standardize=self.request.scaling is not None,
            )
        )

    def _compare(self, score, state):
        if self.n_iter <= self.request.pruned_after:
            # The networks before had weights that this one does without.
            self.best_score, self._no_improvement = -math.inf, 0
        improved = not score < self.best_score + self.request.tol
        self._no_improvement = 0 if improved else self._no_improvement + 1
        if score > self.best_score:
            self.best_score, self.best_iter = score, self.n_iter
            if self.request.restore_best:
                self.best_state = state()

    def _scheduled_rate(self):
        """Return the learning rate that the rows seen so far have led to."""
        request, rate = self.request, self.request.settings["lr"]
        if request.learning_rate == "invscaling":
            samples = request.samples_seen + self.n_iter * len(request.train.index)
            rate /= (samples + 1) ** 0.5
        elif request.learning_rate in SCHEDULES:
            length, n_cycles = request.max_iter, request.n_snapshots
            name = request.learning_rate
            rate *= scheduled_share(name, self.n_iter, length, n_cycles)
        return rate

    def _patience_is_over(self):
        """Apply the schedule as scikit-learn's MLP and return whether to stop."""
        request = self.request
        scheduled = request.learning_rate in SCHEDULES and not self._is_last_epoch()
        if scheduled or request.learning_rate == "invscaling":
            self.lr = self._scheduled_rate()
        # Without early stopping L-BFGS judges by the gradient.
        by_gradient = request.solver == "lbfgs" and request.may_polish
        if by_gradient or self._no_improvement <= request.n_iter_no_change:
            return False
        if request.learning_rate == "adaptive" and self.lr > 1e-6:
            self.lr /= 5
            self._no_improvement = 0
            return False
        if request.has_fixed_length and not request.stops_early:
            return False
        self.converged = True
        return True
