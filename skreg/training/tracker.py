"""The progress of one model: curves, best epoch, learning rate and stopping."""

import math

from skreg.training.schedules import SCHEDULES, ends_cycle, scheduled_share

DIVERGED = (
    "Training diverged: the loss is {loss} in epoch {epoch}. Lower "
    "learning_rate_init (got {lr:g}), set clip_norm, or look for very large inputs "
    "(with standardize={standardize}), targets or penalties."
)


# The curves of a tracker, and its other attributes that decide how training goes on.
CURVES = ("loss_curve", "validation_loss_curve", "validation_scores")
NUMBERS = {
    "best_score": float,
    "best_iter": int,
    "lr": float,
    "converged": bool,
    "finished": bool,
    "halted": bool,
    "n_without_improvement": int,
}


class Tracker:
    """The training progress of one model.

    Parameters
    ----------
    request : FitRequest

    Attributes
    ----------
    request : FitRequest
        Replaced when another solver takes over.
    loss_curve, validation_loss_curve, validation_scores : list of float
        One value for each epoch. Greater scores are better.
    best_score : float
        Best monitored score.
    best_iter : int
        Epoch of the best score, counted from 1.
    best_state : list of ndarray or None
        The state of the network at this epoch, if it is to be restored.
    snapshots : list of list of ndarray
        The states of the network at the ends of the cycles, if the schedule has
        several.
    lr : float
        Current learning rate.
    converged : bool
        Whether training stopped at an optimum or because it no longer improved.
    finished : bool
        Whether the full-batch solver has finished.
    halted : bool
        Whether training was stopped from outside, for instance by a callback.
    error : Exception or None
        The error that ended training, if there was one.
    n_without_improvement : int
        Number of epochs since the score has last improved by more than `tol`.
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
        self.n_without_improvement = 0

    @property
    def n_iter(self):
        return len(self.loss_curve)

    def update(self, loss, validation_loss, state):
        """Record an epoch and return whether training continues.

        Parameters
        ----------
        loss : float
            The penalties before the epoch plus the mean loss over its batches.
        validation_loss : float or None
        state : callable
            Returns the current state of the network.

        Returns
        -------
        bool
        """
        request = self.request
        self.loss_curve.append(loss)
        if not math.isfinite(loss):
            self.diverged(loss)
            return False
        score = -loss
        if validation_loss is not None:
            self.validation_loss_curve.append(validation_loss)
            # A step since may have left weights whose predictions cannot be scored.
            if math.isnan(validation_loss) or (
                request.score and math.isinf(validation_loss)
            ):
                self.diverged(validation_loss)
                return False
        if request.watch_validation:
            score = request.score(state()) if request.score else -validation_loss
            self.validation_scores.append(score)
        self._compare(score, state)
        if request.n_snapshots > 1 and self._is_end_of_cycle():
            self.snapshots.append(state())
        if request.on_epoch and request.on_epoch(self, state):
            self.halted = True
        self._update_rate()
        ends_early = self._ends_early()
        self.converged = self.converged or ends_early
        over = ends_early or self._is_last_epoch()
        return not (over or self.finished or self.halted)

    def _is_last_epoch(self):
        return self.n_iter >= self.request.last_epoch

    def _is_end_of_cycle(self):
        request = self.request
        return ends_cycle(self.n_iter - 1, request.max_iter, request.n_snapshots)

    def summary(self):
        """Return a line of text about the last epoch."""
        text = f"Iteration {self.n_iter}, loss = {self.loss_curve[-1]:.8f}"
        if self.validation_loss_curve:
            text += f", validation loss = {self.validation_loss_curve[-1]:.8f}"
        if self.request.score:
            text += f", validation score = {self.validation_scores[-1]:.6f}"
        return text

    def diverged(self, loss):
        """Set the error of a diverged training, with advice on how to avoid it.

        `loss` is the training loss or the validation loss.
        """
        self.error = ValueError(
            DIVERGED.format(
                loss=loss,
                epoch=self.n_iter,
                lr=self.request.settings["lr"],
                standardize=self.request.scaling.scale is not None,
            )
        )

    def _compare(self, score, state):
        if self.n_iter <= self.request.pruned_after:
            # Earlier networks had more weights, so their scores do not count.
            self.best_score, self.n_without_improvement = -math.inf, 0
        improved = not score < self.best_score + self.request.tol
        self.n_without_improvement = 0 if improved else self.n_without_improvement + 1
        if score > self.best_score:
            self.best_score, self.best_iter = score, self.n_iter
            if self.request.restore_best:
                self.best_state = state()

    def _scheduled_rate(self):
        """Return the learning rate of the next epoch according to the schedule."""
        request, rate = self.request, self.request.settings["lr"]
        if request.learning_rate == "invscaling":
            samples = request.samples_seen + self.n_iter * len(request.train.index)
            rate /= (samples + 1) ** 0.5
        elif request.learning_rate in SCHEDULES:
            length, n_cycles = request.max_iter, request.n_snapshots
            name = request.learning_rate
            rate *= scheduled_share(name, self.n_iter, length, n_cycles)
        return rate

    def _update_rate(self):
        """Set the learning rate of the next epoch as scikit-learn's MLP does.

        The adaptive rate is lowered instead of stopping, and patience begins anew.
        """
        name = self.request.learning_rate
        scheduled = name in SCHEDULES and not self._is_last_epoch()
        if scheduled or name == "invscaling":
            self.lr = self._scheduled_rate()
        elif name == "adaptive" and self.lr > 1e-6 and self._patience_is_over():
            self.lr /= 5
            self.n_without_improvement = 0

    def _patience_is_over(self):
        """Return whether the score has not improved for too many epochs."""
        request = self.request
        # Without early stopping, L-BFGS stops by the optimality conditions instead.
        by_gradient = request.solver == "lbfgs" and request.may_polish
        return not by_gradient and self.n_without_improvement > request.n_iter_no_change

    def _ends_early(self):
        """Return whether training ends because the score no longer improves."""
        if not self._patience_is_over():
            return False
        return self.request.stops_early or not self.request.has_fixed_length
