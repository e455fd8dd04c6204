"""What the estimators that tune themselves share: candidates, rungs, averages."""

import math
import warnings
from abc import ABC, abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg._strategies import STRATEGIES, ranked
from skreg._suggest import suggest
from skreg._trials import (
    Data,
    Deadline,
    Heat,
    in_precision,
    refitted,
    results_table,
)
from skreg._validation import check_weights
from skreg.ensemble import mean_over
from skreg.search_space import search_space

COUNT = Interval(Integral, 1, None, closed="left")
N_FOLDS = 5


class BaseNetworkCV(BaseEstimator, ABC):
    """A network whose regularisation is chosen by cross-validation.

    Subclasses say which network, and what an average of its predictions is.
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict", "_prepared_request"]), None],
        "param_distributions": [StrOptions({"regularization", "cocktail"}), dict],
        "n_candidates": [COUNT],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "strategy": [StrOptions(set(STRATEGIES))],
        "refit": [StrOptions({"folds"}), "boolean"],
        "n_ensemble": [COUNT],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _default_estimator(self):
        """Return the network that is tuned if the user gave none."""

    @abstractmethod
    def _default_scoring(self, prototype):
        """Return the score to choose by if the user names none; None is the loss."""

    @abstractmethod
    def _splitter(self, y, n_splits, seed):
        """Return the cross-validation with so many folds."""

    @abstractmethod
    def _predictions(self, model, X):
        """Return what of a network is averaged."""

    @abstractmethod
    def _weigh(self, predictions, y, weight):
        """Return the weights of candidates, given predictions of held-out rows."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        network = self._prototype().__sklearn_tags__()
        tags.input_tags.sparse = network.input_tags.sparse
        tags.target_tags = network.target_tags
        tags.classifier_tags = network.classifier_tags
        tags.regressor_tags = network.regressor_tags
        return tags

    def _prototype(self):
        """Return the network with the settings that candidates do not change."""
        if self.estimator is None:
            return self._default_estimator()
        return clone(self.estimator)

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None):
        """Choose the regularisation and train with it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts in every mean, of the held-out rows too.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows, for a `cv` that keeps them together.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        deadline, rng = Deadline(self.max_time), check_random_state(self.random_state)
        prototype = self._prototype()
        prototype._validate_params()
        X, y = self._learn_data(prototype, X, y)
        data = Data(
            X, y, check_weights(sample_weight, X), self._folds(X, y, groups, rng)
        )
        seeds = rng.randint(2**31 - 1, size=len(data.folds) + 1).tolist()
        trials = self._search(prototype, data, seeds, deadline, rng)
        self._keep_trials(trials)
        chosen = [trial for trial in trials if trial.is_finalist][: self.n_ensemble]
        self._restore_precision([m for trial in chosen for m in trial.models], X)
        weights = self._weigh(*self._held_out(chosen, data))
        if not self.refit:
            return self
        chosen = [trial for trial, share in zip(chosen, weights) if share]
        weights = weights[weights > 0]
        if self.refit == "folds":
            self.estimators_ = [model for trial in chosen for model in trial.models]
            weights = np.repeat(weights / self.n_splits_, self.n_splits_)
        else:
            self.estimators_ = refitted(prototype, chosen, data, seeds[-1])
            self._restore_precision(self.estimators_, X)
        self.weights_ = weights
        return self

    def _restore_precision(self, models, X):
        """Let networks of our own, trained in single precision, predict in that of X.

        Training gains a factor of two, and predictions keep what scikit-learn asks for:
        that rows are predicted the same alone and together.
        """
        if self.estimator is None:
            for model in models:
                model.dtype = None
                in_precision(model, X.dtype)

    def _held_out(self, chosen, data):
        """Return each candidate's predictions of all held-out rows, and their targets.

        Rows of weight zero count for nothing and are left out.
        """
        parts, weight = [test for _, test in data.folds], data.sample_weight
        if weight is not None:
            parts = [test[weight[test] > 0] for test in parts]
        rows = np.concatenate(parts)
        predictions = [
            np.concatenate(
                [
                    self._predictions(model, data.X[part])
                    for model, part in zip(trial.models, parts)
                    if len(part)
                ]
            )
            for trial in chosen
        ]
        return predictions, data.y[rows], None if weight is None else weight[rows]

    def _mean_prediction(self, X):
        """Return the average of the networks."""
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            accept_sparse="csr",
            dtype=(np.float64, np.float32),
            order="C",
            reset=False,
        )
        models = self.estimators_
        return mean_over((self._predictions(m, X) for m in models), self.weights_)

    def _learn_data(self, prototype, X, y):
        """Check the data and learn their layout."""
        X, y = prototype._validate(X, y, reset=True)
        y = prototype._check_targets(y, False, None)
        for name in ("n_features_in_", "feature_names_in_", "classes_"):
            if hasattr(prototype, name):
                setattr(self, name, getattr(prototype, name))
            elif name in self.__dict__:  # of an earlier fit
                delattr(self, name)
        # The networks get arrays, in which names are not missing.
        prototype.__dict__.pop("feature_names_in_", None)
        return X, y

    def _folds(self, X, y, groups, rng):
        """Return the rows to train on and to judge by of each fold."""
        cv, seed = self.cv, int(rng.randint(2**31 - 1))
        if cv is None or isinstance(cv, Integral):
            # Shuffled, for tables are often sorted.
            cv = self._splitter(y, N_FOLDS if cv is None else cv, seed)
        rows = np.arange(X.shape[0])
        splits = check_cv(cv, y, classifier=is_classifier(self)).split(X, y, groups)
        # An iterable may hold boolean masks.
        return [(rows[train], rows[test]) for train, test in splits]

    def _search(self, prototype, data, seeds, deadline, rng):
        """Return what became of the candidates, the best first."""
        scoring = self.scoring or self._default_scoring(prototype)

        def evaluate(candidates, epochs, n_kept):
            if deadline.has_passed:
                return []
            heat = Heat(prototype, candidates, data, scoring, seeds, deadline)
            return heat.run(epochs, n_kept, self._report)

        trials = STRATEGIES[self.strategy](
            self._space(prototype, data),
            self.n_candidates,
            self.n_ensemble,
            prototype._n_epochs(len(data.folds[0][0])),
            rng,
            evaluate,
        )
        failed = [trial for trial in trials if trial.error is not None]
        if len(failed) == len(trials):
            raise failed[0].error
        if failed:
            warnings.warn(
                f"{len(failed)} of {len(trials)} candidates could not be trained on "
                f"all folds, and are not chosen. The first error: {failed[0].error}",
                FitFailedWarning,
                stacklevel=4,
            )
        return ranked(trials)

    def _space(self, prototype, data):
        """Return the distributions of the hyperparameters."""
        if isinstance(self.param_distributions, str):
            n_rows = len(data.folds[0][0])
            return search_space(prototype, self.param_distributions, n_rows)
        known = prototype.get_params()
        for name in self.param_distributions:
            if name not in known:
                raise ValueError(
                    f"param_distributions has {name!r}, which is not a parameter of "
                    f"{type(prototype).__name__}; {suggest(name, known)}"
                )
        return self.param_distributions

    def _report(self, rung, n_candidates, epoch, scores):
        if self.verbose:
            epochs = "all" if math.isinf(epoch) else epoch
            print(
                f"rung {rung + 1}: {n_candidates} candidates, {epochs} epochs, "
                f"best score {np.nanmax(scores):.6g}",
                flush=True,
            )

    def _keep_trials(self, trials):
        """Set what is known of the candidates."""
        best = trials[0]
        self.best_index_, self.n_splits_ = best.number, len(best.scores)
        self.best_params_, self.best_score_ = best.params, float(best.scores.mean())
        in_order = sorted(trials, key=lambda trial: trial.number)
        self.scores_ = np.array([trial.scores for trial in in_order])
        self.curves_ = [trial.curves for trial in in_order]
        self.cv_results_ = results_table(in_order, trials)
        network = best.models[0]
        self.l1_, self.l2_ = network.l1, network.l2
        self.dropout_, self.batchnorm_ = network.dropout, network.batchnorm

    @property
    def estimator_(self):
        """The network, if it is one and not an average."""
        check_is_fitted(self)
        if len(self.estimators_) > 1:
            raise AttributeError(
                f"Predictions are averaged over {len(self.estimators_)} networks, in "
                "estimators_. Set refit=True and n_ensemble=1 for a single one."
            )
        return self.estimators_[0]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimators_")
