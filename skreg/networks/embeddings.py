"""Embeddings of numeric inputs: every input becomes several numbers.

Gorishniy, Rubachev and Babenko (2022), "On Embeddings for Numerical Features in
Tabular Deep Learning". An embedding is the first layer of a network.
"""

import math

import numpy as np
import torch

from skreg.networks.architecture import N_FREQUENCIES
from skreg.networks.contract import Layer
from skreg.networks.first_models import first_models


class PiecewiseLinear(Layer):
    """The piecewise linear encoding of each input over its own bins.

    Value t of an input is ``(x - b[t-1]) / (b[t] - b[t-1])``, clipped to the range
    from 0 to 1. The first bin is not clipped below, and the last bin is not clipped
    above. The layer has no trained parameters.

    Parameters
    ----------
    edges : Tensor of shape (n_models, n_inputs, n_bins + 1)
        The numbers `b`, in ascending order. An input with fewer bins repeats its last
        edge, and the empty bins between equal edges give 0.
    columns : ndarray of bool of shape (n_inputs, n_bins)
        Whether each bin is passed on to the next layer.
    """

    def __init__(self, edges, columns):
        self._inputs, self._parts = encoding(edges, columns)
        self._n_inputs = edges.size(1)
        # The number of bins if it is the same for all inputs, else 0.
        self._n_bins = columns.shape[1] if columns.all() else 0

    def predict(self, x):
        low, width, lower, upper = (
            first_models(part, x.size(0)) for part in self._parts
        )
        encoded = self._repeated(x).sub(low).div_(width)
        return torch.clamp(encoded, lower, upper, out=encoded)

    def _repeated(self, x):
        """Return a tensor with each input repeated once for each of its bins."""
        if self._n_bins:
            return x.unsqueeze(3).expand(-1, -1, -1, self._n_bins).flatten(2)
        # Gathering whole columns is faster than gathering elements row by row.
        return x.mT.contiguous().index_select(1, self._inputs).mT

    def forward(self, x, row_weight, drawn):
        encoded = self.predict(x)
        return encoded, encoded

    def backward(self, gradient, encoded, needs_input):
        if not needs_input:
            return None
        k, n_rows, _ = gradient.shape
        _, width, lower, upper = (first_models(part, k) for part in self._parts)
        slope = ((encoded > lower) & (encoded < upper)) / width
        of_inputs = gradient.new_zeros(k, n_rows, self._n_inputs)
        return of_inputs.index_add_(2, self._inputs, gradient * slope)


def encoding(edges, columns):
    """Return the numbers of a piecewise linear encoding.

    Parameters
    ----------
    edges, columns
        As in `PiecewiseLinear`.

    Returns
    -------
    inputs : LongTensor of shape (n_values,)
        The input of each value.
    parts : list of Tensor of shape (n_models, 1, n_values)
        What is subtracted from it, what it is divided by, and the bounds of the result.
        The second axis broadcasts over the rows of a batch.
    """
    low, high = edges[..., :-1], edges[..., 1:]
    is_bin = high > low
    is_last = is_bin.clone()
    is_last[..., :-1] &= ~is_bin[..., 1:]
    is_first = is_bin.clone()
    is_first[..., 1:] = False
    one, zero = torch.ones_like(low), torch.zeros_like(low)
    width = torch.where(is_bin, high - low, one)
    lower = zero.masked_fill(is_first, -math.inf)
    upper = torch.where(is_bin, one, zero).masked_fill_(is_last, math.inf)
    columns = torch.from_numpy(columns).to(edges.device)
    places = columns.flatten().nonzero()[:, 0]
    parts = [part.flatten(1) for part in (low, width, lower, upper)]
    if len(places) < columns.numel():
        parts = [part.index_select(1, places) for part in parts]
    return places // columns.size(1), [part.unsqueeze(1) for part in parts]


class Periodic(Layer):
    """``[x, A.T @ cos(2 pi w x + b) + c]`` for each input, with trained parameters.

    This is the PBLD embedding of RealMLP (Holzmüller, Grinsztajn and Steinwart 2024,
    "Better by Default: Strong Pre-Tuned MLPs and Boosted Trees on Tabular Data").

    Parameters
    ----------
    frequency, phase : Parameter of shape (n_models, n_inputs, n_frequencies)
        The vectors w and b of each input.
    mixing : Parameter of shape (n_models, n_inputs * n_frequencies, n_out)
        The matrices A of the inputs, one below the other.
    shift : Parameter of shape (n_models, n_inputs, n_out)
        The vector c of each input.
    """

    is_trained = True

    def __init__(self, frequency, phase, mixing, shift):
        self.frequency, self.phase = frequency, phase
        self.mixing, self.shift = mixing, shift

    def _of_inputs(self, tensor, k):
        """Return the first models' part of a parameter, one matrix for each input.

        Models and inputs share the first axis: the shape is (k * n_inputs, ...).
        """
        n_inputs = self.shift.size(1)
        return first_models(tensor, k).reshape(k * n_inputs, -1, tensor.size(2))

    def predict(self, x):
        return self.forward(x, None, ())[0]

    def forward(self, x, row_weight, drawn):
        k, n_rows, n_inputs = x.shape
        column = x.mT.reshape(k * n_inputs, n_rows, 1)
        frequency = self._of_inputs(self.frequency, k)
        phase = self._of_inputs(self.phase, k)
        angle = torch.addcmul(phase, column, frequency, value=2 * math.pi)
        mixing, shift = self._of_inputs(self.mixing, k), self._of_inputs(self.shift, k)
        cosine = angle.cos()
        mixed = torch.baddbmm(shift, cosine, mixing)
        embedded = x.new_empty(k, n_rows, n_inputs, 1 + shift.size(2))
        embedded[..., 0] = x
        embedded[..., 1:] = mixed.view(k, n_inputs, n_rows, -1).transpose(1, 2)
        return embedded.view(k, n_rows, -1), (column, angle, cosine)

    def backward(self, gradient, saved, needs_input):
        column, angle, cosine = saved
        k, n_rows, _ = gradient.shape
        n_inputs, n_out = self.shift.shape[1:]
        of_mixed = gradient.view(k, n_rows, n_inputs, 1 + n_out)[..., 1:]
        of_mixed = of_mixed.transpose(1, 2).reshape(k * n_inputs, n_rows, n_out)
        mixing = self._of_inputs(self.mixing, k)
        of_angle = torch.bmm(of_mixed, mixing.mT).mul_(angle.sin_()).neg_()
        self._write(self.mixing, k, torch.bmm(cosine.mT, of_mixed))
        self._write(self.shift, k, of_mixed.sum(1))
        self._write(self.phase, k, of_angle.sum(1))
        of_frequency = torch.bmm(column.mT, of_angle).mul_(2 * math.pi)
        self._write(self.frequency, k, of_frequency)
        if not needs_input:
            return None
        frequency = self._of_inputs(self.frequency, k)
        of_column = (of_angle * frequency).sum(2).mul_(2 * math.pi)
        direct = gradient.view(k, n_rows, n_inputs, 1 + n_out)[..., 0]
        return direct + of_column.view(k, n_inputs, n_rows).mT

    def _write(self, parameter, k, gradient):
        found = first_models(parameter.grad, k)
        found.copy_(gradient.view(found.shape))


def initial_embedding(architecture, rng, dtype, start):
    """Return the initial tensors of an embedding, in the order of `state_shapes`.

    The edges of a piecewise linear embedding are those of `start`. For a periodic
    embedding the frequencies are normal with a standard deviation of
    `start.embedding_scale`, the phases uniform in ±pi, and A and c uniform in
    ``±1 / sqrt(n_frequencies)``.
    """
    if architecture.embedding is None:
        return []
    if architecture.embedding == "piecewise_linear":
        return [start.edges.astype(dtype)]
    n_inputs, n_out = architecture.n_inputs, architecture.embedding_size - 1
    shape, bound = (n_inputs, N_FREQUENCIES), N_FREQUENCIES**-0.5
    arrays = [
        rng.normal(0, start.embedding_scale, shape),
        rng.uniform(-np.pi, np.pi, shape),
        rng.uniform(-bound, bound, (n_inputs * N_FREQUENCIES, n_out)),
        rng.uniform(-bound, bound, (n_inputs, n_out)),
    ]
    return [array.astype(dtype) for array in arrays]
