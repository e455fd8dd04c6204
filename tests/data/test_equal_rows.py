"""Equal rows merged to one: the same rows for every order and number of copies."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skreg.data.equal_rows import merged
from skreg.data.rows import Rows

CONTAINERS = {
    "dense": np.asarray,
    "float32": lambda X: X.astype(np.float32),
    "csr": sp.csr_array,
    "matrix": sp.csr_matrix,
}
TARGETS = {
    "numbers": lambda codes: np.array([-1.5, 0.0, 2.5])[codes],
    "strings": lambda codes: np.array(["a", "b", "c"])[codes],
    "objects": lambda codes: np.array(["a", "b", "c"], dtype=object)[codes],
    "labels": lambda codes: np.eye(3, dtype=int)[codes],
    "bool": lambda codes: codes > 0,
}


def contents(rows):
    """Return the inputs, targets and weights of rows, in their order."""
    X = rows.X[rows.index]
    weight = None if rows.weight is None else rows.weight[rows.index]
    return X.toarray() if sp.issparse(X) else X, rows.y[rows.index], weight


def assert_same(one, other):
    for a, b in zip(contents(one), contents(other), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_array_equal(a, b)


def draw(n_rows, n_values, seed):
    """Return rows of few values, so that many are equal, and their number of copies."""
    rng = np.random.default_rng(seed)
    X = rng.integers(-n_values, n_values + 1, size=(n_rows, 3)) / 2
    return X, rng.integers(3, size=n_rows), rng.integers(1, 5, n_rows), rng


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("targets", TARGETS)
@given(st.integers(1, 40), st.integers(0, 4), st.integers(0, 1000))
def test_copies_and_order_do_not_count(container, targets, n_rows, n_values, seed):
    X, codes, counts, rng = draw(n_rows, n_values, seed)
    y = TARGETS[targets](codes)
    once = Rows(CONTAINERS[container](X), y, counts.astype(float), np.arange(n_rows))
    order = rng.permutation(np.repeat(np.arange(n_rows), counts))
    copies = Rows(
        CONTAINERS[container](X[order]), y[order], None, np.arange(counts.sum())
    )
    assert_same(merged(once), merged(copies))


@given(st.integers(1, 40), st.integers(0, 4), st.integers(0, 1000))
def test_weights_are_summed(n_rows, n_values, seed):
    X, y, _, rng = draw(n_rows, n_values, seed)
    weight = rng.uniform(0.1, 3, n_rows)
    found = merged(Rows(X, y, weight, np.arange(n_rows)))
    totals = {}
    for row, label, w in zip(X.tolist(), y.tolist(), weight, strict=True):
        totals[(*row, label)] = totals.get((*row, label), 0) + w
    Xf, yf, wf = contents(found)
    keys = [(*row, label) for row, label in zip(Xf.tolist(), yf.tolist(), strict=True)]
    assert len(set(keys)) == len(keys) == len(totals)
    if len(totals) == 1:
        assert wf is None
    else:
        np.testing.assert_allclose(wf, [totals[key] for key in keys], rtol=1e-14)


def test_a_sum_of_equal_weights_is_rounded_once():
    for weight in np.random.default_rng(0).uniform(0, 1, 20):
        X, y = np.array([[0.0]] * 6 + [[1.0]]), np.zeros(7)
        copies = merged(Rows(X, y, np.r_[np.full(6, weight), 1.0], np.arange(7)))
        once = merged(Rows(X, y, np.r_[6 * weight, [0] * 5, 1], np.array([0, 6])))
        assert_same(copies, once)


def test_rows_outside_the_index_are_left_out():
    X, y = np.array([[0.0], [1.0], [0.0], [2.0]]), np.arange(4) * 0.0
    found = merged(Rows(X, y, None, np.array([3, 0])))
    assert sorted(found.index.tolist()) == [0, 3]
    assert found.weight is None


def test_weights_of_labels():
    X, y = np.array([[0.0], [0.0], [1.0]]), np.array([[0, 1], [0, 1], [1, 0]])
    weight = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    _, labels, found = contents(merged(Rows(X, y, weight, np.arange(3))))
    expected = {(0, 1): [4.0, 6.0], (1, 0): [5.0, 6.0]}
    assert found.tolist() == [expected[tuple(row)] for row in labels.tolist()]


def test_rows_that_differ_in_a_single_bit_or_target_stay():
    X = np.array([[1.0, 0.0], [np.nextafter(1, 2), 0.0], [1.0, 0.0], [1.0, -0.0]])
    y = np.array([0, 0, 1, 0])
    found = merged(Rows(X, y, None, np.arange(4)))
    assert len(found.index) == 3
    assert sorted(found.weight[found.index].tolist()) == [1.0, 1.0, 2.0]  # -0.0 is 0.0


def test_many_regular_rows_keep_apart():
    """Round numbers, whose bits are mostly zero, have different hashes."""
    X = np.stack(np.meshgrid(*[np.arange(30.0)] * 3), axis=-1).reshape(-1, 3)
    rows = Rows(X, np.zeros(len(X)), None, np.arange(len(X)))
    order = np.random.default_rng(0).permutation(len(X))
    other = Rows(X[order], np.zeros(len(X)), None, np.arange(len(X)))
    assert len(merged(rows).index) == len(X)
    assert_same(merged(rows), merged(other))


def test_nothing_is_changed():
    X, y, weight, index = np.zeros((3, 1)), np.zeros(3), np.ones(3), np.arange(3)
    for array in (X, y, weight, index):
        array.flags.writeable = False
    assert len(merged(Rows(X, y, weight, index)).index) == 1
