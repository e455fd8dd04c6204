"""Certainty of a choice: the margin inside a search, the agreement of the splits."""

import json
from itertools import product

import numpy as np
import pytest
from _comparisons import BASE, HIGHER, make_result
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifierCV
from skreg.comparison.certainty import certainties, winning_margin
from skreg.comparison.choices import chosen_hyperparameters, most_chosen
from skreg.comparison.html_report import _agreement
from skreg.comparison.text_report import (
    certainty_lines,
    describe_certainty,
    group_by_certainty,
)
from skreg.plotting.search_results import read_search

DIABETES = load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def tuned():
    X, y = load_breast_cancer(return_X_y=True)
    model = MLPClassifierCV(n_candidates=8, n_ensemble=2, cv=3, random_state=0)
    return make_pipeline(StandardScaler(), model).fit(X[::3], y[::3])


# inside a search


def test_the_margin_is_the_paired_t_statistic():
    search = GridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 10.0]}).fit(*DIABETES)
    table = search.cv_results_
    folds = np.array([table[f"split{k}_test_score"] for k in range(5)])
    first, second = np.argsort(-table["mean_test_score"])[:2]
    expected = stats.ttest_rel(folds[:, first], folds[:, second]).statistic
    assert winning_margin(search) == pytest.approx(expected, rel=1e-9)
    assert winning_margin(make_pipeline(clone(search)).fit(*DIABETES)) == pytest.approx(
        expected, rel=1e-9
    )


def test_the_runner_up_came_as_far_as_the_best(tuned):
    search = tuned.steps[-1][1]
    last = search.cv_results_["rung"] == search.cv_results_["rung"].max()
    assert 2 <= last.sum() < len(last)
    scores = search.scores_[last]
    first, second = np.argsort(-scores.mean(axis=1))[:2]
    expected = stats.ttest_rel(scores[first], scores[second]).statistic
    assert winning_margin(tuned) == pytest.approx(expected, rel=1e-9)


def halving_search(strengths):
    """Halve the candidates in each iteration: 3 and 2 of three, 4, 2 and 1 of four."""
    search = HalvingGridSearchCV(
        Ridge(), {"alpha": strengths}, random_state=0, factor=2
    )
    return search.fit(*DIABETES)


def test_a_halving_search_is_judged_in_its_last_iteration():
    search = halving_search([0.01, 0.1, 10.0])
    table = search.cv_results_
    last = table["iter"] == table["iter"].max()
    assert last.tolist() == [False] * 3 + [True] * 2
    folds = np.array([table[f"split{k}_test_score"][last] for k in range(5)])
    first, second = np.argsort(-folds.mean(axis=0))[:2]
    expected = stats.ttest_rel(folds[:, first], folds[:, second]).statistic
    assert winning_margin(search) == pytest.approx(expected, rel=1e-9)


def test_a_single_candidate_in_the_last_iteration_has_no_margin():
    search = halving_search([0.01, 0.1, 1.0, 10.0])
    assert search.n_candidates_[-1] == 1
    assert winning_margin(search) is None


@pytest.mark.parametrize(
    "model",
    [
        Ridge(),
        GridSearchCV(Ridge(), {"alpha": [1.0]}),
        GridSearchCV(Ridge(), {"alpha": [1.0, 1.0]}),
        GridSearchCV(
            Ridge(), {"alpha": [1.0, 2.0]}, scoring=["r2", "neg_max_error"], refit="r2"
        ),
    ],
    ids=["no search", "one candidate", "no spread", "several scores"],
)
def test_no_margin(model):
    assert winning_margin(model.fit(*DIABETES)) is None


def test_no_margin_where_the_choice_is_not_the_best_score():
    """As of refit=callable, or of an estimator that found nothing to learn."""
    search = GridSearchCV(
        Ridge(), {"alpha": [0.1, 1.0, 1e4]}, refit=lambda table: 2
    ).fit(*DIABETES)
    assert search.best_index_ == 2
    assert winning_margin(search) is None


def test_the_choice_of_a_network_that_tunes_itself(tuned):
    chosen = chosen_hyperparameters(tuned)
    assert {"l2", "skip_l2", "dropout"} <= set(chosen)
    assert {type(chosen[name]) for name in ("l2", "skip_l2", "dropout")} == {float}
    json.dumps(chosen)
    names = [choice.name for choice in most_chosen([chosen] * 3)]
    assert names == [each.name for each in certainties([chosen] * 3)] == list(chosen)


def test_the_picture_marks_the_choice_of_the_last_rung(tuned):
    search = tuned.steps[-1][1]
    table = dict(search.cv_results_)
    dropped = int(np.argmin(table["rung"]))
    # Lucky when it was dropped, but not chosen for that.
    table["mean_test_score"] = table["mean_test_score"].copy()
    table["mean_test_score"][dropped] = 1.0
    values, _, _, best_index = read_search(table)
    assert best_index == search.best_index_
    assert {"l2", "skip_l2", "dropout"} <= set(values)


# over the splits


# In the notes, and in the table of the page.
HEADINGS = {
    "use": ("sure to use", "yes"),
    "value": ("sure to use, but not of the value of", "not on the value"),
    "?": ("not sure whether to use", "no"),
    "leave out": ("sure not to use", "yes"),
    "too few": ("too few folds to be sure of", "too few folds"),
}


@pytest.mark.parametrize(
    ("values", "text", "heading"),
    [
        ([1e-3] * 9 + [8e-3], "x between 0.001 and 0.008 in 10 of 10 folds", "use"),
        ([1e-3] * 9 + [0.5], "x between 0.001 and 0.5 in 10 of 10 folds", "value"),
        ([0.1, 0.2] * 3 + [0.0] * 4, "x between 0.1 and 0.2 in 6 of 10 folds", "?"),
        ([0.2] * 8 + [0.0] * 2, "x 0.2 in 8 of 10 folds", "use"),
        ([0.2] * 2 + [0.0] * 8, "x 0.2 in 2 of 10 folds", "leave out"),
        ([0.01, 1.0] + [0.0] * 8, "x between 0.01 and 1 in 2 of 10 folds", "leave out"),
        ([0.0] * 10, "x in 0 of 10 folds", "leave out"),
        ([True] * 3 + [False] * 7, "x in 3 of 10 folds", "?"),
        ([None] * 1 + ["a"] * 9, "x a in 9 of 10 folds", "use"),
        ([None] * 5, "x in 0 of 5 folds", "leave out"),
        (["b"] * 4 + ["a"] * 6, "x a or b in 10 of 10 folds", "value"),
        ([0.1] * 3, "x 0.1 in 3 of 3 folds", "too few"),
        ([0.1, 0.0], "x 0.1 in 1 of 2 folds", "too few"),
    ],
)
def test_certainty(values, text, heading):
    (found,) = certainties([{"step__x": value} for value in values])
    assert describe_certainty(found) == text
    assert list(group_by_certainty([found])) == [HEADINGS[heading][0]]
    assert _agreement(found) == HEADINGS[heading][1]
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["has_too_few_splits"] == (heading == "too few")
    assert content["is_sure"] == (heading not in ("?", "too few"))
    assert content["is_sure_of_strength"] == found.is_sure_of_strength


@pytest.mark.parametrize(
    ("n_on", "n_splits", "is_sure"),
    [(2, 2, 0), (3, 3, 0), (4, 4, 1), (4, 5, 0), (5, 5, 1), (7, 10, 0), (8, 10, 1)],
)
def test_few_splits_are_never_sure(n_on, n_splits, is_sure):
    chosen = [{"l2": 0.1}] * n_on + [{"l2": 0.0}] * (n_splits - n_on)
    (found,) = certainties(chosen)
    # Of all sequences of a coin's sides, those as one-sided as this.
    counts = [sum(bits) for bits in product((0, 1), repeat=n_splits)]
    extreme = abs(n_on - n_splits / 2)
    chance = np.mean([abs(count - n_splits / 2) >= extreme for count in counts])
    assert found.is_sure == bool(is_sure) == (chance <= 0.125)
    off = [{"l2": 0.0 if split["l2"] else 0.1} for split in chosen]
    assert certainties(off)[0].is_sure == bool(is_sure)


def test_the_median_is_the_one_of_the_table():
    values = [{"l2": value} for value in (0.004, 0.001, 0.002, 0.003)]
    (found,), (choice,) = certainties(values), most_chosen(values)
    assert found.median == choice.value == 0.002


def test_what_a_split_did_not_search_is_off_there():
    (found,) = certainties([{"l2": 0.1}, {}])
    assert (found.n_on, found.n_splits) == (1, 2)


def compared(chosen, margins):
    scores = {"base": BASE, "default network": BASE, "tuned network": HIGHER}
    result = make_result(scores, {"tuned network": chosen})
    result.margins["tuned network"] = margins
    return result


def test_the_lines_of_the_report():
    chosen = [{"l2": 0.1, "dropout": 0.2}] * 2 + [{"l2": 0.2, "dropout": 0.0}] * 2
    result = compared(chosen, [0.5, None, 0.2, 0.3])
    assert certainty_lines(result, "tuned network") == [
        "tuned network: sure to use l2 between 0.1 and 0.2 in 4 of 4 folds",
        "tuned network: not sure whether to use dropout 0.2 in 2 of 4 folds",
        "tuned network: inside a fold the best setting is 0.3 standard errors ahead of"
        " the next (median of 3 folds), perhaps by chance",
    ]
    assert certainty_lines(result, "base") == []
    sure = certainty_lines(compared(chosen, [2.0] * 4), "tuned network")
    assert sure[-1].endswith(", clearly ahead")
    assert len(certainty_lines(compared(chosen, [None] * 4), "tuned network")) == 2


def test_a_doubt_that_all_settings_share_is_said_once():
    chosen = [{f"p{i}": 0.1 * (1 + j) for i in range(8)} for j in range(2)]
    scores = {"base": BASE[:2], "tuned network": HIGHER[:2]}
    result = make_result(scores, {"tuned network": chosen})
    (line,) = certainty_lines(result, "tuned network")
    start = "tuned network: too few folds to be sure of p0 between"
    assert line.startswith(start)
    assert line.count("sure") == 1
    chosen = [{f"p{i}": 0.1 * (j < 2) for i in range(8)} for j in range(4)]
    (line,) = certainty_lines(compared(chosen, []), "tuned network")
    assert line.count("sure") == 1 and "p7" in line
