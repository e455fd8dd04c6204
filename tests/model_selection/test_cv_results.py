"""Reading of `cv_results_` as scikit-learn writes it."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.tree import DecisionTreeClassifier

from skreg.model_selection.cv_results import (
    last_rows,
    reached_last_stage,
    reached_same_stage,
    score_names,
    scores_of_folds,
)

X, y = load_iris(return_X_y=True)
TREE = DecisionTreeClassifier(random_state=0)
GRID = {"max_depth": [1, 2, 3, 4, 5, 6]}


@pytest.fixture(scope="module")
def halving():
    search = HalvingGridSearchCV(TREE, GRID, random_state=0, min_resources=20)
    return search.fit(X, y).cv_results_


def test_scores_of_several_metrics():
    metrics = {"f1": "f1_macro", "test_f1": "accuracy"}
    search = GridSearchCV(TREE, GRID, scoring=metrics, refit=False, cv=3).fit(X, y)
    assert set(score_names(search.cv_results_)) == set(metrics)
    for name in metrics:
        scores = scores_of_folds(search.cv_results_, name)
        assert scores.shape == (6, 3)
        means = search.cv_results_[f"mean_test_{name}"]
        np.testing.assert_allclose(scores.mean(axis=1), means, rtol=1e-14)


def test_a_score_that_is_not_there():
    search = GridSearchCV(TREE, GRID, cv=3).fit(X, y)
    with pytest.raises(ValueError, match=r"scoring='scores'.*'score'"):
        scores_of_folds(search.cv_results_, "scores")
    with pytest.raises(ValueError, match="must be the cv_results_ of a search"):
        scores_of_folds({"params": [{}]})


def test_stages_of_halving(halving):
    last = halving["iter"].max()
    assert last > 0
    np.testing.assert_array_equal(reached_last_stage(halving), halving["iter"] == last)
    for row, stage in enumerate(halving["iter"]):
        expected = halving["iter"] == stage
        np.testing.assert_array_equal(reached_same_stage(halving, row), expected)
    rows = last_rows(halving)
    assert len(rows) == len(GRID["max_depth"])
    for row in rows:
        same = [p == halving["params"][row] for p in halving["params"]]
        assert halving["iter"][row] == halving["iter"][same].max()


def test_stages_count_only_among_those_that_are_asked_for(halving):
    among = halving["iter"] == 0
    np.testing.assert_array_equal(reached_last_stage(halving, among), among)


def test_without_stages_all_are_equal():
    search = GridSearchCV(TREE, GRID, cv=3).fit(X, y)
    assert reached_last_stage(search.cv_results_).all()
    assert reached_same_stage(search.cv_results_, 2).all()
    assert last_rows(search.cv_results_) == list(range(6))
