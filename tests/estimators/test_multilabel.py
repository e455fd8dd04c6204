"""Multilabel targets: their codes, and the weights of the classes of each label."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from _numeric import derivative, request_of
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.datasets import make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skreg import (
    CNNClassifier,
    MLPClassifier,
    MLPClassifierCV,
    fused,
    prune,
    regularization_path,
)
from skreg.training.stack import Stack

N_ROWS, N_LABELS = 120, 3
X, Y = make_multilabel_classification(
    N_ROWS, 6, n_classes=N_LABELS, n_labels=1, random_state=0
)
X = (X - X.mean(axis=0)) / X.std(axis=0)
RNG = np.random.default_rng(0)
WEIGHT = RNG.uniform(0.2, 3, N_ROWS)
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
LINEAR = {"hidden_layer_sizes": (), "standardize": False, "random_state": 0}
DICTS = [{0: 1.0, 1: 5.0}, {0: 0.3, 1: 2.0}, {1: 4.0}]
pytestmark = pytest.mark.filterwarnings(
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning",
    "ignore:The optimality conditions:sklearn.exceptions.ConvergenceWarning",
)


def of_labels(class_weight, y=Y, weight=None):
    """Return the weight of each label of each row, by scikit-learn's formula."""
    weight = np.ones(len(y)) if weight is None else weight
    columns = []
    for label, column in enumerate(y.T):
        if class_weight == "balanced":
            totals = np.bincount(column, weights=weight)
            factors = totals.sum() / (2 * totals)
        else:
            factors = np.array([class_weight[label].get(k, 1.0) for k in (0, 1)])
        columns.append(factors[column] * weight)
    return np.stack(columns, axis=1)


def mean_log_loss(score, y, weight):
    """Return the sum over the labels of the weighted mean log loss."""
    losses = np.logaddexp(0, np.where(y == 1, -score, score))
    return sum(
        np.average(loss, weights=s) for loss, s in zip(losses.T, weight.T, strict=True)
    )


class TestCodes:
    MESSAGE = r"must be an indicator matrix, with 1 .* got the values \[{}\]"
    CODES = {
        "-1, 1": 2 * Y - 1,
        "1, 2": Y + 1,
        "0, 2": 2 * Y,
        "-1, 0": Y - 1,
        "5": np.full_like(Y, 5),
        "-1.0, 1.0": 2.0 * Y - 1,
    }
    CONTAINERS = [
        np.asarray,
        np.ndarray.tolist,
        pd.DataFrame,
        sp.csr_array,
        sp.coo_matrix,
    ]

    @pytest.mark.parametrize("values", CODES)
    @pytest.mark.parametrize("container", CONTAINERS)
    def test_other_codes_are_refused(self, values, container):
        y, good = container(self.CODES[values]), container(Y)
        error = pytest.raises(ValueError, match=self.MESSAGE.format(values))
        with error:
            MLPClassifier(**SMALL).fit(X, y)
        with error:
            MLPClassifier(**SMALL).partial_fit(X, y)
        with error:
            MLPClassifier(**SMALL).partial_fit(X, good).partial_fit(X, y)
        with error:
            MLPClassifier(**SMALL).fit(X, good, X_val=X, y_val=y)
        with error:
            MLPClassifier(**SMALL, warm_start=True).fit(X, good).fit(X, y)
        with pytest.raises(ValueError, match="must be an indicator matrix"):
            MLPClassifier(**SMALL).fit(X, good).score(X, y)

    @pytest.mark.parametrize("values", CODES)
    def test_by_every_estimator_and_function(self, values):
        y, fitted = self.CODES[values], MLPClassifier(**SMALL).fit(X, Y)
        error = pytest.raises(ValueError, match=self.MESSAGE.format(values))
        with error:
            MLPClassifierCV(n_candidates=2, cv=2).fit(X, y)
        with error:
            CNNClassifier(max_iter=1).fit(X, y)
        with error:
            regularization_path(MLPClassifier(**LINEAR), X, y, n=2, cv=2)
        with error:
            prune(fitted, 0.5, X, y, finetune_epochs=1)

    def test_the_score_of_a_search(self):
        small = {"param_distributions": {"l2": [0.1, 1.0]}, "n_candidates": 2, "cv": 2}
        for scoring in (None, "accuracy"):
            search = MLPClassifierCV(
                MLPClassifier(**SMALL), scoring=scoring, random_state=0, **small
            ).fit(X, Y)
            assert 0 <= search.score(X, Y) <= 1
            with pytest.raises(ValueError, match="must be an indicator matrix"):
                search.score(X, 2 * Y - 1)

    @given(st.integers(-3, 3), st.integers(-3, 3))
    def test_any_two_integers(self, absent, present):
        y = np.where(Y, present, absent)
        if {absent, present} <= {0, 1}:
            fitted = MLPClassifier(**SMALL).fit(X, y)
            other = MLPClassifier(**SMALL).fit(X, y == 1)
            np.testing.assert_array_equal(fitted.coefs_[0], other.coefs_[0])
            return
        with pytest.raises(ValueError, match="must be an indicator matrix"):
            MLPClassifier(**SMALL).fit(X, y)

    @pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32, np.float64])
    @pytest.mark.parametrize("container", CONTAINERS)
    def test_every_form_of_0_and_1_is_the_same(self, container, dtype):
        expected = MLPClassifier(**SMALL).fit(X, Y)
        y = container(Y.astype(dtype))
        fitted = MLPClassifier(**SMALL).fit(X, y)
        np.testing.assert_array_equal(fitted.coefs_[0], expected.coefs_[0])
        np.testing.assert_array_equal(fitted.predict(X), expected.predict(X))
        assert fitted.score(X, y) == expected.score(X, Y)

    def test_labels_that_no_row_or_every_row_has(self):
        for value in (0, 1):
            y = np.c_[Y, np.full(N_ROWS, value)]
            fitted = MLPClassifier(**SMALL).fit(X, y)
            assert fitted.predict_proba(X).shape == (N_ROWS, N_LABELS + 1)

    def test_labels_of_one_column_keep_any_codes(self):
        for y in (2 * Y[:, 0] - 1, Y[:, 0] + 1):
            fitted = MLPClassifier(**SMALL).fit(X, y)
            assert fitted.classes_.tolist() == np.unique(y).tolist()
            assert 0 <= fitted.score(X, y) <= 1


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("class_weight", ["balanced", DICTS], ids=["balanced", "dicts"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["", "weighted"])
def test_each_label_is_a_logistic_regression_of_its_own(class_weight, weight, solver):
    l2 = 0.01
    model = MLPClassifier(
        **LINEAR, class_weight=class_weight, l2=l2, solver=solver, tol=1e-8
    ).fit(X, Y, weight)
    assert model.kkt_violation_ < 1e-8
    for label in range(N_LABELS):
        s = of_labels(class_weight, Y, weight)[:, label]
        one = class_weight if class_weight == "balanced" else class_weight[label]
        # "balanced" counts sample weights from scikit-learn 1.7 on.
        reference = LogisticRegression(C=1 / (2 * l2 * s.sum()), tol=1e-10)
        reference.fit(X, Y[:, label], s)
        np.testing.assert_allclose(model.coef_[label], reference.coef_[0], atol=1e-5)
        np.testing.assert_allclose(
            model.intercept_[label], reference.intercept_[0], atol=1e-5
        )
        if weight is None:
            reference = LogisticRegression(
                C=1 / (2 * l2 * s.sum()), class_weight=one, tol=1e-10
            ).fit(X, Y[:, label])
            np.testing.assert_allclose(
                model.coef_[label], reference.coef_[0], atol=1e-5
            )


def test_rare_labels_leave_all_rows_their_weight():
    """The weights of 14 labels were multiplied, and ten rows of 2,000 remained."""
    rng = np.random.default_rng(0)
    y = (rng.random((2000, 14)) < 0.03).astype(int)
    rows = rng.normal(size=(2000, 3)) + y[:, :3]
    model = MLPClassifier(**LINEAR, class_weight="balanced").fit(rows, y)
    # Noise: each label is as likely as not, within three standard errors.
    np.testing.assert_allclose(model.predict_proba(rows)[:, 3:].mean(), 0.5, atol=0.05)
    reference = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-8)
    for label in range(14):
        coef = reference.fit(rows, y[:, label]).coef_[0]
        np.testing.assert_allclose(model.coef_[label], coef, atol=1e-4)


@pytest.mark.parametrize("class_weight", ["balanced", DICTS], ids=["balanced", "dicts"])
def test_the_objective_is_the_formula(class_weight):
    model = MLPClassifier(
        (4,), solver="lbfgs", l2=0.01, class_weight=class_weight, random_state=0
    ).fit(X, Y, WEIGHT)
    penalty = 0.01 * sum((W**2).sum() for W in model.coefs_)
    s = of_labels(class_weight, Y, WEIGHT)
    loss = mean_log_loss(model.decision_function(X), Y, s)
    assert model.loss_ == pytest.approx(loss + penalty, rel=1e-12)


@pytest.mark.parametrize("batch_size", [16, N_ROWS])
@torch.no_grad()
def test_the_gradient_is_that_of_the_formula(batch_size):
    """Whether in one batch or in several, for each of the models of a stack."""
    settings = SMALL | {"activation": "tanh", "batch_size": batch_size}
    settings |= {"standardize": False}
    given = [None, "balanced", DICTS]
    requests = [
        request_of(
            MLPClassifier(**settings, class_weight=each), X, Y, sample_weight=WEIGHT
        )
        for each in given
    ]
    objective = Stack(requests).objective()
    losses = objective.loss_and_gradient()
    module = objective.module
    gradients = [p.grad.clone() for p in module.parameters()]
    W, V, b, c = (p.numpy() for p in [*module.weights, *module.free_parameters])
    for model, each in enumerate(given):
        s = of_labels(each or [{}] * N_LABELS, Y, WEIGHT)
        score = np.tanh(X @ W[model] + b[model]) @ V[model] + c[model]
        expected = mean_log_loss(score, Y, s)
        assert losses[model].item() == pytest.approx(expected, rel=1e-12)
    for parameter, gradient in zip(module.parameters(), gradients):
        before = parameter.clone()

        def value(moved, parameter=parameter):
            parameter.copy_(moved)
            return objective.loss_and_gradient()

        expected = derivative(value, before)
        parameter.copy_(before)
        # 1e-13 relative to a loss of two, divided by the step.
        torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("class_weight", ["balanced", DICTS], ids=["balanced", "dicts"])
def test_the_certificate_is_the_violation(class_weight):
    """The smallest subgradient of the formula, by hand."""
    l1 = 0.05
    model = MLPClassifier(**LINEAR, l1=l1, class_weight=class_weight).fit(X, Y, WEIGHT)
    s = of_labels(class_weight, Y, WEIGHT)
    error = (expit(model.decision_function(X)) - Y) * s / s.sum(axis=0)
    coef, gradient = model.coefs_[0], X.T @ error
    at_zero = np.maximum(np.abs(gradient) - l1, 0)
    elsewhere = np.abs(gradient + l1 * np.sign(coef))
    violation = np.where(coef == 0, at_zero, elsewhere).max()
    violation = max(violation, np.abs(error.sum(axis=0)).max())
    assert 0 < np.count_nonzero(coef) < coef.size
    assert model.kkt_violation_ == pytest.approx(violation, abs=1e-12)
    assert violation < 1e-6


@pytest.mark.parametrize("batch_size", [16, N_ROWS])
def test_the_validation_loss_is_the_formula(batch_size):
    """The weights are those of the training rows, normalised over validation rows."""
    train, test = slice(0, 80), slice(80, None)
    model = MLPClassifier(
        **SMALL, class_weight="balanced", batch_size=batch_size, early_stopping=True
    )
    model.set_params(restore_best_weights=False)
    model.fit(X[train], Y[train], X_val=X[test], y_val=Y[test])
    counts = np.stack([np.bincount(column, minlength=2) for column in Y[train].T])
    factors = 80 / (2 * counts)
    s = np.take_along_axis(factors, Y[test].T, axis=1).T
    expected = mean_log_loss(model.decision_function(X[test]), Y[test], s)
    assert model.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-12)


def test_a_step_of_partial_fit_is_the_gradient():
    rate = 0.1
    model = MLPClassifier(
        **LINEAR, class_weight=DICTS, solver="sgd", momentum=0.0, batch_size=N_ROWS
    )
    model.set_params(learning_rate="constant", learning_rate_init=rate, l2=0.02)
    model.partial_fit(X, Y, sample_weight=WEIGHT)
    before, score = model.coefs_[0].copy(), model.decision_function(X)
    model.partial_fit(X, Y, sample_weight=WEIGHT)
    s = of_labels(DICTS, Y, WEIGHT)
    gradient = X.T @ ((expit(score) - Y) * s / s.sum(axis=0)) + 2 * 0.02 * before
    np.testing.assert_allclose(model.coefs_[0], before - rate * gradient, rtol=1e-9)


@pytest.mark.parametrize("class_weight", ["balanced", DICTS], ids=["balanced", "dicts"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batchnorm": True},
        {"standardize": "robust"},
        {"numeric_embedding": "piecewise_linear"},
        {"adversarial": 0.1, "label_smoothing": 0.1},
        {"n_estimators": 2, "ensemble": "shared"},
        {"solver": "lbfgs"},
    ],
    ids=str,
)
def test_a_weight_of_two_is_a_row_given_twice(class_weight, settings):
    weight = RNG.integers(0, 3, N_ROWS)
    options = SMALL | {"batch_size": 1000, "class_weight": class_weight} | settings
    one = MLPClassifier(**options).fit(X, Y, weight)
    other = MLPClassifier(**options).fit(X.repeat(weight, 0), Y.repeat(weight, 0))
    # Sums of more terms are rounded differently.
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-7, atol=1e-9)


def test_the_scale_of_a_labels_weights_has_no_effect():
    scaled = [{k: 7.0 * w for k, w in DICTS[0].items()}, *DICTS[1:]]
    settings = SMALL | {"batchnorm": True}
    one, other = (
        MLPClassifier(**settings, class_weight=given).fit(X, Y).coefs_[0]
        for given in (DICTS, scaled)
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("mixed", [{}, {"mixup": 0.3, "cutmix": 0.3}], ids=str)
def test_stacks_equal_single_fits(mixed):
    """Networks with weights of rows, of labels, and with none share a stack."""
    grid = {"class_weight": [None, "balanced", DICTS], "l2": [0.0, 0.1]}
    network = MLPClassifier(**SMALL, batch_size=16, batchnorm=True, **mixed)

    def error(model, X, y, sample_weight=None):
        return np.average(
            abs(model.predict_proba(X) - y).mean(1), weights=sample_weight
        )

    search = GridSearchCV(network, grid, cv=3, scoring=error)
    alone = search.fit(X, Y, sample_weight=WEIGHT).cv_results_["mean_test_score"]
    with fused():
        together = search.fit(X, Y, sample_weight=WEIGHT).cv_results_["mean_test_score"]
    # A stack sums in another order than a network alone.
    np.testing.assert_allclose(together, alone, rtol=1e-8)
    assert len(set(alone.round(6))) == 6


def test_a_search_that_balances_its_labels():
    network = MLPClassifier(**SMALL, class_weight="balanced", learning_rate_init=0.05)
    search = MLPClassifierCV(
        network,
        param_distributions={"l2": [0.01, 1.0]},
        n_candidates=2,
        cv=3,
        random_state=0,
    ).fit(X, Y, WEIGHT)
    # Half of the weight of each label is on the rows that have it.
    np.testing.assert_allclose(search.class_prior_, 0.5, rtol=1e-12)
    s = of_labels("balanced", Y, WEIGHT)
    rates = (s * Y).sum(axis=0) / s.sum(axis=0)
    np.testing.assert_allclose(search.class_prior_, rates, rtol=1e-12)


def test_a_fold_that_lacks_a_label():
    y = Y.copy()
    y[:, 0] = np.arange(N_ROWS) < 3
    search = MLPClassifierCV(
        MLPClassifier(**SMALL, class_weight="balanced"),
        param_distributions={"l2": [0.01, 1.0]},
        n_candidates=2,
        cv=[(np.arange(3, N_ROWS), np.arange(3)), (np.arange(60), np.arange(60, 120))],
        random_state=0,
    ).fit(X, y)
    assert np.isfinite(search.predict_proba(X)).all()


def test_a_label_without_any_weight_adds_nothing():
    given = [{0: 1.0, 1: 2.0}, {0: 0.0, 1: 0.0}, {1: 3.0}]
    model = MLPClassifier(**LINEAR, l2=0.01, class_weight=given, tol=1e-9).fit(X, Y)
    np.testing.assert_allclose(model.coef_[1], 0, atol=1e-5)
    others = MLPClassifier(
        **LINEAR, l2=0.01, class_weight=[given[0], given[2]], tol=1e-9
    ).fit(X, Y[:, [0, 2]])
    np.testing.assert_allclose(model.coef_[[0, 2]], others.coef_, atol=1e-5)


@pytest.mark.parametrize(
    ("class_weight", "match"),
    [
        ({0: 1.0, 1: 5.0}, "'balanced' or a list of one dict for each label"),
        ([1.0, 2.0, 3.0], "'balanced' or a list of one dict for each label"),
        (["balanced"] * 3, "'balanced' or a list of one dict for each label"),
        (DICTS[:2], "one dict for each of 3 labels, got 2"),
        ([{0: 1.0, 2: 5.0}, *DICTS[1:]], r"The classes, \[1\], are not in"),
        ([{0: -1.0}, *DICTS[1:]], "class_weight must be finite .*not negative"),
        ([{0: np.nan}, *DICTS[1:]], "class_weight must be finite"),
        ([{0: 0.0, 1: 0.0}] * 3, "at least one non-zero"),
    ],
)
def test_bad_class_weights(class_weight, match):
    with pytest.raises(ValueError, match=match):
        MLPClassifier(**SMALL, class_weight=class_weight).fit(X, Y)


def test_balancing_needs_all_rows():
    assert not hasattr(MLPClassifier(class_weight="balanced"), "partial_fit")
    MLPClassifier(**SMALL, class_weight=DICTS).partial_fit(X, Y)
