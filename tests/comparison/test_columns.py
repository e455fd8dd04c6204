"""What columns hold, and which roles they get, whatever type they are stored in."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from skreg.comparison.columns import contents
from skreg.comparison.content import DataError
from skreg.comparison.roles import ColumnRole, describe_roles, input_role

N = 60
RNG = np.random.default_rng(0)


def content(values, name="x", kind=None, separator=None, **others):
    frame = pd.DataFrame({name: values, **others})
    return contents(frame, separator, {name: kind} if kind else None)[name]


def role(values, name="x", **options):
    return input_role(name, content(values, name), **options)[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], [1, 2, 3]),
        (np.array([1, 2, 3], dtype=np.uint8), [1, 2, 3]),
        (np.array([1.5, np.nan, 3], dtype=np.float32), [1.5, np.nan, 3]),
        (pd.array([1, None, 3], dtype="Int64"), [1, np.nan, 3]),
        (pd.array([1.5, None, 3], dtype="Float32"), [1.5, np.nan, 3]),
        ([Decimal("1.5"), None, Decimal("3.25")], [1.5, np.nan, 3.25]),
        (pd.to_timedelta([1.5, 60, 3600], unit="s"), [1.5, 60, 3600]),
        ([datetime.time(1), None, datetime.time(0, 0, 2)], [3600, np.nan, 2]),
        (["1", " 2.5 ", ""], [1, 2.5, np.nan]),
        (["1", "?", "NA", "3"], [1, np.nan, np.nan, 3]),
        (["1", "-", "n.d.", "3"], [1, np.nan, np.nan, 3]),
        (["1e-50", "2e-50"], [1e-50, 2e-50]),
        (["inf", "-Infinity", "1"], [np.inf, -np.inf, 1]),
        (["01:30", "00:10", "-"], [5400, 600, np.nan]),
        (["1:30 PM", "12:05 am"], [48600, 300]),
        (["1:02.5", "10:00.25"], [62.5, 600.25]),
        (["2 days 01:00:00", "-1 days +23:00:00"], [176400, -3600]),
        (["1:00:01.5", "00:10:00"], [3601.5, 600]),
        (["$1,000.50", "n/a", "$3"], [1000.5, np.nan, 3]),
        ([None, None], [np.nan, np.nan]),
        (["", " "], [np.nan, np.nan]),
    ],
)
def test_numbers(values, expected):
    found = content(values)
    assert found.kind == "number"
    assert found.values.dtype == np.float64
    np.testing.assert_array_equal(found.values, np.array(expected, dtype=float))


@pytest.mark.parametrize(
    ("texts", "note"),
    [
        (["2020-01-31", "2021-02-28"], "written as %Y-%m-%d"),
        (["31/01/2020", "28/02/2021"], "written as %d/%m/%Y"),
        (["01/31/2020", "02/28/2021"], "written as %m/%d/%Y"),
        (["31.01.2020", "28.02.2021"], "written as %d.%m.%Y"),
        (
            ["2020-01-31T00:00:00", "2021-02-28T00:00:00"],
            "written as %Y-%m-%dT%H:%M:%S",
        ),
        (["1/31/20", "2/28/21"], "written as %m/%d/%y"),
        (["31.1.20", "28.2.21"], "written as %d.%m.%y"),
        (["31-Jan-20", "28-Feb-21"], "written as %d-%b-%y"),
        (["20200131", "20210228"], "written as %Y%m%d"),
        ([20200131, 20210228], "written as %Y%m%d"),
        ([datetime.date(2020, 1, 31), datetime.date(2021, 2, 28)], None),
        (pd.to_datetime(["2020-01-31", "2021-02-28"]), None),
        (pd.to_datetime(["2020-01-31", "2021-02-28"], utc=True), None),
        (pd.PeriodIndex(["2020-01-31", "2021-02-28"], freq="D"), None),
    ],
)
def test_dates(texts, note):
    found = content(texts)
    assert found.kind == "date"
    assert found.notes == ((note,) if note else ())
    expected = pd.to_datetime(["2020-01-31", "2021-02-28"])
    assert found.values.tolist() == expected.tolist()


def test_missing_dates():
    found = content(["Jan 2020", "unknown", "-", "Feb 2020", "?", ""])
    assert found.kind == "date"
    assert found.values.isna().tolist() == [False, True, True, False, True, True]
    assert found.notes == (
        "written as %b %Y",
        "missing: 'unknown' (1), '-' (1), '?' (1)",
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", " b ", None, "?"], ["a", "b", np.nan, np.nan]),
        (pd.Categorical([1, 2, None]), ["1", "2", np.nan]),
        (["+", "-", "+"], ["+", "-", "+"]),
        (["Na", "NA", "K"], ["Na", np.nan, "K"]),
        ([r"\N", "Nan", "NULL"], [np.nan, "Nan", np.nan]),
        (["none", "mild", "None"], ["none", "mild", "None"]),
        # More digits than a number of double precision has.
        ([2**60, 2**60 + 1], [str(2**60), str(2**60 + 1)]),
        ([str(10**18), str(10**18 + 1)], [str(10**18), str(10**18 + 1)]),
        ([1, "a", 2.5], ["1", "a", "2.5"]),
        ([datetime.date(2020, 1, 31), 1], ["2020-01-31", "1"]),
    ],
)
def test_texts(values, expected):
    found = content(values)
    assert found.kind == "text"
    assert found.values.fillna("missing").tolist() == [
        "missing" if each is np.nan else each for each in expected
    ]


@pytest.mark.parametrize(
    "values",
    [[True, False], ["True", "FALSE"], pd.array([True, False], dtype="boolean")],
)
def test_booleans(values):
    found = content(values)
    assert found.kind == "boolean"
    assert found.values.tolist() == [True, False]
    assert content([True, None]).values.isna().tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([[1], [2]], "holds lists"),
        ([(1,), (2,)], "holds tuple"),
        ([{"a": 1}, None], "holds structures"),
        ([b"a", b"b"], "holds bytes"),
        ([1j, 2], "holds complex numbers"),
        ([np.array([1, 2]), None], "holds lists"),
    ],
)
def test_refused(values, match):
    with pytest.raises(DataError, match=rf"column 'x' {match}"):
        content(values)


@pytest.mark.parametrize(
    ("others", "separator", "expected"),
    [
        ({}, ",", [1234, 20]),
        ({}, ";", [1.234, 20]),
        ({"y": ["1,5", "2,5"]}, ",", [1.234, 20]),
        ({"y": ["0.5", "2.5"]}, ";", [1234, 20]),
        ({"y": ["1,000.5", "2.5"]}, ";", [1234, 20]),
    ],
)
def test_commas_mean_what_they_mean_in_the_rest_of_the_file(
    others, separator, expected
):
    found = content(["1,234", "20"], separator=separator, **others)
    assert found.values.tolist() == expected


def test_points_between_thousands():
    """They are decimal marks, unless the file has decimal commas."""
    assert content(["1.234", "20"]).values.tolist() == [1.234, 20]
    assert content(["1.234", "20"], separator=";").values.tolist() == [1.234, 20]
    found = content(["1.234", "20"], y=["1,5", "2,5"])
    assert found.values.tolist() == [1234, 20]
    assert found.notes == ("with thousands separators",)


def test_notes():
    assert content(["1", "?", "?", "-"]).notes == ("missing: '?' (2), '-' (1)",)
    assert content(["1", "2", "3", "x1"]).notes == ("most are numbers, but not 'x1'",)
    assert content(["5 kg", "300 g"]).notes == (
        "numbers in different units: 'g', 'kg'",
    )
    assert content(["5%", "3"]).notes == ("numbers in different units: none, '%'",)
    assert content(["1.5", "2,5"]).notes == (
        "numbers that are written in different ways",
    )


def test_codes_with_leading_zeros_are_said():
    note = "with leading zeros; --role x=text takes them as codes"
    assert content(["00501", "99950"]).notes == (note,)
    assert content(["00501", "99950"], kind="text").values.tolist()[0] == "00501"
    assert content(["01", "12"]).notes == content(["0.125"]).notes == ()


def test_kinds_that_the_user_gives():
    assert content(["1", "2"], kind="text").values.tolist() == ["1", "2"]
    assert content([1, 2], kind="text").values.tolist() == ["1", "2"]
    assert content(["2020-01-31", "-"], kind="text").kind == "text"
    assert content(["a", "NA"], kind="text").values.tolist() == ["a", "NA"]
    assert content([20200131, 20200201], kind="number").kind == "number"
    with pytest.raises(DataError, match="column 'x' holds no numbers, such as 'a'"):
        content(["1", "a"], kind="number")


# Roles.


@pytest.mark.parametrize(
    ("values", "name", "reason"),
    [
        (np.arange(N), "x", "a row number: it counts from 0 to 59 in the file's order"),
        (np.arange(1, N + 1), "x", "a row number: it counts from 1 to 60 in the"),
        (list(map(str, range(N))), "x", "a row number: it counts from 0 to 59"),
        (np.arange(N) * 3, "Unnamed: 0", "a row number: it grows from 0 to 177"),
        (np.arange(N) * 3, "PassengerId", "a row number: it grows from 0 to 177"),
        (RNG.permutation(N), "id", "an identifier: a whole number by that name"),
        ([f"n{i}" for i in range(N)], "x", "an identifier: a code of letters"),
        ([f"row {i}" for i in range(N)], "x", "an identifier: a code of letters"),
        ([f"{i:08x}-ab{i:02x}" for i in range(N)], "x", "an identifier: a code of"),
        ([f"AB{i:03d}" for i in range(N)], "x", "an identifier: a code of letters"),
        ([None] * N, "x", "it is empty"),
        (["a"] * N, "x", "every row is a"),
        ([2018.0] * N, "x", "every row is 2018"),
    ],
)
def test_left_out(values, name, reason):
    found = role(values, name)
    assert found.role == "left out"
    assert found.reason.startswith(reason)
    assert role(values, name, is_given=True).role != "left out"


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        (np.arange(N) + 0.0, "x", "number"),
        (np.arange(N) + 1950, "year", "number"),
        (np.arange(N)[::-1], "x", "number"),
        (np.arange(N) % 30, "id", "number"),
        ([1.0, *[np.nan] * (N - 1)], "x", "number"),
        (RNG.permutation(N), "x", "number"),
        (["a", *[None] * (N - 1)], "x", "category"),
        ([f"a{i % 39}" for i in range(N)], "x", "category"),
        ([f"a{i % 40}" for i in range(N)], "x", "text"),
        ([f"film number {i} of the {'x' * i}" for i in range(N)], "x", "text"),
        (["C" * i + "(=O)c1cccc1" for i in range(N)], "smiles", "text"),
        ([f"country {'abcdefghij'[i % 10] * i}" for i in range(N)], "x", "text"),
        ([f"{i}-{i + 1}" for i in range(N)], "season", "text"),
        # Measurements of two numbers, or with words.
        ([f"{i}/{i + 1}" for i in range(N)], "x", "text"),
        ([f"{i}.5 ± 0.1" for i in range(N)], "x", "text"),
        ([f"{i}h {i}m" for i in range(N)], "x", "text"),
        ([True, False] * (N // 2), "x", "category"),
        (pd.date_range("2020", periods=N), "x", "date"),
    ],
)
def test_roles(values, name, expected):
    assert role(values, name).role == expected


def test_one_copy_does_not_turn_an_identifier_into_text():
    codes = [f"n{i}" for i in range(N - 1)]
    assert role([*codes, codes[0]]).role == "left out"


def test_infinite_numbers_are_missing():
    found, values = input_role("x", content([np.inf, -np.inf, 1.0, 2.0]))
    assert found.reason == "missing: 2 infinite values"
    assert values.isna().tolist() == [True, True, False, False]


def test_texts_become_categories():
    """Else skrub would read numbers in those rows of a fold that have no letters."""
    _, values = input_role("x", content(["1", "2", "a", None]))
    assert isinstance(values.dtype, pd.CategoricalDtype)
    assert values.cat.categories.tolist() == ["1", "2", "a"]


def test_describe_roles():
    columns = [ColumnRole("y", "target", "2 classes")]
    columns += [ColumnRole(f"x{i}", "number") for i in range(4)]
    columns += [ColumnRole("z", "number", "in €"), ColumnRole("c", "category")]
    columns += [ColumnRole(name, "left out", "it is empty") for name in "ij"]
    assert describe_roles(columns) == [
        "target: 'y' (2 classes)",
        "numbers: 'x0', 'x1', 'x2', 'x3'",
        "number: 'z' (in €)",
        "category: 'c'",
        "left out: 'i', 'j' (it is empty)",
    ]
    assert describe_roles(columns, 2)[1] == "numbers: 'x0', 'x1', and 2 more"
