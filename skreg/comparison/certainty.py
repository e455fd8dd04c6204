"""Certainty of a choice of hyperparameters, within a search and over the splits."""

from collections import Counter
from dataclasses import asdict, dataclass
from statistics import median_low
from typing import Any

import numpy as np
from scipy.stats import binomtest

from skreg.comparison.choices import hyperparameters, inner_search
from skreg.model_selection.cv_results import reached_same_stage, scores_of_folds
from skreg.parameters.values import is_number, is_off

# Highest p-value of a fair coin at which on or off is sure: it must be chosen in all of
# four or five splits, or in eight of ten.
MOST_CHANCE = 0.125
# Lowest share of the splits with it on in which a value must be the same.
SURE_SHARE = 0.8
# Highest ratio of the largest strength to the smallest at which the strength is sure.
SURE_FACTOR = 10.0


@dataclass(frozen=True)
class Certainty:
    """Agreement of the splits on the value of one hyperparameter.

    Attributes
    ----------
    name : str
        Name of the hyperparameter.
    n_on, n_splits : int
        Number of splits in which it was on, and number of all splits.
    median, low, high : float or None
        Median, minimum and maximum of the values that are on. The median is the lower
        of the two middle values, so that it is one that was chosen. None if a value is
        not a number, or if none is on.
    values : dict of str to int
        Number of splits that chose each value. Empty if the values are numbers, or if
        none is on.
    """

    name: str
    n_on: int
    n_splits: int
    median: float | None
    low: float | None
    high: float | None
    values: dict[str, int]

    @property
    def is_sure(self) -> bool:
        """Whether the splits agree on whether it is on."""
        return _is_unlikely(self.n_on, self.n_splits)

    @property
    def has_too_few_splits(self) -> bool:
        """Whether there are too few splits to be sure even if all of them agree."""
        return not _is_unlikely(self.n_splits, self.n_splits)

    @property
    def is_sure_of_strength(self) -> bool:
        """Whether the splits in which it is on agree on its strength or value."""
        if self.low is not None and self.high is not None:
            return self.low > 0 and self.high <= SURE_FACTOR * self.low
        return max(self.values.values(), default=0) >= SURE_SHARE * self.n_on

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a dictionary that JSON can represent.

        Returns
        -------
        dict
            The attributes and properties by name.
        """
        names = ("is_sure", "is_sure_of_strength", "has_too_few_splits")
        return asdict(self) | {name: getattr(self, name) for name in names}


def _is_unlikely(n_on, n_splits):
    """Return whether a fair coin would rarely agree as often."""
    return bool(binomtest(n_on, n_splits).pvalue <= MOST_CHANCE + 1e-9)


def certainties(chosen):
    """Summarise the agreement of the splits on each hyperparameter.

    Parameters
    ----------
    chosen : list of dict
        Result of :func:`chosen_hyperparameters` for each split.

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
    """Return the lead of a search's best setting over the next, in standard errors.

    Both settings are scored on the same :math:`K` folds. With the differences
    :math:`d_k` of their scores, the lead is

    .. math::

        m = \\frac{\\bar d}{s_d / \\sqrt K}

    Folds share training rows, so it is an upper bound on the certainty of the choice.
    If it is below 1, other folds may well choose the other setting.

    Parameters
    ----------
    estimator : estimator
        A fitted search (any with ``cv_results_`` and ``best_index_``), or a pipeline or
        wrapper around one.

    Returns
    -------
    float or None
        None if there is no search, if no other setting was trained as far, if the
        differences do not vary, or if the chosen setting does not have the best score.
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
    """Return the best row apart from the chosen one, among those trained as far."""
    ranks = np.array(table["rank_test_score"], dtype=float)
    ranks[best] = np.inf
    ranks[~reached_same_stage(table, best)] = np.inf
    ranks[~np.isfinite(np.asarray(table["mean_test_score"], dtype=float))] = np.inf
    place = int(ranks.argmin())
    return place if np.isfinite(ranks[place]) else None
