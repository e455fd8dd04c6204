"""The mean loss of each model over an epoch."""

import torch

from skreg.networks.first_models import first_models


class LossMeter:
    """The mean loss of each model over the batches of an epoch.

    The losses are not needed before the epoch ends, so those of many batches are
    computed together. Computed for each batch, they would take a sixth of the time of a
    small step.

    Parameters
    ----------
    loss : Loss
    start : Tensor of shape (n_models,)
        Initial values, to which the losses are added in place.
    """

    n_pending = 64

    def __init__(self, loss, start):
        self.loss, self._total, self._pending = loss, start, []

    def add(self, score, batch):
        """Add a batch and its raw outputs."""
        pending = self._pending
        # Batches of the same shape share one `portion` tensor.
        alike = not pending or pending[-1][1].portion is batch.portion
        if not alike or len(pending) == self.n_pending:
            self._flush()
        # Drop the inputs, which would otherwise stay in memory.
        self._pending.append((score, batch.replace(x=None)))

    def _flush(self):
        scores, batches = zip(*self._pending)
        score = torch.cat(scores, 1)
        target = torch.cat([batch.target for batch in batches], 1)
        portion, weight = batches[0].portion, None
        if batches[0].weight is None:
            portion = portion * len(batches)  # the value is a mean over these batches
        else:
            weight = torch.cat([batch.weight for batch in batches], 1)
        value = self.loss.value(score, target, weight)
        first_models(self._total, len(batches[0].rows)).addcmul_(portion, value)
        self._pending = []

    def total(self):
        """Return the initial value plus the mean loss, for each model."""
        if self._pending:
            self._flush()
        return self._total
