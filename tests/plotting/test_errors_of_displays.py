"""Displays of what they cannot draw: the error names what was expected."""

import numpy as np
import pytest
from _comparisons import BASE, HIGHER, make_result
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV

from skreg import (
    ComparisonDisplay,
    CoverageDisplay,
    LearningCurvesDisplay,
    MLPClassifierCV,
    RegularizationPathDisplay,
    SearchDisplay,
)

X, Y = load_iris(return_X_y=True)
SEARCH = GridSearchCV(Ridge(), {"alpha": [1.0, 2.0]}, cv=2).fit(X, Y)
TABLE = SEARCH.cv_results_
RESULT = make_result({"base": BASE, "net": HIGHER})
# Each way to make a plot from one object, and what that must be.
MAKERS = [
    (lambda x: ComparisonDisplay(x).plot(), "result must be a ComparisonResult"),
    (ComparisonDisplay.from_result, "result must be a ComparisonResult"),
    (lambda x: RegularizationPathDisplay(x).plot(), "path must be a Regularization"),
    (
        lambda x: RegularizationPathDisplay.from_estimator(x, X, Y),
        "estimator.* must be an instance of '.*BaseNetwork'",
    ),
    (lambda x: LearningCurvesDisplay(x).plot(), "loss_curves must be a dict of"),
    (LearningCurvesDisplay.from_estimator, "estimator|not an estimator instance"),
    (lambda x: SearchDisplay(x, [1], [1], 0).plot(), "values must be a dict of"),
    (SearchDisplay.from_cv_results, "cv_results must be the cv_results_ |not one of"),
    (SearchDisplay.from_estimator, "estimator must be a fitted search"),
    (
        lambda x: CoverageDisplay.from_estimator(x, X, Y),
        "estimator must be a fitted MLPRegressorCV or MLPClassifierCV",
    ),
]


@pytest.mark.parametrize("bad", ["x", None, 3, [], {}, np.zeros(3), Ridge().fit(X, Y)])
@pytest.mark.parametrize(("make", "match"), MAKERS)
def test_objects_of_other_kinds(make, match, bad):
    with pytest.raises((ValueError, TypeError), match=match):
        make(bad)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: LearningCurvesDisplay({"a": ["x"]}),
            "of 'a' must be a sequence of nu",
        ),
        (lambda: LearningCurvesDisplay({"a": 1}), "of 'a' must be a sequence of num"),
        (lambda: LearningCurvesDisplay({"a": [1]}, "x"), "validation_loss_curves must"),
        (lambda: LearningCurvesDisplay({"a": [1]}, None, {"a": 3}), "best_points..a"),
        (lambda: LearningCurvesDisplay({"a": [1]}, None, {"a": [3]}), "epoch, loss"),
        (
            lambda: SearchDisplay({"a": [1, 2]}, [1], [1], 0),
            "must have the same length",
        ),
        (lambda: SearchDisplay({"a": [1, 2]}, [1, 2], [1], 0), "the same length"),
        (lambda: SearchDisplay({"a": [1]}, "x", [1], 0), "scores must be a sequence"),
        (
            lambda: SearchDisplay({"a": [1]}, [1], [1], 1),
            "best_index must be the index",
        ),
        (lambda: SearchDisplay({"a": [1]}, [1], [1], "0"), "best_index must be the in"),
    ],
)
def test_parts_that_do_not_fit(make, match):
    with pytest.raises(ValueError, match=match):
        make().plot()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"params": "alpha"}, r"params must be a list of names, some of \['alpha'\]"),
        ({"params": []}, "params must be a list of names"),
        ({"best_index": 2}, "best_index must be the index of one of the 2 candidates"),
        ({"best_index": 0.0}, "best_index must be the index"),
    ],
)
def test_parts_of_a_search_that_do_not_exist(options, match):
    with pytest.raises(ValueError, match=match):
        SearchDisplay.from_cv_results(TABLE, **options)


def test_a_search_in_the_place_of_its_table():
    with pytest.raises(ValueError, match="from_estimator takes the search itself"):
        SearchDisplay.from_cv_results(SEARCH)
    with pytest.raises(ValueError, match=r"a fitted search, .* got MLPClassifierCV"):
        SearchDisplay.from_estimator(MLPClassifierCV())


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: ComparisonDisplay(RESULT).plot(ax),
        lambda ax: LearningCurvesDisplay({"a": [1, 2]}).plot(ax),
        lambda ax: SearchDisplay.from_cv_results(TABLE, ax=ax),
        lambda ax: CoverageDisplay([0.5], [0.5], [1.0], n_samples=9).plot(ax),
    ],
)
def test_axes_of_other_kinds(draw):
    with pytest.raises(ValueError, match="ax must be axes of matplotlib, got "):
        draw("x")


@pytest.mark.parametrize("scores", [BASE, [0.8, 0.9], [0.9, 0.9, 0.9]])
def test_without_an_interval_the_means_are_drawn_alone(scores):
    result = make_result({"base": scores, "net": np.array(scores) + 0.1})
    display = ComparisonDisplay.from_result(result)
    assert np.isnan(result.statistics["net"].ci_low)
    (mean,) = display.errorbars_[0].lines[0].get_xdata()
    assert mean == pytest.approx(0.1, rel=1e-12)
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["each split", "mean"]
    display.figure_.canvas.draw()
