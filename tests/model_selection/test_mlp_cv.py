"""The estimators that tune themselves: strategies, and the use of the winners."""

import time

import numpy as np
import pytest
from _tuned import (
    FOLDS,
    KINDS,
    L2,
    SCORING,
    TOLERANCE,
    fitted,
    make,
    numbers,
    rows,
    without_early_stopping,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import uniform
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_validate

from skreg import MLPClassifierCV, MLPRegressorCV
from skreg.model_selection import pilot
from skreg.model_selection.halving import halving_plan
from skreg.model_selection.prediction_averages import (
    best_temperature,
    mean_over,
    tempered,
)
from skreg.model_selection.super_learner import convex_weights

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("kind", KINDS)
def test_random_and_grid_are_cross_validation(kind):
    """The folds' networks, made again one by one, have the recorded scores."""
    X, y = rows(kind)
    for strategy in ("grid", "random"):
        search = without_early_stopping(kind, FOLDS).set_params(strategy=strategy)
        search.fit(X, y)
        order = np.argsort([params["l2"] for params in search.cv_results_["params"]])
        seeds = [model.random_state for model in search.estimators_[:3]]
        for place, l2 in zip(order, L2["l2"], strict=True):
            assert search.cv_results_["params"][place] == {"l2": l2}
            for fold, (seed, split) in enumerate(zip(seeds, FOLDS, strict=True)):
                alone = clone(search.estimator).set_params(l2=l2, random_state=seed)
                score = cross_validate(alone, X, y, cv=[split], scoring=SCORING[kind])
                assert_allclose(
                    search.scores_[place, fold], score["test_score"][0], **TOLERANCE
                )


@pytest.mark.parametrize("kind", KINDS)
def test_grid_is_grid_search(kind):
    """One fold, and so one seed: columns, scores and ranks are GridSearchCV's."""
    X, y = rows(kind)
    search = without_early_stopping(kind, FOLDS[:1]).set_params(strategy="grid")
    search.set_params(param_distributions={"l2": [1e-4, 1.0], "activation": ["tanh"]})
    search.fit(X, y)
    seed = search.estimators_[0].random_state
    reference = GridSearchCV(
        clone(search.estimator).set_params(random_state=seed),
        search.param_distributions,
        cv=FOLDS[:1],
        scoring=SCORING[kind],
    ).fit(X, y)
    found, expected = search.cv_results_, reference.cv_results_
    # Scoring is part of training here.
    timing = {"mean_score_time", "std_score_time"}
    assert expected.keys() - found.keys() == timing
    assert found.keys() - expected.keys() == {"rung", "n_epochs", "is_linear"}
    assert found["params"] == expected["params"]
    for name in expected.keys() - timing - {"params", "mean_fit_time", "std_fit_time"}:
        if name.startswith("param_"):
            assert found[name].tolist() == expected[name].tolist()
        else:
            assert_allclose(found[name], expected[name], **TOLERANCE)
    assert search.best_params_ == reference.best_params_
    assert search.best_index_ == reference.best_index_
    assert search.best_score_ == pytest.approx(reference.best_score_, rel=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_halving_keeps_who_it_should(kind):
    space = {"l2": uniform(0, 1), "dropout": uniform(0, 0.5)}
    search = fitted(kind, param_distributions=space, n_candidates=9, n_ensemble=2)
    counts, epochs = halving_plan(9, 2, 12)
    table, curves = search.cv_results_, search.curves_
    racing = np.arange(9)
    for rung, epoch in enumerate(epochs):
        if kind is MLPClassifierCV:  # judged by the loss of the best epoch so far
            scores = [
                -np.mean([min(curve[:epoch]) for curve in curves[c]]) for c in racing
            ]
            assert_array_equal(table["n_epochs"][racing] >= epoch, True)
            order = racing[np.argsort(-np.array(scores))]
            n_kept = counts[rung + 1] if rung + 1 < len(counts) else len(racing)
            out = order[n_kept:]
            assert_array_equal(table["rung"][out], rung)
            assert_array_equal(table["n_epochs"][out], epoch)
            racing = np.sort(order[:n_kept])
    assert np.bincount(table["rung"]).tolist() == [
        before - after for before, after in zip(counts, [*counts[1:], 0], strict=True)
    ]
    assert table["rung"][search.best_index_] == len(counts) - 1
    assert sorted(table["rank_test_score"]) == list(range(1, 10))
    by_rank = np.argsort(table["rank_test_score"])
    assert (np.diff(table["rung"][by_rank]) <= 0).all()


def test_halving_judges_by_the_best_so_far():
    """Recorded scores are those of the curves."""
    search = fitted(MLPClassifierCV)
    expected = [[-min(curve) for curve in curves] for curves in search.curves_]
    assert_allclose(search.scores_, expected, **TOLERANCE)
    assert_allclose(search.cv_results_["mean_test_score"], np.mean(expected, axis=1))
    assert_allclose(search.cv_results_["std_test_score"], np.std(expected, axis=1))


@pytest.mark.parametrize("kind", KINDS)
def test_bayes_is_decided_by_the_random_state(kind):
    space = {"l2": uniform(0, 1)}
    options = {"strategy": "bayes", "param_distributions": space, "n_candidates": 6}
    one, two = (fitted(kind, **options) for _ in range(2))
    assert one.cv_results_["params"] == two.cv_results_["params"]
    assert len(one.cv_results_["params"]) == 6
    # Numbered through all batches.
    assert one.cv_results_["params"][one.best_index_] == one.best_params_
    means = one.cv_results_["mean_test_score"]
    assert means[one.best_index_] == one.best_score_ == means.max()
    assert sorted(one.cv_results_["rank_test_score"]) == [1, 2, 3, 4, 5, 6]
    other = fitted(kind, **options | {"random_state": 1})
    assert other.cv_results_["params"] != one.cv_results_["params"]


@pytest.mark.parametrize("kind", KINDS)
def test_folds_are_averaged(kind):
    X, _ = rows(kind)
    search = fitted(kind, cv=FOLDS, strategy="random", n_ensemble=2)
    assert len(search.estimators_) == len(search.weights_)
    assert search.weights_.sum() == pytest.approx(1)
    each = np.array([numbers(model, X) for model in search.estimators_])
    if kind is MLPClassifierCV:
        temperatures = search.temperatures_[:, None, None]
        each = tempered(each, temperatures, search.class_prior_)
    mean = np.average(each, axis=0, weights=search.weights_)
    if kind is MLPClassifierCV:
        mean = tempered(mean, search.temperature_, search.class_prior_)
        assert_allclose(search.predict_log_proba(X), np.log(mean), **TOLERANCE)
        assert_array_equal(search.predict(X), mean.argmax(axis=1))
    assert_allclose(numbers(search, X), mean, **TOLERANCE)
    importances = [model.feature_importances_ for model in search.estimators_]
    expected = np.average(importances, axis=0, weights=search.weights_)
    assert_allclose(search.feature_importances_, expected, **TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_and_temperature_are_of_the_held_out_rows(kind):
    X, y = rows(kind)
    search = fitted(kind, cv=FOLDS, strategy="random", n_ensemble=3)
    order = np.argsort(search.cv_results_["rank_test_score"])
    index, predictions = np.concatenate([test for _, test in FOLDS]), []
    seeds = [model.random_state for model in search.estimators_[:3]]
    for place in order:
        parts = []
        for seed, (train, test) in zip(seeds, FOLDS, strict=True):
            params = search.cv_results_["params"][place] | {"random_state": seed}
            model = clone(search.estimator).set_params(**params)
            model.fit(X[train], y[train], X_val=X[test], y_val=y[test])
            parts.append(numbers(model, X[test]))
        predictions.append(np.concatenate(parts))

    if kind is MLPClassifierCV:
        prior = np.bincount(y) / len(y)
        found = [best_temperature(p, y[index], None, prior) for p in predictions]
        predictions = [tempered(p, t, prior) for p, t in zip(predictions, found)]

    def loss(p):
        if kind is MLPRegressorCV:
            return np.mean((p - y[index]) ** 2)
        return log_loss(y[index], p / p.sum(axis=1, keepdims=True))

    weights = convex_weights(predictions, loss)
    assert_allclose(search.weights_, np.repeat(weights[weights > 0] / 3, 3), atol=1e-3)
    if kind is MLPClassifierCV:
        assert_allclose(search.temperatures_[::3], np.array(found)[weights > 0])
        mean = mean_over(predictions, weights)
        assert_allclose(prior, search.class_prior_)
        # Two rows more, at the base rate of each row.
        targets = np.eye(len(prior))[y[index]] * len(index) + 2 * prior
        best = minimize_scalar(
            lambda t: -xlogy(targets, tempered(mean, np.exp(t), prior)).sum(),
            bounds=(-3, 3),
            method="bounded",
        )
        assert search.temperature_ == pytest.approx(np.exp(best.x), rel=1e-3)
        expected = best_temperature(mean, y[index], None, prior)
        assert search.temperature_ == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_refit_trains_on_all_rows_for_the_mean_best_epoch(kind):
    X, y = rows(kind)
    # A schedule of the rate would depend on the length that the search has planned.
    own = {"learning_rate": "constant"}
    search = fitted(kind, own, refit=True, n_ensemble=1, strategy="random")
    model, curves = search.estimator_, search.curves_[search.best_index_]
    if kind is MLPClassifierCV:
        n_epochs = max(1, round(np.mean([1 + np.argmin(curve) for curve in curves])))
        assert model.n_iter_ == n_epochs
    assert len(search.estimators_) == 1 and search.weights_.tolist() == [1]
    alone = clone(search.estimator).set_params(
        **search.best_params_,
        random_state=model.random_state,
        early_stopping=False,
        max_iter=model.n_iter_,
        n_iter_no_change=100,
    )
    alone.fit(X, y)
    assert_allclose(numbers(model, X), numbers(alone, X), **TOLERANCE)
    if kind is MLPRegressorCV:
        assert_array_equal(search.predict(X), model.predict(X))
    assert model.l2 == search.l2_ == search.best_params_["l2"]


def test_refit_without_early_stopping_is_a_plain_fit():
    X, y = rows(MLPClassifierCV)
    own = {"early_stopping": False, "solver": "lbfgs", "hidden_layer_sizes": ()}
    own["max_iter"] = 500
    search = fitted(MLPClassifierCV, own, refit=True, n_ensemble=1)
    alone = clone(search.estimator).set_params(**search.best_params_).fit(X, y)
    # Both are at the optimum of a convex function, to 1e-6 in the gradient.
    assert_allclose(search.estimator_.coef_, alone.coef_, atol=1e-4)
    assert search.estimator_.kkt_violation_ < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_without_refit_there_is_the_choice_alone(kind):
    X, y = rows(kind)
    search = fitted(kind).set_params(refit=False).fit(X, y)
    assert search.best_params_ and not hasattr(search, "estimators_")
    with pytest.raises(NotFittedError, match="refit=False and cannot predict"):
        search.predict(X)
    with pytest.raises(NotFittedError, match="refit=False"):
        _ = search.feature_importances_


def test_one_network_or_several():
    with pytest.raises(AttributeError, match=r"averaged over \d+ networks"):
        _ = fitted(MLPClassifierCV).estimator_


@pytest.mark.parametrize("kind", KINDS)
def test_n_ensemble(kind):
    one = fitted(kind, n_ensemble=1)
    assert len(one.estimators_) == 3 and np.allclose(one.weights_, 1 / 3)
    assert len({model.l2 for model in one.estimators_}) == 1
    many = fitted(kind, n_ensemble=3)
    assert len(many.estimators_) <= 9
    # More candidates are trained to the end, so that the best is not worse.
    assert many.best_score_ >= one.best_score_


@pytest.mark.filterwarnings("ignore:max_time=.* suffices for 1 of 3 candidates")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("refit", ["folds", True])
def test_max_time(kind, refit):
    X, y = rows(kind, 400)
    long = make(kind, {"max_iter": 100_000, "n_iter_no_change": 100_000}, refit=refit)
    for max_time in (1e-9, 0.5):
        start = time.perf_counter()
        search = long.set_params(max_time=max_time).fit(X, y)
        # An epoch more, and in "refit" as many epochs as there were.
        assert time.perf_counter() - start < max_time * 4 + 10
        assert np.isfinite(numbers(search, X)).all()


def test_bayes_stops_asking_when_the_time_is_over(monkeypatch):
    monkeypatch.setattr(pilot, "affordable", lambda seconds, limit, *numbers: numbers)
    search = fitted(MLPClassifierCV, strategy="bayes", n_candidates=8, max_time=1e-9)
    assert len(search.cv_results_["params"]) == 2
