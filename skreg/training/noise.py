"""What changes a training batch at random: masks, noise and mixed rows.

Every model draws from streams of its own, one per purpose, which depend on its seed
and on nothing else. So a model sees the same randomness whichever models train
beside it, and whichever other regularisers it uses.
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
from skreg.parameters.regularisers import regularisers

# Units that random bits are drawn for at a time; the bits should stay in the cache.
DRAWN_AHEAD = 2**21


@dataclass
class Noise:
    """Strengths of the stochastic regularisers of a stack; 0 is off.

    Parameters
    ----------
    dropout : Tensor of shape (n_models, n_hidden)
        Share of the hidden units dropped.
    input_dropout : Tensor of shape (n_models,)
        Share of the (standardised) inputs set to zero.
    input_noise : Tensor of shape (n_models,)
        Standard deviation of Gaussian noise added to the (standardised) inputs.
    label_smoothing : Tensor of shape (n_models,)
        Share of each target spread evenly over the classes.
    mixup : Tensor of shape (n_models,)
        Parameter alpha of the Beta distribution of the mixing weight.
    stochastic_depth : Tensor of shape (n_models,)
        Share of the rows for which a part that a connection skips is dropped.
    cutmix : Tensor of shape (n_models,)
        That of the Beta distribution of the share of the columns kept.
    cutout : Tensor of shape (n_models,)
        Share of the columns of each row set to zero.
    adversarial : Tensor of shape (n_models,)
        Length of the adversarial step in each input: see `adversarial`.
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
        self.active = {
            f.name: bool((getattr(self, f.name) > 0).any()) for f in fields(self)
        }
        self._masks = {}

    def select(self, models):
        """Return the noise of the models in the index `models`."""
        return Noise(*(getattr(self, f.name)[models] for f in fields(self)))

    def masks(self, batch, streams, widths):
        """Return a dropout mask for each hidden layer, or nothing to drop nothing.

        Parameters
        ----------
        batch : Batch
            Its successor is the next batch here, if it says that there is one.
        streams : list of Streams
        widths : sequence of int
            Number of units in each hidden layer.
        """
        if not self.active["dropout"]:
            return ()
        return [
            self._mask(DROPOUT + layer, self.dropout[:, layer], streams, batch, width)
            for layer, width in enumerate(widths)
        ]

    def paths(self, batch, streams, n_paths):
        """Return a mask of rows for each part that a connection skips, or nothing.

        Stochastic depth (Huang et al. 2016). Parameters are those of `masks`.
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
        """Return for each model whether any regulariser changes its rows or units.

        Label smoothing does not.
        """
        names = regularisers(effects={"rows"})
        rates = [getattr(self, f.name) for f in fields(self) if f.name in names]
        rates = [rate.view(len(self.mixup), -1) for rate in rates]
        return (torch.cat(rates, 1) > 0).any(1).tolist()

    def smooth(self, batch, loss):
        """Return the batch with soft labels, for a loss that has `uniform_target`."""
        if not self.active["label_smoothing"]:
            return batch
        smoothing = self.label_smoothing[: len(batch.rows)].view(-1, 1, 1)
        uniform = loss.uniform_target(batch.target.shape[2])
        return batch.replace(target=batch.target + smoothing * (uniform - batch.target))

    def apply(self, batch, streams):
        """Return the batch with mixed rows, noisy and dropped inputs.

        Parameters
        ----------
        batch : Batch
            Left as it is.
        streams : list of Streams

        Returns
        -------
        Batch
        """
        if self.active["mixup"]:
            batch = _mix(batch, [s[MIXUP] for s in streams], self.mixup)
        if self.active["cutmix"]:
            batch = _cut_and_mix(batch, [s[CUTMIX] for s in streams], self.cutmix)
        if self.active["input_noise"]:
            generators = [s[INPUT_NOISE] for s in streams]
            batch = batch.replace(
                x=batch.x + _normal(generators, self.input_noise, batch)
            )
        if self.active["input_dropout"]:
            width, rates = batch.x.shape[2], self.input_dropout
            mask = self._mask(INPUT_DROPOUT, rates, streams, batch, width)
            batch = batch.replace(x=batch.x * mask)
        if self.active["cutout"]:
            # The last, for what it sets to zero is to be zero.
            mask = _cut_mask(batch, [s[CUTOUT] for s in streams], self.cutout)
            batch = batch.replace(x=batch.x * mask)
        return batch


class _Masks:
    """The dropout masks of one layer or of the inputs, batch after batch.

    They are 0 with probability `rates` and else ``1 / (1 - rates)``. Sixteen random
    bits decide each unit, so a rate is used as the nearest multiple of 2^-16; the
    survivors are scaled by that same number.

    Every batch begins with a new word, so the bits of several batches of one shape
    are drawn in one call: for a small network a call costs more than its bits.

    Parameters
    ----------
    purpose : int
        The stream that is drawn from.
    rates : Tensor of shape (n_models,)
    """

    def __init__(self, purpose, rates):
        self.purpose = purpose
        cuts = (rates * 65536).round().clamp_(max=65535)
        self._cuts = cuts.tolist()
        self._bounds = (cuts - 32768).view(-1, 1, 1)
        self._scales = (65536 / (65536 - cuts)).view(-1, 1, 1)
        self._ahead = iter(())
        # New memory costs more than the arithmetic, so it is the same in every step.
        self._draws, self._mask = np.zeros(0, np.int16), torch.empty(0)

    def next(self, streams, batch, width):
        """Return the mask of a batch, of shape (k, n_rows, width).

        It is overwritten by the next.
        """
        bits = next(self._ahead, None)
        if bits is None:
            self._ahead = self._draw(streams, batch, width)
            bits = next(self._ahead)
        k, x = len(batch.rows), batch.x
        shape = (k, x.size(1), width)
        if self._mask.shape != shape:
            self._mask = x.new_empty(shape)
        # In place, for torch is slow with booleans.
        mask = self._mask.copy_(bits.view(shape))
        return mask.ge_(self._bounds[:k]).mul_(self._scales[:k])

    def _draw(self, streams, batch, width):
        """Return an iterator over the bits of `batch` and of some that follow."""
        k, size = len(batch.rows), batch.x.size(1) * width
        n_batches = max(1, min(batch.following + 1, DRAWN_AHEAD // (k * size)))
        draws = self._draws
        if draws.shape != (k, n_batches, size):
            # Zeros for the models that drop nothing; rows past an end do not count.
            draws = self._draws = np.zeros((k, n_batches, size), np.int16)
        for model, cut in enumerate(self._cuts[:k]):
            if cut:
                own = batch.rows[model] * width
                generator = streams[model][self.purpose].bit_generator
                words = generator.random_raw(n_batches * -(-own // 4))
                bits = words.view(np.int16).reshape(n_batches, -1)
                draws[model, :, :own] = bits[:, :own]
        return iter(torch.from_numpy(draws).unbind(1))


def _normal(generators, scales, batch):
    """Draw Gaussian noise of standard deviation `scales` in the shape of the inputs."""
    k, _, width = batch.x.shape
    noise = torch.zeros(batch.x.shape, dtype=batch.x.dtype)
    for model, scale in enumerate(scales[:k].tolist()):
        if scale:
            draws = generators[model].standard_normal((batch.rows[model], width))
            noise[model, : batch.rows[model]] = torch.from_numpy(draws).mul_(scale)
    return noise.to(batch.x.device)


def _mix(batch, generators, alphas):
    """Mix each row with a random partner of its batch (mixup, Zhang et al. 2018).

    Inputs, targets and weights become ``lam * own + (1 - lam) * partner's`` with one
    ``lam ~ Beta(alpha, alpha)`` for each model and batch.
    """
    k, n_rows, _ = batch.x.shape
    partner = torch.arange(n_rows).repeat(k, 1)
    lam = torch.ones(k, 1, 1, dtype=batch.x.dtype)
    for model, alpha in enumerate(alphas[:k].tolist()):
        if alpha:
            lam[model] = generators[model].beta(alpha, alpha)
            order = generators[model].permutation(batch.rows[model])
            partner[model, : len(order)] = torch.from_numpy(order)
    return _mixed(batch, partner, lam, lam)


def _cut_and_mix(batch, generators, alphas):
    """Take some columns from a random partner (CutMix, Yun et al. 2019).

    With ``lam ~ Beta(alpha, alpha)``, ``round((1 - lam) * n_features)`` columns, the
    same in all rows, are the partner's. Targets and weights are mixed by the share of
    the columns that were kept.
    """
    k, n_rows, n_columns = batch.x.shape
    partner = torch.arange(n_rows).repeat(k, 1)
    own = torch.ones(k, 1, n_columns, dtype=batch.x.dtype)
    for model, alpha in enumerate(alphas[:k].tolist()):
        if alpha:
            generator = generators[model]
            n_cut = round((1 - generator.beta(alpha, alpha)) * n_columns)
            order = generator.permutation(batch.rows[model])
            partner[model, : len(order)] = torch.from_numpy(order)
            own[model, 0, generator.permutation(n_columns)[:n_cut]] = 0
    return _mixed(batch, partner, own, own.mean(2, keepdim=True))


def _mixed(batch, partner, lam_x, lam):
    """Return a batch of ``lam * own + (1 - lam) * partner's``.

    Parameters
    ----------
    batch : Batch
    partner : LongTensor of shape (k, n_rows)
    lam_x : Tensor of shape (k, 1, 1) or (k, 1, n_features)
        That of the inputs.
    lam : Tensor of shape (k, 1, 1)
        That of targets and weights.
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


def _cut_mask(batch, generators, shares):
    """Return zeros for ``round(share * n_features)`` random inputs of each row, else 1.

    Cutout (DeVries and Taylor 2017), on columns as in Kadra et al. 2021.
    """
    k, _, n_columns = batch.x.shape
    mask = torch.ones(batch.x.shape, dtype=batch.x.dtype)
    for model, share in enumerate(shares[:k].tolist()):
        # A share in single precision must not decide between two whole numbers.
        n_cut = round(round(share * n_columns, 4))
        if n_cut:
            shape = batch.rows[model], n_columns
            keys = torch.from_numpy(generators[model].random(shape, np.float32))
            cut = keys.topk(n_cut, dim=1, sorted=False).indices
            mask[model, : batch.rows[model]].scatter_(1, cut, 0)
    return mask.to(batch.x.device)
