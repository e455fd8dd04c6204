"""Meta-estimators that fit through joblib: fused equals unfused, in few stacks."""

import numpy as np
import pytest
from _fusion import classes, classifier, compare, numbers, outcome, regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import (
    RFECV,
    SelectFromModel,
    SequentialFeatureSelector,
)
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
from sklearn.pipeline import FeatureUnion
from sklearn.semi_supervised import SelfTrainingClassifier

pytestmark = pytest.mark.filterwarnings(
    # Few epochs are meant.
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning",
)

X, Y = classes()
X_TWO, Y_TWO = classes(n_classes=2)
X_REAL, Y_REAL = numbers()
LOSS = "neg_log_loss"
L2 = {"l2": [0.0, 0.03, 0.3]}


class TestSearches:
    def test_grid(self):
        search = GridSearchCV(classifier(), L2, cv=3, scoring=LOSS)
        compare(lambda: outcome(search, X, Y), [9, 1])

    def test_grid_of_two_metrics_with_train_scores(self):
        search = GridSearchCV(
            regressor(),
            {"dropout": [0.0, 0.3], "l2": [0.0, 0.1]},
            cv=ShuffleSplit(3, test_size=0.3, random_state=3),
            scoring=["r2", "neg_mean_absolute_error"],
            refit="r2",
            return_train_score=True,
        )
        compare(lambda: outcome(search, X_REAL, Y_REAL), [12, 1])

    def test_randomised(self):
        values = {"l2": list(np.logspace(-3, 0, 9)), "input_noise": [0.0, 0.2]}
        search = RandomizedSearchCV(
            classifier(), values, n_iter=5, cv=3, scoring=LOSS, random_state=4
        )
        compare(lambda: outcome(search, X, Y), [15, 1])

    def test_halving_grid_trains_each_rung(self):
        X, y = numbers(96)
        search = HalvingGridSearchCV(
            regressor(),
            {"l2": [0.0, 0.01, 0.1, 1.0]},
            cv=3,
            factor=2,
            min_resources=24,
            random_state=0,
        )
        compare(lambda: outcome(search, X, y), [12, 6, 3, 1])

    def test_halving_over_epochs(self):
        search = HalvingRandomSearchCV(
            classifier(),
            {"l2": list(np.logspace(-3, 0, 9))},
            n_candidates=4,
            cv=3,
            factor=2,
            resource="max_iter",
            min_resources=2,
            max_resources=8,
            scoring=LOSS,
            random_state=0,
        )
        compare(lambda: outcome(search, X, Y), [12, 6, 3, 1])

    def test_search_without_refit(self):
        search = GridSearchCV(classifier(), L2, cv=3, refit=False, scoring=LOSS)

        def work():
            return search.fit(X, Y).cv_results_["mean_test_score"]

        compare(work, [9])

    def test_nested_cross_validation_pools_outer_and_inner_fits(self):
        search = GridSearchCV(classifier(), L2, cv=2, scoring=LOSS)
        # The refits of the outer folds share a stack, too.
        compare(lambda: cross_val_score(search, X, Y, cv=4, scoring=LOSS), [24, 4])

    def test_search_over_an_ensemble(self):
        search = GridSearchCV(
            BaggingClassifier(classifier(), 3, random_state=0),
            {"estimator__l2": [0.0, 0.1]},
            cv=3,
            scoring=LOSS,
        )
        compare(lambda: outcome(search, X, Y), [18, 3])

    def test_three_levels(self):
        search = GridSearchCV(OneVsRestClassifier(classifier()), {}, cv=2)
        search.param_grid = {"estimator__l2": [0.0, 0.1]}
        compare(lambda: cross_val_predict(search, X, Y, cv=2), [24, 6])


class TestValidation:
    def test_cross_validate(self):
        def work():
            found = cross_validate(
                classifier(),
                X,
                Y,
                cv=4,
                scoring=LOSS,
                return_train_score=True,
                return_estimator=True,
                return_indices=True,
            )
            fitted = [e.predict_proba(X) for e in found.pop("estimator")]
            return found, fitted

        compare(work, [4])

    def test_cross_val_score(self):
        compare(lambda: cross_val_score(regressor(), X_REAL, Y_REAL, cv=7), [7])

    @pytest.mark.parametrize("method", ["predict", "predict_proba"])
    def test_cross_val_predict(self, method):
        compare(lambda: cross_val_predict(classifier(), X, Y, cv=4, method=method), [4])

    def test_learning_curve(self):
        sizes = [0.3, 0.6, 1.0]
        compare(
            lambda: learning_curve(
                classifier(), X, Y, cv=3, train_sizes=sizes, scoring=LOSS
            ),
            [9],
        )

    def test_incremental_learning_curve(self):
        def work():
            return learning_curve(
                classifier(),
                X,
                Y,
                cv=3,
                train_sizes=[0.4, 0.7, 1.0],
                scoring=LOSS,
                exploit_incremental_learning=True,
            )

        # The first 40 % of the rows of each fold, and what they go on with.
        assert compare(work) == [3, 3, 3]

    def test_validation_curve(self):
        values = {"param_name": "l2", "param_range": [0.0, 0.1, 1.0]}
        compare(
            lambda: validation_curve(classifier(), X, Y, cv=3, scoring=LOSS, **values),
            [9],
        )

    def test_permutation_test_score(self):
        def work():
            return permutation_test_score(
                classifier(),
                X,
                Y,
                cv=2,
                n_permutations=6,
                scoring=LOSS,
                random_state=0,
            )

        # The score to be tested comes first, in the thread of the caller; each task
        # then fits its folds one after another.
        compare(work, [1, 1, 6, 6])

    def test_permutation_importance(self):
        network = classifier().fit(X, Y)
        compare(
            lambda: (
                permutation_importance(
                    network, X, Y, n_repeats=3, random_state=0
                ).importances
            ),
            [],
        )


def members(make, n=3):
    return [(f"m{k}", make(l2=0.1 * k, random_state=k)) for k in range(n)]


TWO_OUTPUTS = np.stack([X[:, 1] > 5, X[:, 0] > 4], axis=1).astype(int)
# name: estimator, data, and the stacks that must form
ENSEMBLES = {
    "bagging": (BaggingClassifier(classifier(), 6, random_state=0), X, Y, [6]),
    "bagging of subsets": (
        BaggingClassifier(
            classifier(), 6, max_samples=0.6, max_features=0.5, random_state=0
        ),
        X,
        Y,
        [6],
    ),
    "bagging regressor": (
        BaggingRegressor(regressor(), 6, oob_score=False, random_state=0),
        X_REAL,
        Y_REAL,
        [6],
    ),
    "soft voting": (VotingClassifier(members(classifier), voting="soft"), X, Y, [3]),
    "voting": (VotingClassifier(members(classifier)), X, Y, [3]),
    "voting regressor": (VotingRegressor(members(regressor)), X_REAL, Y_REAL, [3]),
    "stacking": (
        StackingClassifier(members(classifier, 2), classifier((3,)), cv=3),
        X,
        Y,
        [2, 6, 1],
    ),
    "stacking regressor": (
        StackingRegressor(
            members(regressor, 2), regressor((3,)), cv=3, passthrough=True
        ),
        X_REAL,
        Y_REAL,
        [2, 6, 1],
    ),
    "one against the rest": (OneVsRestClassifier(classifier()), X, Y, [3]),
    "one against one": (OneVsOneClassifier(classifier()), X, Y, [3]),
    "output code": (
        OutputCodeClassifier(classifier(), code_size=2, random_state=0),
        X,
        Y,
        # Two columns of this code book are constant.
        [4],
    ),
    "many outputs": (MultiOutputClassifier(classifier()), X, TWO_OUTPUTS, [2]),
    "many real outputs": (
        MultiOutputRegressor(regressor()),
        *numbers(n_outputs=3),
        [3],
    ),
    "calibrated": (CalibratedClassifierCV(classifier(), cv=3), X, Y, [3]),
    "calibrated once": (
        CalibratedClassifierCV(classifier(), cv=3, ensemble=False),
        X,
        Y,
        [3, 1],
    ),
    "tuned threshold": (
        TunedThresholdClassifierCV(classifier(), cv=3),
        X_TWO,
        Y_TWO,
        [1, 3],
    ),
    "chain over folds": (
        ClassifierChain(classifier(), cv=3),
        X_TWO,
        np.stack([Y_TWO, X_TWO[:, 0] > 4], axis=1).astype(int),
        # For the second label, the first is predicted for rows that were left out.
        [1, 3, 1],
    ),
    "backward selection": (
        SequentialFeatureSelector(
            classifier(), n_features_to_select=3, direction="backward", cv=3
        ),
        X,
        Y,
        [3] * 4,
    ),
    "forward selection": (
        SequentialFeatureSelector(
            classifier(), n_features_to_select=1, scoring=LOSS, cv=3
        ),
        X,
        Y,
        [3] * 4,
    ),
    "two selections": (
        FeatureUnion(
            [
                (name, SelectFromModel(model, max_features=2, importance_getter=size))
                for size in [lambda e: np.abs(e.coefs_[0]).sum(1)]
                for name, model in members(classifier)
            ]
        ),
        X,
        Y,
        [3],
    ),
}
# What fits one after another, so that only the folds around it are pooled.
SEQUENTIAL = {
    "ada boost": (
        AdaBoostClassifier(classifier(), n_estimators=3, random_state=0),
        X,
        Y,
    ),
    "ada boost regressor": (
        AdaBoostRegressor(regressor(), n_estimators=3, random_state=0),
        X_REAL,
        Y_REAL,
    ),
    "chain": (
        ClassifierChain(classifier(), order=[1, 0]),
        X_TWO,
        np.stack([Y_TWO, X_TWO[:, 0] > 4], axis=1).astype(int),
    ),
    "regressor chain": (RegressorChain(regressor()), *numbers(n_outputs=2)),
    "fixed threshold": (
        FixedThresholdClassifier(classifier(), threshold=0.4),
        X_TWO,
        Y_TWO,
    ),
    "transformed targets": (
        TransformedTargetRegressor(regressor(), func=np.arcsinh, inverse_func=np.sinh),
        X_REAL,
        Y_REAL,
    ),
}


def fitted(estimator, X, y):
    """Return the predictions of a fitted estimator for all rows."""
    estimator.fit(X, y)
    for name in ("predict_proba", "predict", "transform"):
        if hasattr(estimator, name):
            return np.asarray(getattr(estimator, name)(X))


class TestEnsembles:
    @pytest.mark.parametrize("name", ENSEMBLES)
    def test_fit(self, name):
        estimator, X, y, stacks = ENSEMBLES[name]
        sizes = compare(lambda: fitted(estimator, X, y))
        assert sizes == stacks

    @pytest.mark.parametrize("name", SEQUENTIAL)
    def test_folds_of_what_is_sequential(self, name):
        estimator, X, y = SEQUENTIAL[name]
        folds = KFold(4, shuffle=True, random_state=0)
        sizes = compare(lambda: cross_val_predict(estimator, X, y, cv=folds))
        assert sizes and sizes[0] == 4

    def test_folds_of_stacking(self):
        estimator, X, y, _ = ENSEMBLES["stacking"]
        compare(lambda: cross_val_score(estimator, X, y, cv=2), [4, 12, 2])

    def test_recursive_elimination(self):
        def importance(network):
            return np.abs(network.coefs_[0]).sum(axis=1)

        selector = RFECV(classifier(), cv=3, scoring=LOSS, importance_getter=importance)

        def work():
            selector.fit(X, Y)
            return selector.cv_results_, selector.ranking_

        # Four features, three, two, one; and the elimination on all rows.
        assert compare(work)[:4] == [3, 3, 3, 3]

    def test_self_training(self):
        some = np.where(np.arange(50) % 3 == 0, Y, -1)

        def work():
            network = SelfTrainingClassifier(classifier(), threshold=0.5, max_iter=2)
            folds = [(np.arange(k, 50), np.arange(50)) for k in (0, 1, 2)]
            found = cross_validate(
                network,
                X,
                some,
                cv=folds,
                scoring=first_probability,
                return_estimator=True,
            )
            return [e.predict_proba(X) for e in found["estimator"]]

        assert compare(work)[0] == 3


def first_probability(estimator, X, y):
    return float(estimator.predict_proba(X)[0, 0])
