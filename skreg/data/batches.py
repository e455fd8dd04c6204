"""Batches of rows, gathered by index from dense, sparse or memory-mapped data.

The rows of all models of a stack are in one `Pool`, which stores equal arrays once. The
training or validation set of a model is an index into it. A batch gathers the rows of
all models at once, then centres and scales them with the statistics of each model.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch

from skreg.data.shared_arrays import SharedArrays
from skreg.parameters.devices import has_double

# Number of elements gathered at a time. They should fit the cache of a core.
GATHERED_ELEMENTS = 2**18


@dataclass
class Batch:
    """A batch of the first `k` models of a stack.

    Models with fewer rows are padded with rows of weight zero.

    Parameters
    ----------
    x : Tensor of shape (k, n_rows, n_features)
    target : Tensor of shape (k, n_rows, n_outputs)
    weight : Tensor of shape (k, n_rows, 1) or (k, n_rows, n_outputs) or None
        The weights of the rows, or of their labels, in the mean. None is
        ``1 / n_rows`` for each row.
    rows : list of int
        Number of rows of each model, without padding.
    portion : Tensor of shape (k,)
        The share of the rows of the model's epoch that are in this batch.
    following : int, default=0
        How many batches of the same shape are certain to follow.
    """

    x: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor | None
    rows: list
    portion: torch.Tensor
    following: int = 0

    @property
    def row_weight(self):
        """The weight of each row, of shape (k, n_rows, 1), or None."""
        weight = self.weight
        if weight is None or weight.size(2) == 1:
            return weight
        return weight.mean(2, keepdim=True)

    def replace(self, **changes):
        """Return a batch with some of its fields replaced."""
        return replace(self, **changes)


class Pool:
    """The data of a stack, in which equal arrays are stored once.

    Parameters
    ----------
    parts : list of Rows
        The training and validation sets of the models.
    dtype : torch.dtype
        Precision of targets and weights. Inputs keep that of the data.
    device : torch.device or str

    Attributes
    ----------
    x_device : torch.device or str
        Where inputs are gathered and scaled. It is the CPU if the device does not have
        their precision, so that large offsets are removed before rounding.
    indices : list of ndarray
        For each part, the positions of its rows in the pool.
    x : ndarray or CSR of shape (n, n_features)
    y : Tensor of shape (n, n_outputs)
    weight : Tensor of shape (n,) or (n, n_labels) or None
    """

    def __init__(self, parts, dtype, device):
        unique, offsets, n_rows = {}, [], 0
        if len(parts) > 1:
            shared = SharedArrays()
            parts = [shared.rows(part) for part in parts]
        for part in parts:
            key = id(part.X), id(part.y), id(part.weight)
            if key not in unique:
                unique[key] = (part, n_rows)
                n_rows += part.X.shape[0]
            offsets.append(unique[key][1])
        stored = [part for part, _ in unique.values()]
        self.dtype, self.device = dtype, device
        self.n_features = stored[0].X.shape[1]
        fits = stored[0].X.dtype == np.float32 or has_double(torch.device(device))
        self.x_device = device if fits else "cpu"
        self.x = _below_one_another([p.X for p in stored])
        self._take_x = _row_getter(self.x, self.x_device)
        self.y = self._stack([p.y for p in stored])
        self.weight = None
        if any(p.weight is not None for p in stored):
            self.weight = self._stack(_alike([_weight_of(part) for part in stored]))
        self.indices = [p.index + offset for p, offset in zip(parts, offsets)]

    def _stack(self, arrays):
        array = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
        return torch.tensor(array, dtype=self.dtype, device=self.device)

    def gather(self, index):
        """Return the inputs, targets and weights of rows.

        Parameters
        ----------
        index : LongTensor of shape (k, n_rows)
            Positions in the pool.

        Returns
        -------
        x : Tensor of shape (k, n_rows, n_features)
            On `x_device`.
        target : Tensor of shape (k, n_rows, n_outputs)
        weight : Tensor of shape (k, n_rows, 1) or (k, n_rows, n_labels) or None
        """
        flat, shape = index.reshape(-1), (*index.shape, -1)
        x = self._take_x(flat).view(shape)
        target = self.y.index_select(0, flat).view(shape)
        if self.weight is None:
            return x, target, None
        return x, target, self.weight.index_select(0, flat).view(shape)

    @property
    def weighted(self):
        """Whether there are sample weights."""
        return self.weight is not None

    def mean_weight(self, index):
        """Return the mean weight of the rows in `index`, one number or one per label.

        A label whose weights are all zero, which adds nothing to the loss, has 1.
        """
        if self.weight is None:
            return torch.ones(1, dtype=self.dtype, device=self.device)
        mean = self.weight[index].mean(0).reshape(-1)
        return torch.where(mean > 0, mean, 1.0)


def _weight_of(part):
    return np.ones(part.X.shape[0]) if part.weight is None else part.weight


def _alike(weights):
    """Return weights of labels for all arrays, if any of them has these."""
    n_labels = max(w.shape[1] if w.ndim == 2 else 0 for w in weights)
    if not n_labels:
        return weights
    return [
        w if w.ndim == 2 else np.repeat(w[:, None], n_labels, axis=1) for w in weights
    ]


def _below_one_another(arrays):
    """Return the rows of several arrays as one array, or a single array as it is."""
    if len(arrays) == 1:
        return arrays[0]
    if sp.issparse(arrays[0]):
        return sp.vstack(arrays, format="csr")
    return np.concatenate(arrays)


def _row_getter(array, device):
    """Return a function that gathers rows of an array by their positions.

    Parameters
    ----------
    array : ndarray or CSR of shape (n, n_features)
    device : torch.device or str

    Returns
    -------
    callable
        Maps a LongTensor of shape (n_rows,) to a dense tensor of shape
        (n_rows, n_features).
    """
    if sp.issparse(array):

        def take(index):
            dense = array[index.cpu().numpy()].toarray()
            return torch.from_numpy(dense).to(device)

    elif not array.flags.writeable:
        # Torch warns of read-only arrays such as memory maps, so numpy gathers.
        def take(index):
            rows = array.take(index.cpu().numpy(), axis=0)
            return torch.from_numpy(rows).to(device)

    else:
        tensor = torch.from_numpy(array).to(device)

        def take(index):
            return tensor.index_select(0, index.to(tensor.device))

    return take


class Batches:
    """The batches of a stack of models, each with a set of rows of its own.

    A batch holds the first models of the stack, up to the last one that still has rows.
    In training, models with more batches come first, so that all models of a batch have
    rows in it.

    Parameters
    ----------
    pool : Pool
    indices : list of ndarray
        For each model, the positions of its rows in the pool.
    scaling : StackedScaling
    batch_size : int
    streams : list of Streams, default=None
        The random numbers from which each model draws the order of its rows in each
        epoch. None keeps the rows in order.
    min_rows : {1, 2}, default=1
        With 2, a last batch of a single row joins the batch before it.
    augmentation : Augmentation, default=None
        Random changes of the rows, before they are scaled.

    Attributes
    ----------
    n_batches : list of int
        Number of batches of each model in an epoch.
    mean_weight : Tensor of shape (n_models, 1 or n_labels)
        The mean weight of each model's rows.
    """

    def __init__(
        self,
        pool,
        indices,
        scaling,
        batch_size,
        streams=None,
        min_rows=1,
        augmentation=None,
    ):
        self.pool, self.indices, self.scaling = pool, indices, scaling
        self.batch_size, self.streams, self.min_rows = batch_size, streams, min_rows
        self.augmentation = augmentation
        self.n_batches = [
            count_batches(len(index), batch_size, min_rows) for index in indices
        ]
        self.mean_weight = torch.stack([pool.mean_weight(index) for index in indices])
        lengths = torch.tensor([len(index) for index in indices], dtype=pool.dtype)
        self._one_row = (1 / lengths).to(pool.device)
        self._order = self._padded(indices)
        self._whole = None

    def select(self, models):
        """Return the batches of the models in the list `models`."""
        streams = self.streams and [self.streams[m] for m in models]
        return Batches(
            self.pool,
            [self.indices[m] for m in models],
            self.scaling.select(models),
            self.batch_size,
            streams,
            self.min_rows,
            self.augmentation and self.augmentation.select(models),
        )

    def _padded(self, indices):
        order = np.empty((len(indices), max(map(len, indices))), np.int64)
        for model, index in enumerate(indices):
            order[model, : len(index)] = index
            # The padding repeats a row of the same model. Under this model's scaling,
            # a row of another could overflow, and infinity times its weight is nan.
            order[model, len(index) :] = index[0]
        return torch.from_numpy(order).to(self.pool.device)

    def epoch(self):
        """Yield the batches of one epoch, in a new order if there are streams."""
        if max(self.n_batches) == 1:
            # The order within a single batch does not matter. It is gathered once,
            # unless augmentation changes it.
            if self._whole is None or self.augmentation:
                self._whole = self._last_batch(0)
            yield self._whole
            return
        if self.streams:
            # A model with one batch keeps its order, as above. Otherwise its masks
            # would depend on whether other models have several batches.
            shuffled = [
                index[stream.order(len(index))] if n > 1 else index
                for stream, index, n in zip(self.streams, self.indices, self.n_batches)
            ]
            self._order = self._padded(shuffled)
        full = min(self.n_batches) - 1
        yield from self._full_batches(full)
        for step in range(full, max(self.n_batches)):
            yield self._last_batch(step)

    def _full_batches(self, n_steps):
        """Yield the batches that are full for all models.

        Many are gathered at once and then split, because a gather costs as much as a
        layer of a small network.
        """
        if n_steps == 0:
            return
        size = self.batch_size
        rows, _, portion, share = self._shape(0)
        elements = len(rows) * size * self.pool.n_features
        at_a_time = size * max(1, GATHERED_ELEMENTS // elements)
        following = itertools.count(n_steps - 1, -1)
        for part in self._order[:, : n_steps * size].split(at_a_time, 1):
            n_rows = [part.size(1)] * len(rows)
            x, target, weight = self._gather(part, n_rows, size)
            shares = itertools.repeat(share)
            if weight is not None:
                shares = [w * share for w in weight.split(size, 1)]
            parts = zip(x.split(size, 1), target.split(size, 1), shares, following)
            for x_, target_, share_, following_ in parts:
                yield Batch(x_, target_, share_, rows, portion, following_)

    def _last_batch(self, step):
        """Return batch number `step` of the models that have one."""
        start = step * self.batch_size
        rows, width, portion, share = self._shape(step)
        part = self._order[: len(rows), start : start + width]
        x, target, weight = self._gather(part, rows, width)
        if weight is not None:
            share = weight * share
        return Batch(x, target, share, rows, portion)

    def _gather(self, positions, rows, size):
        x, target, weight = self.pool.gather(positions)
        if self.augmentation:
            x = self.augmentation.apply(x, rows, size)
        x = self.scaling.apply(x, self.pool.dtype).to(self.pool.device)
        return x, target, weight

    def _shape(self, step):
        """Return the rows of a step, their maximum, portions, and shares or None."""
        start, rows = step * self.batch_size, []
        for n, index in zip(self.n_batches, self.indices):
            stop = len(index) if step >= n - 1 else start + self.batch_size
            rows.append(stop - start if step < n else 0)
        while rows[-1] == 0:
            rows.pop()
        width, device = max(rows), self.pool.device
        portion = self._one_row[: len(rows)] * torch.tensor(rows, device=device)
        uneven = min(rows) < width
        share = self._share(rows, width) if uneven or self.pool.weighted else None
        return rows, width, portion, share

    def _share(self, rows, width):
        """Return the share of a row of weight 1 in the batch mean, 0 for padding.

        Weights are divided by their mean over the training set and not over the batch,
        so that the gradients of the batches of an epoch average to the full gradient.
        Each label has a mean of its own.

        Parameters
        ----------
        rows : list of int
            Number of rows of each model.
        width : int
            Number of rows with padding.

        Returns
        -------
        Tensor of shape (k, width, 1) or (k, width, n_labels)
        """
        device = self.pool.device
        counts = torch.tensor(rows, device=device).view(-1, 1, 1)
        mean = self.mean_weight[: len(rows)].unsqueeze(1)
        valid = torch.arange(width, device=device).view(1, -1, 1) < counts
        return valid / (counts.clamp(min=1) * mean)


def count_batches(n_rows, batch_size, min_rows=1):
    """Return the number of batches in an epoch.

    Parameters
    ----------
    n_rows, batch_size : int
    min_rows : {1, 2}, default=1
        A last batch with fewer rows joins the batch before it.

    Examples
    --------
    >>> from skreg.data.batches import count_batches
    >>> count_batches(33, 16), count_batches(33, 16, min_rows=2)
    (3, 2)
    """
    full, rest = divmod(n_rows, batch_size)
    return max(1, full + (rest >= min_rows))
