"""Fewer combinations of parameters, in which all pairs of values still meet."""

from itertools import product

from _checks import is_nightly


def all_pairs(*lists, others):
    """Return the product of lists, with the values of another list dealt out to it.

    A fault that needs a value of the other list shows with each value of every list
    (pairwise testing; Cohen, Dalal, Fredman and Patton 1997), in as few tests as there
    are combinations of the lists. All lists need at least as many values as the other.
    In nightly tests it is the whole product.

    Parameters
    ----------
    *lists : list
        Two at least.
    others : list

    Returns
    -------
    list of tuple
        For `pytest.mark.parametrize`, the value of the other list last.
    """
    if is_nightly():
        return list(product(*lists, others))
    indices = product(*(range(len(values)) for values in lists))
    return [
        (*values, others[sum(places) % len(others)])
        for values, places in zip(product(*lists), indices)
    ]
