"""The estimators that tune themselves: scores and attributes."""

import inspect
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from _tuned import (
    FOLDS,
    KINDS,
    TOLERANCE,
    fitted,
    make,
    numbers,
    rows,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import accuracy_score, get_scorer

from skreg import MLPClassifierCV, MLPRegressorCV

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(
    "scoring", ["accuracy", "neg_log_loss", get_scorer("f1_macro")]
)
def test_scoring_decides(scoring):
    X, y = rows(MLPClassifierCV)
    search = fitted(MLPClassifierCV, scoring=scoring, cv=FOLDS)
    model = search.estimators_[0]
    rank = np.argsort(search.cv_results_["rank_test_score"])
    places = [search.cv_results_["params"].index({"l2": model.l2})]
    assert search.best_index_ == rank[0]
    score = get_scorer(scoring)(model, X[FOLDS[0][1]], y[FOLDS[0][1]])
    assert search.scores_[places[0], 0] == pytest.approx(score)
    assert search.score(X, y) == pytest.approx(get_scorer(scoring)(search, X, y))


def test_scoring_of_a_regressor():
    X, y = rows(MLPRegressorCV)
    search = fitted(MLPRegressorCV, scoring="r2", cv=FOLDS)
    model, place = search.estimators_[0], search.best_index_
    if model.l2 == search.best_params_["l2"]:
        expected = get_scorer("r2")(model, X[FOLDS[0][1]], y[FOLDS[0][1]])
        assert search.scores_[place, 0] == pytest.approx(expected)
    assert search.score(X, y) == get_scorer("r2")(search, X, y)


def test_score_without_scoring():
    X, y = rows(MLPClassifierCV)
    search = fitted(MLPClassifierCV)
    weight = np.arange(90.0)
    expected = accuracy_score(y, search.predict(X), sample_weight=weight)
    assert search.score(X, y, weight) == pytest.approx(expected)


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "huber", "poisson", "quantile"]
)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_losses_of_regressors(loss, n_outputs):
    X, y = rows(MLPRegressorCV)
    y = np.abs(y) if n_outputs == 1 else np.abs(np.column_stack([y, y[::-1]]))
    own = {"loss": loss, "quantile": 0.3}
    search = make(MLPRegressorCV, own, cv=FOLDS, n_ensemble=1).fit(X, y)
    test, model = FOLDS[0][1], search.estimators_[0]
    p, t = model.predict(X[test]), y[test]
    level = 0.3 if loss == "quantile" else 0.5
    expected = {
        "squared_error": lambda: (p - t) ** 2,
        "poisson": lambda: 2 * (t * np.log(t / p) - t + p),
    }.get(loss, lambda: 2 * np.where(t > p, level * (t - p), (1 - level) * (p - t)))
    score = -expected().mean()
    assert search.scores_[search.best_index_, 0] == pytest.approx(score, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_documented_attribute_exists(kind):
    # Linear, for the coefficients.
    search = make(kind, {"hidden_layer_sizes": ()}, refit=True, n_ensemble=1)
    X, y = rows(kind)
    search.fit(pd.DataFrame(X).add_prefix("x"), y)
    section = inspect.getdoc(kind).split("Attributes\n")[1].split("See Also")[0]
    names = re.findall(r"^([a-z0-9_, ]+?) : ", section, re.MULTILINE)
    names = [name for line in names for name in line.split(", ")]
    assert {"l1_", "best_params_", "feature_names_in_"} < set(names)
    for name in names:
        assert getattr(search, name) is not None, name
    public = {n for n in vars(search) if n.endswith("_") and not n.startswith("_")}
    assert public <= set(names)


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_candidates_regularisation(kind):
    space = {"dropout": [[0.1]], "l1": [1e-4], "batchnorm": [True]}
    search = fitted(kind, param_distributions=space)
    assert (search.l1_, search.l2_) == (1e-4, 0.0)
    assert search.dropout_ == [0.1] and search.batchnorm_ is True
    assert search.scores_.shape == (1, 3) and search.n_splits_ == 3


@pytest.mark.parametrize("kind", KINDS)
def test_random_state(kind):
    X, _ = rows(kind)
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    one, two = (fitted(kind, cv=None) for _ in range(2))
    assert_array_equal(numbers(one, X), numbers(two, X))
    shared = np.random.RandomState(0)
    first = fitted(kind, random_state=shared)
    second = fitted(kind, random_state=shared)
    assert not np.array_equal(numbers(first, X), numbers(second, X))
    third, fourth = (fitted(kind, random_state=None) for _ in range(2))
    assert not np.array_equal(numbers(third, X), numbers(fourth, X))
    assert_array_equal(np.random.get_state()[1], before)


@pytest.mark.parametrize("kind", KINDS)
def test_pickle_clone_and_repr(kind):
    X, _ = rows(kind)
    search = fitted(kind)
    again = pickle.loads(pickle.dumps(search))
    assert_array_equal(numbers(search, X), numbers(again, X))
    fresh = clone(search)
    assert not hasattr(fresh, "estimators_")
    fresh.set_params(estimator__hidden_layer_sizes=(3,), n_candidates=1)
    assert fresh.estimator.hidden_layer_sizes == (3,)
    assert search.estimator.hidden_layer_sizes == (6,)
    for shown in (search, fresh, kind()):
        assert kind.__name__ in shown._repr_html_()


def test_verbose(capsys):
    fitted(MLPClassifierCV, verbose=True, n_ensemble=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith("rung 1: 3 candidates, 3 epochs,")


def test_n_jobs_does_not_change_the_result():
    X, _ = rows(MLPClassifierCV)
    found = [numbers(fitted(MLPClassifierCV, n_jobs=n), X) for n in (None, 1, 2, -1)]
    for one in found[1:]:
        assert_allclose(one, found[0], **TOLERANCE)


def test_class_weights_of_all_candidates():
    # Without some rows of one class: balanced weights of balanced classes are all 1.
    X, y = rows(MLPClassifierCV)
    kept = np.flatnonzero((y != 0) | (np.arange(len(y)) % 3 == 0))
    X, y = X[kept], y[kept]
    own = make(MLPClassifierCV, {"class_weight": "balanced"}).fit(X, y)
    given = make(MLPClassifierCV, class_weight="balanced").fit(X, y)
    assert_array_equal(given.predict_proba(X), own.predict_proba(X))
    assert given.estimator.class_weight is None
    plain = make(MLPClassifierCV).fit(X, y)
    assert not np.array_equal(given.scores_, plain.scores_)
    default = MLPClassifierCV(n_candidates=2, cv=2, class_weight={0: 1, 1: 5, 2: 1})
    shares = [
        search.set_params(random_state=0).fit(X, y).predict_proba(X)[:, 1].mean()
        for search in (default, clone(default).set_params(class_weight=None))
    ]
    assert shares[0] > shares[1] + 0.1
