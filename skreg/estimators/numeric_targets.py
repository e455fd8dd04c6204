"""Numbers as targets: checked, and standardised for the loss."""

import math
from dataclasses import dataclass, replace

import numpy as np
from sklearn.metrics import d2_pinball_score
from sklearn.utils import column_or_1d

from skreg.data.moments import Moments
from skreg.losses.contract import Loss
from skreg.losses.kinds import REGRESSION_LOSSES, QuantileLoss

# How targets are scaled under an inverse link. Under others they stay as they are.
SCALINGS = {"identity": "standard", "sorted": "standard", "exp": "mean"}


@dataclass(frozen=True, eq=False)
class Numbers:
    """The shape of the targets of a regressor, and their standardising.

    Parameters
    ----------
    n_outputs : int
    is_flat : bool
        Whether targets and predictions are vectors.
    dtype : {float64, float32}, default=float64
        The precision of the predictions, unless that of the network is higher: single
        for targets that came in single precision.
    offset, scale : ndarray of shape (n_outputs,) or None, default=None
        Centre and scale of the targets; counts are only scaled.
    constants : ndarray of shape (n_outputs,) or None, default=None
        The value of each output that is the same in all training rows, which is then
        predicted, and nan for the others.
    levels : tuple of float or None, default=None
        The levels of several quantiles of one target, each of which is an output.
    has_intercept : bool, default=True
        Whether the targets may be centred. Without it they are only scaled, counts not
        at all, and constants not learned: each would be an intercept on the scale of
        the data (of its logarithm for counts).
    """

    n_outputs: int
    is_flat: bool
    dtype: type = np.float64
    offset: np.ndarray | None = None
    scale: np.ndarray | None = None
    constants: np.ndarray | None = None
    levels: tuple[float, ...] | None = None
    has_intercept: bool = True

    @property
    def attributes(self):
        """Public attributes of an estimator fitted to these targets."""
        return {
            "n_outputs_": self.n_outputs,
            "target_offset_": self.offset,
            "target_scale_": self.scale,
        }

    def learned_from(self, rows, loss, standardize, fit_intercept=True):
        """Return the targets with the centre and the scale of training rows.

        Parameters
        ----------
        rows : Rows
            With checked, unencoded targets.
        loss : Loss
        standardize : bool or str
            False leaves targets as they are.
        fit_intercept : bool, default=True
        """
        targets = replace(self, has_intercept=bool(fit_intercept))
        if not standardize or scaling_for(loss) is None:
            return targets
        return targets.scaled_by(self.moments(rows), loss)

    def moments(self, rows):
        """Return the `Moments` of the unencoded targets of training rows."""
        y = columns(rows.y)
        return rows.once("targets", lambda: Moments.of(y, rows.index, rows.weight))

    def scaled_by(self, moments, loss):
        """Return the targets with the centre and the scale of some `Moments`."""
        mean, scale, kind = moments.mean, moments.scale, scaling_for(loss)
        if kind is None:
            return self
        if not self.has_intercept:
            return self if kind == "mean" else replace(self, scale=scale)
        constants = None
        if moments.is_constant.any():
            constants = np.where(moments.is_constant, mean, np.nan)
        if kind == "mean":
            scale = np.where(mean > 0, mean, 1.0)
            return replace(self, scale=scale, constants=constants)
        return replace(self, offset=mean, scale=scale, constants=constants)

    def rescaled(self, before, moments, loss):
        """Return the targets with more rows, whose settled scales stay.

        Parameters
        ----------
        before, moments : Moments
            Without and with the rows.
        loss : Loss
        """
        new, stays = self.scaled_by(moments, loss), before.is_settled()
        if new.scale is None:
            return new
        scale = np.where(stays, self.scale, new.scale)
        if new.offset is None:
            return replace(new, scale=scale)
        return replace(
            new, scale=scale, offset=np.where(stays, self.offset, new.offset)
        )

    def check_complete(self, y):
        """Do nothing: any numbers continue a fit."""

    def strata(self, y):
        """Return the classes for a stratified split: None, as there are none."""
        return None

    def encode(self, y, dtype):
        """Return the targets of the loss, of shape (n_samples, n_outputs).

        Predictions are encoded in the same way.
        """
        encoded = columns(y)
        if self.offset is not None:
            encoded = encoded - self.offset
        if self.scale is not None:
            encoded = encoded / self.scale
        if self.levels:
            # Predictions have a column for each level, and targets one for all.
            n_times = self.n_outputs // encoded.shape[1]
            encoded = np.repeat(encoded, n_times, axis=1)
        return encoded.astype(dtype)

    def decode(self, values):
        """Undo the standardising.

        The precision is that of the targets, because networks in single precision
        also learn from small differences between large targets.
        """
        dtype = np.result_type(values.dtype, self.dtype)
        if self.scale is not None:
            values = values * self.scale
        if self.offset is not None:
            values = values + self.offset
        if self.constants is not None:
            values = np.where(np.isnan(self.constants), values, self.constants)
        return values.astype(dtype, copy=False)

    def check(self, y, classes=None):
        """Check `y` of a later call against the targets of the first.

        `classes` is ignored.
        """
        y = _numeric(y, "The targets")
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        known = 1 if self.levels else self.n_outputs
        if n_outputs != known:
            raise ValueError(
                f"y must have {known} outputs as in the training data, got {n_outputs}."
            )
        return y

    def for_quantiles(self, levels):
        """Return the targets with an output for each of several quantiles.

        Parameters
        ----------
        levels : tuple of float

        Raises
        ------
        ValueError
            If there are several targets.
        """
        if not self.is_flat:
            raise ValueError(
                f"A list of quantiles needs one target, got y with {self.n_outputs} "
                f"outputs and quantile={list(levels)!r}. Fit an estimator for each "
                "output, or set quantile to a number."
            )
        return replace(self, n_outputs=len(levels), is_flat=False, levels=levels)


def columns(y):
    """Return targets with a column for each output."""
    return y.reshape(len(y), -1)


def learn_numbers(y, owner):
    """Check the targets of a first fit, and describe them.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    owner : str
        The name of the estimator, for error messages.

    Returns
    -------
    y : ndarray
    numbers : Numbers
    """
    y = _numeric(y, owner)
    dtype = np.float32 if y.dtype == np.float32 else np.float64
    return y, Numbers(1 if y.ndim == 1 else y.shape[1], y.ndim == 1, dtype)


def scaling_for(loss):
    """Return how targets are scaled for a loss: "standard", by their "mean" or None."""
    return SCALINGS.get(loss.out_activation) if loss.scales_targets else None


def regression_loss(given, quantile):
    """Return the loss that the parameters `loss` and `quantile` stand for."""
    if isinstance(given, Loss):
        return given
    kind = REGRESSION_LOSSES[given]
    return kind(quantile) if kind is QuantileLoss else kind()


def levels_of(loss):
    """Return the levels of a loss of several quantiles as a tuple, or else None."""
    several = isinstance(loss, QuantileLoss) and isinstance(loss.quantile, tuple)
    return loss.quantile if several else None


def pinball_score(y, predicted, levels, sample_weight=None):
    """Return the share of the pinball loss that quantiles explain, the mean over them.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    predicted : ndarray of shape (n_samples, n_quantiles)
    levels : sequence of float
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    float
        At most 1; 0 for the quantiles of `y`.
    """
    return float(
        np.mean(
            [
                d2_pinball_score(y, column, sample_weight=sample_weight, alpha=level)
                for level, column in zip(levels, predicted.T)
            ]
        )
    )


def r_squared(y, predicted):
    """Return R^2 of two vectors, as `sklearn.metrics.r2_score` does.

    Parameters
    ----------
    y, predicted : array-like

    Returns
    -------
    float or None
        None if these are not two vectors of double precision, of finite numbers that
        vary, which `r2_score` has to check.
    """
    are_vectors = all(
        type(part) is np.ndarray and part.dtype == np.float64 and part.ndim == 1
        for part in (y, predicted)
    )
    if not are_vectors or not 2 <= len(y) == len(predicted):
        return None
    y, predicted = y[:, None], predicted[:, None]  # which are summed in its order
    with np.errstate(over="ignore", invalid="ignore"):
        around = ((y - y.mean(axis=0)) ** 2).sum(axis=0)[0]
        missed = ((y - predicted) ** 2).sum(axis=0)[0]
    if around == 0 or not math.isfinite(around + missed):
        return None
    return float(1 - missed / around)


def _numeric(y, owner):
    if y.dtype.kind not in "biuf":
        raise ValueError(f"{owner} needs numbers as targets, got y of dtype {y.dtype}.")
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def check_values(y, loss, given, is_whole):
    """Raise if a loss cannot take some targets.

    Parameters
    ----------
    y : ndarray
        Checked, unencoded targets.
    loss : Loss
    given : object
        The parameter that stands for the loss, for the message.
    is_whole : bool
        Whether the scale is that of these targets alone.
    """
    low, high = loss.target_range
    if (low, high) == (-math.inf, math.inf):
        return
    needs_scale = is_whole and scaling_for(loss) == "mean"
    if np.any((y < low) | (y > high)) or (needs_scale and not np.any(y > 0)):
        wanted = "not negative" if low == 0 else f"at least {low:g}"
        if high < math.inf:
            wanted = f"between {low:g} and {high:g}"
        if scaling_for(loss) == "mean":
            wanted += " and not all zero"
        raise ValueError(
            f"loss={given!r} needs targets that are {wanted}, got values from "
            f"{y.min():g} to {y.max():g}."
        )


def has_positive_targets(given):
    """Return whether the parameter `loss` needs targets that are not negative.

    Parameters
    ----------
    given : object
        Not checked yet.
    """
    kind = REGRESSION_LOSSES.get(given) if isinstance(given, str) else given
    return getattr(kind, "target_range", (-math.inf, math.inf))[0] >= 0
