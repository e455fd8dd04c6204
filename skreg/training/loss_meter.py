"""The mean loss of each model over an epoch."""

import torch

from skreg.networks.products import first


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
