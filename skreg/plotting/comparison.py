"""Plot of the differences from the baseline in a comparison."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np

from skreg.compatibility import check_matplotlib_support
from skreg.plotting.checks import check_axes, check_has
from skreg.plotting.spread import spread
from skreg.typing import Axes, ErrorbarContainer, Line2D, NDArray


class Comparison(Protocol):
    """The attributes of a `ComparisonResult` that are plotted."""

    @property
    def baseline(self) -> str:
        """Name of the baseline."""

    @property
    def scoring(self) -> str:
        """Name of the score."""

    @property
    def confidence_level(self) -> float:
        """Level of the confidence intervals."""

    @property
    def scores(self) -> Mapping[str, NDArray[Any]]:
        """Scores on each split."""

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Differences from the baseline, with confidence intervals."""


class ComparisonDisplay:
    """Differences between the scores of each estimator and those of the baseline.

    The plot shows a dot for each split, and the mean with its confidence interval,
    which is corrected for the overlap of the training rows. There is no interval where
    nothing can be told. A vertical line marks no difference.

    Parameters
    ----------
    result : ComparisonResult
        Result of `compare`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the differences.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D
        Dots of each estimator except the baseline.
    errorbars_ : list of matplotlib ErrorbarContainer
        Mean and confidence interval of each estimator except the baseline.

    See Also
    --------
    compare : Compare estimators with a baseline.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.dummy import DummyRegressor
    >>> from sklearn.linear_model import Ridge
    >>> from skreg import ComparisonDisplay, compare
    >>> X, y = load_diabetes(return_X_y=True)
    >>> result = compare(
    ...     {"mean": DummyRegressor(), "ridge": Ridge()}, X, y, random_state=0
    ... )
    >>> display = ComparisonDisplay.from_result(result)
    >>> len(display.lines_)
    1
    """

    def __init__(self, result: Comparison) -> None:
        self.result = result

    @classmethod
    def from_result(
        cls, result: Comparison, *, ax: Axes | None = None, **line_kw: Any
    ) -> Self:
        """Plot a comparison.

        Parameters
        ----------
        result : ComparisonResult
            Result of `compare`.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `plot` for the dots.

        Returns
        -------
        ComparisonDisplay
            The display with its plot.
        """
        check_matplotlib_support(f"{cls.__name__}.from_result")
        return cls(result).plot(ax, **line_kw)

    def plot(self, ax: Axes | None = None, **line_kw: Any) -> Self:
        """Plot the differences.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `plot` for the dots.

        Returns
        -------
        ComparisonDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        result = self.result
        attributes = ("baseline", "scoring", "confidence_level", "scores", "statistics")
        expected = "a ComparisonResult, which compare returns"
        check_has("result", result, attributes, expected)
        names = [name for name in result.scores if name != result.baseline]
        if ax is None:
            size = (6.4, 1.4 + 0.8 * len(names))
            _, ax = plt.subplots(figsize=size, layout="constrained")
        check_axes(ax)
        ax.axvline(0.0, color="0.5", linewidth=1, zorder=0)
        self.lines_: list[Line2D] = []
        self.errorbars_: list[ErrorbarContainer] = []
        for row, name in enumerate(names):
            self._plot_row(ax, row, name, line_kw)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(f"{result.scoring}, difference from {result.baseline}")
        handles: list[Any] = [self.lines_[0], self.errorbars_[0]]
        ax.legend(
            handles,
            ["each split", self._mean_label(names)],
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            frameon=False,
            borderaxespad=0.2,
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _mean_label(self, names):
        """Name the marks of the means. Few splits, or equal ones, have no interval."""
        result = self.result
        if all(np.isnan(result.statistics[name].ci_low) for name in names):
            return "mean"
        return f"mean and {100 * result.confidence_level:g} % interval"

    def _plot_row(self, ax, row, name, line_kw):
        """Draw the dots of an estimator below its mean and interval."""
        result, values = self.result, self.result.statistics[name]
        differences = result.scores[name] - result.scores[result.baseline]
        heights = row + 0.07 + 0.16 * spread(len(differences))
        style = {"color": "C0", "marker": "o", "markersize": 4, "alpha": 0.5}
        style |= {"linestyle": "none", "markeredgewidth": 0}
        self.lines_ += ax.plot(differences, heights, **style | line_kw)
        reach = [
            [values.difference - values.ci_low],
            [values.ci_high - values.difference],
        ]
        self.errorbars_.append(
            ax.errorbar(
                [values.difference],
                [row - 0.12],
                xerr=reach,
                fmt="D",
                markersize=5,
                color="C1",
                capsize=4,
            )
        )
