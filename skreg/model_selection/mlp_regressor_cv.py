"""A multilayer perceptron regressor that tunes itself by cross-validation."""

from functools import partial
from os import PathLike
from typing import Any, Literal

import numpy as np
from sklearn.base import RegressorMixin

from skreg.estimators.base import store_parameters
from skreg.estimators.documentation import fill_docstring
from skreg.estimators.mlp import MLPRegressor
from skreg.estimators.numeric_targets import columns, pinball_score
from skreg.estimators.regressor import BaseRegressorNetwork
from skreg.model_selection.base_cv import BaseNetworkCV
from skreg.model_selection.conformal import (
    check_coverage,
    interval_scores,
    intervals,
)
from skreg.model_selection.defaults import SETTINGS
from skreg.model_selection.documentation import SECTIONS
from skreg.model_selection.number_average import NumberAverage
from skreg.model_selection.prediction_averages import mean_over
from skreg.model_selection.target_loss import target_loss
from skreg.typing import (
    ArrayLike,
    CrossValidation,
    MatrixLike,
    NDArray,
    RandomState,
    Scoring,
)

document = partial(fill_docstring, sections=SECTIONS)


@document
class MLPRegressorCV(RegressorMixin, BaseNetworkCV):
    """Multilayer perceptron regressor that chooses its regularisation by itself.

    Candidates are drawn from a space of regularisers. All candidates and folds are
    trained together as one stack. The better candidates continue their training, and
    the predictions of the best ones are averaged with those of a linear model, from
    which the average departs as far as the held-out rows are certain of a gain.

    Parameters
    ----------
    estimator : MLPRegressor or None, default=None
        The network with the settings that all candidates share. The default network has
        two hidden layers of 64 units and ``skip="linear"``. It trains with a
        "flat_cosine" schedule for at most 32 epochs, or fewer with more than 2,000
        rows. It uses early stopping on the held-out rows.
    {search}

    Attributes
    ----------
    target_center_ : float or ndarray of shape (n_outputs,)
        The best constant prediction.
    shrinkage_ : float
        Factor of the difference between predictions and `target_center_`. It is 1, or
        less if the best candidate is not clearly better than a constant prediction.
    coef_, intercept_ : ndarray
        Coefficients and intercepts on the scale of the data, if the networks are linear
        (``hidden_layer_sizes=()``) and not those of counts.
    {search_attributes}

    See Also
    --------
    MLPRegressor : The network.
    search_space : The predefined search spaces.
    BayesSearchCV : Bayesian search for any estimator.
    sklearn.linear_model.RidgeCV : Cross-validated linear regressor.

    References
    ----------
    {search_references}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import MLPRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> reg = MLPRegressorCV(n_candidates=8, random_state=0).fit(X, y)
    >>> reg.predict(X[:2]).shape
    (2,)
    """

    def __init__(
        self,
        estimator: MLPRegressor | None = None,
        *,
        param_distributions: Literal["regularization", "cocktail"]
        | dict[str, Any] = "regularization",
        n_candidates: int = 12,
        cv: CrossValidation = None,
        scoring: Scoring = None,
        strategy: Literal["halving", "random", "grid", "bayes"] = "halving",
        refit: bool | Literal["folds"] = "folds",
        n_ensemble: int = 3,
        linear_path: bool | Literal["auto"] = "auto",
        max_time: float | None = None,
        checkpoint: str | PathLike[str] | None = None,
        checkpoint_interval: float | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: bool | int = False,
    ) -> None:
        store_parameters(self, locals())

    _network = BaseRegressorNetwork

    def _default_estimator(self):
        return MLPRegressor(**SETTINGS)

    def _average(self, prototype, data):
        return NumberAverage(target_loss(prototype, data))

    @document
    def score(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        **params: Any,
    ) -> float:
        """Return the score by `scoring`, else R2, or D2 of a list of quantiles.

        {score}
        """
        default = self._pinball_score if self._targets.levels else super().score
        return self._scored(default, X, y, sample_weight, params)

    def _pinball_score(self, X, y, sample_weight):
        return pinball_score(y, self.predict(X), self._targets.levels, sample_weight)

    def predict(self, X: MatrixLike) -> NDArray[Any]:
        """Return the mean of the predictions of the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the units of the targets.
        """
        return self._calibrated(self._mean(X))

    @document
    def predict_interval(
        self, X: MatrixLike, coverage: float | ArrayLike = 0.9
    ) -> NDArray[Any]:
        """Return intervals that hold the target with a given probability.

        They are the CV+ intervals of Barber, Candès, Ramdas and Tibshirani (2021). With
        the networks of the fold k(i) that held out row i, which predict
        ``m_k(i)(x)``, and the residuals ``r_i = |y_i - m_k(i)(x_i)|``, the bounds for x
        are the ``floor((1 - coverage) * (n + 1))``-th smallest of the numbers
        ``m_k(i)(x) - r_i`` and the ``ceil(coverage * (n + 1))``-th smallest of the
        numbers ``m_k(i)(x) + r_i``. They are infinite if n is below
        ``coverage / (1 - coverage)``.

        {guarantee}

        {coverage}

        Returns
        -------
        ndarray of shape (n_samples, 2) or (n_samples, n_outputs, 2)
            Lower and upper bounds, in the units of the targets, for each output by
            itself. With several coverages, these are a last axis, of length
            n_coverages.

        Raises
        ------
        AttributeError
            If it was fitted without ``refit="folds"``.

        References
        ----------
        {conformal_references}

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from skreg import MLPRegressorCV
        >>> X, y = load_diabetes(return_X_y=True)
        >>> reg = MLPRegressorCV(n_candidates=4, random_state=0).fit(X, y)
        >>> low, high = reg.predict_interval(X, coverage=0.8).T
        >>> bool((low < high).all())
        True
        """
        levels = check_coverage(coverage)
        held_out = self._scores_kept()

        def bounds(of_folds):
            predicted = self._calibrated(held_out.means(of_folds))
            low, high = self._ends(predicted, n_axes=3)
            found = intervals(held_out, low, high, np.atleast_1d(levels))
            return found.astype(of_folds[0].dtype, copy=False)

        found = self._of_folds(X, bounds)
        found = found[:, 0] if found.shape[1] == 1 else found
        return found if levels.ndim else found[..., 0]

    def _ends(self, prediction, n_axes):
        """Return the ends of what is predicted, with an axis for the outputs."""
        if prediction.ndim < n_axes:
            prediction = prediction[..., None]
        if self._targets.levels:
            return prediction[..., :1], prediction[..., -1:]
        return prediction, prediction

    def _calibrated(self, mean):
        if self.shrinkage_ == 1:
            return mean
        center = np.asarray(self.target_center_, mean.dtype)
        return center + mean.dtype.type(self.shrinkage_) * (mean - center)

    def _true_scores(self, prediction, y):
        low, high = self._ends(prediction, n_axes=2)
        return interval_scores(low, high, columns(y))

    @property
    def coef_(self) -> NDArray[Any]:
        """Coefficients of linear networks, of shape ([n_outputs,] n_features)."""
        self._check_can_predict()
        mean = mean_over((each.coef_ for each in self.estimators_), self.weights_)
        return self.shrinkage_ * mean

    @property
    def intercept_(self) -> float | NDArray[Any]:
        """Intercepts of linear networks: a number, or of shape (n_outputs,)."""
        self._check_can_predict()
        networks = self.estimators_
        mean = mean_over((each.intercept_ for each in networks), self.weights_)
        return self.target_center_ + self.shrinkage_ * (mean - self.target_center_)
