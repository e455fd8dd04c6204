"""What a fit learns of its data besides weights, and keeps when it goes on."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from skreg.augmentation.parameter import batch_changes, n_channels
from skreg.data.batches import smooth_clip
from skreg.data.quantiles import has_two_values, robust_scaling
from skreg.data.rows import Rows
from skreg.data.standardisation import channel_standardisation, standardisation
from skreg.estimators.inputs import Images, Table
from skreg.estimators.labels import Labels
from skreg.estimators.members import is_shared
from skreg.estimators.numeric_targets import Numbers
from skreg.networks.architecture import Architecture, architecture_of, difference
from skreg.networks.losses import Loss
from skreg.parameters.checks import check_hidden_layer_sizes


@dataclass(frozen=True, eq=False)
class Layout:
    """What surrounds the weights of a network.

    Parameters
    ----------
    inputs : Table or Images
    targets : Labels or Numbers
    architecture : Architecture
    loss : Loss
    offset, scale : ndarray of shape (n_features,) or None
        What inputs are centred and divided by.
    clips : bool
        Whether inputs are then clipped smoothly.
    """

    inputs: Table | Images
    targets: Labels | Numbers
    architecture: Architecture
    loss: Loss
    offset: np.ndarray | None
    scale: np.ndarray | None
    clips: bool

    @property
    def attributes(self):
        """The public attributes of an estimator that has it."""
        own = {"feature_offset_": self.offset, "feature_scale_": self.scale}
        return own | self.inputs.attributes | self.targets.attributes

    def scaling_tensors(self):
        """Return the offset and the scale of the inputs, each a tensor or None."""
        arrays = (self.offset, self.scale)
        return [None if array is None else torch.tensor(array) for array in arrays]

    def standardised(self, x, offset, scale):
        """Return inputs as the network sees them, in the precision of the data.

        Those that are not standardised are returned as they are.

        Parameters
        ----------
        x : Tensor of shape (..., n_features)
        offset, scale : Tensor or None
            What `scaling_tensors` returned, which is not done for each row.
        """
        if offset is not None:
            x = x - offset
        if scale is not None:
            x = x / scale if offset is None else x.div_(scale)
        return smooth_clip(x) if self.clips else x

    def encoded(self, rows, dtype):
        """Return rows with the targets of the loss."""
        # The scaling of targets depends on the loss and the standardising, too.
        what = "encoded", dtype, self.scale is None, self.loss
        encoded = rows.once(what, lambda: self.targets.encode(rows.y, dtype))
        return Rows(rows.X, encoded, rows.weight, rows.index)


def learn_layout(estimator, inputs, targets, loss, rows):
    """Learn the layout of the networks from training rows.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    inputs : Table or Images
    targets : Labels or Numbers
    loss : Loss
    rows : Rows
        With targets as they are checked, not encoded.
    """
    _check_dense(estimator, rows)
    sizes = _embedding_sizes(estimator, rows)
    architecture = _architecture(estimator, inputs, targets, rows, sizes)
    _check_batchnorm(estimator, architecture, rows)
    offset, scale = _scaling(estimator, inputs, rows)
    targets = targets.learned_from(rows, loss, estimator.standardize)
    clips = estimator.standardize == "robust"
    return Layout(inputs, targets, architecture, loss, offset, scale, clips)


def continued_layout(estimator, known, inputs, loss, rows):
    """Return the layout of a fit that goes on, which is that of the fit before.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    known : Layout
    inputs : Table or Images
    loss : Loss
        That of the parameters.
    rows : Rows

    Raises
    ------
    ValueError
        If the parameters ask for other layers or another loss.
    """
    _check_dense(estimator, rows)
    sizes = _known_embedding_sizes(estimator, known, rows)
    architecture = _architecture(estimator, inputs, known.targets, rows, sizes)
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


def image_changes(estimator, inputs, n_features):
    """Return what changes the rows of training batches, by `augment`."""
    return batch_changes(estimator.augment, n_features, inputs.image_shape)


def dense_only(estimator):
    """Return the parameter that takes no sparse inputs, with its value, or None."""
    if estimator.standardize == "robust":
        return "standardize='robust'"
    if estimator.numeric_embedding == "piecewise_linear":
        return "numeric_embedding='piecewise_linear'"
    return None


def _check_dense(estimator, rows):
    parameter = dense_only(estimator)
    if parameter and sp.issparse(rows.X):
        raise ValueError(
            f"{parameter} looks at the quantiles of each input and takes no sparse X. "
            "Give X.toarray(), or leave the parameter out."
        )


def _architecture(estimator, inputs, targets, rows, embedding_sizes):
    return architecture_of(
        rows.X.shape[1],
        check_hidden_layer_sizes(estimator.hidden_layer_sizes),
        targets.n_outputs,
        estimator.activation,
        estimator.batchnorm,
        estimator.skip,
        estimator.numeric_embedding,
        embedding_sizes,
        inputs.convolutions,
        estimator.n_estimators if is_shared(estimator) else 1,
    )


def _check_batchnorm(estimator, architecture, rows):
    what = f"batchnorm={estimator.batchnorm!r}"
    if architecture.batchnorm and len(rows.index) < 2:
        raise ValueError(
            f"{what} needs two training rows at least, got n_samples={len(rows.index)}."
        )
    if architecture.batchnorm and estimator.batch_size == 1:
        raise ValueError(
            f"{what} normalises over the rows of a batch and needs batch_size=2 at "
            "least, got batch_size=1."
        )


def _embedding_sizes(estimator, rows):
    """Return how many numbers become of each input.

    Bins tell nothing of an input with two values, which stays one number; unless all
    are groups of weights, which are of one size.
    """
    if estimator.numeric_embedding is None:
        return ()
    sizes = np.full(rows.X.shape[1], estimator.embedding_size)
    has_bins = estimator.numeric_embedding == "piecewise_linear"
    if has_bins and estimator.group_l1 == 0:
        has_two = rows.once("two", lambda: has_two_values(rows.X, rows.index))
        sizes[has_two] = 1
    return tuple(sizes.tolist())


def _known_embedding_sizes(estimator, known, rows):
    """Return the same for a fit that goes on, whatever values its rows have."""
    if not (estimator.numeric_embedding and known.architecture.embedding):
        return _embedding_sizes(estimator, rows)
    sizes = np.full(rows.X.shape[1], estimator.embedding_size)
    sizes[np.equal(known.architecture.embedding_sizes, 1)] = 1
    return tuple(sizes.tolist())


def _scaling(estimator, inputs, rows):
    """Return what the inputs are centred and divided by, or None.

    Of images, that of a channel: what moves from pixel to pixel is on one scale.
    """
    if not estimator.standardize:
        return None, None
    channels = _channels(estimator, inputs, rows.X.shape[1])
    data = rows.X, rows.index, rows.weight
    if estimator.standardize == "robust":
        return rows.once(("robust", channels), lambda: robust_scaling(*data, channels))
    with_mean = not sp.issparse(rows.X)
    return rows.once(
        ("standard", channels),
        lambda: (
            channel_standardisation(*data, channels, with_mean)
            if channels
            else standardisation(*data, with_mean)
        ),
    )


def _channels(estimator, inputs, n_features):
    """Return how many channels share one scale among their pixels, or None."""
    if inputs.image_shape is not None:
        return inputs.image_shape[2]
    return n_channels(image_changes(estimator, inputs, n_features))
