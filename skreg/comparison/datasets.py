"""Loading of tables: scikit-learn's bundled data sets, CSV and Parquet files."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.utils.multiclass import type_of_target

from skreg.parameters.suggestions import did_you_mean
from skreg.typing import DataFrame, NDArray

_BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")
_TARGET_NAMES = ("target", "label", "class", "y")
# An integer target with more values, or with fewer rows per value, is a count or a
# measurement and not a class.
_MAX_CLASSES = 20
_MIN_ROWS_PER_CLASS = 5


class DataError(ValueError):
    """Data cannot be used. The message is one line and gives the reason."""


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """A data set with its inputs and its target.

    Attributes
    ----------
    name : str
        Name of the data set, or of the file without its folder.
    X : pandas.DataFrame of shape (n_samples, n_features)
        Columns of any type, which may have missing values.
    y : ndarray of shape (n_samples,)
        Target without missing values.
    target : str
        Name of the target's column.
    task : {"classification", "regression"}
        Type of the target.
    """

    name: str
    X: DataFrame
    y: NDArray[Any]
    target: str
    task: Literal["classification", "regression"]

    def check_folds(self, n_folds: int, n_inner_folds: int = 1) -> None:
        """Check that there are enough rows for stratified nested folds.

        Parameters
        ----------
        n_folds : int
            Number of outer folds.
        n_inner_folds : int, default=1
            Number of folds inside each training part. They need at least two rows of
            each class, one for training and one for validation.

        Raises
        ------
        DataError
            If a class (classification) or the table (regression) has too few rows.
        """
        needed = next(
            n for n in count(n_folds) if n - -(-n // n_folds) >= n_inner_folds + 1
        )
        if self.task == "regression":
            # R2 is not defined on fewer than two rows.
            needed = max(needed, 2 * n_folds)
            if len(self.y) < needed:
                raise DataError(
                    f"{self.name} has {len(self.y)} rows, and {n_folds} folds need at"
                    f" least {needed}: use fewer folds"
                )
            return
        classes, counts = np.unique(self.y, return_counts=True)
        if counts.min() < needed:
            raise DataError(
                f"class {classes[counts.argmin()]!s} of {self.target!r} has only"
                f" {counts.min()} of {len(self.y)} rows, and {n_folds} folds need at"
                f" least {needed} of each class: use fewer folds, or merge or remove"
                " the rare classes"
            )


def load_table(source: str | Path, target: str | None = None) -> Table:
    """Load a bundled data set or a file, and separate its target.

    Parameters
    ----------
    source : str
        Name of a data set that scikit-learn bundles ("breast_cancer",
        "diabetes", "digits", "iris", "wine"), or path of a CSV or Parquet file.
    target : str, default=None
        Column to predict. None is the column called target, label, class or y, in
        upper or lower case, or the last column if there is none.

    Returns
    -------
    Table
        The data set. Text, booleans and categories are classes. So are whole numbers
        with two values, or with at most 20 values and at least 5 rows per value on
        average. Other numbers are a regression target.

    Raises
    ------
    DataError
        If the source or the target is not found, if the target is constant, has
        missing or infinite values or is a date, or if a text column is an identifier,
        with as many values as rows.

    Examples
    --------
    >>> from skreg.comparison import load_table
    >>> table = load_table("wine")
    >>> table.X.shape, table.target, table.task
    ((178, 13), 'target', 'classification')
    """
    name, frame = _read(str(source))
    if frame.shape[1] < 2 or len(frame) < 2:
        raise DataError(
            f"{name} has {len(frame)} rows and {frame.shape[1]} columns, expected at"
            " least two of each, in columns separated by commas"
        )
    frame = frame.rename(columns=str)
    target = _find_target(list(frame.columns), target)
    y = _target_values(frame[target])
    X = frame.drop(columns=target)
    _check_no_identifier(X)
    return Table(name, X, y, target, _task_of(y))


def _read(source):
    if source in _BUNDLED:
        # This imports scipy.io, which nothing else needs.
        from sklearn import datasets

        return source, getattr(datasets, f"load_{source}")(as_frame=True).frame
    path = Path(source)
    if not path.exists():
        if not path.suffix:
            raise DataError(
                f"no data set or file is called {source!r}; "
                f"{did_you_mean(source, _BUNDLED)}"
            )
        raise DataError(f"file {source!r} does not exist")
    if not path.is_file() or not path.name.lower().endswith(_SUFFIXES):
        raise DataError(
            f"{source!r} is not a file of a supported type; expected one of"
            f" {', '.join(_SUFFIXES)}"
        )
    return path.name, _read_file(path)


def _read_file(path):
    import pandas as pd

    is_csv = ".csv" in path.name.lower()
    try:
        return pd.read_csv(path) if is_csv else pd.read_parquet(path)
    except ImportError as error:
        raise DataError("reading Parquet needs pyarrow: pip install pyarrow") from error
    # pandas and pyarrow raise any of these on a broken file.
    except (ValueError, OSError, EOFError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"file {str(path)!r} cannot be read: {reason}") from error


def _find_target(columns, target):
    if target is None:
        by_lower = {column.lower(): column for column in reversed(columns)}
        named = (by_lower[name] for name in _TARGET_NAMES if name in by_lower)
        return next(named, columns[-1])
    if target not in columns:
        hint = did_you_mean(target, columns)
        raise DataError(f"there is no column {target!r}; {hint}")
    return target


def _target_values(column):
    """Check the target and return it as an array of numbers, booleans or strings."""
    from pandas.api import types

    n_missing = int(column.isna().sum())
    if n_missing:
        raise DataError(
            f"target {column.name!r} has {n_missing} missing values of"
            f" {len(column)}: remove those rows"
        )
    if column.nunique() == 1:
        raise DataError(
            f"target {column.name!r} is constant: every row is {column.iloc[0]!s}"
        )
    if types.is_bool_dtype(column) or types.is_numeric_dtype(column):
        y = column.to_numpy()
        if not np.all(np.isfinite(y)):
            raise DataError(f"target {column.name!r} has infinite values")
        return y
    if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
        raise DataError(
            f"target {column.name!r} is a {column.dtype}: expected numbers or classes"
        )
    return column.astype(str).to_numpy(dtype=object)


def _task_of(y):
    if type_of_target(y) == "continuous":
        return "regression"
    n_values = len(np.unique(y))
    most = max(2, min(_MAX_CLASSES, len(y) / _MIN_ROWS_PER_CLASS))
    if y.dtype.kind in "iuf" and n_values > most:
        return "regression"
    return "classification"


def _check_no_identifier(X):
    """Raise if a text column, dates excluded, has as many values as rows."""
    from pandas.api import types
    from skrub import Cleaner

    suspects = [
        name
        for name in X.columns
        if not types.is_numeric_dtype(X[name]) and X[name].nunique() == len(X)
    ]
    # Numbers and dates that are stored as text also have many values.
    cleaned = Cleaner(parse_numbers=True).fit_transform(X[suspects])
    for name in cleaned.columns:
        if types.is_string_dtype(cleaned[name]) or types.is_object_dtype(cleaned[name]):
            raise DataError(
                f"column {name!r} is text with as many values as rows ({len(X)}), an"
                " identifier that nothing can be learnt from: remove it"
            )
