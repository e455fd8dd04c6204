"""The structure that all networks of a stack share: their layers and tensors."""

from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise

import numpy as np

from skreg.networks.columns import Columns, places_of

# The tensors of a batch normalisation.
BATCHNORM = ("gamma", "beta", "running_mean", "running_var")
# The number of frequencies per input of a periodic embedding, as in RealMLP.
N_FREQUENCIES = 16


@dataclass(frozen=True)
class ConvolutionShape:
    """The sizes of a convolution and of the maximum pooling that follows it.

    Images are padded with zeros so that a convolution keeps their size.

    Parameters
    ----------
    height, width : int
        Size of the input in pixels.
    n_in, n_out : int
        Number of channels of the input, and of the output (the number of filters).
    kernel : tuple of int, default=(3, 3)
        Height and width of the filters.
    pool : tuple of int, default=(1, 1)
        Height and width of the pooling windows.
    """

    height: int
    width: int
    n_in: int
    n_out: int
    kernel: tuple = (3, 3)
    pool: tuple = (1, 1)

    @property
    def is_pooled(self):
        return self.pool != (1, 1)

    @property
    def n_taps(self):
        """Number of weights from one input channel to one output channel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def fans(self):
        """Number of weights that lead to a unit, and number that leave an input."""
        return self.n_in * self.n_taps, self.n_out * self.n_taps

    @property
    def pooled(self):
        """Height and width of the output."""
        return self.height // self.pool[0], self.width // self.pool[1]

    @property
    def n_inputs(self):
        return self.height * self.width * self.n_in

    @property
    def n_units(self):
        """Number of output values before pooling."""
        return self.height * self.width * self.n_out

    @property
    def n_outputs(self):
        """Number of output values after pooling."""
        return self.pooled[0] * self.pooled[1] * self.n_out


@dataclass(frozen=True)
class Architecture:
    """The structure that all networks of a stack share.

    Parameters
    ----------
    layer_sizes : tuple of int
        Number of inputs of the first dense layer, of units in each dense hidden layer,
        and of outputs. An embedded input counts once for each of its values.
    activation : str, default="relu"
        A key of `ACTIVATIONS`.
    batchnorm : {None, "before", "after"}, default=None
        Whether batch normalisation comes before or after the activation.
    skip : {None, "linear", "residual"}, default=None
        "linear" connects the inputs with the outputs. "residual" adds a hidden layer's
        input to its output where both have the same number of units.
    embedding : {None, "piecewise_linear", "periodic"}, default=None
        Embedding of the inputs.
    embedding_sizes : tuple of int, default=()
        Number of values that each input is embedded in. Empty without an embedding.
    convolutions : tuple of ConvolutionShape, default=()
        The hidden layers that come before the dense ones.
    n_members : int, default=1
        Number of networks that share the weights of the hidden layers.
    has_intercept : bool, default=True
        Whether the last layer has a bias, which is otherwise kept at zero.
    columns : Columns or None, default=None
        The columns that the inputs come from. None is a column for each input.
    """

    layer_sizes: tuple
    activation: str = "relu"
    batchnorm: str | None = None
    skip: str | None = None
    embedding: str | None = None
    embedding_sizes: tuple = ()
    convolutions: tuple = ()
    n_members: int = 1
    has_intercept: bool = True
    columns: Columns | None = None

    @property
    def n_hidden(self):
        """Number of hidden layers, convolutions included."""
        return len(self.convolutions) + len(self.layer_sizes) - 2

    @property
    def n_weights(self):
        """Number of tensors that penalties act on, which come first in a state."""
        return self.n_hidden + 1 + (self.skip == "linear")

    @property
    def n_inputs(self):
        """Number of inputs before any embedding."""
        if self.convolutions:
            return self.convolutions[0].n_inputs
        return len(self.embedding_sizes) if self.embedding else self.layer_sizes[0]

    @property
    def hidden_widths(self):
        """Number of units (or channels) that dropout acts on, by hidden layer."""
        channels = tuple(shape.n_out for shape in self.convolutions)
        return channels + self.layer_sizes[1:-1]

    @property
    def fans(self):
        """Number of weights that lead to a unit and that leave an input, by layer."""
        convolutions = [shape.fans for shape in self.convolutions]
        return convolutions + list(pairwise(self.layer_sizes))

    @property
    def n_columns(self):
        """Number of columns of the data, before they become inputs."""
        return self.n_inputs if self.columns is None else len(self.columns.n_codes)

    @property
    def group_rows(self):
        """Number of neighbouring rows of the first weights that belong to one column.

        Only if it is the same for all columns, which it is not with `columns`.
        """
        if self.convolutions:
            return self.convolutions[0].n_taps
        return self.embedding_size

    def input_columns(self):
        """Return the column of each input, an ndarray of shape (n_inputs,)."""
        if self.columns is None:
            return np.arange(self.n_inputs)
        return places_of(self.columns).columns

    @property
    def embedding_size(self):
        """The largest of the `embedding_sizes`, 1 without an embedding."""
        return max(self.embedding_sizes, default=1)

    def embedding_columns(self):
        """Return a mask of the embedded values that exist.

        An input may have fewer values than `embedding_size`.

        Returns
        -------
        ndarray of bool of shape (n_inputs, embedding_size)
        """
        sizes = np.array(self.embedding_sizes or [1] * self.n_inputs)
        return np.arange(self.embedding_size) < sizes[:, None]

    @property
    def input_width(self):
        """Number of values in memory for the inputs of a row and their embedding."""
        if self.embedding == "periodic":  # angles and their cosines
            return self.layer_sizes[0] + 2 * N_FREQUENCIES * self.n_inputs
        return self.n_inputs if self.convolutions else self.layer_sizes[0]

    @property
    def widest(self):
        """Largest number of values of a row in any layer."""
        images = (shape.n_units for shape in self.convolutions)
        return max(self.input_width, *self.layer_sizes, *images)

    @property
    def largest_product(self):
        """Largest number of multiplications of any layer for a row."""
        products = [shape.n_units * shape.fans[0] for shape in self.convolutions]
        products += [n_in * n_out for n_in, n_out in pairwise(self.layer_sizes)]
        if self.skip == "linear":
            products.append(self.n_inputs * self.layer_sizes[-1])
        return max(products)

    @property
    def is_linear(self):
        """Whether the outputs are linear in all parameters."""
        return self.n_hidden == 0 and self.embedding != "periodic"

    @property
    def is_pooled(self):
        """Whether any layer is followed by maximum pooling."""
        return any(shape.is_pooled for shape in self.convolutions)

    @property
    def residual_layers(self):
        """Positions of the hidden layers that have a residual connection.

        Their inputs and outputs have the same size.
        """
        if self.skip != "residual":
            return ()
        keeps = [s.n_in == s.n_out and not s.is_pooled for s in self.convolutions]
        keeps += [n_in == n_out for n_in, n_out in pairwise(self.layer_sizes[:-1])]
        return tuple(i for i, keeps_size in enumerate(keeps) if keeps_size)

    @property
    def n_paths(self):
        """Number of parts of the network that stochastic depth can drop."""
        return 1 if self.skip == "linear" else len(self.residual_layers)


@dataclass(frozen=True, eq=False)
class Start:
    """Settings of the initial state of a network, apart from its random numbers.

    Parameters
    ----------
    init : {"glorot", "scaled"}, default="glorot"
        Distribution of the initial weights.
    embedding_scale : float, default=0.1
        Standard deviation of the frequencies of a periodic embedding.
    edges : ndarray of shape (n_inputs, embedding_size + 1) or None, default=None
        The edges of the bins of a piecewise linear embedding.
    """

    init: str = "glorot"
    embedding_scale: float = 0.1
    edges: np.ndarray | None = None


def state_shapes(architecture):
    """Return the shape of each tensor of one network, by name.

    The weights, which penalties act on, come first. Biases follow, then the tensors of
    batch normalisation, the scales of members and the embedding.

    Parameters
    ----------
    architecture : Architecture

    Returns
    -------
    dict of {str: tuple of int}
    """
    hidden, n_outputs = architecture.hidden_widths, architecture.layer_sizes[-1]
    widths, n_members = (*hidden, n_outputs), architecture.n_members
    n_in = [fan_in for fan_in, _ in architecture.fans]
    shapes = {f"weight_{i}": pair for i, pair in enumerate(zip(n_in, widths))}
    # Each member has its own outputs, which lie side by side.
    shapes[f"weight_{architecture.n_hidden}"] = n_in[-1], n_members * n_outputs
    if architecture.skip == "linear":
        shapes["weight_skip"] = architecture.n_inputs, n_outputs
    shapes |= {f"bias_{i}": (n_members, width) for i, width in enumerate(widths)}
    if architecture.batchnorm:
        for part in BATCHNORM:
            shapes |= {f"{part}_{i}": (1, width) for i, width in enumerate(hidden)}
    return shapes | shared_shapes(architecture) | _embedding_shapes(architecture)


def is_statistic(name):
    """Return whether a tensor of a network is learned from data without gradients."""
    return name.startswith("running") or name == "embedding_edges"


def parameter_shapes(architecture):
    """Return the shape of each parameter of one network by name, weights first."""
    shapes = state_shapes(architecture)
    return {name: shape for name, shape in shapes.items() if not is_statistic(name)}


def shared_shapes(architecture):
    """Return the shapes of the members' scales by name, empty without members."""
    if architecture.n_members == 1:
        return {}
    sizes = architecture.layer_sizes[:-1]
    own = {f"scale_in_{i}": width for i, width in enumerate(sizes[:-1])}
    own |= {f"scale_out_{i}": width for i, width in enumerate(sizes[1:])}
    return {name: (architecture.n_members, width) for name, width in own.items()}


def _embedding_shapes(architecture):
    n_inputs, size = architecture.n_inputs, architecture.embedding_size
    if architecture.embedding is None:
        return {}
    if architecture.embedding == "piecewise_linear":
        return {"embedding_edges": (n_inputs, size + 1)}
    return {
        "embedding_frequency": (n_inputs, N_FREQUENCIES),
        "embedding_phase": (n_inputs, N_FREQUENCIES),
        "embedding_mixing": (n_inputs * N_FREQUENCIES, size - 1),
        "embedding_shift": (n_inputs, size - 1),
    }


@lru_cache
def state_names(architecture):
    """Return the names of a network's tensors, in the order of `state_shapes`.

    A tuple, which is kept for the next networks of the same architecture.
    """
    return tuple(state_shapes(architecture))


# The names of the estimators' parameters for the fields of an architecture.
_PARAMETERS = {
    "layer_sizes": "hidden_layer_sizes, between inputs and outputs,",
    "embedding": "numeric_embedding",
    "embedding_sizes": "embedding_size of each input",
    "convolutions": "channels, kernel_size, pool or image_shape",
    "n_members": "n_estimators (ensemble='shared')",
    "has_intercept": "fit_intercept",
    "columns": "the levels and the missing numbers of the columns",
}


def difference(one, other):
    """Describe the difference between two architectures.

    Parameters
    ----------
    one, other : Architecture
        The architecture before, and the one now.

    Returns
    -------
    str
        The fields that differ, by the names of the estimators' parameters.

    Examples
    --------
    >>> from skreg.networks.architecture import Architecture, difference
    >>> difference(Architecture((4, 8, 1)), Architecture((4, 8, 1), skip="linear"))
    "skip was None and is 'linear'"
    """
    parts = []
    for field in fields(one):
        before, now = getattr(one, field.name), getattr(other, field.name)
        if before != now:
            name = _PARAMETERS.get(field.name, field.name)
            parts.append(f"{name} was {before!r} and is {now!r}")
    return ", ".join(parts)


def architecture_of(
    n_features,
    hidden_layer_sizes,
    n_outputs,
    activation,
    batchnorm,
    skip=None,
    embedding=None,
    embedding_sizes=(),
    convolutions=(),
    n_members=1,
    has_intercept=True,
    columns=None,
):
    """Return the `Architecture` that estimators' parameters describe.

    Parameters
    ----------
    n_features : int
        Number of inputs before any embedding.
    hidden_layer_sizes : sequence of int
    n_outputs : int
    activation : str
    batchnorm : {False, True, "before", "after"}
    skip, embedding, embedding_sizes, convolutions, n_members, has_intercept, columns
        As in `Architecture`.
    """
    norm = {False: None, True: "before"}.get(batchnorm, batchnorm)
    # Without hidden layers, their activation, normalisation and connections do not
    # apply.
    if not hidden_layer_sizes and not convolutions:
        activation, norm = "identity", None
        skip = "linear" if embedding and skip == "linear" else None
    n_inputs = sum(embedding_sizes) if embedding else n_features
    if convolutions:
        n_inputs = convolutions[-1].n_outputs
    sizes = (n_inputs, *hidden_layer_sizes, n_outputs)
    parts = activation, norm, skip, embedding, embedding_sizes
    return Architecture(sizes, *parts, convolutions, n_members, has_intercept, columns)


def convolution_shapes(image_shape, channels, kernel_sizes, pools):
    """Return the shapes of convolutions, one after another.

    Along an axis with a single pixel there are no neighbours. Filters and pooling
    windows have length 1 there.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width and number of channels.
    channels, kernel_sizes, pools : sequence of int
        One number for each convolution.

    Returns
    -------
    tuple of ConvolutionShape

    Raises
    ------
    ValueError
        If pooling windows are larger than an image.

    Examples
    --------
    >>> from skreg.networks.architecture import convolution_shapes
    >>> one, two = convolution_shapes((8, 8, 1), (4, 6), (3, 3), (2, 2))
    >>> one.pooled, two.pooled, two.n_outputs
    ((4, 4), (2, 2), 24)
    """
    shapes, (height, width, n_in) = [], image_shape
    layers = zip(channels, kernel_sizes, pools)
    for number, (n_out, size, pool) in enumerate(layers, start=1):
        kernel = tuple(1 if length == 1 else size for length in (height, width))
        windows = tuple(1 if length == 1 else pool for length in (height, width))
        if height < windows[0] or width < windows[1]:
            raise ValueError(
                f"Nothing is left after the pooling of convolution {number}: its "
                f"images have {height} x {width} pixels, and pool={pool}. Use smaller "
                "windows, pool=1 there, or fewer channels."
            )
        shapes.append(ConvolutionShape(height, width, n_in, n_out, kernel, windows))
        (height, width), n_in = shapes[-1].pooled, n_out
    return tuple(shapes)
