"""What the networks of one stack have in common: their layers and their tensors."""

from dataclasses import dataclass
from itertools import pairwise

# The tensors of a batch normalisation.
BATCHNORM = ("gamma", "beta", "running_mean", "running_var")


@dataclass(frozen=True)
class Architecture:
    """What the networks of one stack have in common.

    Parameters
    ----------
    layer_sizes : tuple of int
        Number of inputs, of units in each hidden layer, and of outputs.
    activation : str
        A key of `ACTIVATIONS`.
    batchnorm : {None, "before", "after"}
        Where batch normalisation stands with respect to the activation.
    skip : {None, "linear", "residual"}
        "linear" connects the inputs with the outputs, "residual" adds a hidden layer's
        input to its output where both have as many units.
    """

    layer_sizes: tuple
    activation: str = "relu"
    batchnorm: str | None = None
    skip: str | None = None

    @property
    def n_hidden(self):
        return len(self.layer_sizes) - 2

    @property
    def n_inputs(self):
        return self.layer_sizes[0]

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


def state_shapes(architecture):
    """Return the shape of each tensor of one network, by name.

    All weights come first, those that penalties act on, then biases, then batch norm.
    """
    sizes = architecture.layer_sizes
    shapes = {f"weight_{i}": pair for i, pair in enumerate(pairwise(sizes))}
    if architecture.skip == "linear":
        shapes["weight_skip"] = architecture.n_inputs, sizes[-1]
    shapes |= {f"bias_{i}": (1, width) for i, width in enumerate(sizes[1:])}
    if architecture.batchnorm:
        for part in BATCHNORM:
            widths = enumerate(sizes[1:-1])
            shapes |= {f"{part}_{i}": (1, width) for i, width in widths}
    return shapes


def state_names(architecture):
    """Return the names of a network's tensors, in the order of `state_shapes`."""
    return list(state_shapes(architecture))
