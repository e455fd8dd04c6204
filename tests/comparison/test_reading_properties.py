"""Any file is read or refused in one line, and its way of writing changes nothing."""

import bz2
import gzip
import io
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skreg.comparison.commandline import main
from skreg.comparison.datasets import DataError, load_table
from skreg.comparison.roles import describe_roles

N = 40


# The file is written anew for each example.
def of_files(**options):
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(suppress_health_check=checks, **options)


WORDS = st.text("abcdeèßñ '\"\n.;,|\t&[]", min_size=1, max_size=9).filter(
    lambda text: text.strip()
)
# Every kind of cell that people write.
CELLS = st.one_of(
    WORDS,
    st.integers(-(10**25), 10**25).map(str),
    st.floats().map(repr),
    st.floats(-1e6, 1e6).map("{:,.2f}".format),
    st.floats(-1e6, 1e6).map(lambda v: f"{v:.2f}".replace(".", ",")),
    st.floats(0, 1).map("{:.1%}".format),
    st.floats(0, 1e5).map("({:.2f})".format),
    st.floats(0, 1e5).map("{:.2f} €".format),
    st.dates().map(str),
    st.datetimes().map(str),
    st.dates().map("{:%d/%m/%Y}".format),
    st.sampled_from(["", " ", "NA", "?", "-", "nan", "null", "inf", "-inf", "1_0"]),
    st.sampled_from(
        ["yes", "no", "True", "false", "−5", "1\u00a0000", "12:30", "0x1F"]
    ),
    st.sampled_from(
        ["1e400", "1e-400", "５", "½", "=1+1", "#REF!", "\ufeff", "\x1b[31m"]
    ),
)


def columns_of(cells):
    """Return a strategy for columns of few different cells, or of many."""
    return st.lists(cells, min_size=1, max_size=6).flatmap(
        lambda values: st.lists(st.sampled_from(values), min_size=N, max_size=N)
    ) | st.lists(cells, min_size=N, max_size=N)


def tables(cells=CELLS):
    names = st.lists(
        WORDS | st.sampled_from(["", "id", "target"]), min_size=1, max_size=4
    )
    return names.flatmap(
        lambda names: st.tuples(*[columns_of(cells) for _ in names]).map(
            lambda columns: pd.DataFrame(list(zip(*columns)), columns=names)
        )
    )


def assert_is_table_or_one_line(path):
    """Read a file, and fit what the command line fits if there is a table."""
    try:
        table = load_table(path)
    except DataError as error:
        message = str(error)
        assert "\n" not in message.strip()
        assert len(message) > 20
        return None
    assert len(table.X) == len(table.y)
    assert not pd.isna(table.y).any()
    assert all("\n" not in line for line in describe_roles(table.columns))
    return table


@of_files()
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_content(content, tmp_path):
    path = tmp_path / "data.csv"
    for written in (content, b"a,b\n1,2\n" + content, gzip.compress(content)):
        path.write_bytes(written)
        assert_is_table_or_one_line(path)


@of_files()
@given(
    table=tables(), separator=st.sampled_from(",;\t|"), quoting=st.sampled_from([0, 1])
)
def test_any_table(table, separator, quoting, tmp_path):
    path = tmp_path / "data.csv"
    table.to_csv(path, sep=separator, quoting=quoting, index=False)
    assert_is_table_or_one_line(path)


@of_files(max_examples=settings.default.max_examples // 6)
@given(table=tables(), is_number=st.booleans())
def test_any_table_is_compared_or_refused(
    table, is_number, tmp_path, capsys, monkeypatch
):
    """With exit code 0 or 2, and one line on stderr or none."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    rng = np.random.default_rng(0)
    y = rng.normal(size=N) if is_number else rng.permutation(N) % 2
    path = tmp_path / "data.csv"
    table.assign(y=y).to_csv(path, index=False)
    code = main(
        [
            *("compare", str(path), "--target", "y", "--cv", "2", "--repeats", "1"),
            *("--n-candidates", "2"),
        ]
    )
    _, err = capsys.readouterr()
    assert code in (0, 2)
    assert err.count("\n") == (code == 2)


# Ways to write one table.


def ordinary(rng):
    """Return a table that has columns of all kinds."""
    price = np.round(rng.normal(1000, 2000, N), 2)
    return pd.DataFrame(
        {
            "price": np.where(rng.random(N) < 0.1, np.nan, price),
            "count": rng.integers(-(10**6), 10**6, N),
            "tiny": rng.normal(size=N) * 1e-50,
            "sold": pd.date_range("2020-01-15", periods=N, freq="9D"),
            "größe": rng.choice(["groß", "klein, dünn", 'a "b"'], N),
            "remark": [
                f"{w} {'na so was '[: i % 7]}{i} mal" for i, w in enumerate("ab" * 20)
            ],
            "open": rng.choice(["yes", "no"], N),
            "target": np.round(rng.normal(size=N), 2),
        }
    )


def text(frame, separator=",", encoding="utf-8", **options):
    return frame.to_csv(sep=separator, index=False, **options).encode(encoding)


def formatted(frame, group, decimal, unit="{}", minus="-"):
    """Write the numbers of two columns in another way."""

    def written(value, digits):
        number = f"{abs(value):,.{digits}f}".replace(",", "_").replace(".", decimal)
        return unit.format(minus * (value < 0) + number.replace("_", group))

    changed = frame.copy()
    changed["price"] = ["" if np.isnan(v) else written(v, 2) for v in frame["price"]]
    changed["count"] = [written(v, 0) for v in frame["count"]]
    changed["target"] = [written(v, 2) for v in frame["target"]]
    return changed


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.csv", content)
    return buffer.getvalue()


def excel(frame):
    pytest.importorskip("openpyxl")
    buffer = io.BytesIO()
    frame.to_excel(buffer, index=False)
    return buffer.getvalue()


def decimals(frame):
    """Store numbers as decimals in Parquet."""
    from decimal import Decimal

    prices = [None if np.isnan(v) else Decimal(repr(v)) for v in frame["price"]]
    return frame.assign(price=prices).to_parquet()


WAYS = {
    "semicolons": lambda f: text(f, ";"),
    "tabs": lambda f: text(f, "\t"),
    "bars": lambda f: text(f, "|"),
    "quotes": lambda f: text(f, quoting=1),
    "line ends": lambda f: text(f, lineterminator="\r\n"),
    "BOM": lambda f: text(f, encoding="utf-8-sig"),
    "UTF-16": lambda f: text(f, encoding="utf-16"),
    "latin-1": lambda f: text(f, encoding="latin-1"),
    "cp1252": lambda f: text(f, ";", encoding="cp1252"),
    "gzip": lambda f: gzip.compress(text(f)),
    "bzip2": lambda f: bz2.compress(text(f)),
    "xz": lambda f: lzma.compress(text(f)),
    "zip": lambda f: zipped(text(f)),
    "row numbers": lambda f: f.to_csv().encode(),
    "R": lambda f: f.to_csv().encode().removeprefix(b","),
    "trailing separators": lambda f: text(f).replace(b"\n", b",\n"),
    "empty lines": lambda f: text(f).replace(b"\n", b"\n\n"),
    "comments": lambda f: b"# made on a day\n# by a program\n" + text(f),
    "missing values": lambda f: text(f, na_rep="-"),
    "Parquet": lambda f: f.to_parquet(),
    "Parquet with an index": lambda f: f.set_index(np.arange(N) * 2).to_parquet(),
    "decimals": decimals,
    "Excel": excel,
    "thousands": lambda f: text(formatted(f, ",", ".")),
    "dollars": lambda f: text(formatted(f, ",", ".", "${}")),
    "euros": lambda f: text(formatted(f, ".", ",", "{} €"), ";"),
    "European": lambda f: text(formatted(f, ".", ","), ";"),
    "Swiss": lambda f: text(formatted(f, "'", ".")),
    "French": lambda f: text(formatted(f, "\u202f", ","), ";"),
    "percent": lambda f: text(formatted(f, "", ".", "{}%")),
    "minus signs": lambda f: text(formatted(f, "", ".", minus="−")),
    "dates": lambda f: text(f, date_format="%d.%m.%Y"),
}


@of_files(max_examples=settings.default.max_examples // 12)
@pytest.mark.parametrize("way", WAYS)
@given(seed=st.integers(0, 10**6))
def test_a_way_of_writing_changes_nothing(way, seed, tmp_path):
    """Neither a value nor a role, so that all scores stay the same."""
    frame = ordinary(np.random.default_rng(seed))
    plain, other = tmp_path / "plain.csv", tmp_path / "other.csv"
    plain.write_bytes(text(frame))
    other.write_bytes(WAYS[way](frame))
    expected, found = load_table(plain, "target"), load_table(other, "target")
    # Excel files hold 16 digits of a number, all others hold them all.
    digits = {"rtol": 1e-15} if way == "Excel" else {"check_exact": True}
    pd.testing.assert_frame_equal(found.X, expected.X, **digits)
    np.testing.assert_array_equal(found.y, expected.y)
    assert (found.target, found.task) == (expected.target, expected.task)
    # The plain file is the table that was written.
    np.testing.assert_array_equal(expected.X["price"], frame["price"])
    np.testing.assert_array_equal(expected.X["tiny"], frame["tiny"])
    assert expected.X["sold"].tolist() == frame["sold"].tolist()
    assert expected.X["größe"].tolist() == frame["größe"].tolist()
    np.testing.assert_array_equal(expected.y, frame["target"])
