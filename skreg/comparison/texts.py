"""Columns of texts: the numbers, times, dates and booleans that they stand for."""

import re
from dataclasses import dataclass

import numpy as np

from skreg.comparison.content import LARGEST_WHOLE, TOO_LONG, Content
from skreg.comparison.dates import read_clock_times, read_dates
from skreg.comparison.missing import is_missing
from skreg.comparison.numerals import read_numerals

# Months and hours of two digits are numbers.
_LEADING_ZERO = re.compile(r"0\d\d")
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(\.\d{3})+")


class TextColumn:
    """A column of texts, of which each different one is read once.

    Parameters
    ----------
    texts : pandas.Series of str
        Without spaces around them; missing values may be empty.
    kind : {"number", "date", "text"} or None
        The kind that the user gives.

    Attributes
    ----------
    words : list of str
        The texts that are no missing values. They are different, unless they are plain
        numbers.
    plain : pandas.Series or None
        The numbers, if they are written as Python writes them.
    numerals : Numerals or None
        The words, if they are numbers that are written in another way.
    """

    def __init__(self, texts, kind):
        self.texts, self.kind = texts, kind
        self.plain = self.numerals = None
        # Most columns are plain numbers, for which this is much faster.
        if kind in (None, "number") and self._has_plain(texts != ""):
            self.uniques = self.codes = ()
            return
        self.codes, uniques = texts.factorize()
        self.uniques = list(map(str, uniques))
        # To say that a column holds text keeps a word such as "NA".
        is_missing_word = is_missing if kind != "text" else lambda each: not each
        self.words = [each for each in self.uniques if not is_missing_word(each)]
        if kind in (None, "number"):
            self._read_numbers()

    def _has_plain(self, known):
        """Read plain numbers in some rows, and return whether there are no others."""
        words = self.texts[known]
        if not len(words) or "_" in words.iloc[0]:
            return False
        try:
            float(words.iloc[0])
            numbers = words.astype(float)
        except ValueError:
            return False
        if numbers.isna().any() or any("_" in each for each in words):
            return False
        self.words, self.plain = list(words), numbers.reindex(self.texts.index)
        return True

    def _read_numbers(self):
        for words in (
            self.words,
            [each for each in self.words if not is_missing(each, True)],
        ):
            if self._has_plain(self.texts.isin(words)):
                return
        self.numerals = read_numerals(words) if words else None
        if self.numerals is not None:
            self.words = words

    def content(self, mark):
        """Return what the column holds.

        Parameters
        ----------
        mark : DecimalMark
            How the file writes numbers.

        Returns
        -------
        Content
        """
        if not self.words:
            return self._of_words("number", [], np.nan, float)
        if self.plain is not None:
            return self._of_plain(mark)
        if self.numerals is not None:
            return self._of_numerals(mark)
        if {each.casefold() for each in self.words} <= {"true", "false"}:
            values = [each.casefold() == "true" for each in self.words]
            return self._of_words("boolean", values, None, "boolean")
        found = self._of_times()
        if found is not None:
            return found
        note = self._odd_words() if self.kind is None else ""
        return self._of_words("text", self.words, None, object, note)

    def _of_times(self):
        """Return times in seconds or dates, or None."""
        words = [each for each in self.words if not is_missing(each, True)]
        if words and self.kind in (None, "number"):
            seconds = read_clock_times(words)
            if seconds is not None:
                self.words, note = words, "times, in seconds"
                return self._of_words("number", seconds, np.nan, float, note)
        if words and self.kind in (None, "date"):
            dates, note = read_dates(words)
            if dates is not None:
                self.words = words
                return self._of_words("date", dates, None, None, note)
        return None

    def _of_plain(self, mark):
        is_whole = all(each.lstrip("+-").isdecimal() for each in self.words)
        if is_whole and _loses_digits(self.plain, self.words):
            return self._of_long_numbers()
        values, notes = self.plain, self._missing_words()
        if mark.groups_by_point and are_thousands(self.words):
            texts = self.texts[values.notna()].str.replace(".", "", regex=False)
            values = texts.astype(float).reindex(values.index)
            notes = ("with thousands separators", *notes)
        if is_whole and any(map(_LEADING_ZERO.match, self.words)):
            role = f"--role {self.texts.name}=text takes them as codes"
            notes = (f"with leading zeros; {role}", *notes)
        return Content("number", values, is_whole, notes)

    def _of_numerals(self, mark):
        decimal = mark.of_numerals(self.numerals)
        values, note = self.numerals.values(decimal), self.numerals.description(decimal)
        is_whole = self.numerals.is_whole(decimal)
        if is_whole and _loses_digits(values, self.words):
            return self._of_long_numbers()
        return self._of_words("number", values, np.nan, float, note, is_whole)

    def _of_long_numbers(self):
        values = self.texts.where(self.texts.isin(set(self.words)))
        return Content("text", values, notes=(TOO_LONG, *self._missing_words()))

    def _of_words(self, kind, values, missing, dtype, note="", is_whole=False):
        """Return content with a value for each word, and missing values elsewhere."""
        import pandas as pd

        of_words = dict(zip(self.words, values))
        uniques = pd.Series([of_words.get(each, missing) for each in self.uniques])
        if dtype is not None:
            uniques = uniques.astype(dtype)
        taken = uniques.take(self.codes)
        taken.index, taken.name = self.texts.index, self.texts.name
        notes = *filter(None, [note]), *self._missing_words()
        return Content(kind, taken, is_whole, notes)

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
        if None not in numbers and units == {""}:
            return "numbers that are written in different ways"
        if None not in numbers and len(units) <= 5:
            shown = [repr(unit) if unit else "none" for unit in sorted(units)]
            return f"numbers in different units: {', '.join(shown)}"
        odd = [w for w, n in zip(self.words, numbers) if n is None or n.unit]
        if not odd or 2 * len(odd) > len(numbers):
            return ""
        return f"most are numbers, but not {', '.join(map(repr, odd[:3]))}"


def are_thousands(words):
    """Whether all points in plain numbers may stand between thousands.

    Parameters
    ----------
    words : iterable of str
    """
    is_any = False
    for word in words:
        if not word.lstrip("+-").isdecimal():
            if not _THOUSANDS.fullmatch(word):
                return False
            is_any = True
    return is_any


def _loses_digits(values, words):
    """Whether double precision makes different whole numbers equal."""
    if np.nanmax(np.abs(values)) <= LARGEST_WHOLE:
        return False
    digits = {re.sub(r"[^\d-]", "", each).lstrip("0") for each in words}
    return len(np.unique(values[~np.isnan(values)])) < len(digits)


@dataclass(frozen=True)
class DecimalMark:
    """The decimal mark of a file, for numbers that do not show it.

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
        texts : iterable of TextColumn
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
                n_point += has_point and not are_thousands(text.words)
        if n_comma == n_point:
            return cls(separator == ";", False)
        return cls(n_comma > n_point, n_comma > n_point)

    def of_numerals(self, numerals):
        """Return the decimal mark of a column."""
        if numerals.with_point and numerals.with_comma:
            return "," if self.is_comma else "."
        return "." if numerals.with_point else ","
