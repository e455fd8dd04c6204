"""The folds of an estimator that tunes itself."""

from numbers import Integral

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from skreg.data.splitting import group_folds
from skreg.estimators.preparation import check_groups
from skreg.model_selection.defaults import default_n_folds


def folds_of(search, X, y, weight, split_params, seed):
    """Return the indices of the training rows and held-out rows of each fold.

    Rows with a weight of zero are left out. So are folds without other held-out rows.

    Parameters
    ----------
    search : BaseNetworkCV
        Only its `cv` is read, and whether it is a classifier.
    X : {ndarray, CSR} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    weight : ndarray of shape (n_samples,) or None
        Checked sample weights.
    split_params : dict
        What the splitter gets besides the rows, such as their groups.
    seed : int
        Seed of the default folds.

    Returns
    -------
    list of list of ndarray

    Raises
    ------
    ValueError
        If no rows remain for training or for scoring.
    """
    if search.cv is None or isinstance(search.cv, Integral):
        folds = _default_folds(search, X, y, weight, split_params.get("groups"), seed)
    else:
        cv = check_cv(search.cv, y, classifier=is_classifier(search))
        # An iterable may contain boolean masks.
        rows = np.arange(X.shape[0])
        folds = [[rows[p] for p in fold] for fold in cv.split(X, y, **split_params)]
    if weight is not None:
        folds = [[part[weight[part] > 0] for part in fold] for fold in folds]
    folds = [fold for fold in folds if len(fold[1])]
    if not folds or not all(len(train) for train, _ in folds):
        raise ValueError(
            f"cv={search.cv!r} leaves no rows with a sample weight above zero for "
            "training or for scoring. Use other folds, or check sample_weight."
        )
    return folds


def _default_folds(search, X, y, weight, groups, seed):
    """Return the folds of shuffled rows, because data are often sorted."""
    given = np.arange(X.shape[0]) if weight is None else np.flatnonzero(weight)
    n_folds, groups = search.cv, check_groups(groups, X)
    if n_folds is None:
        n_folds = default_n_folds(y, is_classifier(search))
    is_stratified = is_classifier(search) and y.ndim == 1
    if groups is None:
        kind = StratifiedKFold if is_stratified else KFold
        splitter = kind(n_folds, shuffle=True, random_state=seed)
    else:
        groups = groups[given]
        n_folds = _n_group_folds(groups, n_folds, is_given=search.cv is not None)
        splitter = group_folds(n_folds, seed, is_stratified)
    parts = splitter.split(given, y[given], groups)
    return [[given[p] for p in fold] for fold in parts]


def _n_group_folds(groups, n_folds, is_given):
    """Return the number of folds that keep groups whole, at most that of the groups."""
    n_groups = len(np.unique(groups))
    if n_groups < (n_folds if is_given else 2):
        raise ValueError(
            f"cv={n_folds} folds that keep groups whole need as many groups, got "
            f"n_groups={n_groups}."
        )
    return min(n_folds, n_groups)
