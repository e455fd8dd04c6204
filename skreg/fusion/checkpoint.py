"""Finished fits on disk, from which a search that was killed continues.

Each fit is a file, named by the hash of everything that decides its result. It holds
the weights in the safetensors format, with all else as JSON in the metadata. Reading a
file executes no code.
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

# Version of the files and of the keys. It must be raised whenever either changes.
FORMAT = 3

# A request with one of these fields is not kept. Callbacks and hooks may do anything,
# and the other fields belong to fits that are continued.
UNKEPT = ("callbacks", "on_epoch", "optimizer_state", "keep_optimizer")
# Fields that are not part of the key: `monitor` already names `score`.
UNHASHED = ("score",)

# The attributes kept of a tracker, and those of its request, which a polish replaces.
COURSE = ("loss_curve", "validation_loss_curve", "validation_scores", "best_score")
COURSE += ("best_iter", "lr", "converged", "finished")
POLISHED = ("solver", "max_iter")


class Checkpoint:
    """A directory of finished fits.

    The key of a fit covers all that decides its result up to rounding: the request with
    the contents of its data, and the versions of skreg, scikit-learn, torch and numpy.
    It does not cover the models that train beside it nor the number of threads, which
    only change the order of sums. Files are checked by a digest, and a fit whose file
    has changed is trained anew. Any number of processes may share a directory.

    Parameters
    ----------
    directory : str or path-like
        Created with its parents if it does not exist.

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
        """Return the key of a fit: the hash of everything that decides its result.

        Parameters
        ----------
        request : FitRequest
            The request before it is trained.

        Returns
        -------
        str or None
            None for a fit that is not kept: one with skorch callbacks, one that reads
            or leaves the state of an optimiser, or one whose monitor is a function.
        """
        return self.keys([request])[0]

    def keys(self, requests):
        """Return the keys of several requests. Arrays they share are hashed once."""
        digests = {}  # by identity, which is valid while the requests are alive
        return [_key(request, digests) for request in requests]

    def load(self, key, request):
        """Return the kept result of a request, or None if it must be trained.

        A file that cannot be used leads to a warning.

        Parameters
        ----------
        key : str or None
            The key of the request.
        request : FitRequest

        Returns
        -------
        FitResult or None
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
        """Keep a result, unless the fit was interrupted, halted or failed.

        Parameters
        ----------
        key : str or None
            The key of the request before training. A polish replaces the request.
        result : FitResult
        """
        tracker = result.tracker
        if key is None or result.interrupted or tracker.halted or tracker.error:
            return
        path = self.directory / f"{key}.safetensors"
        # No other process writes this file, and it is in the same file system.
        part = path.with_name(f"{key}.{uuid.uuid4().hex}.part")
        try:
            part.write_bytes(_serialised(key, result))
            os.replace(part, path)
        except (OSError, SafetensorError) as reason:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            # One warning is enough: a full disk stays full for the next fits.
            if not self._warned:
                self._warned = True
                text = f"The checkpoint {str(path)!r} cannot be written ({reason})."
                warnings.warn(f"{text} Training goes on without it.", stacklevel=2)


def _writable_directory(directory):
    """Return the absolute path of a directory, after creating it and writing to it."""
    try:
        # None is an error. "" would be the current directory, which may change.
        path = Path(directory or None).expanduser().absolute()
        path.mkdir(parents=True, exist_ok=True)
        # The access bits are not a reliable test, so a file is written.
        trial = path / f"{uuid.uuid4().hex}.part"
        trial.touch(exist_ok=False)
        trial.unlink()
    except (TypeError, ValueError, RuntimeError, OSError) as reason:
        raise ValueError(
            "checkpoint must be the path of a directory that can be created and "
            f"written to, got {directory!r} ({reason})."
        ) from reason
    return path


def _key(request, digests):
    """Return the key of a request, or None if it is not kept."""
    # A score without a name may be any function.
    anonymous = request.score is not None and request.monitor == "loss"
    if anonymous or any(getattr(request, name) for name in UNKEPT):
        return None
    names = [f.name for f in fields(request) if f.name not in (*UNKEPT, *UNHASHED)]
    try:
        content = {name: _plain(getattr(request, name), digests) for name in names}
    except TypeError:  # a value whose content cannot be hashed
        return None
    versions = [__version__, *(p.__version__ for p in (sklearn, torch, np))]
    text = json.dumps([FORMAT, versions, content], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _plain(value, digests):
    """Convert a value to types of JSON, or raise a TypeError.

    Parameters
    ----------
    value : object
    digests : dict
        The digests of arrays by their identity. New digests are added.
    """
    if isinstance(value, str | float | None):
        return value
    if isinstance(value, Integral | np.bool_):
        return int(value)  # and booleans
    if isinstance(value, np.floating):  # its precision decides how sums are rounded
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
            # Twice as fast as blake2b on processors with instructions for it.
            digest = sha256(np.ascontiguousarray(value)).hexdigest()
            digests[id(value)] = [value.dtype.str, list(value.shape), digest]
        return digests[id(value)]
    # Losses, architectures and rows. Classes of other packages may change.
    if type(value).__module__.startswith("skreg."):
        return [type(value).__qualname__, _plain(vars(value), digests)]
    raise TypeError(f"{value!r} has no content that can be hashed.")


def _serialised(key, result):
    """Return the content of the file for a result, as bytes."""
    tracker, request = result.tracker, result.tracker.request
    course = {name: getattr(tracker, name) for name in COURSE}
    course |= {name: getattr(request, name) for name in POLISHED}
    course |= {name: getattr(result, name) for name in ("kkt_violation", "seconds")}
    # JSON keeps all bits of numbers, nan and inf included. Scalars of numpy have to be
    # converted to those of Python.
    text = json.dumps(course, default=np.generic.item)
    # safetensors writes the memory of arrays as it is.
    arrays = [a for state in (result.state, *tracker.snapshots) for a in state]
    arrays = [np.ascontiguousarray(array) for array in arrays]
    metadata = {"course": text, "digest": _digest(key, text, arrays)}
    return save(dict(zip(_shapes(request), arrays, strict=True)), metadata)


def _shapes(request):
    """Return the shapes of the arrays in a file by name, the snapshots' last."""
    shapes = state_shapes(request.architecture)
    n_snapshots = request.n_snapshots if request.n_snapshots > 1 else 0
    return shapes | {
        f"snapshot_{s}_{name}": shape
        for s in range(n_snapshots)
        for name, shape in shapes.items()
    }


def _digest(key, text, state):
    """Return a digest that shows whether a file belongs to a key and is unchanged."""
    digest = sha256(f"{key}{text}".encode())
    for array in state:
        digest.update(array)
    return digest.hexdigest()


def _metadata(content):
    """Return the metadata of a safetensors file.

    The first 8 bytes are the length of the header, which is JSON and follows them.
    """
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]).get("__metadata__", {})


def _read(path, key, request):
    """Return the result in a file, or raise an error if the file is invalid.

    The file is not mapped into memory, because a mapped file that shrinks would kill
    the process.
    """
    content = path.read_bytes()
    tensors, metadata = load(content), _metadata(content)
    shapes = _shapes(request).items()
    expected = {name: (shape, str(request.dtype)) for name, shape in shapes}
    found = {name: (a.shape, f"torch.{a.dtype}") for name, a in tensors.items()}
    if found != expected:
        raise ValueError("its arrays do not fit this network")
    # Copies own their memory, like the arrays that come from training.
    arrays = [tensors[name].copy() for name in expected]
    text = metadata.get("course", "")
    if metadata.get("digest") != _digest(key, text, arrays):
        raise ValueError("it was changed, or belongs to another fit")
    return _rebuilt(json.loads(text), arrays, request)


def _rebuilt(course, arrays, request):
    """Return the result of a request as it was after training."""
    tracker, size = Tracker(request), len(state_shapes(request.architecture))
    state, *tracker.snapshots = (
        arrays[start : start + size] for start in range(0, len(arrays), size)
    )
    for name in COURSE:
        setattr(tracker, name, course.pop(name))
    changes = {name: course.pop(name) for name in POLISHED}
    if changes["solver"] != request.solver:
        tracker.request = replace(request, **changes)
    return FitResult(state, tracker, **course)
