"""The scaling of inputs: offsets and scales of columns, and the arithmetic."""

from dataclasses import dataclass

import numpy as np
import torch

from skreg.data.encoding import Encoding, StackedEncoding


@dataclass(frozen=True, eq=False)
class Scaling:
    """The centring and scaling of the inputs of one network.

    Parameters
    ----------
    offset, scale : ndarray of shape (n_inputs,) or None, default=None
        Numbers that are subtracted from each input, and by which it is then divided.
        None changes nothing. They have the precision of the data, so that large offsets
        are removed before rounding.
    clips : bool, default=False
        Whether `smooth_clip` is applied at the end.
    encoding : Encoding or None, default=None
        What makes inputs of the columns first. None takes the columns as they are.
    """

    offset: np.ndarray | None = None
    scale: np.ndarray | None = None
    clips: bool = False
    encoding: Encoding | None = None

    def tensors(self):
        """Return the offset, the scale and `clips`, as `scaled` takes them."""
        arrays = (self.offset, self.scale)
        tensors = [None if array is None else torch.tensor(array) for array in arrays]
        return *tensors, self.clips

    @property
    def kind(self):
        """What the scalings of a stack have in common: which parts there are."""
        return self.offset is None, self.scale is None, self.clips


@dataclass(frozen=True, eq=False)
class StackedScaling:
    """The scalings of all models of a stack.

    Parameters
    ----------
    offset, scale : Tensor of shape (n_models, 1, n_inputs) or None, default=None
        As in `Scaling`. The first axis may have length 1, for all models.
    clips : bool, default=False
        As in `Scaling`.
    encoding : StackedEncoding or None, default=None
        As in `Scaling`.
    """

    offset: torch.Tensor | None = None
    scale: torch.Tensor | None = None
    clips: bool = False
    encoding: StackedEncoding | None = None

    @property
    def is_shared(self):
        """Whether there is one scaling for all models."""
        parts = [part for part in (self.offset, self.scale) if part is not None]
        return all(part.size(0) == 1 for part in parts)

    @classmethod
    def of(cls, scalings, device):
        """Stack scalings that differ only in their numbers.

        Parameters
        ----------
        scalings : list of Scaling
        device : torch.device or str

        Returns
        -------
        StackedScaling
        """

        def stacked(arrays):
            if arrays[0] is None:
                return None
            return torch.from_numpy(np.array(arrays)).unsqueeze(1).to(device)

        offsets = stacked([scaling.offset for scaling in scalings])
        scales = stacked([scaling.scale for scaling in scalings])
        encoding = StackedEncoding.of([s.encoding for s in scalings], device)
        return cls(offsets, scales, scalings[0].clips, encoding)

    def select(self, models):
        """Return the scaling of the models in the index `models`."""
        parts = (self.offset, self.scale)
        parts = (None if part is None else part[models] for part in parts)
        encoding = self.encoding and self.encoding.select(models)
        return StackedScaling(*parts, self.clips, encoding)

    def of_rows(self, x):
        """Return the scaled inputs of the same rows for all models.

        Parameters
        ----------
        x : Tensor of shape (n_rows, n_columns)
            It is not changed.

        Returns
        -------
        Tensor of shape (1 or n_models, n_rows, n_inputs)
        """
        x = x.unsqueeze(0)
        if self.encoding is not None:
            n_models = self.encoding.slots.size(0)
            x = self.encoding.apply(x.expand(n_models, -1, -1))
        return scaled(x, self.offset, self.scale, self.clips)

    def apply(self, x, dtype):
        """Return the scaled inputs of rows in another precision.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_columns)
            Rows of the first `k` models. They may be overwritten.
        dtype : torch.dtype

        Returns
        -------
        Tensor of shape (k, n_rows, n_inputs)
        """
        k = x.size(0)
        if self.encoding is not None:
            x = self.encoding.apply(x)
        offset = None if self.offset is None else self.offset[:k]
        scale = None if self.scale is None else self.scale[:k]
        return scaled(x, offset, scale, self.clips, out=x).to(dtype)


def scaled(x, offset=None, scale=None, clips=False, out=None):
    """Centre and scale a tensor, and clip it smoothly.

    Parameters
    ----------
    x : Tensor of shape (..., n_features)
    offset, scale : Tensor or None, default=None
        What is subtracted, and then divided by. They broadcast with `x`.
    clips : bool, default=False
        Whether to apply `smooth_clip` at the end.
    out : Tensor, default=None
        Where the result is written, which may be `x`. None leaves `x` as it is.

    Returns
    -------
    Tensor of shape (..., n_features)
        `x` itself if there is nothing to do.

    Examples
    --------
    >>> import torch
    >>> from skreg.data.scaling import scaled
    >>> scaled(torch.tensor([[1.0, 8.0]]), torch.tensor([1.0, 2.0]), torch.tensor(3.0))
    tensor([[0., 2.]])
    """
    if offset is not None:
        x = out = torch.sub(x, offset, out=out)
    if scale is not None:
        x = out = torch.div(x, scale, out=out)
    return smooth_clip(x, out) if clips else x


def smooth_clip(x, out=None):
    """Return ``x / sqrt(1 + (x / 3)^2)``, which is between -3 and 3.

    Holzmüller, Grinsztajn and Steinwart (2024), "Better by Default: Strong Pre-Tuned
    MLPs and Boosted Trees on Tabular Data".

    Parameters
    ----------
    x : Tensor
    out : Tensor, default=None
        Where the result is written, which may be `x`. None leaves `x` as it is.
    """
    # The square is finite, and the result still rounds to 3.
    x = torch.clamp(x, -1e9, 1e9, out=out)
    return x.div_((x * x).div_(9).add_(1).sqrt_())
