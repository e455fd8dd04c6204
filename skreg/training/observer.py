"""Observers of training, which call the user's skorch callbacks."""

import re

from skreg.networks.shared_members import mean_of_members


class Observer:
    """Base class of observers, which does nothing.

    Attributes
    ----------
    sees_batches : bool
        Whether the observer watches each gradient and step of the optimiser.
    history : list of dict
        One row for each epoch.
    """

    sees_batches = False
    history = ()

    def begin(self):
        """Called when training begins."""

    def begin_epoch(self):
        """Called when an epoch begins."""

    def begin_batch(self, batch):
        """Called when a batch begins."""

    def have_gradients(self, batch):
        """Called when the gradients of a batch are computed, before the step."""

    def end_batch(self, batch, score):
        """Called after a batch with its raw outputs."""

    def end_epoch(self, seconds, losses, valid_losses):
        """Called after an epoch with its duration and losses."""

    def follow(self, stack):
        """Called after an epoch with the stack of the remaining models."""

    def end(self):
        """Called when training has ended."""


class SkorchObserver(Observer):
    """Calls skorch callbacks during the training of a stack of one model.

    Parameters
    ----------
    stack : Stack
    callbacks : list
        skorch callbacks.
    """

    sees_batches = True

    def __init__(self, stack, callbacks):
        # Importing skorch takes as long as training a small network.
        from skreg.training.skorch_net import StackedNet

        self._stack = stack
        net = StackedNet(stack.module, stack.loss, stack.optimizer, callbacks)
        self._net = net.initialize()

    @property
    def history(self):
        """The history of the net without the records of single batches."""
        return [
            {key: value for key, value in row.items() if key != "batches"}
            for row in self._net.history
        ]

    def _notify(self, method, **data):
        try:
            self._net.notify(method, **data)
        except Exception as error:
            key = re.search("'([^']+)' was not found in history", str(error))
            if key is None:
                raise
            raise ValueError(self._missing(key.group(1))) from error

    def _missing(self, key):
        """Return what to do if a callback asks for a number that is not recorded."""
        row = self._net.history[-1] if len(self._net.history) else {}
        known = [name for name in row if name != "batches"]
        if not key.startswith("valid_loss"):
            advice = (
                "Only losses are recorded. For another score of validation rows, use "
                "monitor= with early_stopping=True."
            )
        else:
            advice = (
                f"There are no validation rows. Watch {key.replace('valid', 'train')!r}"
                ", or let fit have some: give it X_val and y_val, or set "
                "early_stopping=True."
            )
        return f"A callback needs {key!r}, but the history holds {known}. {advice}"

    def begin(self):
        self._notify("on_train_begin", X=None, y=None)

    def begin_epoch(self):
        self._notify("on_epoch_begin", dataset_train=None, dataset_valid=None)
        if self._stack.optimizer is None:
            # An iteration of the full-batch solver counts as an epoch of one batch.
            self._net.history.new_batch()

    def _of_batch(self, batch):
        return {"batch": (batch.x, batch.target), "training": True}

    def begin_batch(self, batch):
        self._notify("on_batch_begin", **self._of_batch(batch))

    def have_gradients(self, batch):
        parameters = list(self._stack.module.named_parameters())
        self._notify(
            "on_grad_computed", named_parameters=parameters, **self._of_batch(batch)
        )

    def end_batch(self, batch, score):
        # Callbacks get one prediction for each row of the batch. Adversarial rows come
        # after these.
        n_members = self._stack.module.architecture.n_members
        score = score[:, : n_members * batch.x.size(1)]
        mean = mean_of_members(score, n_members, self._stack.loss)
        self._notify("on_batch_end", y_pred=mean, **self._of_batch(batch))

    def end_epoch(self, seconds, losses, valid_losses):
        history = self._net.history
        row = history[-1]
        row["dur"], (row["train_loss"],) = seconds, losses
        if valid_losses is not None:
            (row["valid_loss"],) = valid_losses
        # skorch's Checkpoint needs to know whether each loss is the lowest so far.
        for key in ("train_loss", "valid_loss"):
            if key in row:
                row[f"{key}_best"] = row[key] <= min(history[:, key])
        self._notify("on_epoch_end", dataset_train=None, dataset_valid=None)

    def follow(self, stack):
        self._net.follow(stack.module, stack.optimizer)

    def end(self):
        self._notify("on_train_end", X=None, y=None)


def observer_of(stack, callbacks):
    """Return the observer for the training of a stack.

    Parameters
    ----------
    stack : Stack
    callbacks : list
        skorch callbacks, which may be none.
    """
    return SkorchObserver(stack, callbacks) if callbacks else Observer()


def is_raised_by_skorch(interrupt):
    """Return whether a keyboard interrupt comes from skorch and not from the user.

    skorch's EarlyStopping stops training by raising KeyboardInterrupt, from its own
    module.
    """
    trace = interrupt.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_globals.get("__name__", "").startswith("skorch.callbacks")
