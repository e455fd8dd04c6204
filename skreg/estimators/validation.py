"""scikit-learn's validation of inputs, and one way to write a sparse matrix."""

import math

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import validate_data


def validated(estimator, X, *, reset=False, **targets):
    """Validate inputs, and targets if they are given, as scikit-learn does.

    Parameters
    ----------
    estimator : BaseEstimator
        Its `n_features_in_` and `feature_names_in_` are set or compared.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    reset : bool, default=False
        Whether the attributes are set.
    **targets
        `y` and the options of scikit-learn's `validate_data` for it.

    Returns
    -------
    X : {ndarray, CSR} of shape (n_samples, n_features)
        In single or double precision.
    y : ndarray
        If it was given.
    """
    is_plain = _is_plain(X) and (not targets or _is_plain_target(targets["y"], X))
    if is_plain and (reset or _has_known_columns(estimator, X)):
        if reset:
            _note_columns(estimator, X)
        return (X, targets["y"]) if targets else X
    try:
        return validate_data(
            estimator,
            canonical(X) if sp.issparse(X) else X,
            accept_sparse="csr",
            dtype=(np.float64, np.float32),
            order="C",
            reset=reset,
            **targets,
        )
    except ValueError as error:
        words = _words(X) if "could not convert string" in str(error) else None
        if words is None:
            raise
        raise ValueError(
            f"X must hold numbers, but column {words[0]!r} has the word {words[1]!r}. "
            f"{type(estimator).__name__} does not encode words. Put an encoder before "
            "it in a pipeline, such as OneHotEncoder, or use "
            f"skrub.tabular_pipeline({type(estimator).__name__}())."
        ) from error


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
        and _has_finite_sum(X)
    )


def _is_plain_target(y, X):
    """Return whether scikit-learn would return numbers as targets as they are."""
    return (
        type(y) is np.ndarray
        and y.dtype.kind in "biuf"
        and y.ndim in (1, 2)
        and y.size > 0
        and len(y) == len(X)
        and (y.dtype.kind != "f" or _has_finite_sum(y))
    )


def _has_finite_sum(array):
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


def _words(X):
    """Return the name of the first column with words, and a word; or None."""
    names = getattr(X, "columns", None)
    if names is None:
        X = np.asarray(X, dtype=object)
        columns = enumerate(X.T if X.ndim == 2 else ())
    else:
        columns = ((name, X[name]) for name in names)
    for name, column in columns:
        for value in column:
            try:
                float(value)
            except (TypeError, ValueError):
                if isinstance(value, str):
                    return name, value
    return None


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
