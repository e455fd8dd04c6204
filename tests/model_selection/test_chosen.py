"""What a fitted average tells about its candidates, inputs and coefficients."""

import numpy as np
import pandas as pd
import pytest
from _tuned import KINDS, make, rows
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax

from skreg import MLPClassifierCV, MLPRegressorCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LINEAR = {"hidden_layer_sizes": ()}


@pytest.mark.parametrize("n_ensemble", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_the_chosen(kind, n_ensemble):
    X, y = rows(kind)
    search = make(kind, n_ensemble=n_ensemble).fit(X, y)
    table = pd.DataFrame(search.chosen_)
    assert table["candidate"][0] == search.best_index_
    assert table["weight"].sum() == pytest.approx(1)
    scores = search.scores_[table["candidate"]]
    assert_allclose(table["mean_test_score"], scores.mean(axis=1))
    gaps = scores.max(axis=0) if len(scores) == 0 else scores[0] - scores
    assert_allclose(table["gap"], gaps.mean(axis=1), atol=1e-15)
    assert_allclose(table["gap_error"], gaps.std(axis=1, ddof=1) / np.sqrt(3))
    for candidate, params in zip(table["candidate"], table["params"]):
        assert search.cv_results_["params"][candidate] == params
    # The average holds each candidate once a fold, and the runner-up is beside it.
    weights = search.weights_.reshape(-1, 3).sum(axis=1)
    assert_allclose(table["weight"][table["weight"] > 0], weights)


def test_a_single_fold_has_no_error():
    X, y = rows(MLPClassifierCV)
    fold = [(np.arange(60), np.arange(60, 90))]
    search = make(MLPClassifierCV, cv=fold).fit(X, y)
    assert np.isnan(search.chosen_["gap_error"]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_inputs_that_are_used(kind):
    X, y = rows(kind)
    search = make(kind, {"group_l1": 0.3}).fit(X, y)
    used = [network.support_ for network in search.estimators_]
    assert search.support_.tolist() == np.any(used, axis=0).tolist()
    assert not search.support_.all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_coefficients_of_a_single_linear_classifier(n_classes):
    """The tempered probabilities are those of the coefficients."""
    X, y = rows(MLPClassifierCV, n_classes=n_classes)
    search = make(MLPClassifierCV, LINEAR, refit=True, n_ensemble=1).fit(X, y)
    score = X @ search.coef_.T + search.intercept_
    if n_classes == 2:
        score = np.hstack([0 * score, score])
    assert_allclose(softmax(score, axis=1), search.predict_proba(X), rtol=1e-10)
    # Against the definition of the temperature.
    inner = search.estimator_.predict_proba(X)
    prior = np.log(search.class_prior_)
    expected = (np.log(inner) - prior) / search.temperature_ + prior
    expected = log_softmax(expected, axis=1)
    assert_allclose(log_softmax(score, axis=1), expected, atol=1e-10)


@pytest.mark.parametrize("refit", ["folds", True])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("is_noise", [False, True])
def test_coefficients_of_linear_regressors(is_noise, n_outputs, refit):
    X, y = rows(MLPRegressorCV)
    y = np.random.default_rng(0).normal(size=90) if is_noise else y
    y = np.column_stack([y, -y])[:, :n_outputs].squeeze()
    search = make(MLPRegressorCV, LINEAR, refit=refit).fit(X, y)
    assert (search.shrinkage_ < 1) == is_noise
    predicted = X @ search.coef_.T + search.intercept_
    assert_allclose(predicted, search.predict(X), rtol=1e-9, atol=1e-12)


def test_what_has_no_coefficients():
    X, y = rows(MLPClassifierCV)
    average = make(MLPClassifierCV, LINEAR).fit(X, y)
    with pytest.raises(AttributeError, match="refit=True and n_ensemble=1"):
        average.coef_  # noqa: B018
    assert not hasattr(
        make(MLPClassifierCV, refit=True, n_ensemble=1).fit(X, y), "coef_"
    )
