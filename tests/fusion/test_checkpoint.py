"""A stored fit equals the fit bit for bit, and no other file is taken for it."""

import errno
import json
import math
import pickle
import signal
import sys
import warnings
from dataclasses import fields, replace
from pathlib import Path
from unittest import mock

import joblib
import numpy as np
import pytest
from _checkpoints import FITS, bits, kept, preparation, prepared, same
from _fitted import key_of
from _processes import exit_code, started
from safetensors.numpy import save
from sklearn.base import is_classifier
from sklearn.utils import get_tags

import skreg
from skreg.estimators.fits import fits_of
from skreg.fusion.checkpoint import Checkpoint
from skreg.training.request import FitResult
from skreg.training.tracker import CURVES, NUMBERS
from skreg.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def outcome(estimator, result, request, prepared):
    """Return the attributes of an estimator that gets a result, and its warnings."""
    fits, _ = fits_of([result], [request], prepared)
    estimator._become(prepared.layout, prepared.device, fits)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator._warn_of_an_early_end([result.tracker])
    attributes = {k: v for k, v in vars(estimator).items() if k != "_inference"}
    return bits(attributes), [str(warning.message) for warning in caught]


def with_inputs():
    """Return each fit with dense inputs, and classifiers with sparse ones as well."""
    return [(name, False) for name in FITS] + [
        (name, True)
        for name, (estimator, _) in FITS.items()
        if is_classifier(estimator) and get_tags(estimator).input_tags.sparse
    ]


@pytest.mark.parametrize("name, sparse", with_inputs())
def test_a_kept_fit_is_the_fit(name, sparse, tmp_path):
    estimator, request = prepared(name, sparse)
    key = key_of(request)
    (result,) = train([request])
    result.seconds = 1 / 3
    Checkpoint(tmp_path).save(key, result)

    again, other_request = prepared(name, sparse)
    checkpoint = Checkpoint(tmp_path)
    assert key_of(other_request) == key
    loaded = checkpoint.load(key, other_request)
    assert same(loaded, result)
    tracker, expected = loaded.tracker, result.tracker
    assert tracker.n_iter == expected.n_iter
    assert tracker.best_state is None
    for field in ("solver", "max_iter", "is_certified", "accuracy"):
        found = getattr(tracker.request, field)
        assert found == getattr(expected.request, field)
    assert tracker.request.train is other_request.train
    assert all(a.flags.owndata and a.flags.writeable for a in loaded.state)
    known = preparation(name, sparse)
    found = outcome(again, loaded, other_request, known)
    assert found == outcome(estimator, result, request, known)


def test_the_list_above_holds_what_it_is_for():
    names = ["polished", "polished, far", "no steps", "patience", "invscaling"]
    names.append("MLPClassifier batchnorm_after")
    results = {name: train([prepared(name)[1]])[0] for name in names}
    solvers = {
        name: (prepared(name)[1].solver, result.tracker.request.solver)
        for name, result in results.items()
    }
    assert solvers["polished"] == solvers["polished, far"] == ("adam", "lbfgs")
    assert solvers["no steps"] == ("lbfgs", "lbfgs")
    assert results["polished"].tracker.converged
    assert not results["polished, far"].tracker.converged
    assert results["patience"].tracker.converged
    lr = results["invscaling"].tracker.lr
    assert lr < FITS["invscaling"][0].learning_rate_init
    assert len(results["MLPClassifier batchnorm_after"].state) == 8


def test_a_loaded_fit_is_not_polished_again(tmp_path):
    for name in ("polished", "polished, far", "no steps"):
        checkpoint, key, request, result, _ = kept(tmp_path, name)
        loaded = checkpoint.load(key, request)
        assert not skreg.training.train.needs_polish(loaded)
        assert loaded.tracker.converged == result.tracker.converged


def test_numbers_survive_bit_for_bit(tmp_path):
    checkpoint, key, request, result, _ = kept(tmp_path)
    numbers = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 0.1 + 0.2, 1e308, 1.0]
    assert len(result.tracker.loss_curve) == len(numbers)
    result.tracker.loss_curve = numbers
    result.tracker.best_score = -math.inf
    result.tracker.converged, result.tracker.lr = np.True_, np.float64(1 / 3)
    result.kkt_violation = math.nan
    checkpoint.save(key, result)
    loaded = checkpoint.load(key, request)
    assert bits(loaded.tracker.loss_curve) == bits(numbers)
    assert loaded.tracker.best_score == -math.inf
    assert loaded.tracker.converged is True
    assert loaded.tracker.lr.hex() == (1 / 3).hex()
    assert math.isnan(loaded.kkt_violation)


def test_weights_that_do_not_lie_in_rows(tmp_path):
    checkpoint, key, request, result, _ = kept(tmp_path)
    result.state = [np.asfortranarray(array) for array in result.state]
    checkpoint.save(key, result)
    loaded = checkpoint.load(key, request)
    assert all(map(np.array_equal, loaded.state, result.state))


def test_what_is_kept_of_a_result_is_decided():
    """A new attribute of a tracker or a result must be kept, or listed here."""
    _, request = prepared("r2")
    (result,) = train([request])
    not_kept = {"request", "best_state", "error"}
    assert vars(result.tracker).keys() == {*CURVES, *NUMBERS, "snapshots"} | not_kept
    of_result = {"state", "tracker", "kkt_violation", "seconds"}
    not_kept = {"history", "optimizer_state", "interrupted"}
    assert {field.name for field in fields(FitResult)} == of_result | not_kept


def test_fits_that_did_not_end_of_their_own_accord(tmp_path):
    checkpoint, key, request, result, path = kept(tmp_path)
    path.unlink()
    checkpoint.save(None, result)
    assert checkpoint.load(None, request) is None
    checkpoint.save(key, replace(result, interrupted=True))
    result.tracker.halted = True
    checkpoint.save(key, result)
    result.tracker.halted, result.tracker.error = False, ValueError("diverged")
    checkpoint.save(key, FitResult([], result.tracker))
    assert not any(tmp_path.iterdir())
    assert checkpoint.load(key, request) is None


def header_of(content):
    """Return the header of a safetensors file, and where the arrays begin."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), end


def test_files_are_weights_and_text(tmp_path):
    checkpoint, key, request, result, path = kept(tmp_path)
    content = path.read_bytes()
    header, start = header_of(content)
    (entry,) = json.loads(header["__metadata__"]["records"]).values()
    assert json.loads(entry["numbers"])["seconds"] == 0.1
    n_numbers = sum(len(getattr(result.tracker, name)) for name in CURVES)
    n_bytes = sum(array.nbytes for array in result.state)
    assert len(content) - start == n_bytes + 8 * n_numbers
    assert request.train.X[:2].tobytes() not in content
    forbidden = {"side_effect": AssertionError}
    with (
        mock.patch("pickle.loads", **forbidden),
        mock.patch("pickle.load", **forbidden),
        mock.patch("pickle.Unpickler", **forbidden),
    ):
        assert same(checkpoint.load(key, request), result)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def with_state(change):
    """Return a function that replaces the arrays of a file and keeps its metadata."""

    def changed(content):
        header, start = header_of(content)
        metadata, arrays = header.pop("__metadata__"), {}
        for name, about in header.items():
            first, last = (start + offset for offset in about["data_offsets"])
            array = np.frombuffer(content[first:last], "f8").reshape(about["shape"])
            arrays[name] = array.copy()
        return save(*change(arrays, metadata))

    return changed


DAMAGE = {
    "empty": lambda c: b"",
    "zeros": lambda c: bytes(len(c)),
    "truncated": lambda c: c[:-1],
    "halved": lambda c: c[: len(c) // 2],
    "header only": lambda c: c[: header_of(c)[1]],
    "longer": lambda c: c + b"0",
    "twice": lambda c: c + c,
    "text": lambda c: b"hello",
    "a pickle": lambda c: pickle.dumps({"weight_0": [1.0]}),
    "huge header": lambda c: b"\xff" * 7 + c,
    "no metadata": with_state(lambda a, m: (a, None)),
    "other metadata": with_state(lambda a, m: (a, {"format": "pt"})),
    "other records": with_state(lambda a, m: (a, m | {"records": "[]"})),
    "no arrays": with_state(lambda a, m: ({}, m)),
    "another array": with_state(lambda a, m: (a | {"0.weight_9": a["0.bias_0"]}, m)),
    "a missing array": with_state(lambda a, m: ({"0.bias_0": a["0.bias_0"]}, m)),
    "another shape": with_state(
        lambda a, m: (a | {"0.bias_0": a["0.bias_0"].transpose(0, 2, 1).copy()}, m)
    ),
    "another dtype": with_state(
        lambda a, m: (a | {"0.bias_0": a["0.bias_0"].view(int)}, m)
    ),
    "a weight": with_state(lambda a, m: (a | {"0.bias_0": a["0.bias_0"] + 1e-9}, m)),
    "nan": with_state(lambda a, m: (a | {"0.bias_0": a["0.bias_0"] * np.nan}, m)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_ignored(damage, tmp_path):
    checkpoint, key, request, result, path = kept(tmp_path)
    damaged = DAMAGE[damage](path.read_bytes())
    path.write_bytes(damaged)
    with pytest.warns(UserWarning, match="trained anew") as caught:
        assert checkpoint.load(key, request) is None
    assert len(caught) == 1
    assert str(path) in str(caught[0].message)
    assert caught[0].filename == __file__
    assert path.read_bytes() == damaged  # until the fit is trained anew
    checkpoint.save(key, result)
    assert same(checkpoint.load(key, request), result)


def test_every_byte_counts(tmp_path):
    checkpoint, key, request, _, path = kept(tmp_path, "polished")
    content = path.read_bytes()
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1
        path.write_bytes(changed)
        with pytest.warns(UserWarning, match="trained anew"):
            assert checkpoint.load(key, request) is None


def test_the_file_of_another_fit_is_ignored(tmp_path):
    """Also one of the same network, whose arrays would fit."""
    checkpoint, key, request, _, path = kept(tmp_path)
    for other in (replace(request, seed=9), replace(request, max_iter=3)):
        other_key = key_of(other)
        (tmp_path / f"{other_key}.safetensors").write_bytes(path.read_bytes())
        with pytest.warns(UserWarning, match="another fit"):
            assert checkpoint.load(other_key, other) is None
    path.unlink()
    path.mkdir()
    with pytest.warns(UserWarning, match="trained anew"):
        assert checkpoint.load(key, request) is None


@pytest.mark.parametrize("call", ["os.replace", "open"])
def test_a_full_disk_is_one_warning(call, tmp_path):
    checkpoint, key, request, result, path = kept(tmp_path)
    path.unlink()
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch(f"skreg.fusion.files.{call}", side_effect=full, create=True):
        with pytest.warns(UserWarning, match="cannot be written.*No space left"):
            checkpoint.save(key, result)
        checkpoint.save(key, result)  # a second warning would be an error
    assert not any(tmp_path.iterdir())
    assert checkpoint.load(key, request) is None
    checkpoint.save(key, result)
    assert same(checkpoint.load(key, request), result)


def test_a_directory_that_is_removed_is_one_warning(tmp_path):
    checkpoint, key, request, result, path = kept(tmp_path / "gone")
    path.unlink()
    path.parent.rmdir()
    assert checkpoint.load(key, request) is None
    with pytest.warns(UserWarning, match="cannot be written"):
        checkpoint.save(key, result)


def test_the_directory_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Checkpoint("a/b").directory == tmp_path / "a" / "b"
    assert Checkpoint("~/d").directory == tmp_path / "home" / "d"
    for directory in ("a/b", "a/b", tmp_path / "c"):  # one is there already
        checkpoint = Checkpoint(directory)
        assert checkpoint.begin()
        assert not any(checkpoint.directory.iterdir())


@pytest.mark.parametrize(
    "value", ["", None, 5, b"bytes", ["a"], "a\0b", "file", "file/a"]
)
def test_a_directory_that_cannot_be(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(ValueError, match="checkpoint must be the path") as caught:
        Checkpoint(value).begin()
    assert repr(value) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_directory_that_cannot_be_written(tmp_path):
    denied = PermissionError(errno.EACCES, "Permission denied")
    with mock.patch("skreg.fusion.checkpoint.Path.touch", side_effect=denied):
        with pytest.raises(ValueError, match=r"checkpoint must .* Permission denied"):
            Checkpoint(tmp_path).begin()


def write_and_read(folder, n_times):
    """Store a fit and read it many times. Return how often it was right."""
    warnings.simplefilter("error", UserWarning)
    checkpoint, key, request, result, _ = kept(folder)
    right = 0
    for _ in range(n_times):
        checkpoint.save(key, result)
        right += same(checkpoint.load(key, request), result)
    return right


def test_processes_share_a_directory(tmp_path):
    work = (joblib.delayed(write_and_read)(tmp_path, 200) for _ in range(3))
    assert joblib.Parallel(n_jobs=3, backend="loky")(work) == [200] * 3
    assert len(list(tmp_path.iterdir())) == 1


KILLED = """
import os, signal
from _checkpoints import kept
kept(arguments[0], "r2")
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
kept(arguments[0], "polished")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_process_leaves_what_was_finished(tmp_path):
    assert exit_code(started(KILLED, tmp_path)) == -signal.SIGKILL
    assert len(list(tmp_path.glob("*.part"))) == 1
    checkpoint = Checkpoint(tmp_path)
    for name, is_kept in (("r2", True), ("polished", False)):
        _, request = prepared(name)
        loaded = checkpoint.load(key_of(request), request)
        assert (loaded is not None) == is_kept
        if is_kept:
            assert bits(loaded.state) == bits(train([request])[0].state)
