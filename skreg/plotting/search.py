"""Plot of the scores of a search against each hyperparameter."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from skreg.compatibility import InvalidParameterError, check_matplotlib_support
from skreg.plotting.checks import check_axes, check_mapping, numbers
from skreg.plotting.scales import Scale
from skreg.plotting.search_results import check_index, read_estimator, read_search
from skreg.typing import ArrayLike, Axes, Estimator, Line2D, NDArray


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
            self._plot_panel(panel, Scale.of(values), line_kw)
            panel.set_xlabel(label)
        axes[0].legend(handles=self.best_lines_[:1], fontsize="small")
        self._limit_scores(axes)
        label = "mean test score" if self.metric == "score" else self.metric
        for panel in axes:
            place = panel.get_subplotspec()
            if place is None or place.is_first_col():
                panel.set_ylabel(label)
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
        scores, sds = (np.asarray(part)[is_finite] for part in (self.scores, self.sds))
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
