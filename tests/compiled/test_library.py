"""The library: its builds, what there is without one, threads and interrupts."""

import logging
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from _engines import builds, with_engine, with_torch
from _estimators import data
from _fits import trained_by
from _numeric import request_of

import skreg
from skreg import MLPClassifier, MLPRegressor
from skreg.compiled import library as module
from skreg.compiled.library import BUILDS, library
from skreg.compiled.versions import engine_name
from skreg.training.engine import engine_of
from skreg.training.observer import Observer
from skreg.training.stack import Stack

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_the_fastest_build_is_used():
    capability = torch.backends.cpu.get_cpu_capability()
    names = [name for name in BUILDS.get(capability, ("generic",)) if name in builds()]
    assert library().name == names[0]


def test_what_is_reported(capsys):
    skreg.show_versions()
    shown = capsys.readouterr().out
    for name in ("python", "torch", "scikit-learn", "numpy"):
        assert f"    {name}: " in shown
    assert f"engine: compiled library ({library().name})" in shown
    with with_torch():
        assert engine_name() == "torch (SKREG_ENGINE=torch)"


def test_without_a_library(monkeypatch, caplog):
    """Torch trains, and it is said once, in no way that could break a fit."""

    def fail(name):
        raise ImportError(name)

    monkeypatch.setattr(module, "Library", fail)
    module._loaded.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                MLPClassifier((3,), max_iter=1).fit(*data(MLPClassifier))
        assert [record.getMessage() for record in caplog.records] == [module.NOT_BUILT]
        assert engine_name() == "torch (the compiled library was not built)"
    finally:
        module._loaded.cache_clear()


def test_another_version_of_the_library(monkeypatch):
    """Structures of another size are noticed before any is read."""
    name = library().name
    monkeypatch.setattr(module, "STRUCTURES", module.STRUCTURES[:-1] * 2)
    with pytest.raises(ImportError, match="built from another version"):
        module.Library(name)


def bits(estimator):
    curves = [fit.curves["loss_curve"] for fit in estimator._fits]
    arrays = [array for fit in estimator._fits for array in fit.state]
    return [np.asarray(array).tobytes() for array in curves + arrays]


@pytest.fixture
def threads():
    found = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(found)


KINDS = {
    "one large network": {},
    "many networks": {"n_estimators": 7},
    "normalised before": {"batchnorm": "before"},
    "normalised after": {"batchnorm": "after", "early_stopping": True},
    "groups, Adam": {"group_l1": 1e-3},
    "groups, SGD": {"group_l1": 1e-3, "solver": "sgd", "clip_norm": None},
    "full batch": {"solver": "lbfgs", "early_stopping": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_number_of_threads_changes_no_bit(kind, threads, monkeypatch):
    X, y = data(MLPRegressor, n_samples=300)
    settings = {"max_iter": 3, "hidden_layer_sizes": (50, 37), "l2": 1e-3}
    if KINDS[kind].get("solver") != "lbfgs":
        settings |= {"dropout": 0.2, "l1": 1e-4, "max_norm": 1.0, "ema_decay": 0.9}
        settings |= {"clip_norm": 0.1, "batch_size": 100}
    # So that threads share even this work.
    monkeypatch.setattr("skreg.training.compiled_passes.SHARED_PRODUCTS", 1)
    monkeypatch.setattr("skreg.training.compiled_passes.PART_PRODUCTS", 1)
    found = []
    for n in (1, 2, 3, 5):
        threads(n)
        monkeypatch.setattr(
            "skreg.training.compiled_passes.allowed_threads", lambda n=n: n
        )
        estimator = MLPRegressor(random_state=0, **settings | KINDS[kind])
        found.append(bits(trained_by(builds()[-1], lambda e=estimator: e.fit(X, y))))
    assert found[1:] == found[:-1]


def test_training_that_diverges():
    """The same error from both engines."""
    X, y = data(MLPRegressor)
    settings = {"solver": "sgd", "learning_rate_init": 1e200}
    settings |= {"learning_rate": "constant", "random_state": 0, "max_iter": 20}
    messages = []
    for context in (with_torch(), with_engine(builds()[-1])):
        with context, pytest.raises(ValueError, match=r"not finite|diverged") as error:
            MLPRegressor((5,), **settings).fit(X, y)
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_python_goes_on_meanwhile():
    """A call releases the interpreter's lock."""
    X = np.random.default_rng(0).normal(size=(20_000, 20))
    estimator = MLPRegressor((64,), max_iter=3, batch_size=64)
    done, ticks = threading.Event(), []

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    try:
        trained_by(builds()[-1], lambda: estimator.fit(X, X[:, 0]))
    finally:
        done.set()
        other.join()
    # Without the release it would tick between the calls only, which take 50 ms.
    assert np.median(np.diff(ticks)) < 0.03


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
from skreg import MLPRegressor
def interrupt():
    global sent
    sent = time.perf_counter()
    os.kill(os.getpid(), signal.SIGINT)
X = np.random.default_rng(0).normal(size=(200_000, 50))
threading.Timer(3.0, interrupt).start()
network = MLPRegressor(max_iter=100, **{settings})
try:
    network.fit(X, X[:, 0])
except KeyboardInterrupt:
    print(time.perf_counter() - sent)
"""
LONG = {
    "steps": {"hidden_layer_sizes": 256, "batch_size": 256},
    "steps of several networks": {"hidden_layer_sizes": 256, "n_estimators": 3},
    "one step": {"hidden_layer_sizes": (1024, 1024), "batch_size": 200_000},
    "validation": {"hidden_layer_sizes": (1024, 1024), "validation_fraction": 0.99},
    "an iteration": {"hidden_layer_sizes": (512, 512), "solver": "lbfgs"},
    "a normalised batch": {"activation": "gelu", "batchnorm": True},
    "a deep network": {"hidden_layer_sizes": (1024,) * 12, "batch_size": 1024},
    "the violation": {"hidden_layer_sizes": (512, 512), "group_l1": 1e-3},
}
LONG["validation"] |= {"early_stopping": True, "batch_size": 1000}
LONG["a normalised batch"] |= {"batch_size": 10**6}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
@pytest.mark.parametrize("name", LONG)
def test_ctrl_c(name):
    """In the middle of what takes many seconds, within one, even on a busy machine."""
    code = INTERRUPTED.replace("{settings}", repr(LONG[name]))
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )
    assert float(found.stdout) < 1.0, found.stderr


TOO_LARGE = """
import resource
import numpy as np
from skreg import MLPRegressor
X = np.zeros((300, 1), np.float32)
used = 4096 * int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (used + 2**29, used + 2**29))
try:
    MLPRegressor(2**21, batch_size=len(X), max_iter=1).fit(X, X[:, 0])
except MemoryError as error:
    print(error)
"""


@pytest.mark.skipif(
    sys.platform != "linux",
    reason="needs /proc and a limit of the address space, which others do not keep",
)
def test_a_batch_that_does_not_fit_the_memory():
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TOO_LARGE],
        capture_output=True,
        text=True,
    )
    assert "memory does not suffice for the batch" in found.stdout, found.stderr


@pytest.mark.parametrize("change", ["double", "half"])
def test_networks_of_another_type(change):
    """What the user does to the network is predicted with, as by torch."""
    X, y = data(MLPRegressor, n_samples=300)
    X = np.tile(X, (20, 1)).astype(np.float32)
    fitted = MLPRegressor((20,), max_iter=2, random_state=0).fit(X, np.tile(y, 20))
    before = fitted.predict(X)
    getattr(fitted._get_inference().network, change)()
    # Half precision has three digits, and the targets a spread of some tens.
    np.testing.assert_allclose(fitted.predict(X), before, rtol=0.01, atol=0.5)


def test_inputs_that_overflow():
    """Units that are infinitely far out leave the others as they are."""
    X, y = data(MLPClassifier, n_samples=300)
    settings = {"activation": "tanh", "standardize": False, "dtype": "float32"}
    settings["random_state"] = 0
    fitted = MLPClassifier((20, 7), max_iter=2, **settings).fit(X, y)
    X = np.tile(X, (10, 1))
    X[::7, 0] = 1e38
    found = fitted.predict_proba(X)
    with with_torch():
        np.testing.assert_allclose(found, fitted.predict_proba(X), rtol=1e-4, atol=1e-6)


def test_copies_that_take_longer_than_a_call(monkeypatch):
    """Each call predicts some rows even so."""
    X, y = data(MLPRegressor, n_samples=300)
    X = np.tile(X, (10, 1))
    fitted = MLPRegressor((20,), max_iter=2, n_estimators=2, random_state=0)
    expected = fitted.fit(X, np.tile(y, 10)).predict(X)
    monkeypatch.setattr(module, "CALL", 0.0)
    np.testing.assert_array_equal(fitted.predict(X), expected)


def test_threads_that_predict_with_one_estimator():
    """None sees the plan that another one has begun."""
    X, y = data(MLPRegressor, n_samples=300)
    fitted = MLPRegressor((20,), max_iter=2, random_state=0).fit(X + 100, y)
    expected, interval = fitted.predict(X + 100), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            for _ in range(200):
                fitted._get_inference()._plan = None
                for found in threads.map(fitted.predict, [X + 100] * 4):
                    np.testing.assert_array_equal(found, expected)
    finally:
        sys.setswitchinterval(interval)


def covered(**settings):
    """Return whether the library trains a network."""
    X, y = data(MLPClassifier)
    estimator = MLPClassifier((4, 4), **settings)
    engine = engine_of(Stack([request_of(estimator, X, y)]), Observer())
    return type(engine).__name__ == "CompiledEpochs"


@pytest.mark.parametrize(
    "settings",
    [
        {"mixup": 0.2},
        {"cutmix": 0.2},
        {"cutout": 0.2},
        {"adversarial": 0.1},
        {"skip": "residual"},
        {"skip": "linear", "stochastic_depth": 0.2},
        {"numeric_embedding": "periodic"},
        {"ensemble": "shared", "n_estimators": 2},
        {"feature_penalties": [1, 1, 1, 1, 2], "l1": 0.1},
        {"augment": lambda X, rng: X},
    ],
)
def test_what_torch_trains(settings):
    assert covered()
    assert not covered(**settings)
