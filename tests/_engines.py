"""What takes the steps of a fit: torch, or the compiled library."""

import os
from unittest import mock

from skreg.compiled.library import VARIABLE, library

# Differences of the two after some tens of steps, relative to the largest number. The
# order of sums differs. In single precision that is 1e-7 a step.
CLOSE = {"float64": 1e-10, "float32": 1e-5}


def with_engine(name):
    """Return a context in which `name` trains: "torch", or a build of the library."""
    return mock.patch.dict(os.environ, {VARIABLE: name})


def with_torch():
    """Return a context in which torch trains."""
    return with_engine("torch")


def builds():
    """Return the names of the builds that this processor can run."""
    names = []
    for name in ("generic", "avx2", "avx512"):
        with with_engine(name):
            if library() is not None:
                names.append(name)
    return names
