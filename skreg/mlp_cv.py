"""Multilayer perceptrons that tune their own regularisation: the public estimators."""

from functools import partial

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import (
    make_scorer,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)
from sklearn.model_selection import KFold, StratifiedKFold

from skreg._cross_validated import BaseNetworkCV
from skreg._docs import fill_docstring
from skreg.ensemble import (
    TINY,
    best_temperature,
    forward_selection,
    mean_over,
    tempered,
)
from skreg.mlp import MLPClassifier, MLPRegressor

# What the candidates have in common if the user gives no network; docs/defaults.md has
# the measurements that these come from.
SETTINGS = {
    "hidden_layer_sizes": (64, 64),
    "skip": "linear",
    "learning_rate": "flat_cosine",
    "learning_rate_init": 0.01,
    "batch_size": 128,
    "max_iter": 60,
    "early_stopping": True,
    "n_iter_no_change": 20,
    "tol": 0.0,
    # Predictions are in the precision of the data.
    "dtype": "float32",
}

# The mean losses of a regressor on the scale of its targets.
LOSSES = {
    "squared_error": mean_squared_error,
    "absolute_error": mean_absolute_error,
    "huber": mean_absolute_error,
    "poisson": mean_poisson_deviance,
    "quantile": mean_pinball_loss,
}


@fill_docstring
class MLPClassifierCV(ClassifierMixin, BaseNetworkCV):
    """Multilayer perceptron classifier that chooses its regularisation by itself.

    Candidates are drawn from a space of regularisers and trained on all folds as one
    network; the better ones go on, and the networks of the best are averaged. A linear
    model is part of every candidate (``skip="linear"``), so that strong regularisation
    of the rest leaves it. Probabilities are tempered so that they are right on the
    rows held out [3]_.

    Parameters
    ----------
    estimator : MLPClassifier or None, default=None
        The network, with the settings that candidates do not change. None is two
        hidden layers of 64 units with ``skip="linear"`` and early stopping on the
        held-out rows, trained with a "flat_cosine" schedule for at most 60 epochs.
    {search}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    temperature_ : float
        What the logarithms of the averaged probabilities are divided by: above 1 the
        average was too sure of itself, below 1 not enough.
    {search_attributes}

    See Also
    --------
    MLPClassifier : The network.
    search_space : The spaces.
    BayesSearchCV : Bayesian search for any estimator.
    sklearn.linear_model.LogisticRegressionCV : The same for linear models.

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
    >>> sorted(clf.best_params_)
    ['dropout', 'l2', 'numeric_embedding', 'skip_l2']
    """

    def __init__(
        self,
        estimator=None,
        *,
        param_distributions="regularization",
        n_candidates=16,
        cv=None,
        scoring=None,
        strategy="halving",
        refit="folds",
        n_ensemble=4,
        max_time=None,
        n_jobs=None,
        random_state=None,
        verbose=False,
    ):
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_candidates = n_candidates
        self.cv = cv
        self.scoring = scoring
        self.strategy = strategy
        self.refit = refit
        self.n_ensemble = n_ensemble
        self.max_time = max_time
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _default_estimator(self):
        return MLPClassifier(**SETTINGS)

    def _default_scoring(self, prototype):
        return None

    def _splitter(self, y, n_splits, seed):
        kind = KFold if y.ndim == 2 else StratifiedKFold
        return kind(n_splits, shuffle=True, random_state=seed)

    def _predictions(self, model, X):
        return model.predict_proba(X)

    def _weigh(self, predictions, y, weight):
        self._multilabel, self.temperature_ = y.ndim == 2, 1.0
        if self._multilabel:
            own = [np.where(y, p, 1 - p) for p in predictions]
        else:
            target = np.searchsorted(self.classes_, y)
            own = [np.take_along_axis(p, target[:, None], 1) for p in predictions]

        def log_loss(probability):
            of_rows = np.log(np.maximum(probability, TINY)).sum(axis=1)
            return -np.average(of_rows, weights=weight)

        weights = forward_selection(own, log_loss)
        if not self._multilabel:
            mean = mean_over(predictions, weights)
            self.temperature_ = best_temperature(mean, target, weight)
        return weights

    def predict_proba(self, X):
        """Return the tempered mean of the networks' probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. For multilabel targets, the probability of each
            label; otherwise rows sum to one.
        """
        mean = self._mean_prediction(X)
        return mean if self._multilabel else tempered(mean, self.temperature_)

    def predict_log_proba(self, X):
        """Return the logarithm of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        """Return the most probable class, or the labels more probable than not.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            One of `classes_` for each row, or for each label 0 or 1.
        """
        probability = self.predict_proba(X)
        if self._multilabel:
            return (probability > 0.5).astype(int)
        return self.classes_[probability.argmax(axis=1)]


@fill_docstring
class MLPRegressorCV(RegressorMixin, BaseNetworkCV):
    """Multilayer perceptron regressor that chooses its regularisation by itself.

    Candidates are drawn from a space of regularisers and trained on all folds as one
    network; the better ones go on, and the networks of the best are averaged. A linear
    model is part of every candidate (``skip="linear"``), so that strong regularisation
    of the rest leaves it.

    Parameters
    ----------
    estimator : MLPRegressor or None, default=None
        The network, with the settings that candidates do not change. None is two
        hidden layers of 64 units with ``skip="linear"`` and early stopping on the
        held-out rows, trained with a "flat_cosine" schedule for at most 60 epochs.
    {search}

    Attributes
    ----------
    {search_attributes}

    See Also
    --------
    MLPRegressor : The network.
    search_space : The spaces.
    BayesSearchCV : Bayesian search for any estimator.
    sklearn.linear_model.RidgeCV : The same for linear models.

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
        estimator=None,
        *,
        param_distributions="regularization",
        n_candidates=16,
        cv=None,
        scoring=None,
        strategy="halving",
        refit="folds",
        n_ensemble=4,
        max_time=None,
        n_jobs=None,
        random_state=None,
        verbose=False,
    ):
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.n_candidates = n_candidates
        self.cv = cv
        self.scoring = scoring
        self.strategy = strategy
        self.refit = refit
        self.n_ensemble = n_ensemble
        self.max_time = max_time
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _default_estimator(self):
        return MLPRegressor(**SETTINGS)

    def _default_scoring(self, prototype):
        self._loss = LOSSES[prototype.loss]
        options = {"alpha": prototype.quantile} if prototype.loss == "quantile" else {}
        self._loss = partial(self._loss, **options)
        return make_scorer(self._loss, greater_is_better=False)

    def _splitter(self, y, n_splits, seed):
        return KFold(n_splits, shuffle=True, random_state=seed)

    def _predictions(self, model, X):
        return model.predict(X)

    def _weigh(self, predictions, y, weight):
        return forward_selection(
            predictions, lambda p: self._loss(y, p, sample_weight=weight)
        )

    def predict(self, X):
        """Return the mean of the networks' predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            In the units of the targets.
        """
        return self._mean_prediction(X)
