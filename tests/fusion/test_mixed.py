"""Networks beside other estimators and behind preprocessing, fused and unfused."""

import numpy as np
import pandas as pd
import pytest
from _fusion import classes, classifier, compare, numbers, outcome, regressor
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics.pairwise import PAIRWISE_DISTANCE_FUNCTIONS
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skreg import fused

# Few epochs are meant.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning"
)

X, Y = classes()
X_REAL, Y_REAL = numbers()
LOSS = "neg_log_loss"


def fitted(estimator, X, y):
    """Return the predictions of a fitted estimator for all rows."""
    estimator.fit(X, y)
    return getattr(estimator, "predict_proba", estimator.predict)(X)


def table():
    """Return a data frame of numbers, some of them missing, and categories."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(X.copy(), columns=list("abcd"))
    frame.loc[::7, "a"] = np.nan
    frame["kind"] = pd.Categorical(rng.choice(["u", "v", "w"], len(frame)))
    return frame


def preprocessing(imputer=None):
    numbers = make_pipeline(imputer or SimpleImputer(), StandardScaler())
    return ColumnTransformer(
        [
            ("numbers", numbers, list("abcd")),
            ("kinds", OneHotEncoder(sparse_output=False), ["kind"]),
        ]
    )


class TestPreprocessing:
    @pytest.mark.parametrize("imputer", [SimpleImputer(), KNNImputer()])
    def test_table(self, imputer):
        search = GridSearchCV(
            make_pipeline(preprocessing(imputer), classifier()),
            {"mlpclassifier__l2": [0.0, 0.1]},
            cv=3,
            scoring=LOSS,
        )
        compare(lambda: outcome(search, table(), Y), [6, 1])

    def test_other_widths_are_other_stacks(self):
        search = GridSearchCV(
            make_pipeline(SelectKBest(), classifier()),
            {"selectkbest__k": [2, 4], "mlpclassifier__l2": [0.0, 0.1]},
            cv=3,
            scoring=LOSS,
        )
        compare(lambda: outcome(search, X, Y), [6, 6, 1])

    def test_cached_steps(self, tmp_path):
        def work():
            pipeline = make_pipeline(
                StandardScaler(), classifier(), memory=str(tmp_path)
            )
            search = GridSearchCV(pipeline, {"mlpclassifier__l2": [0.0, 0.1]}, cv=3)
            return outcome(search, X, Y)

        compare(work, [6, 1])

    def test_targets_transformed_in_a_search(self):
        network = TransformedTargetRegressor(regressor(), transformer=StandardScaler())
        search = GridSearchCV(
            make_pipeline(StandardScaler(), network),
            {"transformedtargetregressor__regressor__l2": [0.0, 0.1]},
            cv=3,
        )
        compare(lambda: outcome(search, X_REAL, Y_REAL), [6, 1])

    def test_union_in_a_pipeline(self):
        union = make_union(StandardScaler(), SelectKBest(k=2))
        pipeline = make_pipeline(union, classifier())
        compare(lambda: cross_val_score(pipeline, X, Y, cv=4, scoring=LOSS), [4])


def logistic():
    return LogisticRegression(max_iter=500)


OTHERS = {
    "logistic": logistic(),
    "forest": RandomForestClassifier(5, random_state=0),
    "forest of two threads": RandomForestClassifier(5, random_state=0, n_jobs=2),
    "boosting": HistGradientBoostingClassifier(max_iter=3, random_state=0),
    "neighbours": KNeighborsClassifier(3),
    "cosine neighbours": KNeighborsClassifier(3, metric="cosine", n_jobs=2),
    "bagged": BaggingClassifier(logistic(), 3, random_state=0),
    "scaled": make_pipeline(StandardScaler(), logistic()),
}


class TestOtherEstimators:
    @pytest.mark.parametrize("name", OTHERS)
    def test_unchanged(self, name):
        def work():
            found = cross_val_predict(OTHERS[name], X, Y, cv=3, method="predict_proba")
            return found, fitted(OTHERS[name], X, Y)

        compare(work, [])

    @pytest.mark.parametrize("name", OTHERS)
    def test_voting_with_a_network(self, name):
        voting = VotingClassifier(
            [("net", classifier()), ("other", OTHERS[name])], voting="soft"
        )
        compare(lambda: cross_val_score(voting, X, Y, cv=3, scoring=LOSS), [3])

    def test_stacking_with_a_network(self):
        stacking = StackingRegressor(
            [("net", regressor()), ("line", LinearRegression())], cv=3
        )
        compare(lambda: fitted(stacking, X_REAL, Y_REAL), [1, 3])

    def test_search_over_steps(self):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), logistic()),
            {"logisticregression": [classifier(), logistic(), KNeighborsClassifier()]},
            cv=3,
            scoring=LOSS,
        )

        def work():
            search.fit(X, Y)
            return search.cv_results_["mean_test_score"], search.best_index_

        sizes = compare(work)
        assert sizes[0] == 3

    def test_selection_before_another_estimator(self):
        select = SelectFromModel(
            classifier(), importance_getter=lambda e: np.abs(e.coefs_[0]).sum(1)
        )
        pipeline = make_pipeline(select, logistic())
        compare(lambda: cross_val_score(pipeline, X, Y, cv=3, scoring=LOSS), [3])

    @pytest.mark.parametrize("n_jobs", [None, 2])
    def test_distances_are_not_cut_in_hundreds_of_parts(self, n_jobs, monkeypatch):
        parts, measure = [], PAIRWISE_DISTANCE_FUNCTIONS["nan_euclidean"]

        def counting(one, other, **options):
            parts.append(len(other))
            return measure(one, other, **options)

        monkeypatch.setitem(PAIRWISE_DISTANCE_FUNCTIONS, "nan_euclidean", counting)
        X, y = classes(600)
        neighbours = KNeighborsClassifier(metric="nan_euclidean", n_jobs=n_jobs)
        with fused():
            cross_val_score(neighbours, X, y, cv=5)
        # Ensembles are cut by the same number, so it cannot be that of the cores.
        assert len(parts) <= 5 * 40
