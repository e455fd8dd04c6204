"""From the columns of a table to the inputs of networks: levels, and missing numbers.

Rows hold numbers, nan where one is missing, and the levels of categories as codes
0, 1, ... An encoding is learned from training rows and applied whenever rows are
gathered, as their scaling is, so that folds share the rows of a table.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from skreg.data.sample_weights import effective_n_rows
from skreg.networks.columns import Columns, places_of

# Levels of fewer rows than a share of RARE share a slot: a level of fewer than
# FEWEST_ROWS always, one of MANY_ROWS never.
RARE, FEWEST_ROWS, MANY_ROWS = 0.01, 3, 10
# The largest number of levels of a column with slots of their own, the most frequent.
MOST_LEVELS = 255
# The slots of codes that set no input of their category to 1, and of unknown levels.
NONE, UNKNOWN = -1, -2


@dataclass(frozen=True, eq=False)
class Encoding:
    """How the columns of a table become the inputs of one network.

    Parameters
    ----------
    columns : Columns
        What all networks of a stack share.
    slots : ndarray of int64 of shape (n_codes,)
        For the codes of all categories, one after another, the input that is 1,
        `NONE`, or `UNKNOWN` for levels that say nothing.
    marks : ndarray of float of shape (n_marked,)
        For each input that says where numbers are missing, what it says there: 1, or
        0 if none was missing in the training rows of this network.
    fill : ndarray of float of shape (n_inputs,)
        What takes the place of missing numbers and of the inputs of unknown levels:
        the centre of the training rows. In the precision of the rows.
    """

    columns: Columns
    slots: np.ndarray
    marks: np.ndarray
    fill: np.ndarray


class StackedEncoding:
    """The encodings of all models of a stack, or one for all.

    Parameters
    ----------
    columns : Columns
    slots : Tensor of int64 of shape (n_models, n_codes)
    marks, fill : Tensor of shape (n_models, 1, n_marked), (n_models, 1, n_inputs)
    """

    def __init__(self, columns, slots, marks, fill):
        self.columns, self.slots, self.marks, self.fill = columns, slots, marks, fill
        places, device = places_of(columns), slots.device

        def index(array):
            return torch.from_numpy(array).to(device)

        self._numbers = index(places.numbers)
        self._number_inputs = index(places.first[places.numbers])
        self._marked = index(places.marked)
        self._mark_inputs = index(places.first[places.marked] + 1)
        self._categories = index(places.categories)
        self._code_starts = index(places.code_starts)
        n_codes = np.array(columns.n_codes)[places.categories]
        self._last_codes = index(n_codes - 1)
        self._levels = index(places.levels)
        self._category_of_level = index(places.category_of_level)

    @classmethod
    def of(cls, encodings, device):
        """Stack encodings of the same columns on a device, None without them."""
        if encodings[0] is None:
            return None

        def stacked(name):
            arrays = np.array([getattr(each, name) for each in encodings])
            return torch.from_numpy(arrays).to(device)

        marks, fill = stacked("marks").unsqueeze(1), stacked("fill").unsqueeze(1)
        return cls(encodings[0].columns, stacked("slots"), marks, fill)

    def select(self, models):
        """Return the encodings of the models in the index `models`."""
        parts = (part[models] for part in (self.slots, self.marks, self.fill))
        return StackedEncoding(self.columns, *parts)

    def apply(self, x):
        """Return the inputs of rows.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_columns)
            Rows of the first `k` models.

        Returns
        -------
        Tensor of shape (k, n_rows, n_inputs)
        """
        k, n_rows, _ = x.shape
        n_inputs = self.columns.n_inputs
        # The last input takes what belongs to none.
        found = x.new_zeros(k, n_rows, n_inputs + 1)
        found.index_copy_(2, self._number_inputs, x.index_select(2, self._numbers))
        if len(self._marked):
            is_missing = torch.isnan(x.index_select(2, self._marked))
            found.index_copy_(2, self._mark_inputs, is_missing * self.marks[:k])
        if len(self._categories):
            slots = self._slots_of(x.index_select(2, self._categories))
            found.scatter_(2, torch.where(slots < 0, n_inputs, slots), 1.0)
            is_unknown = (slots == UNKNOWN).index_select(2, self._category_of_level)
            of_levels = found.index_select(2, self._levels)
            of_levels.masked_fill_(is_unknown, torch.nan)
            found.index_copy_(2, self._levels, of_levels)
        found = found[..., :n_inputs]
        return torch.where(torch.isnan(found), self.fill[:k], found)

    def _slots_of(self, codes):
        """Return the input that each code sets to 1, `NONE` or `UNKNOWN`."""
        k, codes = codes.size(0), codes.long()
        # What functions of the user have changed to no code at all is unknown.
        is_code = (codes >= 0) & (codes <= self._last_codes)
        places = torch.where(is_code, codes, self._last_codes) + self._code_starts
        if self.slots.size(0) > 1:
            own = torch.arange(k, device=codes.device) * self.slots.size(1)
            places += own.view(-1, 1, 1)
        return self.slots.view(-1)[places]


def encoded(x, encoding):
    """Return the inputs of rows, a tensor of shape (n_rows, n_inputs).

    Parameters
    ----------
    x : Tensor of shape (n_rows, n_columns)
    encoding : Encoding
    """
    return StackedEncoding.of([encoding], x.device).apply(x.unsqueeze(0))[0]


def columns_of(X, index, weight, n_codes, merges_rare=True):
    """Return the `Columns` of rows, None if all are numbers and none is missing.

    Parameters
    ----------
    X : ndarray of shape (n, n_columns)
    index : ndarray of shape (n_rows,)
        The rows to learn from.
    weight : ndarray of shape (n,) or None
        Weights of all rows.
    n_codes : sequence of int
        The number of codes of each column, 0 for numbers.
    merges_rare : bool, default=True
        Whether rare levels share a slot.
    """
    is_marked = tuple(
        n == 0 and bool(np.isnan(X[index, column]).any())
        for column, n in enumerate(n_codes)
    )
    if not any(n_codes) and not any(is_marked):
        return None
    n_slots = []
    for column, n in enumerate(n_codes):
        if n == 0:
            n_slots.append(0)
            continue
        shares = _shares(X, index, weight, column, n)
        own = _own_slots(shares, _least_share(index, weight, merges_rare))
        n_slots.append(len(own) + bool(np.delete(shares, own).any()) or 1)
    return Columns(tuple(n_codes), tuple(n_slots), is_marked)


def _shares(X, index, weight, column, n_codes):
    """Return the share of each code of a column in the weight of some rows."""
    own = None if weight is None else weight[index]
    counts = np.bincount(X[index, column].astype(np.int64), own, n_codes)
    return counts / counts.sum()


def _least_share(index, weight, merges_rare):
    """Return the smallest share of a level that is not rare.

    The number of rows is the effective one, so that it does not depend on the unit of
    the weights.
    """
    if not merges_rare:
        return 0.0
    own = None if weight is None else weight[index]
    n_rows = effective_n_rows(len(index), own)
    return min(max(RARE * n_rows, FEWEST_ROWS), MANY_ROWS) / n_rows


def _own_slots(shares, least):
    """Return the codes that are not rare, in ascending order."""
    # A count of exactly as many rows is enough, however its share is rounded.
    (own,) = np.nonzero((shares > 0) & (shares >= least * (1 - 1e-9)))
    return _most_frequent(own, shares, MOST_LEVELS)


def _most_frequent(codes, shares, n):
    """Return the `n` codes with the largest shares, in ascending order."""
    if len(codes) <= n:
        return codes
    order = np.argsort(-shares[codes], kind="stable")
    return np.sort(codes[order[:n]])


@dataclass(frozen=True, eq=False)
class LearnedInputs:
    """The encoding of training rows, and the scale of each input.

    Parameters
    ----------
    encoding : Encoding
    scale : ndarray of shape (n_inputs,)
    """

    encoding: Encoding
    scale: np.ndarray

    @property
    def centre(self):
        """The centre of each input, which fills what is missing."""
        return self.encoding.fill

    def with_numbers(self, centre, scale):
        """Return the same with the centre and scale of each column of numbers."""
        places = places_of(self.encoding.columns)
        inputs, columns = places.first[places.numbers], places.numbers
        found = self.centre.copy(), self.scale.copy()
        for own, given in zip(found, (centre, scale)):
            own[inputs] = given[columns]
        return LearnedInputs(replace(self.encoding, fill=found[0]), found[1])


def learn_inputs(columns, X, index, weight, merges_rare=True):
    """Learn the encoding of training rows, but for the centres of numbers.

    The inputs of a category have one scale, with which the sum of their variances is 1,
    as that of a number. So a column counts as one, whatever the number of its levels,
    and a penalty shrinks the weights of rare levels more.

    Parameters
    ----------
    columns : Columns
    X, index, weight, merges_rare
        As in `columns_of`.

    Returns
    -------
    LearnedInputs
        With a centre of 0 and a scale of 1 for numbers.
    """
    places = places_of(columns)
    centre, scale = np.zeros(columns.n_inputs), np.ones(columns.n_inputs)
    shares = np.array([_share_missing(X, index, weight, c) for c in places.marked])
    inputs = places.first[places.marked] + 1
    centre[inputs], scale[inputs] = shares, [_deviation(share) for share in shares]
    least, slots = _least_share(index, weight, merges_rare), [np.zeros(0, np.int64)]
    for column in places.categories:
        shares_of_codes = _shares(X, index, weight, column, columns.n_codes[column])
        own = _slots(shares_of_codes, least, columns.n_slots[column])
        n_inputs, first = columns.sizes[column], places.first[column]
        is_input = (own >= 0) & (own < n_inputs)
        of_inputs = np.bincount(own[is_input], shares_of_codes[is_input], n_inputs)
        centre[first : first + n_inputs] = of_inputs
        scale[first : first + n_inputs] = _deviation(of_inputs)
        others = np.where(own < 0, UNKNOWN, NONE)
        slots.append(np.where(is_input, first + own, others))
    centre, scale, marks = (a.astype(X.dtype) for a in (centre, scale, shares > 0))
    encoding = Encoding(columns, np.concatenate(slots), marks, centre)
    return LearnedInputs(encoding, scale)


def _share_missing(X, index, weight, column):
    """Return the share of the weight of the rows in which a number is missing."""
    is_missing = np.isnan(X[index, column])
    return np.average(is_missing, weights=None if weight is None else weight[index])


def _slots(shares, least, n_slots):
    """Return the slot of each code, -1 for those that say nothing."""
    own = _own_slots(shares, least)
    n_present = np.count_nonzero(shares)
    room = n_slots - (n_present > len(own))
    if len(own) > room:
        own = _most_frequent(own, shares, n_slots - 1)
    slots = np.full(len(shares), len(own) if n_present > len(own) else -1)
    slots[own] = np.arange(len(own))
    return slots


def _deviation(shares):
    """Return the standard deviation of indicators of some shares together, or 1."""
    variance = np.sum(shares * (1 - shares))
    return np.sqrt(variance) if variance > 0 else 1.0
