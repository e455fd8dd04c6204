"""The initial weights of one network."""

import numpy as np

from skreg.networks.architecture import Start
from skreg.networks.embeddings import initial_embedding
from skreg.networks.shared_members import initial_scales

DEFAULT_START = Start()


def initial_state(architecture, rng, dtype, start=DEFAULT_START):
    """Draw the initial state of one network.

    With ``init="glorot"``, weights and biases are uniform in
    ``±sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio 2010), with 2 in place of 6 for
    the logistic activation, as in scikit-learn. The fans of a convolution are its
    channels times the pixels of its kernel.

    With ``init="scaled"``, weights are normal with a variance of ``1 / fan_in`` and
    biases standard normal, as in RealMLP (Holzmüller et al. 2024). The last layer is
    zero.

    A network without hidden layers starts at zero, and so does a linear skip
    connection. Members that share weights start with the same biases, but each has its
    own last layer.

    Parameters
    ----------
    architecture : Architecture
    rng : numpy.random.Generator
    dtype : numpy.dtype
    start : Start, default=DEFAULT_START
        The default corresponds to the default parameters of the estimators.

    Returns
    -------
    list of ndarray
        In the order of `state_names`.
    """
    draw = _glorot if start.init == "glorot" else _scaled
    weights, biases = draw(architecture, rng, dtype)
    if architecture.n_members > 1:
        _give_heads(architecture, weights, biases, rng, start)
    if not architecture.has_intercept:
        biases[-1][:] = 0
    if architecture.skip == "linear":
        n_outputs = architecture.layer_sizes[-1]
        weights.append(np.zeros((architecture.n_inputs, n_outputs), dtype))
    others = []
    if architecture.batchnorm:
        for value in (1.0, 0.0, 0.0, 1.0):  # in the order of BATCHNORM
            widths = architecture.hidden_widths
            others += [np.full((1, width), value, dtype) for width in widths]
    others += initial_scales(architecture, rng, dtype)
    others += initial_embedding(architecture, rng, dtype, start)
    return weights + biases + others


def _give_heads(architecture, weights, biases, rng, start):
    """Replace the biases and the last layer of one network by those of the members."""
    n_members, dtype = architecture.n_members, weights[0].dtype
    fan_in, fan_out = architecture.layer_sizes[-2:]
    bound = 0.0
    if start.init == "glorot":
        bound = _glorot_bound(architecture, fan_in, fan_out)
    shape = fan_in, n_members * fan_out
    weights[-1] = rng.uniform(-bound, bound, shape).astype(dtype)
    biases[:] = [bias.repeat(n_members, 0) for bias in biases]
    biases[-1] = rng.uniform(-bound, bound, (n_members, fan_out)).astype(dtype)


def _glorot_bound(architecture, fan_in, fan_out):
    """Return the bound of a uniform distribution, 0 without hidden layers."""
    factor = 2.0 if architecture.activation == "logistic" else 6.0
    return (factor / (fan_in + fan_out)) ** 0.5 if architecture.n_hidden else 0.0


def _glorot(architecture, rng, dtype):
    """Return initial weights and biases of all layers, for init="glorot"."""
    weights, biases = [], []
    widths = *architecture.hidden_widths, architecture.layer_sizes[-1]
    for (fan_in, fan_out), width in zip(architecture.fans, widths):
        bound = _glorot_bound(architecture, fan_in, fan_out)
        weights.append(rng.uniform(-bound, bound, (fan_in, width)).astype(dtype))
        biases.append(rng.uniform(-bound, bound, (1, width)).astype(dtype))
    return weights, biases


def _scaled(architecture, rng, dtype):
    """Return initial weights and biases of all layers, for init="scaled"."""
    *hidden, n_last = (fan_in for fan_in, _ in architecture.fans)
    n_outputs, weights, biases = architecture.layer_sizes[-1], [], []
    for n_in, n_out in zip(hidden, architecture.hidden_widths):
        weights.append(rng.normal(0, n_in**-0.5, (n_in, n_out)).astype(dtype))
        biases.append(rng.standard_normal((1, n_out)).astype(dtype))
    zeros = np.zeros((n_last, n_outputs), dtype), np.zeros((1, n_outputs), dtype)
    return [*weights, zeros[0]], [*biases, zeros[1]]
