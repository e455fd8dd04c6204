"""Plot of the losses of each epoch."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skreg.compatibility import InvalidParameterError, check_matplotlib_support
from skreg.estimators.nested import nested
from skreg.model_selection.base_cv import BaseNetworkCV
from skreg.plotting.checks import check_axes, check_mapping, numbers
from skreg.typing import ArrayLike, Axes, Estimator, Line2D


class LearningCurvesDisplay:
    """Training and validation loss of each epoch, with the best epoch marked.

    The training curve shows the objective that is minimised, including penalties, as
    the mean over the batches of each epoch. The validation loss has no penalties,
    dropout or mixup, so the training curve may be above it.

    Parameters
    ----------
    loss_curves : dict of str to array-like of shape (n_epochs,)
        Training losses by name.
    validation_loss_curves : dict of str to array-like, default=None
        Validation losses by name. Estimators without them are left out.
    best_points : dict of str to (int, float), default=None
        Best epoch, counted from 1, and its loss, by name. These points are marked.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure containing the axes.
    lines_ : list of matplotlib Line2D
        Training curve of each estimator, followed by its validation curve if it has
        one.
    best_lines_ : list of matplotlib Line2D
        Mark of the best epoch of each estimator in `best_points`.

    See Also
    --------
    SearchDisplay : Scores against hyperparameters.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import LearningCurvesDisplay, MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier(
    ...     (8,), early_stopping=True, learning_rate_init=0.01, random_state=0
    ... ).fit(X, y)
    >>> display = LearningCurvesDisplay.from_estimator(network)
    >>> len(display.lines_)
    2
    """

    def __init__(
        self,
        loss_curves: Mapping[str, ArrayLike],
        validation_loss_curves: Mapping[str, ArrayLike] | None = None,
        best_points: Mapping[str, tuple[int, float]] | None = None,
    ) -> None:
        self.loss_curves = loss_curves
        self.validation_loss_curves = validation_loss_curves
        self.best_points = best_points

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator | Sequence[Estimator] | dict[str, Any],
        *,
        ax: Axes | None = None,
        **line_kw: Any,
    ) -> Self:
        """Plot the learning curves of fitted estimators.

        Parameters
        ----------
        estimator : estimator, list of estimator or dict of str to estimator
            Fitted networks, or fitted pipelines or searches that contain one. Of an
            MLPClassifierCV or MLPRegressorCV, the networks of all folds are shown that
            have the best candidate in the average. The estimators of a list are named
            by their position.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `plot`.

        Returns
        -------
        LearningCurvesDisplay
            The display with its plot.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        if isinstance(estimator, dict):
            named = dict(estimator)
        elif isinstance(estimator, list | tuple):
            named = {str(i): each for i, each in enumerate(estimator)}
        else:
            named = {"": estimator}
        if not named:
            raise InvalidParameterError("estimator must hold at least one estimator.")
        networks = {
            " ".join(filter(None, [str(name), part])): network
            for name, each in named.items()
            for part, network in find_networks(each).items()
        }
        validation = {
            name: network.validation_loss_curve_
            for name, network in networks.items()
            if getattr(network, "validation_loss_curve_", None)
        }
        best = {
            name: _best_point(network)
            for name, network in networks.items()
            if hasattr(network, "best_iter_")
        }
        curves = {name: network.loss_curve_ for name, network in networks.items()}
        return cls(curves, validation, best).plot(ax, **line_kw)

    def plot(self, ax: Axes | None = None, **line_kw: Any) -> Self:
        """Plot the learning curves.

        The axis of the loss is logarithmic if all losses are positive and span more
        than a decade.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure and axes are created.
        **line_kw : dict
            Keyword arguments passed to matplotlib's `plot`.

        Returns
        -------
        LearningCurvesDisplay
            The display itself.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt
        from matplotlib.ticker import LogLocator, MaxNLocator, StrMethodFormatter

        self._check()
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        check_axes(ax)
        self.lines_: list[Line2D] = []
        self.best_lines_: list[Line2D] = []
        for position, name in enumerate(self.loss_curves):
            self._plot_one(ax, name, position, line_kw)
        values = np.concatenate([line.get_ydata() for line in self.lines_])
        values = values[np.isfinite(values)]
        if len(values) and values.min() > 0 and values.max() > 10 * values.min():
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            ax.minorticks_off()
        whole = MaxNLocator(integer=True, steps=[1, 2, 5, 10])
        ax.xaxis.set_major_locator(whole)
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss")
        if len(self.loss_curves) == 1:
            ax.legend()
        else:
            # The legend is above the axes, because it may be long and cover curves.
            place: dict[str, Any] = {
                "loc": "lower left",
                "bbox_to_anchor": (0, 1),
                "ncols": 2,
            }
            ax.legend(**place, frameon=False, fontsize="small", borderaxespad=0.2)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _check(self):
        check_mapping("loss_curves", self.loss_curves, "losses by name")
        for name in ("validation_loss_curves", "best_points"):
            expected = "losses" if name.startswith("v") else "(epoch, loss)"
            value = getattr(self, name)
            check_mapping(name, value, f"{expected} by name", is_optional=True)
        for name, point in (self.best_points or {}).items():
            if len(numbers(f"best_points[{name!r}]", point)) != 2:
                raise InvalidParameterError(
                    f"best_points[{name!r}] must be (epoch, loss), got {point!r}."
                )

    def _plot_one(self, ax, name, position, line_kw):
        """Plot the curves of one estimator, in two colours if it is the only one."""
        is_only = len(self.loss_curves) == 1
        color = f"C{position % 10}"
        validation = (self.validation_loss_curves or {}).get(name)
        dots = ":" if validation is not None and not is_only else "-"
        curves = [("training objective", self.loss_curves[name], color, dots)]
        if validation is not None:
            other = "C1" if is_only else color
            curves.append(("validation loss", validation, other, "-"))
        for kind, curve, color, linestyle in curves:
            curve = numbers(f"the {kind} of {name!r}", curve)
            label = " ".join(filter(None, [str(name), kind]))
            style = {"label": label, "color": color, "linestyle": linestyle} | line_kw
            self.lines_ += ax.plot(np.arange(1, len(curve) + 1), curve, **style)
        point = (self.best_points or {}).get(name)
        if point is None:
            return
        label = f"best epoch, {point[0]}" if is_only else None
        style = {"marker": "o", "linestyle": "none", "markeredgecolor": "black"}
        style |= {"color": self.lines_[-1].get_color(), "zorder": 3, "label": label}
        self.best_lines_ += ax.plot(*([each] for each in point), **style)


def _best_point(network):
    """Return the best epoch and its loss, on the curve by which it was chosen."""
    by_validation = getattr(network, "validation_scores_", None) is not None
    curve = network.validation_loss_curve_ if by_validation else network.loss_curve_
    return network.best_iter_, curve[network.best_iter_ - 1]


def find_network(estimator):
    """Return the network (with a `loss_curve_`) inside a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        A fitted network, or a pipeline or search that contains one.

    Returns
    -------
    estimator
        The network.

    Raises
    ------
    ValueError
        If the estimator contains no network.
    """
    check_is_fitted(estimator)
    for _, inner in nested(estimator):
        if hasattr(inner, "loss_curve_"):
            return inner
    raise ValueError(
        "estimator must be a network with a loss_curve_, or a pipeline or search that "
        f"contains one, got {estimator!r}."
    )


def find_networks(estimator):
    """Return the networks inside a fitted estimator whose curves are shown.

    Parameters
    ----------
    estimator : estimator
        A fitted network, or a pipeline or search that contains one.

    Returns
    -------
    dict of str to estimator
        Of an estimator that averages networks, those of each fold with the best
        candidate in the average, by the name of the fold. Otherwise a single network
        without a name.

    Raises
    ------
    ValueError
        If the estimator contains no network.
    """
    averaged = [s for _, s in nested(estimator) if isinstance(s, BaseNetworkCV)]
    if not averaged or not hasattr(averaged[0], "best_params_"):
        return {"": find_network(estimator)}
    search = averaged[0]
    if not hasattr(search, "estimators_"):
        raise ValueError(
            f"estimator must hold networks, and {type(search).__name__} with"
            " refit=False keeps none. Set refit='folds' or refit=True."
        )
    # The networks of the best candidate come first, unless it has no weight.
    if search.refit != "folds" or search.n_splits_ == 1:
        return {"": search.estimators_[0]}
    folds = search.estimators_[: search.n_splits_]
    return {f"fold {i}": network for i, network in enumerate(folds, start=1)}
