"""Whatever lies in a checkpoint folder, training goes on and gives the same result."""

import errno
import json
import os
import shutil
import signal
import sys
import warnings
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from _checkpoints import Deadly, Killed, same
from _estimators import data
from _fitted import prepared_request
from _processes import exit_code, started
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save
from sklearn.model_selection import GridSearchCV

import skreg
from skreg import MLPClassifier, MLPRegressor
from skreg.fusion.checkpoint import Checkpoint
from skreg.fusion.dispatch import train_and_keep
from skreg.fusion.files import TYPES, _digest, _new_part
from skreg.training.record_checks import OF_PAUSED
from skreg.training.train import train

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes")
NETWORK = MLPRegressor((4,), max_iter=6, batch_size=16, early_stopping=True)


def requests():
    """Return the requests of two fits that are polished, and of two that are not."""
    X, y = data(MLPRegressor)
    linear = MLPRegressor((), max_iter=4, l1=0.02)
    return [
        prepared_request(estimator, X, y, seed=seed)
        for estimator in (NETWORK, linear)
        for seed in range(2)
    ]


EXPECTED = []


@pytest.fixture(scope="module", autouse=True)
def expected():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        EXPECTED[:] = train(requests())
    yield
    EXPECTED.clear()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return folders of fits that have ended, are in training, and are polished."""
    found = []
    for n_times in (7, 3, 12):
        folder = tmp_path_factory.mktemp("kept")
        with pytest.raises(Killed):
            train_and_keep(requests(), Deadly(folder, n_times))
        found.append(folder)
    kinds = {path.suffix for folder in found for path in folder.iterdir()}
    assert kinds == {".safetensors", ".training"}
    return found


def check(folder):
    """Train from a folder, and compare with training without it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = train_and_keep(requests(), Checkpoint(folder))
    for result, expected in zip(results, EXPECTED, strict=True):
        assert same(replace(result, seconds=0.0), replace(expected, seconds=0.0))
    texts = [str(warning.message) for warning in caught]
    return [text for text in texts if "trained anew" in text]


def changed_entry(path, change):
    """Change a record in a file, and make the digests of the file valid again.

    `change` takes the numbers and the arrays of the record, and returns new ones.
    """
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    entries = json.loads(header["__metadata__"]["records"])
    stored, kept = load(content), {}
    for number, (key, entry) in enumerate(entries.items()):
        group, row = entry["at"]
        arrays = {
            name.partition(".")[2]: array[row]
            for name, array in stored.items()
            if name.startswith(f"{group}.")
        }
        numbers, arrays = change(json.loads(entry["numbers"]), arrays)
        text = json.dumps(numbers)
        digest = _digest(key, text, arrays)
        entries[key] = {"at": [number, 0], "numbers": text, "digest": digest}
        kept |= {f"{number}.{name}": array[None] for name, array in arrays.items()}
    path.write_bytes(save(kept, {"records": json.dumps(entries)}))


OTHER_VALUES = st.one_of(
    st.none(),
    st.integers(-(2**200), -1),
    st.just(2**200),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=4),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
NAMES = [
    *("best_iter", "lr", "converged", "finished", "halted", "n_without_improvement"),
    *("has_ended", "solver", "max_iter", "seconds", "lengths", "n_snapshots"),
    *("kkt_violation", "streams", "n_averaged", "n_pairs", "has_best", "best_score"),
]


@given(which=st.integers(0, 2), name=st.sampled_from(NAMES), value=OTHER_VALUES)
def test_values_of_other_types_with_a_valid_digest(
    which, name, value, folders, tmp_path_factory
):
    folder, n_changed = tmp_path_factory.mktemp("changed") / "kept", 0
    shutil.copytree(folders[which], folder)

    def change(numbers, arrays):
        nonlocal n_changed
        n_changed += name in numbers
        return numbers | ({name: value} if name in numbers else {}), arrays

    for path in folder.iterdir():
        changed_entry(path, change)
    found = check(folder)
    # Of the fits of the first folder, the file of their stack is not needed.
    assert found or not n_changed or (which == 0 and name in OF_PAUSED)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "sgd", "", 5, None])
@pytest.mark.parametrize("which", range(3))
def test_an_unknown_solver_with_a_valid_digest(solver, which, folders, tmp_path):
    shutil.copytree(folders[which], tmp_path / "kept")
    for path in (tmp_path / "kept").iterdir():
        changed_entry(path, lambda n, a: (n | {"solver": solver}, a))
    assert check(tmp_path / "kept") or solver == "lbfgs"


@pytest.mark.parametrize(
    "change",
    [
        lambda array: array * np.nan,
        lambda array: array.flatten()[:0],
        lambda array: np.stack([array, array]),
        lambda array: array.astype(np.float16),
        lambda array: array.astype(np.int64),
    ],
    ids=["nan", "empty", "twice", "half", "integers"],
)
@pytest.mark.parametrize("which", range(3))
def test_other_arrays_with_a_valid_digest(change, which, folders, tmp_path):
    shutil.copytree(folders[which], tmp_path / "kept")
    for path in (tmp_path / "kept").iterdir():
        changed_entry(path, lambda n, a: (n, {k: change(v) for k, v in a.items()}))
    assert check(tmp_path / "kept")


def huge(path, kind=""):
    """Write a file of many gigabytes, most of which the disk does not store."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, n_bytes = json.loads(content[8 : 8 + length]), 2**36
    if kind == "header":
        with open(path, "wb") as file:
            file.write(n_bytes.to_bytes(8, "little"))
            file.truncate(2 * n_bytes)
        return
    start = 0
    for name, about in header.items():
        if name != "__metadata__":
            about["shape"][0 if kind == "rows" else -1] = n_bytes
            about["data_offsets"] = [start, start + 8 * n_bytes]
            start += 8 * n_bytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + start)


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def replaced(path, make):
    path.unlink()
    make(path)


PLACED = {
    "pipe": pipe,
    "directory": lambda path: replaced(path, Path.mkdir),
    "link to nothing": lambda path: replaced(path, lambda p: p.symlink_to("/nothing")),
    "link to itself": lambda path: replaced(path, lambda p: p.symlink_to(p)),
    "link to a device": lambda path: replaced(path, lambda p: p.symlink_to(os.devnull)),
    "endless device": lambda path: replaced(path, lambda p: p.symlink_to("/dev/zero")),
    "huge header": lambda path: huge(path, "header"),
    "huge rows": lambda path: huge(path, "rows"),
    "huge arrays": huge,
    "deep header": lambda path: path.write_bytes(
        (10**6).to_bytes(8, "little") + b"[" * 10**6
    ),
}


@pytest.mark.parametrize("kind", PLACED)
@pytest.mark.parametrize("which", range(3))
def test_what_somebody_else_has_put_there(kind, which, folders, tmp_path):
    """Neither an error, nor a hang, nor gigabytes of memory."""
    folder = tmp_path / "kept"
    shutil.copytree(folders[which], folder)
    for path in folder.iterdir():
        try:
            PLACED[kind](path)
        except OSError as error:  # of a disk without sparse files
            if error.errno not in (errno.EFBIG, errno.ENOSPC):
                raise
            pytest.skip("files cannot be so large here")
    found = check(folder)
    assert found or kind == "link to nothing"


@given(
    which=st.integers(0, 2),
    junk=st.binary(max_size=40),
    at=st.floats(0, 1),
    keeps_end=st.booleans(),
)
def test_any_bytes(which, junk, at, keeps_end, folders, tmp_path_factory):
    """Cut, extended and overwritten, in the header and in the arrays."""
    folder = tmp_path_factory.mktemp("changed") / "kept"
    shutil.copytree(folders[which], folder)
    for path in folder.iterdir():
        content = path.read_bytes()
        start = round(at * len(content))
        end = content[start + len(junk) :] if keeps_end else b""
        path.write_bytes(content[:start] + junk + end)
    check(folder)


def test_the_constants_here_are_those_of_the_files(folders):
    """Else the changes above would be no changes."""
    (path, *_) = folders[0].glob("*.safetensors")
    before = path.read_bytes()
    names = set()
    changed_entry(path, lambda n, a: (names.update(n), (n, a))[1])
    assert names <= set(NAMES)
    with mock.patch("skreg.training.train.run", side_effect=AssertionError):
        known = [r.resume for r in Checkpoint(folders[0]).resumed(requests())]
    assert sum(result is not None for result in known) >= 1
    path.write_bytes(before)
    assert set(TYPES.values()) == {"F64", "F32"}
    assert len(sha256(b"").hexdigest()) == 64


class TestFolder:
    X, y = data(MLPClassifier)

    def search(self, folder, scoring=None):
        network = MLPClassifier((4,), max_iter=3, random_state=0)
        search = GridSearchCV(network, {"l2": [0.1, 0.2]}, cv=3, scoring=scoring)
        with skreg.fused(checkpoint=folder):
            return search.fit(self.X, self.y)

    @pytest.mark.parametrize("loss", ["removed", "a file"])
    def test_that_is_lost_during_a_search(self, loss, tmp_path):
        """One warning at most, and the refit is trained."""
        folder = tmp_path / "kept"

        def scoring(estimator, X, y):
            if folder.is_dir():
                shutil.rmtree(folder)
                if loss == "a file":
                    folder.touch()
            return estimator.score(X, y)

        expected = self.search(tmp_path / "other").best_score_
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert self.search(folder, scoring).best_score_ == expected
        texts = [str(w.message) for w in caught if "checkpoint" in str(w.message)]
        assert len(texts) == (loss == "a file")  # else it was made again
        assert all("Training goes on without it" in text for text in texts)

    def test_that_becomes_read_only_during_a_search(self, tmp_path):
        expected = self.search(tmp_path / "other").best_score_
        full = OSError(errno.EROFS, "Read-only file system")
        denied = mock.patch.object(Path, "touch", side_effect=full)
        denials = []

        def scoring(estimator, X, y):
            if not denials:
                denials.append(denied.start())
            return estimator.score(X, y)

        try:
            with pytest.warns(UserWarning, match="Training goes on") as caught:
                assert self.search(tmp_path, scoring).best_score_ == expected
        finally:
            denied.stop()
        texts = [str(w.message) for w in caught if "checkpoint" in str(w.message)]
        assert len(texts) == 1

    def test_that_cannot_be_used_from_the_beginning(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ValueError, match="checkpoint must be the path"):
            self.search(tmp_path / "file")


WRITER = """
import os, signal
from skreg.fusion import files
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
files.write_records(arguments[0] / "name", {})
"""


def test_parts_of_killed_writers_are_swept(tmp_path):
    """But neither those of living ones nor the files of others."""
    assert exit_code(started(WRITER, tmp_path)) == -signal.SIGKILL
    (dead,) = tmp_path.iterdir()
    alive, file = _new_part(tmp_path)
    others = [tmp_path / "own.part", tmp_path / f"{'0' * 32}.part"]
    others[0].touch()
    os.mkfifo(others[1])
    with file:
        assert Checkpoint(tmp_path).begin()
        assert not dead.exists()
        assert alive.exists() and all(os.path.lexists(path) for path in others)
    Checkpoint(tmp_path).begin()
    assert not alive.exists()


def test_a_part_that_is_swept_before_it_is_locked(tmp_path):
    """The writer makes another one."""
    swept, lock = [], "skreg.fusion.files.fcntl.flock"

    def flock(file, *args):
        if not swept:
            swept.append(Path(file.name))
            swept[0].unlink()

    with mock.patch(lock, flock):
        part, file = _new_part(tmp_path)
    with file:
        assert part.exists() and not swept[0].exists()
