"""What the columns of a file hold: numbers, dates or texts."""

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from skreg.comparison.missing import is_missing
from skreg.comparison.numerals import is_number, read_numerals

# Doubles hold all whole numbers up to here.
_LARGEST_WHOLE = 2**53
_TIME = re.compile(r"\d{1,3}:[0-5]\d(:[0-5]\d([.,]\d+)?)?")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(\.\d{3})+")


class DataError(ValueError):
    """Data cannot be used. The message is one line and gives the reason."""


@dataclass(frozen=True, eq=False)
class Content:
    """What a column holds.

    Parameters
    ----------
    kind : {"number", "date", "text", "boolean"}
    values : pandas.Series
        Numbers of double precision, dates, texts or booleans, missing ones among them.
    is_whole : bool, default=False
        Whether the numbers are written as whole numbers.
    notes : tuple of str, default=()
        What had to be guessed.
    """

    kind: Literal["number", "date", "text", "boolean"]
    values: Any
    is_whole: bool = False
    notes: tuple[str, ...] = ()


def contents(frame, separator=None, kinds=None):
    """Find out what the columns of a table hold.

    Parameters
    ----------
    frame : pandas.DataFrame
        With columns of any type, texts of numbers and dates among them.
    separator : str or None, default=None
        The separator of the file. Semicolons go with decimal commas.
    kinds : dict of str to str, default=None
        Kinds of columns that the user gives.

    Returns
    -------
    dict of str to Content

    Raises
    ------
    DataError
        If a column holds neither numbers nor dates nor texts, or is not of the kind
        that the user says.
    """
    kinds = kinds or {}
    texts = {
        name: _Text(_as_texts(frame[name], name), kinds.get(name))
        for name in frame.columns
        if _is_text(frame[name])
    }
    mark = _Mark.of(texts.values(), separator)
    found = {}
    for name in frame.columns:
        if name in texts:
            found[name] = texts[name].content(mark)
        else:
            found[name] = _typed(frame[name])
        wanted = kinds.get(name, found[name].kind)
        if wanted == "text" and found[name].kind != "text":
            values = frame[name].astype("str").where(frame[name].notna())
            found[name] = Content("text", values)
        elif wanted != found[name].kind:
            raise DataError(
                f"column {name!r} holds no {wanted}s{_example(found[name])}"
            )
    return found


def _example(content):
    values = content.values.dropna()
    odd = [each for each in values.unique() if not is_number(str(each))]
    return f", such as {str(odd[0])!r}" if odd else ""


# Columns that have a type.


def _typed(column):
    """Return the content of a column that holds no texts."""
    from pandas.api import types

    dtype = column.dtype
    if isinstance(dtype, types.CategoricalDtype):
        values = column.cat.rename_categories(map(str, dtype.categories))
        return Content("text", values.astype(object))
    if types.is_bool_dtype(dtype):
        return Content("boolean", column.astype("boolean"))
    if types.is_complex_dtype(dtype):
        raise DataError(
            f"column {column.name!r} holds complex numbers: split it in two"
        )
    if types.is_numeric_dtype(dtype):
        return _of_numbers(column)
    if isinstance(dtype, types.PeriodDtype):
        column = column.dt.to_timestamp()
    if types.is_datetime64_any_dtype(column):
        if column.dt.tz is not None:
            column = column.dt.tz_convert(None)
        return Content("date", column)
    if types.is_timedelta64_dtype(dtype):
        return Content("number", column.dt.total_seconds(), notes=("in seconds",))
    return _of_objects(column)


def _of_numbers(column):
    numbers = column.to_numpy(dtype=float, na_value=np.nan)
    is_whole = column.dtype.kind in "iu"
    if is_whole and np.nanmax(np.abs(numbers), initial=0) > _LARGEST_WHOLE:
        if len(np.unique(numbers[~np.isnan(numbers)])) < column.nunique():
            return Content("text", column.map(str, "ignore"), notes=(_TOO_LONG,))
    return Content("number", _like(column, numbers), is_whole)


def _like(column, values):
    """Return values as a column with the same name and rows."""
    return type(column)(values, index=column.index, name=column.name)


_TOO_LONG = "whole numbers with more digits than a number of double precision has"


def _of_objects(column):
    from pandas.api import types

    kind = types.infer_dtype(column, skipna=True)
    if kind in ("decimal", "integer", "floating", "mixed-integer-float"):
        return Content("number", column.astype(float), kind == "integer")
    if kind == "boolean":
        return Content("boolean", column.astype("boolean"))
    if kind == "empty":
        return Content("number", column.astype(float))
    if kind in ("date", "datetime", "datetime64"):
        import pandas as pd

        values = pd.to_datetime(column, utc=True, errors="coerce")
        if values.isna().sum() > column.isna().sum():
            raise DataError(
                f"column {column.name!r} has dates out of range: remove those rows"
            )
        return Content("date", values.dt.tz_convert(None))
    if kind == "time":
        seconds = column.map(
            lambda t: t.hour * 3600 + t.minute * 60 + t.second + t.microsecond / 1e6,
            "ignore",
        )
        return Content("number", seconds.astype(float), notes=("times, in seconds",))
    raise DataError(
        f"column {column.name!r} holds {_type_name(column)}: spread them over several"
        " columns of numbers or texts, or leave it out"
    )


def _type_name(column):
    name = type(column.dropna().iloc[0]).__name__
    return {"ndarray": "lists", "list": "lists", "dict": "structures"}.get(name, name)


# Texts.


def _is_text(column):
    from pandas.api import types

    if types.is_string_dtype(column.dtype) and column.dtype != object:
        return True
    if column.dtype != object:
        return False
    kind = types.infer_dtype(column, skipna=True)
    if kind in ("mixed", "mixed-integer"):
        scalars = (str, int, float, bool, np.number)
        return all(isinstance(each, scalars) for each in column.dropna())
    return kind == "string"


def _as_texts(column, name):
    """Return texts without spaces around them; missing values are empty."""
    texts = column.astype(object).where(column.notna(), "")
    return texts.map(lambda each: str(each).strip()).rename(name)


class _Text:
    """A column of texts, read value by value once.

    Parameters
    ----------
    texts : pandas.Series of str
    kind : str or None
        The kind that the user gives.
    """

    def __init__(self, texts, kind):
        import pandas as pd

        self.texts, self.kind = texts, kind
        self.codes, uniques = pd.factorize(texts)
        self.uniques = list(map(str, uniques))
        self.words = [each for each in self.uniques if not is_missing(each)]
        self.plain = self.numerals = None
        if kind in (None, "number"):
            self._read_numbers()

    def _read_numbers(self):
        self.plain = _plain(self.words)
        if self.plain is not None:
            return
        words = [each for each in self.words if not is_missing(each, True)]
        plain, numerals = _plain(words), None
        if plain is None:
            numerals = read_numerals(words) if words else None
        if plain is not None or numerals is not None:
            self.words, self.plain, self.numerals = words, plain, numerals

    def content(self, mark):
        """Return the content, given how the file writes numbers."""
        if not self.words:
            return self._of_values("number", [], np.nan, float)
        if self.plain is not None or self.numerals is not None:
            return self._numbers(mark)
        if {each.casefold() for each in self.words} <= {"true", "false"}:
            values = [each.casefold() == "true" for each in self.words]
            return self._of_values("boolean", values, None, "boolean")
        if self.kind is None and all(map(_TIME.fullmatch, self.words)):
            seconds = list(map(_seconds, self.words))
            return self._of_values(
                "number", seconds, np.nan, float, ("times, in seconds",)
            )
        if self.kind in (None, "date"):
            dates, written = _dates(self.words)
            if dates is not None:
                return self._of_values("date", dates, None, None, (written,))
        notes = self._odd_words() if self.kind is None else ()
        return self._of_values("text", self.words, None, object, notes)

    def _numbers(self, mark):
        is_whole, notes = False, ()
        if self.plain is not None:
            is_whole = all(each.lstrip("+-").isdecimal() for each in self.words)
            values = self.plain
            if mark.groups_by_point and _are_thousands(self.words):
                values = [float(each.replace(".", "")) for each in self.words]
                notes = ("with thousands separators",)
        else:
            decimal = mark.of_numerals(self.numerals)
            values = self.numerals.values(decimal)
            is_whole = self.numerals.is_whole(decimal)
            notes = tuple(filter(None, [self.numerals.description(decimal)]))
        if is_whole and _loses_digits(values, self.words):
            return self._of_values("text", self.words, None, object, (_TOO_LONG,))
        found = self._of_values("number", values, np.nan, float, notes)
        return replace(found, is_whole=is_whole)

    def _of_values(self, kind, values, missing, dtype, notes=()):
        """Return content with a value for each word, and missing values elsewhere."""
        import pandas as pd

        of_words = dict(zip(self.words, values))
        uniques = pd.Series([of_words.get(each, missing) for each in self.uniques])
        if dtype is not None:
            uniques = uniques.astype(dtype)
        taken = uniques.take(self.codes)
        taken.index, taken.name = self.texts.index, self.texts.name
        return Content(kind, taken, notes=(*notes, *self._missing_words()))

    def _missing_words(self):
        words = set(self.words)
        counts = np.bincount(self.codes, minlength=len(self.uniques))
        missing = [
            f"{text!r} ({n})"
            for text, n in zip(self.uniques, counts)
            if text and text not in words
        ]
        return (f"missing: {', '.join(missing)}",) if missing else ()

    def _odd_words(self):
        """Say what keeps texts from being numbers, if most of them are."""
        numbers = [read_numerals([each]) for each in self.words[:1000]]
        units = {each.unit for each in numbers if each is not None}
        if None not in numbers and len(units) <= 5:
            units = sorted(map(repr, units - {""}))
            return (
                (f"numbers in several units: {', '.join(units)}",)
                if units
                else ("numbers that are written in different ways",)
            )
        odd = [w for w, n in zip(self.words, numbers) if n is None or n.unit]
        if not odd or 2 * len(odd) > len(numbers):
            return ()
        return (f"most are numbers, but not {', '.join(map(repr, odd[:3]))}",)


def _plain(words):
    """Return numbers as Python writes them, or None if any text is none."""
    if not words or any("_" in each for each in words):
        return None
    try:
        return [float(each) for each in words]
    except ValueError:
        return None


def _are_thousands(words):
    """Whether points may stand between thousands: wherever they are, and anywhere."""
    pointed = [each for each in words if not each.lstrip("+-").isdecimal()]
    return bool(pointed) and all(map(_THOUSANDS.fullmatch, pointed))


def _loses_digits(values, words):
    if np.max(np.abs(values)) <= _LARGEST_WHOLE:
        return False
    digits = {re.sub(r"[^\d-]", "", each).lstrip("0") for each in words}
    return len(set(values)) < len(digits)


def _seconds(text):
    parts = [float(part) for part in text.replace(",", ".").split(":")]
    hours, minutes, seconds = [*parts, 0.0][:3]
    return 3600 * hours + 60 * minutes + seconds


def _dates(words):
    """Return the dates that texts stand for and a note on their format, or None."""
    import pandas as pd
    from skrub import ToDatetime

    if not all(len(each) > 5 and re.search(r"\d", each) for each in words):
        return None, None
    reader = ToDatetime()
    try:
        dates = reader.fit_transform(pd.Series(words, name="dates", dtype=object))
    except ValueError:  # not dates, or of several formats
        return None, None
    if dates.isna().any():
        return None, None
    if dates.dt.tz is not None:
        dates = dates.dt.tz_convert(None)
    return list(dates), f"written as {reader.format_}"


@dataclass(frozen=True)
class _Mark:
    """The decimal mark of a file, for numbers that do not show it themselves.

    Parameters
    ----------
    is_comma : bool
        Whether "1,234" is between one and two.
    groups_by_point : bool
        Whether "1.234" is more than a thousand.
    """

    is_comma: bool
    groups_by_point: bool

    @classmethod
    def of(cls, texts, separator):
        """Learn it from the columns of a file that leave no doubt.

        Parameters
        ----------
        texts : iterable of _Text
        separator : str or None
        """
        n_comma = n_point = 0
        for text in texts:
            if text.numerals is not None:
                has_both = text.numerals.with_point and text.numerals.with_comma
                n_comma += text.numerals.with_comma and not has_both
                n_point += text.numerals.with_point and not has_both
            elif text.plain is not None:
                has_point = any("." in each for each in text.words)
                n_point += has_point and not _are_thousands(text.words)
        if n_comma == n_point:
            return cls(separator == ";", False)
        return cls(n_comma > n_point, n_comma > n_point)

    def of_numerals(self, numerals):
        """Return the decimal mark of a column."""
        if numerals.with_point and numerals.with_comma:
            return "," if self.is_comma else "."
        return "." if numerals.with_point else ","
