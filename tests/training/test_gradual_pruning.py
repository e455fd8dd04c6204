"""Gradual pruning: the masks, the schedule, and the zeros, which nothing may change."""

import math
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from _engines import with_torch
from _estimators import ESTIMATORS, STEADY, data
from _fitted import weights_of
from _numeric import request_of, unpolished
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from skorch.callbacks import Callback

from skreg import MLPClassifier, MLPRegressor, fused
from skreg.training.gradual_pruning import (
    keep_largest,
    magnitude_masks,
    n_pruned,
    ramp_length,
    scheduled_sparsity,
)
from skreg.training.optimizers import ProximalOptimizer
from skreg.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = STEADY | {"hidden_layer_sizes": (8, 6), "batch_size": 16, "random_state": 0}
SMALL |= {"max_iter": 8, "learning_rate_init": 0.01}


def n_zeros(estimator):
    return sum(coef.size - np.count_nonzero(coef) for coef in weights_of(estimator))


def n_due(estimator, share):
    n_weights = sum(coef.size for coef in weights_of(estimator))
    return math.ceil(round(share * n_weights, 6))


# The masks.


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_masks_are_those_of_a_stable_sort(share):
    """Many equal weights, so that ties decide."""
    rng = np.random.default_rng(0)
    weights = [rng.integers(-3, 4, shape) / 2 for shape in ((7, 5), (5, 4), (4, 1))]
    flat = np.abs(np.concatenate([weight.ravel() for weight in weights]))
    expected = np.ones(len(flat), bool)
    order = np.argsort(flat, kind="stable")
    expected[order[: math.ceil(round(share * len(flat), 6))]] = False
    masks = magnitude_masks([torch.from_numpy(w) for w in weights], share)
    np.testing.assert_array_equal(np.concatenate([m.ravel() for m in masks]), expected)
    assert [m.shape for m in masks] == [w.shape for w in weights]


def test_what_is_pruned_stays_so():
    weights = [torch.tensor([[5.0, 1.0, 0.0, 2.0]]), torch.tensor([[3.0], [4.0]])]
    held = [torch.tensor([[False, True, True, True]]), torch.tensor([[True], [True]])]
    masks = magnitude_masks(weights, 0.34, held)  # three of six
    assert masks[0].tolist() == [[False, False, False, True]]
    assert masks[1].flatten().tolist() == [True, True]
    # Fewer than are pruned already.
    for share in (0, 0.1):
        masks = magnitude_masks(weights, share, held)
        assert [m.tolist() for m in masks] == [m.tolist() for m in held]


def test_numbers_that_are_not_finite_are_not_small():
    keep = keep_largest(torch.tensor([math.nan, 1.0, math.inf, 0.5]), 2)
    assert keep.tolist() == [True, False, True, False]


def test_counts_are_rounded_up_but_not_by_rounding_errors():
    assert [n_pruned(s, 10) for s in (0, 0.01, 0.1, 0.11, 0.9)] == [0, 1, 1, 2, 9]
    for percent in range(100):
        assert n_pruned(percent / 100, 100) == percent


@pytest.mark.parametrize("start", [0.0, 0.3])
def test_the_schedule_is_that_of_zhu_and_gupta(start):
    for epoch in range(13):
        rest = (1 - epoch / 12) ** 3
        expected = 0.8 + (start - 0.8) * rest
        found = scheduled_sparsity(0.8, epoch, 12, start)
        assert found == pytest.approx(expected, rel=1e-15)
    assert scheduled_sparsity(0.8, 0, 12, start) == pytest.approx(start, abs=1e-15)
    assert scheduled_sparsity(0.8, 99, 12, start) == 0.8


def test_the_last_quarter_trains_with_all_zeros():
    assert [ramp_length(n) for n in (1, 2, 4, 8, 10, 100)] == [1, 1, 3, 6, 7, 75]
    assert ramp_length(100, 4) == 18  # of the first cycle of 25


# In training.


def course(estimator, X, y, **changes):
    """Return the states after each epoch, and the weights after each step."""
    epochs, steps, update = [], [], ProximalOptimizer.update

    def watched(self, k):
        update(self, k)
        steps.append([w[0].numpy().copy() for w in self.module.weights])

    request = replace(
        request_of(estimator, X, y),
        on_epoch=lambda tracker, state: epochs.append(state()),
        **changes,
    )
    with mock.patch.object(ProximalOptimizer, "update", watched), with_torch():
        train([request])
    return epochs, steps


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_sparsity_after_each_epoch(kind, solver):
    X, y = data(kind)
    estimator = kind(**SMALL, solver=solver, pruning=0.7)
    epochs, steps = course(estimator, X, y)
    assert len(epochs) == 8
    n_weights = sum(weight.size for weight in epochs[0][:3])
    pruned = [np.zeros(weight.shape, bool) for weight in epochs[0][:3]]
    for epoch, state in enumerate(epochs, start=1):
        share = 0.7 * (1 - max(0, 1 - epoch / 6) ** 3)
        zeros = [weight == 0 for weight in state[:3]]
        assert sum(z.sum() for z in zeros) == math.ceil(round(share * n_weights, 6))
        # What goes is the smallest of what the epoch's last step has left.
        before = np.concatenate([np.abs(w).ravel() for w in steps[4 * epoch - 1]])
        gone = np.concatenate([z.ravel() for z in zeros])
        assert before[gone].max() <= before[~gone].min()
        # And it was zero in all of the steps since it went.
        for weights in steps[4 * (epoch - 1) : 4 * epoch]:
            assert all((w[p] == 0).all() for w, p in zip(weights, pruned))
        pruned = zeros
        assert all((bias != 0).all() for bias in state[3:6])


OTHERS = [
    {"l1": 1e-3},
    {"group_l1": 1e-2},
    {"l2": 0.1, "weight_decay": 0.1},
    {"max_norm": 0.5},
    {"positive": True},
    {"swa_fraction": 0.6},
    {"swa_fraction": 0.1},
    {"ema_decay": 0.9},
    {"batchnorm": "before", "dropout": 0.2, "mixup": 0.2},
    {"batchnorm": "after", "adversarial": 0.1},
    {"skip": "linear", "clip_norm": 0.1},
    {"skip": "residual", "hidden_layer_sizes": (6, 6), "stochastic_depth": 0.2},
    {"numeric_embedding": "piecewise_linear", "group_l1": 1e-2},
    {"numeric_embedding": "periodic", "init": "scaled"},
    {"hidden_layer_sizes": ()},
    {"learning_rate": "cosine", "n_snapshots": 3},
    {"learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
    {"early_stopping": True, "n_iter_no_change": 1, "max_iter": 40},
    {"early_stopping": True, "restore_best_weights": False, "max_iter": 40},
    {"early_stopping": True, "ema_decay": 0.9, "monitor": "r2", "max_iter": 40},
    {"early_stopping": True, "validation_fraction": None, "max_iter": 40},
    {"max_iter": 1},
    {"shuffle": False, "batch_size": 100, "dtype": "float32"},
]


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("settings", OTHERS, ids=str)
def test_promised_sparsity(settings, solver):
    """Exactly, unless l1 or a constraint makes zeros of its own."""
    X, y = data(MLPRegressor)
    if settings.get("learning_rate") == "adaptive" and solver == "adam":
        solver = "sgd"
    estimator = MLPRegressor(**(SMALL | settings), solver=solver, pruning=0.75)
    estimator.fit(X, y)
    adds_zeros = {"l1", "group_l1", "positive"} & settings.keys()
    due = n_due(estimator, 0.75)
    assert n_zeros(estimator) >= due if adds_zeros else n_zeros(estimator) == due
    assert estimator.sparsity_ >= 0.75
    assert np.isfinite(estimator.predict(X)).all()
    for state in estimator.snapshots_ or ():
        # The zeros are where the first snapshot had them.
        weights, last = state[:3], estimator.snapshots_[-1]
        assert sum((weight == 0).sum() for weight in weights) == due
        assert all(((w == 0) == (v == 0)).all() for w, v in zip(weights, last))


@pytest.mark.parametrize("penalty", ["l1", "group_l1"])
def test_the_certificate_is_that_of_the_weights_that_are_left(penalty):
    """With a full batch and no noise, long enough to be optimal on the support."""
    X, y = data(MLPRegressor)
    estimator = MLPRegressor(
        (),
        solver="adam",
        learning_rate="cosine",
        learning_rate_init=0.05,
        batch_size=100,
        clip_norm=None,
        max_iter=600,
        pruning=0.5,
        **{penalty: 0.01},
    ).fit(X, y)
    assert 0 < np.count_nonzero(estimator.coefs_[0]) <= 2
    # The gradient of what was pruned alone is larger.
    Z = (X - X.mean(0)) / X.std(0)
    residual = (y - estimator.predict(X)) / y.std()
    gone = estimator.coefs_[0][:, 0] == 0
    assert np.abs(Z.T @ residual / len(Z))[gone].max() > 0.02
    assert estimator.kkt_violation_ < 1e-3


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("average", [{}, {"ema_decay": 0.9}, {"swa_fraction": 0.4}])
def test_stacked_is_alone(average, early_stopping):
    """Other shares, lengths, rows and none, beside one another."""
    X, y = data(MLPClassifier, n_samples=120)
    own = [{"pruning": 0.5}, {"pruning": 0.9}, {}, {"pruning": 0.3, "max_iter": 12}]
    own += [{"pruning": 0.9, "l1": 1e-3}, {"max_iter": 4}, {"pruning": 0.5}]
    common = SMALL | average | {"early_stopping": early_stopping, "dropout": 0.1}
    requests = [
        request_of(MLPClassifier(**(common | o)), X[: 60 + 10 * m], y[: 60 + 10 * m])
        for m, o in enumerate(own)
    ]
    together, alone = train(requests), [train([request])[0] for request in requests]
    for one, other in zip(together, alone):
        assert one.tracker.n_iter == other.tracker.n_iter
        assert one.tracker.best_iter == other.tracker.best_iter
        for array, its in zip(one.state, other.state):
            # Rounding of sums in another order, over few steps.
            np.testing.assert_allclose(array, its, rtol=1e-10, atol=1e-10)
            np.testing.assert_array_equal(array == 0, its == 0)


def test_none_beside_pruning_is_bit_for_bit_alone():
    X, y = data(MLPClassifier)
    one = request_of(MLPClassifier(**SMALL), X, y)
    pruned = request_of(MLPClassifier(**SMALL, pruning=0.5), X, y)
    for array, its in zip(train([one, one])[0].state, train([one, pruned])[0].state):
        np.testing.assert_array_equal(array, its)


def test_off_costs_nothing():
    from skreg.training.stack import Stack

    X, y = data(MLPClassifier)
    assert Stack([request_of(MLPClassifier(**SMALL), X, y)]).pruning is None


def test_a_fused_search_is_the_same():
    X, y = data(MLPClassifier, n_samples=90)
    grid = {"pruning": [0.0, 0.4, 0.8], "max_iter": [4, 8]}
    search = GridSearchCV(MLPClassifier(**SMALL), grid, cv=3, scoring="neg_log_loss")
    alone = clone(search).fit(X, y).cv_results_["mean_test_score"]
    with fused():
        together = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_allclose(together, alone, rtol=1e-10)
    assert search.best_estimator_.sparsity_ >= search.best_params_["pruning"]


def test_early_stopping_judges_from_full_sparsity_on():
    X, y = data(MLPClassifier, n_samples=100)
    settings = SMALL | {"early_stopping": True, "max_iter": 40, "n_iter_no_change": 3}
    impatient = settings | {"tol": 100.0}
    assert MLPClassifier(**impatient).fit(X, y).n_iter_ == 5
    # The epoch that ends the ramp, the 30th, is the first one that counts.
    estimator = MLPClassifier(**impatient, pruning=0.5).fit(X, y)
    assert estimator.n_iter_ == 30 + 4
    estimator = MLPClassifier(**settings, pruning=0.5, monitor="neg_log_loss")
    scores = estimator.fit(X, y).validation_scores_
    assert estimator.best_iter_ == 30 + np.argmax(scores[29:])
    assert estimator.best_validation_score_ == max(scores[29:])


class Halt(Callback):
    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.n_epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize("n_epochs", [1, 3])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_interrupted_fit_is_sparse(early_stopping, n_epochs):
    X, y = data(MLPClassifier)
    estimator = MLPClassifier(
        **SMALL,
        pruning=0.8,
        early_stopping=early_stopping,
        callbacks=[Halt(n_epochs)],
    )
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert len(estimator.loss_curve_) == n_epochs
    assert n_zeros(estimator) == n_due(estimator, 0.8)


def test_a_fit_lasts_as_long_as_was_planned():
    X, y = data(MLPClassifier)
    impatient = SMALL | {"tol": 1e6, "n_iter_no_change": 1}
    assert MLPClassifier(**impatient).fit(X, y).n_iter_ == 3
    assert MLPClassifier(**impatient, pruning=0.5).fit(X, y).n_iter_ == 8


def test_no_polish_undoes_it():
    X, y = data(MLPRegressor)
    estimator = MLPRegressor(**SMALL, l1=1e-3, pruning=0.9).fit(X, y)
    assert estimator.n_iter_ == 8 and estimator.sparsity_ >= 0.9


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_lbfgs_refuses(kind):
    match = r"solver='lbfgs' .* cannot use pruning=0.5. Set pruning=0"
    with pytest.raises(ValueError, match=match):
        kind(solver="lbfgs", pruning=0.5).fit(*data(kind))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_continued_fits_keep_the_zeros(kind):
    X, y = data(kind)
    estimator = kind(**SMALL, pruning=0.6, warm_start=True).fit(X, y)
    first = [coef == 0 for coef in estimator.coefs_]
    epochs = []
    estimator.fit(X, y)
    assert [(c == 0).tolist() for c in estimator.coefs_] == [z.tolist() for z in first]
    # More of them, from those that there are.
    estimator.set_params(pruning=0.8)
    request = request_of(estimator, X, y)
    watched = replace(request, on_epoch=lambda t, state: epochs.append(state()))
    train([watched])
    n_weights = sum(coef.size for coef in estimator.coefs_)
    start = n_due(estimator, 0.6) / n_weights
    for epoch, state in enumerate(epochs, start=1):
        assert all((c[z] == 0).all() for c, z in zip(state, first))
        share = 0.8 + (start - 0.8) * max(0, 1 - epoch / 6) ** 3
        n = sum((c == 0).sum() for c in state[:3])
        # The share of the start is a quotient, which may round up.
        assert abs(n - share * n_weights) <= 1 + 1e-6
    assert n == math.ceil(round(0.8 * n_weights, 6))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_partial_fit_keeps_zeros_and_prunes_no_more(kind):
    X, y = data(kind)
    one, two = kind(**SMALL), kind(**SMALL, pruning=0.6)
    for _ in range(2):
        one.partial_fit(X, y)
        two.partial_fit(X, y)
    np.testing.assert_array_equal(one.coefs_[0], two.coefs_[0])
    two.fit(X, y)
    zeros, before = [coef == 0 for coef in two.coefs_], two.coefs_[0].copy()
    for _ in range(2):
        two.partial_fit(X, y)
    assert (two.coefs_[0] != before).any()
    for coef, zero in zip(two.coefs_, zeros):
        np.testing.assert_array_equal(coef == 0, zero)


def test_digits_lose_less_than_a_point():
    """Gradual pruning of nine weights in ten, mean of four splits."""
    X, y = load_digits(return_X_y=True)
    lost = []
    for seed in range(4):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, stratify=y, random_state=seed
        )
        full, pruned = (
            MLPClassifier(pruning=pruning, random_state=seed).fit(X_train, y_train)
            for pruning in (0, 0.9)
        )
        assert pruned.sparsity_ >= 0.9
        lost.append(full.score(X_test, y_test) - pruned.score(X_test, y_test))
    assert np.mean(lost) < 0.01


def test_a_share_of_less_than_one_weight_prunes_none():
    X, y = data(MLPClassifier)
    estimator = MLPClassifier(**SMALL, pruning=1e-9)
    with unpolished():
        plain = MLPClassifier(**SMALL).fit(X, y)
    estimator.fit(X, y)
    assert n_zeros(estimator) == 0
    np.testing.assert_array_equal(estimator.coefs_[0], plain.coefs_[0])
