"""Checks of sample weights, and what their unit changes: nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skreg.data.sample_weights import check_weights

WEIGHTS = arrays(
    np.float64, st.integers(1, 20), elements=st.just(0.0) | st.floats(1e-3, 1e3)
).filter(np.any)


@given(weight=WEIGHTS, power=st.integers(-900, 900))
def test_powers_of_two_are_divided_out(weight, power):
    X = np.zeros((len(weight), 1))
    one, other = check_weights(weight, X), check_weights(np.ldexp(weight, power), X)
    np.testing.assert_array_equal(one, other)
    ratio = weight[weight > 0] / one[weight > 0]
    assert np.all(ratio == ratio[0]) and np.log2(ratio[0]).is_integer()


@given(weight=WEIGHTS)
def test_the_mean_is_close_to_one(weight):
    """As close as a power of two can bring it: within a factor of the root of two."""
    checked = check_weights(weight, np.zeros((len(weight), 1)))
    mean = checked[checked > 0].mean()
    assert 2**-0.5001 < mean < 2**0.5001
    np.testing.assert_array_equal(checked == 0, weight == 0)


def test_ones_stay_ones():
    np.testing.assert_array_equal(check_weights(np.ones(3), np.zeros((3, 1))), 1)
