"""Connections that skip layers: some hidden layers, or all of the network.

Under stochastic depth (Huang et al. 2016, "Deep Networks with Stochastic Depth") each
row drops the skipped layers with the probability of its model. Their output is scaled
up for the rows that keep it, so prediction changes nothing.
"""

from skreg.networks.chain import Chain
from skreg.networks.contract import Layer
from skreg.networks.first_models import first_models
from skreg.networks.products import (
    affine,
    times_transposed,
    write_weight_gradient,
)
from skreg.networks.shared_members import repeated


class Residual(Layer):
    """Layers whose input is added to their output: ``x + f(x)`` (He et al. 2016).

    Parameters
    ----------
    layers : list of Layer
        The layers of `f`. The first must not overwrite its input.
    """

    is_trained = True

    def __init__(self, layers):
        self.branch = Chain(layers)
        self.takes = (*self.branch.takes, "path")

    def predict(self, x):
        return x + self.branch.predict(x)

    def forward(self, x, row_weight, drawn):
        output, saved = self.branch.forward(x, row_weight, drawn[:-1])
        path = drawn[-1]
        if path is not None:
            output = output * path  # not in place: activations keep their output
        return x + output, (saved, path)

    def backward(self, gradient, saved, needs_input):
        saved, path = saved
        # The layers overwrite their gradient, and this one is used twice.
        inner = gradient.clone() if path is None else gradient * path
        inner = self.branch.backward(inner, saved, needs_input)
        return inner.add_(gradient) if needs_input else None


class LinearSkip(Layer):
    """``f(x) + x @ S``: a network with a linear connection from inputs to outputs.

    Parameters
    ----------
    layers : list of Layer
        The layers of `f`.
    weight : Parameter of shape (n_models, n_inputs, n_outputs)
        The matrix S.
    n_members : int, default=1
        Number of times that `f` repeats each row at prediction.
    """

    is_trained = True

    def __init__(self, layers, weight, n_members=1):
        self.network, self.weight, self.n_members = Chain(layers), weight, n_members
        self.takes = (*self.network.takes, "path")

    def predict(self, x):
        score = self.network.predict(x)
        if self.n_members > 1:
            x = repeated(x, self.n_members)
        return self._added(score, x)

    def _added(self, score, x):
        return affine(score, x, first_models(self.weight, x.size(0)))

    def forward(self, x, row_weight, drawn):
        score, saved = self.network.forward(x, row_weight, drawn[:-1])
        path = drawn[-1]
        if path is not None:
            score = score * path
        return self._added(score, x), (x, saved, path)

    def backward(self, gradient, saved, needs_input):
        x, saved, path = saved
        write_weight_gradient(first_models(self.weight.grad, x.size(0)), x, gradient)
        direct = times_transposed(gradient, self.weight) if needs_input else None
        inner = gradient if path is None else gradient * path
        inner = self.network.backward(inner, saved, needs_input)
        return inner.add_(direct) if needs_input else None
