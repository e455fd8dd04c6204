"""Products of stacked matrices: of the first models of a stack, however narrow."""

import torch


def first(tensor, k):
    """Return the first `k` models of a stacked tensor, without work if it is all."""
    # size(0) and not len(), which is a Python function of torch.
    return tensor if tensor.size(0) == k else tensor[:k]


# Columns of a product up to which matrix kernels waste most of their width, and
# multiplications from which that costs more than turning a product around.
NARROW_COLUMNS, NARROW_PRODUCTS = 11, 2**14


def is_narrow(left, n_columns):
    """Tell whether a product with few columns is faster as ``(b.mT @ a.mT).mT``.

    A vector for a single model has a kernel of its own.
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
    """Write ``x.mT @ gradient``, what `affine` passes back to its weight, to `out`."""
    if is_narrow(x, gradient.size(2)):
        out.copy_(torch.bmm(gradient.mT, x).mT)
    else:
        torch.bmm(x.mT, gradient, out=out)


def times_transposed(gradient, weight):
    """Return ``gradient @ weight.mT``, what `affine` passes back to its input."""
    transposed = first(weight, gradient.size(0)).mT
    if gradient.size(2) == 1:
        return gradient * transposed  # a product of vectors needs no matrix kernel
    return torch.bmm(gradient, transposed)
