"""The categories of a table: which columns they are, their levels, and their codes."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np

from skreg.estimators.table_columns import WORDS, are_texts, check_numbers, refuse


@dataclass(frozen=True, eq=False)
class Levels:
    """The levels of one category in the order of their codes 0, 1, ...

    The last code is that of unknown levels, and the one before it that of missing ones
    if there are any.

    Parameters
    ----------
    values : ndarray of shape (n_levels,)
        Numbers, or objects such as strings, in ascending order.
    has_missing : bool
    """

    values: np.ndarray
    has_missing: bool

    @classmethod
    def of(cls, column, label):
        """Return the levels of a column.

        Parameters
        ----------
        column : ndarray of shape (n_rows,)
            Floats or objects; nan is missing.
        label : str
            How messages name the column.
        """
        is_missing = column != column
        present = column[~is_missing]
        if column.dtype != object:
            values = np.unique(present)
        else:
            found = _sorted(present, label)
            values = np.empty(len(found), object)
            values[:] = found
        return cls(values, bool(is_missing.any()))

    @property
    def n_codes(self):
        """The number of codes."""
        return len(self.values) + self.has_missing + 1

    def codes(self, column):
        """Return the codes of a column, as an array of integers.

        Parameters
        ----------
        column : ndarray of shape (n_rows,)
            Floats or objects; nan is missing.
        """
        unknown, n_levels = self.n_codes - 1, len(self.values)
        if column.dtype == object or self.values.dtype == object:
            code_of = dict(zip(self.values.tolist(), range(n_levels)))
            known = (code_of.get(value, unknown) for value in column.tolist())
            codes = np.fromiter(known, np.int64, len(column))
        else:
            codes = np.searchsorted(self.values, column)
            is_known = np.append(self.values, np.nan)[codes] == column
            codes = np.where(is_known, codes, unknown)
        if self.has_missing:
            codes[column != column] = n_levels
        return codes


def _sorted(values, label):
    """Return the different ones of some objects, in ascending order."""
    try:
        return sorted(set(values))
    except TypeError as error:  # not comparable, or not hashable
        kinds = sorted({type(value).__name__ for value in values})
        raise ValueError(
            f"The category in column {label} must have levels of one kind, strings or "
            f"numbers, got {' and '.join(kinds)}. Convert the column, for example with "
            ".astype(str)."
        ) from error


@dataclass(frozen=True, eq=False)
class Categories:
    """The categories of a table.

    Parameters
    ----------
    levels : tuple of (Levels or None)
        For each column, None for numbers.
    """

    levels: tuple

    @property
    def n_codes(self):
        """The number of codes of each column, 0 for numbers."""
        return tuple(0 if each is None else each.n_codes for each in self.levels)

    @property
    def is_categorical(self):
        """Which columns are categories, an ndarray of bool."""
        return np.array([each is not None for each in self.levels])

    @classmethod
    def of(cls, columns, categorical_features):
        """Learn the categories of a table.

        Parameters
        ----------
        columns : TableColumns
        categorical_features : {"from_dtype"}, array-like or None
            The parameter of that name.

        Returns
        -------
        Categories

        Raises
        ------
        ValueError
            If the parameter does not fit the columns, or a column cannot be an input.
        """
        chosen, levels = _chosen(columns, categorical_features), []
        is_given = not isinstance(categorical_features, str)
        for column in range(columns.n_columns):
            is_found = column in chosen
            if not is_found and (is_given or columns.kind(column) != WORDS):
                check_numbers(columns, column)
                levels.append(None)
                continue
            values, label = columns.values(column), columns.label(column)
            if not is_found and are_texts(values):
                refuse(label, "texts", "StringEncoder")
            levels.append(Levels.of(values, label))
        return cls(tuple(levels))

    def coded(self, columns):
        """Return the rows of a table as numbers, with the codes of levels.

        Parameters
        ----------
        columns : TableColumns

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
        """
        (numbers,) = np.nonzero(~self.is_categorical)
        for column in numbers:
            check_numbers(columns, column)
        found = columns.numbers(numbers) if len(numbers) else None
        codes = {
            column: each.codes(columns.values(column))
            for column, each in enumerate(self.levels)
            if each is not None
        }
        n_rows = len(next(iter(codes.values()))) if found is None else len(found)
        dtype = np.float64 if found is None else found.dtype
        rows = np.empty((n_rows, len(self.levels)), dtype)
        rows[:, numbers] = found
        for column, own in codes.items():
            rows[:, column] = own
        return rows


def _chosen(columns, categorical_features):
    """Return the positions of the columns that a user names as categories."""
    given = categorical_features
    if given is None or isinstance(given, str):
        return set()
    n_columns, given = columns.n_columns, list(given)
    if given and all(isinstance(each, bool | np.bool_) for each in given):
        if len(given) != n_columns:
            raise ValueError(
                f"categorical_features must have one value for each of n_features="
                f"{n_columns} as a mask, got {len(given)}."
            )
        return set(np.flatnonzero(given).tolist())
    return {_position(columns, each) for each in given}


def _position(columns, feature):
    """Return the position of a column that is given by its name or index."""
    n_columns, names = columns.n_columns, columns.names
    if names is not None and not isinstance(feature, Integral) and feature in names:
        return names.index(feature)
    if isinstance(feature, str):
        raise ValueError(
            f"categorical_features has the name {feature!r}, which is not a column of "
            f"X. {'X has no names.' if names is None else f'Its columns are {names}.'}"
        )
    if not isinstance(feature, Integral) or not 0 <= feature < n_columns:
        raise ValueError(
            "categorical_features must be names, indices from 0 to "
            f"{n_columns - 1} or a mask of the columns, got {feature!r}."
        )
    return int(feature)
