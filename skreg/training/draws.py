"""What is drawn for a training batch: soft labels, members, noise and masks."""

from dataclasses import dataclass

import torch

from skreg.data.batches import Batch
from skreg.networks.shared_members import for_members


@dataclass
class Drawn:
    """A batch as a training step sees it, with all that is random drawn.

    Parameters
    ----------
    batch : Batch
        With soft labels, a row for each member, mixed and noisy.
    masks : sequence of Tensor or None
        The dropout mask of each hidden layer.
    paths : sequence of Tensor
        Masks of what skip connections skip.
    epsilon : Tensor of shape (n_models,) or None
        Length of the step in each input of rows that are to be adversarial, which
        takes the weights and so comes later. None makes none.
    """

    batch: Batch
    masks: list = ()
    paths: list = ()
    epsilon: torch.Tensor | None = None


def draw(batch, noise, loss, architecture, streams=None):
    """Draw what is random in a training step; this needs no weights.

    Parameters
    ----------
    batch : Batch
        Left as it is.
    noise : Noise
    loss : Loss
    architecture : Architecture
    streams : list of Streams, default=None
        What the random regularisers draw from. None leaves them out.

    Returns
    -------
    Drawn
    """
    batch = noise.smooth(batch, loss)
    batch = for_members(batch, architecture.n_members)
    if streams is None:
        return Drawn(batch)
    batch = noise.apply(batch, streams)
    masks = noise.masks(batch, streams, architecture.hidden_widths)
    paths = noise.paths(batch, streams, architecture.n_paths)
    epsilon = noise.adversarial if noise.active["adversarial"] else None
    return Drawn(batch, masks, paths, epsilon)
