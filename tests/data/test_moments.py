"""Means and standard deviations of columns, against extended precision."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from skreg.data import moments
from skreg.data.moments import Moments

EPS = np.finfo(np.float64).eps


def columns(n_rows=60, seed=0):
    return np.random.default_rng(seed).normal(size=(n_rows, 3))


def expected(X, weight=None):
    """Return means and standard deviations in extended precision."""
    X = X.astype(np.longdouble)
    mean = np.average(X, axis=0, weights=weight)
    return mean, np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))


@given(
    power=st.integers(-990, 990),
    offset=st.sampled_from([0.0, 1.0, -3e6, 1e9]),
    weighted=st.booleans(),
    n_rows=st.integers(2, 50),
)
def test_every_magnitude_and_offset(power, offset, weighted, n_rows):
    X = np.ldexp(columns(n_rows, n_rows) + offset, power)
    weight = np.linspace(1, 2, n_rows) if weighted else None
    found = Moments.of(X, np.arange(n_rows), weight)
    mean, deviation = expected(np.ldexp(X, -power), weight)
    largest = np.abs(offset) + 4
    # The sums of `n_rows` numbers, which are rounded to the offset in the data.
    near = {"rtol": 0, "atol": 4 * n_rows * EPS * largest}
    np.testing.assert_allclose(np.ldexp(found.mean, -power), mean.astype(float), **near)
    np.testing.assert_allclose(
        np.ldexp(found.scale, -power), deviation.astype(float), rtol=4 * n_rows * EPS
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_some_rows_of_many_at_a_time(as_sparse, weighted, monkeypatch):
    """As scikit-learn's scaler, of the rows of an index, in parts of a few."""
    X = np.where(columns(200) > 0, columns(200), 0)
    weight = np.linspace(0, 2, 200) if weighted else None
    index = np.random.default_rng(1).permutation(200)[:150]
    monkeypatch.setattr(moments, "ELEMENTS_AT_A_TIME", 21)
    array = sp.csr_array(X) if as_sparse else X
    found = Moments.of(array, index, weight)
    scaler = StandardScaler(with_mean=not as_sparse)
    scaler.fit(array[index], sample_weight=None if weight is None else weight[index])
    mean, scale = found.standardisation(np.float64)
    assert (mean is None) == as_sparse
    if not as_sparse:
        np.testing.assert_allclose(mean, scaler.mean_, atol=1e-15)
    np.testing.assert_allclose(scale, scaler.scale_, rtol=1e-14)
    assert found.n_rows == 150


@pytest.mark.parametrize("constant", [0.0, 0.1, -5e6, 1e-300, 1e300])
@pytest.mark.parametrize("n_rows", [1, 7])
@pytest.mark.parametrize("as_sparse", [False, True])
def test_constant_columns(as_sparse, n_rows, constant):
    X = np.full((n_rows, 2), constant)
    array = sp.csr_array(X) if as_sparse else X
    found = Moments.of(array, np.arange(n_rows), None)
    assert found.is_constant.all()
    np.testing.assert_array_equal(found.scale, 1)
    np.testing.assert_allclose(found.mean, constant, rtol=EPS)


def test_rounding_is_no_scale():
    X = np.array([[0.1 + 0.2], [0.3], [0.3]])
    assert X.std() > 0 and Moments.of(X, np.arange(3), None).is_constant


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8), st.booleans())
def test_parts_are_the_whole(sizes, as_sparse):
    X = columns(sum(sizes))
    array = sp.csr_array(X) if as_sparse else X
    first, *others = np.split(np.arange(len(X)), np.cumsum(sizes)[:-1])
    found = Moments.of(array, first, None)
    for rows in others:
        found = found.updated(array, rows, None)
    whole = Moments.of(array, np.arange(len(X)), None)
    np.testing.assert_allclose(found.mean, whole.mean, atol=1e-14)
    np.testing.assert_allclose(found.deviation, whole.deviation, atol=1e-14)
    assert found.n_rows == whole.n_rows


@pytest.mark.parametrize("weighted", [False, True])
def test_missing_numbers_do_not_count(weighted):
    """In one part or in several; a column without numbers has a mean of 0."""
    rng = np.random.default_rng(0)
    X = rng.normal(1e6, [1, 2, 3, 4], (90, 4))
    X[rng.random((90, 4)) < [0, 0.3, 1, 0.1]] = np.nan
    X[:30, 3] = np.nan
    weight = rng.uniform(0.5, 2, 90) if weighted else None
    whole = Moments.of(X, np.arange(90), weight)
    parts = Moments.of(X, np.arange(30), weight)
    parts = parts.updated(X, np.arange(30, 90), weight)
    for found in (whole, parts):
        for column in (0, 1, 3):
            known = ~np.isnan(X[:, column])
            own = None if weight is None else weight[known]
            mean = np.average(X[known, column], weights=own)
            variance = np.average((X[known, column] - mean) ** 2, weights=own)
            assert found.mean[column] == pytest.approx(mean, rel=1e-14)
            assert found.deviation[column] ** 2 == pytest.approx(variance, rel=1e-9)
        assert found.mean[2] == 0 and found.scale[2] == 1
