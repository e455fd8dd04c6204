"""The regressor networks: losses and standardised targets."""

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from skreg.compatibility import StrOptions, available_if, fit_context
from skreg.estimators.base import BaseNetwork, takes_steps
from skreg.estimators.numeric_targets import (
    SCALINGS,
    has_positive_targets,
    learn_numbers,
    levels_of,
    pinball_score,
    r_squared,
    regression_loss,
)
from skreg.losses.contract import Loss
from skreg.losses.kinds import REGRESSION_LOSSES
from skreg.parameters.intervals import BETWEEN_0_AND_1
from skreg.training.threads import threads_for
from skreg.typing import ArrayLike, MatrixLike, NDArray


class BaseRegressorNetwork(RegressorMixin, BaseNetwork):
    """A network for one or several numbers."""

    _parameter_constraints = {
        **BaseNetwork._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), Loss],
        "quantile": [BETWEEN_0_AND_1, "array-like"],
    }
    _numeric_targets = True
    _n_scheduled_epochs = 15

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = has_positive_targets(self.loss)
        return tags

    def _learn_targets(self, y, classes, owner):
        y, targets = learn_numbers(y, owner)
        levels = levels_of(self._loss_of(targets))
        return y, targets.for_quantiles(levels) if levels else targets

    def _loss_of(self, targets):
        return regression_loss(self.loss, self.quantile)

    @available_if(takes_steps)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch, continuing where the last call ended.

        The standardising is learnt from the rows of all calls, for each input and
        target until it had several values in at least 32 rows, and stays from then on.
        Not available with early stopping.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs, as in `fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight, is_step=True)

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Return the predicted mean, median or quantile, or what an own loss predicts.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the units of the targets. With a list of quantiles, of shape (n_samples,
            n_quantiles), in ascending order.
        """
        return self._decoded(self._raw_predict(X))

    def score(
        self, X: MatrixLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the coefficient of determination, R^2; D^2 with a list of quantiles.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        float
            At most 1; 0 for the mean of `y`. The mean over several outputs. With a list
            of quantiles, the mean over these of scikit-learn's `d2_pinball_score`: the
            share of the pinball loss that is explained, 0 for the quantiles of `y`.
        """
        predicted = self.predict(X)
        levels = self._layout.targets.levels
        if levels:
            return pinball_score(y, predicted, levels, sample_weight)
        found = r_squared(y, predicted) if sample_weight is None else None
        if found is None:
            found = r2_score(y, predicted, sample_weight=sample_weight)
        return found

    def _decoded(self, score):
        loss, targets = self._layout.loss, self._layout.targets
        with threads_for(score.size):
            mean = loss.inverse_link(torch.from_numpy(score)).numpy()
        prediction = targets.decode(mean)
        return prediction[:, 0] if targets.is_flat else prediction

    @property
    def _predicts_its_outputs(self):
        """Whether raw outputs are predictions of scaled targets, sorted or not."""
        return SCALINGS.get(self.out_activation_) == "standard"

    @property
    def coef_(self) -> NDArray[Any]:
        """Coefficients of a linear model, of shape ([n_outputs,] n_features)."""
        coef = self._coef_of_columns(self._output_coef())
        return coef[0] if self._layout.targets.is_flat else coef

    def _output_coef(self):
        """Return the coefficients of the inputs, on the scale of the targets."""
        coef, targets = self._linear_coef()[0], self._layout.targets
        if targets.scale is not None and self._predicts_its_outputs:
            coef = coef * targets.scale[:, None]
        if targets.constants is not None:
            coef = np.where(np.isnan(targets.constants)[:, None], coef, 0.0)
        return coef

    @property
    def intercept_(self) -> float | NDArray[Any]:
        """Intercepts of a linear model: a number, or an array of shape (n_outputs,)."""
        intercept, targets = self._linear_coef()[1], self._layout.targets
        if self._predicts_its_outputs:
            intercept = targets.decode(intercept)
        elif targets.scale is not None:
            # The constant of an output is decoded as it is.
            intercept = np.log(targets.decode(np.exp(intercept)))
        return intercept[0] if targets.is_flat else intercept
