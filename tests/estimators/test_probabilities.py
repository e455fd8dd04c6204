"""Probabilities and their logarithms at extreme scores."""

import numpy as np
import pytest
from _estimators import data
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import (
    check_classifiers_multilabel_output_format_decision_function,
    check_classifiers_multilabel_output_format_predict_proba,
)

from skreg import MLPClassifier, MLPClassifierCV

SMALL = {"hidden_layer_sizes": (4,), "max_iter": 3, "random_state": 0}
pytestmark = pytest.mark.filterwarnings(
    "ignore:Training stopped at max_iter:sklearn.exceptions.ConvergenceWarning"
)


def rows(kind):
    """Return inputs and targets of a kind."""
    X, y = data(MLPClassifier)
    if kind == "binary":
        return X, (y == 1).astype(int)
    return X, (np.eye(3, dtype=int)[y] ^ 1 if kind == "multilabel" else y)


def extreme(kind, dtype, **settings):
    """Return a classifier whose scores reach thousands, and the inputs."""
    X, y = rows(kind)
    X = X.astype(dtype)
    model = MLPClassifier(**(SMALL | settings)).fit(X, y)
    for network in model.estimators_:
        network.coefs_[-1] *= 1e4  # the network that predicts shares this memory
    return model, X, y


def mean_log_loss(y, probability):
    """Return the log loss as its formula says, without any clipping."""
    if y.ndim == 2:
        return -np.log(np.where(y, probability, 1 - probability)).sum(axis=1).mean()
    return -np.log(probability[np.arange(len(y)), y]).mean()


KINDS = ["binary", "multiclass", "multilabel"]
SETTINGS = [{}, {"n_estimators": 2}, {"n_estimators": 2, "ensemble": "shared"}]
SETTINGS += [{"n_snapshots": 2, "max_iter": 4, "learning_rate": "cosine"}]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_no_probability_is_0_or_1(kind, dtype, settings):
    model, X, y = extreme(kind, dtype, **settings)
    if not settings:
        assert np.abs(model.decision_function(X)).max() > 1000
    probability = model.predict_proba(X)
    assert probability.dtype == dtype
    assert (probability > 0).all() and (probability < 1).all()
    if kind != "multilabel":
        np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    with np.errstate(all="raise"):
        assert np.isfinite(model.predict_log_proba(X)).all()
        assert np.isfinite(mean_log_loss(y, probability))
        if kind != "multilabel":
            assert np.isfinite(log_loss(y, probability))
    expected = probability > 0.5 if kind == "multilabel" else probability.argmax(1)
    np.testing.assert_array_equal(model.predict(X), expected)
    if kind == "multilabel":  # in the order of the scores, apart from ties
        order = np.argsort(model.decision_function(X), axis=0)
        assert (np.diff(np.take_along_axis(probability, order, 0), axis=0) >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_small_probabilities_keep_their_digits(kind):
    """Where 1 - p is rounded to 0, the other class has the probability that it has."""
    model, X, _ = extreme(kind, "float64")
    score = model.decision_function(X) / 100  # up to the hundreds
    for network in model.estimators_:
        network.coefs_[-1] /= 100
        network.intercepts_[-1] /= 100
    probability, logarithm = model.predict_proba(X), model.predict_log_proba(X)
    if kind == "multiclass":
        expected, logs = softmax(score, axis=1), log_softmax(score, axis=1)
    else:
        score = np.c_[-score, score] if kind == "binary" else score
        expected, logs = expit(score), log_expit(score)
    kept = expected > 1e-300
    assert kept.any()
    np.testing.assert_allclose(probability[kept], expected[kept], rtol=1e-10)
    np.testing.assert_allclose(logarithm[kept], logs[kept], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_that_tunes_itself(kind):
    X, y = rows(kind)
    search = MLPClassifierCV(
        MLPClassifier(**SMALL),
        param_distributions={"l2": [0.0, 0.1]},
        n_candidates=2,
        cv=2,
        random_state=0,
    ).fit(X, y)
    for model in search.estimators_:
        for network in model.estimators_:
            network.coefs_[-1] *= 1e6
    search.temperature_ = 0.1
    probability = search.predict_proba(X)
    assert (probability > 0).all() and (probability < 1).all()
    assert np.isfinite(search.predict_log_proba(X)).all()
    assert np.isfinite(mean_log_loss(y, probability))


@pytest.mark.parametrize(
    "settings",
    [{}, {"group_l1": 0.01}, {"l1": 1e-3}, {"solver": "lbfgs"}, {"max_iter": 400}],
    ids=str,
)
@pytest.mark.parametrize(
    "check",
    [
        check_classifiers_multilabel_output_format_predict_proba,
        check_classifiers_multilabel_output_format_decision_function,
    ],
    ids=lambda check: check.__name__,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_checks_of_multilabel_classifiers(check, settings):
    check("MLPClassifier", MLPClassifier(**settings))
