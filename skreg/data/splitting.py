"""The split into training rows and the validation rows that a fit sets aside."""

import math

import numpy as np
from sklearn.model_selection import train_test_split


def split_validation(index, fraction, strata, seed):
    """Split row numbers into a training and a validation part.

    Parameters
    ----------
    index : ndarray of shape (n_rows,)
    fraction : float
        Share of the validation rows. There are at least as many as classes.
    strata : ndarray of shape (n_rows,) or None
        Classes, in the same shares in both parts. None splits without regard to them.
    seed : int

    Returns
    -------
    train, validation : ndarray

    Raises
    ------
    ValueError
        If there are too few rows.
    """
    n_classes = 1 if strata is None else len(np.unique(strata))
    n_validation = max(math.ceil(fraction * len(index)), n_classes)
    try:
        return train_test_split(
            index, test_size=n_validation, stratify=strata, random_state=seed
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True cannot set aside validation_fraction={fraction:g} of "
            f"n_samples={len(index)} rows ({error}). Give more rows, validation rows "
            "of your own by fit(..., X_val=, y_val=), or validation_fraction=None to "
            "watch the training loss."
        ) from None
