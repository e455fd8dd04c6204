"""Equal arrays become one array, and others do not change."""

import numpy as np
import pytest
import scipy.sparse as sp

from skreg.data.rows import Rows
from skreg.data.shared_arrays import SharedArrays


def example(kind):
    array = np.random.default_rng(0).normal(size=(300, 20))
    if kind == "csr":
        return sp.csr_array(np.where(array > 0.8, array, 0))
    if kind == "fortran":
        return np.asfortranarray(array)
    if kind == "integers":
        return (100 * array).astype(np.int64)
    return array.astype("float32" if kind == "float32" else "float64")


KINDS = ["float64", "float32", "integers", "fortran", "csr"]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_arrays_are_one(kind):
    shared, one = SharedArrays(), example(kind)
    assert shared.array(one) is one
    assert shared.array(one.copy()) is one
    assert shared.array(one) is one
    assert shared.array(None) is None


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_that_differ_in_one_element_are_two(kind):
    """Wherever the element is: few of them are looked at before the comparison."""
    one = example(kind)
    size = one.data.size if kind == "csr" else one.size
    for position in np.linspace(0, size - 1, 23).astype(int):
        shared, other = SharedArrays(), one.copy()
        flat = other.data if kind == "csr" else other.reshape(-1, order="A")
        flat[position] += 1
        assert flat.base is not None or kind == "csr"
        assert shared.array(one) is one
        assert shared.array(other) is other


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_rows", [1, 12, 13, 25, 26])
def test_small_arrays(kind, n_rows):
    """Up to twice as many elements as are looked at first."""
    one = example(kind)[:n_rows].copy()
    numbers = one.data if kind == "csr" else one
    for position in np.ndindex(numbers.shape):
        shared, other = SharedArrays(), one.copy()
        (other.data if kind == "csr" else other)[position] += 1
        assert shared.array(one) is one and shared.array(one.copy()) is one
        assert shared.array(other) is other


def test_dtype_and_shape_count():
    one = np.zeros((4, 6))
    others = [np.zeros((6, 4)), np.zeros((4, 6), np.float32), np.zeros(24)]
    shared = SharedArrays()
    assert shared.array(one) is one
    for other in others:
        assert shared.array(other) is other


def test_what_is_remembered_by_identity_stays_alive():
    """Else another array could come to have its id, and be taken for it."""
    shared = SharedArrays()
    for value in range(200):
        array = shared.array(np.full(1000, float(value)))
        assert array[0] == value


def test_rows():
    shared, index = SharedArrays(), np.arange(300)
    one = Rows(example("float64"), np.ones((300, 1)), None, index)
    other = Rows(example("float64"), np.ones((300, 1)), None, index[::2].copy())
    first, second = shared.rows(one), shared.rows(other)
    assert second.X is first.X and second.y is first.y and second.weight is None
    np.testing.assert_array_equal(second.index, index[::2])
