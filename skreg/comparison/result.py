"""Result of a comparison: scores, choices and statistics."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skreg.comparison.certainty import Certainty, certainties
from skreg.comparison.choices import Choice, most_chosen
from skreg.comparison.text_report import comparison_table, format_table
from skreg.comparison.ttest import corrected_ttest, score_differences
from skreg.typing import DataFrame, NDArray


@dataclass(frozen=True)
class Statistics:
    """Statistics of one estimator over the splits.

    Attributes
    ----------
    mean, sd : float
        Mean and standard deviation of the scores over the splits.
    difference : float
        Mean score minus the baseline's; 0 for the baseline itself.
    p_value : float
        p-value of the corrected resampled t-test against the baseline. It is NaN for
        the baseline itself, and if nothing can be told: with fewer than three splits,
        or if the differences are equal on all splits, but not zero.
    ci_low, ci_high : float
        Confidence interval of the difference. It is NaN for the baseline itself, with
        fewer than three splits, or if the differences are equal.
    fit_time : float
        Mean seconds of one fit. The fit of a search includes the whole search.
    """

    mean: float
    sd: float
    difference: float
    p_value: float
    ci_low: float
    ci_high: float
    fit_time: float


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonResult:
    """Scores and statistics of estimators compared on the same splits.

    Made by :func:`compare`. Printing it shows a table.

    Attributes
    ----------
    baseline : str
        Name of the estimator that the others are compared with.
    scoring : str
        Name of the score. Greater is better.
    scores : dict of str to ndarray of shape (n_splits,)
        Test scores of each estimator, in the order of the splits.
    fit_times : dict of str to ndarray of shape (n_splits,)
        Seconds of each fit.
    score_times : dict of str to ndarray of shape (n_splits,)
        Seconds of each scoring.
    chosen : dict of str to list of dict
        Hyperparameters that a search or a ``...CV`` estimator chose on each split.
        The dictionaries are empty if nothing was tuned.
    n_train, n_test : ndarray of shape (n_splits,)
        Number of training and test rows of each split.
    confidence_level : float
        Level of the confidence intervals.
    n_planned : int or None
        Number of splits without the limit of `max_time`.
    margins : dict of str to list of (float or None)
        On each split, the lead of the setting that a search chose over the next, in
        standard errors over the folds of the search. None if there is no search, or no
        other setting to compare with.
    time_limits : dict of str to list of (float or None)
        Time limit of each fit in seconds. None if there was no limit.
    cut_searches : dict of str to list of bool
        Whether a search left out candidates to keep to the limit of a fit.
    test_train_ratio : float
        Number of test rows over number of training rows, over all splits.
    statistics : dict of str to Statistics
        Mean, spread, and the difference from the baseline with its corrected
        p-value and confidence interval.
    """

    baseline: str
    scoring: str
    scores: dict[str, NDArray[Any]]
    fit_times: dict[str, NDArray[Any]]
    score_times: dict[str, NDArray[Any]]
    chosen: dict[str, list[dict[str, Any]]]
    n_train: NDArray[Any]
    n_test: NDArray[Any]
    confidence_level: float = 0.95
    n_planned: int | None = None
    margins: dict[str, list[float | None]] = field(default_factory=dict)
    time_limits: dict[str, list[float | None]] = field(default_factory=dict)
    cut_searches: dict[str, list[bool]] = field(default_factory=dict)
    test_train_ratio: float = field(init=False)
    statistics: dict[str, Statistics] = field(init=False)

    def __post_init__(self) -> None:
        ratio = float(self.n_test.sum() / self.n_train.sum())
        object.__setattr__(self, "test_train_ratio", ratio)
        statistics = {name: self._statistics_of(name) for name in self.scores}
        object.__setattr__(self, "statistics", statistics)

    def most_chosen(self, name: str) -> list[Choice]:
        """Summarise the hyperparameters that an estimator chose most often.

        Parameters
        ----------
        name : str
            Name of the estimator.

        Returns
        -------
        list of Choice
            One for each hyperparameter, with its `name`, its `value`, and the number
            `n_chosen` of `n_splits` splits that chose it. The value is the most
            frequent one. For a strength that is on in most splits it is the median
            over these, and `n_chosen` is their number.
        """
        return most_chosen(self.chosen[name])

    def certainties(self, name: str) -> list[Certainty]:
        """Summarise the agreement of the splits on each hyperparameter.

        Parameters
        ----------
        name : str
            Name of the estimator.

        Returns
        -------
        list of Certainty
            One for each hyperparameter, with its `name`, the number `n_on` of
            `n_splits` splits in which it was on, and the `median`, minimum (`low`) and
            maximum (`high`) of its strength there, or the number of splits that chose
            each of its `values`. `is_sure` tells whether the splits agree on whether
            it is on: a fair coin would agree as often in at most one of eight
            comparisons, as on 8 of 10 splits or 4 of 4. `is_sure_of_strength` tells
            whether the strengths are within a factor of ten, or the values the same on
            80 % of the splits in which it is on.
        """
        return certainties(self.chosen[name])

    def n_stopped(self, name: str) -> int:
        """Count the fits of an estimator whose time limit was too short.

        They used it up, or are searches that left out candidates to keep to it.

        Parameters
        ----------
        name : str
            Name of the estimator.

        Returns
        -------
        int
            Number of fits, 0 if there was no limit.
        """
        limits = self.time_limits.get(name, [])
        is_cut = self.cut_searches.get(name, [False] * len(limits))
        return sum(
            limit is not None and (cut or taken >= limit)
            for limit, taken, cut in zip(limits, self.fit_times[name], is_cut)
        )

    def to_frame(self) -> DataFrame:
        """Return the statistics as a pandas DataFrame.

        Returns
        -------
        pandas.DataFrame of shape (n_estimators, n_statistics)
            One row per estimator, one column per field of :class:`Statistics`.
        """
        import pandas as pd

        rows = {name: vars(of_name) for name, of_name in self.statistics.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("estimator")

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a dictionary that JSON can represent.

        Returns
        -------
        dict
            ``baseline``, ``scoring``, ``confidence_level``, ``test_train_ratio``,
            ``n_planned``, ``n_train``, ``n_test`` and ``estimators``, which holds for
            each name its statistics, ``scores``, ``fit_times``, ``score_times``,
            ``time_limits``, ``cut_searches``, ``chosen``, ``margins`` and
            ``certainties``. A statistic that is not finite is replaced by None.
        """
        statistics = {name: vars(of_name) for name, of_name in self.statistics.items()}
        return {
            "baseline": self.baseline,
            "scoring": self.scoring,
            "confidence_level": self.confidence_level,
            "test_train_ratio": self.test_train_ratio,
            "n_planned": self.n_planned,
            "n_train": self.n_train.tolist(),
            "n_test": self.n_test.tolist(),
            "estimators": {
                name: {
                    **{key: _finite_or_none(value) for key, value in values.items()},
                    "scores": self.scores[name].tolist(),
                    "fit_times": self.fit_times[name].tolist(),
                    "score_times": self.score_times[name].tolist(),
                    "time_limits": self.time_limits.get(name),
                    "cut_searches": self.cut_searches.get(name),
                    "chosen": [dict(split) for split in self.chosen[name]],
                    "margins": self.margins.get(name),
                    "certainties": [each.to_dict() for each in self.certainties(name)],
                }
                for name, values in statistics.items()
            },
        }

    def __repr__(self):
        return format_table(*comparison_table(self))

    def _statistics_of(self, name):
        scores, is_baseline = self.scores[name], name == self.baseline
        difference = score_differences(scores, self.scores[self.baseline], self.n_test)
        p_value, ci_low, ci_high = corrected_ttest(
            difference, self.test_train_ratio, confidence_level=self.confidence_level
        )
        with np.errstate(all="ignore"):  # scores that are not finite, or very large
            mean, sd = float(scores.mean()), float(scores.std(ddof=1))
        return Statistics(
            mean=mean,
            sd=sd,
            difference=float(difference.mean()),
            p_value=np.nan if is_baseline else float(p_value),
            ci_low=np.nan if is_baseline else float(ci_low),
            ci_high=np.nan if is_baseline else float(ci_high),
            fit_time=float(self.fit_times[name].mean()),
        )


def _finite_or_none(value):
    return value if np.isfinite(value) else None
