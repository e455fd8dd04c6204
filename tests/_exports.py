"""What skreg and its subpackages export."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import skreg


def exports() -> Iterator[Any]:
    """Yield what skreg and its subpackages export, some of it twice."""
    subpackages = [
        importlib.import_module(found.name)
        for found in pkgutil.iter_modules(skreg.__path__, "skreg.")
        if found.ispkg
    ]
    for package in (skreg, *subpackages):
        yield from (getattr(package, name) for name in getattr(package, "__all__", ()))
