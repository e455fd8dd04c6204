"""Plain arrays are validated as scikit-learn validates everything."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.utils.validation import validate_data

from skreg import MLPRegressor
from skreg.estimators.validation import is_valid, validated

OPTIONS = {
    "accept_sparse": "csr",
    "dtype": (np.float64, np.float32),
    "order": "C",
    "ensure_all_finite": "allow-nan",
}
ROWS = np.arange(12.0).reshape(4, 3) - 5
HUGE = np.full((4, 3), 1e308)
INPUTS = {
    "double": ROWS,
    "single": ROWS.astype(np.float32),
    "half": ROWS.astype(np.float16),
    "swapped": ROWS.astype(">f8"),
    "integers": ROWS.astype(int),
    "booleans": ROWS > 0,
    "strings": ROWS.astype(str),
    "words": np.full((4, 3), "word"),
    "objects": ROWS.astype(object),
    "complex": ROWS.astype(complex),
    "columns first": np.asfortranarray(ROWS),
    "every second": np.repeat(ROWS, 2, axis=1)[:, ::2],
    "read-only": np.broadcast_to(ROWS[:1], (4, 3)),
    "list": ROWS.tolist(),
    "frame": pd.DataFrame(ROWS, columns=list("abc")),
    "sparse": sp.csr_array(ROWS),
    "masked": np.ma.masked_array(ROWS),
    "vector": ROWS[0],
    "cube": ROWS[None],
    "no rows": ROWS[:0],
    "no columns": ROWS[:, :0],
    "nan": np.where(ROWS == 1, np.nan, ROWS),
    "infinite": np.where(ROWS == 1, np.inf, ROWS),
    "both infinities": np.where(ROWS == 1, np.inf, np.where(ROWS == 2, -np.inf, ROWS)),
    "huge": HUGE,
    "huge of both signs": HUGE * [1, -1, 1],
}
TARGETS = {
    "numbers": ROWS[:, 0],
    "single": ROWS[:, 0].astype(np.float32),
    "integers": np.arange(4),
    "booleans": np.arange(4) > 1,
    "matrix": ROWS,
    "column": ROWS[:, :1],
    "strings": np.array(list("abab")),
    "objects": np.array([1, 2, 3, 4], object),
    "list": [1, 2, 3, 4],
    "series": pd.Series([1, 2, 3, 4]),
    "dates": np.arange(4).astype("datetime64[D]"),
    "complex": np.arange(4) + 1j,
    "nan": np.array([0, np.nan, 1, 2]),
    "infinite": np.array([0, np.inf, 1, 2]),
    "huge": np.full(4, 1e308),
    "too few": np.arange(3),
    "none": np.arange(0),
    "number": np.array(1.0),
    "cube": ROWS[:, None],
    "no columns": ROWS[:, :0],
    "nothing": None,
}


def outcome(function, fitted_to, *args, **options):
    """Return the validated arrays, or the error, and the attributes that are set."""
    estimator = MLPRegressor()
    if fitted_to is not None:
        validate_data(estimator, fitted_to, skip_check_array=True)
    try:
        with np.errstate(invalid="ignore", over="ignore"):
            found = function(estimator, *args, **options)
    except (ValueError, TypeError) as error:
        # Ours says more about words.
        found = type(error) if "word" in str(error) else (type(error), str(error))
    names = getattr(estimator, "feature_names_in_", None)
    return found, getattr(estimator, "n_features_in_", None), names


def assert_same(one, other):
    if isinstance(other, tuple):
        assert isinstance(one, tuple)
        for parts in zip(one, other, strict=True):
            assert_same(*parts)
    elif sp.issparse(other):
        assert_same(one.toarray(), other.toarray())
    elif isinstance(other, np.ndarray):
        assert type(one) is type(other) and one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@pytest.mark.filterwarnings("ignore:X (has|does not have) .*feature names")
@pytest.mark.parametrize(
    ("before", "reset"),
    [(None, True), *product(["double", "frame", "no columns"], [True, False])],
)
@pytest.mark.parametrize("name", INPUTS)
def test_inputs(name, before, reset):
    known = None if before is None else INPUTS[before]
    expected = outcome(validate_data, known, INPUTS[name], reset=reset, **OPTIONS)
    assert_same(outcome(validated, known, INPUTS[name], reset=reset), expected)


@pytest.mark.parametrize("y_numeric", [True, False])
@pytest.mark.parametrize("inputs", ["double", "integers", "nan"])
@pytest.mark.parametrize("name", TARGETS)
def test_targets(name, inputs, y_numeric):
    options = {"y": TARGETS[name], "multi_output": True, "y_numeric": y_numeric}
    given = {"reset": True, **options}
    expected = outcome(validate_data, None, INPUTS[inputs], **given, **OPTIONS)
    assert_same(outcome(validated, None, INPUTS[inputs], **given), expected)


def test_arrays_that_are_valid_are_not_copied():
    y, estimator = TARGETS["numbers"], MLPRegressor()
    found = validated(estimator, ROWS, y=y, multi_output=True, reset=True)
    assert found[0] is ROWS and found[1] is y
    assert is_valid(estimator, ROWS) and validated(estimator, ROWS) is ROWS
    assert not is_valid(estimator, ROWS[:, :2].copy())
