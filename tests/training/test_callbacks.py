"""Callbacks of skorch and of scikit-learn, interrupts, verbose and the net."""

import math

import numpy as np
import pytest
import torch
from _engines import CLOSE
from _estimators import ALL_CONFIGURATIONS, ESTIMATORS, STEADY, data, make
from _numeric import unpolished
from _versions import ProgressBar, ScoringMonitor, needs_callbacks
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    GradientNormClipping,
    LRScheduler,
    TrainEndCheckpoint,
)

from skreg import MLPClassifier, MLPRegressor
from skreg.estimators.trained import states_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = STEADY | {"hidden_layer_sizes": (8,), "random_state": 0}
SMALL |= {"max_iter": 6, "batch_size": 16}


class Recorder(Callback):
    """Records the hooks that are called."""

    def __init__(self):
        self.calls = []

    def on_train_begin(self, net, **kwargs):
        self.calls.append("train begin")

    def on_epoch_begin(self, net, **kwargs):
        self.calls.append("epoch begin")

    def on_batch_begin(self, net, batch, training, **kwargs):
        self.calls.append("batch begin")

    def on_grad_computed(self, net, named_parameters, **kwargs):
        assert all(p.grad.abs().sum() > 0 for _, p in named_parameters)
        self.calls.append("grad computed")

    def on_batch_end(self, net, batch, training, **kwargs):
        self.calls.append("batch end")

    def on_epoch_end(self, net, **kwargs):
        self.calls.append("epoch end")

    def on_train_end(self, net, **kwargs):
        self.calls.append("train end")


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_order_of_the_hooks(kind):
    recorder = Recorder()
    kind(**SMALL, callbacks=[recorder]).fit(*data(kind))  # 60 rows in batches of 16
    batch = ["batch begin", "grad computed", "batch end"]
    epoch = ["epoch begin", *batch * 4, "epoch end"]
    assert recorder.calls == ["train begin", *epoch * 6, "train end"]


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_hooks_of_lbfgs(kind):
    """An iteration is an epoch; there are no batches."""
    recorder = Recorder()
    settings = SMALL | {"solver": "lbfgs", "max_iter": 3, "tol": 0}
    kind(**settings, callbacks=[recorder]).fit(*data(kind))
    assert recorder.calls.count("epoch end") == 3
    assert "batch begin" not in recorder.calls
    assert recorder.calls[0] == "train begin"
    assert recorder.calls[-1] == "train end"


@pytest.mark.parametrize("configuration", ALL_CONFIGURATIONS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_callback_that_looks_on_changes_nothing(kind, configuration):
    X, y = data(kind)
    # The gradient of a linear model's intercept is zero at first, but for rounding. Of
    # this, Adam with the default of epsilon makes small steps, and large ones of these.
    settings = {"random_state": 0, "max_iter": 4, "epsilon": 1e-2}
    # Without the full-batch solver, which makes more of small differences.
    with unpolished():
        one = make(kind, configuration, **settings).fit(X, y)
        other = make(kind, configuration, callbacks=[Callback()], **settings).fit(X, y)
    # Networks with callbacks are trained by torch, and those of one fit one by one, in
    # which sums have another order.
    close = CLOSE[str(one.coefs_[0].dtype)]
    np.testing.assert_allclose(one.loss_curve_, other.loss_curve_, close)
    for a, b in zip(states_of(one), states_of(other)):
        for array, its in zip(a, b):
            np.testing.assert_allclose(array, its, close, close)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_lr_scheduler(kind, solver):
    """A schedule of skorch, against the same rates set one epoch at a time."""
    X, y = data(kind)
    settings = SMALL | {"batch_size": 60, "tol": 0, "solver": solver}
    scheduler = LRScheduler(torch.optim.lr_scheduler.StepLR, step_size=2, gamma=0.1)
    fit = kind(**settings, callbacks=[scheduler]).fit(X, y)
    plain = kind(**settings).fit(X, y)
    assert not np.allclose(fit.coefs_[0], plain.coefs_[0])
    calls = kind(**settings)
    for epoch in range(6):
        calls.set_params(learning_rate_init=1e-3 * 0.1 ** (epoch // 2)).partial_fit(
            X, y
        )
    np.testing.assert_allclose(fit.loss_curve_, calls.loss_curve_, rtol=1e-12)
    np.testing.assert_allclose(fit.coefs_[0], calls.coefs_[0], rtol=1e-9)
    rates = fit.history_[:, "event_lr"]
    np.testing.assert_allclose(rates, [1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5])


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_gradient_norm_clipping(kind):
    """skorch clips the gradient as clip_norm does."""
    X, y = data(kind)
    settings = SMALL | {"solver": "sgd", "learning_rate_init": 0.1}
    clipping = GradientNormClipping(gradient_clip_value=0.05)
    one = kind(**settings, callbacks=[clipping]).fit(X, y)
    other = kind(**settings | {"clip_norm": 0.05}).fit(X, y)
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-9)
    assert not np.allclose(one.coefs_[0], kind(**settings).fit(X, y).coefs_[0])


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_early_stopping_of_skorch(kind):
    X, y = data(kind)
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10, sink=str)
    estimator = kind(**SMALL, callbacks=[("stop", stopping)]).fit(X, y)
    assert estimator.n_iter_ == 3  # the first, and two without an improvement by 10
    assert np.isfinite(estimator.predict(X)).all()
    # It ends a training, and never the search or the validation around it.
    scores = cross_val_score(clone(estimator), X, y, cv=3)
    assert np.isfinite(scores).all()
    search = GridSearchCV(clone(estimator), {"l2": [0, 0.1]}, cv=2).fit(X, y)
    assert search.best_estimator_.n_iter_ == 3


def test_early_stopping_of_skorch_on_validation_rows():
    X, y = data(MLPClassifier)
    stopping = EarlyStopping(monitor="valid_loss", patience=3, sink=str)
    settings = SMALL | {"max_iter": 200, "learning_rate_init": 0.1}
    estimator = MLPClassifier(**settings, callbacks=[stopping])
    estimator.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    assert 3 < estimator.n_iter_ < 200
    curve = estimator.validation_loss_curve_
    assert curve == estimator.history_[:, "valid_loss"]


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_that_a_callback_ends_is_neither_polished_nor_warned_of():
    X, y = data(MLPClassifier)
    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10, sink=str)
    settings = SMALL | {"hidden_layer_sizes": (), "l1": 0.01}
    estimator = MLPClassifier(**settings, callbacks=[stopping]).fit(X, y)
    assert estimator.n_iter_ == 3
    assert estimator.kkt_violation_ > 1e-3


@pytest.mark.parametrize("monitor", ["train_loss_best", "valid_loss_best"])
def test_checkpoints(monitor, tmp_path):
    """What is saved last is the network of the epoch with the lowest loss."""
    X, y = data(MLPClassifier)
    best = Checkpoint(monitor=monitor, dirname=tmp_path / "best", sink=str)
    end = TrainEndCheckpoint(dirname=tmp_path / "end", sink=str)
    # Rough enough that neither loss is lowest in the end.
    settings = SMALL | {"learning_rate_init": 0.4, "max_iter": 12, "dropout": 0.8}
    estimator = MLPClassifier(**settings, callbacks=[best, end])
    estimator.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    saved = torch.load(tmp_path / "end" / "train_end_params.pt")
    np.testing.assert_array_equal(saved["weight_0"][0].numpy(), estimator.coefs_[0])
    curve = estimator.history_[:, monitor.removesuffix("_best")]
    n_best = 1 + int(np.argmin(curve))
    assert n_best < 12
    assert estimator.history_[n_best - 1, monitor]
    saved = torch.load(tmp_path / "best" / "params.pt")
    short = MLPClassifier(**settings | {"max_iter": n_best}).fit(X[:40], y[:40])
    np.testing.assert_allclose(
        saved["weight_0"][0].numpy(), short.coefs_[0], *[CLOSE["float64"]] * 2
    )


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_callbacks_are_not_changed(kind):
    """A fit changes no parameter: the list is the user's, and so are its elements."""
    recorder = Recorder()
    callbacks = [recorder]
    estimator = kind(**SMALL, callbacks=callbacks).fit(*data(kind))
    assert estimator.callbacks is callbacks == [recorder]


class Interrupt(Callback):
    """Simulates a user who presses Ctrl-C."""

    def __init__(self, hook, epoch=3):
        self.hook, self.epoch = hook, epoch

    def on_train_begin(self, net, **kwargs):
        self.seen_ = 0

    def act(self, hook):
        if hook == "on_epoch_begin":
            self.seen_ += 1
        if hook == self.hook and self.seen_ == self.epoch:
            raise KeyboardInterrupt

    def on_epoch_begin(self, net, **kwargs):
        self.act("on_epoch_begin")

    def on_batch_end(self, net, **kwargs):
        self.act("on_batch_end")

    def on_epoch_end(self, net, **kwargs):
        self.act("on_epoch_end")


@pytest.mark.parametrize("hook", ["on_epoch_begin", "on_batch_end", "on_epoch_end"])
@pytest.mark.parametrize("configuration", ["default", "early_stopping", "group_l1"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_interrupt_leaves_a_fitted_estimator(kind, configuration, hook):
    X, y = data(kind)
    settings = {"random_state": 0, "batch_size": 16, "max_iter": 50}
    estimator = make(kind, configuration, callbacks=[Interrupt(hook)], **settings)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    n_epochs = 3 if hook == "on_epoch_end" else 2
    assert estimator.n_iter_ == len(estimator.loss_curve_) == n_epochs
    assert np.isfinite(estimator.predict(X)).all()
    assert clone(estimator).set_params(callbacks=None).fit(X, y).n_iter_ > n_epochs


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_interrupt_gives_back_the_best_weights(kind):
    X, y = data(kind, n_samples=120, n_classes=2)
    # A rate at which the validation loss is best early on.
    settings = STEADY | {"early_stopping": True, "learning_rate_init": 0.3}
    settings |= {"max_iter": 30, "random_state": 0}
    whole = kind(**settings).fit(X, y)
    interrupt = Interrupt("on_epoch_end", epoch=whole.n_iter_)
    stopped = kind(**settings, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(X, y)
    assert stopped.best_iter_ == whole.best_iter_ < whole.n_iter_ == stopped.n_iter_
    np.testing.assert_allclose(
        stopped.coefs_[0], whole.coefs_[0], *[CLOSE["float64"]] * 2
    )


def test_an_interrupt_before_the_first_epoch_ends():
    X, y = data(MLPClassifier)
    interrupt = Interrupt("on_batch_end", epoch=1)
    estimator = MLPClassifier(**SMALL, callbacks=[interrupt])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 0
    assert math.isnan(estimator.loss_)
    assert estimator.predict_proba(X).shape == (60, 3)


@pytest.mark.parametrize(
    "where", ["monitor", pytest.param("scikit-learn", marks=needs_callbacks)]
)
def test_an_interrupt_from_elsewhere(where):
    """Ctrl-C comes wherever it comes: in a scorer, or in another callback."""
    X, y = data(MLPClassifier)
    calls = []

    def scorer(estimator, X, y):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return 0.0

    estimator = MLPClassifier(**SMALL)
    if where == "monitor":
        estimator.set_params(early_stopping=True, monitor=scorer)
    else:
        estimator.set_callbacks(ScoringMonitor(scoring={"score": scorer}))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 3
    assert estimator.predict_proba(X).shape == (60, 3)


def test_an_interrupt_of_lbfgs():
    X, y = data(MLPRegressor)
    estimator = MLPRegressor(
        **SMALL | {"solver": "lbfgs", "max_iter": 50},
        callbacks=[Interrupt("on_epoch_end", epoch=4)],
    )
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 4
    assert estimator.loss_ == min(estimator.loss_curve_)


def test_an_interrupt_ends_a_search():
    X, y = data(MLPClassifier)
    estimator = MLPClassifier(**SMALL, callbacks=[Interrupt("on_epoch_end")])
    with pytest.raises(KeyboardInterrupt):
        GridSearchCV(estimator, {"l2": [0, 0.1]}, cv=2).fit(X, y)


def test_other_errors_of_a_callback_propagate():
    class Broken(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise ZeroDivisionError("of the user's making")

    estimator = MLPClassifier(**SMALL, callbacks=[Broken()])
    with pytest.raises(ZeroDivisionError, match="of the user's making"):
        estimator.fit(*data(MLPClassifier))
    with pytest.raises(NotFittedError):
        estimator.predict(data(MLPClassifier)[0])


# scikit-learn's callbacks


def scores_of_epochs(monitor, name):
    log = monitor.get_logs().data
    return [row[name] for row in log if row["task_name"] == "epoch"]


@needs_callbacks
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_scoring_monitor(kind, solver, weighted):
    """The score of every epoch is that of a fit which ends there."""
    X, y = data(kind)
    weight = np.linspace(0.1, 2, len(y)) if weighted else None
    name = "accuracy" if kind is MLPClassifier else "r2"
    monitor = ScoringMonitor(scoring=name)
    settings = SMALL | {"solver": solver, "tol": 0}
    estimator = kind(**settings).set_callbacks(monitor).fit(X, y, weight)
    scores = scores_of_epochs(monitor, name)
    assert len(scores) == estimator.n_iter_ == 6
    for n_epochs in (1, 3, 6):
        short = kind(**settings | {"max_iter": n_epochs}).fit(X, y, weight)
        expected = short.score(X, y, weight)
        assert scores[n_epochs - 1] == pytest.approx(expected, rel=1e-9)


@needs_callbacks
@pytest.mark.parametrize("settings, n_epochs", [(SMALL, 6), ({"random_state": 0}, 25)])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_progress_bar(kind, settings, n_epochs, capsys):
    """Also of the default length, which depends on the rows: 50 steps in twos."""
    X, y = data(kind)
    estimator = kind(**settings).set_callbacks(ProgressBar()).fit(X, y)
    out = capsys.readouterr().out
    assert kind.__name__ in out
    assert "100%" in out
    assert estimator.n_iter_ == n_epochs


@needs_callbacks
@pytest.mark.parametrize("callback", [ProgressBar, ScoringMonitor])
def test_callbacks_see_a_fit_end_at_an_optimum(callback, capsys):
    """The iterations of the full-batch solver come on top of `max_iter`."""
    X, y = data(MLPRegressor)
    monitor = callback() if callback is ProgressBar else callback(scoring="r2")
    settings = {"hidden_layer_sizes": (), "max_iter": 30, "tol": 0}
    estimator = MLPRegressor(**SMALL | settings)
    estimator.set_callbacks(monitor).fit(X, y)
    assert estimator.n_iter_ > 30 and estimator.kkt_violation_ <= 1e-6
    if callback is ScoringMonitor:
        scores = scores_of_epochs(monitor, "r2")
        assert len(scores) == estimator.n_iter_
        assert scores[-1] == pytest.approx(estimator.score(X, y), rel=1e-12)


@needs_callbacks
def test_callbacks_around_a_search(capsys):
    X, y = data(MLPClassifier)
    monitor = ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**SMALL))
    pipeline[-1].set_callbacks(monitor)
    search = GridSearchCV(pipeline, {"mlpclassifier__l2": [0, 0.1]}, cv=2)
    search.set_callbacks(ProgressBar()).fit(X, y)
    assert "GridSearchCV" in capsys.readouterr().out
    # Two candidates in two folds and the refit, six epochs each.
    assert len(scores_of_epochs(monitor, "accuracy")) == 5 * 6


@needs_callbacks
def test_callbacks_do_not_survive_in_the_way_of_a_pickle():
    X, y = data(MLPClassifier)
    monitor = ScoringMonitor(scoring="accuracy")
    estimator = MLPClassifier(**SMALL).set_callbacks(monitor).fit(X, y)
    assert not hasattr(estimator, "_callback_fit_ctx")
    other = MLPClassifier(**SMALL).fit(X, y)
    np.testing.assert_array_equal(estimator.coefs_[0], other.coefs_[0])


# What can be looked at


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_verbose(kind, capsys):
    X, y = data(kind)
    estimator = kind(**SMALL, verbose=True).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    expected = [
        f"Iteration {epoch}, loss = {loss:.8f}"
        for epoch, loss in enumerate(estimator.loss_curve_, start=1)
    ]
    assert lines == expected
    name = "accuracy" if kind is MLPClassifier else "r2"
    settings = SMALL | {"verbose": 1, "early_stopping": True, "monitor": name}
    estimator = kind(**settings).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    curves = (estimator.validation_loss_curve_, estimator.validation_scores_)
    assert len(lines) == estimator.n_iter_
    for line, loss, score in zip(lines, *curves):
        assert f"validation loss = {loss:.8f}, validation score = {score:.6f}" in line


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_history(kind, watched):
    """The same keys and values whether a callback was there or not."""
    X, y = data(kind)
    settings = SMALL | {"early_stopping": True}
    estimator = kind(**settings, callbacks=[Callback()] if watched else None).fit(X, y)
    history = estimator.history_
    assert len(history) == estimator.n_iter_
    assert history[:, "epoch"] == list(range(1, 1 + len(history)))
    assert history[:, "train_loss"] == estimator.loss_curve_
    assert history[:, "valid_loss"] == estimator.validation_loss_curve_
    assert history[-1, "train_loss"] == estimator.loss_


@pytest.mark.parametrize("configuration", ["default", "batchnorm_after", "linear"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_net(kind, configuration):
    """An initialised skorch net whose module is the network that predicts."""
    X, y = data(kind)
    estimator = make(kind, configuration, random_state=0, max_iter=4).fit(X, y)
    net = estimator.net_
    assert isinstance(net, NeuralNet)
    assert net.initialized_
    assert list(net.history) == list(estimator.history_)
    x = (X - estimator.feature_offset_) / estimator.feature_scale_
    raw = net.module_(torch.from_numpy(x)[None])[0].numpy()
    if kind is MLPClassifier:
        expected = estimator.decision_function(X)
    else:
        raw = raw[:, 0] * estimator.target_scale_ + estimator.target_offset_
        expected = estimator.predict(X)
    np.testing.assert_allclose(raw, expected, rtol=1e-9)
    if kind is MLPClassifier:
        assert accuracy_score(y, raw.argmax(1)) == estimator.score(X, y)
