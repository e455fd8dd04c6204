"""What the networks of one stack have in common: their layers and their tensors."""

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

# The tensors of a batch normalisation.
BATCHNORM = ("gamma", "beta", "running_mean", "running_var")
# Of an input under the periodic embedding, as in RealMLP.
N_FREQUENCIES = 16


@dataclass(frozen=True)
class ConvolutionShape:
    """The sizes of a convolution and of the pooling that follows.

    Images are padded with zeros so that a convolution keeps their size.

    Parameters
    ----------
    height, width : int
        Pixels of the input.
    n_in, n_out : int
        Channels of the input, and of the output: the filters.
    kernel, pool : tuple of int
        Height and width of the filters, and of the windows of which the largest value
        is kept.
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
        """How many weights lead from an input channel to an output channel."""
        return self.kernel[0] * self.kernel[1]

    @property
    def fans(self):
        """How many weights lead to a unit, and away from an input."""
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
        """Numbers before pooling."""
        return self.height * self.width * self.n_out

    @property
    def n_outputs(self):
        """Numbers after pooling."""
        return self.pooled[0] * self.pooled[1] * self.n_out


@dataclass(frozen=True)
class Architecture:
    """What the networks of one stack have in common.

    Parameters
    ----------
    layer_sizes : tuple of int
        Number of inputs of the first dense layer, of units in each hidden layer, and of
        outputs. Embedded inputs count as often as `embedding_sizes` says.
    activation : str
        A key of `ACTIVATIONS`.
    batchnorm : {None, "before", "after"}
        Where batch normalisation stands with respect to the activation.
    skip : {None, "linear", "residual"}
        "linear" connects the inputs with the outputs, "residual" adds a hidden layer's
        input to its output where both have as many units.
    embedding : {None, "piecewise_linear", "periodic"}
        What becomes of the inputs first.
    embedding_sizes : tuple of int
        How many numbers become of each input, () without an embedding.
    convolutions : tuple of ConvolutionShape
        The hidden layers before the dense ones.
    n_members : int
        How many networks share the weights of the hidden layers.
    """

    layer_sizes: tuple
    activation: str = "relu"
    batchnorm: str | None = None
    skip: str | None = None
    embedding: str | None = None
    embedding_sizes: tuple = ()
    convolutions: tuple = ()
    n_members: int = 1

    @property
    def n_hidden(self):
        """Number of hidden layers, convolutions included."""
        return len(self.convolutions) + len(self.layer_sizes) - 2

    @property
    def n_weights(self):
        """Number of tensors that penalties act on: the first ones of a state."""
        return self.n_hidden + 1 + (self.skip == "linear")

    @property
    def n_inputs(self):
        if self.convolutions:
            return self.convolutions[0].n_inputs
        return len(self.embedding_sizes) if self.embedding else self.layer_sizes[0]

    @property
    def hidden_widths(self):
        """Units, or channels, of each hidden layer: what dropout drops."""
        channels = tuple(shape.n_out for shape in self.convolutions)
        return channels + self.layer_sizes[1:-1]

    @property
    def fans(self):
        """Of each layer, how many weights lead to a unit, and away from an input."""
        convolutions = [shape.fans for shape in self.convolutions]
        return convolutions + list(pairwise(self.layer_sizes))

    @property
    def group_rows(self):
        """How many neighbouring rows of the first weights belong to one input."""
        if self.convolutions:
            return self.convolutions[0].n_taps
        return self.embedding_size

    @property
    def embedding_size(self):
        """The most numbers that become of an input."""
        return max(self.embedding_sizes, default=1)

    def embedding_columns(self):
        """Return which of `embedding_size` numbers of each input there are.

        Returns
        -------
        ndarray of bool of shape (n_inputs, embedding_size)
        """
        sizes = np.array(self.embedding_sizes or [1] * self.n_inputs)
        return np.arange(self.embedding_size) < sizes[:, None]

    @property
    def input_width(self):
        """How many numbers a row's inputs are on their way to the first layer."""
        if self.embedding == "periodic":  # angles and their cosines
            return self.layer_sizes[0] + 2 * N_FREQUENCIES * self.n_inputs
        return self.n_inputs if self.convolutions else self.layer_sizes[0]

    @property
    def widest(self):
        """The most numbers that a row is anywhere in the network."""
        images = (shape.n_units for shape in self.convolutions)
        return max(self.input_width, *self.layer_sizes, *images)

    @property
    def largest_product(self):
        """The most multiplications for a row in any layer."""
        products = [shape.n_units * shape.fans[0] for shape in self.convolutions]
        products += [n_in * n_out for n_in, n_out in pairwise(self.layer_sizes)]
        if self.skip == "linear":
            products.append(self.n_inputs * self.layer_sizes[-1])
        return max(products)

    @property
    def is_linear(self):
        """Whether outputs are linear in all that is trained."""
        return self.n_hidden == 0 and self.embedding != "periodic"

    @property
    def is_pooled(self):
        """Whether any outputs are those of the largest of several units."""
        return any(shape.is_pooled for shape in self.convolutions)

    @property
    def residual_layers(self):
        """Positions of the hidden layers that have a residual connection."""
        if self.skip != "residual":
            return ()
        keeps = [s.n_in == s.n_out and not s.is_pooled for s in self.convolutions]
        keeps += [n_in == n_out for n_in, n_out in pairwise(self.layer_sizes[:-1])]
        return tuple(i for i, keeps_size in enumerate(keeps) if keeps_size)

    @property
    def n_paths(self):
        """Number of the parts that stochastic depth can drop."""
        return 1 if self.skip == "linear" else len(self.residual_layers)


@dataclass(frozen=True, eq=False)
class Start:
    """Where a network starts; its random numbers decide the rest.

    Parameters
    ----------
    init : {"glorot", "scaled"}
        How initial weights are drawn.
    embedding_scale : float
        Standard deviation of the frequencies of a periodic embedding.
    edges : ndarray of shape (n_inputs, embedding_size + 1) or None
        The bins of a piecewise linear embedding.
    """

    init: str = "glorot"
    embedding_scale: float = 0.1
    edges: np.ndarray | None = None


def state_shapes(architecture):
    """Return the shape of each tensor of one network, by name.

    All weights come first, those that penalties act on, then biases, then batch norm,
    then the embedding.
    """
    hidden, n_outputs = architecture.hidden_widths, architecture.layer_sizes[-1]
    widths, n_members = (*hidden, n_outputs), architecture.n_members
    n_in = [fan_in for fan_in, _ in architecture.fans]
    shapes = {f"weight_{i}": pair for i, pair in enumerate(zip(n_in, widths))}
    # Members have outputs of their own, side by side.
    shapes[f"weight_{architecture.n_hidden}"] = n_in[-1], n_members * n_outputs
    if architecture.skip == "linear":
        shapes["weight_skip"] = architecture.n_inputs, n_outputs
    shapes |= {f"bias_{i}": (n_members, width) for i, width in enumerate(widths)}
    if architecture.batchnorm:
        for part in BATCHNORM:
            shapes |= {f"{part}_{i}": (1, width) for i, width in enumerate(hidden)}
    return shapes | shared_shapes(architecture) | _embedding_shapes(architecture)


def shared_shapes(architecture):
    """Return the shapes of the members' own scales, by name; none for one network."""
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


def state_names(architecture):
    """Return the names of a network's tensors, in the order of `state_shapes`."""
    return list(state_shapes(architecture))


# Fields of an architecture that users know by another name.
_PARAMETERS = {
    "layer_sizes": "hidden_layer_sizes, between inputs and outputs,",
    "embedding": "numeric_embedding",
    "embedding_sizes": "embedding_size of each input",
    "convolutions": "channels, kernel_size, pool or image_shape",
    "n_members": "n_estimators (ensemble='shared')",
}


def difference(one, other):
    """Say in which fields two architectures differ, by the names of the parameters.

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
):
    """Return the `Architecture` that the public parameters stand for."""
    norm = {False: None, True: "before"}.get(batchnorm, batchnorm)
    # A network without hidden layers has nowhere to put any of them.
    if not hidden_layer_sizes and not convolutions:
        activation, norm = "identity", None
        skip = "linear" if embedding and skip == "linear" else None
    n_inputs = sum(embedding_sizes) if embedding else n_features
    if convolutions:
        n_inputs = convolutions[-1].n_outputs
    sizes = (n_inputs, *hidden_layer_sizes, n_outputs)
    parts = activation, norm, skip, embedding, embedding_sizes
    return Architecture(sizes, *parts, convolutions, n_members)


def convolution_shapes(image_shape, channels, kernel_sizes, pools):
    """Return the shapes of convolutions, one after another.

    Along an axis of a single pixel there are no neighbours: filters and windows of the
    pooling have length 1 there.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width and channels.
    channels, kernel_sizes, pools : sequence of int
        Of each convolution.

    Returns
    -------
    tuple of ConvolutionShape

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
