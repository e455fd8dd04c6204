"""Text files with separators: their encoding, separator and header."""

import codecs
import csv
import io
import re
import warnings
from collections import Counter
from contextlib import contextmanager
from itertools import islice

from skreg.comparison.header import split_header
from skreg.comparison.numerals import is_number

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SPACE = " "
_COMMENT = re.compile(r"\s*(#|%|//)")
# Enough to see how a file is written.
_SAMPLE_CHARACTERS, _SAMPLE_ROWS, _LEAST_LINES = 2**20, 1000, 20
_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_delimited(content):
    """Read a table of separated values, all of them as text.

    Parameters
    ----------
    content : bytes
        The file.

    Returns
    -------
    frame : pandas.DataFrame of str
        Missing values are empty texts.
    separator : str or None
        None if there is a single column.
    notes : list of str
        What was guessed about the file.

    Raises
    ------
    ValueError
        If it is not such a table.
    """
    text, notes = _decode(content)
    comments = _leading_comments(text)
    text = text[len(comments) :]
    with _long_fields():
        separator, rows = _find_separator(text)
        if separator == _SPACE:
            notes.append("columns are separated by spaces")
        elif separator not in (None, ","):
            notes.append(f"columns are separated by {SEPARATORS[separator]}")
        n_fields = _usual_width(rows)[0]
        in_comment = _names_in_comment(comments, separator, n_fields)
        names, n_above = split_header(rows, n_fields, notes, in_comment)
        if comments.strip() and names != in_comment:
            notes.append("comments before the table are left out")
        text, n_lines = _without_rows(text, separator, n_above)
    try:
        frame = _parse(text, separator, names)
    except (ValueError, Warning) as error:
        n_lines += comments.count("\n")
        raise ValueError(_reason(error, len(names), n_lines)) from error
    return frame, separator, notes


@contextmanager
def _long_fields():
    """Let the csv module read fields and lines of any length."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _decode(content):
    """Return the text and a list with a note if its encoding is a guess."""
    for bom, encoding in _BOMS.items():
        if content.startswith(bom):
            text = content.decode(encoding).removeprefix("\ufeff")
            return text, [] if encoding == "utf-8" else [f"the encoding is {encoding}"]
    if content[1:200:2].count(0) > 0.8 * len(content[1:200:2]) and any(content[:200:2]):
        return content.decode("utf-16-le"), ["the encoding is utf-16"]
    try:
        return _without_zeros(content.decode("utf-8")), []
    except UnicodeDecodeError:
        pass
    for encoding in ("cp1252", "latin-1"):
        try:
            text = _without_zeros(content.decode(encoding))
        except UnicodeDecodeError:
            continue
        note = (
            f"the encoding is not UTF-8 and was taken as {encoding}: if letters are"
            " wrong, save the file as UTF-8"
        )
        return text, [note]


def _without_zeros(text):
    if "\0" in text:
        raise ValueError("it is not a text file: save it as CSV or Parquet")
    return text


def _leading_comments(text):
    """Return the comments and empty lines at the beginning of a text."""
    end = 0
    for line in io.StringIO(text, newline=""):
        if line.strip() and not _COMMENT.match(line):
            break
        end += len(line)
    return text[:end]


def _find_separator(text):
    """Return the separator, None if there is one column, and the first rows."""
    sample = _sample(text)
    is_cut = len(sample) < len(text)
    found = []
    for separator in SEPARATORS:
        rows = _rows(sample, separator, is_cut)
        width, share = _usual_width(rows)
        if width > 1 and share >= 0.5:
            found.append((share, width, separator, rows))
    best = max(found, key=lambda each: each[:2], default=(0, 1, None, None))
    if best[2] in (None, "\t"):
        # Tables that are aligned by spaces may have tabs, too.
        rows = _rows(sample, _SPACE, is_cut)
        width, share = _usual_width(rows)
        if width > best[1] and share == 1 and any(map(is_number, rows[-1])):
            return _SPACE, rows
    return best[2:] if found else (None, _rows(sample, ",", is_cut))


def _sample(text):
    """Return the first lines of a text, enough to see how it is written."""
    n_characters = 0
    for n_lines, line in enumerate(io.StringIO(text, newline="")):
        if n_characters > _SAMPLE_CHARACTERS and n_lines >= _LEAST_LINES:
            break
        n_characters += len(line)
    return text[:n_characters]


def _lines(text, separator):
    return csv.reader(text, delimiter=separator or ",", skipinitialspace=True)


def _rows(sample, separator, is_cut):
    """Split a sample into rows of fields, without empty lines and a cut last one."""
    if separator == _SPACE:
        sample = re.sub(r"[ \t]+(?=\r?$)|^[ \t]+", "", sample, flags=re.MULTILINE)
        sample = sample.replace("\t", _SPACE)
    lines = _lines(io.StringIO(sample, newline=""), separator)
    rows = list(islice(lines, _SAMPLE_ROWS + 1))
    return [row for row in (rows[:-1] if is_cut else rows) if row]


def _usual_width(rows):
    """Return the most frequent number of fields, and the share of rows that have it."""
    widths = Counter(map(len, rows))
    if not widths:
        return 0, 0.0
    width, n_rows = max(widths.items(), key=lambda item: (item[1], item[0]))
    # R gives the row names no name.
    return width, (n_rows + (len(rows[0]) == width - 1)) / len(rows)


def _names_in_comment(comments, separator, n_fields):
    """Return the names in the last comment, without its mark unless it is a name."""
    line = comments.rstrip().rpartition("\n")[2]
    text = _COMMENT.sub("", line, count=1)
    has_name = separator not in (None, _SPACE) and text.startswith(separator)
    for names in [line] if has_name else [text, line]:
        rows = _rows(names, separator, False)
        if rows and len(rows[0]) == n_fields:
            return rows[0]
    return []


def _parse(text, separator, names):
    """Return the rows of a text, all fields as text."""
    import pandas as pd

    beyond = object()  # the name of a column for fields that are too many
    with warnings.catch_warnings():
        # pandas warns that it leaves out fields of lines that are longer yet.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            io.StringIO(text, newline=""),
            sep=r"\s+" if separator == _SPACE else separator or ",",
            header=None,
            names=[*names, beyond],
            dtype=str,
            na_filter=False,
            index_col=False,
            skipinitialspace=True,
        )
    if (frame[beyond].str.strip() != "").any():
        raise ValueError
    frame = frame.drop(columns=beyond)
    is_empty = (frame == "").all(axis=1)
    return frame[~is_empty].reset_index(drop=True)


def _without_rows(text, separator, n_rows):
    """Return the text below the first rows, and how many lines they take."""
    rest = io.StringIO(text, newline="")
    lines = _lines(rest, separator)
    while n_rows:
        n_rows -= bool(next(lines))
    return rest.read(), lines.line_num


def _reason(error, n_fields, n_lines_before):
    """Explain an error of pandas's parser."""
    row = re.search(r"EOF inside string starting at row (\d+)", str(error))
    if row:
        line = int(row[1]) + n_lines_before + 1
        return f"the double quotes that begin near line {line} do not end"
    line = re.search(r"Expected \d+ fields in line (\d+)", str(error))
    where = f"line {int(line[1]) + n_lines_before}" if line else "a line"
    if line or not str(error) or isinstance(error, Warning):
        return (
            f"{where} has more than the {n_fields} fields of the first lines: put texts"
            " that contain the separator into double quotes"
        )
    return str(error).strip().partition("\n")[0]
