"""Ensembles of independent networks: seeds, rows, averages, and one stack for a fit."""

import pickle
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
from _estimators import ESTIMATORS, data
from _numeric import request_of
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError

from skreg import MLPClassifier, MLPRegressor
from skreg.estimators.members import member_seeds
from skreg.losses.kinds import REGRESSION_LOSSES

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"hidden_layer_sizes": (5,), "max_iter": 6, "batch_size": 16}
QUICK |= {"random_state": 0, "learning_rate_init": 0.02}
# The same float64 network in another stack: rounding, and what few steps make of it.
CLOSE = {"rtol": 1e-10, "atol": 1e-11}


def same_states(one, other, rtol=1e-9, atol=1e-10):
    for a, b in zip(one._fits[0].state, other._fits[0].state, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def prediction(estimator, X):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


class TestSeeds:
    def test_first_is_that_of_the_fit_and_others_follow(self):
        seeds = member_seeds(7, 50)
        assert seeds[0] == 7 and len(set(seeds)) == 50
        assert seeds[:9] == member_seeds(7, 9)
        assert not set(seeds[1:]) & set(member_seeds(8, 50))
        assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in seeds)

    @pytest.mark.parametrize("state", [None, np.random.RandomState(3)])
    def test_other_random_states(self, state):
        X, y = data(MLPClassifier)
        net = MLPClassifier(**(QUICK | {"random_state": state, "n_estimators": 3}))
        one, other = clone(net).fit(X, y), clone(net).fit(X, y)
        same = np.array_equal(one.coefs_[0], other.coefs_[0])
        assert same == (state is not None)  # a clone has a copy of the generator
        firsts = [member.coefs_[0].tobytes() for member in one.estimators_]
        assert len(set(firsts)) == 3
        for member in one.estimators_:
            clone(member).fit(X, y)  # its random_state is a valid one


SETTINGS = {
    "plain": {},
    "noise": {"dropout": 0.3, "input_noise": 0.1, "mixup": 0.2},
    "batchnorm": {"batchnorm": True, "ema_decay": 0.9},
    "embedding": {"numeric_embedding": "periodic", "embedding_size": 3},
    "snapshots": {"n_snapshots": 2, "learning_rate": "cosine"},
    "sgd": {"solver": "sgd", "clip_norm": 0.5},
    "lbfgs": {"solver": "lbfgs", "activation": "tanh"},
    "robust": {"standardize": "robust", "init": "scaled"},
}


class TestMembers:
    @pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_each_is_a_network_alone(self, kind, settings):
        X, y = data(kind)
        net = kind(n_estimators=3, **(QUICK | settings)).fit(X, y)
        for member, seed in zip(net.estimators_, member_seeds(0, 3), strict=True):
            assert member.random_state == seed and member.n_estimators == 1
            alone = clone(member).fit(X, y)
            assert alone.n_estimators == 1
            same_states(member, alone)
            np.testing.assert_allclose(
                prediction(member, X), prediction(alone, X), **CLOSE
            )
            assert member.loss_curve_ == pytest.approx(alone.loss_curve_, rel=1e-9)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_polished_ones(self, kind):
        """L-BFGS ends the fit of each member, and certifies it."""
        X, y = data(kind)
        settings = QUICK | {"l1": 0.03, "activation": "tanh", "max_iter": 300}
        net = kind(n_estimators=2, **settings).fit(X, y)
        violations = [member.kkt_violation_ for member in net.estimators_]
        assert max(violations) <= 1e-6 and net.kkt_violation_ == max(violations)
        for member in net.estimators_:
            # Optima that are found on ways that differ by rounding.
            same_states(member, clone(member).fit(X, y), rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_attributes(self, kind):
        """Curves and weights are the first's; what is used is said of all."""
        X, y = data(kind)
        settings = QUICK | {"group_l1": 0.1, "l1": 0.01}
        net = kind(n_estimators=4, **settings).fit(X, y)
        members = net.estimators_
        for name in ("loss_curve_", "n_iter_", "loss_", "t_"):
            assert getattr(net, name) is getattr(members[0], name)
        pairs = zip(net.coefs_, members[0].coefs_, strict=True)
        assert all(one is other for one, other in pairs)
        used = [member.support_ for member in members]
        np.testing.assert_array_equal(net.support_, np.any(used, 0))
        sizes = [member.feature_importances_ for member in members]
        np.testing.assert_allclose(net.feature_importances_, np.mean(sizes, 0))
        shares = [member.sparsity_ for member in members]
        assert net.sparsity_ == pytest.approx(np.mean(shares)) and net.sparsity_ > 0
        assert net.net_.module_.n_models == 4

    def test_one_network(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(**QUICK).fit(X, y)
        (member,) = net.estimators_
        assert member is not net
        np.testing.assert_array_equal(member.predict_proba(X), net.predict_proba(X))
        assert not hasattr(MLPClassifier(), "estimators_")

    def test_early_stopping_of_each_on_the_same_rows(self):
        X, y = data(MLPClassifier, n_samples=150)
        settings = QUICK | {"early_stopping": True, "max_iter": 60}
        settings |= {"learning_rate_init": 0.1, "n_iter_no_change": 3}
        net = MLPClassifier(n_estimators=6, **settings).fit(X, y)
        assert len({member.n_iter_ for member in net.estimators_}) > 1
        request = request_of(clone(net), X, y)
        rows = request.validation.index
        for member in net.estimators_:
            p = member.predict_proba(X[rows])[np.arange(len(rows)), y[rows]]
            best = member.best_validation_score_
            assert -best == pytest.approx(-np.log(p).mean(), rel=1e-9)

    def test_linear_models(self):
        X, y = data(MLPRegressor)
        settings = QUICK | {"hidden_layer_sizes": (), "bootstrap": True}
        net = MLPRegressor(n_estimators=3, **settings).fit(X, y)
        np.testing.assert_allclose(X @ net.coef_ + net.intercept_, net.predict(X))
        coefs = [member.coef_ for member in net.estimators_]
        np.testing.assert_allclose(net.coef_, np.mean(coefs, 0))
        X, y = data(MLPClassifier)
        net = MLPClassifier(n_estimators=3, **settings).fit(X, y)
        with pytest.raises(AttributeError, match=r"no coef_ .* n_estimators=3"):
            _ = net.coef_
        assert net.estimators_[0].coef_.shape == (3, 5)

    def test_without_rows_to_draw_linear_models_are_equal(self):
        """They start at zero and end at the optimum."""
        X, y = data(MLPRegressor)
        settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "l2": 0.1}
        net = MLPRegressor(n_estimators=2, **settings).fit(X, y)
        np.testing.assert_allclose(*(m.coef_ for m in net.estimators_), rtol=1e-12)


class TestPredictions:
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_probabilities(self, n_classes):
        X, y = data(MLPClassifier, n_classes=n_classes)
        net = MLPClassifier(n_estimators=3, **QUICK).fit(X, y)
        mean = np.mean([member.predict_proba(X) for member in net.estimators_], 0)
        np.testing.assert_allclose(net.predict_proba(X), mean, **CLOSE)
        np.testing.assert_allclose(net.predict_log_proba(X), np.log(mean), **CLOSE)
        np.testing.assert_array_equal(net.predict(X), mean.argmax(1))
        odds = np.log(mean[:, 1] / mean[:, 0]) if n_classes == 2 else np.log(mean)
        np.testing.assert_allclose(net.decision_function(X), odds, rtol=1e-8)

    @pytest.mark.parametrize("loss", REGRESSION_LOSSES)
    def test_numbers(self, loss):
        X, y = data(MLPRegressor)
        net = MLPRegressor(n_estimators=3, loss=loss, **QUICK).fit(X, y)
        mean = np.mean([member.predict(X) for member in net.estimators_], 0)
        np.testing.assert_allclose(net.predict(X), mean, **CLOSE)

    def test_labels(self):
        X, y = data(MLPClassifier)
        y = np.stack([y == 0, y > 1], 1).astype(int)
        net = MLPClassifier(n_estimators=3, **QUICK).fit(X, y)
        mean = np.mean([member.predict_proba(X) for member in net.estimators_], 0)
        np.testing.assert_allclose(net.predict_proba(X), mean, **CLOSE)
        np.testing.assert_array_equal(net.predict(X), mean > 0.5)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_with_snapshots(self, kind):
        X, y = data(kind)
        settings = QUICK | {"n_snapshots": 2, "learning_rate": "cosine"}
        net = kind(n_estimators=3, **settings).fit(X, y)
        assert net.net_.module_.n_models == 6 and len(net.snapshots_) == 2
        mean = np.mean([prediction(member, X) for member in net.estimators_], 0)
        np.testing.assert_allclose(prediction(net, X), mean, **CLOSE)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_other_ways(self, kind):
        X, y = data(kind)
        net = kind(n_estimators=3, standardize=False, **QUICK).fit(X, y)
        expected = prediction(net, X)
        copy = pickle.loads(pickle.dumps(net))
        np.testing.assert_array_equal(prediction(copy, X), expected)
        assert len(copy.estimators_) == 3
        np.testing.assert_allclose(prediction(net, sp.csr_array(X)), expected, **CLOSE)
        many = prediction(net, np.tile(X, (300, 1)))
        np.testing.assert_allclose(many[-60:], expected, **CLOSE)
        np.testing.assert_allclose(prediction(net, X[:1]), expected[:1], **CLOSE)

    def test_are_those_of_scikit_learns_voting(self):
        """An average of networks that scikit-learn has fitted one by one."""
        X, y = data(MLPClassifier)
        nets = [
            (str(seed), MLPClassifier(**(QUICK | {"random_state": seed})))
            for seed in member_seeds(0, 4)
        ]
        vote = VotingClassifier(nets, voting="soft").fit(X, y)
        net = MLPClassifier(n_estimators=4, **QUICK).fit(X, y)
        np.testing.assert_allclose(net.predict_proba(X), vote.predict_proba(X), **CLOSE)
        X, y = data(MLPRegressor)
        nets = [
            (str(seed), MLPRegressor(**(QUICK | {"random_state": seed})))
            for seed in member_seeds(0, 4)
        ]
        vote = VotingRegressor(nets).fit(X, y)
        net = MLPRegressor(n_estimators=4, **QUICK).fit(X, y)
        np.testing.assert_allclose(net.predict(X), vote.predict(X), **CLOSE)


class TestRows:
    def drawn(self, kind=MLPClassifier, n_samples=60, **settings):
        """Return the rows of each member, and the request of a fit to all rows."""
        X, y = data(kind, n_samples=n_samples)
        net = kind(**(QUICK | settings))
        with mock.patch(
            "skreg.estimators.base.train_fit", side_effect=NotFittedError
        ) as train:
            with pytest.raises(NotFittedError):
                net.fit(X, y)
        requests = train.call_args.args[0]
        whole = {"bootstrap": False, "max_samples": 1.0}
        return requests, request_of(clone(net).set_params(**whole), X, y)

    def test_bootstrap_is_uniform_with_repeats(self):
        requests, _ = self.drawn(n_samples=40, n_estimators=500, bootstrap=True)
        rows = np.array([request.train.index for request in requests])
        assert rows.shape == (500, 40) and (np.diff(rows, axis=1) >= 0).all()
        counts = np.bincount(rows.ravel(), minlength=40)
        # 20,000 draws, each row with p = 1/40: chi-squared with 39 degrees of freedom
        # exceeds 90 with a probability of 1e-5.
        assert ((counts - 500) ** 2 / 500).sum() < 90
        # A row is drawn at all with a probability of 1 - (1 - 1/n)^n.
        share = np.mean([len(np.unique(row)) / 40 for row in rows])
        assert share == pytest.approx(1 - (1 - 1 / 40) ** 40, abs=0.01)
        assert len(np.unique(rows, axis=0)) == 500

    @pytest.mark.parametrize(
        "max_samples, n_drawn", [(1.0, 60), (0.5, 30), (7, 7), (0.001, 1), (60, 60)]
    )
    def test_numbers_and_shares(self, max_samples, n_drawn):
        for bootstrap in (False, True):
            settings = {"bootstrap": bootstrap, "max_samples": max_samples}
            requests, whole = self.drawn(n_estimators=3, **settings)
            for request in requests:
                index = request.train.index
                assert len(index) == n_drawn
                assert bootstrap or len(np.unique(index)) == n_drawn
                assert np.isin(index, whole.train.index).all()

    def test_from_the_training_part(self):
        settings = {"early_stopping": True, "bootstrap": True, "n_estimators": 4}
        requests, whole = self.drawn(**settings)
        for request in requests:
            np.testing.assert_array_equal(
                request.validation.index, whole.validation.index
            )
            assert not np.isin(request.train.index, request.validation.index).any()
            assert len(request.train.index) == len(whole.train.index)

    @pytest.mark.parametrize(
        "settings", [{"bootstrap": True}, {"max_samples": 0.6}, {"n_estimators": 1}]
    )
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_a_member_is_a_network_on_its_rows(self, kind, weighted, settings):
        X, y = data(kind)
        weight = np.random.default_rng(0).integers(0, 3, 60) if weighted else None
        settings = {"n_estimators": 3, "bootstrap": True} | settings
        settings |= QUICK | {"standardize": False, "max_iter": "auto"}
        X = (X - X.mean(0)) / X.std(0)
        net = kind(**settings).fit(X, y, weight)
        with mock.patch(
            "skreg.estimators.base.train_fit", side_effect=NotFittedError
        ) as train:
            with pytest.raises(NotFittedError):
                clone(net).fit(X, y, weight)
        for member, request in zip(net.estimators_, train.call_args.args[0]):
            rows = request.train.index
            own = None if weight is None else weight[rows]
            assert own is None or own.all()
            same_states(member, clone(member).fit(X[rows], y[rows], own))

    def test_refusals(self):
        X, y = data(MLPClassifier)
        with pytest.raises(
            ValueError, match=r"max_samples=61 draws more .*n_samples=60"
        ):
            MLPClassifier(max_samples=61, **QUICK).fit(X, y)
        MLPClassifier(max_samples=61, bootstrap=True, **QUICK).fit(X, y)
        # True is an int to Python, and would be a single row.
        with pytest.raises(ValueError, match=r"max_samples must be .* got True"):
            MLPClassifier(max_samples=True, **QUICK).fit(X, y)
        with pytest.raises(ValueError, match=r"batchnorm=True .*max_samples=1 draws 1"):
            MLPClassifier(max_samples=1, batchnorm=True, **QUICK).fit(X, y)
        for wrong in (0, 0.0, 1.5, "all"):
            with pytest.raises(ValueError, match="'max_samples' parameter"):
                MLPClassifier(max_samples=wrong, **QUICK).fit(X, y)
        for settings in ({"bootstrap": True}, {"max_samples": 0.5}):
            net = MLPClassifier(**settings)
            assert not hasattr(net, "partial_fit")
            with pytest.raises(AttributeError, match="'partial_fit'") as info:
                net.partial_fit(X, y)
            given = f"bootstrap={net.bootstrap!r} and max_samples={net.max_samples!r}"
            assert f"got {given}" in str(info.value.__cause__)
