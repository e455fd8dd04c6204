"""The dots are the scores of the candidates, at the values of their hyperparameters."""

import sys

import numpy as np
import pytest
from _searches import BOX, ROWS, Surface
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import (
    BayesSearchCV,
    MLPClassifierCV,
    MLPRegressor,
    MLPRegressorCV,
    OffOr,
    SearchDisplay,
)

X, Y = load_iris(return_X_y=True)


def results(**columns):
    """Make `cv_results_` of given parameters: candidate i scores i / 10."""
    n = len(next(iter(columns.values())))
    params = [dict(zip(columns, row)) for row in zip(*columns.values())]
    return {
        **{
            f"param_{name}": np.ma.array(v, dtype=object) for name, v in columns.items()
        },
        "params": params,
        "mean_test_score": np.arange(n) / 10,
        "std_test_score": np.arange(1, n + 1) / 100,
    }


def test_a_grid_search_is_drawn():
    grid = {"C": np.logspace(-3, 2, 4), "fit_intercept": [True, False]}
    search = GridSearchCV(LogisticRegression(max_iter=1000), grid, cv=3).fit(X, Y)
    found = search.cv_results_
    display = SearchDisplay.from_cv_results(found)
    strength, intercept = display.axes_
    assert strength.get_xscale() == "log" and intercept.get_xscale() == "linear"
    assert (strength.get_xlabel(), intercept.get_xlabel()) == ("C", "fit_intercept")
    dots = display.lines_[0].get_xydata()
    np.testing.assert_array_equal(dots[:, 0], found["param_C"].astype(float))
    np.testing.assert_array_equal(dots[:, 1], found["mean_test_score"])
    # False and True in this order.
    np.testing.assert_array_equal(
        np.round(display.lines_[1].get_xdata()), found["param_fit_intercept"]
    )
    labels = [label.get_text() for label in intercept.get_xticklabels()]
    assert labels == ["False", "True"]
    for line, best in zip(display.lines_, display.best_lines_, strict=True):
        chosen = line.get_xydata()[search.best_index_].tolist()
        assert best.get_xydata().tolist() == [chosen]


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    ("search", "name"),
    [
        (MLPClassifierCV(), "negative log loss"),
        (MLPClassifierCV(refit=False), "negative log loss"),
        (MLPClassifierCV(scoring="accuracy"), "accuracy"),
        (MLPClassifierCV(scoring=get_scorer("f1_macro")), "f1_macro"),
        (MLPRegressorCV(), "negative squared error"),
        (MLPRegressorCV(MLPRegressor(loss="huber")), "negative absolute error"),
        (MLPRegressorCV(MLPRegressor(loss="poisson")), "negative Poisson deviance"),
        (GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}), "mean test score"),
        (GridSearchCV(Ridge(), {"alpha": [1, 2]}, scoring="r2"), "r2"),
    ],
)
def test_a_fitted_search_is_drawn_with_the_name_of_its_score(search, name, inside):
    search = clone(search)
    if hasattr(search, "n_candidates"):
        search.set_params(n_candidates=3, cv=2, random_state=0)
    model = make_pipeline(StandardScaler(), search) if inside else search
    display = SearchDisplay.from_estimator(model.fit(X, Y))
    table, first = search.cv_results_, display.lines_[0].get_xydata()
    np.testing.assert_array_equal(first[:, 1], table["mean_test_score"])
    best = display.best_lines_[0].get_xydata()
    np.testing.assert_array_equal(best, [first[search.best_index_]])
    assert display.axes_[0].get_ylabel() == name


def test_of_a_search_with_several_scores_the_one_that_chose_is_drawn():
    scores = ["r2", "neg_mean_absolute_error"]
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1e3]}, scoring=scores, refit="r2")
    search.fit(X, Y)
    for metric, name in [(None, "r2"), (scores[1], scores[1])]:
        display = SearchDisplay.from_estimator(search, metric=metric)
        found = display.lines_[0].get_ydata()
        np.testing.assert_array_equal(found, search.cv_results_[f"mean_test_{name}"])
        assert display.axes_[0].get_ylabel() == name


def test_error_bars_are_the_spread_over_the_folds():
    found = results(a=[0.1, 0.2, 0.4])
    (ax,) = SearchDisplay.from_cv_results(found).axes_
    (bars,) = [c for c in ax.collections if len(c.get_segments()) == 3]
    for bar, mean, sd in zip(
        bars.get_segments(), found["mean_test_score"], found["std_test_score"]
    ):
        assert bar[:, 1].tolist() == [mean - sd, mean + sd]


def test_off_has_a_place_at_the_left_of_a_logarithmic_axis():
    display = SearchDisplay.from_cv_results(results(a=[0.0, 1e-4, 1e-1, 0.0, None]))
    (ax,) = display.axes_
    x = display.lines_[0].get_xdata()
    assert ax.get_xscale() == "log"
    assert x[1:3].tolist() == [1e-4, 1e-1]
    off = x[[0, 3, 4]]
    (separator,) = [line for line in ax.lines if len(set(line.get_xdata())) == 1][:1]
    assert (off < separator.get_xdata()[0]).all() and separator.get_xdata()[0] < 1e-4
    assert len(set(off)) == 3
    ticks = dict(zip(ax.get_xticks(), (t.get_text() for t in ax.get_xticklabels())))
    # In the middle of its dots.
    (place,) = [tick for tick, text in ticks.items() if text == "off"]
    assert off.min() < place < off.max()
    assert ticks[1e-4] == "$10^{-4}$"


def test_a_narrow_range_is_linear():
    """Zero is a number there; None is off."""
    display = SearchDisplay.from_cv_results(
        results(dropout=[0.0, 0.2, 0.5], max_norm=[None, 1.0, 3.0])
    )
    dropout, max_norm = (line.get_xdata() for line in display.lines_)
    assert dropout.tolist() == [0.0, 0.2, 0.5]
    assert max_norm[1:].tolist() == [1.0, 3.0] and max_norm[0] < 1.0
    assert all(ax.get_xscale() == "linear" for ax in display.axes_)
    labels = [label.get_text() for label in display.axes_[1].get_xticklabels()]
    assert labels[0] == "off" and "2" in labels


def test_other_values_are_categories():
    display = SearchDisplay.from_cv_results(
        results(sizes=[(5,), (3, 3), (5,)], kind=["b", None, "a"])
    )
    sizes, kind = (np.round(line.get_xdata()) for line in display.lines_)
    assert sizes.tolist() == [1, 0, 1]
    # Where there is no order, that of the candidates.
    assert kind.tolist() == [0, 1, 2]
    texts = [[t.get_text() for t in ax.get_xticklabels()] for ax in display.axes_]
    assert texts == [["(3, 3)", "(5,)"], ["b", "None", "a"]]


def test_what_a_candidate_lacks_and_what_failed_is_not_drawn():
    found = results(a=[1.0, 2.0, 3.0])
    found["param_a"][1] = np.ma.masked
    found["mean_test_score"][2] = np.nan
    display = SearchDisplay.from_cv_results(found)
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), [0.0, 0.1, np.nan])
    display.figure_.canvas.draw()


def test_of_a_halving_search_the_last_score_counts():
    search = HalvingRandomSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": np.logspace(-3, 2, 9)},
        n_candidates=9,
        cv=KFold(2, shuffle=True, random_state=0),
        random_state=0,
        min_resources=16,
    ).fit(X, Y)
    found = search.cv_results_
    display = SearchDisplay.from_cv_results(found)
    drawn = dict(display.lines_[0].get_xydata())
    assert len(drawn) == 9
    last = {row["C"]: i for i, row in enumerate(found["params"])}
    assert len(last) < len(found["params"])
    assert drawn == {c: found["mean_test_score"][i] for c, i in last.items()}
    ((at, score),) = display.best_lines_[0].get_xydata()
    assert at == search.best_params_["C"] and score == search.best_score_


def test_a_bayesian_search_with_a_switch_is_drawn():
    space = BOX | {"a": OffOr(BOX["b"])}
    search = BayesSearchCV(Surface(), space, n_iter=10, cv=2, random_state=0)
    found = search.fit(*ROWS).cv_results_
    display = SearchDisplay.from_cv_results(found, ["b"])
    (ax,) = display.axes_
    assert ax.get_xlabel() == "b"
    np.testing.assert_array_equal(
        display.lines_[0].get_xydata(),
        np.column_stack([found["param_b"].astype(float), found["mean_test_score"]]),
    )


def test_the_chosen_one_may_be_another_than_the_best():
    display = SearchDisplay.from_cv_results(results(a=[1, 2, 3]), best_index=1)
    assert display.best_lines_[0].get_xydata().tolist() == [[2, 0.1]]


def test_only_what_was_varied_is_drawn():
    found = results(step__a=[1, 2], step__b=[3, 3])
    (ax,) = SearchDisplay.from_cv_results(found).axes_
    assert ax.get_xlabel() == "a"
    both = SearchDisplay.from_cv_results(found, ["step__b", "step__a"])
    assert [ax.get_xlabel() for ax in both.axes_] == ["b", "a"]
    same = SearchDisplay.from_cv_results(results(x__a=[1, 2], y__a=[3, 4]))
    assert [ax.get_xlabel() for ax in same.axes_] == ["x__a", "y__a"]


def test_many_parameters_take_several_rows():
    found = results(**{name: [1.0, 2.0] for name in "abcdef"})
    display = SearchDisplay.from_cv_results(found)
    assert len(display.axes_) == len(display.figure_.axes) == 6
    assert max(ax.get_subplotspec().colspan.start for ax in display.axes_) == 3


def test_of_several_scores_one_is_drawn():
    found = results(a=[1.0, 2.0])
    found |= {
        "mean_test_loss": np.array([-0.4, -0.7]),
        "std_test_loss": np.array([0.1, 0.1]),
    }
    display = SearchDisplay.from_cv_results(found, metric="loss")
    assert display.lines_[0].get_ydata().tolist() == [-0.4, -0.7]
    assert display.best_lines_[0].get_xydata().tolist() == [[1.0, -0.4]]
    assert display.axes_[0].get_ylabel() == "loss"


def test_scores_far_below_do_not_hide_the_others():
    found = results(a=np.arange(1.0, 10.0).tolist())
    found["mean_test_score"][:2] = -1e6
    (ax,) = SearchDisplay.from_cv_results(found).axes_
    low, high = ax.get_ylim()
    assert -10 < low < 0.2 and 0.8 < high < 2
    assert [text.get_text() for text in ax.texts] == ["2 below"]


def test_axes_of_ones_own(plt):
    found = results(a=[1.0, 2.0], b=[3.0, 4.0])
    figure, axes = plt.subplots(2, 1)
    display = SearchDisplay.from_cv_results(found, ax=axes)
    assert display.axes_.tolist() == axes.tolist() and display.figure_ is figure
    with pytest.raises(ValueError, match="ax must hold 2 axes"):
        SearchDisplay.from_cv_results(found, ax=axes[0])


def test_unknown_names():
    found = results(a=[1.0, 2.0])
    with pytest.raises(
        ValueError, match=r"params has 'b', which is not one of \['a'\]"
    ):
        SearchDisplay.from_cv_results(found, ["b"])
    with pytest.raises(ValueError, match=r"metric='r2' is not one of .* \['score'\]"):
        SearchDisplay.from_cv_results(found, metric="r2")


def test_a_search_without_parameters():
    search = GridSearchCV(Ridge(), {}).fit(X, Y)
    with pytest.raises(ValueError, match="nothing was searched"):
        SearchDisplay.from_cv_results(search.cv_results_)


def test_without_matplotlib_the_error_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="requires matplotlib"):
        SearchDisplay.from_cv_results(results(a=[1, 2]))
    with pytest.raises(ImportError, match="requires matplotlib"):
        SearchDisplay([], [], [], 0).plot()
    with pytest.raises(ImportError, match="requires matplotlib"):
        SearchDisplay.from_estimator(None)
