"""Where training starts: the initial weights of one network."""

from itertools import pairwise

import numpy as np

from skreg.architecture import Start
from skreg.embeddings import initial_embedding

DEFAULT_START = Start()


def initial_state(architecture, rng, dtype, start=DEFAULT_START):
    """Draw the initial weights of one network.

    With init="glorot" uniform in ``±sqrt(6 / (fan_in + fan_out))`` (Glorot and Bengio
    2010), with 2 for 6 under the logistic activation, biases too, as in scikit-learn.
    With "scaled" as in RealMLP (Holzmüller et al. 2024): weights normal with a variance
    of ``1 / fan_in``, biases standard normal, and the last layer zero. A network
    without hidden layers starts at zero, and so does a linear skip connection.

    Parameters
    ----------
    architecture : Architecture
    rng : numpy.random.Generator
    dtype : numpy.dtype
    start : Start, default=DEFAULT_START
        By default that of the default parameters.

    Returns
    -------
    list of ndarray
        In the order of `state_names`.
    """
    sizes = architecture.layer_sizes
    draw = _glorot if start.init == "glorot" else _scaled
    weights, biases = draw(architecture, rng, dtype)
    if architecture.skip == "linear":
        weights.append(np.zeros((architecture.n_inputs, sizes[-1]), dtype))
    others = []
    if architecture.batchnorm:
        for value in (1.0, 0.0, 0.0, 1.0):  # in the order of BATCHNORM
            others += [np.full((1, width), value, dtype) for width in sizes[1:-1]]
    others += initial_embedding(architecture, rng, dtype, start)
    return weights + biases + others


def _glorot(architecture, rng, dtype):
    """Return initial weights and biases of all layers, for init="glorot"."""
    factor = 2.0 if architecture.activation == "logistic" else 6.0
    weights, biases = [], []
    for fan_in, fan_out in pairwise(architecture.layer_sizes):
        bound = (factor / (fan_in + fan_out)) ** 0.5 if architecture.n_hidden else 0.0
        weights.append(rng.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype))
        biases.append(rng.uniform(-bound, bound, (1, fan_out)).astype(dtype))
    return weights, biases


def _scaled(architecture, rng, dtype):
    """Return initial weights and biases of all layers, for init="scaled"."""
    *hidden, (fan_in, n_outputs) = pairwise(architecture.layer_sizes)
    weights, biases = [], []
    for n_in, n_out in hidden:
        weights.append(rng.normal(0, n_in**-0.5, (n_in, n_out)).astype(dtype))
        biases.append(rng.standard_normal((1, n_out)).astype(dtype))
    zeros = np.zeros((fan_in, n_outputs), dtype), np.zeros((1, n_outputs), dtype)
    return [*weights, zeros[0]], [*biases, zeros[1]]
