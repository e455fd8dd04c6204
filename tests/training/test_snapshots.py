"""Snapshot ensembles: their networks, and their common predictions."""

import pickle
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
from _estimators import ESTIMATORS, data
from _fusion import compare
from _numeric import request_of
from scipy.special import expit, logsumexp, softmax
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from skreg import MLPClassifier, MLPRegressor
from skreg.losses.kinds import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from skreg.training.tracker import Tracker
from skreg.training.train import train

SETTINGS = {"hidden_layer_sizes": (6,), "batch_size": 16, "random_state": 0}
SETTINGS |= {"learning_rate": "cosine", "learning_rate_init": 0.02, "max_iter": 10}
# The same float64 network by other code: rounding.
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def raw_outputs(estimator, state, X):
    """Return the raw outputs of one network with one hidden layer."""
    Z = (X - estimator.feature_offset_) / estimator.feature_scale_
    first, second, bias, intercept = state
    return np.maximum(Z @ first + bias, 0) @ second + intercept


def multilabel(n_samples=60):
    X, y = data(MLPClassifier, n_samples)
    return X, np.stack([y == 0, y > 1], 1).astype(int)


@pytest.mark.parametrize("n_snapshots, ends", [(2, [5, 10]), (3, [3, 7, 10])])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_they_are_the_networks_at_the_ends_of_the_cycles(kind, n_snapshots, ends):
    X, y = data(kind)
    states = []
    request = request_of(kind(n_snapshots=n_snapshots, **SETTINGS), X, y)
    train([replace(request, on_epoch=lambda t, state: states.append(state()))])
    estimator = kind(n_snapshots=n_snapshots, **SETTINGS).fit(X, y)
    assert len(estimator.snapshots_) == n_snapshots
    for snapshot, end in zip(estimator.snapshots_, ends):
        for array, its in zip(snapshot, states[end - 1], strict=True):
            np.testing.assert_array_equal(array, its)
    np.testing.assert_array_equal(estimator.coefs_[0], estimator.snapshots_[-1][0])
    np.testing.assert_array_equal(estimator.intercepts_[1], states[-1][3][0])


@pytest.mark.parametrize("max_iter, n_snapshots", [(10, 2), (10, 3), (4, 4)])
def test_each_cycle_falls_from_the_initial_rate(max_iter, n_snapshots):
    """Also where cycles are not of whole epochs, and where each is one."""
    rates, update = [], Tracker.update

    def watched(self, *args):
        rates.append(self.lr)  # that of the epoch that was
        return update(self, *args)

    settings = SETTINGS | {"max_iter": max_iter, "n_snapshots": n_snapshots}
    with mock.patch.object(Tracker, "update", watched):
        MLPClassifier(**settings).fit(*data(MLPClassifier))
    cycles = (np.arange(max_iter) + 0.5) * n_snapshots / max_iter
    expected = 0.02 * (1 + np.cos(np.pi * (cycles % 1))) / 2
    np.testing.assert_allclose(rates, expected, **CLOSE)


def test_an_end_before_the_last_cycle():
    """What there is predicts: the networks of the cycles that are over, or the last."""

    class Stop(Callback):
        n_epochs = 0

        def on_epoch_end(self, net, **kwargs):
            self.n_epochs += 1
            if self.n_epochs == self.last:
                raise KeyboardInterrupt

    X, y = data(MLPClassifier)
    for last, n_found in [(2, 0), (5, 1), (7, 1)]:
        stop = Stop()
        stop.last = last
        net = MLPClassifier(n_snapshots=2, callbacks=[stop], **SETTINGS)
        with pytest.raises(KeyboardInterrupt):
            net.fit(X, y)
        assert len(net.snapshots_ or ()) == n_found
        assert np.isfinite(net.predict_proba(X)).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_means(n_classes):
    X, y = data(MLPClassifier, n_classes=n_classes)
    net = MLPClassifier(n_snapshots=3, **SETTINGS).fit(X, y)
    scores = [raw_outputs(net, state, X) for state in net.snapshots_]
    if n_classes == 2:
        mean = np.mean([expit(score) for score in scores], 0)
        mean = np.hstack([1 - mean, mean])
        odds = np.log(mean[:, 1] / mean[:, 0])
    else:
        mean = np.mean([softmax(score, 1) for score in scores], 0)
        odds = np.log(mean)
    np.testing.assert_allclose(net.predict_proba(X), mean, **CLOSE)
    np.testing.assert_allclose(net.decision_function(X), odds, rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(net.predict(X), mean.argmax(1))
    # It differs from each of the networks.
    last = softmax(scores[-1], 1) if n_classes == 3 else expit(scores[-1])
    assert np.abs(mean[:, -last.shape[1] :] - last).max() > 1e-3


def test_labels():
    X, y = multilabel()
    net = MLPClassifier(n_snapshots=2, **SETTINGS).fit(X, y)
    mean = np.mean([expit(raw_outputs(net, s, X)) for s in net.snapshots_], 0)
    np.testing.assert_allclose(net.predict_proba(X), mean, **CLOSE)
    np.testing.assert_array_equal(net.predict(X), mean > 0.5)


@pytest.mark.parametrize("loss", REGRESSION_LOSSES)
def test_numbers_are_means(loss):
    X, y = data(MLPRegressor)
    net = MLPRegressor(n_snapshots=3, loss=loss, **SETTINGS).fit(X, y)
    scores = [raw_outputs(net, state, X) for state in net.snapshots_]
    link = np.exp if loss == "poisson" else np.asarray
    offset = 0 if net.target_offset_ is None else net.target_offset_
    each = [link(score) * net.target_scale_ + offset for score in scores]
    np.testing.assert_allclose(net.predict(X), np.mean(each, 0)[:, 0], **CLOSE)


@pytest.mark.parametrize("name", CLASSIFICATION_LOSSES | REGRESSION_LOSSES)
def test_mean_scores_do_not_overflow(name):
    import torch

    loss = (CLASSIFICATION_LOSSES | REGRESSION_LOSSES)[name]()
    rng = np.random.default_rng(0)
    scores = torch.tensor(rng.normal(size=(3, 9, 2)) * 3)
    found = loss.inverse_link(loss.mean_score(scores))
    expected = loss.inverse_link(scores).mean(0)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    if loss.out_activation != "identity":
        far = loss.mean_score(torch.tensor([[[900.0, -900]], [[900.0, -900]]]))
        assert torch.isfinite(far).all() and far[0, 0] > far[0, 1] + 1000
    logs = logsumexp(scores.numpy(), 0) - np.log(3)
    if name == "poisson":
        np.testing.assert_allclose(loss.mean_score(scores), logs, **CLOSE)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_other_ways_to_predict(kind):
    """Copies, sparse rows, many rows at a time and single ones."""
    X, y = data(kind)
    net = kind(n_snapshots=3, standardize=False, **SETTINGS).fit(X, y)
    predict = getattr(net, "predict_proba", net.predict)
    expected = predict(X)
    copy = pickle.loads(pickle.dumps(net))
    again = getattr(copy, "predict_proba", copy.predict)
    np.testing.assert_array_equal(again(X), expected)
    np.testing.assert_allclose(predict(sp.csr_array(X)), expected, **CLOSE)
    np.testing.assert_allclose(predict(np.tile(X, (200, 1)))[-60:], expected, **CLOSE)
    np.testing.assert_allclose(predict(X[:1]), expected[:1], **CLOSE)
    assert net.net_.module_.n_models == 3


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_one_is_none(kind):
    X, y = data(kind)
    net = kind(**SETTINGS).fit(X, y)
    assert net.snapshots_ is None
    with pytest.raises(NotFittedError):
        kind(n_snapshots=2, **SETTINGS).predict(X)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_fits_that_go_on(kind):
    """A warm start makes new ones from the last; partial_fit leaves one network."""
    X, y = data(kind)
    net = kind(n_snapshots=2, warm_start=True, **SETTINGS).fit(X, y)
    before = net.snapshots_
    net.fit(X, y)
    assert len(net.snapshots_) == 2
    assert not np.array_equal(net.snapshots_[0][0], before[0][0])
    net.partial_fit(X, y)
    assert net.snapshots_ is None
    assert net.net_.module_.n_models == 1


def test_nothing_is_polished():
    X, y = data(MLPClassifier)
    net = MLPClassifier(n_snapshots=2, **(SETTINGS | {"hidden_layer_sizes": ()}))
    assert net.fit(X, y).n_iter_ == 10


def test_averages_of_weights_in_each():
    X, y = data(MLPClassifier)
    one = MLPClassifier(n_snapshots=2, **SETTINGS).fit(X, y)
    other = MLPClassifier(n_snapshots=2, ema_decay=0.9, **SETTINGS).fit(X, y)
    for state, its in zip(one.snapshots_, other.snapshots_):
        assert not np.array_equal(state[0], its[0])


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_fused_is_alone(kind, checkpoint, tmp_path):
    X, y = data(kind)
    scoring = "neg_log_loss" if kind is MLPClassifier else "r2"
    grid = {"n_snapshots": [1, 2, 3], "max_iter": [4, 6]}
    search = GridSearchCV(kind(**SETTINGS), grid, cv=3, scoring=scoring)

    def work():
        search.fit(X, y)
        best = search.best_estimator_.predict(X)
        return [search.cv_results_["mean_test_score"], best]

    options = {"checkpoint": tmp_path} if checkpoint else {}
    compare(work, stacks=[18, 1], **options)
    if checkpoint:  # from what was kept
        compare(work, stacks=[], **options)


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize(
    "change, match",
    [
        ({"learning_rate": "constant"}, "'cosine', got learning_rate='constant'"),
        ({"learning_rate": "onecycle"}, "'cosine', got learning_rate='onecycle'"),
        ({"early_stopping": True}, "early_stopping=True would end"),
        ({"max_iter": 1}, "but max_iter=1"),
    ],
)
def test_what_does_not_go_with_it(kind, change, match):
    with pytest.raises(ValueError, match=f"n_snapshots=2 keeps .*{match}"):
        kind(n_snapshots=2, **(SETTINGS | change)).fit(*data(kind))
