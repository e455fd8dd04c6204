"""Numbers as targets: checked, and standardised for the loss."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils import column_or_1d

from skreg.data.standardisation import standardisation
from skreg.networks.losses import REGRESSION_LOSSES, PoissonLoss, QuantileLoss


@dataclass(frozen=True, eq=False)
class Numbers:
    """The shape of the targets of a regressor, and their standardising.

    Parameters
    ----------
    n_outputs : int
    is_flat : bool
        Whether targets and predictions are vectors.
    offset, scale : ndarray of shape (n_outputs,) or None, default=None
        Centre and scale of the targets; counts are only scaled.
    """

    n_outputs: int
    is_flat: bool
    offset: np.ndarray | None = None
    scale: np.ndarray | None = None

    @property
    def attributes(self):
        """Public attributes of an estimator fitted to these targets."""
        return {
            "n_outputs_": self.n_outputs,
            "target_offset_": self.offset,
            "target_scale_": self.scale,
        }

    def learned_from(self, rows, loss, standardize):
        """Return the targets with the centre and the scale of training rows.

        Parameters
        ----------
        rows : Rows
            With checked, unencoded targets.
        loss : Loss
        standardize : bool or str
            False leaves targets as they are.
        """
        if not standardize:
            return self
        columns = rows.y.reshape(len(rows.y), -1).astype(np.float64)
        mean, scale = rows.once(
            "targets", lambda: standardisation(columns, rows.index, rows.weight)
        )
        if isinstance(loss, PoissonLoss):
            return replace(self, scale=np.where(mean > 0, mean, 1.0))
        return replace(self, offset=mean, scale=scale)

    def strata(self, y):
        """Return the classes for a stratified split: None, as there are none."""
        return None

    def encode(self, y, dtype):
        """Return the targets of the loss, of shape (n_samples, n_outputs)."""
        encoded = y.reshape(len(y), -1)
        if self.offset is not None:
            encoded = encoded - self.offset
        if self.scale is not None:
            encoded = encoded / self.scale
        return encoded.astype(dtype)

    def decode(self, values):
        """Undo the standardising, in the precision of `values`."""
        if self.scale is not None:
            values = values * self.scale.astype(values.dtype)
        if self.offset is not None:
            values = values + self.offset.astype(values.dtype)
        return values

    def check(self, y, classes=None):
        """Check `y` of a later call against the targets of the first.

        `classes` is ignored.
        """
        y = _numeric(y, "The targets")
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        if n_outputs != self.n_outputs:
            raise ValueError(
                f"y must have {self.n_outputs} outputs as in the training data, got "
                f"{n_outputs}."
            )
        return y


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
    return y, Numbers(1 if y.ndim == 1 else y.shape[1], y.ndim == 1)


def regression_loss(name, quantile):
    """Return the loss that the parameters `loss` and `quantile` stand for."""
    kind = REGRESSION_LOSSES[name]
    return kind(quantile) if kind is QuantileLoss else kind()


def _numeric(y, owner):
    if y.dtype.kind not in "biuf":
        raise ValueError(f"{owner} needs numbers as targets, got y of dtype {y.dtype}.")
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y


def check_values(y, loss, is_first):
    """Raise if a loss cannot take some targets.

    Parameters
    ----------
    y : ndarray
        Checked, unencoded targets.
    loss : Loss
    is_first : bool
        Whether these are the targets of a first fit.
    """
    if not isinstance(loss, PoissonLoss):
        return
    if np.any(y < 0) or (is_first and not np.any(y > 0)):
        raise ValueError(
            "loss='poisson' needs targets that are not negative and not all zero, got "
            f"values from {y.min():g} to {y.max():g}."
        )
