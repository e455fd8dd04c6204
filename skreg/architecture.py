"""What the networks of one stack have in common: their layers and their tensors."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# The tensors of a batch normalisation.
BATCHNORM = ("gamma", "beta", "running_mean", "running_var")
# Of an input under the periodic embedding, as in RealMLP.
N_FREQUENCIES = 16


@dataclass(frozen=True)
class Architecture:
    """What the networks of one stack have in common.

    Parameters
    ----------
    layer_sizes : tuple of int
        Number of inputs, of units in each hidden layer, and of outputs. Embedded inputs
        count as often as `embedding_sizes` says.
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
    n_members : int
        How many networks share the weights of the hidden layers.
    """

    layer_sizes: tuple
    activation: str = "relu"
    batchnorm: str | None = None
    skip: str | None = None
    embedding: str | None = None
    embedding_sizes: tuple = ()
    n_members: int = 1

    @property
    def n_hidden(self):
        return len(self.layer_sizes) - 2

    @property
    def n_inputs(self):
        return len(self.embedding_sizes) if self.embedding else self.layer_sizes[0]

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
        return self.layer_sizes[0]

    @property
    def is_linear(self):
        """Whether outputs are linear in all that is trained."""
        return self.n_hidden == 0 and self.embedding != "periodic"

    @property
    def residual_layers(self):
        """Positions of the hidden layers that have a residual connection."""
        if self.skip != "residual":
            return ()
        pairs = enumerate(pairwise(self.layer_sizes[:-1]))
        return tuple(i for i, (n_in, n_out) in pairs if n_in == n_out)

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
    sizes, n_members = architecture.layer_sizes, architecture.n_members
    shapes = {f"weight_{i}": pair for i, pair in enumerate(pairwise(sizes))}
    # Members have outputs of their own, side by side.
    shapes[f"weight_{architecture.n_hidden}"] = sizes[-2], n_members * sizes[-1]
    if architecture.skip == "linear":
        shapes["weight_skip"] = architecture.n_inputs, sizes[-1]
    shapes |= {f"bias_{i}": (n_members, width) for i, width in enumerate(sizes[1:])}
    if architecture.batchnorm:
        for part in BATCHNORM:
            widths = enumerate(sizes[1:-1])
            shapes |= {f"{part}_{i}": (1, width) for i, width in widths}
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
