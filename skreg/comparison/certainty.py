"""How sure a choice of hyperparameters is: within a search, and over the splits."""

from collections import Counter
from dataclasses import asdict, dataclass
from statistics import median_low

import numpy as np
from scipy.stats import binomtest

from skreg.comparison.choices import hyperparameters, inner_search
from skreg.model_selection.cv_results import is_as_far_as, scores_of_folds
from skreg.parameters.values import is_number, is_off

# On, or off, in so many splits that a coin would agree with itself as often in at most
# one of eight comparisons: in all of four or five splits, in eight of ten.
MOST_CHANCE = 0.125
# A value, where it is on.
SURE_SHARE = 0.8
# The largest strength over the smallest: beyond it, only the presence is sure.
SURE_FACTOR = 10.0


@dataclass(frozen=True)
class Certainty:
    """How alike the choices of one hyperparameter were over the splits.

    Attributes
    ----------
    name : str
        Name of the hyperparameter.
    n_on, n_splits : int
        Number of splits in which it was on, of how many.
    median, low, high : float or None
        Of the strengths that were on, where all of them are numbers; the median is the
        lower of two, a strength that was chosen.
    values : dict of str to int
        How often each value was chosen, where they are not numbers.
    """

    name: str
    n_on: int
    n_splits: int
    median: float | None
    low: float | None
    high: float | None
    values: dict

    @property
    def is_sure(self):
        """Whether it was on, or off, more often than a coin would be."""
        return bool(binomtest(self.n_on, self.n_splits).pvalue <= MOST_CHANCE + 1e-9)

    @property
    def is_sure_of_strength(self):
        """Whether the strengths, or the value, are about the same where it is on."""
        if self.low is not None:
            return self.low > 0 and self.high <= SURE_FACTOR * self.low
        return max(self.values.values(), default=0) >= SURE_SHARE * self.n_on

    def to_dict(self):
        """Return all of it, for JSON."""
        own = {"is_sure": self.is_sure, "is_sure_of_strength": self.is_sure_of_strength}
        return asdict(self) | own


def certainties(chosen):
    """Summarise how alike the choices of the splits were.

    Parameters
    ----------
    chosen : list of dict
        What :func:`chosen_hyperparameters` returned for each split.

    Returns
    -------
    list of Certainty
        In the order in which the hyperparameters first appear.
    """
    return [_certainty(name, chosen) for name in hyperparameters(chosen)]


def _certainty(name, chosen):
    on = [split[name] for split in chosen if not is_off(split.get(name))]
    counted = {"name": name, "n_on": len(on), "n_splits": len(chosen)}
    if on and all(is_number(value) for value in on):
        spread = {"median": median_low(on), "low": min(on), "high": max(on)}
        return Certainty(**counted, **spread, values={})
    values = dict(Counter(map(str, on)).most_common())
    return Certainty(**counted, median=None, low=None, high=None, values=values)


def winning_margin(estimator):
    """Return by how many standard errors a search's best setting beats the next.

    The two settings are judged on the same folds, so that their differences :math:`d_k`
    on the :math:`K` folds are what counts:

    .. math::

        m = \\frac{\\bar d}{s_d / \\sqrt K}

    Folds share training rows, so that this is an upper bound of how sure the choice
    is; below 1 other folds may well choose the other setting.

    Parameters
    ----------
    estimator : estimator
        A fitted search (any with ``cv_results_`` and ``best_index_``), or a pipeline or
        wrapper around one.

    Returns
    -------
    float or None
        None where there is no search, no runner-up that came as far, or no spread of
        the differences; and where the choice is not the best score.
    """
    search = inner_search(estimator)
    table = getattr(search, "cv_results_", None)
    best = getattr(search, "best_index_", None)
    if table is None or best is None or "rank_test_score" not in table:
        return None
    if table["rank_test_score"][best] != 1:
        return None
    next_one = _runner_up(table, best)
    scores = scores_of_folds(table)
    if next_one is None or scores.shape[1] < 2:
        return None
    differences = scores[best] - scores[next_one]
    spread = differences.std(ddof=1) / np.sqrt(len(differences))
    if not np.isfinite(spread) or spread == 0:
        return None
    return float(differences.mean() / spread)


def _runner_up(table, best):
    """Return the best row beside the chosen one, of those that came as far."""
    ranks = np.array(table["rank_test_score"], dtype=float)
    ranks[best] = np.inf
    ranks[~is_as_far_as(table, best)] = np.inf
    ranks[~np.isfinite(np.asarray(table["mean_test_score"], dtype=float))] = np.inf
    place = int(ranks.argmin())
    return place if np.isfinite(ranks[place]) else None
