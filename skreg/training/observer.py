"""What watches a training: nothing, or the user's skorch callbacks."""

from skreg.networks.shared_members import mean_of_members


class Observer:
    """Takes no note of a training; the base of those that do.

    Attributes
    ----------
    sees_batches : bool
        Whether batches, gradients and steps are to be shown one by one.
    history : list of dict
        A row for each epoch.
    """

    sees_batches = False
    history = ()

    def begin(self):
        """Training begins."""

    def begin_epoch(self):
        """An epoch begins."""

    def begin_batch(self, batch):
        """A batch begins."""

    def have_gradients(self, batch):
        """The gradients of a batch are there, and no step was taken yet."""

    def end_batch(self, batch, score):
        """A batch has ended with these raw outputs."""

    def end_epoch(self, seconds, losses, valid_losses):
        """An epoch has ended."""

    def follow(self, stack):
        """Models have left the stack."""

    def end(self):
        """Training has ended."""


class SkorchObserver(Observer):
    """Calls skorch callbacks, for a stack of one model.

    Parameters
    ----------
    stack : Stack
    callbacks : list
    """

    sees_batches = True

    def __init__(self, stack, callbacks):
        # skorch takes as long to import as a small network to train.
        from skreg.training.skorch_net import StackedNet

        self._stack = stack
        net = StackedNet(stack.module, stack.loss, stack.optimizer, callbacks)
        self._net = net.initialize()

    @property
    def history(self):
        """The history of the net, without what was recorded for each batch."""
        return [
            {key: value for key, value in row.items() if key != "batches"}
            for row in self._net.history
        ]

    def begin(self):
        self._net.notify("on_train_begin", X=None, y=None)

    def begin_epoch(self):
        self._net.notify("on_epoch_begin", dataset_train=None, dataset_valid=None)
        if self._stack.optimizer is None:
            # An iteration of the full-batch solver is an epoch of one batch.
            self._net.history.new_batch()

    def _of_batch(self, batch):
        return {"batch": (batch.x, batch.target), "training": True}

    def begin_batch(self, batch):
        self._net.notify("on_batch_begin", **self._of_batch(batch))

    def have_gradients(self, batch):
        parameters = list(self._stack.module.named_parameters())
        self._net.notify(
            "on_grad_computed", named_parameters=parameters, **self._of_batch(batch)
        )

    def end_batch(self, batch, score):
        # One prediction for each row, without adversarial rows.
        n_members = self._stack.module.architecture.n_members
        score = score[:, : n_members * batch.x.size(1)]
        mean = mean_of_members(score, n_members, self._stack.loss)
        self._net.notify("on_batch_end", y_pred=mean, **self._of_batch(batch))

    def end_epoch(self, seconds, losses, valid_losses):
        history = self._net.history
        row = history[-1]
        row["dur"], (row["train_loss"],) = seconds, losses
        if valid_losses is not None:
            (row["valid_loss"],) = valid_losses
        # skorch's Checkpoint asks which losses are the lowest yet.
        for key in ("train_loss", "valid_loss"):
            if key in row:
                row[f"{key}_best"] = row[key] <= min(history[:, key])
        self._net.notify("on_epoch_end", dataset_train=None, dataset_valid=None)

    def follow(self, stack):
        self._net.follow(stack.module, stack.optimizer)

    def end(self):
        self._net.notify("on_train_end", X=None, y=None)


def observer_of(stack):
    """Return what watches the training of a stack."""
    callbacks = stack.requests[0].callbacks
    return SkorchObserver(stack, callbacks) if callbacks else Observer()


def is_raised_by_skorch(interrupt):
    """Tell skorch's way to stop a training from a user's Ctrl-C.

    Its EarlyStopping raises KeyboardInterrupt, in its own file.
    """
    trace = interrupt.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_globals.get("__name__", "").startswith("skorch.callbacks")
