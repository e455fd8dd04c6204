"""The lines above the rows of a table: titles, names of columns, and units."""

from itertools import pairwise

from skreg.comparison.missing import is_missing
from skreg.comparison.numerals import is_number

_FIRST_YEAR, _LAST_YEAR = 1700, 2200


def split_header(rows, n_fields, notes, other_names=()):
    """Find the names of columns in the first rows of a table.

    Parameters
    ----------
    rows : list of list of str
        The first rows, which may have titles above the names.
    n_fields : int
        Number of columns.
    notes : list of str
        Notes on what was guessed are added.
    other_names : list of str, default=()
        Names that were found elsewhere, for a table without a line of names.

    Returns
    -------
    names : list of str
        Unique names.
    n_above : int
        Number of rows that are no data.

    Raises
    ------
    ValueError
        If there are no rows.
    """
    n_titles = _n_titles(rows, n_fields)
    if n_titles == len(rows):
        raise ValueError("it holds no table, only comments or nothing at all")
    if n_titles:
        notes.append("lines before the table are left out")
    names, rest = rows[n_titles], rows[n_titles + 1 :]
    if 1 < len(names) == n_fields - 1:
        # R leaves out the name of the row names; others end each line by a separator.
        is_trailing = all(not row[-1].strip() for row in rest if len(row) == n_fields)
        names = [*names, ""] if is_trailing else ["", *names]
    if is_data_row(names, rest):
        if not other_names:
            notes.append("the first line holds no names: columns are numbered from 1")
            other_names = [f"column {i + 1}" for i in range(len(names))]
        return unique_names(other_names, notes), n_titles
    if all(is_number(name) for name in names if name.strip()):
        notes.append("the first line holds the names, which are numbers")
    n_above = n_titles + 1
    if rest and len(rest[0]) == len(names) and _continues_names(rest[0], rest[1:]):
        notes.append("the second line is joined to the names")
        units = ["" if is_missing(each, True) else each for each in rest[0]]
        names = [f"{name} {unit}" for name, unit in zip(names, units)]
        n_above += 1
    return unique_names(names, notes), n_above


def _n_titles(rows, n_fields):
    """Return the number of rows before the names, or before the data if none has."""
    filled = [n for n, row in enumerate(rows) if _is_filled(row, n_fields)]
    wide = (n for n, row in enumerate(rows) if len(row) == n_fields)
    n_titles = filled[0] if filled else next(wide, len(rows))
    if not n_titles or not is_data_row(rows[n_titles], rows[n_titles + 1 :]):
        return n_titles
    # The line above the data is that of the names, if only some columns have one.
    above = rows[n_titles - 1]
    has_names = len(above) in (n_fields, n_fields - 1) and len(above) > 1
    return n_titles - 1 if has_names else n_titles


def _is_filled(row, n_fields):
    """Whether more than half of the fields are filled, or all but the first."""
    is_named = len(row) == n_fields > 1 and all(row[1:])
    return n_fields < 2 or is_named or sum(map(bool, row)) > n_fields / 2


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
        repeated below. Years, and whole numbers in equal steps, are names.
    """
    numbers, has_repeats = [], False
    if _has_corner(first, rest):
        return False
    for place, cell in enumerate(map(str.strip, first)):
        below = _below(rest, place)
        if not below:
            continue
        if _are_numbers(below):
            if is_number(cell):
                numbers.append(cell)
            elif cell and not is_missing(cell):
                return False
        elif cell in below:
            has_repeats = True
        elif len(set(below)) <= len(below) / 2:
            return False
    return has_repeats or (bool(numbers) and not _are_names(numbers))


def _has_corner(first, rest):
    """Whether the row begins with the empty corner above the names of rows."""
    return (
        len(first) > 1
        and not first[0].strip()
        and all(map(str.strip, first[1:]))
        and all(row[0].strip() for row in rest if row)
    )


def _continues_names(row, rest):
    """Whether a row holds units or a second part of the names: texts above numbers."""
    n_texts = 0
    for place, cell in enumerate(map(str.strip, row)):
        below = _below(rest, place)
        if below and _are_numbers(below) and not is_missing(cell, True):
            if is_number(cell) or cell in below:
                return False
            n_texts += 1
    return n_texts > 1


def _below(rows, place):
    cells = (row[place].strip() for row in rows if len(row) > place)
    return [cell for cell in cells if not is_missing(cell)]


def _are_numbers(cells):
    return sum(map(is_number, cells)) > 0.9 * len(cells)


def _are_names(numbers):
    """Whether numbers in a first row are years or count in equal steps."""
    if not all(map(str.isdecimal, numbers)):
        return False
    values = list(map(int, numbers))
    steps = {after - before for before, after in pairwise(values)}
    if _FIRST_YEAR <= min(values) and max(values) <= _LAST_YEAR:
        return len(set(values)) == len(values)
    if len(values) < 3:
        # pandas counts columns from 0.
        return values in ([0], [0, 1], [1, 2])
    return len(steps) == 1 and 0 not in steps


def unique_names(names, notes):
    """Return the names without spaces around, and with numbers if they repeat.

    Parameters
    ----------
    names : list of str
        Names of columns, which may be empty.
    notes : list of str
        A note on each name that was repeated is added.
    """
    found = {}  # which is faster than a list
    for place, name in enumerate(names):
        name = unique = " ".join(name.split()) or f"Unnamed: {place}"
        n_before = 0
        while unique in found:
            n_before += 1
            unique = f"{name}.{n_before}"
        if n_before:
            notes.append(f"another column {name!r} is called {unique!r}")
        found[unique] = place
    return list(found)
