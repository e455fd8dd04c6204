"""The roles of columns: inputs of several kinds, or left out with a reason."""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from skreg.comparison.content import DataError, printable
from skreg.comparison.pipelines import LARGEST

# As skrub's: with fewer values each has its own input.
MAX_CATEGORIES = 39
_ROW_WORDS = "id|idx|index|nr|no|num|number|row|rows|rownames|rowid|obs"
_COUNTS_ROWS = re.compile(
    rf"(?i:(^|.*[^a-z])({_ROW_WORDS})\.?|\W+)|.*[a-z](Id|ID|Index|Row)"
)
_NAMES_ROWS = re.compile(r"(?i:(^|.*[^a-z])(u|g|gu)?(id|index))|.*[a-z](Id|ID)")
_NAMES_TIME = re.compile(r"(?i:date|year|time|month|period|season|week|day|quarter)")
_HAS_DECIMALS = re.compile(r"(?<![\d.])\d+[.,]\d+(?![\d.])")
_IS_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)?")


@dataclass(frozen=True)
class ColumnRole:
    """The role of a column, and why it was guessed.

    Attributes
    ----------
    name : str
        Name of the column.
    role : {"number", "category", "text", "date", "left out", "target"}
        What it is taken as. Categories have fewer than 40 values and an input for each;
        other texts are encoded by groups of letters.
    reason : str
        What was guessed, such as the format or the reason to leave it out. Empty if
        nothing was.
    """

    name: str
    role: Literal["number", "category", "text", "date", "left out", "target"]
    reason: str = ""


def input_role(name, content, is_given=False):
    """Return the role of an input, and its values.

    Parameters
    ----------
    name : str
        Name of the column.
    content : Content
        What it holds.
    is_given : bool, default=False
        Whether the user says what it holds, so that it is not left out.

    Returns
    -------
    role : ColumnRole
    values : pandas.Series or None
        Numbers of double precision, dates or categories. None if it is left out.
    """
    values, notes = content.values, list(content.notes)
    out = None if is_given else _reason_to_leave_out(name, content)
    if out is not None:
        return ColumnRole(name, "left out", out), None
    if content.kind == "date":
        return ColumnRole(name, "date", "; ".join(notes)), values
    if content.kind == "number":
        n_infinite = int(np.isinf(values).sum())
        if n_infinite:
            values = values.where(np.isfinite(values))
            notes.append(f"missing: {n_infinite} infinite values")
        _check_magnitude(name, values)
        return ColumnRole(name, "number", "; ".join(notes)), values
    # As a category, because skrub would look for numbers in texts again.
    values = values.map(str, "ignore").astype(object).astype("category")
    few = values.nunique() <= MAX_CATEGORIES
    return ColumnRole(name, "category" if few else "text", "; ".join(notes)), values


def _check_magnitude(name, values):
    largest = values.abs().max()
    if largest > LARGEST or 0 < largest < 1 / LARGEST:
        raise DataError(
            f"column {name!r} has values of {largest:g}: remove them, or use another"
            " unit"
        )


def _reason_to_leave_out(name, content):
    """Say why a column should be left out, or return None."""
    values = content.values
    if values.isna().all():
        return "it is empty"
    if values.isna().any():
        return None
    n_values, n_rows = values.nunique(), len(values)
    if n_values == 1:
        return f"every row is {shown(values.iloc[0])}"
    if content.kind == "number" and content.is_whole:
        return _reason_of_number(name, values.to_numpy(), n_values)
    is_text = content.kind == "text" and n_values >= 0.95 * n_rows
    if _NAMES_TIME.search(name) or not is_text:
        return None
    if _are_identifiers(values.unique()):
        return "an identifier: a code of letters and digits, different in each row"
    return None


def shown(value):
    """Return a value for a message: numbers without a needless decimal mark."""
    return (
        f"{value:g}"
        if isinstance(value, float | np.floating)
        else printable(str(value))
    )


def _reason_of_number(name, values, n_values):
    first, last = int(values[0]), int(values[-1])
    steps = np.diff(values)
    if first in (0, 1) and (steps == 1).all():
        return f"a row number: it counts from {first} to {last} in the file's order"
    is_unnamed = _IS_UNNAMED.fullmatch(name)
    if (steps > 0).all() and (is_unnamed or _COUNTS_ROWS.fullmatch(name)):
        return f"a row number: it grows from {first} to {last} in the file's order"
    if n_values == len(values) and (is_unnamed or _NAMES_ROWS.fullmatch(name)):
        return "an identifier: a whole number by that name, different in each row"
    return None


def _are_identifiers(texts):
    """Whether texts differ in one whole number only, or are codes of one length."""
    texts = list(map(str, texts))
    if not all(re.search(r"\d", text) for text in texts):
        return False
    if any(_HAS_DECIMALS.search(text) for text in texts):
        return False
    around = {tuple(re.split(r"\d+", text)) for text in texts}
    # Two numbers may be a range, a fraction or a duration.
    if len(around) == 1 and len(around.pop()) == 2:
        return True
    are_codes = all(re.fullmatch(r"[\w{}-]{4,}", text) for text in texts)
    return are_codes and len(set(map(len, texts))) == 1


def describe_roles(columns, n_most=None):
    """Describe the roles of columns, as lines.

    Parameters
    ----------
    columns : sequence of ColumnRole
    n_most : int or None, default=None
        Number of columns that are named, of those of which the same is to be said.

    Returns
    -------
    list of str
        A line for the target, for each kind of inputs, and for each reason.
    """
    lines = []
    for role, plural in [
        ("target", "target"),
        ("number", "numbers"),
        ("category", "categories"),
        ("date", "dates"),
        ("text", "texts"),
        ("left out", "left out"),
    ]:
        by_reason = {}
        for column in columns:
            if column.role == role:
                by_reason.setdefault(column.reason, []).append(repr(column.name))
        for reason, names in sorted(by_reason.items(), key=lambda item: item[0] != ""):
            shown = names[:n_most]
            if len(shown) < len(names):
                shown.append(f"and {len(names) - len(shown)} more")
            line = f"{plural if len(names) > 1 else role}: {', '.join(shown)}"
            lines.append(f"{line} ({reason})" if reason else line)
    return lines
