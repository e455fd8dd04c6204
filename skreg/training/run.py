"""The training of one stack: a skorch net around it, which can pause."""

import math
import time

import torch

from skreg.training.loop import StackedNet
from skreg.training.threads import threads_for


class Run:
    """The training of a stack by a skorch net, which can pause between epochs.

    Parameters
    ----------
    stack : Stack
    watch : callable, default=None
        Called after every epoch with the number of models that had it.

    Attributes
    ----------
    interrupted : bool
        Whether a keyboard interrupt has ended the training.
    """

    def __init__(self, stack, watch=None):
        stack.watch = watch
        self.stack, self.interrupted, self._seconds = stack, False, 0.0
        self._callbacks = stack.trackers[0].request.callbacks
        net = StackedNet(stack.module, stack.loss, stack, callbacks=self._callbacks)
        self._net = net.initialize()
        self._net.notify("on_train_begin", X=None, y=None)

    @torch.no_grad()
    def advance(self, until=math.inf):
        """Train until every model has stopped or done so many epochs.

        The full-batch solver does not pause.
        """
        start = time.perf_counter()
        stack = self.stack
        try:
            with threads_for(stack.largest_product(), len(stack.trackers)):
                self._net.fit_loop(epochs=until)
        except KeyboardInterrupt as interrupt:
            self.interrupted = not _raised_by_skorch(interrupt)
            for tracker in stack.trackers:
                tracker.halted = True
        self._seconds += time.perf_counter() - start

    @torch.no_grad()
    def retire(self, keep):
        """End the training of all models but those at the positions `keep`."""
        self.stack.retire(keep)
        self._net.follow()

    @torch.no_grad()
    def finish(self):
        """End the training and return the results in the order of the stack."""
        start = time.perf_counter()
        stack, net = self.stack, self._net
        stack.retire([])
        net.notify("on_train_end", X=None, y=None)
        for result in stack.results:
            result.interrupted = self.interrupted
            if self._callbacks:
                result.history = [_epoch_row(row) for row in net.history]
        _share_out(self._seconds + time.perf_counter() - start, stack.results)
        return stack.results


def run(stack, watch=None):
    """Train a stack to the end and return the results in its order."""
    training = Run(stack, watch)
    training.advance()
    return training.finish()


def _share_out(seconds, results):
    """Charge the time of a stack to its models in proportion to their steps."""
    steps = [r.tracker.n_iter * r.tracker.request.n_batches for r in results]
    # After an interrupt in the first epoch nobody has made a step.
    total = sum(steps) or len(results)
    for result, n_steps in zip(results, steps):
        result.seconds = seconds * (n_steps if any(steps) else 1) / total


def _raised_by_skorch(interrupt):
    """Tell skorch's way to stop a training from a user's Ctrl-C.

    Its EarlyStopping raises KeyboardInterrupt, in its own file.
    """
    trace = interrupt.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_globals.get("__name__", "").startswith("skorch.callbacks")


def _epoch_row(row):
    """Return a row of a skorch history without what was recorded for each batch."""
    return {key: value for key, value in row.items() if key != "batches"}
