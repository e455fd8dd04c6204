"""Positions of dots that would cover each other."""

import numpy as np
import pytest

from skreg.plotting.spread import spread


@pytest.mark.parametrize("n", [2, 5, 10, 100])
@pytest.mark.parametrize("first", [0, 1])
def test_numbers_are_far_apart(n, first):
    """By the three-gap theorem, no gap is below the golden ratio squared over n."""
    found = spread(n, first)
    assert found.shape == (n,)
    assert 0 <= found.min() and found.max() < 1
    assert np.diff(np.sort(found)).min() > (3 - 5**0.5) / 2 / n


def test_numbers_begin_anywhere():
    assert spread(1)[0] == 0
    np.testing.assert_allclose(spread(3, first=2), spread(5)[2:], atol=1e-12)
