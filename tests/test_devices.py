"""What runs on a device finds what the CPU finds; see `_devices` for the devices."""

import functools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from _device_fits import SHORT, as_on_cpu, assert_as_on_cpu, assert_equal, n_reads
from _devices import DEVICE, devices
from _engines import with_torch
from _estimators import (
    ALL_CONFIGURATIONS,
    CONVOLUTIONAL,
    ESTIMATORS,
    OF_CONVOLUTIONS,
    data,
    make,
)
from _losses import Expectile
from _tuned import KINDS, numbers
from _tuned import make as make_tuned
from _tuned import rows as tuned_rows
from _versions import ScoringMonitor, needs_callbacks
from sklearn.datasets import load_digits, make_multilabel_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback, Checkpoint, GradientNormClipping, LRScheduler

from skreg import (
    CNNClassifier,
    CNNRegressor,
    ImageAugmenter,
    MLPClassifier,
    MLPRegressor,
    compact,
    fused,
    prune,
    regularization_path,
)
from skreg.estimators.trained import networks_of
from skreg.model_selection import path_problem
from skreg.training import assembly

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Regressors differ in the loss and the encoding of targets only: see OTHERS.
EVERY = [(MLPClassifier, name) for name in ALL_CONFIGURATIONS]
EVERY += [(CNNClassifier, name) for name in OF_CONVOLUTIONS]
# What no configuration has.
OTHERS = {
    "squared_error": (MLPRegressor, {}),
    "convolutional regressor": (CNNRegressor, {"channels": (4,), "batchnorm": True}),
    "positive": (MLPClassifier, {"positive": True}),
    "label_smoothing": (MLPClassifier, {"label_smoothing": 0.1}),
    "class_weight": (MLPClassifier, {"class_weight": "balanced"}),
    "absolute_error": (MLPRegressor, {"loss": "absolute_error"}),
    "huber": (MLPRegressor, {"loss": "huber"}),
    "quantile": (MLPRegressor, {"loss": "quantile", "quantile": 0.8}),
    "quantiles": (MLPRegressor, {"loss": "quantile", "quantile": [0.2, 0.8]}),
    "poisson": (MLPRegressor, {"loss": "poisson"}),
    "own loss": (MLPRegressor, {"loss": Expectile(0.8)}),
    "own monitor": (
        MLPRegressor,
        {"early_stopping": True, "monitor": Expectile(0.4), "max_iter": 9},
    ),
    "monitor": (MLPClassifier, {"early_stopping": True, "monitor": "accuracy"}),
    "scorer": (MLPRegressor, {"early_stopping": True, "monitor": "r2", "max_iter": 9}),
    "shared members": (
        MLPClassifier,
        {"n_estimators": 3, "ensemble": "shared", "l1": 1e-3, "batchnorm": True},
    ),
    "members that stop": (
        MLPClassifier,
        {
            "n_estimators": 4,
            "early_stopping": True,
            "n_iter_no_change": 1,
            "learning_rate_init": 0.3,
            "max_iter": 20,
            "ema_decay": 0.9,
            "pruning": 0.5,
        },
    ),
}


@pytest.fixture(autouse=True)
def _on_the_cpu_with_torch():
    """Devices are compared with the same operations on the CPU, to the bit."""
    with with_torch():
        yield


@pytest.fixture
def on_devices():
    with devices():
        yield


@pytest.mark.usefixtures("on_devices")
class TestFits:
    @pytest.mark.parametrize("kind, configuration", EVERY)
    def test_every_configuration(self, kind, configuration):
        make_one = functools.partial(make, kind, configuration, **SHORT)
        assert_as_on_cpu(make_one, *data(kind))

    @pytest.mark.parametrize("name", OTHERS)
    def test_other_parameters(self, name):
        kind, parameters = OTHERS[name]
        X, y = data(kind)
        y = np.maximum(y, 0) if name == "poisson" else y
        assert_as_on_cpu(functools.partial(kind, **SHORT | parameters), X, y)

    @pytest.mark.parametrize(
        "configuration",
        [
            name
            for name, parameters in ALL_CONFIGURATIONS.items()
            # L-BFGS waits in each of its iterations, and where these fits end depends
            # on their batches.
            if not {"l1", "group_l1", "hidden_layer_sizes"} & set(parameters)
        ],
    )
    def test_no_step_waits_for_the_device(self, configuration):
        rows = data(MLPClassifier)
        make_one = functools.partial(make, MLPClassifier, configuration, **SHORT)
        few, many = n_reads(make_one, *rows)
        assert few == many

    @pytest.mark.parametrize("kind", ["sparse", "read-only", "weights", "validation"])
    def test_other_rows(self, kind):
        X, y = data(MLPClassifier)
        given = {}
        if kind == "sparse":
            X = sp.csr_array(X * (np.abs(X) > 1))
        elif kind == "read-only":
            X.flags.writeable = False
        elif kind == "weights":
            given = {"sample_weight": np.linspace(0, 2, len(y))}
        else:
            given = {"X_val": X[::3], "y_val": y[::3]}
        early = {"early_stopping": kind == "validation"}
        assert_as_on_cpu(
            functools.partial(MLPClassifier, **SHORT | early),
            X,
            y,
            lambda estimator, X, y: estimator.fit(X, y, **given),
        )

    def test_labels(self):
        rows = make_multilabel_classification(60, 6, random_state=0)
        assert_as_on_cpu(functools.partial(MLPClassifier, **SHORT), *rows)

    def test_precision(self):
        """Without a dtype it is single, in all predictions, too."""
        X, y = data(MLPClassifier)
        single = functools.partial(MLPClassifier, max_iter=3, random_state=0)
        expected = as_on_cpu(functools.partial(single, dtype="float32"), X, y)
        assert_as_on_cpu(single, X, y, expected=expected)
        X = X.astype(np.float32)
        assert_as_on_cpu(single, X, y)

    @pytest.mark.parametrize("pruning", [0.0, 0.5])
    @pytest.mark.parametrize("configuration", ["default", "sgd", "members", "shared"])
    def test_partial_fit(self, configuration, pruning):
        def fit(estimator, X, y):
            estimator.partial_fit(X[:40], y[:40], classes=np.unique(y))
            return estimator.partial_fit(X[20:], y[20:])

        make_one = functools.partial(
            make, MLPClassifier, configuration, **SHORT, pruning=pruning
        )
        assert_as_on_cpu(make_one, *data(MLPClassifier), fit)

    def test_warm_start(self):
        make_one = functools.partial(MLPClassifier, warm_start=True, **SHORT)
        assert_as_on_cpu(
            make_one,
            *data(MLPClassifier),
            lambda estimator, X, y: estimator.fit(X, y).fit(X, y),
        )

    @pytest.mark.parametrize("configuration", ["default", "dropout", "batchnorm"])
    def test_images(self, configuration):
        X, y = load_digits(return_X_y=True)
        parameters = {
            "default": {},
            "dropout": {"dropout": 0.2},
            "batchnorm": {"batchnorm": True, "input_noise": 0.1},
        }[configuration]
        make_one = functools.partial(
            CNNClassifier,
            channels=(4, 8),
            image_shape=(8, 8),
            augment=[
                ImageAugmenter(rotation_range=10, width_shift_range=1, zoom_range=0.1),
                lambda X, rng: X + rng.normal(size=X.shape),
            ],
            **SHORT | parameters,
        )
        assert_as_on_cpu(make_one, X[:64], y[:64])

    def test_callbacks_of_skorch(self, tmp_path):
        seen = []

        class Watcher(Callback):
            def on_grad_computed(self, net, named_parameters, batch, **kwargs):
                tensors = [parameter.grad for _, parameter in named_parameters]
                seen.extend({t.device.type for t in [*tensors, *batch]})
                seen.append(torch.device(net.device).type)

        def make_one(device):
            callbacks = [
                Watcher(),
                Checkpoint(monitor="train_loss_best", dirname=tmp_path / device),
                LRScheduler("ExponentialLR", gamma=0.5),
                GradientNormClipping(0.1),
            ]
            return MLPClassifier(
                solver="sgd", device=device, callbacks=callbacks, **SHORT
            )

        assert_as_on_cpu(make_one, *data(MLPClassifier))
        n_steps = 2 * SHORT["max_iter"]
        assert len(seen) == 4 * n_steps and set(seen[: 2 * n_steps]) == {"cpu"}
        assert set(seen[2 * n_steps :]) == {DEVICE}

    @needs_callbacks
    def test_callbacks_of_scikit_learn(self):
        X, y = data(MLPClassifier)
        logs = []
        for device in ("cpu", DEVICE):
            monitor = ScoringMonitor(scoring="neg_log_loss")
            estimator = MLPClassifier(device=device, **SHORT).set_callbacks(monitor)
            estimator.fit(X, y)
            rows = [r for r in monitor.get_logs().data if r["task_name"] == "epoch"]
            logs.append([row["neg_log_loss"] for row in rows])
        assert len(logs[0]) == SHORT["max_iter"]
        assert_equal(logs[1:], logs[:1])

    def test_net(self):
        """The net does not move the network that predicts."""
        X, y = data(MLPClassifier)
        estimator = MLPClassifier(device=DEVICE, **SHORT).fit(X, y)
        expected = estimator.predict_proba(X)
        rows = torch.from_numpy(StandardScaler().fit_transform(X)).unsqueeze(0)
        score = estimator.net_.infer(rows)
        assert score.device.type == DEVICE
        found = score.squeeze(0).softmax(1).cpu().numpy()
        # StandardScaler rounds otherwise.
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert_equal([estimator.predict_proba(X)], [expected])


@pytest.mark.usefixtures("on_devices")
class TestSearches:
    GRID = {"mlpclassifier__l1": [0, 1e-3], "mlpclassifier__dropout": [0, 0.4]}

    def searched(self, device, **grid):
        pipeline = make_pipeline(
            StandardScaler(), MLPClassifier((8,), device=device, **SHORT)
        )
        search = GridSearchCV(
            pipeline,
            self.GRID | grid,
            cv=3,
            scoring="neg_log_loss",
            error_score="raise",
        )
        with fused():
            return search.fit(*data(MLPClassifier))

    def test_fused(self):
        one, other = (self.searched(device) for device in ("cpu", DEVICE))
        key = "mean_test_score"
        assert_equal([other.cv_results_[key]], [one.cv_results_[key]])
        X, _ = data(MLPClassifier)
        assert_equal([other.predict_proba(X)], [one.predict_proba(X)])

    def test_devices_as_candidates(self):
        choice = {"mlpclassifier__device": ["cpu", f"{DEVICE}:0", f"{DEVICE}:1"]}
        scores = self.searched("cpu", **choice).cv_results_["mean_test_score"]
        on_cpu, *on_others = scores.reshape(3, 4)  # devices vary slowest
        assert_equal(on_others, [on_cpu] * 2)

    @pytest.mark.parametrize("kind", KINDS)
    def test_networks_that_tune_themselves(self, kind):
        X, y = tuned_rows(kind)
        own = {"max_iter": 3, "dtype": "float64"}
        found = []
        for device in ("cpu", DEVICE):
            estimator = make_tuned(kind, own | {"device": device}).fit(X, y)
            found.append([numbers(estimator, X), estimator.best_score_])
        assert_equal(found[1], found[0])

    @pytest.mark.parametrize("penalty", ["l1", "l2", "group_l1"])
    def test_path(self, penalty, monkeypatch):
        # The CPU has another solver for paths of linear models.
        monkeypatch.setattr(path_problem, "takes", lambda request: False)
        found = []
        for device in ("cpu", DEVICE):
            estimator = MLPClassifier((), device=device, **SHORT | {"max_iter": 30})
            rows = data(MLPClassifier)
            path = regularization_path(estimator, *rows, penalty=penalty, n=4, cv=2)
            found.append([path.strengths, path.coefs, path.scores])
        assert_equal(found[1], found[0])

    @pytest.mark.parametrize("structured", [False, True])
    def test_pruned_and_compacted(self, structured):
        X, y = data(MLPClassifier)
        found = []
        for device in ("cpu", DEVICE):
            estimator = MLPClassifier(device=device, **SHORT).fit(X, y)
            pruned = prune(
                estimator, 0.5, X, y, structured=structured, finetune_epochs=1
            )
            small = compact(pruned)
            assert small.net_.module_.weights[0].device.type == device
            found.append([e.predict_proba(X) for e in (pruned, small)])
        assert_equal(found[1], found[0])


class TestWithoutTheDevice:
    """An estimator that was fitted on a device is loaded where there is none."""

    @pytest.fixture
    def pickled(self):
        X, y = data(MLPClassifier)
        with devices():
            estimator = MLPClassifier(device=f"{DEVICE}:1", **SHORT, n_estimators=2)
            estimator.partial_fit(X, y, classes=np.unique(y))
            return pickle.dumps(estimator), estimator.predict_proba(X)

    WARNED = rf"trained with device='{DEVICE}:1', .* predicts on the CPU"
    USES = {
        "predict": lambda estimator: estimator,
        "members": lambda estimator: estimator.estimators_[0],
        "pruned": lambda estimator: prune(estimator, 0.5),
        "compacted": lambda estimator: compact(estimator),
    }

    @pytest.mark.parametrize("use", USES)
    def test_it_predicts_on_the_cpu(self, pickled, use):
        X, _ = data(MLPClassifier)
        text, _ = pickled
        with devices():
            expected = self.USES[use](pickle.loads(text)).predict_proba(X)
        estimator = pickle.loads(text)
        with pytest.warns(UserWarning, match=self.WARNED):
            used = self.USES[use](estimator)
            assert_equal([used.predict_proba(X)], [expected])
        # Once: the network that predicts is kept.
        assert_equal([used.predict_proba(X)], [expected])
        assert used.net_.module_.weights[0].device.type == "cpu"

    def test_it_returns_to_its_device(self, pickled):
        X, _ = data(MLPClassifier)
        text, expected = pickled
        text = pickle.dumps(pickle.loads(text))
        with devices():
            estimator = pickle.loads(text)
            assert_equal([estimator.predict_proba(X)], [expected])
            found = estimator.net_.module_.weights[0].device
        assert found == torch.device(DEVICE, 1)

    def test_it_is_continued_on_another(self, pickled):
        X, y = data(MLPClassifier)
        text, _ = pickled
        with devices():
            expected = pickle.loads(text).partial_fit(X, y)
        estimator = pickle.loads(text)
        with pytest.raises(ValueError, match=f"device='{DEVICE}:1' cannot be used"):
            estimator.partial_fit(X, y)
        estimator.set_params(device="cpu").partial_fit(X, y)
        for one, other in zip(networks_of(estimator), networks_of(expected)):
            assert_equal(one.state, other.state)


class TestWithoutDoubles:
    """Devices like "mps" have no float64. `X` has it, and large offsets."""

    @pytest.fixture(autouse=True)
    def single_devices(self, monkeypatch):
        # The fits on the CPU, too, must do without.
        monkeypatch.setattr(assembly, "has_double", lambda device: False)
        with devices(without=[torch.float64]):
            yield

    PARAMETERS = {"max_iter": 3, "random_state": 0}

    @pytest.mark.parametrize(
        "configuration", ["default", "early_stopping", "group_l1", "lbfgs", "images"]
    )
    @pytest.mark.parametrize("is_sparse", [False, True])
    def test_fits(self, configuration, is_sparse):
        X, y = data(MLPClassifier)
        X = sp.csr_array(X * (np.abs(X) > 1)) if is_sparse else X + 1e9
        one = functools.partial(make, MLPClassifier, configuration, **self.PARAMETERS)
        expected = as_on_cpu(functools.partial(one, dtype="float32"), X, y)
        assert_as_on_cpu(one, X, y, expected=expected)

    def test_images(self):
        X, y = data(CNNClassifier)
        one = functools.partial(CNNClassifier, channels=(4,), **self.PARAMETERS)
        expected = as_on_cpu(functools.partial(one, dtype="float32"), X, y)
        assert_as_on_cpu(one, X, y, expected=expected)

    def test_double_precision_is_refused(self):
        match = f"dtype='float64' cannot be used with device='{DEVICE}', which has"
        with pytest.raises(ValueError, match=match):
            MLPClassifier(device=DEVICE, dtype="float64").fit(*data(MLPClassifier))


class TestDevicesThatCannotBeUsed:
    CHOICES = r"Use device='cpu'"

    @pytest.mark.parametrize(
        "device, reason",
        [
            ("foo", "it is not the name of a device"),
            ("", "it is not the name of a device"),
            ("cuda:-1", "it is not the name of a device"),
            ("cuda:99999999999", "it is not the name of a device"),
            ("CPU", "it is not the name of a device"),
            ("meta", "this build of torch cannot compute on it"),
            (DEVICE, "this build of torch cannot compute on it"),
            ("hpu", "No module named 'torch.hpu'"),
            ("cuda:99", ""),
            (torch.device("cuda", 99), ""),
        ],
    )
    @pytest.mark.parametrize("kind", [*ESTIMATORS, *CONVOLUTIONAL])
    def test_the_error_says_why(self, kind, device, reason):
        match = (
            rf"^device='{device}' cannot be used on this machine \(.*{reason}.*\)\. "
        )
        with pytest.raises(ValueError, match=match + self.CHOICES) as error:
            kind(device=device).fit(*data(kind))
        assert len(str(error.value)) < 300

    @pytest.mark.parametrize(
        "count, choices",
        [
            (0, "Use device='cpu'."),
            (1, "Use device='cpu' or 'cuda'."),
            (3, "Use device='cpu', 'cuda:0', 'cuda:1' or 'cuda:2'."),
        ],
    )
    def test_the_error_names_what_torch_has(self, monkeypatch, count, choices):
        has = torch.accelerator
        monkeypatch.setattr(has, "is_available", lambda: count > 0)
        monkeypatch.setattr(has, "device_count", lambda: count)
        monkeypatch.setattr(has, "current_accelerator", lambda: torch.device("cuda"))
        with pytest.raises(ValueError) as error:
            MLPClassifier(device="gpu").fit(*data(MLPClassifier))
        assert str(error.value).endswith(f"of a device). {choices}")
