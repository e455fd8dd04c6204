"""All of scikit-learn's scores, of labels of any kind and rows that lack a class."""

import re
import warnings
from functools import cache

import numpy as np
import pytest
from _estimators import data
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    get_scorer,
    get_scorer_names,
    log_loss,
    make_scorer,
)

from skreg import MLPClassifier, MLPClassifierCV, MLPRegressor, MLPRegressorCV
from skreg.compatibility import SKLEARN
from skreg.estimators import base
from skreg.estimators.labels import learn_labels
from skreg.estimators.score_checks import check_score
from skreg.estimators.scoring import score_function
from skreg.model_selection.race import Race

# Scores of clusters and of classes that a fold predicts in part warn of it.
pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = get_scorer_names()
REFUSED = "(is for|cannot be computed)"
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
# Names of the classes, in their order.
KINDS = {
    "strings": ["no", "yes"],
    "integers": [3, 7],
    "negative": [-1, 1],
    "booleans": [False, True],
    "three strings": ["a", "b", "c"],
    "three integers": [10, 20, 40],
}


def labelled(kind, n_samples=60):
    """Return inputs, labels and their codes."""
    names = np.array(KINDS[kind])
    X, codes = data(MLPClassifier, n_samples, n_classes=len(names))
    return X, names[codes], codes


def attempt(compute):
    """Return a number, or None where there is none."""
    try:
        return compute()
    except ValueError:
        return None


@cache
def fitted_pair(kind):
    """Return a network of labels, and one of their codes."""
    X, *targets = labelled(kind)
    return [MLPClassifier(**SMALL).fit(X, y) for y in targets]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_score_of_labels_is_that_of_their_codes(name, kind):
    X, y, codes = labelled(kind)
    model, coded = fitted_pair(kind)
    _, targets = learn_labels(y, None, "it")
    expected = attempt(lambda: get_scorer(name)(coded, X, codes))
    if expected is None:
        with pytest.raises(ValueError, match=f"scoring='{name}' {REFUSED}") as caught:
            check_score("scoring", name, targets, y)
        suggested = re.findall("'([^']*)'", str(caught.value).partition("; use ")[2])
        assert suggested
        for other in suggested:
            check_score("scoring", other, targets, y)
        return
    check_score("scoring", name, targets, y)
    found = score_function(name, targets)(model, X, y)
    np.testing.assert_equal(found, expected)  # nan in some versions


@pytest.mark.parametrize("kind", ["strings", "three strings"])
@pytest.mark.parametrize("name", NAMES)
def test_monitors_are_scores_or_errors_before_training(name, kind, monkeypatch):
    """Validation rows of all classes, and of all but the last."""
    X, y, codes = labelled(kind)
    for rows in (codes >= 0, codes < codes.max()):
        fits = []
        for labels in (y, codes):
            net = MLPClassifier(**SMALL, early_stopping=True, monitor=name)
            fits.append(
                attempt(lambda: net.fit(X, labels, X_val=X[rows], y_val=labels[rows]))
            )
        if fits[0] is not None:
            scores = [fit.validation_scores_ for fit in fits]
            assert scores[0] == scores[1]
            assert np.isfinite(scores[0]).all() or name.endswith("likelihood_ratio")
            continue
        assert fits[1] is None
        monkeypatch.setattr(base, "train_fit", None)
        net = MLPClassifier(**SMALL, early_stopping=True, monitor=name)
        with pytest.raises(ValueError, match=f"monitor='{name}' {REFUSED}"):
            net.fit(X, y, X_val=X[rows], y_val=y[rows])
        monkeypatch.undo()


@pytest.mark.parametrize("kind", ["booleans", "three strings"])
@pytest.mark.parametrize(
    "name", [n for n in NAMES if not n.endswith(("_score", "_error", "_deviance"))]
)
def test_searches_are_scored_or_errors_before_training(name, kind, monkeypatch):
    """The last fold lacks a class."""
    X, y, codes = labelled(kind)
    order = np.argsort(codes, kind="stable")
    folds = [(order[5:], order[:5]), (order[:-25], order[-25:])]
    options = {"n_candidates": 2, "cv": folds, "random_state": 0, "refit": False}
    network = MLPClassifier(**SMALL)
    found = [
        attempt(lambda: MLPClassifierCV(network, scoring=name, **options).fit(X, each))
        for each in (y, codes)
    ]
    if found[0] is not None:
        np.testing.assert_array_equal(found[0].scores_, found[1].scores_)
        return
    assert found[1] is None
    monkeypatch.setattr(Race, "advance", None)
    with pytest.raises(ValueError, match=f"scoring='{name}' {REFUSED}"):
        MLPClassifierCV(network, scoring=name, **options).fit(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_rows_that_lack_a_class(kind):
    """Against the metrics, told all labels."""
    X, y, codes = labelled(kind)
    model = MLPClassifier(**SMALL).fit(X, y)
    _, targets = learn_labels(y, None, "it")
    rows = codes < codes.max()
    probability = model.predict_proba(X[rows])
    found = score_function("neg_log_loss", targets)(model, X[rows], y[rows])
    expected = -log_loss(y[rows], probability, labels=model.classes_)
    assert found == pytest.approx(expected, rel=1e-14)
    scorer = make_scorer(
        log_loss, greater_is_better=False, response_method="predict_proba"
    )
    assert score_function(scorer, targets)(model, X[rows], y[rows]) == found
    if len(model.classes_) == 2:
        expected = -np.mean((probability[:, 1] - codes[rows]) ** 2)
    elif SKLEARN >= (1, 7):
        expected = -brier_score_loss(y[rows], probability, labels=model.classes_)
    else:  # it is for two classes only
        return
    found = score_function("neg_brier_score", targets)(model, X[rows], y[rows])
    assert found == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("name", ["f1", "precision", "recall", "jaccard"])
def test_the_score_method_of_a_search(name):
    X, y, codes = labelled("strings")
    search = MLPClassifierCV(
        MLPClassifier(**SMALL), scoring=name, n_candidates=2, cv=2, random_state=0
    ).fit(X, y)
    metric = get_scorer(name)._score_func
    assert search.score(X, y) == metric(codes, search.predict(X) == "yes")


def test_labels_that_were_not_trained():
    """They are wrongly predicted, and have no probability."""
    X, y, codes = labelled("strings")
    net = MLPClassifier(**SMALL).fit(X, y)
    _, targets = learn_labels(y, None, "it")
    others = np.where(codes, "yes", "maybe")
    expected = accuracy_score(others, net.predict(X))
    assert score_function("accuracy", targets)(net, X, others) == expected
    for name in ("roc_auc", "neg_brier_score", "neg_log_loss", "average_precision"):
        with pytest.raises(ValueError, match=r"\['maybe'\] are not among the classes"):
            score_function(name, targets)(net, X, others)


def test_a_scorer_of_the_user_gets_the_labels():
    X, y, _ = labelled("strings")
    scorer = make_scorer(f1_score, pos_label="no")
    net = MLPClassifier(**SMALL, early_stopping=True, monitor=scorer)
    net.fit(X, y, X_val=X, y_val=y)
    assert net.best_validation_score_ == f1_score(y, net.predict(X), pos_label="no")
    other = make_scorer(f1_score, pos_label="maybe")
    with pytest.raises(ValueError, match=r"monitor=make_scorer.* cannot be computed"):
        net.set_params(monitor=other).fit(X, y)


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_regressors(name, monkeypatch):
    X, y = data(MLPRegressor)
    # As whole as the labels of classes, and so large that predictions are positive.
    y = 100 + np.abs(np.round(y))
    net = MLPRegressor(**SMALL, early_stopping=True, monitor=name)
    tuning = {"n_candidates": 2, "cv": 2, "random_state": 0}
    search = MLPRegressorCV(MLPRegressor(**SMALL), scoring=name, **tuning)
    if attempt(lambda: net.fit(X, y)) is not None:
        fitted = MLPRegressor(**SMALL, early_stopping=True, monitor=name)
        fitted.fit(X, y, X_val=X, y_val=y)
        expected = get_scorer(name)(fitted, X, y)
        assert fitted.best_validation_score_ == pytest.approx(expected, rel=1e-12)
        search.fit(X, y)
        return
    monkeypatch.setattr(base, "train_fit", None)
    with pytest.raises(ValueError, match=f"monitor='{name}' {REFUSED}"):
        net.fit(X, y)
    monkeypatch.setattr(Race, "advance", None)
    with pytest.raises(ValueError, match=f"scoring='{name}' {REFUSED}"):
        search.fit(X, y)


@pytest.mark.parametrize("name", NAMES)
def test_scores_of_labels(name, monkeypatch):
    X, Y = make_multilabel_classification(60, 5, n_classes=3, random_state=0)
    net = MLPClassifier(**SMALL, early_stopping=True, monitor=name)
    if attempt(lambda: net.fit(X, Y, X_val=X, y_val=Y)) is not None:
        expected = get_scorer(name)(net, X, Y)
        assert net.best_validation_score_ == pytest.approx(expected, rel=1e-12)
        return
    monkeypatch.setattr(base, "train_fit", None)
    with pytest.raises(ValueError, match=f"monitor='{name}' {REFUSED}"):
        net.fit(X, Y, X_val=X, y_val=Y)


@given(
    codes=st.lists(st.integers(0, 2), min_size=1, max_size=8),
    name=st.sampled_from(NAMES),
    kind=st.sampled_from(["three strings", "strings"]),
    seed=st.integers(0, 99),
)
@settings(max_examples=100)
def test_rows_that_are_accepted_have_a_score(codes, name, kind, seed):
    """Whatever is predicted, but for ratios that are undefined without errors."""
    X, y, _ = labelled(kind)
    names = np.array(KINDS[kind])
    rows = names[np.minimum(codes, len(names) - 1)]
    model = MLPClassifier(**SMALL | {"random_state": seed, "max_iter": 1}).fit(X, y)
    _, targets = learn_labels(y, None, "it")
    try:
        check_score("scoring", name, targets, rows)
    except ValueError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = score_function(name, targets)(model, X[: len(rows)], rows)
    assert np.isfinite(found) or name.endswith("likelihood_ratio")


@pytest.mark.parametrize(
    ("name", "n_classes", "rows", "message"),
    [
        ("f1", 3, [0, 1], "is for two classes, and the target has 3; use 'f1_"),
        ("f1_samples", 2, [0, 1], "is for classes of which a row can have several"),
        (
            "roc_auc",
            2,
            [0, 0],
            r"cannot be computed .* \['a'\] of \['a', 'b'\]: .*; use",
        ),
        ("neg_mean_gamma_deviance", 2, [0, 1], "is for numbers, and the target is cl"),
    ],
)
def test_what_a_score_is_for(name, n_classes, rows, message):
    y, targets = learn_labels(np.array(list("abc"))[:n_classes], None, "it")
    with pytest.raises(ValueError, match=f"monitor='{name}' {message}"):
        check_score("monitor", name, targets, y[rows])


def test_too_few_rows_for_a_score():
    """The reason is that of scikit-learn, not one of classes."""
    X, y = data(MLPRegressor)
    net = MLPRegressor(**SMALL, early_stopping=True, monitor="r2")
    with pytest.raises(ValueError, match=r"monitor='r2' .*n_samples=1 .*two samples"):
        net.fit(X, y, X_val=X[:1], y_val=y[:1])


@pytest.mark.parametrize("monitor", ["loss", "accuracy", "neg_log_loss"])
def test_divergence_is_named(monitor):
    """Also if the mean loss of the epoch, in which weights overflow, is finite."""
    X, y, _ = labelled("strings")
    net = MLPClassifier(
        **SMALL | {"max_iter": 20},
        early_stopping=True,
        monitor=monitor,
        solver="sgd",
        learning_rate_init=1e200,
        batch_size=60,
    )
    with pytest.raises(ValueError, match=r"diverged.*learning_rate_init"):
        net.fit(X, y, X_val=X, y_val=y)
