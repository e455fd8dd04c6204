"""The default training: the values of "auto", and their consequences."""

import inspect

import numpy as np
import pytest
from _estimators import ESTIMATORS, data
from _numeric import request_of
from sklearn.exceptions import ConvergenceWarning

from skreg import MLPClassifier, MLPRegressor
from skreg.training.schedules import SCHEDULES

# The epochs of a schedule, and the rows of the fewest batches that make 50 steps in it.
N_EPOCHS = {MLPClassifier: 10, MLPRegressor: 15}
N_ROWS = {MLPClassifier: 5 * 32, MLPRegressor: 4 * 32}


def n_epochs(estimator, n_samples, **fit_params):
    """Return the planned number of epochs of an estimator's fit."""
    X, y = data(type(estimator), n_samples=n_samples)
    return request_of(estimator, X, y, **fit_params).max_iter


def test_the_values():
    expected = {
        "learning_rate": "flat_cosine",
        "learning_rate_init": 0.01,
        "max_iter": "auto",
        "batch_size": "auto",
    }
    for kind, clip_norm in zip(ESTIMATORS, (None, 0.5), strict=True):
        parameters = inspect.signature(kind).parameters
        values = {name: parameters[name].default for name in expected}
        assert values == expected
        assert parameters["clip_norm"].default == clip_norm


@pytest.mark.parametrize("kind", ESTIMATORS)
class TestEpochs:
    """Tests of max_iter="auto"."""

    @pytest.mark.parametrize("n_samples", [320, 3200])
    @pytest.mark.parametrize("name", SCHEDULES)
    def test_schedules(self, kind, name, n_samples):
        assert n_epochs(kind(learning_rate=name), n_samples) == N_EPOCHS[kind]

    @pytest.mark.parametrize(
        "n_samples, batch_size, expected",
        [
            (20, "auto", 50),
            (32, "auto", 50),
            (33, "auto", 25),
            (64, "auto", 25),
            (96, "auto", 17),
            (60, 100, 50),
            (60, 20, 17),
            (3200, 3200, 50),
            (3200, 1600, 25),
        ],
    )
    def test_few_batches(self, kind, n_samples, batch_size, expected):
        """Fifty steps, rounded up to whole epochs."""
        assert n_epochs(kind(batch_size=batch_size), n_samples) == expected

    def test_the_most_rows_that_lengthen_a_fit(self, kind):
        n_samples = N_ROWS[kind] - 32
        assert n_epochs(kind(), n_samples) > N_EPOCHS[kind]
        assert n_epochs(kind(), n_samples + 1) == N_EPOCHS[kind]

    def test_only_rows_with_a_weight_count(self, kind):
        weight = np.arange(60) < 30
        assert n_epochs(kind(), 60, sample_weight=weight) == 50
        assert n_epochs(kind(), 60, sample_weight=np.ones(60)) == 25

    def test_a_single_row_that_joins_the_batch_before(self, kind):
        request = request_of(kind(batchnorm=True), *data(kind, n_samples=33))
        assert (request.n_batches, request.max_iter) == (1, 50)

    @pytest.mark.parametrize("n_samples", [20, 60, 3200])
    @pytest.mark.parametrize(
        "settings",
        [
            {"solver": "lbfgs"},
            {"learning_rate": "constant"},
            {"learning_rate": "invscaling", "solver": "sgd"},
            {"learning_rate": "adaptive", "solver": "sgd"},
            {"early_stopping": True},
            {"early_stopping": True, "validation_fraction": None},
            {"early_stopping": True, "solver": "lbfgs"},
            {"early_stopping": True, "learning_rate": "constant"},
        ],
    )
    def test_where_something_else_ends_the_fit(self, kind, settings, n_samples):
        assert n_epochs(kind(**settings), n_samples) == 200

    def test_validation_rows_that_are_only_looked_at(self, kind):
        X, y = data(kind)
        assert n_epochs(kind(), 320, X_val=X, y_val=y) == N_EPOCHS[kind]

    @pytest.mark.parametrize("n_snapshots, expected", [(4, None), (15, 15), (40, 40)])
    def test_snapshots(self, kind, n_snapshots, expected):
        """A cycle lasts at least one epoch."""
        settings = {"learning_rate": "cosine", "n_snapshots": n_snapshots}
        expected = expected or N_EPOCHS[kind]
        assert n_epochs(kind(**settings), 320) == expected
        X, y = data(kind, n_samples=320)
        estimator = kind((2,), **settings, random_state=0).fit(X, y)
        assert len(estimator.snapshots_) == n_snapshots
        assert estimator.n_iter_ == expected

    def test_a_number(self, kind):
        for settings in ({}, {"early_stopping": True}, {"solver": "lbfgs"}):
            assert n_epochs(kind(**settings, max_iter=7), 60) == 7

    def test_iterations_of_the_full_batch_solver(self, kind):
        X, y = data(kind)
        assert request_of(kind(l1=0.01), X, y).max_polish == 200
        assert request_of(kind(l1=0.01, max_iter=7), X, y).max_polish == 7

    def test_a_linear_model_ends_at_an_optimum(self, kind):
        X, y = data(kind, n_samples=320)
        estimator = kind((), l1=0.01, random_state=0).fit(X, y)
        assert estimator.kkt_violation_ <= 1e-6
        assert N_EPOCHS[kind] < estimator.n_iter_ <= N_EPOCHS[kind] + 200

    def test_the_end_of_a_default_fit_is_no_reason_to_warn(self, kind):
        """Warnings are errors in the tests."""
        X, y = data(kind, n_samples=320)
        estimator = kind(tol=1e6, n_iter_no_change=1, random_state=0).fit(X, y)
        assert estimator.n_iter_ == len(estimator.loss_curve_) == N_EPOCHS[kind]
        with pytest.warns(ConvergenceWarning, match="max_iter=200"):
            estimator.set_params(learning_rate="constant", n_iter_no_change=200)
            estimator.fit(X[:64], y[:64])

    @pytest.mark.parametrize("validation_fraction", [0.2, None])
    def test_early_stopping_ends_it_by_patience(self, kind, validation_fraction):
        """Of the 200 epochs of the schedule only the flat part is trained."""
        X, y = data(kind, n_samples=80)
        estimator = kind(
            early_stopping=True,
            validation_fraction=validation_fraction,
            tol=0.01,
            random_state=0,
        )
        request = request_of(estimator, X, y)
        assert request.stops_early and request.has_fixed_length
        estimator.fit(X, y)
        assert 11 < estimator.n_iter_ < 100
        plain = estimator.set_params(learning_rate="constant")
        curve = estimator.loss_curve_
        assert plain.fit(X, y).loss_curve_ == curve

    def test_partial_fit(self, kind):
        X, y = data(kind)
        estimator = kind(random_state=0)
        for _ in range(3):
            estimator.partial_fit(X, y)
        assert estimator.n_iter_ == 1 and len(estimator.loss_curve_) == 3


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_batches(kind):
    """Of 32 rows, or of all if there are fewer."""
    X, y = data(kind, n_samples=100)
    assert request_of(kind(), X, y).n_batches == 4
    assert request_of(kind(), X[:32], y[:32]).n_batches == 1
    assert request_of(kind(), X[:33], y[:33]).n_batches == 2
    for n_rows, batch_size in ((100, 32), (20, 20), (20, 1000)):
        one, other = kind(random_state=0), kind(batch_size=batch_size, random_state=0)
        one.fit(X[:n_rows], y[:n_rows])
        other.fit(X[:n_rows], y[:n_rows])
        np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])
