"""Lists of quantiles: a column for each, which never cross."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import d2_pinball_score, mean_pinball_loss
from sklearn.model_selection import GridSearchCV, cross_val_score

from skreg import CNNRegressor, MLPRegressor, MLPRegressorCV, fused, prune
from skreg.losses import QuantileLoss, SquaredError
from skreg.model_selection import regularization_path

LEVELS = [0.05, 0.5, 0.95]
OF_LISTS = {"loss": "quantile", "quantile": LEVELS, "random_state": 0}


def rows(n_samples=400, seed=0):
    """Return rows whose spread depends on the second input."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 4))
    spread = np.exp(0.5 * X[:, 1])
    return X, 10 + 3 * X[:, 0] + spread * rng.normal(size=n_samples)


X, Y = rows()
NEW, NEW_Y = rows(4000, seed=1)

NETWORKS = {
    "default": {},
    "early stopping": {"early_stopping": True},
    "ensemble": {"n_estimators": 3, "max_iter": 5},
    "shared": {"n_estimators": 3, "ensemble": "shared"},
    "snapshots": {"n_snapshots": 2, "learning_rate": "cosine"},
    "embedding": {"numeric_embedding": "piecewise_linear", "embedding_size": 4},
    "skip": {"skip": "linear", "max_iter": 5},
    "poorly trained": {"max_iter": 1, "init": "scaled"},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions_ascend(name):
    network = MLPRegressor((12,), **OF_LISTS | NETWORKS[name]).fit(X, Y)
    found = network.predict(NEW)
    assert found.shape == (4000, 3) and network.n_outputs_ == 3
    assert (np.diff(found, axis=1) >= 0).all()
    copy = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(copy.predict(NEW), found)


def test_outputs_that_cross_are_sorted():
    network = MLPRegressor((12,), **OF_LISTS | {"max_iter": 1}).fit(X, Y)
    raw = np.column_stack([NEW, np.ones(4000)])[:, :4]  # for the shape alone
    weights, biases = network.coefs_, network.intercepts_
    hidden = (raw - network.feature_offset_) / network.feature_scale_
    hidden = np.maximum(hidden @ weights[0] + biases[0], 0)
    scores = hidden @ weights[1] + biases[1]
    scores = scores * network.target_scale_ + network.target_offset_
    assert (np.diff(scores, axis=1) < 0).any()
    # The fit is in double precision, of sums of a dozen numbers.
    np.testing.assert_allclose(
        network.predict(NEW), np.sort(scores, axis=1), rtol=1e-12
    )


def test_quantiles_are_learnt():
    """The share of new targets below each is its level.

    A share of 4,000 rows has a standard error of 0.008 at most. A network that learns
    from 2,000 rows is off by a few of these.
    """
    network = MLPRegressor((32,), **OF_LISTS | {"l2": 1e-3, "max_iter": 30})
    network.fit(*rows(2000, seed=2))
    shares = (NEW_Y[:, None] <= network.predict(NEW)).mean(axis=0)
    np.testing.assert_allclose(shares, LEVELS, atol=0.03)
    # The interval is wider where the spread is larger.
    low, _, high = network.predict(NEW).T
    is_wide = NEW[:, 1] > 0
    assert (high - low)[is_wide].mean() > 1.5 * (high - low)[~is_wide].mean()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_linear_quantiles_are_those_of_separate_problems():
    """Against scikit-learn's linear programs, by the objective.

    The pinball loss has kinks in place of curvature, so that the full-batch solver ends
    near the optimum.
    """
    network = MLPRegressor((), l1=0.03, standardize=False, **OF_LISTS).fit(X, Y)
    assert network.coef_.shape == (3, 4) and network.intercept_.shape == (3,)
    for level, coef, intercept in zip(LEVELS, network.coef_, network.intercept_):
        best = QuantileRegressor(quantile=level, alpha=0.03).fit(X, Y)
        found, optimum = (
            mean_pinball_loss(Y, X @ w + b, alpha=level) + 0.03 * np.abs(w).sum()
            for w, b in ((coef, intercept), (best.coef_, best.intercept_))
        )
        assert optimum - 1e-10 <= found <= 1.001 * optimum


def test_a_strong_l1_leaves_the_quantiles_of_the_targets():
    network = MLPRegressor((), l1=10.0, **OF_LISTS).fit(X, Y)
    assert not network.coef_.any() and network.kkt_violation_ <= 1e-6
    # All numbers between the 20th and the 21st of 400 have the same loss.
    places = [20, 200, 380]
    assert (np.sort(Y)[[place - 1 for place in places]] <= network.intercept_).all()
    assert (network.intercept_ <= np.sort(Y)[places]).all()


def test_a_list_of_one_is_the_number_with_a_column():
    alone = MLPRegressor((8,), loss="quantile", quantile=0.3, random_state=0).fit(X, Y)
    listed = clone(alone).set_params(quantile=[0.3]).fit(X, Y)
    np.testing.assert_array_equal(listed.predict(X), alone.predict(X)[:, None])


def test_lists_of_all_kinds():
    listed = MLPRegressor((4,), **OF_LISTS).fit(X, Y)
    for levels in (tuple(LEVELS), np.array(LEVELS), np.array(LEVELS, object)):
        network = clone(listed).set_params(quantile=levels).fit(X, Y)
        np.testing.assert_array_equal(network.predict(X), listed.predict(X))


def test_the_score_is_the_mean_share_of_the_loss():
    network = MLPRegressor((8,), **OF_LISTS).fit(X, Y)
    weight = np.arange(400.0)
    for given in (None, weight):
        expected = np.mean(
            [
                d2_pinball_score(Y, column, alpha=level, sample_weight=given)
                for level, column in zip(LEVELS, network.predict(X).T)
            ]
        )
        assert network.score(X, Y, given) == pytest.approx(expected, rel=1e-12)


def test_searches_train_lists_together():
    network = MLPRegressor((8,), **OF_LISTS)
    alone = cross_val_score(network, X, Y, cv=3)
    with fused():
        np.testing.assert_allclose(cross_val_score(network, X, Y, cv=3), alone)
        search = GridSearchCV(network, {"quantile": [[0.1, 0.9], LEVELS, 0.5]}, cv=2)
        search.fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_network_that_tunes_itself():
    network = MLPRegressor(
        (8,), loss="quantile", quantile=LEVELS, early_stopping=True, max_iter=12
    )
    folds = [(np.arange(300), np.arange(300, 400))]
    space = {"l2": [1e-3, 1e-1]}
    search = MLPRegressorCV(
        network, param_distributions=space, cv=folds, n_ensemble=1, random_state=0
    ).fit(X, Y)
    assert search.score_name_ == (
        "negative pinball loss of the 0.05, 0.5, 0.95 quantile, doubled"
    )
    predicted = search.estimators_[0].predict(X[300:])
    losses = [
        2 * mean_pinball_loss(Y[300:], column, alpha=level)
        for level, column in zip(LEVELS, predicted.T)
    ]
    assert search.best_score_ == pytest.approx(-np.mean(losses), rel=1e-6)
    found = search.predict(NEW)
    assert found.shape == (4000, 3) and (np.diff(found, axis=1) >= 0).all()
    expected = np.mean(
        [d2_pinball_score(NEW_Y, c, alpha=q) for q, c in zip(LEVELS, found.T)]
    )
    assert search.score(NEW, NEW_Y) == pytest.approx(expected, rel=1e-12)


def test_without_a_signal_quantiles_are_shrunk_to_those_of_the_targets():
    y = np.random.default_rng(0).permutation(Y)
    network = MLPRegressor(
        (8,), loss="quantile", quantile=LEVELS, early_stopping=True, max_iter=12
    )
    search = MLPRegressorCV(network, n_candidates=3, random_state=0).fit(X, y)
    assert search.shrinkage_ < 1
    np.testing.assert_allclose(search.target_center_, np.quantile(y, LEVELS))
    spread = np.abs(search.predict(X) - search.target_center_).mean(axis=0)
    assert (spread < np.std(y) / 2).all()
    assert (np.diff(search.predict(NEW), axis=1) >= 0).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("given", [False, True])
def test_a_path_is_scored_by_the_pinball_loss(given):
    folds = [(np.arange(300), np.arange(300, 400))]
    network = MLPRegressor((), **OF_LISTS)
    if given:
        network = MLPRegressor((), loss=QuantileLoss(LEVELS), random_state=0)
    path = regularization_path(network, X, Y, n=3, cv=folds)
    for strength, scores in zip(path.strengths, path.scores):
        model = clone(network).set_params(l1=strength).fit(X[:300], Y[:300])
        predicted = model.predict(X[300:])
        expected = np.mean(
            [d2_pinball_score(Y[300:], c, alpha=q) for q, c in zip(LEVELS, predicted.T)]
        )
        # Both end near the optimum, which has a kink: within a thousandth of the
        # objective, after different starts.
        assert scores[0] == pytest.approx(expected, abs=5e-3)
    assert path.scores[-1, 0] > path.scores[0, 0] + 0.2


@pytest.mark.parametrize("standardize", [False, True])
def test_the_loss_given_as_an_object_is_the_same(standardize):
    settings = {"standardize": standardize, "early_stopping": True, "random_state": 0}
    named = MLPRegressor((8,), loss="quantile", quantile=LEVELS, **settings).fit(X, Y)
    given = MLPRegressor((8,), loss=QuantileLoss(LEVELS), **settings).fit(X, Y)
    np.testing.assert_array_equal(given.predict(NEW), named.predict(NEW))
    assert given.score(NEW, NEW_Y) == named.score(NEW, NEW_Y)
    assert given.n_outputs_ == 3 and given.out_activation_ == "sorted"
    # Watched as an object it is the mean of the same numbers, those of raw outputs.
    given.set_params(monitor=QuantileLoss(LEVELS)).fit(X, Y)
    watched = [-loss for loss in named.validation_loss_curve_]
    np.testing.assert_allclose(given.validation_scores_, watched, rtol=1e-12)
    given.set_params(monitor=SquaredError())
    with pytest.raises(ValueError, match=r"'identity', and the network .* 'sorted'"):
        given.fit(X, Y)


@pytest.mark.parametrize("signal", [False, True])
def test_the_loss_given_as_an_object_to_a_network_that_tunes_itself(signal):
    """Candidates are compared by the loss of scaled targets, the mean over levels."""
    y = Y if signal else np.random.default_rng(0).permutation(Y)
    network = MLPRegressor((8,), early_stopping=True, max_iter=12)
    folds, space = [(np.arange(300), np.arange(300, 400))], {"l2": [1e-3, 1e-1]}
    named, given = (
        MLPRegressorCV(
            clone(network).set_params(**loss),
            param_distributions=space,
            cv=folds,
            random_state=0,
        ).fit(X, y)
        for loss in (
            {"loss": "quantile", "quantile": LEVELS},
            {"loss": QuantileLoss(LEVELS)},
        )
    )
    assert given.best_params_ == named.best_params_
    # By name it is doubled, in the unit of the target.
    scaled = named.best_score_ / (2 * np.std(y))
    assert given.best_score_ == pytest.approx(scaled, rel=1e-9)
    assert (given.shrinkage_ == 1) is signal
    spread = np.diff(np.sort(y[300:])).max()
    np.testing.assert_allclose(
        given.target_center_, named.target_center_, rtol=0, atol=spread
    )
    assert given.score(NEW, NEW_Y) == pytest.approx(named.score(NEW, NEW_Y), abs=0.01)
    np.testing.assert_allclose(
        given.predict_interval(X[:5]), named.predict_interval(X[:5]), atol=spread
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_mean_of_sorted_outputs_is_not_linear():
    network = MLPRegressor((), n_estimators=2, max_iter=5, **OF_LISTS).fit(X, Y)
    with pytest.raises(AttributeError, match="sorted quantiles is not a linear model"):
        network.coef_  # noqa: B018
    assert network.estimators_[0].coef_.shape == (3, 4)


def test_images_continued_fits_and_pruning():
    images = CNNRegressor((3,), pool=1, hidden_layer_sizes=(4,), **OF_LISTS).fit(X, Y)
    assert images.predict(X).shape == (400, 3)
    network = MLPRegressor((8,), **OF_LISTS)
    for part in (slice(0, 200), slice(200, 400)):
        network.partial_fit(X[part], Y[part])
    assert network.predict(X).shape == (400, 3)
    assert prune(network, 0.5, X=X, y=Y).sparsity_ >= 0.5
    with pytest.raises(ValueError, match="The loss changed"):
        network.set_params(warm_start=True, quantile=[0.2, 0.5, 0.8]).fit(X, Y)
    with pytest.raises(ValueError, match="y must have 1 outputs"):
        network.set_params(quantile=LEVELS).fit(X, np.column_stack([Y, Y]))


@pytest.mark.parametrize(
    "bad",
    [[], [0.5, 0.5], [0.9, 0.1], [0, 0.5], [0.5, 1], ["a"], [[0.1, 0.9]], [np.nan]],
)
def test_lists_that_are_no_quantiles(bad):
    network = MLPRegressor((4,), loss="quantile", quantile=bad)
    with pytest.raises(ValueError, match=r"quantile must be .* that increase.*got \["):
        network.fit(X, Y)
    with pytest.raises(ValueError, match="quantile must be"):
        MLPRegressorCV(network).fit(X, Y)
    with pytest.raises(ValueError, match="quantile must be"):
        QuantileLoss(bad)
    # As other parameters that are not used.
    network.set_params(loss="squared_error").fit(X, Y)


@pytest.mark.parametrize("kind", [MLPRegressor, CNNRegressor])
def test_several_targets(kind):
    with pytest.raises(ValueError, match=r"needs one target, got y with 2 outputs"):
        kind(**OF_LISTS).fit(X, np.column_stack([Y, Y]))


def test_scores_that_take_one_prediction_for_each_row():
    network = MLPRegressor((4,), early_stopping=True, monitor="r2", **OF_LISTS)
    with pytest.raises(ValueError, match=r"monitor='r2' cannot be computed"):
        network.fit(X, Y)
    search = MLPRegressorCV(MLPRegressor((4,), **OF_LISTS), scoring="r2")
    with pytest.raises(ValueError, match=r"scoring='r2' cannot be computed"):
        search.fit(X, Y)
