"""The estimators that tune themselves: bad input, and candidates that fail."""

import numpy as np
import pytest
import scipy.sparse as sp
from _tuned import KINDS, fitted, make, network, numbers, rows
from scipy.stats import uniform
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skreg.estimators.fits
from skreg import MLPClassifier, MLPClassifierCV, MLPRegressor
from skreg.model_selection.race import Race

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("estimator", "MLPClassifier"),
        ("param_distributions", "regularisation"),
        ("param_distributions", [{"l2": [1]}]),
        ("n_candidates", 0),
        ("n_candidates", 2.5),
        ("cv", "5"),
        ("scoring", 2),
        ("strategy", "hyperband"),
        ("refit", "fold"),
        ("n_ensemble", 0),
        ("max_time", 0),
        ("n_jobs", 0),
        ("n_jobs", 1.5),
        ("random_state", "seed"),
        ("verbose", -1),
    ],
)
def test_parameters(kind, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {kind.__name__}"):
        make(kind, **{name: value}).fit(*rows(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelt_score(kind):
    with pytest.raises(ValueError) as caught:
        make(kind, scoring="log_los").fit(*rows(kind))
    assert str(caught.value) == (
        "scoring='log_los' is not a score of scikit-learn; did you mean 'neg_log_loss'?"
    )
    misspelt = make(kind).set_params(estimator=network(kind, monitor="acuracy"))
    with pytest.raises(ValueError, match=r"monitor='acuracy'.* mean 'accuracy'"):
        misspelt.fit(*rows(kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "of_wrong_kind",
    [
        lambda kind: MLPRegressor() if kind is MLPClassifierCV else MLPClassifier(),
        lambda kind: LogisticRegression(),
        lambda kind: make_pipeline(StandardScaler(), network(kind)),
        lambda kind: kind(),
    ],
)
def test_estimators_of_the_wrong_kind(kind, of_wrong_kind):
    search = kind(of_wrong_kind(kind))
    message = f"estimator must be an {kind.__name__[:-2]}, or None .* got"
    with pytest.raises(ValueError, match=message):
        search.fit(*rows(kind))
    assert kind.__name__ in search._repr_html_()


@pytest.mark.parametrize("kind", KINDS)
def test_names_that_no_network_has(kind):
    with pytest.raises(ValueError, match="'alpha', which is not a parameter of MLP"):
        make(kind, param_distributions={"alpha": [1]}).fit(*rows(kind))
    with pytest.raises(ValueError, match="did you mean 'dropout'"):
        make(kind, param_distributions={"dropuot": [0.1]}).fit(*rows(kind))


@pytest.mark.parametrize("strategy", ["halving", "random", "grid", "bayes"])
@pytest.mark.parametrize("value", [-1.0, "strong"])
def test_values_that_no_network_takes(strategy, value):
    space = {"l2": [value, 0.1]} if strategy != "bayes" else {"l2": [value]}
    with pytest.raises(ValueError, match="The 'l2' parameter of MLPClassifier"):
        fitted(MLPClassifierCV, param_distributions=space, strategy=strategy)


def test_a_grid_is_of_lists():
    with pytest.raises(ValueError, match="a distribution for 'l2'"):
        fitted(MLPClassifierCV, param_distributions={"l2": uniform()}, strategy="grid")
    with pytest.raises(ValueError, match="strategy='grid' needs param_distributions"):
        fitted(MLPClassifierCV, param_distributions="regularization", strategy="grid")


@pytest.mark.parametrize("strategy", ["halving", "random", "grid", "bayes"])
def test_nothing_to_choose(strategy):
    """An empty space leaves the network itself, and one candidate is one."""
    mild = {"n_candidates": 1, "param_distributions": {"l2": [1e-4, 1e-3, 1e-2]}}
    for own in ({"param_distributions": {}}, mild):
        search = make(MLPClassifierCV, strategy=strategy, **own)
        if strategy == "bayes":
            search.set_params(n_candidates=1)
        search.fit(*rows(MLPClassifierCV))
        n_candidates = len(search.cv_results_["params"])
        expected = 3 if strategy == "grid" and "n_candidates" in own else 1
        assert n_candidates == expected
        assert search.score(*rows(MLPClassifierCV)) > 0.3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["halving", "random", "grid", "bayes"])
def test_candidates_that_diverge(kind, strategy):
    space = {"learning_rate_init": [0.03, 1e200, 1e201]}
    options = {"param_distributions": space, "strategy": strategy}
    if strategy == "bayes":
        options |= {"n_candidates": 8}
    with (
        np.errstate(all="ignore"),
        pytest.warns(
            FitFailedWarning, match=r"\d of \d candidates could not .*diverged"
        ),
    ):
        search = fitted(kind, **options)
    assert search.best_params_ == {"learning_rate_init": 0.03}
    table = search.cv_results_
    rates = np.array([params["learning_rate_init"] for params in table["params"]])
    assert np.isnan(table["mean_test_score"][rates > 1]).all()
    assert table["rank_test_score"][rates > 1].min() > (rates < 1).sum()
    assert np.isfinite(numbers(search, rows(kind)[0])).all()


@pytest.mark.parametrize("kind", KINDS)
def test_all_candidates_diverge(kind):
    space = {"learning_rate_init": [1e200, 1e201]}
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="diverged"):
        fitted(kind, param_distributions=space)


@pytest.mark.parametrize("refit", ["folds", True, False])
def test_the_best_that_fails_at_the_last_moment(monkeypatch, refit):
    """What turns out when a network is looked at is a failure of its candidate."""
    best = fitted(MLPClassifierCV, strategy="random").best_params_
    usable = skreg.estimators.fits._is_usable

    def is_usable(result, *args):
        strengths = result.tracker.request.settings["l2"]
        return strengths[0] != best["l2"] and usable(result, *args)

    monkeypatch.setattr(skreg.estimators.fits, "_is_usable", is_usable)
    search = make(MLPClassifierCV, strategy="random", refit=refit)
    with pytest.warns(FitFailedWarning, match="1 of 3 candidates") as caught:
        search.fit(*rows(MLPClassifierCV))
    assert caught[0].filename == __file__
    assert search.best_params_ != best


def test_a_fold_without_a_class_to_score():
    X, y = rows(MLPClassifierCV, n_classes=2)
    order = np.argsort(y)
    folds = [(order[10:], order[:10]), (order[:-10], order[-10:])]
    search = make(MLPClassifierCV, scoring="roc_auc", cv=folds)
    with pytest.raises(ValueError, match="scoring='roc_auc' cannot be computed"):
        search.fit(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_c(kind, monkeypatch):
    def interrupt(self, epoch, in_turns=False):
        raise KeyboardInterrupt

    search = fitted(kind)
    before = numbers(search, rows(kind)[0])
    monkeypatch.setattr(Race, "advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        search.fit(*rows(kind))
    # What an earlier fit found is still there.
    np.testing.assert_array_equal(numbers(search, rows(kind)[0]), before)


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_cannot_be_used(kind):
    X, y = rows(kind)
    with pytest.raises(ValueError, match="contains infinity"):
        make(kind).fit(np.where(X > 0, X, np.inf), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make(kind).fit(X, y[:-1])
    with pytest.raises(ValueError, match="Negative values in data"):
        make(kind).fit(X, y, sample_weight=np.full(90, -1.0))
    with pytest.raises(ValueError, match="at least one non-zero number"):
        make(kind).fit(X, y, sample_weight=np.zeros(90))
    with pytest.raises(ValueError, match="for sparse X"):
        space = {"numeric_embedding": ["piecewise_linear"]}
        make(kind, param_distributions=space).fit(sp.csr_array(X), y)
    if kind is MLPClassifierCV:
        with pytest.raises(ValueError, match="at least two classes"):
            make(kind).fit(X, np.zeros(90))
    else:
        with pytest.raises(ValueError, match="needs numbers as targets"):
            make(kind).fit(X, np.full(90, "a"))


def test_seeds_are_not_searched():
    X, y = rows(MLPClassifierCV)
    with pytest.raises(ValueError, match="must not contain 'random_state'"):
        MLPClassifierCV(param_distributions={"random_state": [0, 1]}).fit(X, y)
