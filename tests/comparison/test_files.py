"""Files: the same table from every type, and a reason for what is none."""

import bz2
import gzip
import io
import lzma
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from skreg.comparison.files import can_read, read_file

CSV = b"a,b\n1,x\n2,y\n"


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def read(tmp_path):
    def read_content(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content)
        return read_file(path)

    return read_content


@pytest.mark.parametrize(
    "content",
    [
        CSV,
        gzip.compress(CSV),
        bz2.compress(CSV),
        lzma.compress(CSV),
        zipped(**{"data.csv": CSV}),
        zipped(**{"data.csv": CSV, "__MACOSX/._data.csv": b"\0", "README.txt": b"x"}),
        gzip.compress(zipped(**{"folder/data.txt": CSV})),
    ],
    ids=["plain", "gzip", "bzip2", "xz", "zip", "zip with others", "twice"],
)
def test_compressed(content, read):
    frame = read(content).frame
    assert frame.columns.tolist() == ["a", "b"]
    assert frame.to_numpy().tolist() == [["1", "x"], ["2", "y"]]


@pytest.mark.parametrize("name", ["[a]", "{a}", "@a", "<a>"])
def test_brackets_in_a_header_are_no_other_format(name, read):
    assert read(CSV.replace(b"a", name.encode())).frame.columns.tolist() == [name, "b"]


def test_parquet(read):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    pd.testing.assert_frame_equal(read(frame.to_parquet(), "data.pq").frame, frame)


def test_an_index_of_parquet_is_a_column_as_in_csv(read):
    frame = pd.DataFrame({"a": [5, 6], "b": ["x", "y"]}, index=[3, 9])
    for named, name in [(frame, "Unnamed: 0"), (frame.rename_axis("id"), "id")]:
        assert read(named.to_parquet()).frame.columns.tolist() == [name, "a", "b"]
        assert read(named.to_csv().encode()).frame.columns.tolist() == [name, "a", "b"]


@pytest.mark.parametrize("title", [None, "Sales of the year"])
def test_excel(title, read):
    pytest.importorskip("openpyxl")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, 1.5]})
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer) as writer:
        frame.to_excel(writer, index=False, startrow=2, sheet_name="first")
        if title is not None:
            writer.sheets["first"].cell(1, 1, title)
        frame.to_excel(writer, sheet_name="second")
    table = read(buffer.getvalue(), "data.xlsx")
    assert table.frame.columns.tolist() == ["a", "b", "c"]
    assert table.frame["c"].tolist() == [0.5, 1.5]
    assert table.frame["b"].isna().tolist() == [False, True]
    notes = ["lines before the table are left out"] if title else []
    assert table.notes == ["the first sheet with a table, 'first'", *notes]


def test_excel_with_a_cover_and_groups_of_columns(read):
    openpyxl = pytest.importorskip("openpyxl")
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["About these data"])
    sheet = book.create_sheet("data")
    for row in (["inputs", None, "output"], ["a", "b", "c"], [1, 2, 3], [4, 5, 6]):
        sheet.append(row)
    book.save(buffer)
    table = read(buffer.getvalue())
    assert table.frame.columns.tolist() == ["inputs a", "b", "output c"]
    assert table.frame.to_numpy().tolist() == [[1, 2, 3], [4, 5, 6]]
    assert table.notes == [
        "the first sheet with a table, 'data'",
        "the second line is joined to the names",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(
            (f"data{ending}", True)
            for ending in [".csv", ".CSV.gz", ".tsv", ".txt.zip"]
        ),
        *((f"data{ending}", True) for ending in [".data", ".zip", ".pq", ".xlsx"]),
        *((f"data{ending}", False) for ending in [".json", ".py", "", ".gz", ".docx"]),
    ],
)
def test_endings(name, expected):
    assert can_read(Path(name)) == expected


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\xd0\xcf\x11\xe0" + b"\0" * 50, "it is an old Excel file: save it as CSV"),
        (b"\x89HDF\r\n", "it is an HDF5 file"),
        (b"<!DOCTYPE html><html>", "it is a web page or XML"),
        (b' [{"a": 1}]', "it is ARFF or JSON"),
        (b"@RELATION iris\n", "it is ARFF or JSON"),
        (zipped(a=b"x"), r"the archive holds no table, only \['a'\]"),
        (zipped(**{"a.csv": CSV, "b.csv": CSV}), r"2 tables \(a.csv, b.csv\): extract"),
        (gzip.compress(CSV, mtime=0)[:-9], "ended before the end"),
        (b"PAR1 and nothing else", "[Pp]arquet"),
    ],
)
def test_refused(content, match, read):
    with pytest.raises(Exception, match=match):
        read(content)


@pytest.mark.parametrize(
    ("package", "name"), [("openpyxl", "data.xlsx"), ("pyarrow", "data.parquet")]
)
def test_missing_packages(package, name, read, monkeypatch):
    import sys

    content = pd.DataFrame({"a": [1]}).to_parquet()
    if package == "openpyxl":
        content = zipped(**{"xl/workbook.xml": b"", "[Content_Types].xml": b""})
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("pandas.read_parquet", _needs_a_package)
    monkeypatch.setattr("pandas.read_excel", _needs_a_package)
    with pytest.raises(ValueError, match=f"pip install {package}"):
        read(content, name)


def _needs_a_package(*args, **kwargs):
    raise ImportError
