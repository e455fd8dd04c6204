"""Cross-validated search that learns from what it has tried."""

import warnings
from copy import deepcopy
from numbers import Integral

import numpy as np
from sklearn.exceptions import FitFailedWarning
from sklearn.utils import check_random_state

from skreg.compatibility import (
    BaseSearchCV,
    HasMethods,
    Interval,
    StrOptions,
    run_search_arguments,
)
from skreg.model_selection.sampling import new_study, suggest, tell, translate

__all__ = ["BayesSearchCV"]


class BayesSearchCV(BaseSearchCV):
    """Search over hyperparameters with the samplers of Optuna.

    GridSearchCV's interface: what changes is where candidates come from. A batch of
    them is asked from a sampler, cross-validated and told to the sampler, which
    proposes the next batch near those that scored well. Works with any estimator.
    Within ``skreg.fused()`` the networks of a batch train as one.

    Parameters
    ----------
    estimator : estimator object
        What is tuned. It needs a `score`, or `scoring` must be given.
    param_distributions : dict of str to list or distribution
        Names of parameters and what to draw them from: a list, of which one value is
        taken; a uniform, loguniform or randint distribution of `scipy.stats`; one of
        Optuna's distributions; an `OffOr`, which is searched as a switch and a strength
        that exists where it is on; or an object whose method `to_optuna` returns one
        of these.
    n_iter : int, default=32
        Number of candidates asked for. One that has been scored before is not fitted
        again, so that a small space gives fewer.
    batch_size : int, default=8
        Candidates that are asked for at a time. The sampler learns after each batch:
        with 1 it learns most from the fits, with `n_iter` nothing.
    sampler : {"tpe", "random", "gp"} or optuna sampler, default="tpe"
        "tpe" is the tree-structured Parzen estimator [1]_ [2]_, of all parameters
        jointly, with `batch_size` random candidates (10 at most) first; "gp" a
        Gaussian process, better for few numeric parameters without switches, and
        slower; "random" learns nothing. A sampler of Optuna is copied before use, so
        that fitting again does the same.
    scoring : str, callable, list, tuple or dict, default=None
        As for GridSearchCV. With several scores, `refit` names the one to maximise.
    n_jobs : int, default=None
        Number of fits that run at the same time, as in joblib.
    refit : bool, str or callable, default=True
        Fit an estimator with the best candidate on all rows. With several scores, the
        name of the one that decides, and that the sampler is told.
    cv : int, cross-validation generator or iterable, default=None
        The folds, drawn once: all candidates are scored on the same. None is 5 folds.
    verbose : int, default=0
        As for GridSearchCV: the higher, the more is printed.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of fits that are dispatched to joblib at a time.
    random_state : int, RandomState instance or None, default=None
        Seed of the sampler, if it is given by name.
    error_score : "raise" or numeric, default=np.nan
        Score of a fit that fails. A candidate whose score is nan is told as failed.
    return_train_score : bool, default=False
        Score the training rows of each fold, too.

    Attributes
    ----------
    study_ : optuna.Study
        All trials, in the order in which they were asked for, for Optuna's plots and
        importances. The switch of an OffOr called ``l2`` is there ``l2 is on``.
    cv_results_ : dict of str to ndarray
        As GridSearchCV's, in the order of evaluation.
    best_estimator_ : estimator
        Fitted with the best candidate on all rows, if `refit`.
    best_score_ : float
        Mean score of the best candidate over the folds.
    best_params_ : dict
        The best candidate.
    best_index_ : int
        Its position in `cv_results_`.
    scorer_ : callable or dict of callable
        The scores.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds of the last fit, if `refit`.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, if `refit` and the estimator has them.
    n_features_in_ : int
        Number of features seen during fit, if `refit` and the estimator tells it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if `refit` and the estimator has them.

    See Also
    --------
    fused : Trains the networks of a batch as one.
    sklearn.model_selection.RandomizedSearchCV : Learns nothing from what it tried.

    References
    ----------
    .. [1] Bergstra, Bardenet, Bengio and Kégl (2011), "Algorithms for Hyper-Parameter
       Optimization".
    .. [2] Akiba, Sano, Yanase, Ohta and Koyama (2019), "Optuna: A Next-generation
       Hyperparameter Optimization Framework".

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from skreg import BayesSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> space = {"alpha": loguniform(1e-6, 1e3)}
    >>> search = BayesSearchCV(Ridge(), space, random_state=0).fit(X, y)
    >>> bool(search.best_score_ > 0.482)
    True
    """

    _parameter_constraints: dict = {
        **BaseSearchCV._parameter_constraints,
        "param_distributions": [dict],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "sampler": [
            StrOptions({"tpe", "random", "gp"}),
            HasMethods(["sample_independent", "sample_relative"]),
        ],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_iter=32,
        batch_size=8,
        sampler="tpe",
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        random_state=None,
        error_score=np.nan,
        return_train_score=False,
    ):
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.sampler = sampler
        self.random_state = random_state
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    def _check_input_parameters(self, X, y, split_params):
        """Draw the folds once, so that all batches are scored on the same."""
        splits = list(self._checked_cv_orig.split(X, y, **split_params))
        self._checked_cv_orig = _DrawnFolds(splits)

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        """Ask, evaluate and tell, one batch at a time."""
        if isinstance(self.scoring, list | tuple | set | dict):
            self._check_refit_is_a_score()
        space = {
            name: translate(name, distribution)
            for name, distribution in self.param_distributions.items()
        }
        self.study_ = self._make_study()
        evaluate_candidates, callback_ctx = run_search_arguments(
            self, evaluate_candidates, callback_ctx
        )
        starts = range(0, self.n_iter, self.batch_size)
        search_ctx = callback_ctx.subcontext(
            task_name="search", max_subtasks=len(starts)
        ).call_on_fit_task_begin(estimator=self)
        evaluation = _Evaluation(self, evaluate_candidates, search_ctx)
        for start in starts:
            n_trials = min(self.batch_size, self.n_iter - start)
            trials = [self.study_.ask() for _ in range(n_trials)]
            candidates = [
                {name: suggest(trial, name, space[name]) for name in space}
                for trial in trials
            ]
            scores = evaluation.of_batch([trial.params for trial in trials], candidates)
            for trial, score in zip(trials, scores):
                tell(self.study_, trial, score)
        if evaluation.n_evaluated == 0:
            raise evaluation.failure
        search_ctx.call_on_fit_task_end(estimator=self)

    def _check_refit_is_a_score(self):
        if not isinstance(self.refit, str):
            raise ValueError(
                "With several scores refit must name the one to maximise, got "
                f"refit={self.refit!r}."
            )

    def _scores_of(self, results):
        """Return the scores that are maximised, of all candidates so far."""
        for name in (f"mean_test_{self.refit}", "mean_test_score"):
            if name in results:
                return results[name]
        self._check_refit_is_a_score()
        known = [key[10:] for key in results if key.startswith("mean_test_")]
        raise ValueError(f"refit={self.refit!r} is not one of the scores {known}.")

    def _make_study(self):
        if not isinstance(self.sampler, str):
            return new_study(deepcopy(self.sampler))
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        return new_study(self.sampler, seed, self.batch_size)


class _DrawnFolds:
    """Folds that are always the same, whatever they are asked with."""

    def __init__(self, splits):
        self.splits = splits

    def get_n_splits(self, X=None, y=None, **split_params):
        return len(self.splits)

    def split(self, X=None, y=None, **split_params):
        return iter(self.splits)


class _Evaluation:
    """Scores of candidates, each of which is fitted once."""

    def __init__(self, search, evaluate_candidates, callback_ctx):
        self.search = search
        self.evaluate_candidates = evaluate_candidates
        self.callback_ctx = callback_ctx
        self.n_evaluated = 0
        self.failure = None
        self._score_of = {}

    def of_batch(self, asked, candidates):
        """Return the mean score of each candidate; nan where it failed."""
        keys = [tuple(params.items()) for params in asked]
        new = {
            key: candidate
            for key, candidate in zip(keys, candidates)
            if key not in self._score_of
        }
        if new:
            scores = self._evaluate(list(new.values()))
            self._score_of.update(zip(new, scores))
        return [self._score_of[key] for key in keys]

    def _evaluate(self, candidates):
        batch_ctx = self.callback_ctx.subcontext(
            task_name="batch",
            max_subtasks=len(candidates) * self.search._checked_cv_orig.get_n_splits(),
            sequential_subtasks=False,
        ).call_on_fit_task_begin(estimator=self.search)
        try:
            results = self.evaluate_candidates(candidates, callback_ctx=batch_ctx)
        except ValueError as error:
            # scikit-learn gives up where all fits of one call fail. Here that may be
            # one unlucky batch, from which the sampler learns where not to look.
            is_failure_of_all = str(error).startswith("\nAll the ")
            if not is_failure_of_all:
                raise
            self.failure = error
            warnings.warn(str(error), FitFailedWarning, stacklevel=2)
            scores = np.full(len(candidates), np.nan)
        else:
            self.n_evaluated += len(candidates)
            scores = self.search._scores_of(results)[-len(candidates) :]
        batch_ctx.call_on_fit_task_end(estimator=self.search)
        return scores
