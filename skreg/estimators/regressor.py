"""What makes a network a regressor: losses and standardised targets."""

from numbers import Real

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions

from skreg.data.moments import standardisation
from skreg.estimators.base import BaseNetwork
from skreg.networks.losses import REGRESSION_LOSSES, PoissonLoss, QuantileLoss


class BaseRegressorNetwork(RegressorMixin, BaseNetwork):
    """A network for one or several numbers."""

    _parameter_constraints = {
        **BaseNetwork._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES))],
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }
    _numeric_targets = True
    _n_scheduled_epochs = 15

    def _check_targets(self, y, continuing, classes):
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"{type(self).__name__} needs numbers as targets, got y of "
                f"dtype {y.dtype}."
            )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        if not continuing:
            self.n_outputs_, self._flat = n_outputs, y.ndim == 1
        elif n_outputs != self.n_outputs_:
            raise ValueError(
                f"y must have {self.n_outputs_} outputs as in the training data, got "
                f"{n_outputs}."
            )
        if self.loss == "poisson" and (
            np.any(y < 0) or (not continuing and not np.any(y > 0))
        ):
            raise ValueError(
                "loss='poisson' needs targets that are not negative and not all zero, "
                f"got values from {y.min():g} to {y.max():g}."
            )
        return y

    def _make_loss(self):
        kind = REGRESSION_LOSSES[self.loss]
        return kind(self.quantile) if kind is QuantileLoss else kind()

    def _fit_encoding(self, rows):
        """Learn the centre and scale of the targets; counts are only scaled."""
        self.target_offset_ = self.target_scale_ = None
        if not self.standardize:
            return
        columns = rows.y.reshape(len(rows.y), -1).astype(np.float64)
        mean, scale = rows.once(
            "targets", lambda: standardisation(columns, rows.index, rows.weight)
        )
        if isinstance(self._loss, PoissonLoss):
            self.target_scale_ = np.where(mean > 0, mean, 1.0)
        else:
            self.target_offset_, self.target_scale_ = mean, scale

    def _encode(self, y, dtype):
        encoded = y.reshape(len(y), -1)
        if self.target_offset_ is not None:
            encoded = encoded - self.target_offset_
        if self.target_scale_ is not None:
            encoded = encoded / self.target_scale_
        return encoded.astype(dtype)

    def _on_target_scale(self, values):
        """Undo the scaling of the targets, in the precision of `values`."""
        if self.target_scale_ is not None:
            values = values * self.target_scale_.astype(values.dtype)
        if self.target_offset_ is not None:
            values = values + self.target_offset_.astype(values.dtype)
        return values

    def predict(self, X):
        """Return the predicted mean, median or quantile.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the units of the targets.
        """
        prediction = self._on_target_scale(self._mean_prediction(X))
        return prediction[:, 0] if self._flat else prediction

    @property
    def coef_(self):
        """Coefficients of a linear model, of shape ([n_outputs,] n_features)."""
        coef = self._linear_coef()[0]
        if self.target_scale_ is not None and self.out_activation_ == "identity":
            coef = coef * self.target_scale_[:, None]
        return coef[0] if self._flat else coef

    @property
    def intercept_(self):
        """Intercepts of a linear model: a number, or an array of shape (n_outputs,)."""
        intercept = self._linear_coef()[1]
        if self.out_activation_ == "identity":
            intercept = self._on_target_scale(intercept)
        elif self.target_scale_ is not None:
            intercept = intercept + np.log(self.target_scale_)
        return intercept[0] if self._flat else intercept
