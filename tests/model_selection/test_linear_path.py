"""The linear model beside a search, against scikit-learn's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, MLPClassifierCV, MLPRegressorCV
from skreg.model_selection.linear_path import linear_settings
from skreg.model_selection.trials import Trial

FOLDS = [
    (np.arange(0, 300), np.arange(300, 440)),
    (np.arange(140, 440), np.arange(140)),
]


def data(kind):
    load = load_breast_cancer if kind is MLPClassifierCV else load_diabetes
    X, y = load(return_X_y=True)
    return X[:440], y[:440]


def fitted(kind, **settings):
    X, y = data(kind)
    settings = {"n_candidates": 2, "cv": FOLDS, "random_state": 0} | settings
    return kind(**settings).fit(X, y)


def linear_results(search):
    """Return the strengths and the scores of the linear models."""
    results = search.cv_results_
    is_linear = [params.get("hidden_layer_sizes") == () for params in results["params"]]
    return results["param_l2"][is_linear].astype(float), search.scores_[is_linear]


@pytest.mark.parametrize("kind", [MLPClassifierCV, MLPRegressorCV])
def test_scores_are_those_of_scikit_learn(kind):
    """The optimum of each strength, to the tolerance at which the solver stops."""
    (X, y), search = data(kind), fitted(kind)
    strengths, scores = linear_results(search)
    assert len(strengths) >= 5
    for strength, own in zip(strengths, scores, strict=True):
        for score, (train, test) in zip(own, FOLDS, strict=True):
            scaler, n = StandardScaler().fit(X[train]), len(train)
            rows, new = scaler.transform(X[train]), scaler.transform(X[test])
            if kind is MLPClassifierCV:
                model = LogisticRegression(C=1 / (2 * n * strength), tol=1e-8)
                model.set_params(max_iter=10_000).fit(rows, y[train])
                expected = -log_loss(y[test], model.predict_proba(new))
            else:
                model = Ridge(2 * n * strength).fit(rows, y[train])
                expected = -mean_squared_error(y[test], model.predict(new))
            # A gradient of 1e-4 on curvatures of at least 2 * l2.
            assert_allclose(score, expected, rtol=5e-3)


@pytest.mark.parametrize("kind", [MLPClassifierCV, MLPRegressorCV])
def test_the_best_strength_lies_between_worse_ones(kind):
    search = fitted(kind)
    strengths, scores = linear_results(search)
    order = np.argsort(strengths)
    means = scores.mean(axis=1)[order]
    best = means.argmax()
    assert search.linear_score_ == means[best]
    assert_allclose(np.diff(np.log10(strengths[order]))[best - 1 : best + 1], 0.5)


def test_a_linear_truth_is_left_to_the_linear_model():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    y = X @ [1.0, -1, 0.5, 0, 0] + rng.normal(size=300)
    search = MLPRegressorCV(n_candidates=4, random_state=0).fit(X, y)
    X_new = rng.normal(size=(5000, 5))
    truth = X_new @ [1.0, -1, 0.5, 0, 0]
    error = np.mean((search.predict(X_new) - truth) ** 2)
    ridge = np.mean((Ridge(1.0).fit(X, y).predict(X_new) - truth) ** 2)
    # Of the noise of 1, networks alone leave several times as much beside it.
    assert error < ridge + 0.02
    assert search.linear_weight_ > 0.5


def test_without_it_and_with_spaces_of_the_user():
    search = fitted(MLPClassifierCV, linear_path=False)
    assert search.linear_weight_ == 0 and np.isnan(search.linear_score_)
    assert len(search.scores_) == 2
    own = {"param_distributions": {"l2": [0.1, 0.01]}}
    assert len(fitted(MLPClassifierCV, **own).scores_) == 2
    search = fitted(MLPClassifierCV, linear_path=True, **own)
    assert len(search.scores_) > 4 and search.linear_score_ < 0
    linear = fitted(MLPClassifierCV, estimator=MLPClassifier(()))
    assert linear.linear_weight_ == 0


def test_a_single_candidate_may_be_the_linear_model():
    search = fitted(MLPClassifierCV, n_ensemble=1, refit=True)
    assert len(search.estimators_) == 1 and search.temperatures_.tolist() == [1]
    assert search.linear_weight_ in (0, 1)


def test_settings_are_without_noise():
    noisy = MLPClassifier(
        dropout=0.2, batchnorm=True, mixup=0.1, early_stopping=True, l1=0.1
    )
    found = linear_settings(noisy)
    assert found["hidden_layer_sizes"] == () and found["dropout"] == 0
    alone = MLPClassifier().set_params(**found | {"l2": 0.1})
    X, y = data(MLPClassifierCV)
    assert alone.fit(X, y).kkt_violation_ < 1e-6
    assert linear_settings(alone) == {}


def test_optimism_is_what_the_best_epoch_of_a_fold_gains():
    curves = [[3.0, 2.0, 4.0, 9.0], [3.0, 5.0, 1.0]]
    trial = Trial(
        number=0, params={}, entries=[], scores=np.zeros(2), rung=0, is_finalist=True,
        n_epochs=[4, 3], best_epochs=[2, 3], curves=curves, seconds=np.zeros(2),
        results=[],
    )  # fmt: skip
    # At the best epoch of the other, the first has 4 instead of 2, the second 5, not 1.
    assert trial.optimism == pytest.approx(1 - 1.5 / 4.5)
    trial.curves = [[], []]
    assert trial.optimism == 0
