"""Fits of independent networks: in one stack, continued, and with errors."""

from unittest import mock

import numpy as np
import pytest
from _estimators import ESTIMATORS, STEADY, data
from _fitted import others_of
from _fusion import assert_same, counted, outcome
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from test_members import CLOSE, QUICK, same_states

import skreg
from skreg import (
    CNNRegressor,
    MLPClassifier,
    MLPClassifierCV,
    MLPRegressor,
    regularization_path,
)
from skreg.estimators.members import member_seeds

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class TestOneStack:
    def test_members_of_a_fit(self):
        X, y = data(MLPClassifier)
        with counted() as sizes:
            MLPClassifier(n_estimators=5, bootstrap=True, **QUICK).fit(X, y)
        assert sizes == [5]

    @pytest.mark.parametrize("checkpoint", [False, True])
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_members_of_a_search(self, kind, checkpoint, tmp_path):
        X, y = data(kind)
        grid = {"n_estimators": [1, 3], "bootstrap": [False, True], "l2": [0, 0.1]}
        scoring = "neg_log_loss" if kind is MLPClassifier else "r2"
        search = GridSearchCV(kind(**QUICK), grid, cv=3, scoring=scoring)
        expected = outcome(clone(search), X, y)
        n_best = expected["best_params"]["n_estimators"]
        options = {"checkpoint": tmp_path} if checkpoint else {}
        with counted() as sizes, skreg.fused(**options):
            found = outcome(clone(search), X, y)
        assert sizes == [2 * 2 * 3 * (1 + 3), n_best]
        assert_same(found, expected)
        if checkpoint:
            with counted() as sizes, skreg.fused(**options):
                assert_same(outcome(clone(search), X, y), expected)
            assert sizes == []

    def test_time_is_that_of_all_members(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(**(QUICK | {"max_iter": 300}))
        search = GridSearchCV(net, {"n_estimators": [1, 8]}, cv=2, refit=False)
        with skreg.fused():
            one, eight = search.fit(X, y).cv_results_["mean_fit_time"]
        # Eight ninths of the stack's time, and what comes before and after it.
        assert eight > 3 * one

    def test_over_processes(self):
        X, y = data(MLPClassifier)
        search = GridSearchCV(
            MLPClassifier(n_estimators=2, **QUICK), {"l2": [0, 0.1]}, cv=2
        )
        expected = outcome(clone(search), X, y)
        with skreg.fused(n_jobs=2):
            assert_same(outcome(clone(search), X, y), expected)


class TestWhatGoesOn:
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_warm_start(self, kind):
        X, y = data(kind)
        settings = QUICK | {"warm_start": True, "n_estimators": 3}
        net = kind(**settings).fit(X, y)
        before = [member.coefs_[0].copy() for member in net.estimators_]
        alone = [
            clone(member).set_params(warm_start=True) for member in net.estimators_
        ]
        net.fit(X, y)
        assert len(net.loss_curve_) == 12
        for member, own, old in zip(net.estimators_, alone, before):
            same_states(member, own.fit(X, y).fit(X, y))
            assert not np.array_equal(member.coefs_[0], old)
            assert len(member.loss_curve_) == 12

    def test_more_and_fewer(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(warm_start=True, **QUICK).fit(X, y)
        net.set_params(n_estimators=3).fit(X, y)
        assert [len(member.loss_curve_) for member in net.estimators_] == [12, 6, 6]
        fresh = MLPClassifier(n_estimators=3, **QUICK).fit(X, y)
        same_states(net.estimators_[2], fresh.estimators_[2])
        net.set_params(n_estimators=2).fit(X, y)
        assert [len(member.loss_curve_) for member in net.estimators_] == [18, 12]
        net.set_params(n_estimators=1).fit(X, y)
        assert len(net.estimators_) == 1 and len(net.loss_curve_) == 24
        assert net.net_.module_.n_models == 1

    @pytest.mark.parametrize("embedding", ["piecewise_linear", "periodic"])
    def test_new_members_have_the_encoding_of_the_others(self, embedding):
        X, y = data(MLPClassifier)
        settings = QUICK | {"numeric_embedding": embedding, "warm_start": True}
        net = MLPClassifier(n_estimators=2, **settings).fit(X, y)
        kept = MLPClassifier(n_estimators=3, **settings).fit(X, y).estimators_[2]
        net.set_params(n_estimators=3).fit(X, y)
        same_states(net.estimators_[2], kept)
        # Other rows would have other bins.
        net.set_params(n_estimators=4).partial_fit(2 * X[:30], y[:30])
        if embedding == "piecewise_linear":
            for member in net.estimators_:
                np.testing.assert_array_equal(
                    others_of(member)[-1], others_of(kept)[-1]
                )

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_partial_fit(self, kind):
        X, y = data(kind)
        net = kind(n_estimators=3, **QUICK)
        alone = [kind(**(QUICK | {"random_state": s})) for s in member_seeds(0, 3)]
        for part in (slice(0, 40), slice(40, 60), slice(10, 50)):
            net.partial_fit(X[part], y[part])
            for own in alone:
                own.partial_fit(X[part], y[part])
        for member, own in zip(net.estimators_, alone):
            same_states(member, own)
            assert member.t_ == own.t_ == 100
        with counted() as sizes:
            net.partial_fit(X, y)
        assert sizes == [3]

    def test_partial_fit_with_more(self):
        """New ones beside those whose optimiser goes on; and with another solver."""
        X, y = data(MLPClassifier)
        net = MLPClassifier(n_estimators=2, **QUICK).partial_fit(X, y)
        with counted() as sizes:
            net.set_params(n_estimators=3).partial_fit(X, y)
        assert sorted(sizes) == [1, 2]
        fresh = MLPClassifier(n_estimators=3, **QUICK).partial_fit(X, y)
        same_states(net.estimators_[2], fresh.estimators_[2])
        with counted() as sizes:
            net.set_params(solver="sgd").partial_fit(X, y)
        assert sizes == [3]


class Interrupt(Callback):
    """Raises an error in one epoch of one training, both counted from 1."""

    n_trainings = n_epochs = 0

    def __init__(self, training, epoch, error=KeyboardInterrupt):
        self.training, self.epoch, self.error = training, epoch, error

    def on_train_begin(self, net, **kwargs):
        self.n_trainings, self.n_epochs = self.n_trainings + 1, 0

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs += 1
        if (self.n_trainings, self.n_epochs) == (self.training, self.epoch):
            raise self.error


class TestWhatGoesWrong:
    def test_interrupts_leave_what_there_is(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(n_estimators=4, callbacks=[Interrupt(2, 3)], **QUICK)
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, y)
        assert [member.n_iter_ for member in net.estimators_] == [6, 3]
        mean = np.mean([member.predict_proba(X) for member in net.estimators_], 0)
        np.testing.assert_allclose(net.predict_proba(X), mean, **CLOSE)

    @pytest.mark.parametrize("n_before", [1, 3])
    def test_members_that_had_not_begun_to_go_on_are_kept(self, n_before):
        X, y = data(MLPClassifier)
        net = MLPClassifier(n_estimators=n_before, warm_start=True, **QUICK).fit(X, y)
        before = [member.predict_proba(X) for member in net.estimators_]
        # Networks with callbacks train one after another.
        net.set_params(n_estimators=3, callbacks=[Interrupt(1, 2)])
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, y)
        lengths = [len(member.loss_curve_) for member in net.estimators_]
        assert lengths == [8, 6, 6][:n_before]
        for member, expected in zip(net.estimators_[1:], before[1:]):
            np.testing.assert_array_equal(member.predict_proba(X), expected)
        mean = np.mean([member.predict_proba(X) for member in net.estimators_], 0)
        np.testing.assert_allclose(net.predict_proba(X), mean, **CLOSE)

    def test_what_was_fitted_stays_if_none_has_begun_to_go_on(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(warm_start=True, **QUICK).fit(X, y)
        expected = net.predict_proba(X)
        net.set_params(n_estimators=3)
        results = [None] * 3
        with (
            mock.patch("skreg.estimators.base.train_fit", lambda requests: results),
            pytest.raises(KeyboardInterrupt),
        ):
            net.fit(X, y)
        assert len(net.estimators_) == 1
        np.testing.assert_array_equal(net.predict_proba(X), expected)

    def test_interrupts_of_a_stack(self):
        X, y = data(MLPClassifier)
        calls = []

        def scorer(estimator, X, y):
            calls.append(1)
            if len(calls) == 5:  # the second member's, in the second epoch
                raise KeyboardInterrupt
            return 0.0

        settings = {"early_stopping": True, "monitor": scorer, "n_estimators": 3}
        net = MLPClassifier(**settings, **QUICK)
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, y)
        assert len(net.estimators_) == 3
        assert np.isfinite(net.predict_proba(X)).all()

    @pytest.mark.parametrize("in_search", [False, True])
    def test_an_error_of_one_is_that_of_the_fit(self, in_search):
        X, y = data(MLPClassifier)
        net = MLPClassifier(n_estimators=3, bootstrap=True, **QUICK).fit(X, y)
        before = net.predict_proba(X)
        calls = []

        def scorer(estimator, X, y):
            calls.append(1)
            if len(calls) == 5:
                raise ZeroDivisionError("of the user's making")
            return 0.0

        net.set_params(early_stopping=True, monitor=scorer)
        with pytest.raises(ZeroDivisionError, match="of the user's making"):
            if in_search:
                with skreg.fused():
                    GridSearchCV(net, {}, cv=2, error_score="raise").fit(X, y)
            else:
                net.fit(X, y)
        # As before the fit that failed.
        np.testing.assert_array_equal(net.predict_proba(X), before)
        assert len(net.estimators_) == 3

    def test_divergence(self):
        X, y = data(MLPRegressor)
        settings = QUICK | {"solver": "sgd", "learning_rate_init": 1e8}
        settings |= {"clip_norm": None, "max_iter": 30}
        net = MLPRegressor(n_estimators=3, **settings)
        with pytest.raises(ValueError, match="Training diverged"):
            net.fit(X, y)
        with pytest.raises(NotFittedError):
            net.predict(X)

    def test_one_warning(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(n_estimators=3, **(STEADY | {"max_iter": 2}))
        with pytest.warns(ConvergenceWarning) as found:
            net.fit(X, y)
        assert len(found) == 1 and found[0].filename == __file__

    def test_verbose(self, capsys):
        X, y = data(MLPClassifier)
        MLPClassifier(n_estimators=2, verbose=True, **QUICK).fit(X, y)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 12
        for number in (1, 2):
            own = [line for line in lines if line.startswith(f"Network {number}: Iter")]
            assert len(own) == 6


class TestRefusals:
    """What trains one network refuses several, and does not silently ignore them."""

    @pytest.mark.parametrize(
        ("settings", "instead"),
        [
            ({"n_estimators": 2}, ", or set ensemble='shared'"),
            ({"bootstrap": True}, ""),
        ],
    )
    def test_path(self, settings, instead):
        X, y = data(MLPRegressor)
        match = rf"regularization_path trains one net.* Leave them out{instead}\.$"
        with pytest.raises(ValueError, match=match):
            regularization_path(MLPRegressor(**settings), X, y, n=3)

    @pytest.mark.parametrize("settings", [{"n_estimators": 2}, {"max_samples": 0.5}])
    def test_tuned(self, settings):
        X, y = data(MLPClassifier)
        net = MLPClassifier(**(QUICK | settings))
        with pytest.raises(ValueError, match="a search by cross-validation trains"):
            MLPClassifierCV(net, n_candidates=2, cv=2).fit(X, y)

    def test_convolutional_networks_have_no_other_ensemble(self):
        X, y = data(MLPRegressor)
        net = CNNRegressor(channels=(2,), n_estimators=2)
        message = (
            r"n_estimators=2, bootstrap=False, max_samples=1\.0\. Leave them out\.$"
        )
        with pytest.raises(ValueError, match=message):
            regularization_path(net, X, y, n=3)
