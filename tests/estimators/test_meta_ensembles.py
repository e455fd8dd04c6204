"""scikit-learn's ensembles of our networks: right, and fused where joblib allows.

fusion/test_meta_estimators.py has ensembles of single networks with default settings.
These are ensembles of networks that are ensembles themselves, and of pipelines.
"""

import numpy as np
import pytest
from _fusion import (
    assert_same,
    classes,
    classifier,
    counted,
    numbers,
    regressor,
)
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes
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
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skreg import MLPClassifier, MLPRegressor, fused

pytestmark = pytest.mark.filterwarnings(
    # Few epochs are meant.
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning",
)

X, Y = classes()
X_REAL, Y_REAL = numbers()


def three(make, **settings):
    """Return a network alone, members with rows of their own, and shared weights."""
    return [
        ("one", make(**settings)),
        ("members", make(n_estimators=3, bootstrap=True, **settings)),
        ("shared", make(n_estimators=3, ensemble="shared", **settings)),
    ]


MEMBERS = {"n_estimators": 2, "bootstrap": True, "max_samples": 0.8}
SHARED = {"n_estimators": 3, "ensemble": "shared"}
# Name: estimator, data, sizes of the stacks without fusion and with it.
ENSEMBLES = {
    "bagging of members": (
        BaggingClassifier(classifier(**MEMBERS), 4, random_state=0),
        (X, Y),
        [2] * 4,
        [8],
    ),
    "bagging of shared weights": (
        BaggingRegressor(regressor(**SHARED), 4, max_samples=0.7, random_state=0),
        (X_REAL, Y_REAL),
        [1] * 4,
        [4],
    ),
    "bagging of pipelines": (
        BaggingClassifier(
            make_pipeline(MinMaxScaler(), classifier()), 4, random_state=0
        ),
        (X, Y),
        [1] * 4,
        [4],
    ),
    "voting": (
        VotingClassifier(three(classifier), voting="soft"),
        (X, Y),
        [1, 3, 1],
        [4, 1],
    ),
    "voting regressor": (
        VotingRegressor(three(regressor)),
        (X_REAL, Y_REAL),
        [1, 3, 1],
        [4, 1],
    ),
    "stacking": (
        StackingClassifier(three(classifier), LogisticRegression(), cv=2),
        (X, Y),
        [1, 3, 1, 1, 1, 3, 3, 1, 1],
        [4, 1, 8, 2],
    ),
    "stacking on members": (
        StackingRegressor(
            [("a", regressor()), ("b", regressor(l2=0.1))], regressor(**MEMBERS), cv=2
        ),
        (X_REAL, Y_REAL),
        [1, 1] + [1] * 4 + [2],
        [2, 4, 2],
    ),
    "calibrated members": (
        CalibratedClassifierCV(classifier(**MEMBERS), cv=3, method="isotonic"),
        (X, Y),
        [2] * 3,
        [6],
    ),
    "calibrated pipeline": (
        CalibratedClassifierCV(
            make_pipeline(MinMaxScaler(), classifier(**SHARED)), cv=3
        ),
        (X, Y),
        [1] * 3,
        [3],
    ),
    # Each round needs the errors of the last.
    "ada boost": (
        AdaBoostClassifier(classifier(**MEMBERS), n_estimators=3, random_state=0),
        (X, Y),
        [2] * 3,
        [2] * 3,
    ),
    "ada boost regressor": (
        AdaBoostRegressor(regressor(**SHARED), n_estimators=3, random_state=0),
        (X_REAL, Y_REAL),
        [1] * 3,
        [1] * 3,
    ),
}


@pytest.mark.parametrize("name", ENSEMBLES)
def test_fused_is_unfused(name):
    estimator, (inputs, targets), alone, together = ENSEMBLES[name]
    found = []
    for fuse, stacks in ((False, alone), (True, together)):
        with counted() as sizes:
            if fuse:
                with fused():
                    fitted = clone(estimator).fit(inputs, targets)
            else:
                fitted = clone(estimator).fit(inputs, targets)
        assert sizes == stacks
        predict = getattr(fitted, "predict_proba", fitted.predict)
        found.append(predict(inputs))
    assert_same(found[1], found[0])


@pytest.mark.parametrize("kind", [AdaBoostClassifier, AdaBoostRegressor])
def test_folds_of_boosting_train_together(kind):
    """Round by round: the first networks of all folds, then the second ones."""
    is_classifier = kind is AdaBoostClassifier
    network = (classifier if is_classifier else regressor)(n_estimators=2)
    boosted = kind(network, n_estimators=3, random_state=0)
    inputs, targets = (X, Y) if is_classifier else (X_REAL, Y_REAL)
    expected = cross_val_score(boosted, inputs, targets, cv=4)
    with counted() as sizes, fused():
        found = cross_val_score(boosted, inputs, targets, cv=4)
    assert sizes[0] == 8 and sum(sizes) <= 24
    assert_same(found, expected)


def test_a_search_over_what_is_around_and_inside():
    """Of the ensemble's and of the network's own members."""
    grid = {"max_samples": [0.5, 1.0], "estimator__n_estimators": [1, 2]}
    bagging = BaggingClassifier(classifier(), 3, random_state=0)
    search = GridSearchCV(bagging, grid, cv=2, refit=False, scoring="neg_log_loss")
    expected = clone(search).fit(X, Y).cv_results_["mean_test_score"]
    with counted() as sizes, fused():
        found = clone(search).fit(X, Y).cv_results_["mean_test_score"]
    assert sizes == [2 * 2 * 3 * (1 + 2)]
    assert_same(found, expected)


def test_bootstrap_is_scikit_learns_bagging():
    """As good as its ensemble of as many networks, on rows that it has drawn."""
    inputs, targets = load_breast_cancer(return_X_y=True)
    parts = train_test_split(inputs, targets, random_state=0, stratify=targets)
    X_train, X_test, y_train, y_test = parts
    one = MLPClassifier((16,), random_state=0)
    bagging = BaggingClassifier(one, 10, random_state=0)
    ours = clone(one).set_params(n_estimators=10, bootstrap=True)
    with fused():
        bagging.fit(X_train, y_train)
    ours.fit(X_train, y_train)
    losses = [
        log_loss(y_test, model.predict_proba(X_test)) for model in (bagging, ours)
    ]
    # 0.07 each; a network that sees no labels has 0.66.
    assert max(losses) < 0.12 and abs(losses[0] - losses[1]) < 0.02


def test_boosting_learns_by_weights():
    """It weighs rows anew in each round, and the ensemble beats its first network."""
    inputs, targets = load_diabetes(return_X_y=True)
    parts = train_test_split(inputs, targets > 140, random_state=0)
    X_train, X_test, y_train, y_test = parts
    # Short, but long enough that no round is worse than a guess, which would end it.
    weak = MLPClassifier((4,), max_iter=10, random_state=0)
    boosted = AdaBoostClassifier(weak, n_estimators=5, random_state=0)
    boosted.fit(X_train, y_train)
    assert len(boosted.estimators_) == 5
    first, second = (model.coefs_[0] for model in boosted.estimators_[:2])
    assert np.abs(first - second).max() > 1e-3
    assert boosted.score(X_test, y_test) > 0.65


def test_out_of_bag_scores():
    bagging = BaggingRegressor(
        MLPRegressor((8,), random_state=0), 30, oob_score=True, random_state=0
    )
    inputs, targets = load_diabetes(return_X_y=True)
    with fused():
        bagging.fit(inputs, targets)
    assert bagging.oob_score_ > 0.35


def test_calibration_keeps_what_weights_say():
    weight = np.where(np.arange(len(Y)) % 2, 2.0, 1.0)
    model = CalibratedClassifierCV(classifier(**SHARED), cv=2)
    weighted = clone(model).fit(X, Y, sample_weight=weight).predict_proba(X)
    plain = clone(model).fit(X, Y).predict_proba(X)
    assert np.abs(weighted - plain).max() > 1e-3
    np.testing.assert_allclose(weighted.sum(1), 1, rtol=1e-12)
