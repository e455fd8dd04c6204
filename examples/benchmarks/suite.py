"""Public tables for measuring, small and middle-sized.

Columns that identify a row, that reveal the target or that are constant are left out.

Small tables are cut to 2,000 rows, of which 1,500 are for training. Middle ones are cut
to 15,000, so that the largest have 7.5 times as many. More would take too long for the
slowest network, TabM, which needs 25 seconds of a core for each of dozens of epochs.
"""

import middle_tables
import numpy as np
import pandas as pd
import small_tables

SIZES = {"small": small_tables.TABLES, "middle": middle_tables.TABLES}
TABLES = {name: table for tables in SIZES.values() for name, table in tables.items()}
# The most rows of a table.
ROWS = {"small": 2_000, "middle": 15_000}


def names(size):
    """Return the names of the tables of a size."""
    return list(SIZES[size])


def load(name):
    """Return a table.

    Parameters
    ----------
    name : str
        One of `TABLES`.

    Returns
    -------
    X : DataFrame
        Columns of float64, and of words as categories. NaN is missing in both.
    y : ndarray
        Numbers, or classes as 0, 1, …
    """
    table = TABLES[name]
    frame = table.read().drop(columns=list(table.drop))
    frame = frame[frame[table.target].notna()]
    if table.is_unique:
        frame = frame.drop_duplicates()
    frame = frame.reset_index(drop=True)
    y = frame.pop(table.target)
    if table.is_regression:
        y = y.to_numpy(float)
    else:
        y = np.unique(y.astype(str), return_inverse=True)[1]
    columns = {}
    for column in frame:
        values = frame[column]
        if values.nunique(dropna=False) == 1:
            continue
        if column in table.nominal or not pd.api.types.is_numeric_dtype(values):
            values = values.astype(str).where(values.notna()).astype("category")
        else:
            values = values.astype(float)
        columns[str(column)] = values
    return pd.DataFrame(columns), y
