"""Texts of dates: every common way of writing gives the same dates."""

import datetime
import random

import pytest

from skreg.comparison.dates import read_dates

START = datetime.datetime(2021, 1, 1)
MINUTES = [START + datetime.timedelta(days=13 * i, minutes=61 * i) for i in range(40)]


@pytest.mark.parametrize(
    ("written", "step"),
    [
        *((f"%d{s}%m{s}%Y", "day") for s in "-/."),
        *((f"%m{s}%d{s}%Y", "day") for s in "-/."),
        *((f"%Y{s}%m{s}%d", "day") for s in "-/."),
        *((f"%d{s}%b{s}%Y", "day") for s in ["-", " ", "/", ""]),
        *(("%d %B %Y", "day"), ("%b %d, %Y", "day"), ("%a, %d %b %Y", "day")),
        *(("%b-%d-%Y", "day"), ("%d. %B %Y", "day"), ("%Y年%m月%d日", "day")),
        *(("%m/%d/%y", "day"), ("%d.%m.%y", "day"), ("%d-%b-%y", "day")),
        *((f"%Y-%m-%d{t}%H:%M", "minute") for t in " T"),
        *(("%Y-%m-%dT%H:%M:%SZ", "minute"), ("%Y-%m-%d %H:%M:%S.%f", "minute")),
        *(("%m/%d/%Y %I:%M %p", "minute"), ("%d/%m/%y %H:%M", "minute")),
        *(("%a %b %d %H:%M:%S %Y", "minute"), ("%H:%M %d-%m-%Y", "minute")),
        *(
            ("%Y-%m", "month"),
            ("%m/%Y", "month"),
            ("%b-%y", "month"),
            ("%Y %b", "month"),
        ),
    ],
)
def test_formats(written, step):
    expected = MINUTES
    if step != "minute":
        expected = [each.replace(hour=0, minute=0) for each in MINUTES]
    if step == "month":
        expected = [each.replace(day=1) for each in expected]
    dates, note = read_dates([each.strftime(written) for each in expected])
    assert dates == expected
    # May has one name.
    assert note.split(" or ")[0].removeprefix("written as ") == written


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("%Y-%m-%d %H:%M:%S+02:00", 2),
        ("%d/%b/%Y:%H:%M:%S -0500", -5),
        ("%a %b %d %H:%M:%S +0000 %Y", 0),
        ("%Y-%m-%d %H:%M:%S UTC", 0),
    ],
)
def test_time_zones_are_converted(written, zone):
    dates, _ = read_dates([each.strftime(written) for each in MINUTES])
    assert dates == [each - datetime.timedelta(hours=zone) for each in MINUTES]


@pytest.mark.parametrize(
    ("texts", "expected", "note"),
    [
        (
            ["2020-02-01", "2020-02-01 10:00"],
            "2020-02-01",
            "%Y-%m-%d or %Y-%m-%d %H:%M",
        ),
        (["13/02/2020", "2020-02-14"], "2020-02-13", "%d/%m/%Y or %Y-%m-%d"),
        (["01/02/2020"] * 2, "2020-01-02", "%m/%d/%Y"),
        (["01.02.2020"] * 2, "2020-02-01", "%d.%m.%Y"),
        (["20-02-13", "99-02-28"], "2020-02-13", "%y-%m-%d"),
    ],
)
def test_what_is_not_clear_is_said(texts, expected, note):
    dates, written = read_dates(texts)
    assert str(dates[0])[:10] == expected
    assert written == f"written as {note}"


def test_years_of_two_digits_stay_together():
    years = [date.year for date in read_dates(["25/11/63", "1/3/71", "4/5/68"])[0]]
    assert years == [1963, 1971, 1968]
    assert [d.year for d in read_dates(["31-Dec-99", "1-Jan-05"])[0]] == [1999, 2005]


@pytest.mark.parametrize("text", ["{0}Q{1}", "{0}-Q{1}", "Q{1} {0}", "{0} q{1}"])
def test_quarters(text):
    dates, note = read_dates([text.format(1999, 4), text.format(2000, 1)])
    assert [str(date)[:10] for date in dates] == ["1999-10-01", "2000-01-01"]
    assert note == "quarters"


@pytest.mark.parametrize(
    "texts",
    [
        ["555-123-4567"],
        ["123-45-6789"],
        ["10.0.0.1"],
        ["2020-21", "2021-22"],
        ["13/13/2020"],
        ["2020-13-01"],
        ["2020-01-01", "2020-01-32"],
        ["1/86", "02/86"],
        ["May 5", "June 6"],
        ["12:30:00"],
        ["100% 2020"],
        ["2020?01-31"],
        [],
        ["2019-2020-01"],
        ["march of 4 kings"],
    ],
)
def test_what_is_no_date(texts):
    assert read_dates(texts) == (None, None)


def test_any_text():
    draw = random.Random(0)
    parts = [*"0123456789:-/. ,TZ%?¤²+", "Jan", "May", "pm", "UTC", "2020", "12"]
    for _ in range(300):
        read_dates(["".join(draw.choices(parts, k=draw.randint(1, 9)))])
