"""Linear models have scikit-learn's coefficients and zeros, and the uses of zeros.

With any solver, a fit ends when the violation of the optimality conditions is at most
its `tol` of 1e-9, or 1e-8 if rounding hides all further progress. Divided by the
curvature, this is the error of the coefficients. It is about a hundred times as large
on these problems, which `TOLERANCE` allows for. The references are much closer.
"""

from functools import cache

import numpy as np
import pytest
from _estimators import STEADY
from _references import TARGETS, Objective, Problem, Solution, solve
from scipy.special import logit
from sklearn.feature_selection import RFE, RFECV, SelectFromModel
from sklearn.inspection import permutation_importance

from skreg import MLPClassifier, MLPRegressor

P = Problem
PROBLEMS = [
    # LogisticRegression of two classes
    P("breast_cancer", "binary", l2=0.01),
    P("breast_cancer", "binary", l2=0.001, weighted=True),
    P("breast_cancer", "binary", l1=0.02),
    P("breast_cancer", "binary", l1=0.1, class_weight="balanced"),
    P("breast_cancer", "binary", l1=0.02, l2=0.01, weighted=True),
    P("wide", "binary", l2=0.01, sparse=True),
    P("wide", "binary", l1=0.05),
    P("wide", "binary", l1=0.05, l2=0.05, weighted=True, class_weight=(2.0, 0.5)),
    P("correlated", "binary", l1=0.02, class_weight="balanced"),
    P("correlated", "binary", l2=0.01, class_weight=(2.0, 0.5)),
    P("constant", "binary", l1=0.05, sparse=True),
    P("constant", "binary", l2=0.05, weighted=True),
    # LogisticRegression of several
    P("iris", "multinomial", l2=0.01),
    P("iris", "multinomial", l1=0.02),
    P("iris", "multinomial", l1=0.1, weighted=True, sparse=True),
    P("iris", "multinomial", l1=0.02, l2=0.01, class_weight=(0.5, 2.0, 1.0)),
    P("digits", "multinomial", l2=0.02, sparse=True),
    P("digits", "multinomial", l1=0.02, weighted=True),
    P("digits", "multinomial", l1=0.01, l2=0.01),
    P("wide", "multinomial", l1=0.05, class_weight="balanced"),
    P("wide", "multinomial", l2=0.05, weighted=True, class_weight="balanced"),
    P("correlated", "multinomial", l1=0.02),
    P("constant", "multinomial", l1=0.02, l2=0.001),
    # Ridge
    P("diabetes", "numbers", l2=0.03),
    P("wide", "numbers", l2=0.01, weighted=True),
    P("correlated", "tasks", l2=0.001, sparse=True),
    P("constant", "numbers", l2=0.1),
    # Lasso and ElasticNet, of one and of several outputs
    P("diabetes", "numbers", l1=0.1),
    P("diabetes", "numbers", l1=0.05, l2=0.05, weighted=True),
    P("wide", "numbers", l1=0.1, sparse=True),
    P("wide", "tasks", l1=0.2, l2=0.05, weighted=True),
    P("correlated", "numbers", l1=0.1, weighted=True, sparse=True),
    P("correlated", "numbers", l1=0.1, l2=0.01),
    P("constant", "tasks", l1=0.3),
    # and of coefficients that are not negative
    P("diabetes", "numbers", l1=0.05, positive=True),
    P("wide", "numbers", l1=0.05, positive=True, weighted=True),
    P("correlated", "numbers", l1=0.02, l2=0.01, positive=True, sparse=True),
    P("tall", "numbers", l2=0.01, positive=True),
    # MultiTaskLasso and MultiTaskElasticNet
    P("tall", "tasks", group_l1=0.2),
    P("diabetes", "tasks", group_l1=0.1),
    P("wide", "tasks", group_l1=0.3, sparse=True),
    P("correlated", "tasks", group_l1=0.2, l2=0.05),
    P("constant", "tasks", group_l1=0.2),
    # PoissonRegressor
    P("diabetes", "counts", l2=0.05),
    P("wide", "counts", l2=0.1, weighted=True),
    P("correlated", "counts", l2=0.01, sparse=True),
    P("constant", "counts", l2=0.05),
    # What scikit-learn has no estimator for
    P("tall", "counts", l1=0.1),
    P("iris", "multinomial", group_l1=0.05),
    P("wide", "multinomial", group_l1=0.1, weighted=True),
    P("tall", "tasks", l1=0.05, group_l1=0.2),
]
SOLVERS = ("lbfgs", "adam", "sgd")
# Few epochs: the end of a fit is what is tested.
SETTINGS = STEADY | dict(
    standardize=False,
    tol=1e-9,
    max_iter=5000,
    learning_rate_init=0.05,
    n_iter_no_change=2,
    random_state=0,
)
CASES = [
    pytest.param(problem, solver, id=f"{problem}-{solver}")
    for problem in PROBLEMS
    for solver in SOLVERS
    # The end of their way is that of L-BFGS, so that a problem of each kind is enough.
    if solver == "lbfgs" or problem.inputs == "constant"
]
# The largest error of a coefficient.
TOLERANCE = 1e-6
# The largest violation of a reference's optimality conditions: its coefficients err by
# a hundredth of the tolerance.
REFERENCE = 1e-10
# A reference decides between zero and nonzero where it is further from the other than
# the errors that it and a fit may have.
MARGIN = 2e-6

every_problem = pytest.mark.parametrize("problem", PROBLEMS, ids=str)


def selects(problem):
    return problem.l1 or problem.group_l1 or problem.positive


def centred(problem, intercept):
    """Centre the intercepts of a softmax. Only their differences are determined."""
    return intercept - intercept.mean() * (problem.kind == "multinomial")


def agree(problem, solution, tolerance):
    """Return whether a solution equals the reference, with the same zeros.

    An intercept sums up the errors of the coefficients if inputs are not centred.
    """
    reference = solve(problem)
    error = abs(solution.coef - reference.coef).max()
    intercepts = (centred(problem, s.intercept) for s in (solution, reference))
    shift = abs(np.subtract(*intercepts)).max()
    same_support = np.array_equal(solution.coef != 0, reference.coef != 0)
    near = error <= tolerance and shift <= 10 * tolerance
    return near and (same_support or not selects(problem))


@every_problem
def test_the_references_are_optimal(problem):
    """They also decide every zero. There are both zeros and nonzeros."""
    objective, reference = Objective(problem), solve(problem)
    assert objective.violation(reference) < REFERENCE
    if selects(problem):
        assert objective.margins(reference).min() > MARGIN
        assert 0 < np.count_nonzero(reference.coef) < reference.coef.size


@pytest.mark.parametrize("problem, solver", CASES)
def test_coefficients_and_zeros_are_the_references(problem, solver):
    model = problem.fit(solver=solver, **SETTINGS)
    assert agree(problem, Solution.of(model), TOLERANCE)
    assert model.kkt_violation_ < 1e-6


@every_problem
def test_the_comparison_can_fail(problem):
    """At a coefficient beyond the tolerance, and at one that is zero or is not."""
    reference = solve(problem)
    assert agree(problem, reference, 0)

    def changed(positions, change):
        coef = reference.coef.copy()
        position = tuple(np.argwhere(positions)[0])
        coef[position] += change(coef[position])
        return Solution(coef, reference.intercept)

    used = reference.coef != 0
    beyond = changed(used, lambda value: 1.01 * TOLERANCE)
    assert not agree(problem, beyond, TOLERANCE)
    if selects(problem):
        tiny, lost = changed(~used, lambda _: 1e-300), changed(used, lambda v: -v)
        assert not agree(problem, tiny, TOLERANCE)
        assert not agree(problem, lost, np.inf)


def null_model(problem):
    """Return the optimum of a model with intercepts only."""
    objective = Objective(problem)
    mean = (objective.row * objective.target).sum(0)
    link = {"binary": logit, "multinomial": np.log, "counts": np.log}
    intercept = link.get(problem.kind, lambda value: value)(mean)
    return Solution(np.zeros((len(mean), objective.X.shape[1])), intercept)


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", ["l1", "group_l1"])
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_input_is_used_just_below_the_largest_useful_strength(kind, name, solver):
    """And none just above it: the slope of the loss where the intercepts are alone."""
    problem = P("tall", kind, weighted=True)
    slopes = Objective(problem).gradient(null_model(problem)).coef
    largest = np.linalg.norm(slopes, ord=np.inf if name == "l1" else 2, axis=0).max()
    for share, n_used in {0.9999: 1, 1.0001: 0}.items():
        problem = problem._replace(**{name: share * largest})
        model = problem.fit(solver=solver, **SETTINGS)
        assert model.support_.sum() == n_used


KINDS = (MLPClassifier, MLPRegressor)
INFORMATIVE = [0, 3, 4]
# Exact zeros of either kind in the first layer of a network with and without another;
# the strengths leave more than the informative inputs and fewer than all.
SPARSE = {
    "linear-l1": dict(hidden_layer_sizes=(), l1=0.03),
    "linear-group_l1": dict(hidden_layer_sizes=(), group_l1=0.03),
    "hidden-l1": dict(hidden_layer_sizes=(4,), l1=[0.03, 0.0], l2=[0.0, 0.02]),
    "hidden-group_l1": dict(hidden_layer_sizes=(4,), group_l1=0.05, l2=[0.0, 0.02]),
}

every_kind = pytest.mark.parametrize("kind", KINDS)
every_sparsity = pytest.mark.parametrize("name", SPARSE)


def noisy_data(kind):
    """Return twelve inputs on different scales, three of which are informative."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((150, 12))
    signal = X[:, INFORMATIVE] @ [1.0, -1.0, 0.8] + 0.2 * rng.standard_normal(150)
    y = signal > 0 if kind is MLPClassifier else signal
    return X * np.linspace(0.5, 2, 12) + 1, y


def sparse_model(kind, name, **params):
    defaults = dict(activation="tanh", solver="lbfgs", max_iter=2000, random_state=0)
    return kind(**(defaults | SPARSE[name] | params))


@cache
def fitted(kind, name, standardize=True):
    return sparse_model(kind, name, standardize=standardize).fit(*noisy_data(kind))


def forward(model, X, inputs):
    """Return the raw outputs of a network that has only the given inputs."""
    x = X[:, inputs]
    if model.standardize:
        x = (x - model.feature_offset_[inputs]) / model.feature_scale_[inputs]
    *hidden, last = zip([model.coefs_[0][inputs], *model.coefs_[1:]], model.intercepts_)
    for weights, bias in hidden:
        x = np.tanh(x @ weights + bias)
    return x @ last[0] + last[1]


@every_kind
@every_sparsity
@pytest.mark.parametrize("standardize", [True, False])
def test_inputs_outside_the_support_can_be_removed(kind, name, standardize):
    """Without another fit: the rest differs by the rounding of numbers near one."""
    X, _ = noisy_data(kind)
    model = fitted(kind, name, standardize)
    support = model.support_
    assert support[INFORMATIVE].all() and not support.all()
    smaller = forward(model, X, support)[:, 0]
    if kind is MLPRegressor and standardize:
        smaller = smaller * model.target_scale_ + model.target_offset_
    predict = model.predict if kind is MLPRegressor else model.decision_function
    np.testing.assert_allclose(smaller, predict(X), rtol=1e-12, atol=1e-12)


@every_kind
@every_sparsity
def test_inputs_outside_the_support_may_be_anything(kind, name):
    (X, _), model = noisy_data(kind), fitted(kind, name)
    changed = np.where(model.support_, X, 1e6)
    np.testing.assert_array_equal(model.predict(changed), model.predict(X))


@every_kind
@every_sparsity
def test_select_from_model_takes_the_support(kind, name):
    """At its default threshold, without being told that the model has zeros."""
    model = fitted(kind, name)
    support = SelectFromModel(model, prefit=True).get_support()
    assert support[INFORMATIVE].all() and not support.all()
    np.testing.assert_array_equal(support, model.support_)


@every_kind
def test_select_from_model_fits(kind):
    X, y = noisy_data(kind)
    steps = {"solver": "adam", "learning_rate_init": 0.01, "max_iter": 200}
    model = sparse_model(kind, "linear-l1", **steps)
    selector = SelectFromModel(model).fit(X, y)
    np.testing.assert_array_equal(selector.get_support(), selector.estimator_.support_)
    # Whatever the solver, a fit ends with the same one.
    support = fitted(kind, "linear-l1").support_
    np.testing.assert_array_equal(selector.get_support(), support)


@every_kind
@pytest.mark.parametrize("name", ["linear-l1", "hidden-group_l1"])
def test_recursive_elimination_keeps_what_counts(kind, name):
    X, y = noisy_data(kind)
    model = sparse_model(kind, name)
    chosen = RFE(model, n_features_to_select=3, step=5).fit(X, y).support_
    np.testing.assert_array_equal(np.flatnonzero(chosen), INFORMATIVE)
    chosen = RFECV(model, step=5, cv=2, min_features_to_select=3).fit(X, y).support_
    assert chosen[INFORMATIVE].all()


@every_kind
@every_sparsity
def test_permutation_importance_is_zero_outside_the_support(kind, name):
    (X, y), model = noisy_data(kind), fitted(kind, name)
    result = permutation_importance(model, X, y, n_repeats=3, random_state=0)
    importance = result.importances_mean
    assert set(np.argsort(importance)[-3:]) == set(INFORMATIVE)
    assert (importance[~model.support_] == 0).all()
