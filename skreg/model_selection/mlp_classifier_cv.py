"""A multilayer perceptron classifier that tunes itself by cross-validation."""

from functools import partial
from os import PathLike
from typing import Any, Literal

import numpy as np

from skreg.estimators.base import store_parameters
from skreg.estimators.class_predictions import (
    ClassPredictionsMixin,
    inside_unit_interval,
)
from skreg.estimators.classifier import BaseClassifierNetwork
from skreg.estimators.documentation import fill_docstring
from skreg.estimators.labels import check_indicators
from skreg.estimators.mlp import MLPClassifier
from skreg.model_selection.base_cv import BaseNetworkCV
from skreg.model_selection.class_average import ClassAverage
from skreg.model_selection.conformal import (
    adaptive_scores,
    check_coverage,
    class_sets,
)
from skreg.model_selection.defaults import SETTINGS, SMOOTHING
from skreg.model_selection.documentation import SECTIONS
from skreg.model_selection.prediction_averages import tempered
from skreg.typing import (
    ArrayLike,
    ClassWeight,
    CrossValidation,
    MatrixLike,
    NDArray,
    RandomState,
    Scoring,
)

document = partial(fill_docstring, sections=SECTIONS)


@document
class MLPClassifierCV(ClassPredictionsMixin, BaseNetworkCV):
    """Multilayer perceptron classifier that chooses its regularisation by itself.

    Candidates are drawn from a space of regularisers. All candidates and folds are
    trained together as one stack. The better candidates continue their training, and
    the predictions of the best ones are averaged with those of a linear model, from
    which the average departs as far as the held-out rows are certain of a gain.
    Probabilities are calibrated with a temperature on the held-out rows [3]_:
    overconfident predictions are moved towards the base rate.

    Parameters
    ----------
    estimator : MLPClassifier or None, default=None
        The network with the settings that all candidates share. The default network has
        two hidden layers of 64 units and ``skip="linear"``. It trains with a
        "flat_cosine" schedule for at most 32 epochs, or fewer with more than 2,000
        rows. It uses early stopping on the held-out rows and, unless targets are
        multilabel, ``label_smoothing=0.05``.
    {search}
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes in training, for all candidates, as in
        :class:`MLPClassifier`. None leaves those of `estimator`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    temperature_ : float
        Temperature by which the differences between the averaged log-probabilities and
        those of the base rate are divided. Above 1 the average was overconfident, below
        1 underconfident. It is doubled if the best candidate is not clearly better than
        a constant prediction.
    temperatures_ : ndarray of shape (n_estimators,)
        Temperatures of the networks of each candidate, learned in the same way, which
        are applied before the average. All ones for a single candidate.
    class_prior_ : ndarray of shape (n_classes,)
        The base rate: the share of each class or, for multilabel targets, the share of
        the rows with each label.
    coef_, intercept_ : ndarray
        Coefficients and intercepts on the scale of the data, if a single linear network
        predicts (``hidden_layer_sizes=()``, ``refit=True, n_ensemble=1``).
    {search_attributes}

    See Also
    --------
    MLPClassifier : The network.
    search_space : The predefined search spaces.
    BayesSearchCV : Bayesian search for any estimator.
    sklearn.linear_model.LogisticRegressionCV : Cross-validated linear classifier.

    References
    ----------
    {search_references}
    .. [3] Guo, Pleiss, Sun and Weinberger (2017), "On Calibration of Modern Neural
       Networks".

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import train_test_split
    >>> from skreg import MLPClassifierCV
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = MLPClassifierCV(n_candidates=8, random_state=0).fit(X_train, y_train)
    >>> bool(clf.score(X_test, y_test) > 0.95)
    True
    >>> clf.linear_weight_ < 1  # networks are better than the linear model alone
    True
    """

    def __init__(
        self,
        estimator: MLPClassifier | None = None,
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
        class_weight: ClassWeight = None,
    ) -> None:
        store_parameters(self, locals())

    _network = BaseClassifierNetwork
    _parameter_constraints = {
        **BaseNetworkCV._parameter_constraints,
        "class_weight": BaseClassifierNetwork._parameter_constraints["class_weight"],
    }

    def _prototype(self):
        prototype = super()._prototype()
        if self.class_weight is not None:
            prototype.set_params(class_weight=self.class_weight)
        return prototype

    def _default_estimator(self):
        return MLPClassifier(label_smoothing=SMOOTHING, **SETTINGS)

    def _average(self, prototype, data):
        return ClassAverage(data.checked.targets)

    def predict_proba(self, X: MatrixLike) -> NDArray[Any]:
        """Return the calibrated mean of the probabilities of the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities in the order of `classes_`. Each row sums to one. For
            multilabel targets, they are the probabilities of the labels instead. None
            is exactly 0 or 1, so that log losses are finite.
        """
        return inside_unit_interval(self._calibrated(self._mean(X)))

    @document
    def predict_set(
        self, X: MatrixLike, coverage: float | ArrayLike = 0.9
    ) -> NDArray[np.bool_]:
        """Return sets of classes that hold the true one with a given probability.

        They are the CV+ adaptive prediction sets of Romano, Sesia and Candès (2020).
        The score ``e_k(x, c)`` of class c is the probability of the classes that the
        networks of fold k find more probable, so that the classes with the lowest
        scores are the smallest set with a given probability. Where k(i) is the fold
        that held out row i, a class is in the set of x if ``e_k(i)(x, c)`` is above
        ``e_k(i)(x_i, y_i)`` for less than ``coverage * (n + 1)`` of the n rows. So sets
        are larger where classes are hard to tell apart.

        These are the sets without randomisation, so that equal rows have equal sets.
        The predicted class is always in. So no set is empty, and if `coverage` is below
        the accuracy, they hold the true class at least as often as predictions do.

        {guarantee}

        {coverage}

        Returns
        -------
        ndarray of bool of shape (n_samples, n_classes)
            Which classes are in the set, in the order of `classes_`. With several
            coverages, of shape (n_samples, n_classes, n_coverages).

        Raises
        ------
        AttributeError
            If it was fitted without ``refit="folds"``, or to multilabel targets.

        References
        ----------
        {conformal_references}

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from skreg import MLPClassifierCV
        >>> X, y = load_wine(return_X_y=True)
        >>> clf = MLPClassifierCV(n_candidates=4, random_state=0).fit(X, y)
        >>> is_in = clf.predict_set(X, coverage=0.95)
        >>> clf.classes_[is_in[0]]
        array([0])
        """
        levels = check_coverage(coverage)
        held_out = self._scores_kept()

        def sets(of_folds):
            probability = self._calibrated(held_out.means(of_folds))
            is_in = class_sets(held_out, probability, np.atleast_1d(levels))
            predicted = self._calibrated(np.mean(of_folds, axis=0)).argmax(axis=1)
            is_in[np.arange(len(predicted)), predicted] = True
            return is_in

        found = self._of_folds(X, sets)
        return found if levels.ndim else found[..., 0]

    def _scores_kept(self):
        self._check_can_predict()
        if self._targets.is_multilabel:
            raise AttributeError(
                "predict_set needs one class for each row, and this estimator was "
                f"fitted to {self._targets.n_outputs} labels. Fit one for each label."
            )
        return super()._scores_kept()

    @property
    def temperatures_(self) -> NDArray[Any]:
        """What calibrates the probabilities of each network before the average."""
        self._check_can_predict()
        return self._temperatures

    def _predictions(self, X):
        found = super()._predictions(X)
        if self._targets.is_multilabel or len(found) != len(self._temperatures):
            return found
        temperatures = self._temperatures[:, None, None]
        return tempered(np.stack(found), temperatures, self.class_prior_)

    def _calibrated(self, mean):
        if self._targets.is_multilabel:
            return mean
        return tempered(mean, self.temperature_, self.class_prior_)

    def _true_scores(self, prediction, y):
        if self._targets.is_multilabel:
            return None
        codes = self._targets.codes(y)[:, None]
        return np.take_along_axis(adaptive_scores(prediction), codes, axis=1)

    def _decision(self, X):
        scores = self.predict_proba(X)
        return self._targets, scores, 0.5

    @property
    def coef_(self) -> NDArray[Any]:
        """Coefficients of a single linear network, of shape (n_outputs, n_features)."""
        return self._only_network().coef_ / self.temperature_

    @property
    def intercept_(self) -> NDArray[Any]:
        """Intercepts of a single linear network, of shape (n_outputs,)."""
        intercept, prior = self._only_network().intercept_, np.log(self.class_prior_)
        if self.temperature_ == 1:
            return intercept
        prior = prior[1:] - prior[:1] if len(prior) == 2 else prior
        return (intercept - prior) / self.temperature_ + prior

    def _only_network(self):
        """Return the network, or raise an AttributeError if there are several."""
        self._check_can_predict()
        if len(self.estimators_) > 1:
            raise AttributeError(
                f"A mean of the probabilities of {len(self.estimators_)} networks has "
                "no coef_ and intercept_. Set refit=True and n_ensemble=1 for a single "
                "network, or look into estimators_."
            )
        return self.estimators_[0]

    @document
    def score(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        **params: Any,
    ) -> float:
        """Return the score by `scoring`, else the accuracy.

        {score}
        """
        check_indicators(y)
        return self._scored(super().score, X, y, sample_weight, params)
