"""Files that hold a table: CSV, Parquet and Excel, compressed or not."""

import bz2
import gzip
import io
import lzma
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from skreg.comparison.delimited import read_delimited
from skreg.comparison.header import split_header, unique_names
from skreg.typing import DataFrame

_TEXTS = (".csv", ".tsv", ".tab", ".txt", ".data", ".dat")
_TABLES = (*_TEXTS, ".parquet", ".pq", ".xlsx")
_PACKED = (".gz", ".zip", ".bz2", ".xz")
# What the first bytes of a file say, whatever it is called.
_MAGIC = {
    b"PAR1": "parquet",
    b"PK\x03\x04": "zip",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF file",
    b"ARROW1": "a Feather file",
    b"SQLite format 3": "a database",
    b"\x93NUMPY": "a numpy array",
}
_UNPACK = {"gzip": gzip.decompress, "bzip2": bz2.decompress, "xz": lzma.decompress}


@dataclass(frozen=True, eq=False)
class RawTable:
    """The content of a file, before the roles of its columns are known.

    Parameters
    ----------
    frame : pandas.DataFrame
        With unique names that are texts.
    separator : str or None, default=None
        The separator of a text file.
    notes : list of str, default=[]
        What was guessed about the file.
    """

    frame: DataFrame
    separator: str | None = None
    notes: list = field(default_factory=list)


def can_read(path):
    """Whether a file has one of the supported endings.

    Parameters
    ----------
    path : Path
    """
    name = path.name.lower()
    for ending in _PACKED:
        name = name.removesuffix(ending)
    return name.endswith(_TABLES) or path.suffix.lower() == ".zip"


ENDINGS = f"{', '.join(_TABLES)}; text files also as {', '.join(_PACKED)}"


def read_file(path):
    """Read a table from a file, whose type is that of its content.

    Parameters
    ----------
    path : Path

    Returns
    -------
    RawTable

    Raises
    ------
    Exception
        Anything that a reader raises for a file that it cannot read.
    """
    return _read_content(path.read_bytes())


def _read_content(content, notes=()):
    kind = next((k for magic, k in _MAGIC.items() if content.startswith(magic)), "text")
    if kind in _UNPACK:
        return _read_content(_UNPACK[kind](content), notes)
    if kind == "zip":
        return _read_zip(content)
    if kind == "parquet":
        return _read_parquet(content)
    if kind != "text":
        raise ValueError(f"it is {kind}: save it as CSV, Parquet or .xlsx")
    start = content.lstrip()[:100].lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise ValueError("it is a web page or XML: download the data themselves")
    if re.match(rb"@relation|\{\s*\"|\[\s*[\[{]", start):
        raise ValueError("it is ARFF or JSON: save it as CSV or Parquet")
    frame, separator, found = read_delimited(content)
    return RawTable(frame, separator, [*notes, *found])


def _read_zip(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if "xl/workbook.xml" in names:
            return _read_excel(content)
        tables = [
            name
            for name in names
            if can_read(Path(name))
            and not re.match(r"(?i)\.|readme|licen[cs]e", Path(name).name)
            and not name.startswith("__MACOSX")
        ]
        if not tables:
            raise ValueError(f"the archive holds no table, only {names[:5]}")
        if len(tables) > 1:
            raise ValueError(
                f"the archive holds {len(tables)} tables ({', '.join(tables[:5])}):"
                " extract the one to compare on"
            )
        return _read_content(archive.read(tables[0]), [f"the table is {tables[0]!r}"])


def _read_parquet(content):
    import pandas as pd

    try:
        frame = pd.read_parquet(io.BytesIO(content))
    except ImportError as error:
        raise ValueError("Parquet needs pyarrow: pip install pyarrow") from error
    if isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(drop=True)
    else:
        # CSV files have these columns, too.
        unnamed = [f"Unnamed: {i}" for i in range(frame.index.nlevels)]
        names = [name or unnamed[i] for i, name in enumerate(frame.index.names)]
        frame = frame.reset_index(names=names)
    notes = []
    frame.columns = unique_names(map(str, frame.columns), notes)
    return RawTable(frame, notes=notes)


def _read_excel(content):
    import pandas as pd

    try:
        sheets = pd.read_excel(
            io.BytesIO(content), sheet_name=None, header=None, dtype=object
        )
    except ImportError as error:
        raise ValueError(
            "Excel files need openpyxl: pip install openpyxl, or save it as CSV"
        ) from error
    tables = {
        name: sheet.dropna(how="all").dropna(how="all", axis=1)
        for name, sheet in sheets.items()
    }
    tables = {name: sheet for name, sheet in tables.items() if min(sheet.shape) > 1}
    if not tables:
        raise ValueError("it holds no table of two rows and columns")
    name, sheet = next(iter(tables.items()))
    notes = [f"the first sheet with a table, {name!r}"] if len(sheets) > 1 else []
    texts = sheet.iloc[:1000].astype(object)
    texts = texts.where(texts.notna(), "").map(str)
    names, n_above = split_header(texts.to_numpy().tolist(), sheet.shape[1], notes)
    sheet = sheet.iloc[n_above:].reset_index(drop=True)
    sheet.columns = names
    return RawTable(sheet.infer_objects(), notes=notes)
