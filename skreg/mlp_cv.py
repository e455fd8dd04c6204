"""Multilayer perceptrons that tune their own regularisation: the public estimators."""

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.model_selection import KFold, StratifiedKFold

from skreg._cross_validated import BaseNetworkCV
from skreg.ensemble import best_temperature, mean_over, tempered
from skreg.mlp import MLPClassifier, MLPRegressor

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

    def _calibrate(self, chosen, data):
        self._multilabel, self.temperature_ = data.y.ndim == 2, 1.0
        if self._multilabel:
            return
        probability, rows = [], []
        for fold, (_, test) in enumerate(data.folds):
            models = [trial.models[fold] for trial in chosen]
            probability.append(mean_over(m.predict_proba(data.X[test]) for m in models))
            rows.append(test)
        rows = np.concatenate(rows)
        weight = None if data.sample_weight is None else data.sample_weight[rows]
        self.temperature_ = best_temperature(
            np.concatenate(probability),
            np.searchsorted(self.classes_, data.y[rows]),
            weight,
        )

    def predict_proba(self, X):
        X = self._check_inputs(X)
        mean = mean_over(model.predict_proba(X) for model in self.estimators_)
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
        return None

    def _splitter(self, y, n_splits, seed):
        return KFold(n_splits, shuffle=True, random_state=seed)

    def _calibrate(self, chosen, data):
        """Means of numbers need nothing."""

    def predict(self, X):
        X = self._check_inputs(X)
        return mean_over(model.predict(X) for model in self.estimators_)
