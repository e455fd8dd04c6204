"""What a column of a file holds, and the error for what cannot be used."""

from dataclasses import dataclass
from typing import Any, Literal

# Doubles hold all whole numbers up to here.
LARGEST_WHOLE = 2**53
TOO_LONG = "whole numbers with more digits than a number of double precision has"


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


def printable(text):
    """Return a text without characters that move the cursor or change colours.

    Parameters
    ----------
    text : str
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
