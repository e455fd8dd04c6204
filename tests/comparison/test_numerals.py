"""Numbers as people write them: every way gives the number that Python writes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skreg.comparison.numerals import is_number, read_numerals

CENTS = st.integers(-(10**12), 10**12)


def grouped(cents, group, decimal, minus="-"):
    """Write a number with two decimals, with thousands separators."""
    text = f"{abs(cents) / 100:,.2f}".replace(",", "_").replace(".", decimal)
    return minus * (cents < 0) + text.replace("_", group)


@given(
    cents=st.lists(CENTS, min_size=1, max_size=20),
    marks=st.sampled_from(
        [(g, ".") for g in ["", ",", " ", "'", "’", "\u00a0", "\u202f"]]
        + [(g, ",") for g in ["", ".", " ", "'", "’", "\u00a0", "\u202f"]]
    ),
    minus=st.sampled_from(["-", "−", "–", "- "]),
    around=st.sampled_from(
        [
            *("{}", " {} ", "${}", "US${}", "R$ {}", "£{}", "€ {}", "{} €", "CHF {}"),
            *("{} USD", "{}%", "{} %", "{} kg", "{} m²", "{}°C", "{} km/h"),
        ]
    ),
)
def test_every_way_of_writing(cents, marks, minus, around):
    group, decimal = marks
    texts = [around.format(grouped(each, group, decimal, minus)) for each in cents]
    found = read_numerals(texts)
    assert found.with_point if decimal == "." else found.with_comma
    expected = [float(f"{each / 100:.2f}") for each in cents]
    np.testing.assert_array_equal(found.values(decimal), expected)


@given(st.lists(CENTS, min_size=1, max_size=9))
def test_negative_numbers_of_accounting(cents):
    expected = [-abs(each) / 100 for each in cents] + [1.0]
    in_parentheses = [f"({abs(each) / 100:,.2f})" for each in cents] + ["1.00"]
    behind = [f"{abs(each) / 100:.2f}-" for each in cents] + ["1.00"]
    with_currency = [f"$({abs(each) / 100:,.2f})" for each in cents] + ["$1.00"]
    np.testing.assert_array_equal(read_numerals(with_currency).values("."), expected)
    np.testing.assert_array_equal(read_numerals(in_parentheses).values("."), expected)
    np.testing.assert_array_equal(read_numerals(behind).values("."), expected)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_plain_numbers(numbers):
    found = read_numerals(list(map(repr, numbers)))
    np.testing.assert_array_equal(found.values("."), numbers)


@pytest.mark.parametrize(
    ("texts", "with_point", "with_comma"),
    [
        (["1,234", "20,000"], True, True),
        (["1.234", "20.000"], True, True),
        (["1,234", "2,5"], False, True),
        (["1,234.5"], True, False),
        (["1.234,5"], False, True),
        (["0,125"], False, True),
        (["1,234,567"], True, False),
        (["12,34,567"], True, False),
        (["12", "-3e5"], True, True),
    ],
)
def test_decimal_mark(texts, with_point, with_comma):
    found = read_numerals(texts)
    assert (found.with_point, found.with_comma) == (with_point, with_comma)


@pytest.mark.parametrize(
    "texts",
    [
        ["12", "abc"],
        ["3 kg", "5 g"],
        ["$5", "€7"],
        ["12%", "0.5"],
        ["1,2.3,4"],
        ["0.5", "1,5"],
        ["1.2.3"],
        ["1 2"],
        ["--5"],
        ["(-5)"],
        ["(5"],
        ["n17", "n18"],
        ["60-", "70-"],
        ["1. Yes", "2. No"],
        ["2020-01-31"],
        ["12:30"],
        ["745/1998"],
        ["1_000"],
        ["$5 USD"],
        ["<5", "<7", "9"],
        ["5", "10 M"],
        ["5 M", "10 M", "3 kg"],
        [""],
    ],
)
def test_what_is_no_number(texts):
    assert read_numerals(texts) is None


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1.5K", "2M", "900", "1.1bn"], [1500, 2e6, 900, 1.1e9]),
        (["€110.5M", "€565K", "€0"], [110.5e6, 565e3, 0]),
        # One letter may be a unit.
        (["1.5k", "2k"], [1.5, 2]),
    ],
)
def test_letters_for_thousands(texts, expected):
    assert read_numerals(texts).values(".").tolist() == expected


def test_bounds_of_measurements():
    texts = ["<0.5", "0.7", ">= 9", "3"]
    assert read_numerals(texts).values(".").tolist() == [0.5, 0.7, 9, 3]


def test_zero_needs_no_unit():
    assert read_numerals(["12%", "0"]).values(".").tolist() == [12, 0]


@pytest.mark.parametrize(
    ("texts", "decimal", "expected"),
    [
        (["1.5"], ".", ""),
        (["1.234,5"], ",", "with a decimal comma, with thousands separators"),
        (["20,000"], ".", "with thousands separators"),
        (["(5)", "6"], ".", "with signs behind or parentheses"),
        (["$1,000.5"], ".", "with thousands separators, in $"),
        (["<0.5", "0.7"], ".", "without < or >"),
        (["€1.5M", "€3"], ".", "with letters for thousands or millions, in €"),
    ],
)
def test_description(texts, decimal, expected):
    assert read_numerals(texts).description(decimal) == expected


@given(st.text())
def test_any_text(text):
    """A text is a number or is not; what Python takes as a finite number is one."""
    try:
        number = float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        number = None
    if number is not None and np.isfinite(number):
        assert is_number(text)
    is_number(text)
