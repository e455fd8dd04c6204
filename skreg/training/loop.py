"""The skorch net that trains a stack: skorch's loop, hooks and history, our steps."""

import math
import time

import torch
from skorch import NeuralNet

from skreg.networks.products import first
from skreg.networks.shared_members import for_members, mean_of_members
from skreg.training.adversarial import perturbed
from skreg.training.lbfgs import minimise


class StackedNet(NeuralNet):
    """A skorch net over a stack of models.

    skorch's data loading and its bookkeeping in every batch are replaced through its
    own hooks: they cost more than a step of a small network. Batch-level hooks of
    callbacks are called only if the user has callbacks.

    Parameters
    ----------
    module : StackedNetwork
    criterion : Loss
    stack : Stack or None
        What is trained. None is a net for inference.
    callbacks : list, default=None
        The user's skorch callbacks.
    """

    def __init__(self, module, criterion, stack=None, callbacks=None, **kwargs):
        self.stack = stack
        kwargs.setdefault("optimizer", torch.optim.Optimizer)
        kwargs.setdefault("train_split", None)
        super().__init__(module, criterion, callbacks=callbacks, **kwargs)

    def get_default_callbacks(self):
        return []

    def initialize_module(self):
        self.module_ = self.module
        return self

    def initialize_criterion(self):
        self.criterion_ = self.criterion
        return self

    def initialize_optimizer(self, *args, **kwargs):
        self.optimizer_ = self.stack.optimizer if self.stack else None
        return self

    def fit_loop(self, X=None, y=None, epochs=math.inf, **fit_params):
        """Train until every model of the stack has stopped or done so many epochs."""
        if self.stack.optimizer is None:
            if self.stack.trackers:  # else it does not start
                self._fit_full_batch()
            return self
        while self.stack.trackers and self.stack.trackers[0].n_iter < epochs:
            start = self._begin_epoch()
            self._end_epoch(start, self._train_epoch())
        return self

    def _fit_full_batch(self):
        """Run L-BFGS until every model of the stack has stopped."""
        stack = self.stack

        def accuracy():
            return [tracker.request.accuracy for tracker in stack.trackers]

        def on_iteration(objectives, converged, finished):
            for tracker, *flags in zip(stack.trackers, converged, finished):
                tracker.converged, tracker.finished = flags
            start = self._begin_epoch()
            self.history.new_batch()  # an iteration is an epoch of one batch
            return self._end_epoch(start, objectives)

        minimise(stack.objective, accuracy, on_iteration)

    def _begin_epoch(self):
        """Tell the callbacks and return the time."""
        self.notify("on_epoch_begin", dataset_train=None, dataset_valid=None)
        return time.perf_counter()

    def _end_epoch(self, start, train_losses):
        """Validate, write the history and retire the models that are done.

        Return the positions of those that go on.
        """
        stack, valid_losses = self.stack, self._valid_epoch()
        keep = stack.note_epoch(train_losses, valid_losses)
        alone = len(train_losses) == 1
        row = self.history[-1]
        row["dur"] = time.perf_counter() - start
        row["train_loss"] = train_losses[0] if alone else train_losses
        if valid_losses is not None:
            row["valid_loss"] = valid_losses[0] if alone else valid_losses
        if self.callbacks:
            self._mark_best(row)
        self.notify("on_epoch_end", dataset_train=None, dataset_valid=None)
        stack.retire(keep)
        self.follow()
        return keep

    def follow(self):
        """Take up the stack's network and optimiser after models have retired."""
        # skorch's attributes are slow to set, so only where they change.
        if self.module_ is not self.stack.module:
            self.module_, self.optimizer_ = self.stack.module, self.stack.optimizer

    def _mark_best(self, row):
        """Say which losses are the lowest yet, which skorch's Checkpoint asks for."""
        for key in ("train_loss", "valid_loss"):
            if key in row:
                row[f"{key}_best"] = row[key] <= min(self.history[:, key])

    def _train_epoch(self):
        """Run one epoch and return the mean objective of each model."""
        stack, watched = self.stack, bool(self.callbacks)
        meter = LossMeter(stack.loss, stack.penalties.value(stack.module.weights))
        for batch in stack.batches.epoch():
            if watched:
                self.notify(
                    "on_batch_begin", batch=(batch.x, batch.target), training=True
                )
            score, noisy = self._train_step(batch, watched)
            meter.add(score, noisy)
            if watched:
                self.notify(
                    "on_batch_end",
                    batch=(batch.x, batch.target),
                    training=True,
                    y_pred=self._of_batch(score, batch),
                )
        stack.after_epoch()
        return meter.total().tolist()

    def _of_batch(self, score, batch):
        """Return one prediction for each row, without adversarial rows."""
        n_members = self.stack.module.architecture.n_members
        score = score[:, : n_members * batch.x.size(1)]
        return mean_of_members(score, n_members, self.stack.loss)

    def _train_step(self, batch, watched):
        """Update the models that have a batch; return it and what came out."""
        stack = self.stack
        noise, module = stack.noise, stack.module
        rows = noise.smooth(batch, stack.loss)
        rows = for_members(rows, module.architecture.n_members)
        noisy, masks, paths = perturbed(rows, stack.streams, noise, module, stack.loss)
        score, tape = module.forward_training(noisy.x, noisy.weight, masks, paths)
        gradient = stack.loss.gradient(score, noisy.target, noisy.weight)
        module.backward(gradient, tape)
        if stack.pruning:
            stack.pruning.mask_gradients(len(batch.rows))
        if watched:
            self.notify(
                "on_grad_computed",
                named_parameters=list(module.named_parameters()),
                batch=(batch.x, batch.target),
                training=True,
            )
            stack.optimizer.step()
        else:
            stack.optimizer.update(len(batch.rows))
        if stack.averages:
            stack.averages.after_step(len(batch.rows))
        return score, noisy

    def _valid_epoch(self):
        """Return each model's mean validation loss, or None without validation rows."""
        stack = self.stack
        if stack.validation is None:
            return None
        meter = LossMeter(
            stack.loss,
            torch.zeros(stack.module.n_models, dtype=stack.dtype, device=stack.device),
        )
        n_members = stack.module.architecture.n_members
        for batch in stack.validation.epoch():
            score = stack.network(batch.x)
            meter.add(mean_of_members(score, n_members, stack.loss), batch)
        return meter.total().tolist()


class LossMeter:
    """The mean loss of each model over the batches of an epoch.

    Nothing waits for the losses until the epoch ends, so those of many batches are
    computed together: on their own they are a sixth of the time of a small step.

    Parameters
    ----------
    loss : Loss
    start : Tensor of shape (n_models,)
        What to add them to, in place.
    """

    n_pending = 64

    def __init__(self, loss, start):
        self.loss, self._total, self._pending = loss, start, []

    def add(self, score, batch):
        """Take note of a batch and its raw outputs."""
        pending = self._pending
        # Batches of one shape share their portion.
        alike = not pending or pending[-1][1].portion is batch.portion
        if not alike or len(pending) == self.n_pending:
            self._flush()
        # Without the inputs, which would stay in memory.
        self._pending.append((score, batch.replace(x=None)))

    def _flush(self):
        scores, batches = zip(*self._pending)
        score = torch.cat(scores, 1)
        target = torch.cat([batch.target for batch in batches], 1)
        portion, weight = batches[0].portion, None
        if batches[0].weight is None:
            portion = portion * len(batches)  # of which the value is the mean
        else:
            weight = torch.cat([batch.weight for batch in batches], 1)
        value = self.loss.value(score, target, weight)
        first(self._total, len(batches[0].rows)).addcmul_(portion, value)
        self._pending = []

    def total(self):
        """Return the sum for each model."""
        if self._pending:
            self._flush()
        return self._total


def inference_net(module, loss, history):
    """Return an initialised net around a trained module.

    Parameters
    ----------
    module : StackedNetwork
    loss : Loss
    history : list of dict
        One entry for each epoch.
    """
    net = StackedNet(module, loss).initialize()
    for row in history:
        net.history.append(row)
    return net
