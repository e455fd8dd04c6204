"""What the columns of a file hold: numbers, dates or texts."""

import datetime

import numpy as np

from skreg.comparison.content import LARGEST_WHOLE, TOO_LONG, Content, DataError
from skreg.comparison.numerals import is_number
from skreg.comparison.texts import DecimalMark, TextColumn

_FIRST_DATE, _LAST_DATE = 18000101, 22001231


def contents(frame, separator=None, kinds=None):
    """Find out what the columns of a table hold.

    Parameters
    ----------
    frame : pandas.DataFrame
        With columns of any type, texts of numbers and dates among them.
    separator : str or None, default=None
        The separator of the file. Semicolons go with decimal commas.
    kinds : dict of str to str, default=None
        Kinds of columns that the user gives.

    Returns
    -------
    dict of str to Content

    Raises
    ------
    DataError
        If a column holds neither numbers nor dates nor texts, or is not of the kind
        that the user says.
    """
    kinds = kinds or {}
    texts = {
        name: TextColumn(_as_texts(frame[name], name), kinds.get(name))
        for name in frame.columns
        if _is_text(frame[name])
    }
    mark = DecimalMark.of(texts.values(), separator)
    found = {}
    for name in frame.columns:
        if name in texts:
            found[name] = texts[name].content(mark)
        else:
            found[name] = _typed(frame[name])
        if kinds.get(name, "date") == "date":
            found[name] = _with_dates_of_eight_digits(found[name])
        wanted = kinds.get(name, found[name].kind)
        if wanted == "text" and found[name].kind != "text":
            values = frame[name].astype("str").where(frame[name].notna())
            found[name] = Content("text", values)
        elif wanted != found[name].kind:
            raise DataError(
                f"column {name!r} holds no {wanted}s{_example(found[name])}"
            )
    return found


def _with_dates_of_eight_digits(content):
    """Return dates for whole numbers that are all dates, such as 20200131."""
    import pandas as pd

    known = content.values.dropna().unique() if content.is_whole else []
    if len(known) < 2 or min(known) < _FIRST_DATE or max(known) > _LAST_DATE:
        return content
    texts = pd.Series(known).map("{:.0f}".format)
    dates = pd.to_datetime(texts, format="%Y%m%d", errors="coerce")
    if dates.isna().any():
        return content
    values = content.values.map(dict(zip(known, dates)))
    return Content("date", values, notes=("written as %Y%m%d", *content.notes))


def _example(content):
    values = content.values.dropna()
    odd = [each for each in values.unique() if not is_number(str(each))]
    return f", such as {str(odd[0])!r}" if odd else ""


def _typed(column):
    """Return the content of a column that holds no texts."""
    from pandas.api import types

    dtype = column.dtype
    if isinstance(dtype, types.CategoricalDtype):
        values = column.cat.rename_categories(map(str, dtype.categories))
        return Content("text", values.astype(object))
    if types.is_bool_dtype(dtype):
        return Content("boolean", column.astype("boolean"))
    if types.is_complex_dtype(dtype):
        raise DataError(
            f"column {column.name!r} holds complex numbers: split it in two"
        )
    if types.is_numeric_dtype(dtype):
        return _of_numbers(column)
    if isinstance(dtype, types.PeriodDtype):
        column = column.dt.to_timestamp()
    if types.is_datetime64_any_dtype(column):
        if column.dt.tz is not None:
            column = column.dt.tz_convert(None)
        return Content("date", column)
    if types.is_timedelta64_dtype(dtype):
        return Content("number", column.dt.total_seconds(), notes=("in seconds",))
    return _of_objects(column)


def _of_numbers(column):
    numbers = column.to_numpy(dtype=float, na_value=np.nan)
    is_whole = column.dtype.kind in "iu"
    if is_whole and np.nanmax(np.abs(numbers), initial=0) > LARGEST_WHOLE:
        if len(np.unique(numbers[~np.isnan(numbers)])) < column.nunique():
            return Content("text", column.map(str, "ignore"), notes=(TOO_LONG,))
    return Content("number", _like(column, numbers), is_whole)


def _like(column, values):
    """Return values as a column with the same name and rows."""
    return type(column)(values, index=column.index, name=column.name)


def _of_objects(column):
    from pandas.api import types

    kind = types.infer_dtype(column, skipna=True)
    if kind in ("decimal", "integer", "floating", "mixed-integer-float"):
        return Content("number", column.astype(float), kind == "integer")
    if kind == "boolean":
        return Content("boolean", column.astype("boolean"))
    if kind == "empty":
        return Content("number", column.astype(float))
    if kind in ("date", "datetime", "datetime64"):
        import pandas as pd

        values = pd.to_datetime(column, utc=True, errors="coerce")
        if values.isna().sum() > column.isna().sum():
            raise DataError(
                f"column {column.name!r} has dates out of range: remove those rows"
            )
        return Content("date", values.dt.tz_convert(None))
    if kind == "time":
        seconds = column.map(
            lambda t: t.hour * 3600 + t.minute * 60 + t.second + t.microsecond / 1e6,
            "ignore",
        )
        return Content("number", seconds.astype(float), notes=("times, in seconds",))
    raise DataError(
        f"column {column.name!r} holds {_type_name(column)}: spread them over several"
        " columns of numbers or texts, or leave it out"
    )


def _type_name(column):
    name = type(column.dropna().iloc[0]).__name__
    return {"ndarray": "lists", "list": "lists", "dict": "structures"}.get(name, name)


def _is_text(column):
    from pandas.api import types

    if types.is_string_dtype(column.dtype) and column.dtype != object:
        return True
    if column.dtype != object:
        return False
    kind = types.infer_dtype(column, skipna=True)
    if kind in ("mixed", "mixed-integer"):
        scalars = (str, int, float, bool, np.number, datetime.date, datetime.time)
        return all(isinstance(each, scalars) for each in column.dropna())
    return kind == "string"


def _as_texts(column, name):
    """Return texts without spaces around them; missing values are empty."""
    texts = column.astype(object).where(column.notna(), "")
    stripped = [str(each).strip() for each in texts]
    # Of Python's texts, because those of pyarrow take longer to become numbers.
    return type(column)(stripped, index=column.index, name=name, dtype=object)
