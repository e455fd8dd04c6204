"""Splits of rows: those set aside for validation, and folds that keep groups whole."""

import math

import numpy as np
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, train_test_split


def split_validation(index, fraction, strata, seed, groups=None):
    """Split row numbers into a training and a validation part.

    Parameters
    ----------
    index : ndarray of shape (n_rows,)
    fraction : float
        Share of the validation rows. There are at least as many as classes, unless
        groups are given.
    strata : ndarray of shape (n_rows,) or None
        Classes, in the same shares in both parts. The row of a class that has no other
        is a training row. None splits without regard to classes.
    seed : int
    groups : ndarray of shape (n_rows,) or None, default=None
        The rows of a group stay in one part.

    Returns
    -------
    train, validation : ndarray

    Raises
    ------
    ValueError
        If there are too few rows or groups.
    """
    if groups is not None:
        return _split_groups(index, fraction, strata, seed, groups)
    n_classes, alone = 1, index[:0]
    if strata is not None:
        _, own, counts = np.unique(strata, return_inverse=True, return_counts=True)
        has_others = counts[own] > 1
        if has_others.any():
            alone, index = index[~has_others], index[has_others]
            strata = strata[has_others]
        n_classes = len(np.unique(strata))
    n_validation = max(math.ceil(fraction * len(index)), n_classes)
    try:
        train, validation = train_test_split(
            index, test_size=n_validation, stratify=strata, random_state=seed
        )
        return np.concatenate([train, alone]), validation
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True cannot set aside validation_fraction={fraction:g} of "
            f"n_samples={len(index)} rows ({error}). Give more rows, validation rows "
            "of your own by fit(..., X_val=, y_val=), or validation_fraction=None to "
            "watch the training loss."
        ) from None


def _split_groups(index, fraction, strata, seed, groups):
    """Set whole groups aside: one of the folds that have about the given share."""
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            f"early_stopping=True cannot set aside a group for validation, got groups "
            f"with n_groups={n_groups}. Give validation rows of your own by "
            "fit(..., X_val=, y_val=), or no groups."
        )
    n_folds = min(max(round(1 / fraction), 2), n_groups)
    folds = group_folds(n_folds, seed, strata is not None)
    train, validation = next(folds.split(index, strata, groups))
    return index[train], index[validation]


def group_folds(n_splits, seed, is_stratified):
    """Return a splitter into folds that keep groups whole.

    Parameters
    ----------
    n_splits : int
    seed : int
    is_stratified : bool
        Whether the folds have similar shares of the classes.
    """
    kind = StratifiedGroupKFold if is_stratified else GroupKFold
    return kind(n_splits, shuffle=True, random_state=seed)
