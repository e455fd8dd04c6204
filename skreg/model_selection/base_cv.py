"""Base class of the networks that choose their regularisation by cross-validation."""

import os
from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Integral
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import gen_batches
from sklearn.utils.metadata_routing import UNUSED, MetadataRouter
from sklearn.utils.validation import check_is_fitted

from skreg.compatibility import (
    HasMethods,
    Interval,
    StrOptions,
    check_constraints,
    fit_context,
    raise_for_params,
)
from skreg.data.random_streams import generator_of
from skreg.data.rows import Rows
from skreg.data.sample_weights import check_weights
from skreg.estimators.base import BaseNetwork
from skreg.estimators.layout import table_columns
from skreg.estimators.preparation import check_data
from skreg.estimators.rollback import fit_kept_on_failure
from skreg.estimators.score_checks import check_score
from skreg.estimators.scoring import score_function
from skreg.estimators.side_by_side import SideBySide
from skreg.estimators.trained import in_precision
from skreg.estimators.validation import is_valid, read
from skreg.fusion.checkpoint import Checkpoint
from skreg.model_selection.candidate_search import search_candidates
from skreg.model_selection.chosen import chosen_table
from skreg.model_selection.conformal import HeldOutScores, held_out_rows
from skreg.model_selection.deadline import Deadline
from skreg.model_selection.defaults import adapt
from skreg.model_selection.ensemble_selection import select_ensemble
from skreg.model_selection.folds import folds_of
from skreg.model_selection.prediction_averages import mean_over
from skreg.model_selection.refit import check_callbacks_of_refit, refitted
from skreg.model_selection.routing import routed_to, routing_of
from skreg.model_selection.search_data import SearchData
from skreg.model_selection.strategies import STRATEGIES
from skreg.model_selection.trials import results_table
from skreg.parameters.intervals import COUNT, NON_NEGATIVE, POSITIVE
from skreg.parameters.scorer_names import check_scorer, scorer_name
from skreg.training.threads import at_most
from skreg.typing import ArrayLike, MatrixLike, NDArray


class BaseNetworkCV(BaseEstimator, ABC):
    """Base class of networks that choose their regularisation by cross-validation.

    Subclasses define the class of the network and how its predictions are averaged.
    """

    # The splitter asks for groups.
    __metadata_request__fit = {"groups": UNUSED}
    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "param_distributions": [StrOptions({"regularization", "cocktail"}), dict],
        "n_candidates": [COUNT],
        "cv": ["cv_object"],
        # `fit` names the scores that a misspelt name resembles.
        "scoring": [str, callable, None],
        "strategy": [StrOptions(set(STRATEGIES))],
        "refit": [StrOptions({"folds"}), "boolean"],
        "n_ensemble": [COUNT],
        "linear_path": ["boolean", StrOptions({"auto"})],
        "max_time": [POSITIVE, None],
        "checkpoint": [str, os.PathLike, None],
        "checkpoint_interval": [NON_NEGATIVE, None],
        "n_jobs": [COUNT, Interval(Integral, None, -1, closed="right"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    @property
    @abstractmethod
    def _network(self):
        """The class of the networks that can be given as `estimator`."""

    @abstractmethod
    def _default_estimator(self):
        """Return the network to tune if `estimator` is None."""

    @abstractmethod
    def _average(self, prototype, data):
        """Return how predictions are averaged, judged and calibrated.

        Parameters
        ----------
        prototype : MLPClassifier or MLPRegressor
            The network with the settings that all candidates share.
        data : SearchData

        Returns
        -------
        ClassAverage or NumberAverage
        """

    @abstractmethod
    def _calibrated(self, mean):
        """Return the calibrated average of predictions, an array of their shape."""

    @abstractmethod
    def _true_scores(self, prediction, y):
        """Return the conformity scores of true targets, or None if there are none.

        They have shape (n_rows, n_outputs), and belong to calibrated predictions.
        """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        given = isinstance(self.estimator, self._network)
        network = self.estimator if given else self._default_estimator()
        network = network.__sklearn_tags__()
        tags.input_tags = network.input_tags
        tags.target_tags = network.target_tags
        tags.classifier_tags = network.classifier_tags
        tags.regressor_tags = network.regressor_tags
        return tags

    def _prototype(self):
        """Return the network with the settings that all candidates share."""
        if self.estimator is None:
            return self._default_estimator()
        if not isinstance(self.estimator, self._network):
            kind = type(self).__name__.removesuffix("CV")
            raise ValueError(
                f"estimator must be an {kind}, or None for the default one, got "
                f"{self.estimator!r}. To transform the inputs, put the transformer "
                f"before {type(self).__name__} in a pipeline."
            )
        return clone(self.estimator)

    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        **params: Any,
    ) -> Self:
        """Choose the regularisation and train the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights, for training and for the scores on held-out rows.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows, such as those of one patient, for a splitter that takes
            them. If `cv` is None or an integer, the folds keep the groups whole.
        **params : dict
            Metadata of the splitter and the scorer, by metadata routing.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        raise_for_params(params, self, "fit")
        check_scorer("scoring", self.scoring)
        prototype = self._prototype()
        check_constraints(prototype)
        metadata = routed_to(
            self, "fit", sample_weight=sample_weight, groups=groups, **params
        )
        kept = fit_kept_on_failure(self, KeyboardInterrupt)
        with kept, at_most(self.n_jobs):
            self._fit(prototype, X, y, sample_weight, *metadata)
        return self

    def _fit(self, prototype, X, y, sample_weight, split_params, score_params):
        checkpoint = self._open_checkpoint()
        if self.refit not in ("folds", False):
            check_callbacks_of_refit(prototype.callbacks)
        rng = generator_of(self.random_state)
        # Choosing and averaging networks takes time, too.
        deadline = Deadline(self.max_time and 0.9 * self.max_time)
        checked = self._learn_data(prototype, X, y)
        X, y = checked.X, checked.y
        if self.estimator is None:
            adapt(prototype, X, y)
        weight = check_weights(sample_weight, X)
        # What all folds share, so that their networks can train together.
        counted = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
        columns = table_columns(checked.inputs, Rows(X, y, weight, counted))
        checked = replace(checked, columns=columns)
        if weight is not None and (
            self.scoring is None or "sample_weight" in score_params
        ):
            score_params = score_params | {"sample_weight": weight}
        seed = int(rng.randint(2**31 - 1))
        folds = folds_of(self, X, y, weight, split_params, seed)
        data = SearchData(checked, weight, folds, score_params)
        seeds = rng.randint(2**31 - 1, size=len(data.folds) + 1).tolist()
        average = self._average(prototype, data)
        is_default = self.scoring is None
        if not is_default:
            self._check_scoring(data)
        scoring = average.scoring if is_default else self.scoring
        self.score_name_ = average.score_name if is_default else scorer_name(scoring)
        trials, seen = search_candidates(
            self, prototype, data, scoring, seeds, deadline, rng, checkpoint
        )
        chosen = select_ensemble(trials, self.n_ensemble, average, prototype, seen)
        vars(self).update(chosen.calibration)
        self._keep_trials(trials, chosen)
        self._held_out = None
        vars(self).pop("estimators_", None)  # from an earlier fit
        if self.refit:
            self._keep_networks(prototype, chosen, data, seeds[-1], checkpoint)
        if self.refit == "folds":
            self._keep_scores(chosen.held_out, seen)

    def _open_checkpoint(self):
        """Return where networks are kept, or None."""
        if self.checkpoint is None:
            return None
        if not isinstance(self.random_state, Integral):
            raise ValueError(
                "checkpoint needs an integer random_state, because with other random "
                "numbers no network of an earlier call could be used, got "
                f"random_state={self.random_state!r}."
            )
        checkpoint = Checkpoint(self.checkpoint, self.checkpoint_interval)
        checkpoint.begin()
        return checkpoint

    def _keep_networks(self, prototype, chosen, data, seed, checkpoint):
        """Set the networks whose predictions are averaged, and their weights."""
        is_used = chosen.weights > 0
        trials = [trial for trial, used in zip(chosen.trials, is_used) if used]
        weights, temperatures = chosen.weights[is_used], chosen.temperatures[is_used]
        if self.refit == "folds":
            self.estimators_ = [model for trial in trials for model in trial.models]
            weights = np.repeat(weights / self.n_splits_, self.n_splits_)
            temperatures = np.repeat(temperatures, self.n_splits_)
        else:
            self.estimators_ = refitted(prototype, trials, data, seed, checkpoint)
        self._temperatures = temperatures
        if self.estimator is None:
            # The default network trains in single precision, which is twice as fast.
            dtype = data.X.dtype
            self.estimators_ = [in_precision(each, dtype) for each in self.estimators_]
        self.weights_ = weights
        self._together = SideBySide(self.estimators_)

    def _keep_scores(self, held_out, data):
        """Keep how far held-out targets are from the predictions of their folds.

        `held_out` is the average for the held-out rows of each fold, not calibrated.
        """
        rows, folds, mean = held_out_rows(data.folds, held_out, data.X.shape[0])
        scores = self._true_scores(self._calibrated(mean), data.y[rows])
        if scores is not None:
            weight = data.sample_weight
            weight = None if weight is None else weight[rows]
            self._held_out = HeldOutScores.of(scores, folds, weight)

    def _scores_kept(self):
        """Return the scores of the held-out rows, or raise if there are none."""
        self._check_can_predict()
        if self._held_out is None:
            raise AttributeError(
                f"This {type(self).__name__} was fitted with refit={self.refit!r}, and "
                "intervals and sets need the networks of the folds. Set refit='folds'."
            )
        return self._held_out

    def _of_folds(self, X, function):
        """Return what a function makes of the predictions of each fold.

        It gets a list with the average of the networks of each fold for some rows, and
        returns an array with those rows first.
        """
        X, results = self._checked(X), []
        for part in gen_batches(X.shape[0], self._held_out.n_at_a_time):
            found, n_folds = self._predictions(X[part]), self.n_splits_
            # The networks of a candidate are in the order of the folds.
            of_folds = [
                mean_over(found[k::n_folds], n_folds * self.weights_[k::n_folds])
                for k in range(n_folds)
            ]
            results.append(function(of_folds))
        return np.concatenate(results)

    def _mean(self, X):
        """Return the average of the predictions of the networks."""
        return mean_over(self._predictions(self._checked(X)), self.weights_)

    def _checked(self, X):
        """Return rows to predict as the networks take them."""
        self._check_can_predict()
        inputs = self._inputs
        if inputs.categories is not None or not is_valid(self, X):
            X = read(self, X, inputs)
        return X

    def _predictions(self, X):
        """Return the predictions of each network for checked rows."""
        together = vars(self).get("_together")
        if together is None or together.estimators is not self.estimators_:
            # As after unpickling, or if the user has set other networks.
            together = self._together = SideBySide(self.estimators_)
        return together.predictions(X)

    def __getstate__(self):
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key != "_together"}

    def _scored(self, default, X, y, sample_weight, params):
        """Return the score by `scoring`, as GridSearchCV does.

        `default` is the score method to use if `scoring` is None.
        """
        raise_for_params(params, self, "score")
        _, options = routed_to(self, "score", sample_weight=sample_weight, **params)
        if self.scoring is None:
            return default(X, y, sample_weight)
        self._check_can_predict()
        return score_function(self.scoring, self._targets)(self, X, y, **options)

    def _check_scoring(self, data):
        """Raise an error if the held-out rows of a fold cannot be scored."""
        targets = data.checked.targets
        for _, rows in data.folds:
            options = data.score_params_of(rows)
            check_score("scoring", self.scoring, targets, data.y[rows], **options)

    def _check_can_predict(self):
        if hasattr(self, "best_params_") and not hasattr(self, "estimators_"):
            raise NotFittedError(
                f"This {type(self).__name__} was fitted with refit=False and cannot "
                "predict. Set refit='folds' or refit=True."
            )
        check_is_fitted(self)

    def _learn_data(self, prototype, X, y):
        """Validate the data and set the attributes that scikit-learn requires."""
        vars(self).pop("classes_", None)  # from an earlier fit
        checked = check_data(prototype, X, y, owner=self)
        if "classes_" in checked.targets.attributes:
            self.classes_ = checked.targets.classes
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(prototype, name, getattr(self, name))
        self._targets, self._inputs = checked.targets, checked.inputs
        return checked

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata to the splitter and the scorer.

        Returns
        -------
        routing : MetadataRouter
            The routing.
        """
        return routing_of(self)

    def _keep_trials(self, trials, chosen):
        """Set the fitted attributes that describe the candidates."""
        self.chosen_ = chosen_table(trials, chosen.trials, chosen.weights)
        self.linear_weight_ = chosen.linear_weight
        scores = [trial.mean_score for trial in trials if trial.is_linear]
        self.linear_score_ = float(max(scores, default=np.nan))
        best = chosen.trials[0]
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
    def feature_importances_(self) -> NDArray[Any]:
        """Norm of the outgoing weights of each input, averaged over the networks."""
        self._check_can_predict()
        return mean_over(
            (model.feature_importances_ for model in self.estimators_), self.weights_
        )

    @property
    def support_(self) -> NDArray[np.bool_]:
        """Which inputs are used: those with a weight other than zero in any network."""
        self._check_can_predict()
        return np.any([model.support_ for model in self.estimators_], axis=0)

    @property
    def estimator_(self) -> BaseNetwork:
        """The network, if a single one makes the predictions."""
        self._check_can_predict()
        if len(self.estimators_) > 1:
            raise AttributeError(
                f"Predictions are averaged over {len(self.estimators_)} networks, held "
                "in estimators_. Set refit=True and n_ensemble=1 for a single one."
            )
        return self.estimators_[0]

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimators_")
