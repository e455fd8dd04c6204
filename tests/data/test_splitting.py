"""Rows set aside for validation."""

import numpy as np
import pytest

from skreg.data.splitting import split_validation


def test_the_only_row_of_a_class_is_a_training_row():
    index = np.arange(100, 131)
    strata = np.array([0] * 20 + [1] * 9 + [2, 3])
    train, validation = split_validation(index, 0.2, strata, 0)
    assert sorted([*train, *validation]) == index.tolist()
    assert {129, 130} <= set(train)
    shares = np.bincount(strata[validation - 100])
    assert shares.tolist() == [4, 2]


def test_classes_of_single_rows_cannot_be_split():
    with pytest.raises(ValueError, match="cannot set aside"):
        split_validation(np.arange(5), 0.2, np.arange(5), 0)
