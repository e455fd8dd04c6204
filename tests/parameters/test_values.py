"""Values that count as numbers or as off in choices, reports and displays."""

import numpy as np
import pytest

from skreg.parameters.values import is_number, is_off


@pytest.mark.parametrize("value", [None, False, np.False_, 0, 0.0, np.float32(0)])
def test_off(value):
    assert is_off(value) is True


@pytest.mark.parametrize(
    "value", [True, np.True_, 1e-9, -1, "off", "", (), (0,), np.nan]
)
def test_on(value):
    assert is_off(value) is False


@pytest.mark.parametrize("value", [0, 1.5, np.int64(3), np.float32(0.5)])
def test_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize("value", [True, np.True_, "1", None, (1,), 1j])
def test_what_is_no_number(value):
    assert not is_number(value)
