"""Fits whose steps use all training rows at once, whatever their order."""

from skreg.estimators.members import draws_rows
from skreg.parameters.regularisers import regularisers_on

# The number of rows of a batch that "auto" stands for, chosen on public tables
# (docs/defaults.md).
BATCH_ROWS = 32


def n_batch_rows(estimator):
    """Return the number of rows of a batch."""
    return BATCH_ROWS if estimator.batch_size == "auto" else estimator.batch_size


def is_full_batch(estimator, n_rows):
    """Return whether each step sums over all rows and draws nothing for single rows.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    n_rows : int
        Number of training rows.
    """
    if estimator.solver != "lbfgs" and n_rows > n_batch_rows(estimator):
        return False
    return not (draws_rows(estimator) or regularisers_on(estimator, effects={"rows"}))
