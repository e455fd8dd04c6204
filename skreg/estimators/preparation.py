"""One way to prepare a fit: check the data, set rows aside, learn the layout."""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import column_or_1d

from skreg.compatibility import is_sliced_by_search
from skreg.data.equal_rows import merged
from skreg.data.random_streams import SPLIT, Streams
from skreg.data.rows import Rows
from skreg.data.sample_weights import check_weights, is_weighted
from skreg.data.splitting import split_validation
from skreg.estimators.class_weights import learn_class_weights
from skreg.estimators.continuation import NEW
from skreg.estimators.full_batch import is_full_batch
from skreg.estimators.inputs import Images, Table
from skreg.estimators.labels import Labels
from skreg.estimators.layout import Layout, continued_layout, learn_layout
from skreg.estimators.numeric_targets import Numbers, check_values
from skreg.estimators.running_scales import begin_running, rescaled
from skreg.estimators.validation import validated
from skreg.networks.columns import Columns
from skreg.parameters.devices import check_device

SLICED = (
    "X_val is only a part of what was given: scikit-learn's searches take everything "
    "with as many rows as X for one value a row, and pass each fold the part at its "
    "rows. Give X_val and y_val another number of rows, for example without the last "
    "one."
)


@dataclass(frozen=True, eq=False)
class CheckedData:
    """Checked inputs and targets, with their kinds.

    Parameters
    ----------
    X : {ndarray, CSR} of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
    inputs : Table or Images
    targets : Labels or Numbers
    columns : Columns or None, default=None
        What inputs the columns become, if all folds of a search share it.
    """

    X: object
    y: np.ndarray
    inputs: Table | Images
    targets: Labels | Numbers
    columns: Columns | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that training needs besides the parameters.

    Parameters
    ----------
    layout : Layout
    device : torch.device
    train : Rows
        With checked, unencoded targets.
    validation : Rows or None
    """

    layout: Layout
    device: torch.device
    train: Rows
    validation: Rows | None


def prepare(
    estimator,
    X,
    y,
    sample_weight=None,
    validation=(),
    *,
    groups=None,
    seed=0,
    earlier=NEW,
):
    """Prepare the fit of an estimator.

    Only the parameters of the estimator are read. The only attributes that are set are
    scikit-learn's `n_features_in_` and `feature_names_in_`.

    Parameters
    ----------
    estimator : BaseNetwork
    X, y, sample_weight
        As the user gave them.
    validation : tuple, default=()
        ``X_val, y_val, sample_weight_val`` or nothing.
    groups : array-like of shape (n_samples,) or None, default=None
        Groups of rows that the validation split keeps together.
    seed : int, default=0
        Seed of the validation split.
    earlier : Continuation, default=NEW
        The fit to continue.

    Returns
    -------
    Prepared
    """
    data = check_data(estimator, X, y, earlier)
    weight = check_weights(sample_weight, data.X)
    weights = learn_weights(estimator, data, weight)
    weight = weights.of_rows(data.X, data.y, weight)
    train, held_out = _given_rows(data.X, data.y, weight), None
    if any(part is not None for part in validation):
        held_out = _given_validation(estimator, data, weights, *validation)
    elif _sets_aside(estimator) and not earlier.is_step:
        groups = check_groups(groups, data.X)
        train, held_out = _split(estimator, data.targets, train, seed, groups)
    if is_full_batch(estimator, len(train.index)):
        # Else copies and the order of the rows would round sums in other ways.
        train = merged(train)
    return prepare_rows(estimator, data, train, held_out, earlier)


def check_data(estimator, X, y, earlier=NEW, owner=None):
    """Check inputs and targets, as scikit-learn does.

    The other parameters are those of `prepare`.

    Parameters
    ----------
    owner : BaseEstimator or None, default=None
        The estimator whose attributes are set, and which messages name. None is
        `estimator`.

    Returns
    -------
    CheckedData
    """
    known, owner = earlier.layout, estimator if owner is None else owner
    if known is None:
        inputs = estimator._make_inputs()
    else:
        inputs = continued_inputs(estimator, known.inputs)
    X, inputs = inputs.rows_of(X)
    table = inputs.table_of(X)
    if known is None:
        inputs = inputs.learned(table)
    given = owner, X, y, inputs, table, estimator._numeric_targets
    X, y = _validated(*given, reset=known is None)
    names = getattr(owner, "feature_names_in_", None)
    inputs = inputs.sized(X.shape[1], names)
    if known is not None:
        y = known.targets.check(y, earlier.classes)
        if not earlier.is_step:
            known.targets.check_complete(y)
        return CheckedData(X, y, inputs, known.targets)
    y, targets = estimator._learn_targets(y, earlier.classes, type(owner).__name__)
    return CheckedData(X, y, inputs, targets)


def continued_inputs(estimator, known):
    """Return the inputs of an estimator for data that are like known ones.

    Parameters
    ----------
    estimator : BaseNetwork
    known : Table or Images
    """
    return estimator._make_inputs().continued(known)


def _validated(owner, X, y, inputs, table, is_numeric, reset):
    targets = {"y": y, "multi_output": True, "y_numeric": is_numeric}
    X, y = validated(owner, X, inputs=inputs, table=table, reset=reset, **targets)
    # Targets of several columns may come sparse.
    return X, y.toarray() if sp.issparse(y) else y


def learn_weights(estimator, data, sample_weight, rows=slice(None)):
    """Learn the weights of the classes from the training rows.

    Parameters
    ----------
    estimator : BaseNetwork
    data : CheckedData
    sample_weight : ndarray of shape (n_samples,) or None
    rows : index, default=slice(None)
        The training rows.

    Returns
    -------
    ClassWeights
    """
    weight = None if sample_weight is None else sample_weight[rows]
    class_weight = getattr(estimator, "class_weight", None)
    return learn_class_weights(class_weight, data.targets, data.y[rows], weight)


def _sets_aside(estimator):
    return estimator.early_stopping and estimator.validation_fraction is not None


def check_groups(groups, X):
    """Check the groups of rows, and return them as an array, or None.

    Parameters
    ----------
    groups : array-like of shape (n_samples,) or None
    X : {ndarray, CSR} of shape (n_samples, n_features)

    Raises
    ------
    ValueError
        If there is not one group for each row.
    """
    if groups is None:
        return None
    groups = column_or_1d(groups)
    if len(groups) != X.shape[0]:
        raise ValueError(
            f"groups must have one value for each of n_samples={X.shape[0]} rows, got "
            f"{len(groups)}."
        )
    return groups


def _split(estimator, targets, rows, seed, groups):
    """Return training and validation rows."""
    strata = targets.strata(rows.y)
    train_index, validation_index = split_validation(
        rows.index,
        estimator.validation_fraction,
        None if strata is None else strata[rows.index],
        int(Streams(seed)[SPLIT].integers(2**31)),
        None if groups is None else groups[rows.index],
    )
    parts = train_index, validation_index
    return [Rows(rows.X, rows.y, rows.weight, index) for index in parts]


def _given_validation(estimator, data, weights, X_val, y_val, sample_weight_val=None):
    """Return the user's validation rows, sparse if the training rows are."""
    if X_val is None or y_val is None:
        parts = {"X_val": X_val, "y_val": y_val, "sample_weight_val": 0}
        given = [name for name, part in parts.items() if part is not None]
        raise ValueError(
            f"X_val and y_val must be given together, got {given[0]} only."
        )
    if is_sliced_by_search("X_val", X_val):
        warnings.warn(SLICED, stacklevel=6)  # the caller of fit, above scikit-learn
    inputs = data.inputs
    X_val, _ = inputs.rows_of(X_val)
    table, is_numeric = inputs.table_of(X_val), estimator._numeric_targets
    given = estimator, X_val, y_val, inputs, table, is_numeric
    X_val, y_val = _validated(*given, reset=False)
    if sp.issparse(data.X) and not sp.issparse(X_val):
        X_val = sp.csr_array(X_val)
    elif sp.issparse(X_val) and not sp.issparse(data.X):
        X_val = X_val.toarray()
    y_val = data.targets.check(y_val)
    weight = check_weights(sample_weight_val, X_val)
    return _given_rows(X_val, y_val, weights.of_rows(X_val, y_val, weight))


def _given_rows(X, y, weight):
    """Return all rows but those of weight zero, which are rows that were not given."""
    index = np.arange(X.shape[0])
    return Rows(X, y, weight, index if weight is None else index[is_weighted(weight)])


def prepare_rows(estimator, data, train, validation, earlier=NEW):
    """Learn the layout from training rows.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    data : CheckedData
    train : Rows
        With checked, unencoded targets.
    validation : Rows or None
    earlier : Continuation, default=NEW
        The fit to continue.

    Returns
    -------
    Prepared
    """
    known = earlier.layout
    loss = estimator._loss_of(data.targets)
    is_whole = known is None and not earlier.is_step
    given = getattr(estimator, "loss", None)
    check_values(train.y, loss, given, is_whole)
    if validation is not None:
        check_values(validation.y, loss, given, is_whole=False)
    if known is None:
        kinds, is_step = (data.inputs, data.targets), earlier.is_step
        layout = learn_layout(estimator, *kinds, loss, train, data.columns, is_step)
    else:
        layout = continued_layout(estimator, known, data.inputs, loss, train)
    if earlier.is_step:
        learn_scales = begin_running if known is None else rescaled
        layout = learn_scales(estimator, layout, train)
    device = check_device(estimator.device, estimator.dtype)
    return Prepared(layout, device, *_filled(layout, train, validation))


def _filled(layout, *parts):
    """Return rows in which missing numbers are filled, unless the encoding does it."""
    if layout.scaling.encoding is not None:
        return parts
    filled = {}  # by the identity of the arrays, which parts may share
    for part in parts:
        if part is not None and id(part.X) not in filled:
            filled[id(part.X)] = layout.filled(part.X)
    return [
        part
        if part is None or filled[id(part.X)] is part.X
        else Rows(filled[id(part.X)], part.y, part.weight, part.index)
        for part in parts
    ]
