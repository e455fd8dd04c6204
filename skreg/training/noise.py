"""Stochastic regularisers of training batches: dropout, noise and mixing of rows.

The random numbers of a row depend on the seed of the model, the purpose, the epoch and
the place of the row in the epoch (see `skreg.data.random_streams`). So they do not
depend on the other models of the stack, on the other regularisers, or on the size of
the batches.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch

from skreg.data.random_streams import (
    CUTMIX,
    CUTOUT,
    DROPOUT,
    INPUT_DROPOUT,
    INPUT_NOISE,
    MIXUP,
    PATH,
)
from skreg.networks.columns import places_of
from skreg.parameters.regularisers import regularisers

# Number of units for which random bits are drawn in one call. The bits should fit into
# the cache.
DRAWN_AHEAD = 2**21


@dataclass
class Noise:
    """The strengths of the stochastic regularisers of a stack, where 0 is off.

    Parameters
    ----------
    dropout : Tensor of shape (n_models, n_hidden)
        Share of the hidden units that are dropped.
    input_dropout : Tensor of shape (n_models,)
        Share of the (standardised) inputs set to zero.
    input_noise : Tensor of shape (n_models,)
        Standard deviation of Gaussian noise added to the (standardised) inputs.
    label_smoothing : Tensor of shape (n_models,)
        Share of each target that is spread evenly over the classes.
    mixup : Tensor of shape (n_models,)
        Parameter alpha of the Beta distribution of the mixing weight.
    stochastic_depth : Tensor of shape (n_models,)
        Share of the rows for which a block with a skip connection is dropped.
    cutmix : Tensor of shape (n_models,)
        Parameter alpha of the Beta distribution of the share of columns kept.
    cutout : Tensor of shape (n_models,)
        Share of the columns of each row that are set to zero.
    adversarial : Tensor of shape (n_models,)
        Size of the adversarial perturbation of each input. See
        `skreg.training.adversarial`.
    """

    dropout: torch.Tensor
    input_dropout: torch.Tensor
    input_noise: torch.Tensor
    label_smoothing: torch.Tensor
    mixup: torch.Tensor
    stochastic_depth: torch.Tensor
    cutmix: torch.Tensor
    cutout: torch.Tensor
    adversarial: torch.Tensor

    def __post_init__(self):
        # Read once and together: a device would have to be waited for in every batch,
        # and each reading takes as long as a layer of a small network.
        names = [f.name for f in fields(self) if f.name != "dropout"]
        rows = torch.stack([getattr(self, name) for name in names]).tolist()
        self._numbers = dict(zip(names, rows))
        self.active = {name: any(row) for name, row in self._numbers.items()}
        self.active["dropout"] = bool(self.dropout.any())
        self._masks = {}

    def select(self, models):
        """Return the noise of the models in the index `models`."""
        return Noise(*(getattr(self, f.name)[models] for f in fields(self)))

    def masks(self, batch, streams, widths):
        """Return the dropout mask of each hidden layer.

        Parameters
        ----------
        batch : Batch
            If `batch.following` is positive, the next call must be for the next batch.
        streams : list of Streams
        widths : sequence of int
            Number of units in each hidden layer.

        Returns
        -------
        sequence of Tensor
            Empty if no model uses dropout.
        """
        if not self.active["dropout"]:
            return ()
        return [
            self._mask(DROPOUT + layer, self.dropout[:, layer], streams, batch, width)
            for layer, width in enumerate(widths)
        ]

    def paths(self, batch, streams, n_paths):
        """Return the row masks of stochastic depth (Huang et al. 2016).

        There is one mask for each block with a skip connection, and none if no model
        uses stochastic depth. `batch` and `streams` are as in `masks`.
        """
        if not self.active["stochastic_depth"]:
            return ()
        rates = self.stochastic_depth
        return [
            self._mask(PATH + path, rates, streams, batch, 1) for path in range(n_paths)
        ]

    def _mask(self, purpose, rates, streams, batch, width):
        if purpose not in self._masks:
            self._masks[purpose] = _Masks(purpose, rates)
        return self._masks[purpose].next(streams, batch, width)

    def random_models(self):
        """Return for each model whether it uses a random regulariser.

        Label smoothing is not random.
        """
        names = regularisers(effects={"rows"})
        rates = [getattr(self, f.name) for f in fields(self) if f.name in names]
        rates = [rate.view(len(self.mixup), -1) for rate in rates]
        return (torch.cat(rates, 1) > 0).any(1).tolist()

    def smooth(self, batch, loss):
        """Apply label smoothing. The loss must have a `uniform_target`."""
        if not self.active["label_smoothing"]:
            return batch
        smoothing = self.label_smoothing[: len(batch.rows)].view(-1, 1, 1)
        uniform = loss.uniform_target(batch.target.shape[2])
        return batch.replace(target=batch.target + smoothing * (uniform - batch.target))

    def apply(self, batch, streams, columns=None):
        """Apply the regularisers of the inputs: mixing, noise, dropout and cutout.

        Parameters
        ----------
        batch : Batch
            It is not modified.
        streams : list of Streams
        columns : Columns or None, default=None
            The columns of the data, which are dropped and exchanged as a whole. None is
            a column for each input.

        Returns
        -------
        Batch
        """
        numbers, width = self._numbers, batch.x.shape[2]
        if columns is not None:
            width, columns = len(columns.n_codes), places_of(columns).columns
        if self.active["mixup"]:
            batch = _mix(batch, [s[MIXUP] for s in streams], numbers["mixup"])
        if self.active["cutmix"]:
            generators = [s[CUTMIX] for s in streams]
            rates = numbers["cutmix"]
            batch = _cut_and_mix(batch, generators, rates, width, columns)
        if self.active["input_noise"]:
            noise = _normal(streams, numbers["input_noise"], batch)
            batch = batch.replace(x=batch.x + noise)
        if self.active["input_dropout"]:
            rates = self.input_dropout
            mask = self._mask(INPUT_DROPOUT, rates, streams, batch, width)
            batch = batch.replace(x=batch.x * _of_inputs(mask, columns))
        if self.active["cutout"]:
            # Cutout comes last, so that noise does not change its zeros.
            generators = [s[CUTOUT] for s in streams]
            mask = _cut_mask(batch, generators, numbers["cutout"], width)
            batch = batch.replace(x=batch.x * _of_inputs(mask, columns))
        return batch


def _of_inputs(mask, columns):
    """Return a mask of inputs, given that of columns and the column of each input."""
    if columns is None:
        return mask
    return mask.index_select(2, torch.from_numpy(columns).to(mask.device))


def cuts(rates):
    """Return how many of 65536 units are dropped, at most all but one."""
    return (rates * 65536).round().clamp_(max=65535)


class _Masks:
    """The dropout masks of one layer, or of the inputs, for consecutive batches.

    Elements are 0 with probability `rates` and else ``1 / (1 - rates)``. Each element
    uses 16 random bits, so rates are rounded to multiples of 2^-16. The scale uses the
    rounded rate. Element number j of a row uses part ``j % 4``, the lowest first, of
    word ``j // 4`` of the row, and each row has words of its own.

    The bits of several batches of the same shape are drawn in one call, because for a
    small network the call costs more than its bits.

    Parameters
    ----------
    purpose : int
        The purpose of the random stream to draw from.
    rates : Tensor of shape (n_models,)
        Dropout rates.
    """

    def __init__(self, purpose, rates):
        self.purpose = purpose
        cut = cuts(rates)
        self._cuts = cut.tolist()
        self._bounds = (cut - 32768).view(-1, 1, 1)
        self._scales = (65536 / (65536 - cut)).view(-1, 1, 1)
        self._ahead = iter(())
        # Reused in every step, because allocation costs more than the arithmetic.
        self._draws, self._mask = np.zeros(0, np.int16), torch.empty(0)

    def next(self, streams, batch, width):
        """Return the mask of a batch, of shape (k, n_rows, width).

        The next call overwrites it.
        """
        bits = next(self._ahead, None)
        if bits is None:
            self._ahead = self._draw(streams, batch, width)
            bits = next(self._ahead)
        k, x = len(batch.rows), batch.x
        shape = (k, x.size(1), width)
        if self._mask.shape != shape:
            self._mask = x.new_empty(shape)
        # In-place operations on floats, because torch is slow with booleans.
        mask = self._mask.copy_(bits)
        return mask.ge_(self._bounds[:k]).mul_(self._scales[:k])

    def _draw(self, streams, batch, width):
        """Return an iterator over the bits of `batch` and of some following batches."""
        k, n_rows = len(batch.rows), batch.x.size(1)
        n_words = -(-width // 4)
        most = DRAWN_AHEAD // (k * n_rows * 4 * n_words)
        n_batches = max(1, min(batch.following + 1, most))
        shape, draws = (k, n_batches, n_rows, 4 * n_words), self._draws
        if draws.shape != shape:
            # Models without dropout keep zeros. The values of padded rows are ignored.
            draws = self._draws = np.zeros(shape, np.int16)
        for model, cut in enumerate(self._cuts[:k]):
            if cut:
                n = batch.rows[model]
                words = streams[model].words(self.purpose, n_batches * n * n_words)
                draws[model, :, :n] = words.view(np.int16).reshape(n_batches, n, -1)
        return iter(torch.from_numpy(draws)[..., :width].unbind(1))


def _normal(streams, scales, batch):
    """Draw Gaussian noise with the shape of the inputs.

    `scales` are the standard deviations of the models.
    """
    k, _, width = batch.x.shape
    noise = torch.zeros(batch.x.shape, dtype=batch.x.dtype)
    for model, scale in enumerate(scales[:k]):
        if scale:
            draws = streams[model].normal(INPUT_NOISE, (batch.rows[model], width))
            noise[model, : batch.rows[model]] = torch.from_numpy(draws).mul_(scale)
    return noise.to(batch.x.device)


def _mix(batch, generators, alphas):
    """Mix each row with a random partner of its batch (mixup, Zhang et al. 2018).

    Inputs, targets and weights become ``lam * own + (1 - lam) * partner``, with one
    ``lam ~ Beta(alpha, alpha)`` for each model and batch.
    """
    k, n_rows, _ = batch.x.shape
    partner = torch.arange(n_rows).repeat(k, 1)
    lam = torch.ones(k, 1, 1, dtype=batch.x.dtype)
    for model, alpha in enumerate(alphas[:k]):
        if alpha:
            lam[model] = generators[model].beta(alpha, alpha)
            order = generators[model].permutation(batch.rows[model])
            partner[model, : len(order)] = torch.from_numpy(order)
    return _mixed(batch, partner, lam, lam)


def _cut_and_mix(batch, generators, alphas, n_columns, columns):
    """Replace some columns of each row by those of a partner (CutMix, Yun et al. 2019).

    With ``lam ~ Beta(alpha, alpha)``, ``round((1 - lam) * n_features)`` columns are
    replaced, the same ones in all rows. Targets and weights are mixed in proportion to
    the columns kept.
    """
    k, n_rows, _ = batch.x.shape
    partner = torch.arange(n_rows).repeat(k, 1)
    own = torch.ones(k, 1, n_columns, dtype=batch.x.dtype)
    for model, alpha in enumerate(alphas[:k]):
        if alpha:
            generator = generators[model]
            n_cut = round((1 - generator.beta(alpha, alpha)) * n_columns)
            order = generator.permutation(batch.rows[model])
            partner[model, : len(order)] = torch.from_numpy(order)
            own[model, 0, generator.permutation(n_columns)[:n_cut]] = 0
    kept = own.mean(2, keepdim=True)
    return _mixed(batch, partner, _of_inputs(own, columns), kept)


def _mixed(batch, partner, lam_x, lam):
    """Return the batch ``lam * own + (1 - lam) * partner``.

    Parameters
    ----------
    batch : Batch
    partner : LongTensor of shape (k, n_rows)
        The row to mix each row with.
    lam_x : Tensor of shape (k, 1, 1) or (k, 1, n_features)
        Mixing weight of the inputs.
    lam : Tensor of shape (k, 1, 1)
        Mixing weight of the targets and sample weights.
    """
    device = batch.x.device
    partner, lam_x, lam = partner.to(device), lam_x.to(device), lam.to(device)
    model = torch.arange(len(partner), device=device)[:, None]

    def mixed(tensor, lam):
        if tensor is None:
            return None
        return torch.lerp(tensor[model, partner], tensor, lam)

    return batch.replace(
        x=mixed(batch.x, lam_x),
        target=mixed(batch.target, lam),
        weight=mixed(batch.weight, lam),
    )


def _cut_mask(batch, generators, shares, n_columns):
    """Return the masks of cutout (DeVries and Taylor 2017), with one for each column.

    As in Kadra et al. (2021), columns are cut out: ``round(share * n_features)`` random
    elements of each row are 0, the others 1.
    """
    k, n_rows, _ = batch.x.shape
    mask = torch.ones(k, n_rows, n_columns, dtype=batch.x.dtype)
    for model, share in enumerate(shares[:k]):
        # The inner round removes the error of a share in single precision.
        n_cut = round(round(share * n_columns, 4))
        if n_cut:
            shape = batch.rows[model], n_columns
            keys = torch.from_numpy(generators[model].random(shape, np.float32))
            cut = keys.topk(n_cut, dim=1, sorted=False).indices
            mask[model, : batch.rows[model]].scatter_(1, cut, 0)
    return mask.to(batch.x.device)
