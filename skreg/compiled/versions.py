"""What a report of an error needs: versions, and what takes the training steps."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, requires, version

import torch

from skreg.compiled.library import VARIABLE, library
from skreg.version import __version__


def show_versions() -> None:
    """Print the versions of Python and of packages, and which engine trains networks.

    Dense networks on the CPU are trained by a compiled library, which is a part of the
    package. If it was not built, because there was no compiler when the package was
    installed from source, torch trains them, with the same results and more slowly. The
    environment variable ``SKREG_ENGINE=torch`` switches the library off.

    Examples
    --------
    >>> import skreg
    >>> skreg.show_versions()
    System:
        python: ...
    Packages:
        skreg: ...
    Training:
        engine: ...
    """
    for title, lines in _sections().items():
        print(f"{title}:")
        for name, value in lines.items():
            print(f"    {name}: {value}")


def _sections():
    names = [
        line.partition(">")[0] for line in requires("skreg") if "extra" not in line
    ]
    packages = {name: _version(name) for name in sorted(names)}
    return {
        "System": {
            "python": sys.version.replace("\n", " "),
            "machine": platform.platform(),
            "processor": torch.backends.cpu.get_cpu_capability(),
        },
        "Packages": {"skreg": __version__} | packages,
        "Training": {"engine": engine_name(), "threads": torch.get_num_threads()},
    }


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def engine_name():
    """Return what trains dense networks on the CPU, and why if it is torch."""
    found = library()
    if found is not None:
        return f"compiled library ({found.name})"
    if os.environ.get(VARIABLE) is not None:
        return f"torch ({VARIABLE}={os.environ[VARIABLE]})"
    return "torch (the compiled library was not built)"
