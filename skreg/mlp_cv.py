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
from skreg.ensemble import (
    TINY,
    best_temperature,
    forward_selection,
    mean_over,
    tempered,
)
from skreg.mlp import MLPClassifier, MLPRegressor

LOSSES = {
    "squared_error": mean_squared_error,
    "absolute_error": mean_absolute_error,
    "huber": mean_absolute_error,
    "poisson": mean_poisson_deviance,
    "quantile": mean_pinball_loss,
}
SETTINGS = {
    "hidden_layer_sizes": (64,),
    "skip": "linear",
    "learning_rate": "flat_cosine",
    "learning_rate_init": 0.01,
    "batch_size": 128,
    "max_iter": 60,
    "early_stopping": True,
    "n_iter_no_change": 20,
    "tol": 0.0,
}


class MLPClassifierCV(ClassifierMixin, BaseNetworkCV):
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
        verbose=0,
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
        mean = self._mean_prediction(X)
        return mean if self._multilabel else tempered(mean, self.temperature_)

    def predict_log_proba(self, X):
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        probability = self.predict_proba(X)
        if self._multilabel:
            return (probability > 0.5).astype(int)
        return self.classes_[probability.argmax(axis=1)]


class MLPRegressorCV(RegressorMixin, BaseNetworkCV):
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
        verbose=0,
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
        return self._mean_prediction(X)
