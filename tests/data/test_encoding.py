"""The encoding of columns, against scikit-learn's encoder and imputer."""

import numpy as np
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from skreg.data.encoding import (
    StackedEncoding,
    columns_of,
    encoded,
    learn_inputs,
)
from skreg.networks.columns import Columns, places_of

# The last code of a category is that of unknown levels, which no training row has.
N_CODES = (0, 5, 3, 0, 0)


@pytest.fixture
def rows():
    """Return numbers, two categories, and two more columns with missing numbers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    X[:, 1] = rng.integers(0, 4, 300)
    X[:, 2] = rng.integers(0, 2, 300)
    X[rng.random((300, 5)) < [0, 0, 0, 0.2, 0.05]] = np.nan
    return X


def learned(X, index, weight=None, n_codes=N_CODES):
    columns = columns_of(X, index, weight, n_codes)
    found = learn_inputs(columns, X, index, weight)
    own = X[index]
    means = [
        np.average(c[~np.isnan(c)], weights=None if weight is None else w[~np.isnan(c)])
        for c, w in zip(own.T, [weight if weight is None else weight[index]] * 5)
    ]
    return found.with_numbers(np.array(means), np.full(5, 2.0))


def test_the_inputs_are_those_of_scikit_learn(rows):
    """Levels, means in place of missing numbers, and indicators."""
    train, test = rows[:200], rows[200:]
    reference = make_column_transformer(
        (OneHotEncoder(drop="if_binary", sparse_output=False), [1, 2]),
        (SimpleImputer(), [0, 3, 4]),
        (MissingIndicator(features="all"), [3, 4]),
    ).fit(train)
    expected = reference.transform(test)
    found = encoded(torch.from_numpy(test), learned(rows, np.arange(200)).encoding)
    # The order of our inputs: 0, the four levels of 1, 2, 3 and its mark, 4 and its.
    # scikit-learn drops the first of two levels, and here the first one is 1.
    expected[:, 4] = 1 - expected[:, 4]
    order = [5, 0, 1, 2, 3, 4, 6, 8, 7, 9]
    np.testing.assert_allclose(found, expected[:, order], rtol=1e-15, atol=1e-15)


def test_the_centres_and_scales(rows):
    """The centres are means, and the variances of a category's inputs sum to 1."""
    weight = np.random.default_rng(1).integers(1, 4, 300).astype(float)
    found = learned(rows, np.arange(300), weight)
    x = encoded(torch.from_numpy(rows), found.encoding).numpy()
    means = np.average(x, axis=0, weights=weight)
    np.testing.assert_allclose(found.centre, means, rtol=1e-12)
    variances = np.average((x - means) ** 2, axis=0, weights=weight)
    of_category = variances[1:5] / found.scale[1:5] ** 2
    assert len(set(found.scale[1:5])) == 1
    np.testing.assert_allclose(of_category.sum(), 1, rtol=1e-12)
    marks = [5, 7, 9]  # the binary category is like them
    np.testing.assert_allclose(found.scale[marks] ** 2, variances[marks], rtol=1e-12)


def test_rare_and_unknown_levels_share_a_slot():
    """Rare are fewer than 1 % of the rows where this is from 3 to 10 rows."""
    codes = np.repeat([0, 1, 2, 3, 4], [480, 10, 5, 4, 1]).astype(float)[:, None]
    for n_rows, own in ((500, 3), (490, 2), (495, 3)):
        index = np.arange(n_rows)
        n_slots = own + (n_rows > 495)
        columns = columns_of(codes, index, None, (6,))
        assert columns.n_slots == (n_slots,)
    found = learn_inputs(Columns((6,), (4,), (False,)), codes, np.arange(500), None)
    rows = encoded(torch.arange(6.0, dtype=torch.float64)[:, None], found.encoding)
    expected = np.eye(4)[[0, 1, 2, 3, 3, 3]]
    np.testing.assert_array_equal(rows, expected)


def test_unknown_levels_say_nothing_where_none_is_rare(rows):
    found = learned(rows, np.arange(300))
    row = rows[:1].copy()
    row[0, 1:3] = 4, 2
    x = encoded(torch.from_numpy(row), found.encoding)[0]
    np.testing.assert_array_equal(x[1:6], found.centre[1:6])


def test_a_fold_without_missing_numbers_says_nothing_of_them(rows):
    """Its mark stays 0 also where a held-out number is missing."""
    columns = columns_of(rows, np.arange(300), None, N_CODES)
    complete = np.flatnonzero(~np.isnan(rows).any(axis=1))
    found = learn_inputs(columns, rows, complete, None)
    x = encoded(torch.from_numpy(rows), found.encoding)
    assert not x[:, places_of(columns).first[[3, 4]] + 1].any()


def test_a_weight_of_two_is_a_row_given_twice(rows):
    """But for which levels are rare, of which there are none here."""
    weight = np.where(np.arange(300) % 3 == 0, 2.0, 1.0)
    twice = np.repeat(np.arange(300), weight.astype(int))
    columns = columns_of(rows, np.arange(300), weight, N_CODES)
    one = learn_inputs(columns, rows, np.arange(300), weight)
    other = learn_inputs(columns, rows[twice], np.arange(len(twice)), None)
    np.testing.assert_allclose(one.centre, other.centre, rtol=1e-13)
    np.testing.assert_allclose(one.scale, other.scale, rtol=1e-13)
    np.testing.assert_array_equal(one.encoding.slots, other.encoding.slots)


def test_stacked_encodings_are_those_of_each_model(rows):
    columns = columns_of(rows, np.arange(300), None, N_CODES)
    parts = [np.arange(150), np.arange(150, 300)]
    each = [learn_inputs(columns, rows, part, None).encoding for part in parts]
    x = torch.from_numpy(rows).expand(2, -1, -1)
    found = StackedEncoding.of(each, "cpu").apply(x)
    for model, encoding in enumerate(each):
        torch.testing.assert_close(
            found[model], encoded(x[0], encoding), rtol=0, atol=0
        )
    (last,) = StackedEncoding.of(each, "cpu").select(torch.tensor([1])).apply(x[:1])
    torch.testing.assert_close(last, found[1], rtol=0, atol=0)


def test_rows_of_numbers_have_no_columns():
    X = np.ones((4, 2))
    assert columns_of(X, np.arange(4), None, (0, 0)) is None
    X[3, 0] = np.nan
    assert columns_of(X, np.arange(3), None, (0, 0)) is None
    assert columns_of(X, np.arange(4), None, (0, 0)).is_marked == (True, False)
