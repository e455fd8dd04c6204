"""Proximal operators: pure functions that broadcast over leading axes.

The proximal operator of a penalty is ``argmin_w  step * penalty(w) + ||w - z||^2 / 2``.
Here the step and the strength are one number, their product: the threshold.
"""

import torch


def soft_threshold(z, threshold):
    """Shrink towards zero: ``sign(z) * max(|z| - threshold, 0)``.

    The proximal operator of ``threshold * |w|``. Zeros are exact.

    Parameters
    ----------
    z : Tensor
        Any shape.
    threshold : Tensor
        Non-negative, broadcastable with `z`. May be infinite.

    Returns
    -------
    Tensor of the shape of `z`

    Examples
    --------
    >>> import torch
    >>> from skreg.penalties.proximal import soft_threshold
    >>> soft_threshold(torch.tensor([-3.0, 0.5, 1.0]), torch.tensor(1.0))
    tensor([-2.,  0.,  0.])
    """
    return z - torch.clamp(z, -threshold, threshold)


def group_shrinkage(norm, threshold):
    """Return what a group is multiplied by: ``max(0, 1 - threshold / norm)``.

    The product is the proximal operator of ``threshold * ||w||_2`` (Yuan and Lin 2006).
    Where the norm is at most the threshold, the factor is exactly zero, also for 0/0
    and for an infinite threshold.

    Parameters
    ----------
    norm : Tensor
        The Euclidean norms of groups.
    threshold : Tensor
        Non-negative, broadcastable with `norm`. May be infinite.

    Returns
    -------
    Tensor of the shape of `norm`

    Examples
    --------
    >>> import torch
    >>> from skreg.penalties.proximal import group_shrinkage
    >>> group_shrinkage(torch.tensor([5.0, 0.5]), torch.tensor(2.5))
    tensor([0.5000, 0.0000])
    """
    return torch.where(norm > threshold, 1 - threshold / norm, 0.0)


def shrink(z, threshold):
    """Divide by ``1 + 2 * threshold``: the proximal operator of ``threshold * w^2``.

    Parameters
    ----------
    z : Tensor
        Any shape.
    threshold : Tensor
        Non-negative, broadcastable with `z`. May be infinite.

    Returns
    -------
    Tensor of the shape of `z`

    Examples
    --------
    >>> import torch
    >>> from skreg.penalties.proximal import shrink
    >>> shrink(torch.tensor([3.0, -1.0]), torch.tensor(0.5))
    tensor([ 1.5000, -0.5000])
    """
    return z / (1 + 2 * threshold)


def clip_unit_norm(weight, max_norm):
    """Scale each unit's incoming weights down to a norm of at most `max_norm`.

    For each column `w` of the matrices, the projection onto ``||w||_2 <= max_norm``
    (Srivastava et al. 2014, section 5.1).

    Parameters
    ----------
    weight : Tensor of shape (..., n_in, n_units)
    max_norm : Tensor
        Positive, broadcastable with shape (..., 1, n_units). May be infinite.

    Returns
    -------
    Tensor of the shape of `weight`

    Examples
    --------
    >>> import torch
    >>> from skreg.penalties.proximal import clip_unit_norm
    >>> clip_unit_norm(torch.tensor([[3.0, 0.3], [4.0, 0.4]]), torch.tensor(1.0))
    tensor([[0.6000, 0.3000],
            [0.8000, 0.4000]])
    """
    norm = torch.linalg.vector_norm(weight, dim=-2, keepdim=True)
    return weight * torch.where(norm > max_norm, max_norm / norm, 1.0)
