"""Matrix products for the first models of a stack, fast for narrow matrices too."""

import torch

from skreg.networks.first_models import first_models

# Up to this number of columns, matrix kernels waste most of their width. From this
# number of multiplications on, that costs more than to compute the transpose.
NARROW_COLUMNS, NARROW_PRODUCTS = 11, 2**14


def is_narrow(left, n_columns):
    """Return whether a product with few columns is faster as ``(b.mT @ a.mT).mT``.

    It is not for a vector of a single model, for which there is a special kernel.

    Parameters
    ----------
    left : Tensor of shape (k, n_rows, n_in)
        The left factor.
    n_columns : int
        Number of columns of the right factor.
    """
    return (
        n_columns <= NARROW_COLUMNS
        and left.numel() * n_columns >= NARROW_PRODUCTS
        and (n_columns > 1 or left.size(0) > 1)
    )


def affine(bias, x, weight):
    """Return ``bias + x @ weight`` for each model.

    Parameters
    ----------
    bias : Tensor of shape (k, 1 or n_rows, n_out)
    x : Tensor of shape (k, n_rows, n_in)
    weight : Tensor of shape (k, n_in, n_out)
    """
    if is_narrow(x, weight.size(2)):
        return torch.baddbmm(bias.mT, weight.mT, x.mT).mT.contiguous()
    return torch.baddbmm(bias, x, weight)


def write_weight_gradient(out, x, gradient):
    """Write ``x.mT @ gradient`` to `out`, the gradient of the weight of `affine`."""
    if is_narrow(x, gradient.size(2)):
        out.copy_(torch.bmm(gradient.mT, x).mT)
    else:
        torch.bmm(x.mT, gradient, out=out)


def times_transposed(gradient, weight):
    """Return ``gradient @ weight.mT``, the gradient of the input of `affine`."""
    transposed = first_models(weight, gradient.size(0)).mT
    if gradient.size(2) == 1:
        return gradient * transposed  # a product of vectors needs no matrix kernel
    return torch.bmm(gradient, transposed)
