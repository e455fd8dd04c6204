"""Plot of how often intervals or sets hold the truth."""

from typing import Any, Self

import numpy as np

from skreg.compatibility import InvalidParameterError, check_matplotlib_support
from skreg.data.sample_weights import effective_n_rows
from skreg.model_selection.conformal import check_coverage
from skreg.model_selection.mlp_classifier_cv import MLPClassifierCV
from skreg.model_selection.mlp_regressor_cv import MLPRegressorCV
from skreg.plotting.checks import check_axes
from skreg.typing import ArrayLike, Axes, Line2D, MatrixLike

# The band holds shares that are this many standard errors from the nominal coverage.
N_ERRORS = 2.0


class CoverageDisplay:
    """The share of rows whose target is in its interval or set, against the nominal.

    The diagonal is where both are equal. The band around it is two standard errors
    wide to each side: where the share of as many independent rows would be in 95 of 100
    cases if it held exactly. The mean size of the intervals or sets is along the top.

    Parameters
    ----------
    coverage : array-like of shape (n_coverages,)
        The nominal coverages.
    empirical : array-like of shape (n_coverages,) or (n_coverages, n_outputs)
        The shares of the rows.
    sizes : array-like of the same shape
        The mean sizes of the intervals or sets. They are shown for a single output.
    n_samples : float
        The number of rows, which determines the width of the band.
    size_name : str, default="mean width"
        What the sizes are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D
        The curve of each output.

    See Also
    --------
    MLPRegressorCV.predict_interval : Intervals.
    MLPClassifierCV.predict_set : Sets of classes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> from skreg import CoverageDisplay, MLPRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> reg = MLPRegressorCV(n_candidates=4, random_state=0).fit(X_train, y_train)
    >>> display = CoverageDisplay.from_estimator(reg, X_test, y_test)
    >>> len(display.lines_)
    1
    """

    def __init__(
        self,
        coverage: ArrayLike,
        empirical: ArrayLike,
        sizes: ArrayLike,
        *,
        n_samples: float,
        size_name: str = "mean width",
    ) -> None:
        self.coverage = coverage
        self.empirical = empirical
        self.sizes = sizes
        self.n_samples = n_samples
        self.size_name = size_name

    @classmethod
    def from_estimator(
        cls,
        estimator: MLPRegressorCV | MLPClassifierCV,
        X: MatrixLike,
        y: ArrayLike,
        *,
        coverage: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
        **line_kw: Any,
    ) -> Self:
        """Predict intervals or sets of rows, and plot how often they hold the truth.

        Parameters
        ----------
        estimator : MLPRegressorCV or MLPClassifierCV
            A fitted one, or any estimator with such a `predict_interval` or
            `predict_set`.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that it was not fitted to.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        coverage : array-like of shape (n_coverages,), default=None
            The nominal coverages. None is 0.05, 0.1, ..., 0.95.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `plot`.

        Returns
        -------
        CoverageDisplay
            The display with its plot.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        levels = np.arange(1, 20) / 20 if coverage is None else coverage
        levels = np.atleast_1d(check_coverage(levels))
        if hasattr(estimator, "predict_interval"):
            found = _intervals(estimator.predict_interval(X, levels), np.asarray(y))
        elif hasattr(estimator, "predict_set"):
            classes = np.asarray(y)[:, None] == estimator.classes_
            found = _sets(estimator.predict_set(X, levels), classes)
        else:
            raise InvalidParameterError(
                "estimator must be a fitted MLPRegressorCV or MLPClassifierCV, or have "
                f"a predict_interval or predict_set like theirs, got {estimator!r}."
            )
        weight = None if sample_weight is None else np.asarray(sample_weight, float)
        is_in, sizes, size_name = found
        empirical, sizes = (
            np.average(f, axis=0, weights=weight) for f in (is_in, sizes)
        )
        n_samples = effective_n_rows(len(is_in), weight)
        display = cls(
            levels, empirical.T, sizes.T, n_samples=n_samples, size_name=size_name
        )
        return display.plot(ax, **line_kw)

    def plot(self, ax: Axes | None = None, **line_kw: Any) -> Self:
        """Plot the coverage.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `plot`.

        Returns
        -------
        CoverageDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        levels, empirical, sizes = self._checked()
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        check_axes(ax)
        grid = np.linspace(0, 1, 101)
        error = N_ERRORS * np.sqrt(grid * (1 - grid) / self.n_samples)
        low, high = np.maximum(grid - error, 0), np.minimum(grid + error, 1)
        ax.fill_between(grid, low, high, color="0.9", linewidth=0, zorder=0)
        ax.axline((0, 0), slope=1, color="0.5", linewidth=1, zorder=1)
        style: dict[str, Any] = {"marker": "o", "markersize": 4}
        self.lines_: list[Line2D] = ax.plot(levels, empirical, **style | line_kw)
        if empirical.shape[1] > 1:
            for output, line in enumerate(self.lines_):
                line.set_label(f"output {output}")
            ax.legend()
        else:
            self._show_sizes(ax, levels, sizes[:, 0])
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1)
        ax.set_aspect("equal")
        ax.set_xlabel("nominal coverage")
        ax.set_ylabel("share of rows with their target inside")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _checked(self):
        """Return the arrays of the plot, those of outputs with a column for each."""
        levels = np.atleast_1d(check_coverage(self.coverage))
        arrays = [np.asarray(each, float) for each in (self.empirical, self.sizes)]
        arrays = [each[:, None] if each.ndim == 1 else each for each in arrays]
        if any(each.ndim != 2 or len(each) != len(levels) for each in arrays):
            raise InvalidParameterError(
                "empirical and sizes must have a row for each coverage, got shapes "
                f"{np.shape(self.empirical)} and {np.shape(self.sizes)} for "
                f"{len(levels)} coverages."
            )
        return levels, *arrays

    def _show_sizes(self, ax, levels, sizes):
        """Show the mean sizes along the top."""
        at = np.unique(np.linspace(0, len(levels) - 1, 7).round().astype(int))
        top = ax.secondary_xaxis("top")
        top.set_xticks(levels[at], [f"{size:.3g}" for size in sizes[at]])
        top.set_xlabel(self.size_name)


def _intervals(bounds, y):
    """Return which targets are in, the widths, and their name.

    The arrays have shape (n_samples, [n_outputs,] n_coverages).
    """
    low, high = np.moveaxis(bounds, -2, 0)
    return (low <= y[..., None]) & (y[..., None] <= high), high - low, "mean width"


def _sets(sets, is_class):
    """Return which true classes are in, the sizes, and their name."""
    is_in = (sets & is_class[..., None]).any(axis=1)
    return is_in, sets.sum(axis=1), "mean number of classes"
