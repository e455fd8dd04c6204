"""Losses given as objects: against those with names, and against other packages."""

import pickle

import numpy as np
import pytest
from _losses import (
    Expectile,
    Hazard,
    InTheUnitOfTheTarget,
    OwnPoisson,
    OwnSquaredError,
    Softplus,
    Tweedie,
)
from _numeric import request_of
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from scipy.special import expit
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression, Ridge, TweedieRegressor
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.utils import get_tags

from skreg import (
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    MLPRegressorCV,
    fused,
    regularization_path,
)
from skreg.estimators import base
from skreg.losses import HuberLoss, QuantileLoss, SquaredError, check_loss
from skreg.training.grouping import stacks_of

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

LINEAR = {"hidden_layer_sizes": ()}
# At the optimum, to the last digits.
EXACT = LINEAR | {
    "solver": "lbfgs",
    "tol": 1e-10,
    "max_iter": 1000,
    "standardize": False,
    "random_state": 0,
}


def draw(n_outputs=1, n_rows=120, seed=0):
    """Return inputs, counts that depend on them, and weights."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    coef = rng.normal(scale=0.4, size=(4, n_outputs))
    y = rng.poisson(np.exp(X @ coef + 0.5)).astype(float)
    weight = rng.integers(1, 4, n_rows).astype(float)
    return X, y[:, 0] if n_outputs == 1 else y, weight


SETTINGS = {
    "default": {},
    "linear": LINEAR,
    "l1": LINEAR | {"l1": 0.02},
    "lbfgs": LINEAR | {"solver": "lbfgs", "l2": 0.01},
    "early_stopping": {"early_stopping": True},
    "not_standardised": {"standardize": False},
    "no_intercept": {"fit_intercept": False},
    "members": {"n_estimators": 3, "ensemble": "shared"},
    "snapshots": {"learning_rate": "cosine", "n_snapshots": 2},
    "float32": {"dtype": "float32"},
}
NAMED = {"squared_error": OwnSquaredError(), "poisson": OwnPoisson()}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_the_same_loss_written_by_a_user(name, setting, n_outputs):
    X, y, weight = draw(n_outputs)
    named = MLPRegressor(loss=name, random_state=0, **SETTINGS[setting])
    own = clone(named).set_params(loss=NAMED[name])
    for estimator in (named, own):
        estimator.fit(X, y, sample_weight=weight)
    # The same arithmetic, in another order. Rounding grows from step to step, and fast
    # with L-BFGS, which divides small differences and ends the fits of linear models.
    loose = {"float32": 1e-4, "lbfgs": 1e-9, "linear": 1e-9, "l1": 1e-9}
    tolerance = loose.get(setting, 1e-12)
    assert_allclose(own.predict(X), named.predict(X), rtol=tolerance, atol=tolerance)
    assert_allclose(own.loss_curve_, named.loss_curve_, rtol=tolerance)
    assert own.out_activation_ == named.out_activation_
    if setting in ("linear", "l1"):
        assert_allclose(own.coef_, named.coef_, atol=tolerance)
        assert_allclose(own.intercept_, named.intercept_, atol=tolerance)
        assert own.kkt_violation_ <= 1e-6
    assert_allclose(
        own.target_scale_ if own.target_scale_ is not None else 1,
        named.target_scale_ if named.target_scale_ is not None else 1,
        rtol=1e-15,
    )


@pytest.mark.parametrize(
    "given, name, options",
    [
        (SquaredError(), "squared_error", {}),
        (HuberLoss(), "huber", {}),
        (QuantileLoss(0.8), "quantile", {"quantile": 0.8}),
        (QuantileLoss([0.2, 0.8]), "quantile", {"quantile": (0.2, 0.8)}),
    ],
)
def test_the_losses_with_names_as_objects(given, name, options):
    """They are computed by the compiled library, too: the same bits."""
    X, y, _ = draw()
    own = MLPRegressor(loss=given, random_state=0).fit(X, y)
    named = MLPRegressor(loss=name, random_state=0, **options).fit(X, y)
    assert (own.predict(X) == named.predict(X)).all()


class Doubled(SquaredError):
    """Squared error without the factor of one half, derived from a loss of skreg."""

    is_quadratic = False

    def elementwise(self, score, target):
        return (score - target) ** 2

    def derivative(self, score, target):
        return 2 * (score - target)

    def curvature(self, score, target, direction):
        return 2 * direction


def test_a_loss_that_derives_from_one_of_skreg_is_another():
    """Ridge regression, with the loss doubled instead of the penalty halved."""
    X, y, _ = draw()
    check_loss(Doubled())
    found = MLPRegressor(loss=Doubled(), l2=0.2, **EXACT).fit(X, y)
    reference = Ridge(alpha=0.2 * len(y)).fit(X, y)
    assert_allclose(found.coef_, reference.coef_, atol=1e-8)


@pytest.mark.parametrize("power", [1.2, 1.5, 1.9])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
@pytest.mark.parametrize("weighted", [False, True])
def test_linear_models_are_scikit_learns(power, alpha, weighted):
    X, y, weight = draw()
    weight = weight if weighted else None
    reference = TweedieRegressor(power=power, alpha=alpha, tol=1e-10, max_iter=10_000)
    reference.fit(X, y, sample_weight=weight)
    found = MLPRegressor(loss=Tweedie(power), l2=alpha / 2, **EXACT)
    found.fit(X, y, sample_weight=weight)
    # The gradient of both is below 1e-9, and the curvature at least 0.1.
    assert_allclose(found.coef_, reference.coef_, atol=1e-7)
    assert_allclose(found.intercept_, reference.intercept_, atol=1e-7)
    assert_allclose(found.predict(X), reference.predict(X), rtol=1e-6)


def test_l1_ends_at_an_optimum():
    """The optimality conditions of l1, with the derivative of the deviance by hand."""
    X, y, _ = draw()
    found = MLPRegressor(loss=Tweedie(1.5), l1=0.1, **EXACT).fit(X, y)
    mean = found.predict(X)
    slope = X.T @ (mean**0.5 - y * mean**-0.5) / len(y)
    zero = found.coef_ == 0
    assert 0 < zero.sum() < 4
    assert (np.abs(slope[zero]) <= 0.1 + 1e-8).all()
    assert_allclose(slope[~zero], -0.1 * np.sign(found.coef_[~zero]), atol=1e-8)
    assert found.kkt_violation_ < 1e-8


def test_hazards_are_logistic_regressions_of_the_rows_at_risk():
    X, _, _ = draw()
    rng = np.random.default_rng(1)
    last = rng.integers(1, 4, len(X))  # how many of three intervals are seen
    has_event = rng.random(len(X)) < expit(X[:, 0])
    y = np.where(np.arange(3) < last[:, None], 0, -1)
    y[np.arange(len(X)), last - 1] = has_event
    found = MLPRegressor(loss=Hazard(), l2=0.01, **EXACT).fit(X, y)
    for k, hazard in enumerate(found.predict(X).T):
        seen = y[:, k] >= 0
        # The mean is over all rows, and the sum over those at risk.
        reference = LogisticRegression(C=1 / (2 * 0.01 * len(X)), tol=1e-10)
        reference.fit(X[seen], y[seen, k])
        assert_allclose(hazard, reference.predict_proba(X)[:, 1], atol=1e-6)


def test_targets_are_scaled_by_the_link():
    X, y, weight = draw()
    mean = np.average(y, weights=weight)
    scales = {
        Expectile(0.8): (mean, np.average((y - mean) ** 2, weights=weight) ** 0.5),
        Tweedie(1.5): (None, mean),
        Softplus(): (None, None),
        InTheUnitOfTheTarget(2.0): (None, None),
    }
    for loss, scale in scales.items():
        found = MLPRegressor(loss=loss, random_state=0).fit(X, y, weight)
        for known, wanted in zip((found.target_offset_, found.target_scale_), scale):
            assert (known is None) == (wanted is None)
            assert wanted is None or known == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize("loss", [Expectile(0.8), Tweedie(1.5)])
def test_the_unit_of_the_targets_does_not_matter_if_they_are_scaled(loss):
    X, y, _ = draw()
    shift = 7.0 if loss.out_activation == "identity" else 0.0
    one = MLPRegressor(loss=loss, random_state=0).fit(X, y).predict(X)
    other = MLPRegressor(loss=loss, random_state=0).fit(X, 1000 * y + shift).predict(X)
    assert_allclose(other, 1000 * one + shift, rtol=1e-10)


@pytest.mark.parametrize("width", [0.5, 20.0])
def test_a_loss_may_keep_the_unit_of_the_target(width):
    """Against the best constant, found by the zero of the derivative."""
    X, y, _ = draw()
    y = 10 * y
    found = MLPRegressor(
        loss=InTheUnitOfTheTarget(width), l1=1e3, tol=1e-9, random_state=0, **LINEAR
    ).fit(X, y)

    def slope(constant):
        return np.mean((constant - y) / np.hypot(constant - y, width))

    assert_allclose(found.predict(X), brentq(slope, 0, y.max()), rtol=1e-5)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_coefficients_under_an_inverse_link_of_its_own(fit_intercept):
    X, y, _ = draw()
    found = MLPRegressor(
        loss=Softplus(), random_state=0, fit_intercept=fit_intercept, **LINEAR
    ).fit(X, y)
    predicted = np.logaddexp(0, X @ found.coef_ + found.intercept_)
    assert_allclose(found.predict(X), predicted, rtol=1e-12)


@pytest.mark.parametrize("loss", [Softplus(), Tweedie(1.5), Hazard()])
def test_several_networks_predict_the_mean(loss):
    X, y, _ = draw()
    y = np.minimum(y, 1)
    found = MLPRegressor(loss=loss, n_estimators=3, random_state=0).fit(X, y)
    mean = np.mean([each.predict(X) for each in found.estimators_], axis=0)
    assert_allclose(found.predict(X), mean, rtol=1e-12)


class Searchable(BaseEstimator, Expectile):
    """A loss with parameters that searches can set."""

    def __init__(self, share=0.5):
        self.share = share


def test_searches():
    X, y, _ = draw()
    grid = {"loss": [Expectile(0.5), Expectile(0.9), Tweedie(1.5)], "l2": [1e-3, 1e-1]}
    network = MLPRegressor(random_state=0, max_iter=5)
    search = GridSearchCV(network, grid, cv=3).fit(X, y)
    with fused():
        together = GridSearchCV(network, grid, cv=3).fit(X, y)
    for one in ("mean_test_score", "std_test_score"):
        assert_allclose(together.cv_results_[one], search.cv_results_[one], rtol=1e-10)
    assert together.best_params_ == search.best_params_
    nested = GridSearchCV(
        network.set_params(loss=Searchable()), {"loss__share": [0.5, 0.9]}, cv=3
    ).fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    params = search.cv_results_["params"]
    plain = [s for s, p in zip(scores, params) if p["l2"] == 1e-3]
    assert not np.allclose(plain[0], plain[1])
    assert len(set(nested.cv_results_["mean_test_score"])) == 2


def test_equal_losses_share_a_stack():
    X, y, _ = draw()
    losses = [Expectile(0.5), Expectile(0.5), Expectile(0.9), OwnSquaredError()]
    losses += [clone(MLPRegressor(loss=Expectile(0.9))).loss, Searchable(0.9)]
    requests = [request_of(MLPRegressor(loss=loss), X, y) for loss in losses]
    stacks = {tuple(sorted(stack)) for stack in stacks_of(requests)}
    assert stacks == {(0, 1), (2, 4), (3,), (5,)}


def test_copies():
    X, y, _ = draw()
    found = MLPRegressor(loss=Expectile(0.8), monitor=Expectile(0.5), random_state=0)
    assert found.get_params()["loss"] is found.loss
    assert clone(found).loss == found.loss
    found.fit(X, y)
    loaded = pickle.loads(pickle.dumps(found))
    assert loaded.loss == Expectile(0.8)
    assert (loaded.predict(X) == found.predict(X)).all()
    assert (clone(found).fit(X, y).predict(X) == found.predict(X)).all()


@pytest.mark.parametrize("backend", ["loky", "fused"])
def test_processes(backend):
    X, y, _ = draw()
    network = MLPRegressor(loss=Expectile(0.8), random_state=0, max_iter=3)
    alone = cross_val_predict(network, X, y, cv=3)
    if backend == "fused":
        with fused(n_jobs=2):
            found = cross_val_predict(network, X, y, cv=3)
    else:
        found = cross_val_predict(network, X, y, cv=3, n_jobs=2)
    assert_allclose(found, alone, rtol=1e-10)


def test_continued_fits():
    X, y, _ = draw()
    found = MLPRegressor(loss=Expectile(0.8), warm_start=True, random_state=0)
    found.fit(X, y).set_params(loss=Expectile(0.8)).fit(X, y)
    with pytest.raises(ValueError, match=r"from Expectile\(share=0.8\) to Expectile"):
        found.set_params(loss=Expectile(0.9)).fit(X, y)
    steps = MLPRegressor(loss=OwnPoisson(), random_state=0)
    named = MLPRegressor(loss="poisson", random_state=0)
    for part in np.array_split(np.arange(len(y)), 4):
        steps.partial_fit(X[part], y[part])
        named.partial_fit(X[part], y[part])
    assert_allclose(steps.predict(X), named.predict(X), rtol=1e-12)


def test_tags_and_targets_out_of_range():
    X, y, _ = draw()
    for kind in (MLPRegressor, CNNRegressor):
        assert get_tags(kind(loss=Tweedie(1.5))).target_tags.positive_only
        assert not get_tags(kind(loss=Expectile(0.5))).target_tags.positive_only
    tuned = MLPRegressorCV(MLPRegressor(loss=Tweedie(1.5)))
    assert get_tags(tuned).target_tags.positive_only
    message = r"loss=Tweedie\(power=1.5\) needs targets that are not negative and not"
    with pytest.raises(ValueError, match=message):
        MLPRegressor(loss=Tweedie(1.5)).fit(X, y - 1)
    with pytest.raises(ValueError, match=r"between -1 and 1, got values from 0 to"):
        MLPRegressor(loss=Hazard()).fit(X, y)


class Wrong(OwnSquaredError):
    def derivative(self, score, target):
        return 2 * (score - target)


class Logarithm(OwnSquaredError):
    scales_targets = False

    def elementwise(self, score, target):
        return (score - target.log()) ** 2


BAD = {
    r"loss=Wrong\(\) cannot be used: derivative of Wrong\(\) is not the": Wrong(),
    r"Logarithm\(\) is inf at the score .* and target 0": Logarithm(),
    "must be a str among .* or an instance of 'skreg.losses": Wrong,
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_loss_is_an_error_before_training(message, monkeypatch):
    X, y, _ = draw()
    monkeypatch.setattr(base, "train_fit", None)
    with pytest.raises(ValueError, match=message):
        MLPRegressor(loss=BAD[message]).fit(X, y)


def test_an_error_of_the_user_is_the_cause():
    class Failing(OwnSquaredError):
        def elementwise(self, score, target):
            raise KeyError("own")

    X, y, _ = draw()
    with pytest.raises(ValueError, match=r"elementwise .* raised KeyError") as raised:
        MLPRegressor(loss=Failing()).fit(X, y)
    assert isinstance(raised.value.__cause__, KeyError)


# What early stopping watches.

STOPPED = {"early_stopping": True, "random_state": 0, "max_iter": 12}


@pytest.mark.parametrize("kind", [MLPRegressor, CNNRegressor])
def test_to_monitor_the_own_loss_is_to_monitor_the_loss(kind):
    X, y, weight = draw()
    loss = OwnSquaredError()
    one, other = (
        kind(monitor=monitor, **STOPPED).fit(X, y, weight) for monitor in (loss, "loss")
    )
    assert_allclose(one.validation_scores_, other.validation_scores_, rtol=1e-11)
    assert one.best_iter_ == other.best_iter_
    assert_allclose(one.predict(X), other.predict(X), rtol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_mean_of_another_loss_is_watched(weighted):
    X, y, weight = draw(n_outputs=2)
    given = {"X_val": X[80:], "y_val": y[80:]}
    if weighted:
        given["sample_weight_val"] = weight[80:]
    found = MLPRegressor(monitor=Expectile(0.9), n_iter_no_change=np.inf, **STOPPED)
    found.fit(X[:80], y[:80], **given)
    score = (found.predict(X[80:]) - y[80:]) / found.target_scale_
    loss = np.where(score < 0, 0.9, 0.1) * score**2
    mean = np.average(loss, axis=0, weights=weight[80:] if weighted else None).sum()
    # The best weights are restored.
    assert found.best_validation_score_ == pytest.approx(-mean, rel=1e-10)
    assert found.best_validation_score_ == max(found.validation_scores_)
    assert not np.allclose(found.validation_loss_curve_, found.validation_scores_)


class Brier(OwnSquaredError):
    """The squared error of the probability of each class."""

    def __init__(self, out_activation):
        self.out_activation = out_activation

    def elementwise(self, score, target):
        return (self.inverse_link(score) - target) ** 2


@pytest.mark.parametrize("n_classes", [2, 3])
def test_losses_of_classifiers_are_watched(n_classes):
    X, y, _ = draw()
    y = np.minimum(y, n_classes - 1)
    loss = Brier("logistic" if n_classes == 2 else "softmax")
    found = MLPClassifier(monitor=loss, **STOPPED)
    found.fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])
    hot = y[80:, None] == found.classes_
    errors = (found.predict_proba(X[80:]) - hot) ** 2
    errors = errors[:, 1:] if n_classes == 2 else errors
    assert found.best_validation_score_ == pytest.approx(-errors.sum(1).mean())


def test_monitors_that_do_not_fit():
    X, y, _ = draw()
    with pytest.raises(ValueError, match="is for out_activation='exp', and the net"):
        MLPRegressor(monitor=Tweedie(1.5), **STOPPED).fit(X, y)
    with pytest.raises(ValueError, match=r"monitor=Wrong\(\) cannot be used: deriv"):
        MLPRegressor(monitor=Wrong(), **STOPPED).fit(X, y)
    with pytest.raises(ValueError, match=r"monitor=Expectile.* needs validation rows"):
        MLPRegressor(monitor=Expectile(0.5), validation_fraction=None, **STOPPED).fit(
            X, y
        )
    with pytest.raises(ValueError, match="must be called as Wrong"):
        MLPRegressor(monitor=Wrong).fit(X, y)


@pytest.mark.parametrize("name", NAMED)
def test_paths_of_linear_models(name):
    """Newton's method, with curvature by automatic differentiation."""
    X, y, _ = draw()
    paths = [
        regularization_path(MLPRegressor(loss=loss, **LINEAR), X, y, n=8, cv=3)
        for loss in (name, NAMED[name])
    ]
    assert_allclose(paths[0].strengths, paths[1].strengths, rtol=1e-12)
    # Both end at rounding errors of the optimality conditions.
    assert_allclose(paths[0].coefs, paths[1].coefs, atol=1e-8)
