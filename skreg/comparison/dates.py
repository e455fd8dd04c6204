"""Texts of dates and times: their formats, and what they stand for."""

import calendar
import re

import numpy as np

# As pandas, which reads them, in English unless the process has another locale.
_NAMES = {
    **{name.casefold(): "%A" for name in calendar.day_name},
    **{name.casefold(): "%a" for name in calendar.day_abbr},
    **{name.casefold(): "%B" for name in calendar.month_name[1:]},
    **{name.casefold(): "%b" for name in calendar.month_abbr[1:]},
    **{"am": "%p", "pm": "%p"},
    **{word: word.upper() for word in ("t", "z", "utc", "gmt", "年", "月", "日")},
}
_NUMBERS = {4: "%Y", 6: "%H%M%S", 8: "%Y%m%d"}
_PARTS = re.compile(r"\d+|[^\W\d_]+|[\W_]")
_ZONE = re.compile(r"(:\d\d(?:[.,]\d+)? ?)[+-]\d\d:?\d\d(?!\d)")
_QUARTER = re.compile(r"(?i)(\d{4})[ /-]?Q([1-4])|Q([1-4])[ /-]?(\d{4})")
_FIRST_MONTHS = dict(zip("1234", ("Jan", "Apr", "Jul", "Oct")))
_CLOCK = re.compile(
    r"((?P<days>-?\d+) days?,? \+?)?(?P<first>\d{1,3}):(?P<second>[0-5]\d)"
    r"(:(?P<third>[0-5]\d))?([.,](?P<fraction>\d+))?( ?(?P<half>[ap])\.?m\.?)?",
    re.IGNORECASE,
)


def read_dates(texts):
    """Read texts that are all dates.

    Parameters
    ----------
    texts : list of str
        Without missing values.

    Returns
    -------
    dates : list of Timestamp or None
        In universal time if the texts have time zones. None if any text is no date.
    note : str or None
        How they are written.

    Examples
    --------
    >>> from skreg.comparison.dates import read_dates
    >>> dates, note = read_dates(["31/12/2020 1:30 PM", "1/1/2021 12:00 AM"])
    >>> str(dates[0]), note
    ('2020-12-31 13:30:00', 'written as %d/%m/%Y %I:%M %p')
    """
    if not texts or not all(len(t) > 5 and re.search(r"\d", t) for t in texts):
        return None, None
    quarters = [_QUARTER.fullmatch(text) for text in texts]
    if all(quarters):
        texts = [f"{q[1] or q[4]} {_FIRST_MONTHS[q[2] or q[3]]}" for q in quarters]
    # In doubt the month comes first, but not between points.
    orders = ("dmy", "mdy") if all("." in text for text in texts) else ("mdy", "dmy")
    for order in (*orders, "ymd"):
        by_format = _by_format(texts, order)
        dates = None if by_format is None else _parsed(by_format, len(texts))
        if dates is not None:
            written = " or ".join(list(by_format)[:3])
            return dates, "quarters" if all(quarters) else f"written as {written}"
    return None, None


def _by_format(texts, order):
    """Return the texts of each format and their places; None if any is no date."""
    formats, by_format = {}, {}
    for place, text in enumerate(texts):
        shape = re.sub(r"\d", "0", text)
        if shape not in formats:
            formats[shape] = _format_of(text, order)
        if formats[shape] is None:
            return None
        by_format.setdefault(formats[shape], []).append((place, text))
    return by_format


def _format_of(text, order):
    """Return the format of a date, None if it is none.

    Day, month and year, if they have at most two digits, are in the given order.
    """
    # The sign of any currency, which is in no date, stands for the time zone.
    parts = ["", *_PARTS.findall(_ZONE.sub(r"\1¤", text.replace("¤", "%"))), ""]
    fields, clock = [], iter(("%H", "%M", "%S"))
    for before, part, after in zip(parts, parts[1:], parts[2:]):
        if part.isalpha():
            fields.append(_NAMES.get(part.casefold(), ""))
        elif not part.isdecimal():
            fields.append({"¤": "%z", "%": "", "?": ""}.get(part, part))
        elif len(part) < 3 and ":" in (before, after):
            fields.append(next(clock, ""))
        elif before in (".", ",") and fields[-2:-1] == ["%S"]:
            fields.append("%f")
        else:
            fields.append("?" if len(part) < 3 else _NUMBERS.get(len(part), ""))
    left = _left_to_find(fields, order)
    given = [field for field in fields if field.startswith("%")]
    if "" in fields or fields.count("?") != len(left) or len({*given}) < len(given):
        return None
    written = "".join(fields).replace("%H", "%I" if "%p" in fields else "%H")
    return re.sub(r"\?", lambda _: left.pop(0), written)


def _left_to_find(fields, order):
    """Return which of day, month and year are among the numbers of two digits."""
    if "%Y%m%d" in fields:
        return []
    months = {"%b", "%B"}.intersection(fields)
    left = [f"%{key}" for key in order if not (key == "m" and months)]
    n_open = fields.count("?")
    if "%Y" in fields:
        left.remove("%y")
        if n_open and fields.index("%Y") < fields.index("?"):
            left.sort(reverse=True)  # the month before the day
    # A month, such as 01/2020 or Jan-20, and not 1/86 or 5-Jan.
    is_clear = "%Y" in fields or (months and fields[-1] == "?")
    if n_open == len(left) - 1 and is_clear:
        left.remove("%d")
    return left


def _parsed(by_format, n_texts):
    """Return the dates in the order of the texts, or None if some are none."""
    import pandas as pd

    dates = np.empty(n_texts, dtype=object)
    for written, members in by_format.items():
        places, texts = zip(*members)
        found = pd.to_datetime(
            pd.Series(texts, dtype=object), format=written, utc=True, errors="coerce"
        )
        if found.isna().any():
            return None
        found = found.dt.tz_convert(None)
        if "%y" in written:
            found = _in_one_century(found)
        dates[list(places)] = list(found)
    return list(dates)


def _in_one_century(dates):
    """Return dates with years of two digits, which pandas takes as 1969 to 2068.

    Years before and after 1969 are brought together if they belong together.
    """
    import pandas as pd

    earlier = dates.where(dates.dt.year < 2000, dates - pd.DateOffset(years=100))
    return earlier if _span(earlier) < _span(dates) else dates


def _span(dates):
    return dates.max() - dates.min()


def read_clock_times(texts):
    """Read texts that are all times of a day or durations.

    Parameters
    ----------
    texts : list of str
        Such as "12:30", "1:02:03.5", "1:30 PM", "2 days 01:00:00", or "1:02.5", minutes
        and seconds.

    Returns
    -------
    list of float or None
        Seconds. None if any text is no time.

    Examples
    --------
    >>> from skreg.comparison.dates import read_clock_times
    >>> read_clock_times(["0:30", "12:30 am", "1:30 pm", "1:02.5"])
    [1800.0, 1800.0, 48600.0, 62.5]
    """
    found = list(map(_CLOCK.fullmatch, texts))
    return list(map(_seconds, found)) if all(found) else None


def _seconds(found):
    first, second, third = (int(found[k] or 0) for k in ("first", "second", "third"))
    if found["fraction"] and not found["third"]:
        first, second, third = 0, first, second
    if found["half"]:
        first = first % 12 + 12 * (found["half"] in "pP")
    whole = 86400 * int(found["days"] or 0) + 3600 * first + 60 * second + third
    return whole + float(f"0.{found['fraction'] or 0}")
