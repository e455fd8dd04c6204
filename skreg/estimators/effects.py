"""The effects of the columns in a linear model, on the scale of the data."""

import numpy as np

from skreg.data.encoding import UNKNOWN
from skreg.networks.columns import places_of


def level_effects(inputs, encoding, coef):
    """Return the effects of levels, and of missing numbers, on the outputs.

    The effect of a level is the difference of the outputs to those at the mean of the
    category in the training rows; that of a missing number, to those at the mean.

    Parameters
    ----------
    inputs : Table
    encoding : Encoding
    coef : ndarray of shape (n_outputs, n_inputs)
        Coefficients of the inputs before they are scaled.

    Returns
    -------
    dict of {name or int: dict}
        By the name or index of the column, and then by level: an array of shape
        (n_outputs,). The key None stands for missing values.
    """
    columns, found = encoding.columns, {}
    places, code_starts = places_of(columns), iter(places_of(columns).code_starts)
    for column, first in enumerate(places.first):
        name = column if inputs.feature_names is None else inputs.feature_names[column]
        if columns.is_marked[column]:
            found[name] = {None: coef[:, first + 1]}
        if columns.n_codes[column] == 0:
            continue
        levels, start = inputs.categories.levels[column], next(code_starts)
        own = slice(first, first + columns.sizes[column])
        slots = encoding.slots[start : start + columns.n_codes[column] - 1]
        names = [*levels.values.tolist(), *([None] if levels.has_missing else [])]
        centre = coef[:, own] @ encoding.fill[own]
        found[name] = {
            level: _effect(coef, slot, centre) for level, slot in zip(names, slots)
        }
    return found


def _effect(coef, slot, centre):
    """Return the effect of a level, which is nothing if it is unknown."""
    if slot == UNKNOWN:
        return np.zeros(len(coef))
    return (coef[:, slot] if slot >= 0 else 0) - centre
