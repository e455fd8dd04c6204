"""Fused calls leave everything else as it was: results, state, warnings, times."""

import contextvars
import random
import threading
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from _fusion import (
    classes,
    classifier,
    compare,
    counted,
    numbers,
    outcome,
    search,
)
from _versions import ProgressBar, ScoringMonitor, needs_callbacks
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.parallel import Parallel, delayed
from skorch.callbacks import Callback

from skreg import fused

quick = pytest.mark.filterwarnings(
    # Few epochs are meant.
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning"
)

X, Y = classes()
X_REAL, Y_REAL = numbers()
LOSS = "neg_log_loss"


def state():
    """Return the state of the process that a call might change."""
    return {
        "filters": list(warnings.filters),
        "show": [warnings.showwarning, warnings._showwarnmsg_impl],
        "numpy": np.random.get_state()[1].tolist(),
        "python": random.getstate(),
        "torch": torch.random.get_rng_state().tolist(),
        "torch threads": torch.get_num_threads(),
        # Those of process pools of earlier tests come and go.
        "threads": sum(t.name == "skreg-task" for t in threading.enumerate()),
        "scikit-learn": sklearn.get_config(),
        "numpy errors": np.geterr(),
        "grad": torch.is_grad_enabled(),
        "dtype": torch.get_default_dtype(),
    }


@quick
class TestState:
    def test_is_left_as_found(self):
        before, filters = state(), warnings.filters
        with fused():
            outcome(search(), X, Y)
            cross_val_score(search(), X, Y, cv=2)
        assert state() == before
        assert warnings.filters is filters

    def test_is_left_as_found_after_an_error(self):
        before, filters = state(), warnings.filters
        broken = search(grid={"learning_rate_init": [0.1, 1e300]}, error_score="raise")
        with pytest.raises(ValueError), fused():
            broken.fit(X, Y)
        with pytest.raises(ValueError), fused():
            cross_val_score(broken, X, Y, cv=2, error_score="raise")
        assert state() == before
        assert warnings.filters is filters

    def test_a_fit_by_hand_is_as_usual(self):
        alone = classifier().fit(X, Y)
        with fused(), counted() as sizes:
            by_hand = classifier().fit(X, Y)
        assert sizes == [1]
        np.testing.assert_array_equal(by_hand.coefs_[0], alone.coefs_[0])

    def test_nothing_is_fused_after_the_block(self):
        with fused():
            pass
        with counted() as sizes:
            cross_val_score(classifier(), X, Y, cv=3)
        assert sizes == [1, 1, 1]

    def test_data_and_estimators_are_not_changed(self):
        X_copy, y_copy, one = X.copy(), Y.copy(), search()
        parameters = str(one.get_params())
        with fused():
            one.fit(X, Y)
        np.testing.assert_array_equal(X, X_copy)
        np.testing.assert_array_equal(Y, y_copy)
        assert str(one.get_params()) == parameters


def where(caught):
    """Return the messages of warnings, and where they were raised."""
    return [(w.category, str(w.message), w.filename, w.lineno) for w in caught]


class TestWarnings:
    @pytest.mark.parametrize("action", ["always", "default", "module", "once"])
    def test_arrive_as_alone(self, action):
        found = []
        for fuse in (False, True):
            # Registries of what was shown already are those of the modules.
            with warnings.catch_warnings(record=True) as caught:
                warnings.resetwarnings()
                warnings.simplefilter(action)
                if fuse:
                    with fused():
                        search().fit(X, Y)
                else:
                    search().fit(X, Y)
            found.append(where(caught))
        assert found[0] == found[1]
        if action == "always":
            assert len(found[0]) == 10

    def test_each_network_warns(self):
        with pytest.warns(ConvergenceWarning) as caught, fused():
            cross_val_score(classifier(), X, Y, cv=5)
        assert len(caught) == 5

    def test_as_errors(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ConvergenceWarning), fused():
                cross_val_score(classifier(), X, Y, cv=3, error_score="raise")

    def test_a_quiet_task_silences_no_other(self):
        def fit(quiet):
            if not quiet:
                return classifier().fit(X, Y).loss_
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                first = classifier().fit(X, Y).loss_
                assert warnings.filters[0][0] == "ignore"
            return first + classifier().fit(X, Y).loss_

        def work():
            with pytest.warns(ConvergenceWarning) as caught:
                losses = Parallel()(delayed(fit)(k % 2 == 0) for k in range(6))
            return losses, len(caught)

        before, filters = list(warnings.filters), warnings.filters
        compare(work, [6, 3])
        assert warnings.filters is filters and warnings.filters == before

    def test_a_task_catches_its_own(self):
        def fit(n_fits):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for _ in range(n_fits):
                    classifier().fit(X, Y)
            return len(caught)

        compare(lambda: Parallel()(delayed(fit)(n) for n in (1, 2, 3)), [3, 2, 1])


setting = contextvars.ContextVar("setting", default="outside")


class Reporter(TransformerMixin, BaseEstimator):
    """Record the context of a fit."""

    def fit(self, X, y=None):
        self.seen_ = [sklearn.get_config()["assume_finite"], setting.get()]
        self.seen_ += [np.geterr()["over"], type(X).__name__]
        return self

    def transform(self, X):
        return X

    def set_output(self, transform=None):
        return self


@quick
class TestContext:
    def test_reaches_tasks_and_what_follows_a_fit(self):
        def seen(fitted):
            return [step.seen_ for step in (fitted[1], fitted[3])]

        frame = pd.DataFrame(X, columns=list("abcd"))
        first = FunctionTransformer()  # passes the frame on
        pipeline = make_pipeline(
            StandardScaler(), Reporter(), first, Reporter(), classifier()
        )

        def work():
            with sklearn.config_context(assume_finite=True, transform_output="pandas"):
                with np.errstate(over="raise"):
                    token = setting.set("inside")
                    found = cross_validate(
                        pipeline, frame, Y, cv=3, scoring=LOSS, return_estimator=True
                    )
                    setting.reset(token)
            return [seen(e) for e in found["estimator"]], found["test_score"]

        compare(work, [3])
        assert work()[0][0][0] == [True, "inside", "raise", "DataFrame"]

    @pytest.mark.parametrize("pre_dispatch", ["2*n_jobs", 2])
    def test_reaches_tasks_of_tasks(self, pre_dispatch):
        def inner():
            classifier().fit(X, Y)
            config = sklearn.get_config()["assume_finite"]
            return setting.get(), np.geterr()["over"], config

        def outer(k):
            setting.set(f"task {k}")
            with np.errstate(over="raise"):
                with sklearn.config_context(assume_finite=True):
                    parallel = Parallel(pre_dispatch=pre_dispatch)
                    return parallel(delayed(inner)() for _ in range(5))

        def work():
            return Parallel()(delayed(outer)(k) for k in range(3))

        def in_a_context():
            # What runs in this thread must not change it.
            return contextvars.copy_context().run(work)

        compare(in_a_context)

    def test_a_task_changes_only_its_own(self):
        def fit(k):
            before = setting.get(), np.geterr()["over"]
            setting.set(k)
            np.seterr(over="raise")
            classifier().fit(X, Y)
            return before, setting.get()

        with fused():
            found = Parallel()(delayed(fit)(k) for k in range(3))
        outside = setting.get(), np.geterr()["over"]
        assert found == [(outside, k) for k in range(3)]


class Sleepy(TransformerMixin, BaseEstimator):
    def __init__(self, seconds=0.0):
        self.seconds = seconds

    def fit(self, X, y=None):
        time.sleep(self.seconds)
        return self

    def transform(self, X):
        return X


@quick
class TestTimes:
    def test_of_a_search_are_shares(self):
        one = search(grid={"l2": list(np.linspace(0, 1, 20))}, refit=False)
        start = time.perf_counter()
        with fused():
            one.fit(X, Y)
        wall = time.perf_counter() - start
        fit_times = one.cv_results_["mean_fit_time"] * 3
        assert (fit_times > 0).all()
        assert fit_times.sum() <= wall
        assert (one.cv_results_["mean_score_time"] > 0).all()

    def test_do_not_hold_the_wait(self):
        pipeline = make_pipeline(Sleepy(), classifier(max_iter=1))
        one = search(pipeline, {"sleepy__seconds": [0.0, 0.8, 0.0]}, refit=False)
        with fused():
            one.fit(X, Y)
        times = one.cv_results_["mean_fit_time"]
        assert times[1] > 0.8
        # A fit takes some ms, and with the wait it would take 0.8 s more.
        assert max(times[0], times[2]) < 0.8

    def test_of_nested_searches(self):
        start = time.perf_counter()
        with fused():
            found = cross_validate(search(), X, Y, cv=3, return_estimator=True)
        wall = time.perf_counter() - start
        assert 0 < found["fit_time"].sum() <= wall
        for outer, one in zip(found["fit_time"], found["estimator"]):
            inner = one.cv_results_["mean_fit_time"].sum() * 3
            assert 0 < inner < outer

    def test_of_a_learning_curve(self):
        start = time.perf_counter()
        with fused():
            found = learning_curve(classifier(), X, Y, cv=3, return_times=True)
        wall = time.perf_counter() - start
        assert (found[3] > 0).all() and found[3].sum() <= wall

    def test_of_a_score_that_fits_are_not_those_of_the_fit(self):
        def scorer(network, X, y):
            return -classifier().fit(X, y).loss_

        start = time.perf_counter()
        with fused():
            found = cross_validate(classifier(max_iter=20), X, Y, cv=5, scoring=scorer)
        wall = time.perf_counter() - start
        # Scoring takes a fifth of the epochs.
        assert (found["fit_time"] > found["score_time"].mean() / 5).all()
        assert found["fit_time"].sum() <= wall

    def test_of_another_estimator_is_what_it_took(self):
        pipeline = make_pipeline(Sleepy(0.05), Sleepy(), OneClass())
        start = time.perf_counter()
        with fused():
            found = cross_validate(pipeline, X, Y, cv=3)
        wall = time.perf_counter() - start
        assert (found["fit_time"] > 0.05).all() and found["fit_time"].sum() <= wall


class OneClass(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Epochs(Callback):
    """Count the epochs of a skorch net."""

    def on_train_begin(self, net, **kwargs):
        self.n_epochs_ = 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ += 1


class Events:
    """Record the calls of a callback that scikit-learn propagates to the networks."""

    def __init__(self, max_propagation_depth):
        self.max_propagation_depth = max_propagation_depth
        self.seen = []

    def _see(self, event, context):
        self.seen.append(f"{event} {context.estimator_name} {context.task_name}")

    def setup(self, estimator, context):
        self._see("setup", context)

    def teardown(self, estimator, context):
        self._see("teardown", context)

    def on_fit_task_begin(self, estimator, context):
        self._see("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._see("end", context)


def logs(monitor):
    """Return the logged numbers without the name of the run."""
    return [
        {name: row[name] for name in row if name != "run_id"}
        for row in monitor.get_logs().data
    ]


@quick
@quick
class TestCallbacks:
    @needs_callbacks
    @pytest.mark.parametrize("depth", [1, None])
    def test_of_a_search(self, depth):
        def work():
            events = Events(depth)
            found = outcome(search(classifier(max_iter=2)).set_callbacks(events), X, Y)
            return found, sorted(events.seen)

        compare(work, [9, 1])

    @needs_callbacks
    def test_monitor_of_the_networks(self):
        def work():
            monitor = ScoringMonitor(scoring=LOSS)
            one = search(classifier().set_callbacks(monitor))
            found = outcome(one, X, Y)
            rows = [row[LOSS] for row in logs(monitor) if LOSS in row]
            return found, sorted(rows)

        compare(work, [9, 1])

    @needs_callbacks
    @pytest.mark.parametrize("depth", [1, None])
    def test_progress_bar(self, depth, capsys):
        one = search(classifier(max_iter=2)).set_callbacks(ProgressBar(depth))
        compare(lambda: outcome(one, X, Y), [9, 1])
        assert "GridSearchCV" in capsys.readouterr().out

    def test_of_skorch_train_alone(self):
        def work():
            network = classifier(callbacks=[Epochs()])
            found = cross_validate(
                network, X, Y, cv=3, scoring=LOSS, return_estimator=True
            )
            epochs = [e.callbacks[0].n_epochs_ for e in found.pop("estimator")]
            return found, epochs

        compare(work, [1, 1, 1])

    def test_with_and_without_in_one_search(self):
        grid = {"callbacks": [None, [Epochs()]], "l2": [0.0, 0.1]}

        def work():
            return (
                search(grid=grid, refit=False).fit(X, Y).cv_results_["mean_test_score"]
            )

        assert sorted(compare(work)) == [1] * 6 + [6]

    def test_verbose_networks(self, capsys):
        lines = []
        for fuse in (False, True):
            if fuse:
                with fused(), counted() as sizes:
                    search(classifier(verbose=True), refit=False).fit(X, Y)
            else:
                search(classifier(verbose=True), refit=False).fit(X, Y)
            lines.append(capsys.readouterr().out.splitlines())
        assert sizes == [9]
        assert sorted(lines[0]) == sorted(lines[1])

    def test_verbose_search(self, capsys):
        with fused():
            search(verbose=3).fit(X, Y)
        assert capsys.readouterr().out.count("[CV 1/3] END") == 3
