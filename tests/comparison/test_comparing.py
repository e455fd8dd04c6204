"""compare: splits, scores, the corrected t-test, choices, validation."""

import json

import joblib
import numpy as np
import pytest
from _comparisons import make_result
from scipy.sparse import csr_array
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import (
    BayesianRidge,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RepeatedKFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skreg
from skreg.comparison.choices import Choice, chosen_hyperparameters, most_chosen
from skreg.comparison.comparing import ComparisonResult, compare
from skreg.comparison.text_report import format_choices, format_signed, format_table
from skreg.comparison.ttest import corrected_ttest
from skreg.compatibility import RIDGE_LOGISTIC_CV

IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)
CLASSIFIERS = {"majority": DummyClassifier(), "knn": KNeighborsClassifier()}
REGRESSORS = {"mean": DummyRegressor(), "ridge": Ridge()}


# compare


@pytest.mark.parametrize(
    ("estimators", "data", "cv", "scoring"),
    [
        (CLASSIFIERS, IRIS, RepeatedStratifiedKFold, "accuracy"),
        (REGRESSORS, DIABETES, RepeatedKFold, "r2"),
    ],
    ids=["classifiers", "regressors"],
)
def test_defaults_equal_cross_validate(estimators, data, cv, scoring):
    result = compare(estimators, *data, random_state=3)
    splitter = cv(n_splits=5, n_repeats=2, random_state=3)
    assert result.scoring == scoring
    assert list(result.scores) == list(estimators)
    assert result.baseline == next(iter(estimators))
    for name, estimator in estimators.items():
        expected = cross_validate(estimator, *data, cv=splitter, scoring=scoring)
        np.testing.assert_array_equal(result.scores[name], expected["test_score"])
        assert np.all(result.fit_times[name] > 0)
        assert np.all(result.score_times[name] > 0)


def test_statistics_come_from_the_scores_and_the_split_sizes():
    cv = ShuffleSplit(6, train_size=60, test_size=30, random_state=0)
    result = compare(CLASSIFIERS, *IRIS, cv=cv, baseline="knn", confidence_level=0.8)
    majority, knn = result.scores["majority"], result.scores["knn"]
    expected = corrected_ttest(majority - knn, 0.5, confidence_level=0.8)

    statistics = result.statistics["majority"]
    assert result.test_train_ratio == 0.5
    assert statistics.mean == pytest.approx(majority.mean())
    assert statistics.sd == pytest.approx(majority.std(ddof=1))
    assert statistics.difference == pytest.approx((majority - knn).mean())
    assert statistics.fit_time == result.fit_times["majority"].mean()
    assert (statistics.p_value, statistics.ci_low, statistics.ci_high) == pytest.approx(
        expected
    )
    assert result.statistics["knn"].difference == 0
    assert np.isnan(result.statistics["knn"].p_value)


def test_ratio_of_unequal_folds_is_of_all_rows():
    result = compare(CLASSIFIERS, *IRIS, cv=KFold(4, shuffle=True, random_state=0))
    assert result.n_test.tolist() == [38, 38, 37, 37]
    assert result.test_train_ratio == pytest.approx(150 / 450)


def test_an_equal_estimator_differs_with_p_1():
    result = compare({"a": Ridge(), "b": Ridge()}, *DIABETES, cv=3)
    assert result.statistics["b"].p_value == 1.0
    assert result.statistics["b"].difference == 0.0


def test_pairs_and_splits_as_masks_are_accepted():
    mask = np.arange(150) % 3 == 0
    splits = [(~mask, mask), (mask, ~mask)]
    result = compare(list(CLASSIFIERS.items()), *IRIS, cv=splits)
    expected = KNeighborsClassifier().fit(IRIS[0][~mask], IRIS[1][~mask])
    assert result.n_train.tolist() == [100, 50]
    assert result.scores["knn"][0] == expected.score(IRIS[0][mask], IRIS[1][mask])


def test_a_callable_score_is_called_by_its_name():
    scorer = make_scorer(f1_score, average="macro")

    def macro_f1(estimator, X, y):
        return scorer(estimator, X, y)

    result = compare(CLASSIFIERS, *IRIS, cv=3, scoring=macro_f1)
    expected = cross_validate(CLASSIFIERS["knn"], *IRIS, cv=3, scoring=scorer)
    assert result.scoring == "macro_f1"
    np.testing.assert_array_equal(result.scores["knn"], expected["test_score"])


def test_several_labels_per_row_and_sparse_input():
    X, y = make_multilabel_classification(60, random_state=0)
    result = compare(CLASSIFIERS, csr_array(X), y, random_state=0)
    assert len(result.scores["knn"]) == 10


def test_the_input_estimators_are_not_fitted():
    estimators = {"a": Ridge(), "b": Ridge()}
    compare(estimators, *DIABETES, cv=2)
    assert not hasattr(estimators["a"], "coef_")


def test_random_state_draws_the_splits():
    scores = [
        compare(REGRESSORS, *DIABETES, random_state=seed).scores["ridge"]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_parallel_fits_give_the_same_scores_and_progress():
    calls = []
    alone = compare(REGRESSORS, *DIABETES, random_state=0)
    with joblib.parallel_config("threading"):
        parallel = compare(
            REGRESSORS,
            *DIABETES,
            random_state=0,
            n_jobs=2,
            progress=lambda n_done, n_fits: calls.append((n_done, n_fits)),
        )
    np.testing.assert_array_equal(alone.scores["ridge"], parallel.scores["ridge"])
    assert calls == [(i + 1, 20) for i in range(20)]


def test_the_package_exports_the_function_although_a_module_has_its_name():
    assert skreg.compare is compare
    assert skreg.ComparisonResult is ComparisonResult


# what was chosen


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (GridSearchCV(Ridge(), {"alpha": [np.float64(0.5)]}), {"alpha": 0.5}),
        (
            GridSearchCV(make_pipeline(Ridge()), {"ridge__alpha": [0.5]}),
            {"ridge__alpha": 0.5},
        ),
        (make_pipeline(StandardScaler(), RidgeCV(alphas=[2.0])), {"alpha": 2.0}),
        (TransformedTargetRegressor(RidgeCV(alphas=[2.0])), {"alpha": 2.0}),
        (BayesianRidge(), {}),
        (Ridge(), {}),
    ],
)
def test_chosen_hyperparameters(estimator, expected):
    chosen = chosen_hyperparameters(estimator.fit(*DIABETES))
    assert chosen == expected
    json.dumps(chosen)


def test_chosen_hyperparameters_of_logistic_regression():
    model = LogisticRegressionCV(
        Cs=[0.5], scoring="neg_log_loss", max_iter=1000, **RIDGE_LOGISTIC_CV
    )
    # Without l1_ratios, none was chosen.
    expected = {"C": 0.5} | ({"l1_ratio": 0} if RIDGE_LOGISTIC_CV else {})
    assert chosen_hyperparameters(model.fit(*IRIS)) == expected


@pytest.mark.parametrize(
    "values, expected", [([0.5, 0.5, 0.5], {"C": 0.5}), ([0.1, 0.5, 0.5], {})]
)
def test_chosen_hyperparameters_of_each_class(values, expected):
    """Those that differ are not one choice."""
    model = LogisticRegressionCV()
    model.C_, model.l1_ratio_ = np.array(values), np.array([None, None, None])
    chosen = chosen_hyperparameters(model)
    assert chosen == expected
    json.dumps(chosen)


def test_compare_keeps_what_each_split_chose():
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.01, 1.0]})
    result = compare({"majority": DummyClassifier(), "search": search}, *IRIS, cv=3)
    assert result.chosen["majority"] == [{}, {}, {}]
    assert result.most_chosen("search") == [Choice("C", 1.0, 3, 3)]


@pytest.mark.parametrize(
    ("values", "expected", "text"),
    [
        ([0.1, 0.0, 0.3, 0.2], (0.2, 3), "x=0.2 (3/4)"),
        ([0.1, 0.0, 0.0, 0.2], (0.0, 2), "none"),
        ([0.0, 0.0, 0.0, 0.2], (0.0, 3), "none"),
        ([1, 2, 3, 3], (2, 4), "x=2"),
        ([100.0, 100.0, 123.0, 0.00001234], (100.0, 4), "x=100"),
        ([1.234e-5, 1.234e-5, 2e-5, 2e-5], (1.234e-5, 4), "x=1.2e-05"),
        ([True, True, True, False], (True, 3), "x (3/4)"),
        ([True, False, False, False], (False, 3), "none"),
        (["before", "before", False, "after"], ("before", 2), "x=before (2/4)"),
        ([(10,), (10,), (5, 5), (10,)], ((10,), 3), "x=(10,) (3/4)"),
        ([None, None, 1.0, None], (None, 3), "none"),
    ],
)
def test_most_chosen(values, expected, text):
    (choice,) = most_chosen([{"step__x": value} for value in values])
    assert (choice.value, choice.n_chosen, choice.n_splits) == (*expected, 4)
    assert type(choice.value) is type(expected[0])
    assert format_choices([choice]) == text


def test_nothing_chosen():
    assert most_chosen([{}, {}]) == []
    assert format_choices([]) == "-"


# the result


def test_to_dict_survives_json_and_holds_everything():
    result = compare(CLASSIFIERS, *IRIS, cv=4)
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    knn = content["estimators"]["knn"]
    assert knn["scores"] == result.scores["knn"].tolist()
    assert knn["p_value"] == result.statistics["knn"].p_value
    assert content["estimators"]["majority"]["p_value"] is None
    assert content["n_train"] == [112, 112, 113, 113]


def test_to_frame():
    result = compare(CLASSIFIERS, *IRIS, cv=4)
    frame = result.to_frame()
    assert frame.index.tolist() == ["majority", "knn"]
    assert frame.index.name == "estimator"
    assert frame.loc["knn", "ci_low"] == result.statistics["knn"].ci_low


def test_repr_is_the_table():
    result = make_result(
        {"base": [0.9, 0.92, 0.91, 0.93], "net": [0.9, 0.93, 0.92, 0.95]},
        {"net": [{"l2": 0.001}, {"l2": 0.0}, {"l2": 0.01}, {"l2": 0.1}]},
    )
    p_value = result.statistics["net"].p_value
    assert repr(result).splitlines() == [
        "model  accuracy       difference  p      fit s  chosen most often",
        "-----  -------------  ----------  -----  -----  -----------------",
        "base   0.915 ± 0.013  baseline           0.50   -",
        f"net    0.925 ± 0.021  +0.010      {p_value:.3f}  0.50   l2=0.01 (3/4)",
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0123, "+0.01"), (-0.0123, "-0.01"), (-0.001, "0.00"), (0.0, "0.00")],
)
def test_format_signed(number, text):
    assert format_signed(number, 2) == text


def test_format_table_pads_columns():
    assert format_table(["a", "b"], [["xyz", "1"]]) == "a    b\n---  -\nxyz  1"


# what is refused


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"estimators": Ridge()}, "'estimators' parameter of compare must be"),
        ({"estimators": {"ridge": Ridge()}}, "at least two .* got \\['ridge'\\]"),
        ({"estimators": [("a", Ridge()), ("a", Ridge())]}, "two different names"),
        ({"estimators": [Ridge(), Ridge()]}, "pairs, got Ridge()"),
        ({"estimators": {"a": Ridge(), 2: Ridge()}}, "pairs, got \\(2, Ridge"),
        ({"estimators": {"a": Ridge(), "b": Ridge}}, "'b'.* must be an estimator inst"),
        ({"estimators": {"a": Ridge(), "b": 3}}, "'b'.* must be an estimator instance"),
        ({"estimators": {**REGRESSORS, "c": DummyClassifier()}}, "all classifiers or"),
        ({"baseline": "rigde"}, "baseline='rigde'.* did you mean 'ridge'"),
        ({"baseline": 0}, "'baseline' parameter of compare must be"),
        ({"scoring": "neg_mean_square_error"}, "mean 'neg_mean_squared_error'"),
        ({"scoring": ["r2"]}, "'scoring' parameter of compare must be"),
        ({"cv": "five"}, "'cv' parameter of compare must be"),
        ({"cv": [(np.arange(9), np.arange(9, 20))]}, "at least two splits, got 1"),
        ({"confidence_level": 95}, "'confidence_level' parameter of compare must be"),
        ({"n_jobs": 0.5}, "'n_jobs' parameter of compare must be"),
        ({"progress": True}, "'progress' parameter of compare must be"),
        ({"random_state": "a"}, "'random_state' parameter of compare must be"),
        ({"y": None}, "'y' parameter of compare must be"),
        ({"y": DIABETES[1][:-1]}, "inconsistent numbers of samples"),
    ],
)
def test_bad_arguments(changes, match):
    arguments = {"estimators": REGRESSORS, "X": DIABETES[0], "y": DIABETES[1]}
    with pytest.raises(ValueError, match=match):
        compare(**(arguments | changes))


def test_a_failing_fit_raises_and_says_whose():
    estimators = {"mean": DummyRegressor(), "bad": Ridge(alpha=-1)}
    with pytest.raises(ValueError, match="'alpha' parameter of") as caught:
        compare(estimators, *DIABETES, cv=2)
    assert caught.value.__notes__ == ["raised by 'bad' on split 0 of the comparison"]


def test_a_score_that_is_not_finite_raises():
    def undefined(estimator, X, y):
        return np.nan

    with pytest.raises(ValueError, match="scoring='undefined' gave nan for 'mean'"):
        compare(REGRESSORS, *DIABETES, scoring=undefined)
