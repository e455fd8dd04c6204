"""Keys of fits: hashes of everything that decides the result of a fit."""

import json
from dataclasses import fields
from hashlib import sha256
from numbers import Integral

import numpy as np
import scipy.sparse as sp
import sklearn
import torch

from skreg.version import __version__

# Version of the files and of the keys. It must be raised whenever either changes.
FORMAT = 4

# A request with one of these fields is not kept. Callbacks and hooks may do anything,
# and the other fields belong to fits that are continued.
UNKEPT = ("callbacks", "on_epoch", "optimizer_state", "keep_optimizer")
# Fields that do not decide the result: `monitor` already names `score`, and the others
# say under which name a fit is kept, and how much of it is already done.
UNHASHED = ("score", "key", "resume")


def keys_of(requests):
    """Return the keys of several requests. Arrays they share are hashed once.

    Parameters
    ----------
    requests : list of FitRequest
        The requests before they are trained.

    Returns
    -------
    list of {str, None}
        None for a fit that is not kept: one with skorch callbacks, one that reads or
        leaves the state of an optimiser, or one whose monitor is a function, or whose
        loss or monitor is of a class outside skreg, the code of which may change.
    """
    digests = {}  # by identity, which is valid while the requests are alive
    return [_key(request, digests) for request in requests]


def _key(request, digests):
    # A score without a name may be any function.
    anonymous = request.score is not None and request.monitor == "loss"
    if anonymous or any(getattr(request, name) for name in UNKEPT):
        return None
    names = [f.name for f in fields(request) if f.name not in (*UNKEPT, *UNHASHED)]
    return hash_of({name: getattr(request, name) for name in names}, digests)


def hash_of(content, digests=None):
    """Return the hash of a value and of the versions of the packages that compute.

    Parameters
    ----------
    content : object
    digests : dict, default=None
        The digests of arrays by their identity. New digests are added.

    Returns
    -------
    str or None
        None for a value whose content cannot be hashed, such as a function.
    """
    try:
        content = _plain(content, {} if digests is None else digests)
    except TypeError:
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
