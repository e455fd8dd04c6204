"""The skorch net that trains a stack: skorch's loop, hooks and history, our steps."""

import time

import torch
from skorch import NeuralNet

from skreg.lbfgs import minimise
from skreg.modules import first


class StackedNet(NeuralNet):
    """A skorch net over a stack of models.

    skorch's data loading and its bookkeeping in every batch are replaced through its
    own hooks: they cost more than a step of a small network. Batch-level hooks of
    callbacks are called only if the user has callbacks.

    Parameters
    ----------
    module : StackedMLP
    criterion : Loss
    stack : Stack or None
        What is trained. None is a net for inference.
    callbacks : list, default=None
        The user's skorch callbacks.

    Attributes
    ----------
    train_losses : list of float
        The last epoch's objective, one value for each live model.
    valid_losses : list of float or None
        The last epoch's validation loss, without penalties.
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

    def fit_loop(self, X=None, y=None, epochs=None, **fit_params):
        """Train until every model of the stack has stopped."""
        if self.stack.optimizer is None:
            self._fit_full_batch()
            return self
        while self.stack.trackers:
            self._begin_epoch()
            self.train_losses = self._train_epoch()
            self._end_epoch()
        return self

    def _fit_full_batch(self):
        """Run L-BFGS; an iteration is an epoch."""
        stack = self.stack
        tracker, request = stack.trackers[0], stack.trackers[0].request

        def on_iteration(objective):
            self.train_losses = [objective]
            self._end_epoch()
            if stack.trackers:
                self._begin_epoch()
            return not stack.trackers

        self._begin_epoch()
        tracker.converged = minimise(
            stack.module,
            stack.loss,
            stack.penalties,
            stack.batches,
            stack.noise,
            request.max_iter,
            request.tol,
            on_iteration,
        )
        stack.retire([])

    def _begin_epoch(self):
        self._epoch_start = time.perf_counter()
        self.notify("on_epoch_begin", dataset_train=None, dataset_valid=None)

    def _end_epoch(self):
        """Validate, write the history and retire the models that are done."""
        self.valid_losses = self._valid_epoch()
        alone = len(self.train_losses) == 1
        keep = self.stack.note_epoch(self.train_losses, self.valid_losses)
        self.history.record("dur", time.perf_counter() - self._epoch_start)
        for key, losses in (
            ("train_loss", self.train_losses),
            ("valid_loss", self.valid_losses),
        ):
            if losses is not None:
                self.history.record(key, losses[0] if alone else losses)
        self.notify("on_epoch_end", dataset_train=None, dataset_valid=None)
        self.stack.retire(keep)
        self.module_, self.optimizer_ = self.stack.module, self.stack.optimizer

    def _train_epoch(self):
        """Run one epoch and return the mean objective of each model."""
        stack, watched = self.stack, bool(self.callbacks)
        total = stack.penalties.value(stack.module.weights)
        for batch in stack.batches.epoch():
            k = len(batch.rows)
            if watched:
                self.notify("on_batch_begin", batch=(batch.x, batch.target), training=True)
            loss = self._train_step(batch, watched)
            first(total, k).addcmul_(batch.portion, loss)
            if watched:
                self.notify(
                    "on_batch_end", batch=(batch.x, batch.target), training=True, loss=loss
                )
        return total.tolist()

    def _train_step(self, batch, watched):
        """Update the models that have a batch and return their losses."""
        stack = self.stack
        noise, module = stack.noise, stack.module
        noisy = noise.apply(noise.smooth(batch, stack.loss), stack.streams)
        masks = noise.masks(batch, stack.streams, stack.widths)
        score, tape = module.forward_training(noisy.x, noisy.weight, masks)
        loss, gradient = stack.loss.value_and_gradient(score, noisy.target, noisy.weight)
        module.backward(gradient, tape)
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
        return loss

    def _valid_epoch(self):
        """Return each model's mean validation loss, or None without validation rows."""
        stack = self.stack
        if stack.validation is None:
            return None
        total = 0.0
        for batch in stack.validation.epoch():
            loss, _ = stack.loss.value_and_gradient(
                stack.module(batch.x), batch.target, batch.weight
            )
            part = batch.portion * loss
            total = total + torch.nn.functional.pad(part, (0, stack.module.n_models - len(part)))
        return total.tolist()


def inference_net(module, loss, history):
    """Return an initialised net around a trained module.

    Parameters
    ----------
    module : StackedMLP
    loss : Loss
    history : list of dict
        One entry for each epoch.
    """
    net = StackedNet(module, loss).initialize()
    for row in history:
        net.history.append(row)
    return net
