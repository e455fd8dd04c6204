"""Bad input: each error tells what was given and what to do."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
from _estimators import ESTIMATORS, data
from _versions import ScoringMonitor, needs_callbacks

from skreg import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def check(kind, match, X=None, y=None, error=ValueError, fit=None, **parameters):
    """Check that a fit raises the expected error. X and y replace the good data."""
    good_X, good_y = data(kind)
    estimator = kind(**({"max_iter": 3} | parameters))
    with pytest.raises(error, match=match):
        estimator.fit(
            good_X if X is None else X, good_y if y is None else y, **(fit or {})
        )
    assert not hasattr(estimator, "coefs_")


def with_value(kind, value):
    X, _ = data(kind)
    X[3, 2] = value
    return X


@pytest.mark.parametrize("kind", ESTIMATORS)
class TestData:
    def test_nan_in_sparse_data(self, kind):
        check(kind, "Input X contains NaN", sp.csr_array(with_value(kind, np.nan)))

    @pytest.mark.parametrize("value", [np.inf, -np.inf])
    def test_infinity(self, kind, value):
        check(kind, "Input X contains infinity", with_value(kind, value))

    def test_infinity_in_sparse_data(self, kind):
        check(kind, "infinity", sp.csr_array(with_value(kind, np.inf)))

    def test_strings(self, kind):
        X = with_value(kind, 0).astype(object)
        X[0, 0] = "blue"
        check(kind, "column 0 must have levels of one kind", X)

    def test_complex(self, kind):
        check(kind, "Complex data not supported", with_value(kind, 0) + 1j)

    def test_one_dimension(self, kind):
        check(kind, "Expected 2D array, got 1D array", with_value(kind, 0)[:, 0])

    def test_three_dimensions(self, kind):
        check(kind, "dim 3", with_value(kind, 0)[:, :, None])

    def test_lengths(self, kind):
        check(kind, "inconsistent numbers of samples", with_value(kind, 0)[:-1])

    def test_no_rows(self, kind):
        check(kind, r"0 sample\(s\)", np.empty((0, 5)), np.empty(0))

    def test_no_features(self, kind):
        check(kind, r"0 feature\(s\)", np.empty((60, 0)))

    def test_no_targets(self, kind):
        with pytest.raises(ValueError, match="requires y to be passed"):
            kind().fit(with_value(kind, 0), None)

    def test_predict_other_width(self, kind):
        X, y = data(kind)
        with pytest.raises(ValueError, match=r"X has 4 features, but .* 5 features"):
            kind(max_iter=1).fit(X, y).predict(X[:, :4])

    def test_predict_not_finite(self, kind):
        X, y = data(kind)
        with pytest.raises(ValueError, match="Input X contains"):
            kind(max_iter=1).fit(X, y).predict(with_value(kind, np.inf))

    def test_unfitted(self, kind):
        X, _ = data(kind)
        with pytest.raises(ValueError, match="not fitted yet"):
            kind().predict(X)


class TestTargets:
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_not_finite(self, value):
        _, y = data(MLPRegressor)
        y[2] = value
        check(MLPRegressor, "Input y contains", y=y)

    def test_one_class(self):
        y = np.zeros(60)
        check(MLPClassifier, r"at least two classes, got one class: \[0.0\]", y=y)

    def test_continuous_targets(self):
        check(MLPClassifier, "Unknown label type: continuous", y=data(MLPRegressor)[1])

    def test_string_targets_for_a_regressor(self):
        y = np.array(["a"] * 60)
        check(MLPRegressor, "needs numbers as targets", y=y)

    def test_multiclass_multioutput(self):
        y = np.random.default_rng(0).integers(0, 3, (60, 2))
        check(MLPClassifier, "y must have one label.*several labels", y=y)

    @pytest.mark.parametrize("y", [np.zeros(60), np.linspace(-1, 1, 60)])
    def test_poisson_needs_counts(self, y):
        check(MLPRegressor, "not negative and not all zero", y=y, loss="poisson")


@pytest.mark.parametrize("kind", ESTIMATORS)
class TestWeights:
    def test_all_zero(self, kind):
        check(kind, "eight.*zero", fit={"sample_weight": np.zeros(60)})

    def test_negative(self, kind):
        weight = np.r_[-1.0, np.ones(59)]
        check(kind, "Negative values in data", fit={"sample_weight": weight})

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_not_finite(self, kind, value):
        weight = np.r_[value, np.ones(59)]
        check(kind, "Input sample_weight contains", fit={"sample_weight": weight})

    def test_length(self, kind):
        check(kind, "sample_weight.shape ==", fit={"sample_weight": np.ones(59)})

    def test_two_dimensions(self, kind):
        check(kind, "1D array or scalar", fit={"sample_weight": np.ones((60, 2))})


NEGATIVE = ("l1", "l2", "group_l1", "weight_decay", "max_norm", "dropout", "mixup")
NEGATIVE += ("cutmix", "cutout", "adversarial", "swa_fraction", "ema_decay")
NEGATIVE += ("input_dropout", "input_noise", "learning_rate_init", "tol", "clip_norm")


@pytest.mark.parametrize("kind", ESTIMATORS)
class TestParameters:
    @pytest.mark.parametrize("name", NEGATIVE)
    def test_negative_strength(self, kind, name):
        check(kind, f"The '{name}' parameter .* Got -0.1 instead", **{name: -0.1})

    @pytest.mark.parametrize("name", ["l1", "l2", "dropout"])
    def test_negative_strength_of_a_layer(self, kind, name):
        value = [0.1, -0.1]
        sizes = (4,) if name != "dropout" else (4, 4)
        match = rf"{name} must be finite and not negative.*\[0.1, -0.1\]"
        check(kind, match, hidden_layer_sizes=sizes, **{name: value})

    @pytest.mark.parametrize("value", ["a", None, np.nan, np.inf, [1]])
    def test_layer_that_is_no_number(self, kind, value):
        check(kind, "l1 must be finite and not negative", l1=[0.1, value])

    @pytest.mark.parametrize(
        "name, n_expected, layers",
        [
            ("l1", 3, "layers of weights"),
            ("l2", 3, "layers of weights"),
            ("dropout", 2, "hidden layers"),
        ],
    )
    @pytest.mark.parametrize("length", [0, 1, 4])
    def test_sequence_of_the_wrong_length(self, kind, name, n_expected, layers, length):
        match = f"{name} must be one number or a sequence of {n_expected}, one for each"
        match += f" of the {layers} .* of length {length}"
        check(kind, match, hidden_layer_sizes=(4, 4), **{name: [0.1] * length})

    @pytest.mark.parametrize("name", ["dropout", "input_dropout"])
    def test_dropping_everything(self, kind, name):
        check(kind, f"The '{name}' parameter .* Got 1.0 instead", **{name: 1.0})

    def test_dropping_a_whole_layer(self, kind):
        check(kind, "dropout must be .* less than 1", dropout=[1.0])

    @pytest.mark.parametrize("value", [np.inf, np.nan])
    @pytest.mark.parametrize(
        "name",
        ["l1", "l2", "group_l1", "weight_decay", "input_noise", "learning_rate_init"],
    )
    def test_strength_that_is_not_finite(self, kind, name, value):
        check(kind, name, **{name: value})

    @pytest.mark.parametrize(
        "name", ["activation", "solver", "learning_rate", "batchnorm"]
    )
    def test_unknown_name(self, kind, name):
        check(kind, f"The '{name}' parameter .* Got 'adm' instead", **{name: "adm"})

    def test_misspelt_score(self, kind):
        match = r"monitor='losss' is not a score .* did you mean 'loss'\?"
        check(kind, match, monitor="losss")

    @pytest.mark.parametrize("value", [(0,), (-3,), (2.5,), ("a",), [[2]], (None,)])
    def test_layer_sizes(self, kind, value):
        match = "hidden_layer_sizes must be positive integers"
        check(kind, match, hidden_layer_sizes=value)

    def test_unknown_device(self, kind):
        match = r"device='gpu9' cannot be used on this machine .* Use device='cpu'"
        check(kind, match, device="gpu9")

    def test_device_that_cannot_compute(self, kind):
        check(kind, "device='meta' cannot be used", device="meta")

    @pytest.mark.parametrize(
        "name, value",
        [
            ("dropout", 0.1),
            ("dropout", [0.1]),
            ("input_dropout", 0.1),
            ("input_noise", 0.1),
            ("mixup", 0.1),
            ("cutmix", 0.1),
            ("cutout", 0.1),
            ("adversarial", 0.1),
            ("batchnorm", True),
            ("weight_decay", 0.1),
            ("swa_fraction", 0.1),
            ("ema_decay", 0.1),
            ("n_snapshots", 2),
        ],
    )
    def test_lbfgs_refuses(self, kind, name, value):
        match = f"solver='lbfgs' .* cannot use {name}=.*Set {name}=.*solver='adam'"
        check(kind, match, solver="lbfgs", **{name: value})

    @pytest.mark.parametrize("value", [None, 0.5, 2, "yes"])
    def test_positive_is_a_bool(self, kind, value):
        match = f"The 'positive' parameter .* Got {value!r} instead"
        check(kind, match, positive=value)

    @pytest.mark.parametrize("standardize", [True, False])
    @pytest.mark.parametrize("solver", ["sgd", "adam"])
    def test_divergence(self, kind, solver, standardize):
        match = (
            r"Training diverged: the loss is (nan|inf) .* Lower "
            rf"learning_rate_init \(got 1e\+200\).*standardize={standardize}"
        )
        check(
            kind,
            match,
            solver=solver,
            learning_rate_init=1e200,
            standardize=standardize,
            max_iter=20,
        )

    @pytest.mark.parametrize("value", [[3], ["EarlyStopping"], [("name", 3)]])
    def test_wrong_callbacks(self, kind, value):
        match = "callbacks must be skorch callbacks .* go to set_callbacks"
        check(kind, match, error=TypeError, callbacks=value)

    @needs_callbacks
    def test_callbacks_of_scikit_learn(self, kind):
        callbacks = [ScoringMonitor(scoring=None)]
        match = "callbacks must be skorch callbacks .* go to set_callbacks"
        check(kind, match, error=TypeError, callbacks=callbacks)

    def test_callbacks_that_are_no_list(self, kind):
        check(kind, "The 'callbacks' parameter", callbacks="EarlyStopping")


def test_unknown_loss():
    check(MLPRegressor, "The 'loss' parameter .* Got 'mse' instead", loss="mse")


@pytest.mark.parametrize("quantile", [0, 1, -0.5])
def test_quantile(quantile):
    check(MLPRegressor, "The 'quantile' parameter", loss="quantile", quantile=quantile)


@pytest.mark.parametrize("name", ["balance", 3])
def test_unknown_class_weight(name):
    check(MLPClassifier, "The 'class_weight' parameter", class_weight=name)


class TestValidationRows:
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_too_few_rows(self, kind):
        X, y = data(kind)
        match = (
            r"cannot set aside validation_fraction=0.5 of n_samples=1 rows"
            ".*validation_fraction=None"
        )
        weight = np.r_[1.0, np.zeros(59)]
        if kind is MLPClassifier:
            X, y, match = X[:4], [0, 1, 2, 3], match.replace("=1 ", "=4 ")
            weight = None
        check(
            kind,
            match,
            X,
            y,
            early_stopping=True,
            validation_fraction=0.5,
            fit={"sample_weight": weight},
        )

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_only_half_of_it(self, kind):
        X, y = data(kind)
        check(
            kind,
            "given together, got X_val only",
            fit={"X_val": X},
        )
        check(
            kind,
            "given together, got y_val only",
            fit={"y_val": y},
        )
        fit = {"sample_weight_val": y}
        check(kind, "X_val and y_val must be given", fit=fit)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_wrong_shapes(self, kind):
        X, y = data(kind)
        check(kind, "X has 4 features", fit={"X_val": X[:, :4], "y_val": y})
        check(kind, "inconsistent numbers", fit={"X_val": X, "y_val": y[:-1]})

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_weights(self, kind):
        X, y = data(kind)
        fit = {"X_val": X, "y_val": y, "sample_weight_val": np.zeros(len(y))}
        check(kind, "eight.*zero", fit=fit)

    def test_unseen_labels(self):
        X, y = data(MLPClassifier)
        y_val = np.where(y == 0, 9, y)
        fit = {"X_val": X, "y_val": y_val}
        check(MLPClassifier, r"labels \[9\] are not among the classes", fit=fit)

    def test_unseen_string_label_among_numbers(self):
        X, y = data(MLPClassifier)
        fit = {"X_val": X, "y_val": y.astype(str)}
        check(MLPClassifier, "not among the classes|Mix of label", fit=fit)

    def test_other_number_of_outputs(self):
        X, y = data(MLPRegressor)
        fit = {"X_val": X, "y_val": np.c_[y, y]}
        check(MLPRegressor, "y must have 1 output", fit=fit)

    def test_multilabel_for_multiclass(self):
        X, y = data(MLPClassifier)
        fit = {"X_val": X, "y_val": np.eye(3, dtype=int)[y] ^ 1}
        check(MLPClassifier, "'multiclass', got 'multilabel-indicator'", fit=fit)

    def test_multiclass_for_multilabel(self):
        X, y = data(MLPClassifier)
        labels = np.eye(3, dtype=int)[y] ^ 1
        fit = {"X_val": X, "y_val": y}
        match = "'multilabel-indicator', got 'multiclass'"
        check(MLPClassifier, match, y=labels, fit=fit)

    def test_other_number_of_labels(self):
        X, y = data(MLPClassifier)
        labels = np.eye(3, dtype=int)[y] ^ 1
        fit = {"X_val": X, "y_val": labels[:, :2]}
        check(MLPClassifier, "one column for each of 3 labels", y=labels, fit=fit)


class TestContinuing:
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_changed_layers(self, kind):
        X, y = data(kind)
        estimator = kind((4,), max_iter=1, warm_start=True).fit(X, y)
        with pytest.raises(ValueError, match=r"The layers changed.*warm_start=False"):
            estimator.set_params(hidden_layer_sizes=(5,)).fit(X, y)

    def test_changed_classes(self):
        X, y = data(MLPClassifier)
        estimator = MLPClassifier(max_iter=1, warm_start=True).fit(X, y)
        with pytest.raises(ValueError, match=r"\[3\] are not among the classes"):
            estimator.fit(X, y + 1)

    def test_unseen_label_in_partial_fit(self):
        X, y = data(MLPClassifier)
        estimator = MLPClassifier().partial_fit(X, y)
        with pytest.raises(ValueError, match=r"\[7\] are not among the classes"):
            estimator.partial_fit(X, np.where(y == 2, 7, y))

    def test_classes_that_lack_a_label(self):
        X, y = data(MLPClassifier)
        with pytest.raises(ValueError, match=r"\[2\] are not among the classes"):
            MLPClassifier().partial_fit(X, y, classes=[0, 1])

    def test_changed_classes_argument(self):
        X, y = data(MLPClassifier)
        estimator = MLPClassifier().partial_fit(X, y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match=r"not the \[0, 1, 2\] of the first"):
            estimator.partial_fit(X, y, classes=[0, 1, 2, 3])

    def test_balanced_weights_in_partial_fit(self):
        X, y = data(MLPClassifier)
        with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as error:
            MLPClassifier(class_weight="balanced").partial_fit(X, y)
        reason = str(error.value.__cause__)
        assert re.search(r"one call only, got .*'balanced'\. Give a dict", reason)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_changed_number_of_features(self, kind):
        X, y = data(kind)
        estimator = kind().partial_fit(X, y)
        with pytest.raises(ValueError, match="X has 4 features"):
            estimator.partial_fit(X[:, :4], y)

    def test_changed_number_of_outputs(self):
        X, y = data(MLPRegressor)
        estimator = MLPRegressor().partial_fit(X, y)
        with pytest.raises(ValueError, match="y must have 1 output"):
            estimator.partial_fit(X, np.c_[y, y])

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_lbfgs_has_no_steps(self, kind):
        """As in scikit-learn's MLP, and so that hasattr tells."""
        estimator = kind(solver="lbfgs")
        assert not hasattr(estimator, "partial_fit")
        with pytest.raises(AttributeError) as raised:
            _ = estimator.partial_fit
        assert "Use solver='adam' or 'sgd'" in str(raised.value.__cause__)
        assert hasattr(estimator.set_params(solver="sgd"), "partial_fit")


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_batchnorm_of_one_row(kind):
    weight = np.r_[1.0, np.zeros(59)]
    match = "batchnorm=True needs at least two training rows, got n_samples=1"
    check(kind, match, batchnorm=True, fit={"sample_weight": weight})


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("monitor", ["accuracy", "r2", lambda est, X, y: 0.0])
def test_monitor_without_validation_rows(kind, monitor):
    match = "monitor=.* needs validation rows.*X_val.*validation_fraction.*'loss'"
    check(kind, match, early_stopping=True, validation_fraction=None, monitor=monitor)


def test_linear_attributes_of_a_network():
    estimator = MLPClassifier((3,), max_iter=1).fit(*data(MLPClassifier))
    with pytest.raises(AttributeError, match=r"hidden_layer_sizes=\(\)"):
        _ = estimator.coef_
