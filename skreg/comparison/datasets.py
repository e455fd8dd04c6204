"""Tables: scikit-learn's bundled data sets, and files of any kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sklearn.pipeline import Pipeline

from skreg.comparison.columns import contents
from skreg.comparison.content import DataError, printable
from skreg.comparison.files import ENDINGS, RawTable, can_read, read_file
from skreg.comparison.pipelines import LARGEST, prepared_by_skrub
from skreg.comparison.roles import ColumnRole, input_role, shown
from skreg.parameters.suggestions import did_you_mean
from skreg.typing import DataFrame, NDArray

_BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "wine")
_TARGET_NAMES = ("target", "label", "class", "y")
ROLES = ("number", "date", "text", "out")
# Whole numbers with more values, or with fewer rows of a value, are a count or a
# measurement and not classes. Nested folds, five by five, need eight rows of a class.
_MAX_CLASSES = 20
_MIN_ROWS_PER_CLASS = 8


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """A data set with its inputs and its target.

    Attributes
    ----------
    name : str
        Name of the data set, or of the file without its folder.
    X : pandas.DataFrame of shape (n_samples, n_features)
        Numbers of double precision, dates and categories (all texts are categories),
        which may have missing values.
    y : ndarray of shape (n_samples,)
        Target without missing values.
    target : str
        Name of the target's column.
    task : {"classification", "regression"}
        Type of the target.
    columns : tuple of ColumnRole, default=()
        The role of each column, with the guesses that it rests on. Empty for bundled
        data sets, of which nothing is guessed.
    notes : tuple of str, default=()
        What was guessed about the file, such as its encoding.
    """

    name: str
    X: DataFrame
    y: NDArray[Any]
    target: str
    task: Literal["classification", "regression"]
    columns: tuple[ColumnRole, ...] = ()
    notes: tuple[str, ...] = ()

    def pipeline(self, estimator: Any) -> Pipeline:
        """Return a pipeline that fits an estimator to the columns as they are.

        Parameters
        ----------
        estimator : estimator
            Any estimator or pipeline of scikit-learn.

        Returns
        -------
        Pipeline
            The ``tabular_pipeline`` of skrub, in which numbers and dates stay in double
            precision until they are scaled.

        Examples
        --------
        >>> from skreg import MLPClassifier
        >>> from skreg.comparison import load_table
        >>> table = load_table("wine")
        >>> model = table.pipeline(MLPClassifier(random_state=0))
        >>> model.fit(table.X, table.y).score(table.X, table.y) > 0.95
        True
        """
        return prepared_by_skrub(estimator, self.X)

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
        is_number = self.task == "regression"
        classes, counts = np.unique(self.y, return_counts=True)
        n_rows = len(self.y) if is_number else counts.min()
        needed = _rows_needed(n_folds, n_inner_folds, is_number)
        if n_rows >= needed:
            return
        enough = [
            n
            for n in range(2, n_rows + 1)
            if _rows_needed(n, n_inner_folds, is_number) <= n_rows
        ]
        nearest = min(enough, key=lambda n: abs(n - n_folds), default=None)
        hints = [f"use {nearest} folds"] if enough else []
        if is_number:
            hints = hints or ["that is too little to compare on"]
            start, end = f"{self.name} has {n_rows} rows", ""
        else:
            hints.append("merge or remove the rare classes")
            if self.y.dtype.kind in "iuf":
                hints.append("predict a number (--task regression)")
            rare = shown(classes[counts.argmin()])
            start = f"class {rare} of {self.target!r} has only {n_rows}"
            start, end = f"{start} of {len(self.y)} rows", " of each class"
        raise DataError(
            f"{start}, and {n_folds} folds need at least {needed}{end}:"
            f" {', or '.join(hints)}"
        )


def _rows_needed(n_folds, n_inner_folds, is_number):
    """Return how many rows, of each class, nested folds need."""
    needed = next(
        n for n in count(n_folds) if n - -(-n // n_folds) >= n_inner_folds + 1
    )
    # R2 is not defined on fewer than two rows.
    return max(needed, 2 * n_folds) if is_number else needed


def load_table(
    source: str | Path,
    target: str | None = None,
    *,
    task: Literal["classification", "regression"] | None = None,
    roles: Mapping[str, str] | None = None,
) -> Table:
    """Load a bundled data set or a file, and separate its target.

    The guide describes what is guessed about a file. All of it is listed in `columns`
    and `notes` of the table.

    Parameters
    ----------
    source : str or Path
        Name of a data set that scikit-learn bundles ("breast_cancer",
        "diabetes", "digits", "iris", "wine"), or path of a file: CSV and other
        separated text, Parquet or Excel.
    target : str, default=None
        Column to predict. None is the column called target, label, class or y, in
        upper or lower case, or the last column that is not empty if there is none.
    task : {"classification", "regression"}, default=None
        None decides by the target. Text, booleans and categories are classes. So are
        whole numbers with two values, or from -1 on with at most 20 values and at least
        8 rows of each. Other numbers are a regression target.
    roles : mapping of str to {"number", "date", "text", "out"}, default=None
        What columns hold, for those that would be taken as something else; "out"
        leaves a column out.

    Returns
    -------
    Table
        The data set.

    Raises
    ------
    DataError
        If the source or the target is not found, if the target is constant, has
        missing or infinite values or is a date, if a column cannot be used, or if no
        input is left.

    Examples
    --------
    >>> from skreg.comparison import load_table
    >>> table = load_table("wine")
    >>> table.X.shape, table.target, table.task
    ((178, 13), 'target', 'classification')
    """
    name, raw = _read(str(source))
    frame = raw.frame
    if frame.shape[1] < 2 or len(frame) < 2:
        raise DataError(
            f"{name} has {len(frame)} rows and {frame.shape[1]} columns, expected at"
            " least two of each, in columns separated by commas, semicolons or tabs"
        )
    kinds = _check_roles(roles or {}, list(frame.columns))
    target = _find_target(frame, target)
    frame = frame.drop(columns=[c for c, kind in kinds.items() if kind == "out"])
    if target not in frame:
        raise DataError(f"column {target!r} is the target and cannot be left out")
    held = contents(frame, raw.separator, kinds)
    y = _target_values(target, held[target])
    y, task, reason = _with_task(target, y, task)
    is_bundled = source in _BUNDLED
    inputs = {
        column: input_role(column, content, column in kinds or is_bundled)
        for column, content in held.items()
        if column != target
    }
    X = _inputs(name, inputs)
    if is_bundled:
        return Table(name, X, y, target, task)
    reason = "; ".join([reason, *held[target].notes])
    columns = (
        ColumnRole(target, "target", reason),
        *(role for role, _ in inputs.values()),
    )
    return Table(name, X, y, target, task, columns, tuple(raw.notes))


def _check_roles(roles, columns):
    for column, role in roles.items():
        if column not in columns:
            hint = did_you_mean(column, columns)
            raise DataError(f"roles: there is no column {column!r}; {hint}")
        if role not in ROLES:
            raise DataError(
                f"roles: {column!r} must be one of {', '.join(ROLES)}, got {role!r}"
            )
    return dict(roles)


def _inputs(name, inputs):
    """Return the inputs that are not left out, as a data frame."""
    import pandas as pd

    used = {
        column: values for column, (_, values) in inputs.items() if values is not None
    }
    if used:
        return pd.DataFrame(used)
    reasons = [f"{role.name!r} ({role.reason})" for role, _ in inputs.values()][:5]
    raise DataError(
        f"{name} has no inputs, because all are left out: {', '.join(reasons)}; say"
        " what one holds with --role COLUMN=number"
    )


def _read(source):
    if source in _BUNDLED:
        # This imports scipy.io, which nothing else needs.
        from sklearn import datasets

        frame = getattr(datasets, f"load_{source}")(as_frame=True).frame
        return source, RawTable(frame)
    path = Path(source)
    if not path.exists():
        if not path.suffix:
            raise DataError(
                f"no data set or file is called {source!r}; "
                f"{did_you_mean(source, _BUNDLED)}"
            )
        raise DataError(f"file {source!r} does not exist")
    if not path.is_file() or not can_read(path):
        raise DataError(
            f"{source!r} is not a file of a supported type; expected one of {ENDINGS}"
        )
    try:
        return printable(path.name), read_file(path)
    # Readers raise errors of any type for a file that is broken.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"file {source!r} cannot be read: {reason}") from error


def _find_target(frame, target):
    columns = list(frame.columns)
    if target is None:
        by_lower = {column.lower(): column for column in reversed(columns)}
        named = [by_lower[name] for name in _TARGET_NAMES if name in by_lower]
        filled = (column for column in reversed(columns) if _has_values(frame[column]))
        return next(chain(named, filled), columns[-1])
    if target not in columns:
        hint = did_you_mean(target, columns)
        raise DataError(f"there is no column {target!r}; {hint}")
    return target


def _has_values(column):
    return any(not isinstance(each, str) or each.strip() for each in column.dropna())


def _target_values(name, content):
    """Check the target and return it as an array of numbers, booleans or strings."""
    values = content.values
    n_missing = int(values.isna().sum())
    if n_missing:
        words = "".join(f" ({note})" for note in content.notes if "missing" in note)
        is_word = words and content.kind == "text"
        other = f", or keep them as a class (--role {name}=text)" if is_word else ""
        raise DataError(
            f"target {name!r} has {n_missing} missing values of"
            f" {len(values)}{words}: remove those rows{other}"
        )
    if values.nunique() == 1:
        raise DataError(
            f"target {name!r} is constant: every row is {shown(values.iloc[0])}"
        )
    if content.kind == "date":
        raise DataError(f"target {name!r} is a date: expected numbers or classes")
    if content.kind == "boolean":
        return values.to_numpy(dtype=bool)
    if content.kind == "text":
        return values.astype(str).to_numpy(dtype=object)
    y = values.to_numpy()
    if not np.all(np.isfinite(y)):
        raise DataError(f"target {name!r} has infinite values: remove those rows")
    if not 1 / LARGEST < np.max(np.abs(y)) < LARGEST:
        raise DataError(
            f"target {name!r} has values of {np.max(np.abs(y)):g}: use another unit"
        )
    return y.astype(np.int64) if content.is_whole and np.max(np.abs(y)) < 2**62 else y


def _with_task(name, y, task):
    """Return the target of a task, the task, and the rule that decided it."""
    if task is None:
        task, rule = _task_of(y)
    else:
        rule = f"{task}, as given by --task"
    is_number = y.dtype.kind in "iufb"
    if task == "regression" and not is_number:
        raise DataError(
            f"target {name!r} holds texts, such as {y[0]!r}, and a regression needs"
            " numbers"
        )
    if task == "regression":
        return y.astype(float) if y.dtype.kind == "b" else y, task, rule
    if y.dtype.kind == "f" and not np.all(y == np.round(y)):
        return y.astype(str).astype(object), task, rule
    return y, task, rule


def _task_of(y):
    """Return the task that suits a target, and why."""
    values, counts = np.unique(y, return_counts=True)
    if y.dtype.kind not in "iuf":
        return "classification", f"{len(values)} classes"
    if not np.all(y == np.round(y)):
        return "regression", "numbers"
    n = len(values)
    if n > _MAX_CLASSES:
        why = f"more than {_MAX_CLASSES} whole numbers"
    elif n > 2 and counts.min() < _MIN_ROWS_PER_CLASS:
        why = f"{n} whole numbers, some in fewer than {_MIN_ROWS_PER_CLASS} rows"
    elif n > 2 and values[0] < -1:
        why = f"{n} whole numbers, some below -1"
    else:
        rule = f"{n} whole numbers are classes; --task regression takes them as numbers"
        return "classification", rule
    return "regression", f"{why}; --task classification takes them as classes"
