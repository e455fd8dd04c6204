"""Ensembles: the networks of one fit, their seeds and their rows."""

from numbers import Integral

import numpy as np

from skreg.data.random_streams import DRAWN_ROWS, MEMBERS, Streams
from skreg.data.rows import Rows

# The parameters of an estimator with a single network that sees all rows.
ALONE = {"n_estimators": 1, "bootstrap": False, "max_samples": 1.0}


def is_shared(estimator):
    """Return whether the members share weights, and so are one network to train."""
    return estimator.ensemble == "shared" and estimator.n_estimators > 1


def n_trained(estimator):
    """Return how many networks a fit trains."""
    return 1 if is_shared(estimator) else estimator.n_estimators


def draws_rows(estimator):
    """Return whether the networks of an estimator see only some of the rows."""
    max_samples = estimator.max_samples
    is_part = isinstance(max_samples, Integral) or max_samples != 1
    return bool(estimator.bootstrap or is_part)


def member_seeds(seed, n_members):
    """Return the seeds of the members of an ensemble.

    The first is the seed of the fit. No seed depends on the number of members.

    Examples
    --------
    >>> from skreg.estimators.members import member_seeds
    >>> member_seeds(3, 3)[:2] == member_seeds(3, 2)
    True
    """
    rng = Streams(seed)[MEMBERS]
    others = [int(rng.integers(2**31)) for _ in range(n_members - 1)]
    return [seed, *others]


def drawn_rows(estimator, architecture, rows, seed):
    """Draw the training rows of a member, and sort them.

    Parameters
    ----------
    estimator : BaseNetwork
    architecture : Architecture
    rows : Rows
    seed : int
        Seed of the member.
    """
    index, max_samples = rows.index, estimator.max_samples
    n_drawn = max_samples
    if not isinstance(max_samples, Integral):
        n_drawn = max(1, int(max_samples * len(index)))
    if not estimator.bootstrap and n_drawn > len(index):
        raise ValueError(
            f"max_samples={max_samples!r} draws more rows than there are to train on, "
            f"n_samples={len(index)}. Lower it, or set bootstrap=True."
        )
    if architecture.batchnorm and n_drawn < 2:
        raise ValueError(
            f"batchnorm={estimator.batchnorm!r} needs at least two training rows, and "
            f"max_samples={max_samples!r} draws {n_drawn} of {len(index)}."
        )
    rng = Streams(seed)[DRAWN_ROWS]
    drawn = rng.choice(index, n_drawn, replace=bool(estimator.bootstrap))
    return Rows(rows.X, rows.y, rows.weight, np.sort(drawn))


def check_single(estimator, what):
    """Raise if an estimator is an ensemble, or draws its training rows.

    Parameters
    ----------
    estimator : BaseNetwork
    what : str
        Beginning of the message: what trains single networks only.
    """
    if not draws_rows(estimator) and n_trained(estimator) == 1:
        return
    names = ("n_estimators", "ensemble", "bootstrap", "max_samples")
    params = estimator.get_params(deep=False)
    given = [f"{name}={params[name]!r}" for name in names if name in params]
    # Convolutional networks share no weights, and others do so on all rows only.
    can_share = "ensemble" in params and not draws_rows(estimator)
    instead = ", or set ensemble='shared'" if can_share else ""
    raise ValueError(
        f"{what} one network on all rows, got {', '.join(given)}. Leave them out"
        f"{instead}."
    )
