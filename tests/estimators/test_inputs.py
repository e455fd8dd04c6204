"""The kinds of inputs, targets and weights, and scikit-learn's tools around them."""

from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from _estimators import ALL_CONFIGURATIONS, ESTIMATORS, data, make
from _pairs import all_pairs
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.metrics import r2_score
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skreg import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SMALL = {"hidden_layer_sizes": (8,), "max_iter": 8, "random_state": 0, "batch_size": 16}


def outputs(estimator, X):
    """Return the raw outputs on the scale of the data."""
    if isinstance(estimator, MLPRegressor):
        return estimator.predict(X)
    return estimator.decision_function(X)


def sparsify(X):
    return np.where(np.abs(X) > 2, X, 0)


@pytest.mark.parametrize("make_frame", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_data_frames(kind, make_frame):
    X, y = data(kind)
    names = [f"x{i}" for i in range(X.shape[1])]
    frame = make_frame(dict(zip(names, X.T)))
    series = (pd if make_frame is pd.DataFrame else pl).Series(y)
    estimator = kind(**SMALL).fit(frame, series)
    expected = kind(**SMALL).fit(X, y)
    assert estimator.feature_names_in_.tolist() == names
    assert not hasattr(expected, "feature_names_in_")
    np.testing.assert_array_equal(outputs(estimator, frame), outputs(expected, X))
    # Every column is looked up by place, so an order of names that differs is refused.
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(frame[names[::-1]])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        estimator.predict(X)


def written_otherwise(X, rng):
    """Return ways to write a sparse matrix, whose sums are the same numbers."""
    place = np.nonzero(np.ones_like(X))
    order = rng.permutation(len(place[0]))
    parts = [X[place] * 0.5, X[place] * 0.25, X[place] * 0.25, np.zeros(X.size)]
    halves = np.concatenate([part[order] for part in parts])
    rows, columns = (np.tile(index[order], 4) for index in place)
    coo = sp.coo_array((halves, (rows, columns)), shape=X.shape)
    csr = sp.csr_array(X)
    by_row = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[by_row], np.arange(len(X) + 1))
    doubled = sp.csr_array((halves[by_row], columns[by_row], starts), shape=X.shape)
    large = csr.copy()
    large.indices, large.indptr = large.indices.astype("i8"), large.indptr.astype("i8")
    kept = [csr.tobsr((1, 1)), csr.todia(), csr.tolil(), csr.todok(), csr.tocsc()]
    return [csr, coo, doubled, large, sp.csr_matrix(doubled), *kept]


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_how_a_sparse_matrix_is_written_does_not_matter(kind, standardize):
    """Halves and quarters sum exactly, so that no bit may differ."""
    X, y = data(kind)
    X = sparsify(X)
    ways = written_otherwise(X, np.random.default_rng(0))
    before = [way.toarray() for way in ways]
    n_stored = [way.nnz for way in ways]
    settings = SMALL | {"standardize": standardize}
    first = kind(**settings).fit(ways[0], y)
    for way in ways[1:]:
        other = kind(**settings).fit(way, y)
        np.testing.assert_array_equal(outputs(other, X), outputs(first, X))
        np.testing.assert_array_equal(outputs(first, way), outputs(first, ways[0]))
    # What the user has is not changed.
    assert [way.nnz for way in ways] == n_stored
    for way, numbers in zip(ways, before):
        np.testing.assert_array_equal(way.toarray(), numbers)


@pytest.mark.parametrize("format", ["csr", "csc", "coo"])
@pytest.mark.parametrize("container", ["array", "matrix"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_sparse_equals_dense(kind, container, format):
    """Bit for bit: batches are made dense before any arithmetic."""
    X, y = data(kind)
    X = sparsify(X)
    S = getattr(sp, f"{format}_{container}")(X)
    settings = SMALL | {"standardize": False}
    dense, sparse = kind(**settings).fit(X, y), kind(**settings).fit(S, y)
    np.testing.assert_array_equal(outputs(sparse, S), outputs(dense, X))
    np.testing.assert_array_equal(outputs(sparse, X), outputs(dense, S))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_sparse_inputs_are_scaled_and_not_centred(kind):
    X, y = data(kind)
    X = sparsify(X)
    sparse = kind(**SMALL).fit(sp.csr_array(X), y)
    assert sparse.feature_offset_ is None
    np.testing.assert_allclose(sparse.feature_scale_, X.std(0), rtol=1e-12)
    scaled = StandardScaler(with_mean=False).fit_transform(X)
    if kind is MLPClassifier:
        dense = kind(**SMALL, standardize=False).fit(scaled, y)
        expected = dense.decision_function(scaled)
    else:
        # The targets are standardised too, which that parameter would switch off.
        dense = kind(**SMALL, standardize=False).fit(scaled, (y - y.mean()) / y.std())
        expected = dense.predict(scaled) * y.std() + y.mean()
    np.testing.assert_allclose(outputs(sparse, X), expected, rtol=1e-9)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_standardising_is_that_of_scikit_learn(kind):
    """Inside the fit or in front of it: the same network."""
    X, y = data(kind)
    scaled = StandardScaler().fit_transform(X)
    inside, outside = kind(**SMALL).fit(X, y), kind(**SMALL).fit(scaled, y)
    np.testing.assert_allclose(outputs(inside, X), outputs(outside, scaled), rtol=1e-9)
    np.testing.assert_allclose(inside.feature_offset_, X.mean(0), rtol=1e-12)
    np.testing.assert_allclose(inside.feature_scale_, X.std(0), rtol=1e-12)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize(
    "given, expected",
    [
        ("float32", "float32"),
        ("float64", "float64"),
        *((name, "float64") for name in ("int64", "float16", "bool", "object")),
    ],
)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_dtypes(kind, given, expected, standardize):
    X, y = data(kind)
    X = X.astype(given)
    estimator = kind(**SMALL, standardize=standardize).fit(X, y)
    assert {part.dtype.name for part in estimator._fits[0].state} == {expected}
    # Predicted numbers have the precision of the targets.
    found = outputs(estimator, X).dtype.name
    assert found == (expected if kind is MLPClassifier else "float64")
    if kind is MLPClassifier:
        assert estimator.predict_proba(X).dtype.name == expected


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_dtype_asks_for_speed(kind):
    """Large offsets are removed in double precision before rounding to single."""
    X, y = data(kind)
    exact = kind(**SMALL, dtype="float64").fit(X + 1e6, y)
    fast = kind(**SMALL, dtype="float32").fit(X + 1e6, y)
    assert fast.coefs_[0].dtype == np.float32
    one, other = outputs(exact, X + 1e6), outputs(fast, X + 1e6)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "kind_of_label, n_classes",
    [("bool", 2), *product(("str", "object", "float", "negative"), (2, 3))],
)
def test_labels(kind_of_label, n_classes):
    X, y = data(MLPClassifier, n_classes=n_classes)
    names = {
        "str": np.array(["ant", "bee", "cat"]),
        "object": np.array(["ant", "bee", "cat"], dtype=object),
        "bool": np.array([False, True]),
        "float": np.array([0.0, 1.0, 7.0]),
        "negative": np.array([-5, 0, 5]),
    }[kind_of_label]
    expected = MLPClassifier(**SMALL).fit(X, y)
    estimator = MLPClassifier(**SMALL).fit(X, names[y])
    np.testing.assert_array_equal(estimator.classes_, names[:n_classes])
    np.testing.assert_array_equal(estimator.predict(X), names[expected.predict(X)])
    proba = estimator.predict_proba(X)
    np.testing.assert_array_equal(proba, expected.predict_proba(X))
    assert proba.shape == (len(X), n_classes)
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-12)
    assert (names[proba.argmax(1)] == estimator.predict(X)).all()
    logs = estimator.predict_log_proba(X)
    np.testing.assert_allclose(logs, np.log(proba), rtol=1e-12)
    score = estimator.decision_function(X)
    assert score.shape == ((len(X),) if n_classes == 2 else (len(X), n_classes))
    assert estimator.out_activation_ == ("logistic" if n_classes == 2 else "softmax")


@pytest.mark.parametrize("n_labels", [2, 5])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csr_matrix, list])
def test_multilabel(n_labels, container):
    X, y = make_multilabel_classification(
        60, 6, n_classes=n_labels, random_state=0, allow_unlabeled=True
    )
    estimator = MLPClassifier(**SMALL).fit(X, container(y))
    assert estimator.out_activation_ == "logistic"
    proba, score = estimator.predict_proba(X), estimator.decision_function(X)
    assert proba.shape == score.shape == y.shape
    np.testing.assert_array_equal(estimator.predict(X), (proba > 0.5).astype(int))
    np.testing.assert_allclose(proba, 1 / (1 + np.exp(-score)), rtol=1e-12)


def test_labels_of_a_linear_model_are_independent():
    """Each label of a full-batch linear model is a binary classifier of its own."""
    X, y = make_multilabel_classification(60, 6, n_classes=3, random_state=0)
    # Enough for four digits: they stop at gradients of other sizes.
    settings = {"hidden_layer_sizes": (), "solver": "lbfgs", "l2": 1e-2, "tol": 1e-9}
    together = MLPClassifier(**settings).fit(X, y)
    for label in range(3):
        alone = MLPClassifier(**settings).fit(X, y[:, label])
        np.testing.assert_allclose(
            together.coef_[label], alone.coef_[0], rtol=1e-4, atol=1e-7
        )


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_several_outputs(loss):
    X, y = data(MLPRegressor)
    settings = SMALL | {"loss": loss}
    one = MLPRegressor(**settings).fit(X, y)
    assert one.predict(X).shape == y.shape
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        column = MLPRegressor(**settings).fit(X, y[:, None])
    np.testing.assert_array_equal(column.predict(X), one.predict(X))
    # Outputs of other sizes, each of which is learnt.
    y = np.c_[y, 1e3 * y[::-1]]
    X = np.c_[X, X[::-1]]
    two = MLPRegressor(**settings | {"max_iter": 100}, learning_rate_init=0.02).fit(
        X, y
    )
    assert two.predict(X).shape == y.shape
    assert two.n_outputs_ == 2
    assert min(r2_score(y, two.predict(X), multioutput="raw_values")) > 0.5


# Full batches, as rows of weight 2 and rows given twice fall into other batches.
FULL = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}
FULL |= {"batch_size": 1000, "solver": "adam"}
WEIGHTED = {
    "plain": {},
    "batchnorm_before": {"batchnorm": "before"},
    "batchnorm_after": {"batchnorm": "after"},
    "l1": {"l1": 1e-3},
    "group_l1": {"group_l1": 1e-2},
    "l2": {"l2": 1e-2, "max_norm": 1, "clip_norm": 0.1},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "lbfgs": {"solver": "lbfgs", "max_iter": 5},
    "linear": {"hidden_layer_sizes": (), "solver": "lbfgs", "max_iter": 5},
    "not_standardised": {"standardize": False},
}


@pytest.mark.parametrize("weights", [[2], [0, 1, 2], [1, 0, 0, 3]])
@pytest.mark.parametrize(
    "kind, configuration",
    [*product(ESTIMATORS, WEIGHTED), (MLPClassifier, "label_smoothing")],
)
def test_a_weight_of_two_is_a_row_given_twice(kind, configuration, weights):
    X, y = data(kind)
    weight = np.resize(weights, len(y))
    settings = FULL | WEIGHTED.get(configuration, {"label_smoothing": 0.1})
    weighted = kind(**settings).fit(X, y, weight)
    repeated = kind(**settings).fit(X.repeat(weight, 0), y.repeat(weight))
    # Sums in another order, some 1e-15 of the largest terms, which twenty steps may
    # amplify a little, and L-BFGS, which follows with l1, some more.
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)
    one, other = outputs(weighted, X), outputs(repeated, X)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-8 * np.abs(other).max())


@pytest.mark.parametrize("configuration", ALL_CONFIGURATIONS)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_unit_of_weights_does_not_matter(kind, configuration):
    """A power of two changes no bit of a number, so none of a result."""
    X, y = data(kind)
    weight = np.linspace(1, 2, len(y))
    estimator = make(kind, configuration, random_state=0, max_iter=4)
    outputs_of = [
        outputs(clone(estimator).fit(X, y, weight * 2.0**power), X)
        for power in (0, -30, 40)
    ]
    np.testing.assert_array_equal(outputs_of[1], outputs_of[0])
    np.testing.assert_array_equal(outputs_of[2], outputs_of[0])


@pytest.mark.parametrize("labels", ["multiclass", "strings"])
def test_class_weights_are_sample_weights(labels):
    X, y = data(MLPClassifier)
    y = np.where(y == 2, 1, y) if labels == "strings" else y
    names = np.array(["a", "b"]) if labels == "strings" else np.arange(3)
    weights = {name: 2.0 + i for i, name in enumerate(names.tolist())}
    rows = np.linspace(1, 2, len(y))
    for given in ("balanced", weights):
        for own in (None, rows):
            # Balanced is the sum of the weights over that of each class.
            sums = np.bincount(y, weights=own)
            balanced = (sums.sum() / (len(names) * sums))[y]
            expected = balanced if given == "balanced" else 2.0 + y
            one = MLPClassifier(**SMALL, class_weight=given).fit(X, names[y], own)
            total = expected if own is None else expected * own
            other = MLPClassifier(**SMALL).fit(X, names[y], total)
            one, other = (e.decision_function(X) for e in (one, other))
            np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_memory_maps(kind, dtype, tmp_path):
    X, y = data(kind)
    X = X.astype(dtype)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    one, other = kind(**SMALL).fit(X, y), kind(**SMALL).fit(mapped, y)
    np.testing.assert_array_equal(outputs(one, X), outputs(other, mapped))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_strided_inputs(kind):
    X, y = data(kind)
    wide = np.repeat(np.repeat(X, 2, 0), 3, 1)[::2, ::3]
    backwards = np.ascontiguousarray(X[::-1])[::-1]
    one = kind(**SMALL).fit(X, y)
    for view in (wide, backwards, np.asfortranarray(X), X.tolist()):
        other = kind(**SMALL).fit(view, y)
        np.testing.assert_array_equal(outputs(one, X), outputs(other, view))


LINEAR = {"hidden_layer_sizes": (), "max_iter": 30, "random_state": 0}


@pytest.mark.parametrize(
    "loss, n_outputs, standardize, sparse, weighted",
    all_pairs(
        ["squared_error", "absolute_error", "huber", "poisson", "quantile"],
        [1, 2],
        [False, True],
        [False, True],
        others=[False, True],
    ),
)
def test_coefficients_of_a_regressor(loss, n_outputs, standardize, sparse, weighted):
    """On the scale of the data, whatever was standardised inside."""
    X, y = data(MLPRegressor)
    y = y if n_outputs == 1 else np.c_[y, y[::-1] / 10]
    inputs = sp.csr_array(sparsify(X)) if sparse else X
    settings = LINEAR | {"loss": loss, "standardize": standardize}
    weight = np.linspace(0, 2, len(X)) if weighted else None
    estimator = MLPRegressor(**settings).fit(inputs, y, weight)
    shape = (5,) if n_outputs == 1 else (2, 5)
    assert estimator.coef_.shape == shape
    assert np.shape(estimator.intercept_) == shape[:-1]
    assert np.abs(estimator.coef_).max() > 0
    prediction = inputs @ estimator.coef_.T + estimator.intercept_
    if loss == "poisson":
        prediction = np.exp(prediction)
    np.testing.assert_allclose(prediction, estimator.predict(inputs), rtol=1e-9)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_coefficients_of_a_classifier(n_classes, weighted, standardize, sparse):
    X, y = data(MLPClassifier, n_classes=n_classes)
    inputs = sp.csr_array(sparsify(X)) if sparse else X
    weight = np.linspace(0, 2, len(X)) if weighted else None
    estimator = MLPClassifier(**LINEAR, standardize=standardize)
    estimator.fit(inputs, y, weight)
    n_outputs = 1 if n_classes == 2 else 3
    assert estimator.coef_.shape == (n_outputs, 5)
    assert estimator.intercept_.shape == (n_outputs,)
    score = inputs @ estimator.coef_.T + estimator.intercept_
    expected = estimator.decision_function(inputs).reshape(len(y), n_outputs)
    np.testing.assert_allclose(score, expected, rtol=1e-9, atol=1e-12)


# scikit-learn's tools


def test_validation_rows_through_a_pipeline():
    """With metadata routing, the pipeline transforms X_val as it does X."""
    X, y = data(MLPClassifier, n_samples=120)
    rows = {"X_val": X[81:], "y_val": y[81:]}
    settings = SMALL | {"early_stopping": True, "monitor": "accuracy"}
    with config_context(enable_metadata_routing=True):
        last = MLPClassifier(**settings).set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(MaxAbsScaler(), last, transform_input=["X_val"])
        pipeline.fit(X[:80], y[:80], **rows)
        search = GridSearchCV(pipeline, {"mlpclassifier__l2": [0, 1e-3]}, cv=2)
        search.fit(X[:80], y[:80], **rows)
    scaler = MaxAbsScaler().fit(X[:80])
    expected = MLPClassifier(**settings).fit(
        scaler.transform(X[:80]), y[:80], X_val=scaler.transform(X[81:]), y_val=y[81:]
    )
    assert pipeline[-1].validation_scores_ == expected.validation_scores_
    best = search.best_estimator_[-1]
    assert len(best.validation_scores_) == best.n_iter_


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_searches(kind):
    X, y = data(kind)
    pipeline = make_pipeline(MaxAbsScaler(), kind(**SMALL))
    name = f"{kind.__name__.lower()}__"
    grid = {f"{name}l1": [0, 1e-3], f"{name}hidden_layer_sizes": [(), (5,), (5, 4)]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X).shape == y.shape
    search = RandomizedSearchCV(
        kind(**SMALL), {"dropout": [0, 0.5], "batchnorm": [True, False]}, n_iter=3, cv=2
    ).fit(X, y)
    assert search.best_params_.keys() == {"dropout", "batchnorm"}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_cross_validation_repeats_plain_fits(n_jobs):
    X, y = data(MLPRegressor)
    folds = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    scores = cross_val_score(MLPRegressor(**SMALL), X, y, cv=folds, n_jobs=n_jobs)
    expected = [
        MLPRegressor(**SMALL).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in folds
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    predicted = cross_val_predict(MLPRegressor(**SMALL), X, y, cv=folds)
    assert np.isfinite(predicted).all()


def test_meta_estimators():
    X, y = data(MLPClassifier)
    mlp = MLPClassifier(**SMALL, learning_rate_init=0.1)
    for meta in (
        BaggingClassifier(mlp, n_estimators=2),
        OneVsRestClassifier(mlp),
        StackingClassifier([("mlp", mlp)], mlp, cv=2),
    ):
        assert clone(meta).fit(X, y).score(X, y) > 0.6  # chance is a third
    X, y = data(MLPRegressor)
    meta = TransformedTargetRegressor(
        MLPRegressor(**SMALL), func=np.sqrt, inverse_func=np.square
    )
    assert np.isfinite(meta.fit(X, np.abs(y)).predict(X)).all()


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_in_front(container):
    X, y = data(MLPClassifier)
    scaler = StandardScaler().set_output(transform=container)
    pipeline = make_pipeline(scaler, MLPClassifier(**SMALL)).fit(X, y)
    assert pipeline[-1].feature_names_in_.tolist() == [f"x{i}" for i in range(5)]
    assert isinstance(pipeline.predict(X), np.ndarray)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_clone_and_parameters(kind):
    settings = {"l1": [0.1, 0], "hidden_layer_sizes": [3], "dropout": (0.5,)}
    estimator = kind(**settings)
    copy = clone(estimator)
    for name, value in settings.items():
        assert estimator.get_params()[name] is value
        assert copy.get_params()[name] == value
    estimator.fit(*data(kind))
    for name, value in settings.items():
        assert estimator.get_params()[name] is value


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_html_representation(kind):
    html = kind(l1=0.5)._repr_html_()
    link = (
        f"https://skreg.readthedocs.io/en/stable/generated/skreg.{kind.__name__}.html"
    )
    assert link in html
    assert "l1" in html
