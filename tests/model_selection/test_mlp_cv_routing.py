"""Groups and other metadata of the estimators that tune themselves."""

import numpy as np
import pytest
from _tuned import KINDS, SCORING, make, rows
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, get_scorer, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import Pipeline

from skreg import MLPClassifier, MLPClassifierCV, MLPRegressor, MLPRegressorCV, fused
from skreg.compatibility import RIDGE_LOGISTIC_CV, SKLEARN
from skreg.model_selection.folds import folds_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def grouped(kind, n_groups=12):
    """Return rows that lie close to the center of their group."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(n_groups), 6)
    centers = rng.normal(size=(n_groups, 4))
    X = centers[groups] + 0.05 * rng.normal(size=(len(groups), 4))
    return X, (np.arange(n_groups) % 2)[groups], groups


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_folds_keep_groups_whole(kind, weighted, cv):
    X, y, groups = grouped(kind)
    weight = np.arange(len(y)) % 4 if weighted else None
    folds = folds_of(make(kind, cv=cv), X, y, weight, {"groups": groups}, seed=0)
    held_out = np.concatenate([test for _, test in folds])
    given = np.arange(len(y)) if weight is None else np.flatnonzero(weight)
    assert_array_equal(np.sort(held_out), given)
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        # Older versions do not stratify groups that they shuffle.
        if kind is MLPClassifierCV and SKLEARN >= (1, 8):
            assert 0.2 < y[test].mean() < 0.8


def test_groups_make_the_score_honest():
    """Labels of groups are noise: better than chance is what groups leak."""
    rng = np.random.default_rng(0)
    X, _, groups = grouped(MLPClassifierCV, 30)
    y = rng.integers(0, 2, 30)[groups]
    settings = {"cv": 3, "scoring": "accuracy", "own": {"max_iter": 40}}
    leaking = make(MLPClassifierCV, **settings).fit(X, y).best_score_
    honest = make(MLPClassifierCV, **settings).fit(X, y, groups=groups).best_score_
    assert leaking > 0.85 > honest + 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_too_few_groups(kind):
    X, y, groups = grouped(kind)
    with pytest.raises(ValueError, match="groups must have one value for each of"):
        make(kind).fit(X, y, groups=groups[:-1])
    with pytest.raises(ValueError, match=r"cv=3 folds .* n_groups=2"):
        make(kind, cv=3).fit(X, y, groups=groups % 2)
    with pytest.raises(ValueError, match="n_groups=1"):
        make(kind, cv=None).fit(X, y, groups=0 * groups)
    # As many folds as there are groups, where nothing else is asked for.
    assert make(kind, cv=None).fit(X, y, groups=groups % 3).n_splits_ == 3


def counting(takes):
    """Return a metric that notes the weights that it gets."""

    def metric(y, prediction, sample_weight=None):
        takes.append(sample_weight)
        return float(np.mean(y == prediction))

    return metric


@pytest.mark.parametrize("requested", [True, False])
def test_the_scorer_gets_what_it_requests(requested):
    X, y = rows(MLPClassifierCV)
    weight, got = np.linspace(0.5, 2, 90), []
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(counting(got)).set_score_request(sample_weight=requested)
        search = make(MLPClassifierCV, scoring=scorer).fit(X, y, sample_weight=weight)
        assert all((each is None) != requested for each in got)
        n_calls = len(got)
        search.score(X, y, sample_weight=weight)
        assert len(got) == n_calls + 1 and (got[-1] is None) != requested
    plain = make(MLPClassifierCV, scoring=make_scorer(counting(got)))
    networks = [each.fit(X, y, sample_weight=weight) for each in (search, plain)]
    assert_array_equal(*(each.estimators_[0].coefs_[0] for each in networks))


def test_what_is_not_set_is_an_error_as_in_logistic_regression_cv():
    X, y = rows(MLPClassifierCV)
    weight = np.ones(90)
    with config_context(enable_metadata_routing=True):
        reference = LogisticRegressionCV(scoring="accuracy", **RIDGE_LOGISTIC_CV)
        search = make(MLPClassifierCV, scoring="accuracy")
        try:
            reference.fit(X, y, sample_weight=weight)
        except UnsetMetadataPassedError:  # since 1.9
            with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
                search.fit(X, y, sample_weight=weight)
        else:
            search.fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        make(MLPClassifierCV).fit(X, y, unknown=weight)
    with config_context(enable_metadata_routing=True):
        with pytest.raises(TypeError, match="unknown"):
            make(MLPClassifierCV).fit(X, y, unknown=weight)


def test_other_metadata_of_a_scorer():
    """Each fold gets its part."""
    X, y = rows(MLPClassifierCV)
    price, seen = np.arange(90.0), []

    def gain(y, prediction, price):
        seen.append(price)
        return accuracy_score(y, prediction, sample_weight=1 + price)

    folds = list(KFold(3).split(X))
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(gain).set_score_request(price=True)
        search = make(MLPClassifierCV, scoring=scorer, cv=folds).fit(X, y, price=price)
        found = search.score(X, y, price=price)
    parts = {tuple(price[test]) for _, test in folds}
    assert {tuple(each) for each in seen[:-1]} == parts
    expected = accuracy_score(y, search.predict(X), sample_weight=1 + price)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_through_an_outer_cross_validation(kind):
    """The inner folds get the groups that the outer ones get, of themselves."""
    X, y, groups = grouped(kind)
    inner = {"cv": GroupKFold(2), "scoring": SCORING[kind]}
    with config_context(enable_metadata_routing=True):
        scored = cross_validate(
            make(kind, **inner),
            X,
            y,
            cv=GroupKFold(3),
            params={"groups": groups},
            return_estimator=True,
            scoring=get_scorer(SCORING[kind]),
        )
    for (train, _), estimator in zip(
        GroupKFold(3).split(X, y, groups), scored["estimator"]
    ):
        alone = make(kind, **inner).fit(X[train], y[train], groups=groups[train])
        assert_allclose(estimator.scores_, alone.scores_)


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_early_stopping_sets_whole_groups_aside(kind):
    """With routing, searches pass the groups on; without, the user does."""
    X, y, groups = grouped(kind)
    net = kind((4,), max_iter=3, random_state=0, early_stopping=True)
    net.set_params(validation_fraction=0.25)
    with config_context(enable_metadata_routing=True):
        routed = cross_validate(
            net,
            X,
            y,
            cv=GroupKFold(3),
            params={"groups": groups},
            return_estimator=True,
        )["estimator"]
    for (train, _), estimator in zip(GroupKFold(3).split(X, y, groups), routed):
        alone = kind(**net.get_params()).fit(X[train], y[train], groups=groups[train])
        assert_array_equal(alone.coefs_[0], estimator.coefs_[0])
        # The rows that it standardises by are the training rows: whole groups.
        n_groups = len(np.unique(groups[train]))
        seen = [
            k
            for k in np.unique(groups[train])
            if is_part_of_the_mean(alone, X[train], groups[train], k)
        ]
        assert 0 < len(seen) < n_groups


def is_part_of_the_mean(estimator, X, groups, k):
    """Return whether moving a group moves what the inputs are centred by."""
    moved = X + (groups == k)[:, None]
    y = (np.arange(len(X)) < len(X) / 2).astype(int)
    options = {"groups": groups}
    one, other = (
        type(estimator)(**estimator.get_params()).fit(part, y, **options)
        for part in (X, moved)
    )
    share = (other.feature_offset_ - one.feature_offset_)[0] * len(X)
    size = np.sum(groups == k)
    # All of its rows, or none.
    assert share == pytest.approx(0, abs=1e-9) or share > size
    return share > size


@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor])
def test_a_single_group_cannot_be_set_aside(kind):
    X, y, groups = grouped(kind)
    net = kind((4,), early_stopping=True)
    with pytest.raises(ValueError, match="n_groups=1"):
        net.fit(X, y, groups=np.zeros(len(y)))
    with pytest.raises(ValueError, match="groups must have one value"):
        net.fit(X, y, groups=groups[:5])


def test_validation_rows_that_a_search_would_slice():
    """A warning where they have as many rows as X, and only in a search."""
    X, y = rows(MLPClassifierCV)
    net = MLPClassifier((4,), max_iter=2, early_stopping=True, random_state=0)
    net.fit(X, y, X_val=X, y_val=y)
    for n in (len(y) - 1, len(y) // 2):  # the latter as each fold trains on
        cross_validate(net, X, y, params={"X_val": X[:n], "y_val": y[:n]}, cv=2)
    given = {"X_val": X, "y_val": y}
    match = "X_val is only a part of what was given"
    for evaluate in (cross_validate, cross_val_predict):
        with pytest.warns(UserWarning, match=match):
            evaluate(net, X, y, params=given, cv=2)
    given = {f"net__{name}": rows for name, rows in given.items()}
    search = GridSearchCV(Pipeline([("net", net)]), {"net__l2": [0.0]}, cv=2)
    with fused(), pytest.warns(UserWarning, match=match):
        search.fit(X, y, **given)


def test_other_regressors_take_groups():
    X, y, groups = grouped(MLPRegressorCV)
    search = make(MLPRegressorCV, cv=None).fit(X, y.astype(float), groups=groups)
    assert search.n_splits_ >= 2
