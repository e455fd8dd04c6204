"""The first models of a stack: those that have a batch in a step."""


def first_models(tensor, k):
    """Return the first `k` models of a stacked tensor, as a view or as it is.

    Parameters
    ----------
    tensor : Tensor of shape (n_models, ...)
    k : int

    Returns
    -------
    Tensor of shape (k, ...)
    """
    # size(0) is faster than len(), which torch implements in Python.
    return tensor if tensor.size(0) == k else tensor[:k]
