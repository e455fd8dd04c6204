"""Plot of the scores of a search against each hyperparameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from skreg.compatibility import InvalidParameterError, check_matplotlib_support
from skreg.parameters.values import is_number, is_off
from skreg.plotting.checks import check_axes, check_mapping, numbers
from skreg.plotting.search_results import check_index, read_estimator, read_search
from skreg.plotting.spread import spread
from skreg.typing import ArrayLike, Axes, Estimator, Line2D, NDArray

_DECADES_OF_LOG = 1.5


class SearchDisplay:
    """Scores of a search against each of its hyperparameters.

    There is one plot for each hyperparameter, with a dot for each candidate and the
    standard deviation over the folds. The chosen candidate is marked in all plots. A
    hyperparameter that spans more than 1.5 decades has a logarithmic axis. Zero and
    None, which switch it off, are shown at the left end of the axis.

    Parameters
    ----------
    values : dict of str to list
        Values of the candidates, by name of the hyperparameter. Masked values are not
        drawn.
    scores : array-like of shape (n_candidates,)
        Mean test scores.
    sds : array-like of shape (n_candidates,)
        Standard deviations of the test scores over the folds.
    best_index : int
        Index of the chosen candidate.
    metric : str, default="score"
        Name of the score.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_params,)
        Axes of each hyperparameter.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D
        Dots of the candidates in each axes.
    best_lines_ : list of matplotlib Line2D
        Mark of the chosen candidate in each axes.

    See Also
    --------
    LearningCurvesDisplay : Losses against epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skreg import SearchDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = GridSearchCV(Ridge(), {"alpha": [0.0, 0.01, 0.1, 1.0]}).fit(X, y)
    >>> display = SearchDisplay.from_estimator(search)
    >>> display.axes_[0].get_xscale()
    'log'
    """

    def __init__(
        self,
        values: dict[str, list[Any]],
        scores: ArrayLike,
        sds: ArrayLike,
        best_index: int,
        metric: str = "score",
    ) -> None:
        self.values = values
        self.scores = scores
        self.sds = sds
        self.best_index = best_index
        self.metric = metric

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        params: Sequence[str] | None = None,
        *,
        metric: str | None = None,
        ax: Axes | Sequence[Axes] | NDArray[Any] | None = None,
        **line_kw: Any,
    ) -> Self:
        """Plot the scores of a fitted search, and mark the candidate that it chose.

        Parameters
        ----------
        estimator : estimator
            A fitted GridSearchCV, RandomizedSearchCV, BayesSearchCV, MLPClassifierCV,
            MLPRegressorCV or halving search, or a pipeline that ends in one.
        params : list of str, default=None
            Hyperparameters to plot. None is all that were varied.
        metric : str, default=None
            Name of the score, for a search with several. None is the score by which
            the search chose.
        ax : array-like of matplotlib Axes or matplotlib Axes, default=None
            Axes to plot on, one for each hyperparameter. If None, a new figure and
            axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `errorbar`.

        Returns
        -------
        SearchDisplay
            The display with its plot.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        return cls(*read_estimator(estimator, params, metric)).plot(ax, **line_kw)

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        params: Sequence[str] | None = None,
        *,
        metric: str = "score",
        best_index: int | None = None,
        ax: Axes | Sequence[Axes] | NDArray[Any] | None = None,
        **line_kw: Any,
    ) -> Self:
        """Plot the `cv_results_` of a search.

        If a halving search has scored a candidate several times, its last score is
        shown.

        Parameters
        ----------
        cv_results : dict of str to array-like
            The `cv_results_` of a GridSearchCV, RandomizedSearchCV, BayesSearchCV,
            MLPClassifierCV, MLPRegressorCV or halving search.
        params : list of str, default=None
            Hyperparameters to plot. None is all that were varied.
        metric : str, default="score"
            Name of the score, for a search with several.
        best_index : int, default=None
            Row of the chosen candidate in `cv_results`, such as the `best_index_` of
            the search. None is the candidate with the best score. In a halving search
            it is the best of the last iteration or rung.
        ax : array-like of matplotlib Axes or matplotlib Axes, default=None
            Axes to plot on, one for each hyperparameter. If None, a new figure and
            axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `errorbar`.

        Returns
        -------
        SearchDisplay
            The display with its plot.
        """
        check_matplotlib_support(f"{cls.__name__}.from_cv_results")
        found = read_search(cv_results, params, metric, best_index)
        return cls(*found, metric).plot(ax, **line_kw)

    def plot(
        self,
        ax: Axes | Sequence[Axes] | NDArray[Any] | None = None,
        **line_kw: Any,
    ) -> Self:
        """Plot the scores.

        Parameters
        ----------
        ax : array-like of matplotlib Axes or matplotlib Axes, default=None
            Axes to plot on, one for each hyperparameter. If None, a new figure and
            axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `errorbar`.

        Returns
        -------
        SearchDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        self._check()
        axes = make_axes(len(self.values)) if ax is None else np.asarray(ax).ravel()
        if len(axes) != len(self.values):
            raise ValueError(
                f"ax must hold {len(self.values)} axes, one for each of "
                f"{list(self.values)}, got {len(axes)}."
            )
        for each in axes:
            check_axes(each)
        self.lines_: list[Line2D] = []
        self.best_lines_: list[Line2D] = []
        labels = _short_names(self.values)
        for panel, label, values in zip(axes, labels, self.values.values()):
            self._plot_panel(panel, _Scale.of(values), line_kw)
            panel.set_xlabel(label)
        axes[0].legend(handles=self.best_lines_[:1], fontsize="small")
        self._limit_scores(axes)
        for panel in axes:
            if (
                panel.get_subplotspec() is None
                or panel.get_subplotspec().is_first_col()
            ):
                panel.set_ylabel(
                    "mean test score" if self.metric == "score" else self.metric
                )
        self.axes_, self.figure_ = np.array(axes), axes[0].figure
        return self

    def _check(self):
        """Raise if the values, scores and the chosen candidate do not fit together."""
        check_mapping("values", self.values, "the candidates' values, by name")
        lengths = {"scores": len(numbers("scores", self.scores))}
        lengths["sds"] = len(numbers("sds", self.sds))
        for name, values in self.values.items():
            lengths[f"values[{name!r}]"] = len(values)
        if len(set(lengths.values())) > 1:
            raise InvalidParameterError(
                "values, scores and sds must have the same length, the number of"
                f" candidates, got {lengths}."
            )
        check_index(self.best_index, lengths["scores"])

    def _plot_panel(self, ax, scale, line_kw):
        scale.set_up(ax)
        style = {"color": "C0", "ecolor": (0.5, 0.5, 0.5, 0.35), "elinewidth": 1}
        style |= {"markersize": 4, "fmt": "o"}
        drawn = ax.errorbar(scale.x, self.scores, yerr=self.sds, **style | line_kw)
        self.lines_.append(drawn.lines[0])
        best = self.best_index
        self.best_lines_ += ax.plot(
            scale.x[best : best + 1],
            self.scores[best : best + 1],
            marker="*",
            markersize=13,
            linestyle="none",
            color="C1",
            markeredgecolor="black",
            markeredgewidth=0.6,
            label="chosen",
            zorder=3,
        )

    def _limit_scores(self, axes):
        """Cut off scores that are so low that the differences of the others vanish."""
        is_finite = np.isfinite(self.scores)
        scores, sds = (
            np.asarray(self.scores)[is_finite],
            np.asarray(self.sds)[is_finite],
        )
        if len(scores) == 0:
            return
        best = scores.max()
        width = max(best - np.median(scores), np.median(sds))
        bottom = best - 4 * width
        if width == 0 or scores.min() >= bottom - 6 * width:
            return
        for ax in axes:
            ax.set_ylim(bottom, best + 1.2 * width)
        n_below = int((scores < bottom).sum())
        axes[0].annotate(
            f"{n_below} below",
            (0.02, 0.02),
            xycoords="axes fraction",
            color="0.4",
            fontsize="small",
        )


@dataclass
class _Scale:
    """Positions of the values of a hyperparameter on its axis."""

    x: np.ndarray
    is_log: bool = False
    ticks: tuple = ()
    labels: tuple = ()
    separator: float | None = None

    @classmethod
    def of(cls, values):
        present = [value for value in values if value is not np.ma.masked]
        on = [value for value in present if not is_off(value)]
        if not on or not all(is_number(value) for value in on):
            return cls._of_categories(values)
        has_none = any(_is_none(value) for value in present)
        on = np.array(on, dtype=float)
        is_log = on.min() > 0 and np.log10(on.max() / on.min()) > _DECADES_OF_LOG
        if not is_log and not has_none:
            return cls(np.array([_number(value) for value in values]))
        return cls._of_strengths(values, on, is_log)

    @classmethod
    def _of_strengths(cls, values, on, is_log):
        """Make an axis of numbers, with a place for off at the left if needed."""
        off = [
            value is not np.ma.masked and is_off(value) and (is_log or _is_none(value))
            for value in values
        ]
        x = np.array([np.nan if o else _number(v) for v, o in zip(values, off)])
        if not any(off):
            return cls(x, is_log)
        low, high = (np.nanmin(x), np.nanmax(x)) if not is_log else (on.min(), on.max())
        to, back = (np.log10, lambda u: 10.0**u) if is_log else (float, float)
        span = (to(high) - to(low)) or 1.0
        place = to(low) - 0.18 * span
        shifts = _spread_around_zero(sum(off), 0.03)
        x[off] = [back(place + shift * span) for shift in shifts]
        inner = _ticks_between(low, high, is_log)
        return cls(
            x,
            is_log,
            (back(place), *inner),
            ("off", *_tick_labels(inner, is_log)),
            back(to(low) - 0.09 * span),
        )

    @classmethod
    def _of_categories(cls, values):
        present = [value for value in values if value is not np.ma.masked]
        try:
            present = sorted(present)
        except TypeError:  # values without an order stay in that of the candidates
            pass
        order = list(dict.fromkeys(map(str, present)))
        x = np.full(len(values), np.nan)
        for position, name in enumerate(order):
            same = np.flatnonzero(
                [value is not np.ma.masked and str(value) == name for value in values]
            )
            x[same] = position + _spread_around_zero(len(same), 0.15)
        return cls(x, False, tuple(range(len(order))), tuple(order))

    def set_up(self, ax):
        """Set the scale and the ticks of the axis."""
        if self.is_log:
            ax.set_xscale("log")
        if self.ticks:
            ax.set_xticks(self.ticks, self.labels)
            ax.minorticks_off()
        if self.separator is not None:
            ax.axvline(self.separator, color="0.8", linewidth=1)
        elif self.labels:
            ax.set_xlim(-0.5, len(self.labels) - 0.5)
            if sum(map(len, self.labels)) > 24:
                ax.tick_params(axis="x", rotation=30)


def make_axes(n_panels, figure=None, n_columns=4):
    """Make axes in a grid that share the axis of the score.

    Parameters
    ----------
    n_panels : int
        Number of axes.
    figure : matplotlib Figure, default=None
        Figure that gets the axes. If None, pyplot creates a new one.
    n_columns : int, default=4
        Maximum number of columns.

    Returns
    -------
    ndarray of matplotlib Axes of shape (n_panels,)
    """
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure()
    n_columns = min(n_panels, n_columns)
    n_rows = -(-n_panels // n_columns)
    figure.set_size_inches(max(2.6 * n_columns, 4.5), 2.9 * n_rows)
    figure.set_layout_engine("constrained")
    axes = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
    for spare in axes.flat[n_panels:]:
        figure.delaxes(spare)
    return axes.ravel()[:n_panels]


def _short_names(names):
    """Remove the steps of a pipeline from the names if these stay unique."""
    short = [name.rpartition("__")[-1] for name in names]
    return short if len(set(short)) == len(short) else list(names)


def _ticks_between(low, high, is_log):
    """Return a few round numbers between two limits."""
    if not is_log:
        from matplotlib.ticker import MaxNLocator

        ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
        return [float(tick) for tick in ticks if low <= tick <= high]
    powers = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    within = [10.0**power for power in powers if low <= 10.0**power <= high]
    if len(within) < 2:
        steps = [step * 10.0**power for power in powers for step in (1, 2, 5)]
        within = [step for step in steps if low <= step <= high]
    return within[:: -(-len(within) // 3)]


def _tick_labels(ticks, is_log):
    powers = np.log10(ticks) if is_log else np.full(len(ticks), 0.5)
    if np.allclose(powers, np.round(powers)):
        return [f"$10^{{{round(power)}}}$" for power in powers]
    return [f"{tick:g}" for tick in ticks]


def _spread_around_zero(n, width):
    """Return positions from -width to width for `n` dots side by side."""
    return width * (2 * spread(n, first=1) - 1)


def _is_none(value):
    """Return whether a value is off and not a number, so has no place on the axis."""
    return is_off(value) and not is_number(value)


def _number(value):
    return np.nan if value is np.ma.masked or _is_none(value) else float(value)
