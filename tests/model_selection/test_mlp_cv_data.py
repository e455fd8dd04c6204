"""The estimators that tune themselves: kinds of data, weights, folds and metadata."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from _tuned import (
    FOLDS,
    KINDS,
    SCORING,
    TOLERANCE,
    fitted,
    make,
    network,
    numbers,
    rows,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifierCV, MLPRegressorCV, fused

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_multilabel():
    X, y = rows(MLPClassifierCV)
    labels = np.column_stack([y == 0, y > 1, X[:, 0] > 0]).astype(int)
    search = make(MLPClassifierCV, cv=None).fit(X, labels)
    probability = search.predict_proba(X)
    mean = np.average(
        [model.predict_proba(X) for model in search.estimators_],
        axis=0,
        weights=search.weights_,
    )
    assert_allclose(probability, mean, **TOLERANCE)
    assert_array_equal(search.predict(X), probability > 0.5)
    assert search.temperature_ == 1 and search.n_splits_ == 5
    assert_allclose(search.class_prior_, labels.mean(axis=0))
    assert (search.predict(X) == labels).mean() > 0.7


def test_several_outputs():
    X, y = rows(MLPRegressorCV)
    Y = np.column_stack([y, -2 * y])
    search = make(MLPRegressorCV).fit(X, Y)
    assert search.predict(X).shape == (90, 2) and search.score(X, Y) > 0.5
    assert make(MLPRegressorCV, refit=True).fit(X, Y).predict(X).shape == (90, 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("space", ["regularization", "cocktail"])
def test_sparse_rows(kind, space):
    """Quantiles of sparse inputs are not known, so that no candidate asks for them."""
    X, y = rows(kind)
    search = make(kind, {"skip": "linear"}, param_distributions=space, n_candidates=8)
    search.fit(sp.csr_array(X * (np.abs(X) > 1)), y)
    embeddings = {p.get("numeric_embedding") for p in search.cv_results_["params"]}
    assert "piecewise_linear" not in embeddings
    dense = numbers(search, X * (np.abs(X) > 1))
    assert_allclose(numbers(search, sp.csr_array(X * (np.abs(X) > 1))), dense)
    assert np.isfinite(
        kind(n_candidates=2, cv=2).fit(sp.csr_array(X), y).predict(X)
    ).all()


@pytest.mark.parametrize("kind", KINDS)
def test_data_frames(kind):
    X, y = rows(kind)
    frame = pd.DataFrame(X, columns=list("abcde"))
    search = make(kind).fit(frame, y)
    assert search.feature_names_in_.tolist() == list("abcde")
    assert_allclose(numbers(search, frame), numbers(make(kind).fit(X, y), X))
    with pytest.raises(ValueError, match="feature names should match"):
        search.predict(frame[list("edcba")])
    search.fit(X, y)
    assert not hasattr(search, "feature_names_in_")


@pytest.mark.parametrize("kind", KINDS)
def test_pipelines_with_set_output(kind):
    X, y = rows(kind)
    frame = pd.DataFrame(X, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), make(kind)).set_output(
        transform="pandas"
    )
    pipeline.fit(frame, y)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcde")
    assert pipeline.score(frame, y) > 0.4


def test_string_labels():
    X, y = rows(MLPClassifierCV)
    names = np.array(["no", "perhaps", "yes"])
    search = make(MLPClassifierCV).fit(X, names[y])
    assert_array_equal(
        search.predict(X), names[make(MLPClassifierCV).fit(X, y).predict(X)]
    )


def test_precision_of_the_data():
    X, y = rows(MLPClassifierCV)
    assert fitted(MLPClassifierCV).predict_proba(X).dtype == np.float64
    search = make(MLPClassifierCV).fit(X.astype(np.float32), y)
    assert search.predict_proba(X.astype(np.float32)).dtype == np.float32


def test_selecting_features():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    selector = SelectFromModel(make(MLPClassifierCV), max_features=2, threshold=-np.inf)
    assert selector.fit(X, y).get_support().tolist() == [True] * 2 + [False] * 4


# Weights and folds


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_weight_zero_do_not_matter(kind):
    X, y = rows(kind)
    weight = np.tile([1.0, 0.0, 2.0], 30)
    kept = weight > 0
    wild = np.where(kept[:, None], X, 1e3)
    for refit in ("folds", True):
        one = make(kind, refit=refit).fit(wild, y, sample_weight=weight)
        two = make(kind, refit=refit).fit(X[kept], y[kept], sample_weight=weight[kept])
        assert_array_equal(one.scores_, two.scores_)
        assert_array_equal(numbers(one, X), numbers(two, X))
    plain = make(kind).fit(X[kept], y[kept])
    assert not np.allclose(plain.scores_, two.scores_)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_weighted(kind):
    X, y = rows(kind)
    weight = np.where(np.arange(90) % 2, 2.0, 1.0)
    for scoring in (None, SCORING[kind]):
        search = make(kind, cv=FOLDS, n_ensemble=1, scoring=scoring)
        search.fit(X, y, sample_weight=weight)
        test, model = FOLDS[0][1], search.estimators_[0]
        if kind is MLPRegressorCV:
            errors = (model.predict(X[test]) - y[test]) ** 2
            expected = -np.average(errors, weights=weight[test])
        else:
            p = model.predict_proba(X[test])
            expected = -log_loss(y[test], p, sample_weight=weight[test])
        assert search.scores_[search.best_index_, 0] == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fold_that_judges_nothing_is_left_out(kind):
    X, y = rows(kind)
    weight = np.ones(90)
    weight[FOLDS[1][1]] = 0
    search = make(kind, cv=FOLDS).fit(X, y, sample_weight=weight)
    assert search.n_splits_ == 2 and search.scores_.shape == (3, 2)
    assert np.isfinite(search.scores_).all()
    with pytest.raises(ValueError, match="leaves no rows"):
        make(kind, cv=FOLDS[1:2]).fit(X, y, sample_weight=weight)


def test_balanced_classes():
    X, y = rows(MLPClassifierCV)
    y = np.where(y == 2, 1, 0) * (np.arange(90) % 2)  # few ones
    balanced = make(MLPClassifierCV, {"class_weight": "balanced"}, cv=FOLDS).fit(X, y)
    train, test = FOLDS[0]
    share = np.bincount(y[train]) / len(train)
    weight = 1 / (2 * share[y[test]])
    model = balanced.estimators_[0]
    place = balanced.cv_results_["params"].index({"l2": model.l2})
    p = model.predict_proba(X[test])
    expected = -log_loss(y[test], p, sample_weight=weight)
    # The loss is divided by the mean weight of the rows.
    assert balanced.scores_[place, 0] == pytest.approx(expected)
    plain = make(MLPClassifierCV, cv=FOLDS).fit(X, y)
    assert balanced.predict(X).mean() > plain.predict(X).mean()
    assert_allclose(balanced.class_prior_, 0.5)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 1, 1: 2, 2: 3}])
def test_a_class_that_a_training_fold_lacks(class_weight):
    X, y = rows(MLPClassifierCV)
    groups = np.where(y == 2, 0, 1 + np.arange(90) % 2)
    search = make(MLPClassifierCV, {"class_weight": class_weight}, cv=GroupKFold(3))
    search.fit(X, y, groups=groups)
    assert search.n_splits_ == 3 and np.isfinite(search.scores_).all()
    assert search.predict_proba(X).shape == (90, 3)
    assert all(model.classes_.tolist() == [0, 1, 2] for model in search.estimators_)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_folds(kind):
    X, y = rows(kind)
    number = np.arange(90) % 3
    expected = make(kind, cv=PredefinedSplit(number)).fit(X, y).scores_
    masks = [(number != k, number == k) for k in range(3)]
    indices = [(np.flatnonzero(train), np.flatnonzero(test)) for train, test in masks]
    for cv in (masks, indices, iter(indices)):
        assert_array_equal(make(kind, cv=cv).fit(X, y).scores_, expected)
    by_group = make(kind, cv=LeaveOneGroupOut()).fit(X, y, groups=number)
    assert_array_equal(by_group.scores_, expected)


def test_fewer_rows_of_a_class_than_folds():
    X, y = rows(MLPClassifierCV)
    y = np.where(np.arange(90) < 2, 3, y)
    with pytest.warns(UserWarning, match="least populated class"):
        search = make(MLPClassifierCV, cv=5).fit(X, y)
    assert search.predict_proba(X).shape == (90, 4)
    with pytest.raises(ValueError, match="n_splits=5 cannot be greater"):
        make(MLPClassifierCV, cv=5).fit(X[:6], [0, 1, 0, 1, 0, 1])
    with pytest.raises(ValueError, match="n_splits=5"):
        make(MLPRegressorCV, cv=5).fit(X[:3], [0.0, 1.0, 2.0])


# Metadata, and searches around searches


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_routing(kind):
    X, y = rows(kind)
    weight, groups = np.linspace(0.5, 2, 90), np.arange(90) % 3
    inner = make(kind, cv=GroupKFold(3))
    expected = clone(inner).fit(X, y, sample_weight=weight, groups=groups)
    with config_context(enable_metadata_routing=True):
        inner.set_fit_request(sample_weight=True)
        pipeline = make_pipeline(StandardScaler(), inner)
        pipeline[0].set_fit_request(sample_weight=False)
        pipeline.fit(X, y, sample_weight=weight, groups=groups)
    # Inputs that are standardised twice differ by rounding.
    assert_allclose(pipeline[-1].scores_, expected.scores_, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_inside_cross_validate(kind):
    X, y = rows(kind)
    plain = cross_validate(make(kind), X, y, cv=2)["test_score"]
    with fused():
        inside = cross_validate(make(kind), X, y, cv=2)["test_score"]
    assert_allclose(inside, plain, **TOLERANCE)
    parallel = cross_validate(make(kind), X, y, cv=2, n_jobs=2)["test_score"]
    assert_allclose(parallel, plain, **TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_other_networks(kind):
    """Full-batch fits do not pause, and others need not stop early."""
    X, y = rows(kind)
    for own in (
        {"solver": "lbfgs"},
        {"early_stopping": False},
        {"hidden_layer_sizes": ()},
        {"monitor": SCORING[kind], "max_iter": 12},
        {"restore_best_weights": False},
        {"standardize": "robust"},
        {"n_snapshots": 2, "learning_rate": "cosine", "early_stopping": False},
    ):
        own = {"max_iter": 40} | own
        for refit in ("folds", True):
            search = make(kind, own, refit=refit).fit(X, y)
            assert search.score(X, y) > 0.4, own
            assert network(kind, **own).get_params() == search.estimator.get_params()


@pytest.mark.parametrize("own", [{}, {"class_weight": "balanced"}])
@pytest.mark.parametrize("kind", KINDS)
def test_the_unit_of_weights_does_not_matter(kind, own):
    """Powers of two change no bit; others are rounded, which training amplifies."""
    if kind is MLPRegressorCV:
        own = {}
    X, y = rows(kind)
    weight = np.linspace(1, 2, len(y))
    fits = {
        unit: make(kind, own).fit(X, y, unit * weight)
        for unit in (1.0, 2.0**-30, 2.0**40, 1 / len(y), 1e6)
    }
    found = {unit: numbers(fit, X) for unit, fit in fits.items()}
    assert_array_equal(found[2.0**-30], found[1.0])
    assert_array_equal(found[2.0**40], found[1.0])
    for unit in (1 / len(y), 1e6):
        assert_allclose(found[unit], found[1.0], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_of_weights_are_those_of_copies(kind):
    """All but the temperature, whose effective rows do not depend on the unit."""
    X, y = rows(kind)
    weight = np.arange(len(y)) % 3
    copies = np.repeat(np.arange(len(y)), weight)
    folds = [
        tuple(np.flatnonzero(np.isin(copies, part)) for part in fold) for fold in FOLDS
    ]
    own = {"batch_size": 200}
    weighted = make(kind, own, cv=FOLDS).fit(X, y, weight)
    repeated = make(kind, own, cv=folds).fit(X[copies], y[copies])
    # As in scikit-learn's check.
    assert_allclose(weighted.scores_, repeated.scores_, rtol=1e-7)
    assert_allclose(weighted.weights_, repeated.weights_)
    for one, other in zip(weighted.estimators_, repeated.estimators_):
        assert_allclose(numbers(one, X), numbers(other, X), rtol=1e-7, atol=1e-9)
    if kind is MLPRegressorCV:
        assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-7)
