"""Validation of inputs as scikit-learn does it, and one way to write sparse ones."""

import math

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_X_y, validate_data

from skreg.estimators.table_columns import check_numbers, columns_of_table

# What scikit-learn checks of numbers, of which some may be missing.
NUMBERS = {
    "accept_sparse": "csr",
    "dtype": (np.float64, np.float32),
    "order": "C",
    "ensure_all_finite": "allow-nan",
}


def validated(estimator, X, *, inputs=None, table=None, reset=False, **targets):
    """Validate inputs, and targets if they are given, as scikit-learn does.

    Parameters
    ----------
    estimator : BaseEstimator
        Its `n_features_in_` and `feature_names_in_` are set or compared.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    inputs : Table or Images
        With the categories of the columns, which become codes.
    table : TableColumns or None
        The columns of `X` that `inputs` reads.
    reset : bool, default=False
        Whether the attributes are set.
    **targets
        `y` and the options of scikit-learn's `validate_data` for it.

    Returns
    -------
    X : {ndarray, CSR} of shape (n_samples, n_features)
        In single or double precision. Missing numbers are nan.
    y : ndarray
        If it was given.
    """
    has_categories = inputs is not None and inputs.categories is not None
    if has_categories and table is not None:
        if table.names is None:
            X = np.asarray(X, dtype=object)  # lists have no shape
        validate_data(estimator, X, skip_check_array=True, reset=reset)
        X = inputs.coded(table)
        options = NUMBERS | {"estimator": estimator}
        return check_X_y(X, **targets, **options) if targets else X
    is_plain = (
        not has_categories
        and _is_plain(X)
        and (not targets or _is_plain_target(targets["y"], X))
    )
    if is_plain and (reset or _has_known_columns(estimator, X)):
        if reset:
            _note_columns(estimator, X)
        return (X, targets["y"]) if targets else X
    is_sparse = sp.issparse(X)
    options = NUMBERS | ({"ensure_all_finite": True} if is_sparse else {})
    X = canonical(X) if is_sparse else X
    try:
        found = validate_data(estimator, X, reset=reset, **options, **targets)
    except ValueError as error:
        if "could not convert string" in str(error):
            _name_words(X, error)
        raise
    if has_categories:
        raise ValueError(
            "X must be a DataFrame whose columns have different names, because some "
            "are categories."
        )
    return found


def _name_words(X, error):
    """Raise an error that names the column of words where there should be numbers."""
    table = columns_of_table(X)
    for column in range(0 if table is None else table.n_columns):
        try:
            check_numbers(table, column)
        except ValueError as named:
            raise named from error


class ReadRows(np.ndarray):
    """Rows that were validated, with the codes of levels, which are predicted as such.

    Scorers get them inside a fit, where the table of the user was read once.
    """


def as_read(X):
    """Return validated rows as `ReadRows`; sparse ones are returned unchanged."""
    return X if sp.issparse(X) else np.ascontiguousarray(X).view(ReadRows)


def read(estimator, X, inputs):
    """Validate rows to predict, with the categories of the training rows as codes.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted one.
    X : object
    inputs : Table or Images
    """
    table = None if inputs.categories is None else inputs.table_of(X)
    return validated(estimator, X, inputs=inputs, table=table)


def is_valid(estimator, X):
    """Return whether `validated` would return `X` unchanged.

    scikit-learn's checks take three times as long as predicting a row.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted one.
    X : object
    """
    return _is_plain(X) and _has_known_columns(estimator, X)


def _is_plain(X):
    """Return whether scikit-learn would return inputs as they are.

    Its checks take as long as the training steps of a small network.
    """
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float64, np.float32)
        and X.ndim == 2
        and X.size > 0
        and X.flags.c_contiguous
        and has_finite_sum(X)
    )


def _is_plain_target(y, X):
    """Return whether scikit-learn would return numbers as targets as they are."""
    return (
        type(y) is np.ndarray
        and y.dtype.kind in "biuf"
        and y.ndim in (1, 2)
        and y.size > 0
        and len(y) == len(X)
        and (y.dtype.kind != "f" or has_finite_sum(y))
    )


def has_finite_sum(array):
    """Return whether the sum of all numbers is finite."""
    # The sum of finite numbers may overflow, but no other sum is finite.
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(array.sum())


def _has_known_columns(estimator, X):
    """Return whether an array has as many columns as in training, without names."""
    known = getattr(estimator, "n_features_in_", None)
    return X.shape[1] == known and not hasattr(estimator, "feature_names_in_")


def _note_columns(estimator, X):
    """Set the attributes that scikit-learn sets for an array."""
    estimator.n_features_in_ = X.shape[1]
    if hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def canonical(X):
    """Return a sparse matrix in the one way to write it as CSR.

    Entries of the same place are summed, zeros are left out, and the columns of each
    row are in order. So results do not depend on how the same numbers were written.

    Parameters
    ----------
    X : sparse matrix or sparse array
        It is not changed.

    Returns
    -------
    sparse matrix or sparse array
        `X` itself if it is written so already.
    """
    if X.ndim != 2:
        return X
    rows = X.tocsr()
    has_zeros = np.any(rows.data == 0)
    if rows.has_canonical_format and not has_zeros:
        return rows
    rows = rows.copy()
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return rows
