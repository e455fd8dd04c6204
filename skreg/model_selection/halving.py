"""The plan of a search by successive halving."""

import math


def halving_plan(n_candidates, n_final, max_iter):
    """Plan the rungs of a search by successive halving.

    Each rung has half as many candidates as the previous one and ends after twice as
    many epochs. The last rung ends after `max_iter` epochs. It has at least `n_final`
    candidates, unless there are fewer candidates altogether.

    Parameters
    ----------
    n_candidates, n_final, max_iter : int

    Returns
    -------
    counts : list of int
        Number of candidates in each rung.
    epochs : list of int
        Number of epochs after which each rung ends.

    Examples
    --------
    >>> from skreg.model_selection.halving import halving_plan
    >>> halving_plan(16, 4, 60)
    ([16, 8, 4], [15, 30, 60])
    """
    counts = [n_candidates]
    while math.ceil(counts[-1] / 2) >= n_final and counts[-1] > 1:
        counts.append(math.ceil(counts[-1] / 2))
    last = len(counts) - 1
    return counts, [math.ceil(max_iter / 2 ** (last - i)) for i in range(last + 1)]
