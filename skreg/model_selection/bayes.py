"""Cross-validated search that learns from earlier candidates."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Literal

import numpy as np
from sklearn.exceptions import FitFailedWarning

from skreg.compatibility import (
    BaseSearchCV,
    HasMethods,
    StrOptions,
    run_search_arguments,
)
from skreg.data.random_streams import generator_of
from skreg.model_selection.cv_results import score_names
from skreg.model_selection.sampling import new_study, propose, tell, translate
from skreg.parameters.intervals import COUNT
from skreg.parameters.scorer_names import check_scorer
from skreg.typing import (
    CrossValidation,
    Estimator,
    MultimetricScoring,
    OptunaSampler,
    RandomState,
    Scoring,
)


class BayesSearchCV(BaseSearchCV):
    """Search over hyperparameters with the samplers of Optuna.

    The interface is that of GridSearchCV, but a sampler proposes the candidates in
    batches. Each batch is cross-validated and its scores are reported to the sampler,
    which proposes the next batch near the candidates that scored well. The search works
    with any estimator. Within ``skreg.fused()`` the networks of a batch train together.

    Parameters
    ----------
    estimator : estimator object
        The estimator to tune. It needs a `score` method, unless `scoring` is given.
    param_distributions : dict of str to list or distribution
        The parameters and their values. These are a list of values; a uniform,
        loguniform or randint distribution of `scipy.stats`; one of Optuna's
        distributions; an `OffOr`, which becomes a switch and a strength that exists
        only if the switch is on; or an object whose method `to_optuna` returns one of
        these.
    n_iter : int, default=32
        Number of candidates to propose. A candidate that was already scored is not
        fitted again, so a small space may lead to fewer fits.
    batch_size : int, default=8
        Number of candidates to propose at a time. The sampler learns after each batch.
        With 1 it learns most from the fits, with `n_iter` it learns nothing.
    sampler : {"tpe", "random", "gp"} or optuna sampler, default="tpe"
        "tpe" is the tree-structured Parzen estimator [1]_ [2]_, which models all
        parameters jointly. The first `batch_size` candidates (at most 10) are random.
        "gp" is a Gaussian process, which is slower, but better for few numeric
        parameters without switches. "random" learns nothing. A sampler of Optuna is
        copied before use, so that another fit gives the same result.
    scoring : str, callable, list, tuple or dict, default=None
        As in GridSearchCV. With several scores, `refit` names the one to maximise.
    n_jobs : int, default=None
        Number of fits that run at the same time, as in joblib.
    refit : bool, str or callable, default=True
        Whether to fit an estimator with the best candidate on all rows. With several
        scores, the name of the score to maximise, which the sampler also learns from.
    cv : int, cross-validation generator or iterable, default=None
        The folds. They are drawn once, so that all candidates are scored on the same
        folds. None means 5 folds.
    verbose : int, default=0
        The higher, the more messages are printed, as in GridSearchCV.
    pre_dispatch : int or str, default="2*n_jobs"
        Number of fits that are dispatched to joblib at a time.
    random_state : int, RandomState instance or None, default=None
        Seed of the sampler, if `sampler` is a string.
    error_score : "raise" or numeric, default=np.nan
        Score of a fit that fails. A candidate with a score of nan is reported to the
        sampler as failed.
    return_train_score : bool, default=False
        Whether to compute scores on the training rows of each fold as well.

    Attributes
    ----------
    study_ : optuna.Study
        All trials, in the order in which they were proposed, for Optuna's plots and
        importances. The switch of an OffOr for ``l2`` is called ``l2 is on``.
    cv_results_ : dict of str to ndarray
        As in GridSearchCV, in the order of evaluation.
    best_estimator_ : estimator
        The estimator fitted with the best candidate on all rows. Present only if
        `refit` is set.
    best_score_ : float
        Mean score of the best candidate over the folds.
    best_params_ : dict
        Parameters of the best candidate.
    best_index_ : int
        Index of the best candidate in `cv_results_`.
    scorer_ : callable or dict of callable
        The scorers.
    n_splits_ : int
        Number of folds.
    refit_time_ : float
        Seconds that the fit on all rows took. Present only if `refit` is set.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        The class labels. Present only if `refit` is set and the estimator has them.
    n_features_in_ : int
        Number of features seen during fit. Present only if `refit` is set and the
        estimator has it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit. Present only if `refit` is set and the
        estimator has them.

    See Also
    --------
    fused : Trains the networks of a batch together.
    sklearn.model_selection.RandomizedSearchCV : Does not learn from earlier candidates.

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
        # `_get_scorers` names the scores that a misspelt name resembles.
        "scoring": [str, callable, list, tuple, set, dict, None],
        "n_iter": [COUNT],
        "batch_size": [COUNT],
        "sampler": [
            StrOptions({"tpe", "random", "gp"}),
            HasMethods(["sample_independent", "sample_relative"]),
        ],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Estimator,
        param_distributions: dict[str, Any],
        *,
        n_iter: int = 32,
        batch_size: int = 8,
        sampler: Literal["tpe", "random", "gp"] | OptunaSampler = "tpe",
        scoring: Scoring | MultimetricScoring = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[[dict[str, Any]], int] = True,
        cv: CrossValidation = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: RandomState = None,
        error_score: Literal["raise"] | float = np.nan,
        return_train_score: bool = False,
    ) -> None:
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

    def _get_scorers(self):
        """Return the scorers and the score to refit for, after a check of names."""
        check_scorer("scoring", self.scoring)
        return super()._get_scorers()

    def _check_input_parameters(self, X, y, split_params):
        """Draw the folds once, so that all batches are scored on the same folds."""
        splits = list(self._checked_cv_orig.split(X, y, **split_params))
        self._checked_cv_orig = _DrawnFolds(splits)

    def _run_search(self, evaluate_candidates, *, callback_ctx=None):
        """Propose and evaluate one batch of candidates after another."""
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
            trials, candidates = propose(self.study_, space, n_trials)
            scores = evaluation.scores([trial.params for trial in trials], candidates)
            for trial, score in zip(trials, scores):
                tell(self.study_, trial, score)
        if evaluation.n_evaluated == 0:
            raise evaluation.failure
        search_ctx.call_on_fit_task_end(estimator=self)

    def _check_refit_is_a_score(self):
        if not isinstance(self.refit, str):
            raise ValueError(
                "With several scores, refit must name the one to maximise, got "
                f"refit={self.refit!r}."
            )

    def _scores_of(self, results):
        """Return the scores to maximise of all candidates so far."""
        for name in (f"mean_test_{self.refit}", "mean_test_score"):
            if name in results:
                return results[name]
        self._check_refit_is_a_score()
        known = score_names(results)
        raise ValueError(f"refit={self.refit!r} is not one of the scores {known}.")

    def _make_study(self):
        if not isinstance(self.sampler, str):
            return new_study(deepcopy(self.sampler))
        seed = int(generator_of(self.random_state).randint(2**31 - 1))
        return new_study(self.sampler, seed, self.batch_size)


class _DrawnFolds:
    """A splitter that always returns the same folds."""

    def __init__(self, splits):
        self.splits = splits

    def get_n_splits(self, X=None, y=None, **split_params):
        return len(self.splits)

    def split(self, X=None, y=None, **split_params):
        return iter(self.splits)


class _Evaluation:
    """Evaluates candidates, and keeps their scores so that each is fitted only once."""

    def __init__(self, search, evaluate_candidates, callback_ctx):
        self.search = search
        self.evaluate_candidates = evaluate_candidates
        self.callback_ctx = callback_ctx
        self.n_evaluated = 0
        self.failure = None
        self._score_of = {}

    def scores(self, asked, candidates):
        """Return the mean score of each candidate, nan if it failed."""
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
            # scikit-learn raises an error if all fits of one call fail. Here this may
            # be one unlucky batch, from which the sampler learns where not to search.
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
