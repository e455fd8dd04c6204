"""`prune`: the weights that become zero, those that stay, and fine-tuning."""

import copy
import math
import pickle

import numpy as np
import pytest
from _estimators import ESTIMATORS, STEADY, data
from _fitted import weights_of
from _fusion import counted
from joblib import Parallel, delayed
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures

from skreg import MLPClassifier, MLPRegressor, fused, prune

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = STEADY | {"hidden_layer_sizes": (8, 6), "batch_size": 16, "random_state": 0}
SMALL |= {"max_iter": 6, "learning_rate_init": 0.01}


def n_zeros(estimator):
    return sum(coef.size - np.count_nonzero(coef) for coef in weights_of(estimator))


def fitted(kind=MLPClassifier, **parameters):
    return kind(**(SMALL | parameters)).fit(*data(kind))


@pytest.mark.parametrize(
    "settings", [{}, {"skip": "linear"}, {"hidden_layer_sizes": ()}]
)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_smallest_weights_are_zero(kind, settings):
    estimator = fitted(kind, **settings)
    pruned = prune(estimator, 0.7)
    before = np.concatenate([weight.ravel() for weight in weights_of(estimator)])
    after = np.concatenate([weight.ravel() for weight in weights_of(pruned)])
    n_due = math.ceil(round(0.7 * len(before), 6))
    expected = before.copy()
    expected[np.argsort(np.abs(before), kind="stable")[:n_due]] = 0
    np.testing.assert_array_equal(after, expected)
    for one, other in zip(estimator.intercepts_, pruned.intercepts_):
        np.testing.assert_array_equal(one, other)
    assert pruned.sparsity_ >= 0.7 and math.isnan(pruned.kkt_violation_)
    assert pruned.loss_curve_ == estimator.loss_curve_
    assert pruned.get_params() == estimator.get_params()


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("finetune_epochs", [0, 2])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_estimator_that_was_given_is_unchanged(kind, finetune_epochs, structured):
    X, y = data(kind)
    estimator = fitted(kind, batchnorm=True)
    before, predictions = copy.deepcopy(vars(estimator)), estimator.predict(X)
    prune(estimator, 0.5, X, y, structured=structured, finetune_epochs=finetune_epochs)
    assert vars(estimator).keys() == before.keys()
    names = ("loss_curve_", "n_iter_", "kkt_violation_", "t_")
    np.testing.assert_equal(
        *({n: v[n] for n in names} for v in (vars(estimator), before))
    )
    (fit,), (expected,) = estimator._fits, before["_fits"]
    assert fit.epochs_seen == expected.epochs_seen
    for one, other in zip(fit.state, expected.state, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(estimator.predict(X), predictions)


def test_nothing_to_prune():
    estimator = fitted()
    for structured in (False, True):
        pruned = prune(estimator, 0, structured=structured)
        for one, other in zip(estimator._fits[0].state, pruned._fits[0].state):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("settings", [{}, {"batchnorm": "before"}, {"skip": "linear"}])
@pytest.mark.parametrize("amount", [0.1, 0.5, 0.8, 0.99])
def test_the_smallest_units_are_zero(amount, settings):
    """By the definition, unit by unit; each layer keeps its share, and its largest."""
    estimator = fitted(**settings)
    pruned = prune(estimator, amount, structured=True)
    sizes = [
        (np.sqrt(np.mean(coef[:, unit] ** 2)), layer, unit)
        for layer, coef in enumerate(estimator.coefs_[:-1])
        for unit in range(coef.shape[1])
    ]
    best = set()
    for layer in (0, 1):
        own = sorted((s for s in sizes if s[1] == layer), reverse=True)
        best |= set(own[: max(1, math.floor(round((1 - amount) * len(own), 6)))])
    expected = sorted(set(sizes) - best)[: math.ceil(round(amount * 14, 6))]
    gone = {
        (layer, unit)
        for layer, coef in enumerate(pruned.coefs_[:-1])
        for unit in range(coef.shape[1])
        if not coef[:, unit].any()
    }
    assert {(layer, unit) for _, layer, unit in expected} == gone
    coefs = [coef.copy() for coef in estimator.coefs_]
    intercepts = [intercept.copy() for intercept in estimator.intercepts_]
    for layer, unit in gone:
        coefs[layer][:, unit] = intercepts[layer][unit] = 0
        coefs[layer + 1][unit] = 0
    for one, other in zip(coefs + intercepts, pruned.coefs_ + pruned.intercepts_):
        np.testing.assert_array_equal(one, other)


def test_units_that_are_added_up_go_together():
    estimator = fitted(skip="residual", hidden_layer_sizes=(7, 7, 4))
    pruned = prune(estimator, 0.6, structured=True)
    one, two = ((coef == 0).all(0) for coef in pruned.coefs_[:2])
    np.testing.assert_array_equal(one, two)
    assert one.sum() + (pruned.coefs_[2] == 0).all(0).sum() == math.ceil(0.6 * 11)
    for coef in pruned.coefs_[1:3]:
        np.testing.assert_array_equal((coef == 0).all(1), one)


@pytest.mark.parametrize(
    "settings",
    [{"hidden_layer_sizes": ()}, {"hidden_layer_sizes": 5, "skip": "residual"}],
)
def test_no_units_to_prune(settings):
    match = r"structured=True prunes units .* got hidden_layer_sizes=.* skip="
    with pytest.raises(ValueError, match=match):
        prune(fitted(**settings), 0.5, structured=True)


FINETUNED = [
    {},
    {"solver": "sgd"},
    {"l1": 1e-3},
    {"group_l1": 1e-2},
    {"max_norm": 0.5, "weight_decay": 0.1},
    {"swa_fraction": 0.5},
    {"ema_decay": 0.9},
    {"batchnorm": "before"},
    {"batchnorm": "after", "activation": "logistic"},
    {"skip": "linear"},
    {"skip": "residual", "hidden_layer_sizes": (6, 6)},
    {"early_stopping": True},
    {"learning_rate": "cosine", "n_snapshots": 2},
    {"dtype": "float32", "class_weight": "balanced"},
]


@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize("settings", FINETUNED, ids=str)
def test_fine_tuning_keeps_the_zeros(settings, structured):
    X, y = data(MLPClassifier)
    estimator = fitted(**settings)
    n_epochs = len(estimator.loss_curve_)
    once = prune(estimator, 0.6, structured=structured)
    tuned = prune(estimator, 0.6, X, y, structured=structured, finetune_epochs=3)
    assert tuned.n_iter_ == 3
    assert len(tuned.loss_curve_) == n_epochs + 3
    n_layers = len(weights_of(once))
    networks = [e.snapshots_ or [e._fits[0].state] for e in (once, tuned)]
    for before, after in zip(*networks, strict=True):
        zeros = [weight == 0 for weight in before[:n_layers]]
        for weight, zero in zip(after, zeros):
            assert (weight[zero] == 0).all()
        if "l1" not in settings and "group_l1" not in settings:
            assert all((w != 0)[~z].all() for w, z in zip(after, zeros))
        assert any((w != v).any() for w, v in zip(before, after))
    if structured:  # units that do nothing, biases and all
        for layer, following in enumerate(once.coefs_[1:]):
            dead = (once.coefs_[layer] == 0).all(0) & (following == 0).all(1)
            assert dead.any() or layer == 1
            assert (tuned.intercepts_[layer][dead] == 0).all()
    assert tuned.get_params() == estimator.get_params()
    assert tuned.t_ == estimator.t_ + 3 * len(X)
    again = prune(estimator, 0.6, X, y, structured=structured, finetune_epochs=3)
    np.testing.assert_array_equal(again.predict_proba(X), tuned.predict_proba(X))


def test_fine_tuning_is_training_with_a_fixed_mask():
    """Plain full-batch gradient descent, written out."""
    X, y = data(MLPRegressor)
    estimator = fitted(
        MLPRegressor,
        solver="sgd",
        momentum=0.0,
        batch_size=100,
        hidden_layer_sizes=(6,),
        activation="tanh",
        learning_rate_init=0.1,
    )
    once = prune(estimator, 0.5)
    (w1, w2), (b1, b2) = once.coefs_, once.intercepts_
    w1, w2, b1, b2 = (array.copy() for array in (w1, w2, b1, b2))
    kept = w1 != 0, w2 != 0
    Z, t = (X - X.mean(0)) / X.std(0), ((y - y.mean()) / y.std())[:, None]
    for _ in range(4):
        hidden = np.tanh(Z @ w1 + b1)
        error = (hidden @ w2 + b2 - t) / len(Z)
        inner = error @ w2.T * (1 - hidden**2)
        w2 -= 0.05 * kept[1] * (hidden.T @ error)
        b2 -= 0.05 * error.sum(0)
        w1 -= 0.05 * kept[0] * (Z.T @ inner)
        b1 -= 0.05 * inner.sum(0)
    tuned = prune(estimator, 0.5, X, y, finetune_epochs=4, learning_rate_init=0.05)
    for one, other in zip(tuned.coefs_ + tuned.intercepts_, (w1, w2, b1, b2)):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_weights_of_zero_are_rows_that_were_not_given():
    X, y = data(MLPClassifier, n_samples=90)
    settings = {"batch_size": 100, "shuffle": False}
    weight = np.arange(90) < 60
    estimator = MLPClassifier(**(SMALL | settings)).fit(X, y)
    one = prune(estimator, 0.5, X, y, finetune_epochs=3, sample_weight=1.0 * weight)
    two = prune(estimator, 0.5, X[:60], y[:60], finetune_epochs=3)
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), rtol=1e-10)


def test_a_pruned_estimator_goes_on():
    X, y = data(MLPClassifier)
    pruned = prune(fitted(), 0.8, X, y, finetune_epochs=2)
    copied = pickle.loads(pickle.dumps(pruned))
    np.testing.assert_array_equal(copied.predict_proba(X), pruned.predict_proba(X))
    zeros = [coef == 0 for coef in pruned.coefs_]
    pruned.set_params(warm_start=True, pruning=0.8).fit(X, y)
    assert all((coef[zero] == 0).all() for coef, zero in zip(pruned.coefs_, zeros))
    pruned.set_params(pruning=0.0).partial_fit(X, y)
    assert n_zeros(pruned) < sum(zero.sum() for zero in zeros)


@pytest.mark.parametrize("structured", [False, True])
def test_a_pipeline_is_pruned_at_its_end(structured):
    X, y = data(MLPClassifier)
    pipeline = make_pipeline(
        MinMaxScaler(), PolynomialFeatures(2), MLPClassifier(**SMALL)
    ).fit(X, y)
    before = pipeline.predict_proba(X)
    pruned = prune(pipeline, 0.5, X, y, structured=structured, finetune_epochs=2)
    expected = prune(
        pipeline[-1],
        0.5,
        pipeline[:-1].transform(X),
        y,
        structured=structured,
        finetune_epochs=2,
    )
    np.testing.assert_array_equal(
        pruned.predict_proba(X), expected.predict_proba(pipeline[:-1].transform(X))
    )
    np.testing.assert_array_equal(pipeline.predict_proba(X), before)
    assert prune(make_pipeline(fitted()), 0.5, X, y, finetune_epochs=1)[-1].n_iter_ == 1


def test_fused_fine_tuning_is_the_same():
    X, y = data(MLPClassifier)
    estimator, amounts = fitted(), (0.2, 0.5, 0.8)

    def tuned(amount):
        return prune(estimator, amount, X, y, finetune_epochs=3).predict_proba(X)

    alone = [tuned(amount) for amount in amounts]
    with counted() as sizes, fused():
        together = Parallel()(delayed(tuned)(amount) for amount in amounts)
    assert sizes == [3]
    np.testing.assert_allclose(together, alone, rtol=1e-10)


def test_what_cannot_be_pruned():
    X, y = data(MLPClassifier)
    with pytest.raises(NotFittedError):
        prune(MLPClassifier(), 0.5)
    with pytest.raises(NotFittedError):
        prune(make_pipeline(MinMaxScaler(), MLPClassifier()), 0.5)
    search = GridSearchCV(MLPClassifier(**SMALL), {"l2": [0.0]}, cv=2)
    for other in (LogisticRegression().fit(X, y), search.fit(X, y), MLPClassifier):
        with pytest.raises(TypeError, match="must be a fitted skreg network"):
            prune(other, 0.5)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"amount": 1.0}, "'amount' parameter of .*prune must be .* Got 1.0"),
        ({"amount": -0.1}, "'amount' parameter"),
        ({"amount": "half"}, "'amount' parameter"),
        ({"amount": 0.5, "finetune_epochs": -1}, "'finetune_epochs' parameter"),
        ({"amount": 0.5, "finetune_epochs": 1.5}, "'finetune_epochs' parameter"),
        ({"amount": 0.5, "structured": "yes"}, "'structured' parameter"),
        ({"amount": 0.5, "learning_rate_init": 0.0}, "'learning_rate_init' parameter"),
        ({"amount": 0.5, "finetune_epochs": 2}, "needs .* X and y, got no X and y"),
        (
            {"amount": 0.5, "finetune_epochs": 2, "X": np.ones((3, 5))},
            "finetune_epochs=2 needs .* X and y, got no y",
        ),
    ],
)
def test_arguments_that_are_wrong(arguments, match):
    with pytest.raises(ValueError, match=match):
        prune(fitted(), **arguments)


def test_fine_tuning_needs_steps():
    X, y = data(MLPClassifier)
    estimator = fitted(solver="lbfgs")
    assert prune(estimator, 0.5).sparsity_ >= 0.5
    with pytest.raises(ValueError, match=r"solver='lbfgs' cannot keep .*set_params"):
        prune(estimator, 0.5, X, y, finetune_epochs=2)
    estimator.set_params(solver="adam")
    assert prune(estimator, 0.5, X, y, finetune_epochs=2).sparsity_ >= 0.5


def test_data_of_another_kind():
    X, y = data(MLPClassifier)
    with pytest.raises(ValueError, match="X has 4 features"):
        prune(fitted(), 0.5, X[:, :4], y, finetune_epochs=2)
    with pytest.raises(ValueError, match="not among the classes"):
        prune(fitted(), 0.5, X, y + 7, finetune_epochs=2)


def test_digits_lose_less_than_a_point():
    """Nine weights in ten pruned at once and fine-tuned, mean of ten splits.

    The mean is 0.9 points, over 24 splits with two sequences of random numbers, and
    that of ten has a standard error of 0.15. So at most three of these above it.
    """
    X, y = load_digits(return_X_y=True)
    lost, lost_units = [], []
    for seed in range(10):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, test_size=0.3, stratify=y, random_state=seed
        )
        full = MLPClassifier(random_state=seed).fit(X_train, y_train)
        score = full.score(X_test, y_test)
        data = (X_train, y_train)
        pruned = prune(full, 0.9, *data, finetune_epochs=10)
        half = prune(full, 0.5, *data, structured=True, finetune_epochs=10)
        assert pruned.sparsity_ >= 0.9
        lost.append(score - pruned.score(X_test, y_test))
        lost_units.append(score - half.score(X_test, y_test))
    assert np.mean(lost) < 0.0135
    assert np.mean(lost_units) < 0.01
