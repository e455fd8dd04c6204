"""Numbers as people write them: separators, signs, currencies, percent and units."""

import re
from dataclasses import dataclass

import numpy as np

# The spaces, apostrophes and minus signs of different keyboards and typesetters.
_SAME = str.maketrans(
    dict.fromkeys("\u00a0\u2007\u2009\u202f", " ")
    | dict.fromkeys("\u2019\u02bc`\u00b4", "'")
    | dict.fromkeys("\u2212\u2013\u2012\ufe63\uff0d", "-")
)
_CURRENCIES = "$€£¥₹₽₩₺₴₪₫฿₦₱₡₲₵₸₼₾¢"
_CODES = "USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|BRL|MXN|ZAR|PLN|CZK|HUF"
_SYMBOL = rf"(?:[A-Z]{{1,2}}\$|[{_CURRENCIES}]|(?:{_CODES})(?![A-Za-z])|R\$|Rs\.?|Fr\.)"
# Exponents of the letters that stand for thousands, millions and so on.
_POWERS = {"k": 3, "m": 6, "mn": 6, "b": 9, "bn": 9, "t": 12}
_SHAPE = re.compile(
    rf"""(?P<bound>(?:[<>]=?|[≤≥~≈])?)\s*
    (?P<open>\(?)\s*
    (?P<sign>[-+]?)\s*
    (?P<prefix>{_SYMBOL}?)\s*
    (?P<inner>[-+(]?)\s*
    (?P<digits>(?:\d|[.,]\d)(?:[\d.,' ]*\d)?[.,]?)
    (?P<exponent>(?:[eE][-+]?\d+)?)
    (?P<trailing>-?)\s*
    (?P<suffix>(?:[^\W\d_]|[%‰°/²³µμ{_CURRENCIES}]|(?<=[^\W\d_])[.^23-]){{0,12}})\s*
    (?P<close>\)?)""",
    re.VERBOSE,
)


def _core(decimal, groups):
    """Return the pattern of digits with a decimal mark and one of some separators."""
    # 0,125 is no thousand.
    grouped = rf"[1-9]\d{{0,2}}(?P<mark>[{groups}])(?:\d{{2,3}}(?P=mark))*\d{{3}}"
    return re.compile(rf"(?:{grouped}|\d*)(?:{re.escape(decimal)}\d*)?")


_POINT, _COMMA = _core(".", ",' "), _core(",", ".' ")


@dataclass(frozen=True)
class Numerals:
    """Texts that are all numbers.

    Parameters
    ----------
    parts : list of dict
        The parts of each text by the names of their groups.
    with_point, with_comma : bool
        Whether all of them are numbers with a decimal point, and with a decimal comma.
        Both are possible for "1,234" and for "1.234".
    unit : str
        The currency, the percent sign or the unit, which is the same in all texts.
    has_powers : bool
        Whether letters stand for thousands and millions.
    """

    parts: list
    with_point: bool
    with_comma: bool
    unit: str
    has_powers: bool

    def is_whole(self, decimal):
        """Whether no number has a decimal mark or an exponent."""
        return not any(
            decimal in part["digits"] or part["exponent"] for part in self.parts
        )

    def values(self, decimal):
        """Return the numbers, an array of floats.

        Parameters
        ----------
        decimal : {".", ","}
        """
        group = "," if decimal == "." else "."
        return np.array([_value(part, decimal, group) for part in self.parts])

    def description(self, decimal):
        """Say what is unusual about how the numbers are written; may be empty."""
        signs = any(part["trailing"] or _is_open(part) for part in self.parts)
        groups = [re.sub(r"[.,]\d*$", "", part["digits"]) for part in self.parts]
        if decimal == ".":
            groups = [part["digits"].partition(".")[0] for part in self.parts]
        has_groups = any(re.search(r"[.,' ]", group) for group in groups)
        has_mark = any(decimal in part["digits"] for part in self.parts)
        return ", ".join(
            text
            for text, holds in [
                ("with a decimal comma", decimal == "," and has_mark),
                ("with thousands separators", has_groups),
                ("with signs behind or parentheses", signs),
                ("without < or >", any(part["bound"] for part in self.parts)),
                ("with letters for thousands or millions", self.has_powers),
                (f"in {self.unit}", bool(self.unit)),
            ]
            if holds
        )


def read_numerals(texts):
    """Read texts that are all numbers.

    Parameters
    ----------
    texts : sequence of str
        Without missing values.

    Returns
    -------
    Numerals or None
        None if any text is not a number, if they have different units, or if their
        separators contradict one another.

    Examples
    --------
    >>> from skreg.comparison.numerals import read_numerals
    >>> read_numerals(["1.234,50 €", "-3,2 €"]).values(",").tolist()
    [1234.5, -3.2]
    >>> read_numerals(["3 kg", "5 m"]) is None
    True
    """
    parts = []
    for text in texts:
        found = _SHAPE.fullmatch(text.translate(_SAME).strip())
        if found is None or not _is_consistent(found):
            return None
        parts.append(found.groupdict())
    # Zero is the same number in any unit.
    measured = [part for part in parts if part["digits"].strip("0.,")] or parts
    has_powers = _have_powers(measured)
    if has_powers:
        for part in parts:
            part["exponent"] = f"e{_POWERS.get(part['suffix'].lower(), 0)}"
            part["suffix"] = ""
    units = {(part["prefix"], part["suffix"].lower()) for part in measured}
    # Signs behind all numbers are those of ranges, such as the ages "60-", and bounds
    # of most of them those of classes.
    if len(units) != 1 or all(part["trailing"] for part in parts):
        return None
    if 2 * sum(bool(part["bound"]) for part in parts) > len(parts):
        return None
    with_point = all(_POINT.fullmatch(part["digits"]) for part in parts)
    with_comma = all(_COMMA.fullmatch(part["digits"]) for part in parts)
    if not with_point and not with_comma:
        return None
    unit = measured[0]["prefix"] or measured[0]["suffix"]
    return Numerals(parts, with_point, with_comma, unit, has_powers)


def _have_powers(parts):
    """Whether numbers, such as "$1.5M" and "900k", have letters for thousands."""
    letters = {part["suffix"].lower() for part in parts} - {""}
    is_clear = len(letters) > 1 or all(part["prefix"] for part in parts)
    return bool(letters) and letters <= set(_POWERS) and is_clear


def _is_open(part):
    return part["open"] or part["inner"] == "("


def _is_consistent(found):
    """Whether a number has at most one sign and one unit, and closed parentheses."""
    signs = [found[name] for name in ("sign", "inner", "trailing", "open")]
    units = found["prefix"], found["suffix"].lower() not in {"", *_POWERS}
    return (
        sum(map(bool, signs)) <= 1
        and not all(units)
        and bool(_is_open(found)) == bool(found["close"])
        # "1. Yes" is an answer with a number.
        and not (found["suffix"] and found["digits"][-1] in ".,")
    )


def _value(part, decimal, group):
    digits = re.sub(rf"[{re.escape(group)}' ]", "", part["digits"])
    number = float(digits.replace(decimal, ".") + part["exponent"])
    has_minus = "-" in part["sign"] + part["inner"] + part["trailing"]
    return -number if has_minus or _is_open(part) else number


def is_number(text):
    """Whether a text is a number by itself.

    Parameters
    ----------
    text : str
    """
    return read_numerals([text]) is not None
