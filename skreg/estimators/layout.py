"""What a fit learns from its data besides the weights."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from skreg.augmentation.parameter import batch_changes, n_channels
from skreg.data.encoding import columns_of, learn_inputs
from skreg.data.moments import Moments
from skreg.data.quantiles import has_two_values, robust_scaling
from skreg.data.rows import Rows
from skreg.data.scaling import Scaling
from skreg.estimators.inputs import Images, Table
from skreg.estimators.labels import Labels
from skreg.estimators.members import is_shared
from skreg.estimators.numeric_targets import Numbers
from skreg.estimators.validation import has_finite_sum
from skreg.losses.contract import Loss
from skreg.networks.architecture import Architecture, architecture_of, difference
from skreg.networks.columns import places_of
from skreg.parameters.checks import check_hidden_layer_sizes


@dataclass(frozen=True, eq=False)
class RunningMoments:
    """The moments over the calls of partial_fit, until the scales are settled.

    Parameters
    ----------
    inputs, targets : Moments or None
        None if no scale is learnt from them, or all are settled.
    """

    inputs: Moments | None
    targets: Moments | None


@dataclass(frozen=True, eq=False)
class Layout:
    """Everything about a fitted network but its weights; a continued fit keeps it.

    Parameters
    ----------
    inputs : Table or Images
    targets : Labels or Numbers
    architecture : Architecture
    loss : Loss
    scaling : Scaling
        The centring and scaling of the inputs.
    centre : ndarray of shape (n_features,) or None, default=None
        What takes the place of missing numbers, the centre of each column of the
        training rows; None for sparse data.
    running : RunningMoments or None, default=None
        What later calls of partial_fit still learn the scales from.
    """

    inputs: Table | Images
    targets: Labels | Numbers
    architecture: Architecture
    loss: Loss
    scaling: Scaling
    centre: np.ndarray | None = None
    running: RunningMoments | None = None

    @property
    def attributes(self):
        """Public attributes of an estimator with this layout."""
        scaling = self.scaling
        own = {"feature_offset_": scaling.offset, "feature_scale_": scaling.scale}
        return own | self.inputs.attributes | self.targets.attributes

    def filled(self, X):
        """Return rows in which missing numbers are filled, unless the encoding does it.

        Parameters
        ----------
        X : {ndarray, CSR} of shape (n_samples, n_features)
            It is not changed.
        """
        if self.scaling.encoding is not None or not has_gaps(X):
            return X
        return np.where(np.isnan(X), self.centre, X)

    def encoded(self, rows, dtype):
        """Return rows with encoded targets."""
        # The scaling of targets depends on the loss and the standardising, too.
        what = "encoded", dtype, self.scaling.scale is None, self.loss
        encoded = rows.once(what, lambda: self.targets.encode(rows.y, dtype))
        return Rows(rows.X, encoded, rows.weight, rows.index)


def has_gaps(X):
    """Return whether numbers of checked rows are missing."""
    may_have = not sp.issparse(X) and not has_finite_sum(X)
    return may_have and bool(np.isnan(X).any())


def learn_layout(estimator, inputs, targets, loss, rows, columns=None, is_step=False):
    """Learn the layout of the networks from training rows.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    inputs : Table or Images
    targets : Labels or Numbers
    loss : Loss
    rows : Rows
        With checked, unencoded targets.
    columns : Columns or None, default=None
        What inputs the columns become, if it is known from more rows than these.
    is_step : bool, default=False
        Whether this is a call of partial_fit, in which all levels may still be rare.
    """
    _check_dense(estimator, rows)
    if columns is None:
        columns = table_columns(inputs, rows, merges_rare=not is_step)
    sizes = _embedding_sizes(estimator, rows, columns)
    architecture = _architecture(estimator, inputs, targets, rows, sizes, columns)
    _check_batchnorm(estimator, architecture, rows)
    scaling, centre = learn_scaling(estimator, inputs, rows, columns, not is_step)
    targets = targets.learned_from(
        rows, loss, estimator.standardize, estimator.fit_intercept
    )
    return Layout(inputs, targets, architecture, loss, scaling, centre)


def table_columns(inputs, rows, merges_rare=True):
    """Return what inputs the columns of rows become, None if each is one input.

    Parameters
    ----------
    inputs : Table or Images
    rows : Rows
    merges_rare : bool, default=True
        Whether rare levels share an input.

    Returns
    -------
    Columns or None
    """
    n_codes = (0,) * rows.X.shape[1]
    if inputs.categories is not None:
        n_codes = inputs.categories.n_codes
    elif inputs.image_shape is not None or not has_gaps(rows.X):
        return None
    what = "columns", n_codes, merges_rare
    data = rows.X, rows.index, rows.row_weight
    return rows.once(what, lambda: columns_of(*data, n_codes, merges_rare))


def continued_layout(estimator, known, inputs, loss, rows):
    """Return the known layout, after checking that the parameters still fit it.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    known : Layout
    inputs : Table or Images
    loss : Loss
        The loss that the parameters ask for.
    rows : Rows

    Raises
    ------
    ValueError
        If the parameters ask for other layers or another loss.
    """
    _check_dense(estimator, rows)
    columns = known.architecture.columns
    sizes = _known_embedding_sizes(estimator, known, rows)
    architecture = _architecture(estimator, inputs, known.targets, rows, sizes, columns)
    if architecture != known.architecture:
        raise ValueError(
            f"The layers changed: {difference(known.architecture, architecture)}. "
            "A fit can be continued only with the same. Set warm_start=False."
        )
    if loss != known.loss:
        raise ValueError(
            f"The loss changed from {known.loss} to {loss}; a fit can be continued "
            "only with the same. Set warm_start=False."
        )
    _check_batchnorm(estimator, architecture, rows)
    return known


def dense_only(estimator):
    """Return the parameter, with its value, that needs dense inputs; or None."""
    if estimator.standardize == "robust":
        return "standardize='robust'"
    if estimator.numeric_embedding == "piecewise_linear":
        return "numeric_embedding='piecewise_linear'"
    return None


def _check_dense(estimator, rows):
    parameter = dense_only(estimator)
    if parameter and sp.issparse(rows.X):
        raise ValueError(
            f"{parameter} needs the quantiles of each input, which are not computed "
            "for sparse X. Give X.toarray(), or leave the parameter out."
        )


def _architecture(estimator, inputs, targets, rows, embedding_sizes, columns):
    return architecture_of(
        n_inputs_of(rows.X, columns),
        check_hidden_layer_sizes(estimator.hidden_layer_sizes),
        targets.n_outputs,
        estimator.activation,
        estimator.batchnorm,
        estimator.skip,
        estimator.numeric_embedding,
        embedding_sizes,
        inputs.convolutions,
        estimator.n_estimators if is_shared(estimator) else 1,
        bool(estimator.fit_intercept),
        columns,
    )


def n_inputs_of(X, columns):
    """Return the number of inputs that the columns of rows become."""
    return X.shape[1] if columns is None else columns.n_inputs


def _check_batchnorm(estimator, architecture, rows):
    what = f"batchnorm={estimator.batchnorm!r}"
    if architecture.batchnorm and len(rows.index) < 2:
        raise ValueError(
            f"{what} needs at least two training rows, got n_samples={len(rows.index)}."
        )
    if architecture.batchnorm and estimator.batch_size == 1:
        raise ValueError(
            f"{what} normalises over the rows of a batch and needs a batch_size of "
            "at least 2, got batch_size=1."
        )


def _embedding_sizes(estimator, rows, columns):
    """Return the number of embedding values of each input.

    Bins are useless for an input with two values, which keeps one number. Under
    group_l1 all inputs have the same number, as groups are of one size.
    """
    if estimator.numeric_embedding is None:
        return ()
    sizes = np.full(rows.X.shape[1], estimator.embedding_size)
    has_bins = estimator.numeric_embedding == "piecewise_linear"
    if has_bins and (estimator.group_l1 == 0 or columns is not None):
        has_two = rows.once("two", lambda: has_two_values(rows.X, rows.index))
        sizes[has_two] = 1
    if columns is not None:
        places = places_of(columns)
        rest = 1 if has_bins else estimator.embedding_size
        of_inputs = np.full(columns.n_inputs, rest)
        of_inputs[places.first[places.numbers]] = sizes[places.numbers]
        sizes = of_inputs
    return tuple(sizes.tolist())


def _known_embedding_sizes(estimator, known, rows):
    """Return the embedding sizes of a continued fit, whatever its rows are."""
    columns = known.architecture.columns
    if not (estimator.numeric_embedding and known.architecture.embedding):
        return _embedding_sizes(estimator, rows, columns)
    sizes = np.full(n_inputs_of(rows.X, columns), estimator.embedding_size)
    sizes[np.equal(known.architecture.embedding_sizes, 1)] = 1
    return tuple(sizes.tolist())


def learn_scaling(estimator, inputs, rows, columns, merges_rare=True):
    """Learn the scaling of the inputs, and the centre of the columns.

    Pixels have that of their channel, because images move from pixel to pixel.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    inputs : Table or Images
    rows : Rows
    columns : Columns or None
    merges_rare : bool, default=True
        As in `table_columns`.

    Returns
    -------
    scaling : Scaling
    centre : ndarray of shape (n_features,) or None
    """
    channels = n_channels_of(estimator, inputs, rows.X.shape[1])
    data = rows.X, rows.index, rows.row_weight
    if estimator.standardize == "robust":
        parts = rows.once(("robust", channels), lambda: robust_scaling(*data, channels))
    else:
        parts = centre_and_scale(input_moments(rows), rows.X.dtype, channels)
    learned = None
    if columns is not None:
        what = "inputs", columns, merges_rare
        learned = rows.once(what, lambda: learn_inputs(columns, *data, merges_rare))
    return scaling_of(estimator, parts, learned), parts[0]


def scaling_of(estimator, parts, learned=None):
    """Return the scaling of inputs, given the centre and scale of the columns.

    Without an intercept there is no centring: the centres, times the weights, would be
    an intercept on the scale of the data.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    parts : tuple of (ndarray of shape (n_features,) or None)
        The centre and the scale.
    learned : LearnedInputs or None, default=None
        What inputs the columns become. None is one for each.

    Returns
    -------
    Scaling
    """
    encoding, (centre, scale) = None, parts
    if learned is not None:
        learned = learned.with_numbers(centre, scale)
        encoding, centre, scale = learned.encoding, learned.centre, learned.scale
    if not estimator.standardize:
        return Scaling(encoding=encoding)
    offset = centre if estimator.fit_intercept else None
    return Scaling(offset, scale, estimator.standardize == "robust", encoding)


def input_moments(rows):
    """Return the `Moments` of the inputs of some rows."""
    return rows.once("moments", lambda: Moments.of(rows.X, rows.index, rows.row_weight))


def centre_and_scale(moments, dtype, channels):
    """Return the centre and scale of columns with some `Moments`.

    Parameters
    ----------
    moments : Moments
    dtype : dtype
        The precision of the inputs.
    channels : int or None
        The number of channels of images, whose pixels are scaled alike.
    """
    if channels:
        return moments.channel_standardisation(dtype, channels)
    return moments.standardisation(dtype)


def n_channels_of(estimator, inputs, n_features):
    """Return the number of channels of images, or None for tables.

    Parameters
    ----------
    estimator : BaseNetwork
    inputs : Table or Images
    n_features : int
    """
    if inputs.image_shape is not None:
        return inputs.image_shape[2]
    return n_channels(batch_changes(estimator.augment, n_features))
