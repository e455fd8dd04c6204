"""Finished fits on disk, so that a search that was killed goes on where it was.

Each fit is a file of its own, named by the hash of all that decides its result: weights
in safetensors, everything else as JSON in their metadata. Reading one executes nothing.
"""

import json
import os
import uuid
import warnings
from contextlib import suppress
from dataclasses import fields, replace
from hashlib import sha256
from numbers import Integral
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import sklearn
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save

from skreg.networks.architecture import state_shapes
from skreg.training.request import FitResult
from skreg.training.tracker import Tracker
from skreg.version import __version__

# Of the files and of the keys; to be raised whenever either changes.
FORMAT = 2

# Fields of a request with which a fit is not kept: what callbacks and hooks do has no
# content to hash, and the others are of fits that go on.
UNKEPT = ("callbacks", "on_epoch", "optimizer_state", "keep_optimizer")
# Fields that do not decide the result: `monitor` says what `score` is, and `key` is
# what this module returned.
UNHASHED = ("score", "key")

# What is kept of a tracker, and of its request, which a polish replaces.
COURSE = ("loss_curve", "validation_loss_curve", "validation_scores", "best_score")
COURSE += ("best_iter", "lr", "converged", "finished")
POLISHED = ("solver", "max_iter")


class Checkpoint:
    """A directory of finished fits.

    A fit is found again by all that decides its result up to rounding: the request
    with the contents of its data, and the versions of skreg, torch and numpy. The
    models that train beside it and the number of threads, which change the order of
    sums, do not count. What is read is checked by a digest, and trained anew if it is
    not what was written. Any number of processes may share a directory.

    Parameters
    ----------
    directory : str or path-like
        Made if it does not exist, with its parents.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_iris
    >>> from skreg import MLPClassifier
    >>> from skreg.fusion.checkpoint import Checkpoint
    >>> from skreg.training.train import train
    >>> from skreg.estimators.preparation import prepare
    >>> from skreg.estimators.request import make_request
    >>> model = MLPClassifier((8,), max_iter=5)
    >>> prepared = prepare(model, *load_iris(return_X_y=True))
    >>> request = make_request(model, prepared, seed=0)
    >>> with TemporaryDirectory() as directory:
    ...     checkpoint = Checkpoint(directory)
    ...     key = checkpoint.key(request)
    ...     checkpoint.save(key, *train([request]))
    ...     checkpoint.load(key, request).tracker.n_iter
    5
    """

    def __init__(self, directory):
        self.directory = _writable_directory(directory)
        self._warned = False

    def key(self, request):
        """Return the hash of all that decides a fit's result, before it is trained.

        None is a fit that is not kept: one with skorch callbacks, one that goes on from
        or leaves an optimiser's state, or one whose monitor is a function.
        """
        return self.keys([request])[0]

    def keys(self, requests):
        """Return the keys of several requests; what they share is hashed once."""
        digests = {}  # by identity, which holds as long as the requests are held
        return [_key(request, digests) for request in requests]

    def load(self, key, request):
        """Return the kept result of a request and its key, None if it must be trained.

        Of a file that is not what was written there is a warning, and no more.
        """
        if key is None:
            return None
        path = self.directory / f"{key}.safetensors"
        try:
            return _read(path, key, request)
        except FileNotFoundError:
            return None
        except Exception as reason:  # a file may hold anything
            text = f"The checkpoint {str(path)!r} cannot be used ({reason})."
            warnings.warn(f"{text} Its fit is trained anew.", stacklevel=2)
            return None

    def save(self, key, result):
        """Keep a result under its request's key, if the fit ended of its own accord.

        The key is that from before training, for a polish replaces the request.
        """
        tracker = result.tracker
        if key is None or result.interrupted or tracker.halted or tracker.error:
            return
        path = self.directory / f"{key}.safetensors"
        # Of this writer alone, and in the same file system.
        part = path.with_name(f"{key}.{uuid.uuid4().hex}.part")
        try:
            part.write_bytes(_serialised(key, result))
            os.replace(part, path)
        except (OSError, SafetensorError) as reason:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            # A full disk is full for all the fits that follow.
            if not self._warned:
                self._warned = True
                text = f"The checkpoint {str(path)!r} cannot be written ({reason})."
                warnings.warn(f"{text} Training goes on without it.", stacklevel=2)


def _writable_directory(directory):
    """Return the absolute path of a directory after making and trying it."""
    try:
        # "" would be the present directory, which the program may change.
        path = Path(directory or None).expanduser().absolute()
        path.mkdir(parents=True, exist_ok=True)
        # Only trying tells: access bits are not all that can forbid it.
        trial = path / f"{uuid.uuid4().hex}.part"
        trial.touch(exist_ok=False)
        trial.unlink()
    except (TypeError, ValueError, RuntimeError, OSError) as reason:
        raise ValueError(
            "checkpoint must be the path of a directory that can be made and written, "
            f"got {directory!r} ({reason})."
        ) from reason
    return path


def _key(request, digests):
    # A score without a name could be anything.
    anonymous = request.score is not None and request.monitor == "loss"
    if anonymous or any(getattr(request, name) for name in UNKEPT):
        return None
    names = [f.name for f in fields(request) if f.name not in (*UNKEPT, *UNHASHED)]
    try:
        content = {name: _plain(getattr(request, name), digests) for name in names}
    except TypeError:  # something without a content
        return None
    versions = [__version__, *(p.__version__ for p in (sklearn, torch, np))]
    text = json.dumps([FORMAT, versions, content], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _plain(value, digests):
    """Return the content of a value as what JSON can hold, or raise a TypeError."""
    if isinstance(value, str | float | None):
        return value
    if isinstance(value, Integral | np.bool_):
        return int(value)  # and booleans
    if isinstance(value, np.floating):  # which rounds sums to its own precision
        return [value.dtype.str, float(value)]
    if isinstance(value, torch.dtype | torch.device):
        return str(value).partition(":")[0]  # any device of a type
    if isinstance(value, list | tuple):
        return [_plain(part, digests) for part in value]
    if isinstance(value, dict):
        return {str(name): _plain(part, digests) for name, part in value.items()}
    if sp.issparse(value):
        parts = [value.data, value.indices, value.indptr]
        return [value.format, list(value.shape), _plain(parts, digests)]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        if id(value) not in digests:
            # Twice as fast as blake2b where the processor has instructions for it.
            digest = sha256(np.ascontiguousarray(value)).hexdigest()
            digests[id(value)] = [value.dtype.str, list(value.shape), digest]
        return digests[id(value)]
    # Losses, architectures and rows; what others' code does may change.
    if type(value).__module__.startswith("skreg."):
        return [type(value).__qualname__, _plain(vars(value), digests)]
    raise TypeError(f"{value!r} has no content that can be hashed.")


def _serialised(key, result):
    """Return the bytes of the file of a result."""
    tracker, request = result.tracker, result.tracker.request
    course = {name: getattr(tracker, name) for name in COURSE}
    course |= {name: getattr(request, name) for name in POLISHED}
    course |= {name: getattr(result, name) for name in ("kkt_violation", "seconds")}
    # Digits that read as the same bits, nan and inf, too; numpy's scalars as Python's.
    text = json.dumps(course, default=np.generic.item)
    # safetensors takes the memory as it lies.
    arrays = [a for state in (result.state, *tracker.snapshots) for a in state]
    arrays = [np.ascontiguousarray(array) for array in arrays]
    metadata = {"course": text, "digest": _digest(key, text, arrays)}
    return save(dict(zip(_shapes(request), arrays, strict=True)), metadata)


def _shapes(request):
    """Return the shapes of the arrays in a file: the network's, then its snapshots'."""
    shapes = state_shapes(request.architecture)
    n_snapshots = request.n_snapshots if request.n_snapshots > 1 else 0
    return shapes | {
        f"snapshot_{s}_{name}": shape
        for s in range(n_snapshots)
        for name, shape in shapes.items()
    }


def _digest(key, text, state):
    """Return what tells that a file is of this key, and as it was written."""
    digest = sha256(f"{key}{text}".encode())
    for array in state:
        digest.update(array)
    return digest.hexdigest()


def _metadata(content):
    """Return the metadata of a safetensors file.

    Its header is JSON, and its first 8 bytes are the length of that.
    """
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__", {})


def _read(path, key, request):
    """Return the result in a file, or raise what is wrong with the file."""
    # Not mapped into memory, where a file that shrinks would end the process.
    content = path.read_bytes()
    tensors, metadata = load(content), _metadata(content)
    shapes = _shapes(request).items()
    expected = {name: (shape, str(request.dtype)) for name, shape in shapes}
    found = {name: (a.shape, f"torch.{a.dtype}") for name, a in tensors.items()}
    if found != expected:
        raise ValueError("its arrays are not those of this network")
    # Copies own their memory, as the arrays of a training do.
    arrays = [tensors[name].copy() for name in expected]
    text = metadata.get("course", "")
    if metadata.get("digest") != _digest(key, text, arrays):
        raise ValueError("it was changed, or is that of another fit")
    return _rebuilt(json.loads(text), arrays, request)


def _rebuilt(course, arrays, request):
    """Return the result of a request as it was when it was kept."""
    tracker, size = Tracker(request), len(state_shapes(request.architecture))
    state, *tracker.snapshots = (
        arrays[start : start + size] for start in range(0, len(arrays), size)
    )
    for name in COURSE:
        setattr(tracker, name, course.pop(name))
    changes = {name: course.pop(name) for name in POLISHED}
    if changes["solver"] != request.solver:
        tracker.go_on_with(replace(request, **changes))
    return FitResult(state, tracker, **course)
