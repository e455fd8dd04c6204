"""Connections that skip layers: to the next layer, and to the outputs.

Under stochastic depth (Huang et al. 2016, "Deep Networks with Stochastic Depth") what
they skip is dropped, for each row with a probability of its own model, and scaled up
where it survives, so that nothing is left to do at prediction.
"""

from skreg.networks.products import (
    affine,
    first,
    times_transposed,
    write_weight_gradient,
)


class Residual:
    """Layers whose input is added to their output: ``x + f(x)`` (He et al. 2016).

    Parameters
    ----------
    layers : list of layer
        Dropout, if any, is the last.
    """

    def __init__(self, layers):
        self.layers = layers

    def predict(self, x):
        branch = x
        for layer in self.layers:
            branch = layer.predict(branch)
        return x + branch

    def forward(self, x, weight, masks):
        """Return the outputs and what `backward` needs.

        `masks` are that of dropout, of shape (k, n_rows, n_units), and that of
        stochastic depth, of shape (k, n_rows, 1); None drops nothing.
        """
        (mask, path), branch, tape = masks, x, []
        for layer in self.layers:
            branch, saved = layer.forward(branch, weight, mask)
            tape.append(saved)
        if path is not None:
            branch = branch * path  # not in place, for activations keep their output
        return x + branch, (tape, path)

    def backward(self, gradient, saved):
        tape, path = saved
        # Layers overwrite their gradients, and this one is passed on twice.
        inner = gradient.clone() if path is None else gradient * path
        for layer, saved in zip(reversed(self.layers), reversed(tape)):
            inner = layer.backward(inner, saved)
        return None if inner is None else inner.add_(gradient)


class LinearSkip:
    """``score + x @ S``: the network's inputs straight to its outputs.

    Parameters
    ----------
    weight : Parameter of shape (n_models, n_inputs, n_outputs)
    """

    def __init__(self, weight):
        self.weight = weight

    def predict(self, score, x):
        return affine(score, x, first(self.weight, x.size(0)))

    def forward(self, score, x, path):
        """Return the outputs and what `backward` needs.

        Parameters
        ----------
        score : Tensor of shape (k, n_rows, n_outputs)
            Of the hidden network.
        x : Tensor of shape (k, n_rows, n_inputs)
        path : Tensor of shape (k, n_rows, 1) or None
            What the hidden network's output is multiplied by.
        """
        if path is not None:
            score = score * path
        return self.predict(score, x), (x, path)

    def backward(self, gradient, saved):
        """Return the gradient of the hidden network's output."""
        x, path = saved
        write_weight_gradient(first(self.weight.grad, x.size(0)), x, gradient)
        return gradient if path is None else gradient * path

    def input_gradient(self, gradient):
        """Return the gradient of the inputs on this way."""
        return times_transposed(gradient, self.weight)
