"""The random draws for a training batch: noise, mixing of rows and dropout masks."""

from dataclasses import dataclass

import torch

from skreg.data.batches import Batch
from skreg.networks.shared_members import for_members


@dataclass
class Drawn:
    """A training batch together with everything that was drawn at random for it.

    Parameters
    ----------
    batch : Batch
        The rows after label smoothing, repetition for each ensemble member, mixing and
        noise.
    masks : sequence of Tensor or None
        The dropout mask of each hidden layer.
    paths : sequence of Tensor
        The stochastic depth mask of each block that a skip connection bypasses.
    epsilon : Tensor of shape (n_models,) or None
        Size of the adversarial perturbation of each input. Adversarial rows depend on
        the weights and are therefore made later. None turns them off.
    """

    batch: Batch
    masks: list = ()
    paths: list = ()
    epsilon: torch.Tensor | None = None


def draw(batch, noise, loss, architecture, streams=None):
    """Make all random draws of a training step that do not depend on the weights.

    Parameters
    ----------
    batch : Batch
        It is not modified.
    noise : Noise
    loss : Loss
    architecture : Architecture
    streams : list of Streams, default=None
        The random streams of each model. If None, no random regulariser is applied.

    Returns
    -------
    Drawn
    """
    batch = noise.smooth(batch, loss)
    batch = for_members(batch, architecture.n_members)
    if streams is None:
        return Drawn(batch)
    batch = noise.apply(batch, streams, architecture.columns)
    masks = noise.masks(batch, streams, architecture.hidden_widths)
    paths = noise.paths(batch, streams, architecture.n_paths)
    epsilon = noise.adversarial if noise.active["adversarial"] else None
    return Drawn(batch, masks, paths, epsilon)
