"""BayesSearchCV: Optuna's samplers behind GridSearchCV's interface."""

import logging
import pickle
import sys

import numpy as np
import optuna
import pytest
import sklearn
import torch
from _checks import is_nightly
from _searches import BOX, ROWS, Surface, candidates, search_surface
from _versions import ProgressBar, needs_callbacks
from optuna.distributions import FloatDistribution
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_param_validation,
    parametrize_with_checks,
)

import skreg
from skreg import BayesSearchCV, MLPClassifier, OffOr

X, Y = load_iris(return_X_y=True)
SEARCHES = [
    BayesSearchCV(
        LogisticRegression(),
        {"C": FloatDistribution(0.1, 10, log=True), "fit_intercept": [True, False]},
        n_iter=4,
        batch_size=2,
        cv=2,
        error_score="raise",
        random_state=0,
    ),
    BayesSearchCV(
        Ridge(solver="svd"),
        {"alpha": OffOr(FloatDistribution(0.1, 1.0), off=1e-3)},
        n_iter=4,
        batch_size=3,
        cv=2,
        error_score="raise",
        random_state=0,
    ),
    BayesSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression()),
        {"logisticregression__C": [0.1, 1.0]},
        n_iter=4,
        cv=2,
        error_score="raise",
        random_state=0,
    ),
]


def exemption(search):
    """Return the checks from which scikit-learn exempts its own searches over Ridge."""
    # Of the others the check is lenient, as they are classifiers.
    if isinstance(search.estimator, Ridge):
        return {"check_supervised_y_2d": "DataConversionWarning not caught"}
    return {}


# Labels that are not finite, which scikit-learn's stratified folds cast to integers.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
@parametrize_with_checks(
    SEARCHES if is_nightly() else SEARCHES[:2], expected_failed_checks=exemption
)
def test_scikit_learn_check(estimator, check):
    # scikit-learn skips them only if torch is no build for CUDA.
    given = check.keywords.values()
    devices = {str(getattr(value, "device", value)) for value in given}
    if "cuda" in devices and not torch.cuda.is_available():
        pytest.skip("torch sees no CUDA device")
    check(estimator)


def test_param_validation():
    check_param_validation("BayesSearchCV", SEARCHES[0])


# the search


def test_finds_an_optimum_that_random_search_misses():
    """With 64 trials in a square of side 10 the nearest of random points is 0.6 away
    on average (the area of a circle of that radius is 1/64 of the square's, twice
    over), a squared distance of 0.4. What has learnt is ten times nearer."""
    directed = search_surface(n_iter=64, batch_size=4)
    drawn = search_surface(n_iter=64, sampler="random")
    assert directed.best_score_ > -0.04
    assert drawn.best_score_ < -0.1
    assert directed.best_params_["a"] == pytest.approx(1.3, abs=0.2)
    assert directed.best_params_["b"] == pytest.approx(-2.1, abs=0.2)


def test_a_gaussian_process_is_nearer_still():
    search = search_surface(n_iter=24, sampler="gp")
    assert search.best_score_ > -0.01


def test_results_are_those_of_a_grid_search_over_the_same_candidates():
    space = {"C": stats.loguniform(1e-3, 10), "class_weight": [None, "balanced"]}
    scoring = {"loss": "neg_log_loss", "hits": "accuracy"}
    options = {"scoring": scoring, "refit": "loss", "return_train_score": True}
    model = LogisticRegression(max_iter=1000)
    search = BayesSearchCV(model, space, n_iter=4, random_state=3, **options)
    search.fit(X, Y)
    asked = [{key: [value] for key, value in c.items()} for c in candidates(search)]
    grid = GridSearchCV(model, asked, **options).fit(X, Y)
    assert search.cv_results_.keys() == grid.cv_results_.keys()
    for key, values in grid.cv_results_.items():
        if "time" not in key:
            np.testing.assert_array_equal(search.cv_results_[key], values, err_msg=key)
    assert search.best_params_ == grid.best_params_
    assert search.best_score_ == grid.best_score_
    assert search.score(X, Y) == grid.score(X, Y)
    np.testing.assert_array_equal(search.predict_proba(X), grid.predict_proba(X))


def test_fused_is_the_same():
    """In float64, where a stack differs from one network by rounding."""
    X, y = load_breast_cancer(return_X_y=True)
    X, y = X[::3], y[::3]
    space = {"l2": OffOr(stats.loguniform(1e-5, 1e-1)), "dropout": [0.0, 0.3]}
    network = MLPClassifier((8,), max_iter=10, random_state=0)
    search = BayesSearchCV(
        network, space, n_iter=9, batch_size=4, cv=3, random_state=1
    ).set_params(scoring="neg_log_loss")
    alone = clone(search).fit(X, y)
    with skreg.fused():
        fused = clone(search).fit(X, y)
    assert candidates(fused)[:4] == candidates(alone)[:4]
    # Rounding in the scores moves what is proposed after them by as little.
    for ours, theirs in zip(candidates(fused), candidates(alone), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-7)
    scores = [s.cv_results_["mean_test_score"] for s in (fused, alone)]
    np.testing.assert_allclose(*scores, rtol=1e-7)


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_the_seed_decides(sampler):
    options = {"sampler": sampler, "n_iter": 12, "batch_size": 4}
    runs = [
        candidates(search_surface(random_state=seed, **options)) for seed in (0, 0, 1)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_a_generator_as_seed():
    rng = np.random.RandomState(0)
    search = BayesSearchCV(Surface(), BOX, n_iter=2, cv=2, random_state=rng)
    first = candidates(search.fit(*ROWS))
    assert first != candidates(search.fit(*ROWS))


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp"])
def test_no_global_random_state_is_used(sampler):
    options = {"sampler": sampler, "n_iter": 12, "batch_size": 4}
    np.random.seed(0)
    torch.manual_seed(0)
    numpys, torchs = np.random.get_state()[1].copy(), torch.get_rng_state()
    first = candidates(search_surface(**options))
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)
    assert torch.equal(torch.get_rng_state(), torchs)
    np.random.seed(1)
    torch.manual_seed(1)
    assert candidates(search_surface(**options)) == first


@pytest.mark.parametrize(("n_iter", "batch_size"), [(10, 4), (3, 8), (5, 1)])
def test_n_iter_need_not_be_whole_batches(n_iter, batch_size, monkeypatch):
    batches = []
    run = BayesSearchCV._run_search

    def watched(self, evaluate_candidates, *, callback_ctx=None):
        def evaluate(candidates, **options):
            batches.append(len(candidates))
            return evaluate_candidates(candidates, **options)

        return run(self, evaluate, callback_ctx=callback_ctx)

    monkeypatch.setattr(BayesSearchCV, "_run_search", watched)
    search = search_surface(n_iter=n_iter, batch_size=batch_size)
    whole, rest = divmod(n_iter, batch_size)
    assert batches == [batch_size] * whole + [rest] * bool(rest)
    assert len(candidates(search)) == len(search.study_.trials) == n_iter


def test_the_study_holds_what_was_told():
    search = search_surface(n_iter=12)
    values = [trial.value for trial in search.study_.trials]
    assert values == search.cv_results_["mean_test_score"].tolist()
    assert [trial.params for trial in search.study_.trials] == candidates(search)
    assert search.study_.best_value == search.best_score_
    again = pickle.loads(pickle.dumps(search))
    assert [trial.value for trial in again.study_.trials] == values


def test_a_sampler_of_optuna_is_copied():
    sampler = optuna.samplers.RandomSampler(seed=5)
    search = BayesSearchCV(Surface(), BOX, n_iter=3, cv=2, sampler=sampler)
    runs = [candidates(search.fit(*ROWS)) for _ in range(2)]
    assert runs[0] == runs[1]
    trial = optuna.samplers.RandomSampler(seed=5)
    study = optuna.create_study(sampler=trial)
    drawn = study.ask({"a": optuna.distributions.FloatDistribution(-5, 5)})
    assert runs[0][0]["a"] == drawn.params["a"]
    assert search.sampler is sampler


def test_repeated_candidates_are_fitted_once():
    search = search_surface({"a": [0.0, 1.0, 2.0]}, n_iter=20)
    assert len(search.study_.trials) == 20
    assert sorted(c["a"] for c in candidates(search)) == [0.0, 1.0, 2.0]
    assert {t.value for t in search.study_.trials} == set(
        search.cv_results_["mean_test_score"]
    )


def test_all_batches_are_scored_on_the_same_folds():
    """Though each call of this splitter's `split` gives others."""
    seen = []

    class Watching(Surface):
        def score(self, X, y):
            seen.append(tuple(y))
            return super().score(X, y)

    cv = KFold(4, shuffle=True, random_state=np.random.RandomState(0))
    BayesSearchCV(Watching(), BOX, n_iter=6, batch_size=2, cv=cv).fit(*ROWS)
    assert len(seen) == 24
    assert len(set(seen)) == 4


# failures


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@pytest.mark.parametrize("batch_size", [1, 8])
def test_failed_fits_are_failed_trials(batch_size):
    search = BayesSearchCV(
        Surface(fails_below=0.0), BOX, n_iter=20, batch_size=batch_size, random_state=0
    ).fit(*ROWS)
    for trial in search.study_.trials:
        failed = trial.params["a"] < 0
        assert trial.state.name == ("FAIL" if failed else "COMPLETE")
    assert search.best_params_["a"] >= 0
    states = {trial.state.name for trial in search.study_.trials}
    assert states == {"FAIL", "COMPLETE"}


def test_all_fits_failing_is_an_error():
    search = BayesSearchCV(Surface(fails_below=9.0), BOX, n_iter=4, batch_size=2)
    with (
        pytest.warns(FitFailedWarning, match="a is too small"),
        pytest.raises(ValueError, match="All the 10 fits failed"),
    ):
        search.fit(*ROWS)
    search.set_params(error_score="raise")
    with pytest.raises(ValueError, match=r"^a is too small"):
        search.fit(*ROWS)


def test_several_scores_need_one_to_maximise():
    both = ["r2", "neg_mean_squared_error"]
    for scoring in (both, lambda *_: {"r2": 1.0, "other": 2.0}):
        search = BayesSearchCV(Ridge(), {"alpha": [1.0]}, scoring=scoring, refit=False)
        with pytest.raises(ValueError, match="refit must name the one to maximise"):
            search.fit(*ROWS)
    with pytest.raises(ValueError, match="refit='r3' is not one of the scores"):
        BayesSearchCV(
            Ridge(), {"alpha": [1.0]}, scoring=lambda *_: {"r2": 1.0}, refit="r3"
        ).fit(*ROWS)


def test_the_named_score_is_what_is_maximised():
    def scores(model, X, y):
        return {"one": model.score(X, y), "other": -model.score(X, y)}

    for name in ("one", "other"):
        search = search_surface(scoring=scores, refit=name, n_iter=10)
        told = [trial.value for trial in search.study_.trials]
        assert told == search.cv_results_[f"mean_test_{name}"].tolist()
        assert search.best_index_ == np.argmax(told)


@pytest.mark.parametrize(
    "distribution", [[0.1, 1.0], stats.loguniform(0.1, 1), OffOr(stats.uniform(0, 1))]
)
def test_without_optuna_the_error_says_how_to_get_it(distribution, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    search = BayesSearchCV(LogisticRegression(), {"C": distribution})
    with pytest.raises(ImportError, match=r"pip install 'skreg\[search\]'"):
        search.fit(X, Y)


# beside others


def test_optunas_logging_is_left_as_it_is(capsys):
    messages = []
    handler = logging.Handler()
    handler.emit = messages.append
    root = logging.getLogger("optuna")
    names = ("study.study", "storages._in_memory")
    loggers = [logging.getLogger(f"optuna.{name}") for name in names]
    root.addHandler(handler)
    before = [logger.level for logger in [root, *loggers]], list(root.handlers)
    search_surface()
    after = [logger.level for logger in [root, *loggers]], list(root.handlers)
    assert after == before
    assert not messages and capsys.readouterr().out == ""
    optuna.create_study()
    assert len(messages) == 1
    root.removeHandler(handler)


def test_metadata_is_routed():
    rng = np.random.default_rng(0)
    groups, weight = rng.integers(4, size=len(Y)), rng.random(len(Y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=True)
        scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        options = {"cv": GroupKFold(4), "scoring": scorer}
        search = BayesSearchCV(model, {"C": [0.01, 1.0]}, n_iter=4, **options)
        search.fit(X, Y, groups=groups, sample_weight=weight)
        for candidate, score in zip(
            candidates(search), search.cv_results_["mean_test_score"]
        ):
            expected = cross_val_score(
                clone(model).set_params(**candidate),
                X,
                Y,
                params={"groups": groups, "sample_weight": weight},
                **options,
            )
            assert score == expected.mean()


class Recorder:
    """A callback of scikit-learn that records the tasks that begin."""

    def __init__(self):
        self.tasks = []

    def setup(self, estimator, context):
        """Nothing to prepare."""

    def on_fit_task_begin(self, estimator, context, **kwargs):
        """Record the task."""
        self.tasks.append((context.task_name, context.max_subtasks))

    def on_fit_task_end(self, estimator, context, **kwargs):
        """Nothing to do."""
        return False

    def teardown(self, estimator, context):
        """Nothing to clean up."""


@needs_callbacks
def test_callbacks_see_the_batches():
    recorder = Recorder()
    search = BayesSearchCV(Surface(), BOX, n_iter=5, batch_size=3, cv=2)
    search.set_callbacks(recorder).fit(*ROWS)
    assert recorder.tasks[:2] == [("fit", 2), ("search", 2)]
    batches = [task for task in recorder.tasks if task[0] == "batch"]
    assert batches == [("batch", 6), ("batch", 4)]


# This estimator has none of its own.
@needs_callbacks
@pytest.mark.filterwarnings("ignore:The estimator Surface does not support callbacks")
def test_the_progress_bar_runs():
    search = BayesSearchCV(Surface(), {"a": [0.0, 1.0]}, n_iter=20, cv=2)
    search.set_callbacks(ProgressBar()).fit(*ROWS)
    assert len(candidates(search)) == 2


def test_a_misspelt_score():
    search = BayesSearchCV(Ridge(), {"alpha": [1.0]}, scoring="neg_mean_square_error")
    with pytest.raises(ValueError, match="did you mean 'neg_mean_squared_error'"):
        search.fit([[0.0], [1.0]] * 5, [0.0, 1.0] * 5)
