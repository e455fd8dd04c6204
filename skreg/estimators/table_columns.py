"""The columns of a table as a user gives it: a DataFrame, an array or lists."""

from abc import ABC, abstractmethod

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

# Kinds of columns.
NUMBERS, WORDS = "numbers", "words"
# A column of words is one of texts, not of categories, if most of so many values are
# different and have so many words on average.
MANY_TEXTS, WORDS_OF_TEXT = 20, 4
# Values that are looked at to tell texts from categories.
LOOKED_AT = 1000


class TableColumns(ABC):
    """The columns of a table.

    Attributes
    ----------
    names : list of str or None
        The names of the columns, None for an array.
    """

    names = None

    @property
    @abstractmethod
    def n_columns(self):
        """The number of columns."""

    @abstractmethod
    def kind(self, column):
        """Return `NUMBERS`, `WORDS`, or what else a column holds, in words."""

    @abstractmethod
    def values(self, column):
        """Return a column as an array of objects, or of floats; nan is missing."""

    @abstractmethod
    def numbers(self, columns):
        """Return the columns of some positions as a matrix of floats, or raise."""

    def label(self, column):
        """Return how messages name a column."""
        return repr(column if self.names is None else self.names[column])


class FrameColumns(TableColumns):
    """The columns of a DataFrame of pandas, polars, or another package.

    Parameters
    ----------
    frame : narwhals.DataFrame
    """

    def __init__(self, frame):
        self._frame, self.names = frame, list(frame.columns)
        self._types, self._values = list(frame.schema.values()), {}

    @property
    def n_columns(self):
        return len(self.names)

    def kind(self, column):
        import narwhals.stable.v2 as nw

        kind = self._types[column]
        if kind.is_numeric() or kind == nw.Boolean:
            return NUMBERS
        if kind in (nw.String, nw.Categorical, nw.Enum):
            return WORDS
        if kind.is_temporal():
            return "dates or times"
        if kind == nw.Object:
            return _kind_of_objects(self.values(column))
        if kind == nw.Unknown and self._series(column).is_null().all():
            return NUMBERS
        return f"values of type {kind}"

    def values(self, column):
        if column not in self._values:
            self._values[column] = self._read(column)
        return self._values[column]

    def _read(self, column):
        import narwhals.stable.v2 as nw

        series = self._series(column)
        kind = self._types[column]
        if kind.is_numeric() or kind == nw.Boolean:
            return self.numbers([column])[:, 0]
        is_missing = series.is_null().to_numpy()
        found = np.array(series.to_numpy(), dtype=object)
        found[is_missing.astype(bool)] = np.nan
        return found

    def _series(self, column):
        return self._frame.get_column(self.names[column])

    def numbers(self, columns):
        import narwhals.stable.v2 as nw

        if any(self._types[column] == nw.Object for column in columns):
            # Which may hold a missing value that numpy does not know.
            parts = [self.values(column).astype(np.float64) for column in columns]
            return as_numbers(np.stack(parts, axis=1))
        names = [self.names[column] for column in columns]
        return as_numbers(self._frame.select(names).to_native())


class ArrayColumns(TableColumns):
    """The columns of an array.

    Parameters
    ----------
    array : ndarray of shape (n_rows, n_columns)
    """

    def __init__(self, array):
        self._array = array

    @property
    def n_columns(self):
        return self._array.shape[1]

    def kind(self, column):
        if self._array.dtype.kind in "biuf":
            return NUMBERS
        return _kind_of_objects(self._array[:, column])

    def values(self, column):
        found = self._array[:, column]
        if found.dtype.kind in "biuf":
            return found.astype(np.float64)
        found = found.astype(object)
        found[[_is_missing(value) for value in found]] = np.nan
        return found

    def numbers(self, columns):
        return as_numbers(self._array[:, columns])


def as_numbers(X):
    """Return numbers as floats, in single precision if they have it; nan is missing."""
    return check_array(
        X, dtype=(np.float64, np.float32), ensure_all_finite="allow-nan", order="C"
    )


def _is_missing(value):
    """Return whether a value is None, nan, or the missing value of pandas."""
    is_nan = isinstance(value, float | np.floating) and np.isnan(value)
    return value is None or is_nan or type(value).__name__ == "NAType"


def _kind_of_objects(values):
    """Return `NUMBERS` if objects are numbers, or strings of numbers, else `WORDS`."""
    try:
        values.astype(np.float64)
    except ValueError:
        return WORDS
    return NUMBERS


def are_texts(values):
    """Return whether words are texts rather than the levels of a category.

    Parameters
    ----------
    values : ndarray of object of shape (n_rows,)
    """
    texts = [v for v in values[:LOOKED_AT] if isinstance(v, str)]
    if len(set(texts)) < max(MANY_TEXTS, len(texts) / 2):
        return False
    return np.mean([text.count(" ") + 1 for text in texts]) >= WORDS_OF_TEXT


def columns_of_table(X, is_named=False):
    """Return the columns of a table that may have categories.

    Parameters
    ----------
    X : object
        As a user gave it.
    is_named : bool, default=False
        Whether some columns of numbers are categories, so that a matrix of numbers is
        such a table, too.

    Returns
    -------
    TableColumns or None
        None for a matrix of numbers, and for what is not a table.
    """
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        return _columns_of_frame(X)
    if sp.issparse(X) or not (is_named or isinstance(X, np.ndarray | list | tuple)):
        return None
    try:
        array = np.asarray(X)
    except ValueError:  # lists of different lengths
        return None
    if array.ndim != 2 or 0 in array.shape:
        return None
    return ArrayColumns(array) if is_named or _has_words(array) else None


def _has_words(array):
    """Return whether an array has strings that are no numbers.

    Of anything else that is not a number, scikit-learn says what is wrong.
    """
    if array.dtype.kind not in "OUS":
        return False
    try:
        array.astype(np.float64)
    except (ValueError, TypeError) as error:
        return isinstance(error, ValueError)
    return False


def check_numbers(columns, column):
    """Raise unless a column holds numbers.

    Parameters
    ----------
    columns : TableColumns
    column : int
    """
    kind, label = columns.kind(column), columns.label(column)
    if kind == WORDS:
        words = (v for v in columns.values(column) if isinstance(v, str))
        raise ValueError(
            f"X must hold numbers in column {label}, got the word {next(words, None)!r}"
            ". Words are categories in columns that hold words in fit, with "
            "categorical_features='from_dtype', or that are listed there."
        )
    if kind != NUMBERS:
        refuse(label, kind, "DatetimeEncoder" if "date" in kind else "TableVectorizer")


def refuse(label, what, encoder):
    """Raise an error about a column that holds neither numbers nor categories.

    Parameters
    ----------
    label : str
        How messages name the column.
    what : str
        What it holds.
    encoder : str
        The encoder of skrub for it.
    """
    raise ValueError(
        f"X must hold numbers and categories, got {what} in column {label}. Encode "
        f"it first, for example with skrub.{encoder}, or a whole DataFrame with "
        "skrub.TableVectorizer, or leave the column out."
    )


def _columns_of_frame(X):
    # It is a requirement of the package, but takes time to import.
    import narwhals.stable.v2 as nw

    try:
        frame = nw.from_native(X, eager_only=True, pass_through=True)
    except nw.exceptions.DuplicateError:
        return None
    return FrameColumns(frame) if isinstance(frame, nw.DataFrame) else None
