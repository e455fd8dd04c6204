"""Estimators that are also trained on copies: who sees what, and the contract."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from _fusion import classes, classifier, compare, outcome
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.cluster import KMeans
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import _safe_indexing
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import Augmented, MLPClassifier, MLPRegressor, TextAugmenter

pytestmark = pytest.mark.filterwarnings(
    # Few epochs are meant.
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning",
)


class Repeat(BaseEstimator):
    """Repeats all rows several times, which does not change a mean loss."""

    def __init__(self, times=2):
        self.times = times

    def augment(self, X):
        n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
        rows = np.tile(np.arange(n_rows), self.times)
        return _safe_indexing(X, rows), rows


class Recorder:
    """A user's own augmenter without parameters. It records its input."""

    seen: list = []

    def augment(self, X):
        Recorder.seen.append(list(X))
        return [*X, *(f"copy of {text}" for text in X)], np.tile(np.arange(len(X)), 2)


class Memory(BaseEstimator):
    """A classifier that records its training rows and the rows to predict."""

    fitted: list = []
    asked: list = []

    def fit(self, X, y, sample_weight=None, X_val=None):
        Memory.fitted.append((list(X), list(y), sample_weight, X_val))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        Memory.asked.append(list(X))
        return np.full(len(X), self.classes_[0])

    def score(self, X, y, sample_weight=None):
        return np.average(self.predict(X) == y, weights=sample_weight)


@pytest.fixture(autouse=True)
def forget():
    Recorder.seen, Memory.fitted, Memory.asked = [], [], []


TEXTS = [f"text number {number}" for number in range(12)]
LABELS = np.arange(12) % 2


@parametrize_with_checks(
    [
        Augmented(LogisticRegression(), Repeat()),
        Augmented(Ridge(), Repeat()),
        Augmented(make_pipeline(StandardScaler(), LogisticRegression()), Repeat()),
        Augmented(LogisticRegression(), None),
    ]
)
def test_scikit_learn_check(estimator, check):
    check(estimator)


class TestWhoSeesWhat:
    def test_copies_stay_out_of_the_validation_folds(self):
        folds = list(KFold(3, shuffle=True, random_state=0).split(TEXTS))
        model = Augmented(Memory(), Recorder())
        cross_val_score(model, TEXTS, LABELS, cv=folds, error_score="raise")
        for (train, test), (texts, y, *_), asked, seen in zip(
            folds, Memory.fitted, Memory.asked, Recorder.seen, strict=True
        ):
            own = [TEXTS[row] for row in train]
            assert seen == own
            assert texts == own + [f"copy of {text}" for text in own]
            assert y == 2 * LABELS[train].tolist()
            assert asked == [TEXTS[row] for row in test]

    def test_every_way_to_predict_takes_rows_as_they_are(self):
        model = Augmented(Memory(), Recorder()).fit(TEXTS, LABELS)
        model.predict(TEXTS[:3])
        model.score(TEXTS[3:5], LABELS[3:5])
        cross_val_predict(model, TEXTS, LABELS, cv=3)
        assert not any("copy" in text for texts in Memory.asked for text in texts)

    def test_without_augmenter(self):
        Augmented(Memory(), None).fit(TEXTS, LABELS)
        assert Memory.fitted[0][:2] == (TEXTS, LABELS.tolist())


class TestMetadata:
    WEIGHTS = np.arange(1.0, 13.0)

    def test_weights_are_repeated_and_validation_rows_are_not(self):
        model = Augmented(Memory(), Recorder())
        # As many validation rows as rows: the name tells them apart.
        model.fit(TEXTS, LABELS, sample_weight=self.WEIGHTS, X_val=TEXTS)
        (_, _, weights, X_val) = Memory.fitted[0]
        np.testing.assert_array_equal(weights, np.tile(self.WEIGHTS, 2))
        assert X_val == TEXTS

    def test_scores_are_weighted(self):
        model = Augmented(Memory(), None).fit(TEXTS, LABELS)
        score = model.score(TEXTS, LABELS, sample_weight=1.0 + 2 * LABELS)
        assert score == pytest.approx(0.25)

    def test_routing(self):
        with sklearn.config_context(enable_metadata_routing=True):
            inner = (
                Memory()
                .set_fit_request(sample_weight=True)
                .set_score_request(sample_weight=True)
            )
            cross_validate(
                Augmented(inner, Repeat()),
                TEXTS,
                LABELS,
                cv=KFold(3),
                params={"sample_weight": self.WEIGHTS},
                error_score="raise",
            )
        weights = [weights for _, _, weights, _ in Memory.fitted]
        np.testing.assert_array_equal(weights[0], np.tile(self.WEIGHTS[4:], 2))
        np.testing.assert_array_equal(weights[2], np.tile(self.WEIGHTS[:8], 2))

    def test_routing_refuses_what_nobody_asked_for(self):
        model = Augmented(Memory(), Repeat())
        with sklearn.config_context(enable_metadata_routing=True):
            with pytest.raises(ValueError, match="not explicitly set as requested"):
                model.fit(TEXTS, LABELS, sample_weight=self.WEIGHTS)

    def test_of_a_pipeline_step(self):
        X, y = classes()
        weights = np.arange(1.0, 51.0)
        model = Augmented(make_pipeline(StandardScaler(), Ridge()), Repeat())
        model.fit(X, y, ridge__sample_weight=weights)
        other = make_pipeline(StandardScaler(), Ridge())
        other.fit(
            np.tile(X, (2, 1)), np.tile(y, 2), ridge__sample_weight=[*weights] * 2
        )
        np.testing.assert_allclose(model.predict(X), other.predict(X), rtol=1e-12)


class TestAsTheEstimator:
    def test_equals_training_on_all_rows(self):
        X, y = classes()
        model = Augmented(classifier(l2=0.01), Repeat(3)).fit(X, y)
        other = classifier(l2=0.01).fit(np.tile(X, (3, 1)), np.tile(y, 3))
        np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))
        np.testing.assert_array_equal(
            model.predict_log_proba(X), other.predict_log_proba(X)
        )
        assert model.score(X, y) == other.score(X, y)
        np.testing.assert_array_equal(model.classes_, other.classes_)
        assert model.n_features_in_ == 4

    def test_kinds(self):
        assert is_classifier(Augmented(MLPClassifier(), None))
        assert is_regressor(Augmented(MLPRegressor(), None))
        assert is_regressor(Augmented(make_pipeline(StandardScaler(), Ridge()), None))

    def test_methods_are_those_of_the_estimator(self):
        assert hasattr(Augmented(LinearSVC(), None), "decision_function")
        assert not hasattr(Augmented(LinearSVC(), None), "predict_proba")
        assert not hasattr(Augmented(Ridge(), None), "classes_")
        X, y = classes()
        margins = Augmented(LinearSVC(), None).fit(X, y).decision_function(X)
        np.testing.assert_array_equal(
            margins, LinearSVC().fit(X, y).decision_function(X)
        )

    def test_several_targets_and_frames(self):
        X = pd.DataFrame({"a": range(9), "b": [1, 5, 3] * 3}, index=range(9, 0, -1))
        y = pd.DataFrame({"one": X.a * 2, "two": X.b + 1.0})
        model = Augmented(MultiOutputRegressor(Ridge()), Repeat()).fit(X, y)
        assert model.predict(X).shape == (9, 2)
        assert model.feature_names_in_.tolist() == ["a", "b"]

    def test_without_targets(self):
        X, _ = classes()
        model = Augmented(KMeans(2, n_init=1, random_state=0), Repeat()).fit(X)
        assert len(model.estimator_.labels_) == 100

    def test_pickle_clone_and_html(self):
        texts = ["good day", "fine day", "bad night", "sad night"]
        model = Augmented(
            make_pipeline(TfidfVectorizer(), classifier()),
            TextAugmenter(synonyms={"good": ["fine"]}, random_state=0),
        )
        assert "TextAugmenter" in model._repr_html_()
        model.fit(texts, [0, 0, 1, 1])
        assert "TextAugmenter" in model._repr_html_()
        for other in (
            pickle.loads(pickle.dumps(model)),
            clone(model).fit(texts, [0, 0, 1, 1]),
        ):
            np.testing.assert_array_equal(
                other.predict_proba(texts), model.predict_proba(texts)
            )

    def test_fit_leaves_the_parameters_alone(self):
        model = Augmented(LogisticRegression(), Repeat()).fit(*classes())
        assert not hasattr(model.estimator, "coef_")


class TestSearches:
    GRID = {
        "augmenter__random_deletion": [0.1, 0.5],
        "estimator__mlpclassifier__l2": [0.0, 0.1],
    }
    TEXTS = [f"{kind} {word}" for kind in ("a nice", "one bad") for word in "xyzuvw"]
    Y = np.repeat([0, 1], 6)

    def model(self, vectorizer=None, **parameters):
        vectorizer = vectorizer or HashingVectorizer(n_features=16)
        augmenter = TextAugmenter(
            synonyms={"nice": ["good"], "bad": ["foul"]},
            stop_words=None,
            random_state=0,
            **parameters,
        )
        return Augmented(make_pipeline(vectorizer, classifier()), augmenter)

    def test_both_sides_are_searched(self):
        search = GridSearchCV(self.model(), self.GRID, cv=3, scoring="neg_log_loss")
        search.fit(self.TEXTS, self.Y)
        assert len(set(search.cv_results_["mean_test_score"])) == 4

    def test_the_augmenter_is_a_choice(self):
        grid = {"augmenter": [None, TextAugmenter(synonyms=None, random_state=0)]}
        search = GridSearchCV(self.model(), grid, cv=3).fit(self.TEXTS, self.Y)
        assert len(search.cv_results_["params"]) == 2

    def test_fused(self):
        """The copies of a fold make its fit, and all fits make one stack."""
        search = GridSearchCV(self.model(), self.GRID, cv=3, scoring="neg_log_loss")
        compare(lambda: outcome(search, self.TEXTS, self.Y), [12, 1])

    def test_fused_with_a_vocabulary_for_each_fold(self):
        """Networks of other numbers of inputs cannot share a stack, and still agree."""
        model = self.model(TfidfVectorizer(token_pattern=r"\w+"))
        search = GridSearchCV(model, self.GRID, cv=3, scoring="neg_log_loss")
        sizes = compare(lambda: outcome(search, self.TEXTS, self.Y))
        assert sum(sizes) == 13


class TestErrors:
    def test_what_is_no_augmenter(self):
        with pytest.raises(ValueError, match="'augmenter' parameter of Augmented"):
            Augmented(Ridge(), "eda").fit(*classes())
        with pytest.raises(ValueError, match="'estimator' parameter of Augmented"):
            Augmented("ridge", None).fit(*classes())

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ([0], r"got 50 rows and indices of shape \(1,\)"),
            (np.zeros(50), "type float64"),
            (np.full(50, 50), r"indices of the 50 rows of X, got 50 to 50"),
            (np.full(50, -1), r"got -1 to -1"),
        ],
    )
    def test_rows_that_are_wrong(self, rows, message):
        class Wrong:
            def augment(self, X):
                return X, rows

        with pytest.raises(ValueError, match=message):
            Augmented(Ridge(), Wrong()).fit(*classes())

    @pytest.mark.parametrize("found", [None, np.ones((2, 2)), (1, 2, 3), [1, 2]])
    def test_what_is_no_pair(self, found):
        class Wrong:
            def augment(self, X):
                return found

        with pytest.raises(TypeError, match=r"augment\(X\) must return a tuple of two"):
            Augmented(Ridge(), Wrong()).fit(np.ones((2, 1)), [1, 2])

    def test_classes(self):
        with pytest.raises(TypeError, match=r"augmenter must be .* the class Repeat"):
            Augmented(Ridge(), Repeat).fit(np.ones((2, 1)), [1, 2])
        with pytest.raises(TypeError, match=r"Cannot clone .* class"):
            Augmented(Ridge, Repeat()).fit(np.ones((2, 1)), [1, 2])

    def test_lengths(self):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            Augmented(Memory(), Repeat()).fit(TEXTS, LABELS[:3])


class TestInnerSplits:
    """Copies of a row would lie on both sides of them."""

    @pytest.mark.parametrize("is_in_pipeline", [False, True])
    def test_early_stopping(self, is_in_pipeline):
        inner = classifier(early_stopping=True)
        if is_in_pipeline:
            inner = make_pipeline(StandardScaler(), inner)
        with pytest.warns(UserWarning, match="early_stopping=True: rows are held out"):
            Augmented(inner, Repeat()).fit(*classes())

    def test_searches(self):
        search = GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=3)
        with pytest.warns(UserWarning, match="^cv=3: rows are held out"):
            Augmented(search, Repeat()).fit(*classes())
        pipeline = make_pipeline(StandardScaler(), RidgeCV())
        with pytest.warns(UserWarning, match="^ridgecv__cv=None: rows are held out"):
            Augmented(pipeline, Repeat()).fit(*classes())

    def test_ensembles(self):
        X, y = classes()
        forest = RandomForestClassifier(100, oob_score=True, random_state=0)
        with pytest.warns(UserWarning, match="^oob_score=True: rows are held out"):
            model = Augmented(forest, Repeat(9)).fit(X, y)
        # What the warning is about: the labels are not that easy.
        alone = clone(forest).fit(X, y)
        assert model.estimator_.oob_score_ > alone.oob_score_ + 0.05
        boosting = GradientBoostingClassifier(n_estimators=3, n_iter_no_change=2)
        with pytest.warns(UserWarning, match="^n_iter_no_change=2: rows are held out"):
            Augmented(boosting, Repeat()).fit(X, y)
        for model in (clone(forest), boosting):
            off = {name: None for name in model.get_params() if "no_change" in name}
            off |= {name: False for name in model.get_params() if "oob" in name}
            Augmented(model.set_params(**off), Repeat()).fit(X, y)

    def test_where_no_copy_is_held_out(self):
        X, y = classes()
        early = classifier(early_stopping=True)
        Augmented(early, None).fit(X, y)
        Augmented(early, Repeat()).fit(X, y, X_val=X[:9], y_val=y[:9])
        watching = classifier(early_stopping=True, validation_fraction=None)
        Augmented(watching, Repeat()).fit(X, y)
