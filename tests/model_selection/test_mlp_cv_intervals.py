"""Intervals and sets of networks that tune themselves, from their public attributes."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from _tuned import FOLDS, KINDS, fitted, make, rows
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.model_selection import (
    GridSearchCV,
    RepeatedKFold,
    ShuffleSplit,
)

from skreg import MLPClassifierCV, MLPRegressor, MLPRegressorCV
from skreg.model_selection.prediction_averages import tempered

LEVELS = [0.5, 0.8, 0.9]
FOLD_OF = np.argmax([np.isin(np.arange(90), part) for _, part in FOLDS], axis=0)
METHODS = {MLPClassifierCV: "predict_set", MLPRegressorCV: "predict_interval"}


def predicted(search, X, coverage=0.9):
    return getattr(search, METHODS[type(search)])(X, coverage)


def of_folds(search, X, n_folds):
    """Return the calibrated mean of the networks of each fold."""
    kind = "predict_proba" if hasattr(search, "classes_") else "predict"
    each = [getattr(model, kind)(X) for model in search.estimators_]
    if hasattr(search, "classes_"):
        temperatures = search.temperatures_[:, None, None]
        each = tempered(np.array(each), temperatures, search.class_prior_)
    means = np.array(
        [
            sum(
                search.weights_[k] * n_folds * each[k]
                for k in range(fold, len(each), n_folds)
            )
            for fold in range(n_folds)
        ]
    )
    if hasattr(search, "shrinkage_"):
        center = search.target_center_
        return center + search.shrinkage_ * (means - center)
    odds = (means / search.class_prior_) ** (1 / search.temperature_)
    odds *= search.class_prior_
    return odds / odds.sum(axis=-1, keepdims=True)


def counted_bounds(centers, residuals, level):
    """Return bounds by ranks; `centers` has a column for each held-out row."""
    n = residuals.shape[0]
    low, high = (np.sort(centers + s * residuals, axis=1) for s in (-1, 1))
    below = int(np.floor((1 - level) * (n + 1) + 1e-9))
    return low[:, below - 1], high[:, n - below]


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_intervals_are_cv_plus(n_outputs):
    X, y = rows(MLPRegressorCV)
    y = y if n_outputs == 1 else np.column_stack([y, y[::-1] ** 2])
    search = make(MLPRegressorCV, cv=FOLDS).fit(X, y)
    found = search.predict_interval(X[:7], LEVELS)
    assert found.shape == ((7, 2, 3) if n_outputs == 1 else (7, 2, 2, 3))
    assert (found[..., 0, 1:] < found[..., 0, :-1]).all()
    predictions, new = of_folds(search, X, 3), of_folds(search, X[:7], 3)
    residuals = np.abs(y - predictions[FOLD_OF, np.arange(90)])
    for k, level in enumerate(LEVELS):
        for output in range(n_outputs):
            of_output = (..., output) if n_outputs > 1 else ...
            expected = counted_bounds(
                new[FOLD_OF][of_output].T, residuals[of_output], level
            )
            at = found[:, output, :, k] if n_outputs > 1 else found[:, :, k]
            # A stack sums in another order than a network alone.
            np.testing.assert_allclose(at.T, expected, rtol=1e-7)
    np.testing.assert_array_equal(search.predict_interval(X[:7], 0.8), found[..., 1])


def test_intervals_of_a_shrunk_average():
    X, y = rows(MLPRegressorCV)
    y = np.random.default_rng(0).permutation(y)
    search = make(MLPRegressorCV, cv=FOLDS).fit(X, y)
    assert search.shrinkage_ < 1
    predictions, new = of_folds(search, X, 3), of_folds(search, X[:7], 3)
    residuals = np.abs(y - predictions[FOLD_OF, np.arange(90)])
    expected = counted_bounds(new[FOLD_OF].T, residuals, 0.9)
    np.testing.assert_allclose(search.predict_interval(X[:7]).T, expected, rtol=1e-7)


def adaptive(probability):
    """Return the probability of the classes that are more probable, by comparisons."""
    p = probability
    return np.where(p[..., None, :] > p[..., :, None], p[..., None, :], 0).sum(-1)


def test_sets_are_cv_plus():
    X, y = rows(MLPClassifierCV)
    search = make(MLPClassifierCV, cv=FOLDS).fit(X, y)
    names = np.array(["a", "b", "c"])
    named = make(MLPClassifierCV, cv=FOLDS).fit(X, names[y])
    found = search.predict_set(X, LEVELS)
    assert found.shape == (90, 3, 3) and found.dtype == bool
    np.testing.assert_array_equal(named.predict_set(X, LEVELS), found)

    scores = adaptive(of_folds(search, X, 3))
    own = scores[FOLD_OF, np.arange(90), y]
    for k, level in enumerate(LEVELS):
        below = (own[:, None, None] < scores[FOLD_OF] - 1e-12).sum(axis=0)
        expected = below < level * 91
        expected[np.arange(90), search.predict(X)] = True
        np.testing.assert_array_equal(found[..., k], expected)
    assert 1 < found[..., 2].sum(axis=1).mean() < 3
    np.testing.assert_array_equal(search.predict_set(X, 0.8), found[..., 1])


def table(X):
    """Return a table with a column of categories, and with gaps."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(X[:, 1:3], columns=["width", "height"])
    frame["kind"] = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 1])]
    for name, missing in (("width", np.nan), ("kind", None)):
        frame.loc[rng.random(len(X)) < 0.2, name] = missing
    return frame


@pytest.mark.parametrize("kind", KINDS)
def test_tables_with_categories_and_gaps(kind):
    """The same counts, of what the networks of the folds predict for tables."""
    X, y = rows(kind)
    frame = table(X)
    search = make(kind, cv=FOLDS).fit(frame, y)
    new = frame.head(3).assign(kind=["high", None, "unknown"], width=[np.nan, 0, 1])
    predictions, of_new = of_folds(search, frame, 3), of_folds(search, new, 3)
    found = predicted(search, new, 0.8)
    if kind is MLPRegressorCV:
        residuals = np.abs(y - predictions[FOLD_OF, np.arange(90)])
        expected = np.transpose(counted_bounds(of_new[FOLD_OF].T, residuals, 0.8))
        np.testing.assert_allclose(found, expected, rtol=1e-7)
    else:
        own = adaptive(predictions)[FOLD_OF, np.arange(90), y]
        above = own[:, None, None] < adaptive(of_new)[FOLD_OF] - 1e-12
        expected = above.sum(axis=0) < 0.8 * 91
        expected[np.arange(3), search.predict(new)] = True
        np.testing.assert_array_equal(found, expected)
    # The category counts, and many rows are predicted as few are.
    assert (predicted(search, new.assign(kind="low"), 0.8) != found).any()
    many = pd.concat([new] * 30, ignore_index=True)
    np.testing.assert_allclose(
        predicted(search, many, 0.8), np.concatenate([found] * 30), rtol=1e-7
    )


def test_a_single_fold_is_split_conformal():
    """The residuals of one held-out part, around the predictions of one network."""
    X, y = rows(MLPRegressorCV)
    train, test = np.arange(60), np.arange(60, 90)
    search = make(MLPRegressorCV, cv=[(train, test)]).fit(X, y)
    residuals = np.sort(np.abs(y - search.predict(X))[test])
    # The ceil(0.8 * 31)-th of 30.
    expected = search.predict(X) + np.array([[-1.0], [1.0]]) * residuals[24]
    np.testing.assert_allclose(
        search.predict_interval(X, 0.8), expected.T, rtol=1e-9, atol=1e-9
    )
    # 30 rows say nothing about one in a hundred.
    assert np.isinf(search.predict_interval(X, 0.99)).all()


@pytest.mark.parametrize(
    "cv",
    [
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        ShuffleSplit(4, test_size=0.3, random_state=0),
    ],
)
def test_rows_that_several_folds_hold_out(cv):
    """Each has one residual, by the mean of its folds; some may have none."""
    X, y = rows(MLPRegressorCV)
    search = make(MLPRegressorCV, cv=cv).fit(X, y)
    folds = list(cv.split(X))
    held_out = np.zeros((90, len(folds)), bool)
    for fold, (_, part) in enumerate(folds):
        held_out[part, fold] = True
    held_out, has = held_out[held_out.any(axis=1)], held_out.any(axis=1)
    shares = (held_out / held_out.sum(axis=1, keepdims=True)).T
    predictions = of_folds(search, X[has], len(folds))
    residuals = np.abs(y[has] - (predictions * shares).sum(axis=0))
    centers = of_folds(search, X[:7], len(folds)).T @ shares
    expected = counted_bounds(centers, residuals, 0.9)
    np.testing.assert_allclose(
        search.predict_interval(X[:7]).T, expected, rtol=1e-7, atol=1e-7
    )


def test_a_list_of_quantiles_gives_conformalised_quantile_regression():
    X, y = rows(MLPRegressorCV)
    own = {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}
    search = make(MLPRegressorCV, own, cv=FOLDS).fit(X, y)
    assert search.predict(X).shape == (90, 3)
    low, _, high = np.moveaxis(of_folds(search, X, 3), 2, 0)
    rows_ = np.arange(90)
    # The score of Romano, Patterson and Candès (2019).
    scores = np.maximum(low[FOLD_OF, rows_] - y, y - high[FOLD_OF, rows_])
    n_below = int(np.floor(0.2 * 91))
    expected = np.sort(
        [
            np.sort(low[FOLD_OF].T - scores, axis=1)[:, n_below - 1],
            np.sort(high[FOLD_OF].T + scores, axis=1)[:, 90 - n_below],
        ],
        axis=0,
    )
    found = search.predict_interval(X, 0.8)
    assert found.shape == (90, 2)
    np.testing.assert_allclose(found.T, expected, rtol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_weight_zero_are_left_out(kind):
    X, y = rows(kind)
    weight = np.ones(90)
    weight[::3] = 0
    folds = [[np.setdiff1d(train, np.arange(0, 90, 3)), test] for train, test in FOLDS]
    kept = np.flatnonzero(weight)
    place = np.full(90, -1)
    place[kept] = np.arange(60)
    folds = [[place[np.intersect1d(part, kept)] for part in fold] for fold in folds]
    weighted = make(kind, cv=FOLDS).fit(X, y, sample_weight=weight)
    left = make(kind, cv=folds).fit(X[kept], y[kept])
    one, other = (predicted(search, X) for search in (weighted, left))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_heavy_rows_of_large_residuals_widen_intervals():
    X, y = rows(MLPRegressorCV)
    noisy = X[:, 0] > np.median(X[:, 0])
    y = y + 30 * noisy * np.random.default_rng(0).normal(size=90)
    widths = []
    for heavy in (noisy, ~noisy):
        # The networks hardly see the weights, which the intervals are to show.
        search = make(MLPRegressorCV, cv=FOLDS)
        search.fit(X, y, sample_weight=np.where(heavy, 5.0, 1.0))
        widths.append(np.ptp(search.predict_interval(X, 0.8), axis=1).mean())
    # Five in six of the weight have a standard deviation of 30, or else of 10.
    assert widths[0] > 1.3 * widths[1]


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_and_copies(kind):
    X, y = rows(kind)
    search = make(kind).fit(pd.DataFrame(X).add_prefix("x"), y)
    found = predicted(search, pd.DataFrame(X).add_prefix("x"), LEVELS)
    array = fitted(kind)
    np.testing.assert_array_equal(predicted(array, X, LEVELS), found)
    np.testing.assert_array_equal(
        predicted(pickle.loads(pickle.dumps(array)), X, LEVELS), found
    )
    np.testing.assert_array_equal(predicted(clone(array).fit(X, y), X, LEVELS), found)
    np.testing.assert_allclose(predicted(array, X[5:6], LEVELS), found[5:6], rtol=1e-6)
    sparse = make(kind, {"standardize": False}).fit(sp.csr_array(X), y)
    dense = make(kind, {"standardize": False}).fit(X, y)
    np.testing.assert_allclose(
        predicted(sparse, sp.csr_array(X)), predicted(dense, X), rtol=1e-6
    )
    grid = GridSearchCV(make(kind), {"n_ensemble": [1]}, cv=2).fit(X, y)
    assert len(predicted(grid.best_estimator_, X)) == 90


def test_parts_of_rows_are_predicted_alike(monkeypatch):
    search, (X, _) = fitted(MLPRegressorCV), rows(MLPRegressorCV)
    whole = search.predict_interval(X)
    monkeypatch.setattr("skreg.model_selection.conformal.ELEMENTS_AT_A_TIME", 100)
    np.testing.assert_allclose(search.predict_interval(X), whole, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_keep_the_precision_of_the_inputs(kind):
    X, y = rows(kind)
    X = X.astype(np.float32)
    search = make(kind).fit(X, y if kind is MLPClassifierCV else y.astype(np.float32))
    expected = bool if kind is MLPClassifierCV else np.float32
    assert predicted(search, X).dtype == expected


def test_what_is_kept_of_a_row_does_not_grow_with_its_inputs():
    """A residual and a sum of weights for each row: 16 bytes."""
    sizes = []
    for n_features in (5, 50):
        X, y = rows(MLPRegressorCV, 300, n_features=n_features)
        sizes.append(len(pickle.dumps(make(MLPRegressorCV).fit(X, y)._held_out)))
    assert max(sizes) < 16 * 300 + 2000
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("refit", [True, False])
def test_without_the_networks_of_the_folds(kind, refit):
    search = fitted(kind)
    search.set_params(refit=refit).fit(*rows(kind))
    with pytest.raises((AttributeError, ValueError), match="refit='folds'"):
        predicted(search, rows(kind)[0])


def test_sets_of_several_labels():
    X, y = rows(MLPClassifierCV)
    search = make(MLPClassifierCV).fit(X, np.column_stack([y == 0, y > 1]).astype(int))
    with pytest.raises(AttributeError, match=r"one class for each row.*fitted to 2"):
        search.predict_set(X)


@pytest.mark.parametrize("kind", KINDS)
def test_before_fit_and_impossible_coverages(kind):
    X, _ = rows(kind)
    with pytest.raises(ValueError, match="not fitted"):
        predicted(make(kind), X)
    with pytest.raises(ValueError, match=r"coverage must be .* got 90"):
        predicted(fitted(kind), X, 90)


@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
def test_coverage_of_new_rows(loss):
    """With the choice of candidates and epochs by the same rows.

    Over training sets of n rows, the coverage has a standard deviation of about
    (0.9 * 0.1 / n)^1/2, 0.021 here, so that the mean of 6 has one of 0.009. The bounds
    are three of them below and above, and one point lower for what the choice costs.
    """
    own = {"loss": loss, "quantile": [0.05, 0.95]} if loss == "quantile" else {}
    shares = []
    for seed in range(6):
        X, y = make_friedman1(2200, noise=3.0, random_state=seed)
        network = MLPRegressor((16,), early_stopping=True, max_iter=20, **own)
        search = MLPRegressorCV(network, n_candidates=4, random_state=seed)
        low, high = search.fit(X[:200], y[:200]).predict_interval(X[200:]).T
        shares.append(np.mean((low <= y[200:]) & (y[200:] <= high)))
    assert 0.863 < np.mean(shares) < 0.927
