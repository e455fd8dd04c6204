"""Every score of scikit-learn on every kind of target: its value, or an error."""

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import (
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    RidgeCV,
)
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, compare
from skreg.comparison.choices import inner_search
from skreg.comparison.commandline import main
from skreg.comparison.contenders import contenders
from skreg.comparison.datasets import Table
from skreg.comparison.inner_scorer import InnerScorer
from skreg.comparison.score_kinds import check_scoring
from skreg.compatibility import RIDGE_LOGISTIC_CV, metric_of

pytestmark = [
    # Two of two classes are always among the best two.
    pytest.mark.filterwarnings("ignore:'k' .*will result in a perfect score"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning"),
]
N = 60


def classes(names):
    X, codes = make_classification(
        N,
        4,
        n_informative=3,
        n_redundant=0,
        n_classes=len(names),
        n_clusters_per_class=1,
        flip_y=0.3,
        random_state=0,
    )
    return X, np.array(names, dtype=object if isinstance(names[0], str) else None)[
        codes
    ]


def numbers(lowest):
    X = np.random.default_rng(0).normal(size=(N, 4))
    y = X @ [1.0, 2.0, 0.0, 0.0] + np.random.default_rng(1).normal(size=N)
    return X, y - y.min() + lowest


TARGETS = {
    "two": classes([0, 1]),
    "signs": classes([-1, 1]),
    "without 1": classes([2, 3]),
    "booleans": classes([False, True]),
    "words": classes(["no", "yes"]),
    "three": classes([0, 1, 2]),
    "three words": classes(["a", "b", "c"]),
    "numbers": numbers(-5.0),
    "positive numbers": numbers(20.0),
}
# A score is for the kind of target that its function is documented for: the module of
# the function in scikit-learn.
KINDS = {
    name: {"cluster": "clusters", "_regression": "numbers"}.get(
        metric_of(get_scorer(name)).__module__.split(".")[2], "classes"
    )
    for name in get_scorer_names()
}
AVERAGED = [
    f"{name}_{average}"
    for name in ("f1", "jaccard", "precision", "recall")
    for average in ("macro", "micro", "weighted")
]


def setting(target):
    """Return the data, a linear model, its folds and the kind of the target."""
    X, y = TARGETS[target]
    if "numbers" in target:
        return X, y, Ridge(), KFold(2, shuffle=True, random_state=0), "numbers"
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    return X, y, LogisticRegression(), folds, "classes"


@cache
def scikit_learn_gives(target, scoring):
    """Return the scores of scikit-learn, None if it cannot compute them."""
    X, y, model, folds, _ = setting(target)
    try:
        return cross_val_score(
            model, X, y, scoring=scoring, cv=folds, error_score="raise"
        )
    except ValueError:
        return None


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("scoring", get_scorer_names())
def test_a_score_is_scikit_learns_or_an_error_says_what_it_is_for(scoring, target):
    X, y, model, folds, kind = setting(target)
    models = {"a": model, "b": clone(model)}

    def compared():
        return compare(models, X, y, scoring=scoring, cv=folds)

    expected = None
    if KINDS[scoring] == kind:
        expected = scikit_learn_gives(target, scoring)
    if expected is not None and np.isfinite(expected).all():
        np.testing.assert_array_equal(compared().scores["b"], expected)
        return
    with pytest.raises(ValueError) as caught:
        compared()
    message = str(caught.value)
    assert message.startswith(f"scoring={scoring!r} is for ")
    assert re.search("classes|numbers|clusters", message)
    # All scores that it suggests can be used.
    suggested = re.findall("'([^']*)'", message.partition("; use ")[2])
    assert suggested and scoring not in suggested
    for name in suggested:
        assert KINDS[name] == kind
        assert scikit_learn_gives(target, name) is not None


# scikit-learn warns that the probabilities of labels do not sum to one.
@pytest.mark.filterwarnings("ignore:The y_pr(ob|ed) values do not sum to one")
def test_scores_of_several_labels_per_row():
    """Refused if and only if scikit-learn cannot score a fitted network by them."""
    X, y = make_multilabel_classification(60, random_state=0)
    model = MLPClassifier((), l2=0.1, random_state=0).fit(X, y)
    n_refused = 0
    for scoring in get_scorer_names():
        try:
            get_scorer(scoring)(model, X, y)
            is_usable = KINDS[scoring] == "classes"
        except ValueError:
            is_usable = False
        if is_usable:
            assert check_scoring(scoring, y, is_classes=True) == scoring
            continue
        n_refused += 1
        with pytest.raises(ValueError, match=f"scoring={scoring!r} is for "):
            check_scoring(scoring, y, is_classes=True)
    assert 0 < n_refused < len(KINDS)


def baseline(target, scoring):
    """Return standardised inputs, the target and the baseline of the command line."""
    X, y, _, _, kind = setting(target)
    task = {"classes": "classification", "numbers": "regression"}[kind]
    table = Table("toy", pd.DataFrame(X), y, "target", task)
    made = contenders(table, scoring=scoring, n_candidates=1, seed=0)
    model = inner_search(next(iter(made.values())))
    return StandardScaler().fit_transform(X), y, clone(model)


OF_PROBABILITIES = ["roc_auc_ovr", "neg_log_loss"]


@pytest.mark.parametrize(
    "target, scoring",
    [(t, s) for t in ("two", "three") for s in (*AVERAGED, *OF_PROBABILITIES)]
    # How classes are called does not depend on the average.
    + [
        (t, s)
        for t in ("without 1", "words", "booleans")
        for s in (*AVERAGED[::4], *OF_PROBABILITIES)
    ],
)
def test_the_baseline_chooses_the_strength_by_the_score(scoring, target):
    """The same as by cross-validation of each strength with scikit-learn's scorer."""
    X, y, model = baseline(target, scoring)
    model.set_params(Cs=[1e-3, 0.1, 10.0]).fit(X, y)
    means = [
        cross_val_score(
            LogisticRegression(C=C, max_iter=1000), X, y, scoring=scoring, cv=model.cv
        ).mean()
        for C in model.Cs
    ]
    scores = model.scores_
    scores = next(iter(scores.values())) if isinstance(scores, dict) else scores
    found = scores.reshape(-1, len(model.Cs)).mean(axis=0)
    # Both minimise the same convex loss, up to LogisticRegression's tolerance of 1e-4.
    np.testing.assert_allclose(found, means, rtol=1e-3, atol=1e-3)
    assert np.unique(model.C_).tolist() == [model.Cs[int(np.argmax(found))]]


def test_the_baseline_for_numbers_avoids_strengths_without_a_score():
    """Weak penalties predict numbers below 0, for which a deviance is not defined."""
    scoring = "neg_mean_gamma_deviance"
    X, y, model = baseline("positive numbers", scoring)
    y = np.exp(y - y.mean())
    weak = RidgeCV(alphas=[1e-3], scoring=scoring)
    with pytest.raises(ValueError, match="strictly positive"):
        weak.fit(X, y)
    model.fit(X, y)
    assert np.isfinite(model.best_score_) and model.alpha_ > 1e-3
    expected = RidgeCV(alphas=[model.alpha_], scoring=scoring).fit(X, y)
    assert model.best_score_ == pytest.approx(expected.best_score_, rel=1e-9)


def test_a_score_that_is_not_defined_is_the_worst():
    """Whether it is NaN or an error, such as an area with a single class."""
    X, y = TARGETS["two"]
    model = LogisticRegression().fit(X, y)
    assert InnerScorer("roc_auc")(model, X[y == 0], y[y == 0]) == -np.inf
    assert InnerScorer("roc_auc")(model, X, y) == get_scorer("roc_auc")(model, X, y)


def test_a_callable_is_used_for_any_target():
    X, y, model, folds, _ = setting("three")
    models, scorer = {"a": model, "b": model}, get_scorer("neg_mean_absolute_error")
    result = compare(models, X, y, scoring=scorer, cv=folds)
    expected = cross_val_score(model, X, y, scoring=scorer, cv=folds)
    np.testing.assert_array_equal(result.scores["b"], expected)


def test_predictions_that_a_score_is_not_for_are_explained():
    X, y = TARGETS["positive numbers"]
    models = {"a": Ridge(), "b": Ridge()}
    with pytest.raises(ValueError) as caught:
        compare(models, X, np.exp(y - 22), scoring="neg_mean_gamma_deviance", cv=3)
    assert caught.value.__notes__[1] == (
        "scoring='neg_mean_gamma_deviance' is for positive numbers, also as predictions"
    )


# the command line


def write(target, folder):
    X, y = TARGETS[target]
    path = folder / f"{target.replace(' ', '_')}.csv"
    pd.DataFrame(X).assign(target=y).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("target", ["two", "words", "three words", "numbers"])
def test_the_command_line_names_the_kind_of_target(target, tmp_path, capsys):
    """For every score of another kind, in one line and with exit code 2."""
    path, (_, _, _, _, kind) = write(target, tmp_path), setting(target)
    for scoring in get_scorer_names():
        if KINDS[scoring] == kind and not scoring.endswith("_samples"):
            continue
        assert main(["compare", str(path), "--scoring", scoring]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert err.startswith(f"skreg: error: scoring={scoring!r} is for ")
        assert re.search("is for (classes|numbers|clusters)", err)


@pytest.mark.parametrize(
    ("target", "scoring"),
    [
        ("words", "jaccard_weighted"),
        ("three words", "roc_auc_ovo"),
        ("positive numbers", "neg_mean_gamma_deviance"),
    ],
)
def test_the_command_line_scores(target, scoring, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    quick = ["--cv", "2", "--repeats", "1", "--n-candidates", "2"]
    command = ["compare", str(write(target, tmp_path)), "--scoring", scoring, *quick]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert scoring in out.splitlines()[1]


def test_scikit_learn_still_fails_on_averaged_scores_of_two_classes():
    """When it does not, `InnerScorer` need not avoid its own scorer."""
    X, y = TARGETS["two"]
    model = LogisticRegressionCV(scoring="f1_macro", **RIDGE_LOGISTIC_CV)
    if not RIDGE_LOGISTIC_CV:
        pytest.skip("before scikit-learn 1.8, LogisticRegressionCV used named scorers")
    with pytest.raises(TypeError, match=r"multiple values for keyword .* 'pos_label'"):
        model.fit(X, y)
