"""The regularisation path: its strengths, weights and scores.

Fits of linear models end when the violation of the optimality conditions is at most
1e-6. Divided by the curvature, this is the error of the coefficients. On these
standardised problems it is about five times as large, and `TOLERANCE` allows for ten.
The references are closer.
"""

from functools import cache
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import MultiTaskLasso, Ridge, lasso_path
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_score
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import check_is_fitted

from skreg import (
    MLPClassifier,
    MLPRegressor,
    RegularizationPath,
    regularization_path,
)

TOLERANCE = 1e-5
TWO_FOLDS = KFold(2, shuffle=True, random_state=0)


def standard(array):
    return (array - array.mean(axis=0)) / array.std(axis=0)


@cache
def numbers(n_outputs=1):
    """Return standardised inputs and one or several standardised targets."""
    X, y = load_diabetes(return_X_y=True)
    if n_outputs > 1:
        noise = np.random.default_rng(0).normal(size=(len(y), n_outputs))
        y = y[:, None] + np.arange(n_outputs) * X[:, :n_outputs] * 1e3 + 20 * noise
    return standard(X), standard(y)


@cache
def classes(kind):
    """Return standardised inputs and labels."""
    load = load_iris if kind == "multinomial" else load_breast_cancer
    X, y = load(return_X_y=True)
    return standard(X[::3, :8]), y[::3]


def slopes(X, y):
    """Return minus the gradient of the loss at zero weights and the best intercept."""
    if y.dtype.kind == "i":
        y = np.eye(y.max() + 1)[y]
        y = y[:, 1:] if y.shape[1] == 2 else y
    return X.T @ (y - y.mean(axis=0)).reshape(len(y), -1) / len(y)


def path_of(estimator, X, y, **options):
    return regularization_path(estimator, X, y, **{"cv": 2, "n": 3} | options)


@cache
def lasso():
    return path_of(MLPRegressor(()), *numbers(), n=12, cv=TWO_FOLDS)


def test_l1_is_the_lasso_path():
    (X, y), path = numbers(), lasso()
    expected = lasso_path(X, y, alphas=path.strengths, tol=1e-12, max_iter=10**5)[1]
    np.testing.assert_allclose(path.coefs[:, :, 0], expected.T, rtol=0, atol=TOLERANCE)
    largest = np.abs(X.T @ y).max() / len(y)
    np.testing.assert_allclose(path.strengths[0], largest, rtol=1e-12)
    assert (path.coefs[0] == 0).all() and path.coefs[1].any()


def test_what_a_path_holds():
    path = lasso()
    assert path.penalty == "l1" and path.scores.shape == (12, 2)
    assert [model.l1 for model in path.estimators] == path.strengths.tolist()
    np.testing.assert_allclose(np.diff(np.log(path.strengths)), np.log(0.01) / 11)
    assert [model.loss_ for model in path.estimators] == path.losses.tolist()
    np.testing.assert_array_equal([m.coefs_[0] for m in path.estimators], path.coefs)
    np.testing.assert_array_equal(path.feature_norms, np.abs(path.coefs[:, :, 0]))
    np.testing.assert_array_equal(path.support, path.coefs[:, :, 0] != 0)
    assert (np.diff(path.losses) < 0).all()


def test_group_l1_is_the_multi_task_lasso():
    X, y = numbers(3)
    path = path_of(MLPRegressor(()), X, y, penalty="group_l1", n=5)
    largest = np.linalg.norm(slopes(X, y), axis=1).max()
    np.testing.assert_allclose(path.strengths[0], largest, rtol=1e-12)
    assert not path.support[0].any()
    for i in (1, 3):
        task = MultiTaskLasso(path.strengths[i], tol=1e-12, max_iter=10**5).fit(X, y)
        np.testing.assert_allclose(path.coefs[i], task.coef_.T, rtol=0, atol=TOLERANCE)


def test_l2_is_ridge():
    X, y = numbers()
    path = path_of(MLPRegressor(()), X, y, penalty="l2", ratio=1e-4)
    assert 1e-4 < np.abs(path.coefs[0]).max() <= 1e-3
    for strength, coef in zip(path.strengths, path.coefs[:, :, 0]):
        ridge = Ridge(2 * len(y) * strength).fit(X, y)
        np.testing.assert_allclose(coef, ridge.coef_, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["binary", "multinomial"])
def test_the_largest_strength_for_classes(kind):
    X, y = classes(kind)
    path = path_of(MLPClassifier(()), X, y)
    largest = path.strengths[0]
    np.testing.assert_allclose(largest, np.abs(slopes(X, y)).max(), rtol=1e-9)
    assert (path.coefs[0] == 0).all()
    below = path_of(MLPClassifier(()), X, y, strengths=[0.999 * largest])
    assert below.coefs.any()


def test_neither_l2_nor_its_own_strength_changes_the_largest_l1():
    path = path_of(MLPRegressor((), l1=7.0, l2=0.3), *numbers())
    np.testing.assert_allclose(path.strengths[0], lasso().strengths[0], rtol=1e-12)
    assert not path.support[0].any()


def test_the_largest_strength_of_weights_that_are_not_negative():
    X, y = numbers()
    X = X * np.where(slopes(X, y)[:, 0] > 0.4, -1, 1)  # the strongest inputs are out
    path = path_of(MLPRegressor((), positive=True), X, y)
    np.testing.assert_allclose(path.strengths[0], slopes(X, y).max(), rtol=1e-12)
    assert path.strengths[0] < 0.9 * np.abs(slopes(X, y)).max()
    assert not path.support[0].any() and path.support[1].any()


def test_the_largest_l1_beside_group_l1_is_tight():
    (X, y), group = numbers(3), 0.2
    path = path_of(MLPRegressor((), group_l1=group), X, y)

    def largest_group(l1):
        return np.linalg.norm(np.maximum(np.abs(slopes(X, y)) - l1, 0), axis=1).max()

    largest = path.strengths[0]
    assert largest < np.abs(slopes(X, y)).max()
    assert largest_group(largest * (1 - 1e-12)) > group
    assert largest_group(largest * (1 + 1e-12)) <= group
    assert not path.support[0].any() and path.support[1].any()


@pytest.mark.parametrize(
    ("kind", "scoring"), [(MLPRegressor, "r2"), (MLPClassifier, "neg_log_loss")]
)
def test_scores_are_those_of_cross_validation(kind, scoring):
    X, y = numbers() if kind is MLPRegressor else classes("multinomial")
    estimator = kind((), solver="lbfgs", tol=1e-9)
    path = path_of(estimator, X, y, cv=TWO_FOLDS, scoring=scoring, n=4)
    for i in (1, 3):
        model = clone(estimator).set_params(l1=path.strengths[i])
        expected = cross_val_score(model, X, y, cv=TWO_FOLDS, scoring=scoring)
        np.testing.assert_allclose(path.scores[i], expected, rtol=0, atol=1e-6)


def test_the_choices():
    path = regularization_path(MLPRegressor(()), *numbers(), n=15)
    means = path.scores.mean(axis=1)
    error = np.std(path.scores[means.argmax()], ddof=1) / np.sqrt(5)
    within = np.flatnonzero(means >= means.max() - error)
    assert path.best_index == means.argmax()
    assert path.one_se_index == within[0] < path.best_index
    assert path.best_strength == path.strengths[means.argmax()]
    assert path.one_se_strength == path.strengths[within[0]]


def test_of_equal_scores_the_stronger_penalty_is_chosen():
    scores = np.array([[0.0, 0.2], [0.5, 0.7], [0.6, 0.6]])
    path = RegularizationPath("l1", np.arange(3.0)[::-1], [], None, None, scores)
    assert path.best_index == path.one_se_index == 1


def test_all_rows_are_fitted_whatever_the_folds():
    """Those of a time series leave rows out of the first fold."""
    path = path_of(MLPRegressor(()), *numbers(), cv=TimeSeriesSplit(3), n=12)
    np.testing.assert_array_equal(path.strengths, lasso().strengths)
    np.testing.assert_allclose(path.coefs, lasso().coefs, rtol=0, atol=TOLERANCE)


def test_a_network():
    X, y = classes("multinomial")
    net = MLPClassifier((3,), "tanh", random_state=0)
    path = path_of(net, X, y, n=2, ratio=0.1)
    assert all((weights == 0).all() for weights in path.estimators[0].coefs_)
    assert path.support[1].any()
    for strength, model in zip(path.strengths, path.estimators):
        alone = clone(net).set_params(l1=strength).fit(X, y)
        # A stack rounds otherwise than one network, which the iterations amplify.
        for own, expected in zip(model.coefs_, alone.coefs_):
            np.testing.assert_allclose(own, expected, rtol=0, atol=1e-8)
            np.testing.assert_array_equal(own == 0, expected == 0)
    # The search ends with two strengths that are less than a percent apart.
    below = clone(net).set_params(l1=0.99 * path.strengths[0]).fit(X, y)
    assert any(weights.any() for weights in below.coefs_)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
# Few epochs on purpose.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_members_that_share_weights(penalty):
    """Their last layers have a share of the strength each, as in a plain fit."""
    X, y = load_iris(return_X_y=True)
    settings = {"ensemble": "shared", "n_estimators": 4, "skip": "linear"}
    estimator = MLPClassifier((4,), max_iter=3, random_state=0, **settings)
    path = regularization_path(
        estimator, X, y, penalty=penalty, strengths=[0.1, 0.02], cv=2
    )
    for strength, found in zip(path.strengths, path.estimators):
        expected = clone(estimator).set_params(**{penalty: strength}).fit(X, y)
        np.testing.assert_allclose(
            found.predict_proba(X), expected.predict_proba(X), rtol=0, atol=1e-10
        )


def test_a_weight_of_two_is_two_rows():
    X, y = numbers()
    twice = np.arange(len(y)) % 3 == 0
    weighted = path_of(MLPRegressor(()), X, y, sample_weight=np.where(twice, 2.0, 1.0))
    rows = np.repeat(np.arange(len(y)), np.where(twice, 2, 1))
    repeated = path_of(MLPRegressor(()), X[rows], y[rows])
    np.testing.assert_allclose(weighted.strengths, repeated.strengths, rtol=1e-12)
    np.testing.assert_allclose(weighted.coefs, repeated.coefs, rtol=0, atol=TOLERANCE)
    assert np.abs(weighted.coefs - path_of(MLPRegressor(()), X, y).coefs).max() > 1e-3


def test_strengths_descend_in_whatever_order_they_are_given():
    path = path_of(MLPRegressor(()), *numbers(), strengths=[0.1, 0.0, 0.5])
    assert path.strengths.tolist() == [0.5, 0.1, 0.0]
    assert (np.diff(path.feature_norms.sum(axis=1)) > 0).all()


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (ValueError, "strengths", [0.1, -0.1]),
        (ValueError, "strengths", [0.1, np.nan]),
        (InvalidParameterError, "penalty", "dropout"),
        (InvalidParameterError, "n", 0),
        (InvalidParameterError, "ratio", 1),
    ],
)
def test_errors_name_the_parameter(error, name, value):
    with pytest.raises(error, match=rf"\b{name}\b"):
        path_of(MLPRegressor(()), *numbers(), **{name: value})


def test_the_estimator_is_left_alone():
    estimator = MLPRegressor((), l1=0.7, random_state=np.random.RandomState(0))
    attributes, state = dict(vars(estimator)), repr(estimator.random_state.get_state())
    path_of(estimator, *numbers())
    assert vars(estimator) == attributes
    assert repr(estimator.random_state.get_state()) == state
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)


@pytest.mark.parametrize("kind", ["frame", "csr", "csc"])
def test_inputs_of_all_kinds(kind):
    X, y = classes("multinomial")
    frame = pd.DataFrame(X).add_prefix("x")
    given = {"csr": sp.csr_array(X), "csc": sp.csc_array(X), "frame": frame}[kind]
    path = path_of(MLPClassifier(()), given, y)
    dense = path_of(MLPClassifier(()), X, y)
    np.testing.assert_allclose(path.strengths, dense.strengths, rtol=1e-9)
    np.testing.assert_allclose(path.coefs, dense.coefs, rtol=0, atol=TOLERANCE)
    if kind == "frame":
        assert path.estimators[0].feature_names_in_.tolist() == list(frame)


@pytest.mark.parametrize("scoring", ["r3", "roc_auc", mean_squared_error])
def test_a_scoring_that_cannot_be_used_is_an_error_before_the_fits(scoring):
    X, y = load_diabetes(return_X_y=True)
    with (
        mock.patch("skreg.model_selection.path.fit_path", side_effect=AssertionError),
        pytest.raises(ValueError, match="scoring="),
    ):
        regularization_path(MLPRegressor(()), X, y, scoring=scoring)


@pytest.mark.parametrize("scoring", ["f1", "neg_log_loss", "neg_brier_score"])
def test_scores_of_labels_are_those_of_their_codes(scoring):
    """Also of held-out rows that lack a class."""
    X, y = classes("binary")
    order = np.argsort(y, kind="stable")
    options = {
        "scoring": scoring,
        "strengths": [1e-2],
        "cv": [(order[40:], order[:40])],
    }
    if scoring == "f1":
        options["cv"] = TWO_FOLDS
    named = path_of(MLPClassifier(()), X, np.array(["no", "yes"])[y], **options)
    coded = path_of(MLPClassifier(()), X, y, **options)
    np.testing.assert_array_equal(named.scores, coded.scores)
