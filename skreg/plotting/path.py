"""Plot of a regularisation path."""

from typing import Any, Literal, Self

import numpy as np

from skreg.compatibility import InvalidParameterError, check_matplotlib_support
from skreg.estimators.base import BaseNetwork
from skreg.model_selection.path import RegularizationPath, regularization_path
from skreg.plotting.checks import check_axes
from skreg.typing import ArrayLike, Axes, CrossValidation, MatrixLike, Scoring


class RegularizationPathDisplay:
    """Weights of the inputs against the strength of a penalty.

    The plot is similar to that of glmnet. It has one line for each input, shows the
    number of inputs in use along the top, and marks the chosen strength.

    Parameters
    ----------
    path : RegularizationPath
        Result of `regularization_path`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the lines.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D
        One line for each input.

    See Also
    --------
    regularization_path : Compute the path.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import MLPRegressor, RegularizationPathDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> display = RegularizationPathDisplay.from_estimator(
    ...     MLPRegressor(()), X, y, n=20
    ... )
    >>> len(display.lines_)
    10
    """

    def __init__(self, path: RegularizationPath) -> None:
        self.path = path

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseNetwork,
        X: MatrixLike,
        y: ArrayLike,
        *,
        penalty: Literal["l1", "l2", "group_l1"] = "l1",
        n: int = 50,
        ratio: float = 1e-2,
        strengths: ArrayLike | None = None,
        cv: CrossValidation = 5,
        scoring: Scoring = None,
        sample_weight: ArrayLike | None = None,
        ax: Axes | None = None,
        **line_kw: Any,
    ) -> Self:
        """Compute the path of an estimator and plot it.

        Parameters
        ----------
        estimator : MLPClassifier or MLPRegressor
            The estimator. Its own strength of the penalty is ignored.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        penalty : {"l1", "l2", "group_l1"}, default="l1"
            Penalty parameter to vary.
        n : int, default=50
            Number of strengths.
        ratio : float, default=0.01
            Ratio of the smallest strength to the largest.
        strengths : array-like, default=None
            Strengths to use instead of those given by `n` and `ratio`.
        cv : int, cross-validation splitter, iterable or None, default=5
            Folds on which the strengths are scored.
        scoring : str, callable or None, default=None
            Score to choose the strength by. None is the estimator's own `score`.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `plot`.

        Returns
        -------
        RegularizationPathDisplay
            The display with its plot.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        path = regularization_path(
            estimator,
            X,
            y,
            penalty=penalty,
            n=n,
            ratio=ratio,
            strengths=strengths,
            cv=cv,
            scoring=scoring,
            sample_weight=sample_weight,
        )
        return cls(path).plot(ax, **line_kw)

    def plot(self, ax: Axes | None = None, **line_kw: Any) -> Self:
        """Plot the path.

        The lines are the weights if each input has one weight, and otherwise the
        Euclidean norm of its weights.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `plot`.

        Returns
        -------
        RegularizationPathDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        path = self.path
        if not isinstance(path, RegularizationPath):
            raise InvalidParameterError(
                "path must be a RegularizationPath, which regularization_path returns,"
                f" got {path!r}."
            )
        if ax is None:
            _, ax = plt.subplots()
        check_axes(ax)
        single = path.coefs.shape[2] == 1
        values = path.coefs[:, :, 0] if single else path.feature_norms
        self.lines_ = ax.plot(path.strengths, values, **line_kw)
        names = getattr(path.estimators[0], "feature_names_in_", range(values.shape[1]))
        for line, name in zip(self.lines_, names):
            line.set_label(str(name))
        ax.set_xscale("log" if path.strengths.min() > 0 else "symlog")
        ax.set_xlabel(path.penalty)
        ax.set_ylabel("weight" if single else "norm of the weights")
        ax.axvline(
            path.best_strength,
            color="0.3",
            linestyle="--",
            label=f"best mean score, {path.best_strength:.2g}",
        )
        self._count_inputs(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _count_inputs(self, ax):
        """Show the number of inputs in use along the top."""
        path = self.path
        at = np.unique(np.linspace(0, len(path.strengths) - 1, 7).round().astype(int))
        top = ax.secondary_xaxis("top")
        top.set_xticks(path.strengths[at], path.support[at].sum(axis=1))
        top.minorticks_off()
        top.set_xlabel("inputs in use")
