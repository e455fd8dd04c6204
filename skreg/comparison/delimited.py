"""Text files with separators: their encoding, separator and header."""

import codecs
import csv
import io
import re
import warnings
from collections import Counter

from skreg.comparison.missing import is_missing
from skreg.comparison.numerals import is_number

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SPACE = " "
_COMMENT = re.compile(r"\s*(#|%|//)")
# Enough to see how a file is written.
_SAMPLE_CHARACTERS, _SAMPLE_ROWS = 2**20, 1000
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
    skipped = _leading_comments(text)
    sample = text[len(skipped) :][:_SAMPLE_CHARACTERS]
    separator, rows = _find_separator(sample, len(sample) < len(text) - len(skipped))
    if separator == _SPACE:
        notes.append("columns are separated by spaces")
    elif separator not in (None, ","):
        notes.append(f"columns are separated by {SEPARATORS[separator]}")
    n_fields = _usual_width(rows)[0]
    n_before = _n_rows_before(rows, n_fields)
    rows = rows[n_before:]
    if not rows:
        raise ValueError("it holds no table, only comments or nothing at all")
    names, n_named = _header(rows, separator, skipped, n_fields, notes)
    n_skipped = n_before + n_named
    if n_before or (skipped.strip() and n_named):
        notes.append("lines before the table are left out")
    try:
        frame = _parse(text[len(skipped) :], separator, n_skipped, names)
    except (ValueError, Warning) as error:
        raise ValueError(_reason(error, len(names), skipped.count("\n"))) from error
    return frame, separator, notes


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


def _find_separator(sample, is_cut):
    """Return the separator, None if there is one column, and the rows of a sample."""
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


def _rows(sample, separator, is_cut):
    """Split a sample into rows of fields, without empty lines and a cut last one."""
    if separator == _SPACE:
        sample = re.sub(r"[ \t]+(?=\r?$)|^[ \t]+", "", sample, flags=re.MULTILINE)
        sample = sample.replace("\t", _SPACE)
    lines = csv.reader(
        io.StringIO(sample, newline=""), delimiter=separator, skipinitialspace=True
    )
    rows = []
    try:
        for row in lines:
            rows.append(row)
            if len(rows) > _SAMPLE_ROWS:
                break
    except csv.Error as error:
        raise ValueError(f"{error}, near line {lines.line_num}") from error
    return [row for row in (rows[:-1] if is_cut else rows) if row]


def _usual_width(rows):
    """Return the most frequent number of fields, and the share of rows that have it."""
    widths = Counter(map(len, rows))
    if not widths:
        return 0, 0.0
    width, n_rows = max(widths.items(), key=lambda item: (item[1], item[0]))
    return width, n_rows / len(rows)


def _n_rows_before(rows, n_fields):
    """Return the number of rows before the table, such as titles."""
    for n_rows, row in enumerate(rows):
        if n_fields < 2 or sum(map(bool, row)) > n_fields / 2:
            return n_rows
        rest = rows[n_rows + 1 :]
        if len(row) in (n_fields, n_fields - 1) and len(row) > 1:
            # A line with few names, unless others follow.
            if len(rest) < 2 or not all(rest[0]) or is_data_row(rest[0], rest[1:]):
                return n_rows
    return len(rows)


def _header(rows, separator, skipped, n_fields, notes):
    """Return the names of the columns, and how many rows of the table hold them."""
    first, rest = rows[0], rows[1:]
    if len(first) > 1 and len(first) == n_fields - 1:
        # R leaves out the name of the row names; others end each line by a separator.
        is_trailing = all(not row[-1].strip() for row in rest if len(row) == n_fields)
        first = [*first, ""] if is_trailing else ["", *first]
    has_names = not is_data_row(first, rest)
    n_named = int(has_names)
    if not has_names:
        first = [f"column {i + 1}" for i in range(len(first))]
        named = _rows(_last_comment(skipped, separator), separator or ",", False)
        if named and len(named[0]) == n_fields:
            first = named[0]
        else:
            notes.append("the first line holds no names: columns are numbered from 1")
    return unique_names(first, notes), n_named


def _last_comment(comments, separator):
    """Return the last line of comments, without the mark unless it is a name."""
    line = comments.rstrip().rpartition("\n")[2]
    text = _COMMENT.sub("", line, count=1)
    return line if separator and text.startswith(separator) else text


def is_data_row(first, rest):
    """Whether the first row of a table is like the others, and not their names.

    Parameters
    ----------
    first : list of str
    rest : list of list of str

    Returns
    -------
    bool
        True if there are numbers where there are numbers below, and texts that are
        repeated below. Whole numbers that all differ, such as years, are names.
    """
    numbers, has_repeats = [], False
    for place, cell in enumerate(map(str.strip, first)):
        below = [row[place].strip() for row in rest if len(row) > place]
        below = [each for each in below if not is_missing(each)]
        if not below:
            continue
        if sum(map(is_number, below)) > 0.9 * len(below):
            if is_number(cell):
                numbers.append(cell)
            elif cell and not is_missing(cell):
                return False
        elif cell in below:
            has_repeats = True
        elif len(set(below)) <= len(below) / 2:
            return False
    if has_repeats:
        return True
    are_names = len(set(numbers)) == len(numbers) and all(map(str.isdecimal, numbers))
    return bool(numbers) and not are_names


def unique_names(names, notes):
    """Return the names without spaces around, and with numbers if they repeat.

    Parameters
    ----------
    names : list of str
        Names of columns, which may be empty.
    notes : list of str
        A note on each name that was repeated is added.
    """
    found = []
    for place, name in enumerate(names):
        name = unique = " ".join(name.split()) or f"Unnamed: {place}"
        n_before = 0
        while unique in found:
            n_before += 1
            unique = f"{name}.{n_before}"
        if n_before:
            notes.append(f"another column {name!r} is called {unique!r}")
        found.append(unique)
    return found


def _parse(text, separator, n_skipped, names):
    """Return the rows after some that are skipped, all fields as text."""
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
            skiprows=_n_lines(text, separator, n_skipped),
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


def _n_lines(text, separator, n_rows):
    """Return how many lines the first rows take, with empty lines and quoted breaks."""
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator or ",", skipinitialspace=True
    )
    n_read = 0
    while n_read < n_rows:
        n_read += bool(next(lines))
    return lines.line_num


def _reason(error, n_fields, n_lines_before):
    """Explain an error of pandas's parser."""
    line = re.search(r"Expected \d+ fields in line (\d+)", str(error))
    where = f"line {int(line[1]) + n_lines_before}" if line else "a line"
    if line or not str(error):
        return (
            f"{where} has more than the {n_fields} fields of the first lines: put texts"
            " that contain the separator into double quotes"
        )
    return str(error).strip().partition("\n")[0]
