"""Which inputs of a network the columns of a table become."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np


@dataclass(frozen=True)
class Columns:
    """The inputs that each column of a table becomes.

    A column of numbers is one input, followed by another one that says whether the
    number is missing, if any is missing in training. A category is an input for each
    of its slots, of which at most one is 1 in a row; a category of two slots is one
    input. A slot stands for a level, or for all rare levels together.

    Parameters
    ----------
    n_codes : tuple of int
        For each column the number of codes of its levels, 0 for numbers.
    n_slots : tuple of int
        For each column the number of its slots, 0 for numbers.
    is_marked : tuple of bool
        For each column whether an input says where numbers are missing.

    Examples
    --------
    >>> from skreg.networks.columns import Columns, places_of
    >>> columns = Columns((0, 4, 0), (0, 3, 0), (False, False, True))
    >>> places_of(columns).columns.tolist()
    [0, 1, 1, 1, 2, 2]
    """

    n_codes: tuple
    n_slots: tuple
    is_marked: tuple

    @property
    def sizes(self):
        """The number of inputs of each column."""
        return [
            1 + is_marked if n_slots == 0 else n_slots if n_slots > 2 else 1
            for n_slots, is_marked in zip(self.n_slots, self.is_marked)
        ]

    @property
    def n_inputs(self):
        """The number of inputs of all columns."""
        return sum(self.sizes)


@dataclass(frozen=True, eq=False)
class Places:
    """The positions of the inputs of some `Columns`, as arrays of integers.

    Parameters
    ----------
    columns : ndarray of shape (n_inputs,)
        The column of each input.
    first : ndarray of shape (n_columns,)
        The first input of each column.
    numbers, marked, categories : ndarray
        The columns of numbers, those of them with an input for missing numbers, and
        the categories.
    code_starts : ndarray of shape (n_categories,)
        The number of codes of the categories before each one.
    levels : ndarray
        The inputs of categories.
    category_of_level : ndarray of the same shape
        The position of the category of each of them.
    """

    columns: np.ndarray
    first: np.ndarray
    numbers: np.ndarray
    marked: np.ndarray
    categories: np.ndarray
    code_starts: np.ndarray
    levels: np.ndarray
    category_of_level: np.ndarray


@lru_cache
def places_of(columns):
    """Return the `Places` of some `Columns`, which are computed once."""
    sizes, n_codes = np.array(columns.sizes), np.array(columns.n_codes)
    is_category = n_codes > 0
    of_inputs = np.repeat(np.arange(len(sizes)), sizes)
    own_codes = n_codes[is_category]
    (levels,) = np.nonzero(is_category[of_inputs])
    number_of_category = np.cumsum(is_category) - 1
    return Places(
        columns=of_inputs,
        first=np.cumsum(sizes) - sizes,
        numbers=np.flatnonzero(~is_category),
        marked=np.flatnonzero(columns.is_marked),
        categories=np.flatnonzero(is_category),
        code_starts=np.cumsum(own_codes) - own_codes,
        levels=levels,
        category_of_level=number_of_category[of_inputs[levels]],
    )
