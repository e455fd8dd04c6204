"""A chain of layers, which is a layer itself."""

from skreg.networks.contract import Layer


class Chain(Layer):
    """Layers one after another, each on the output of the layer before.

    Parameters
    ----------
    layers : list of Layer

    Examples
    --------
    >>> import torch
    >>> from skreg.networks.chain import Chain
    >>> from skreg.networks.layers import Activation, Dropout
    >>> chain = Chain([Activation("relu"), Dropout()])
    >>> chain.takes
    ('mask',)
    >>> x, mask = torch.tensor([[[-1.0, 2.0, 3.0]]]), torch.tensor([[[0.0, 0.0, 2.0]]])
    >>> chain.predict(x)
    tensor([[[0., 2., 3.]]])
    >>> chain.forward(x, None, [mask])[0]
    tensor([[[0., 0., 6.]]])
    """

    def __init__(self, layers):
        self.layers = layers
        self.takes = tuple(name for layer in layers for name in layer.takes)
        self.is_trained = any(layer.is_trained for layer in layers)
        # Computed once, because a pass through a small network takes microseconds.
        self._with_drawn = self._share_out()
        self._backwards = {
            needs: self._backward_steps(needs) for needs in (True, False)
        }

    def _share_out(self):
        """Return each layer with the slice of `drawn` that it takes."""
        parts, start = [], 0
        for layer in self.layers:
            stop = start + len(layer.takes)
            parts.append((layer, slice(start, stop)))
            start = stop
        return parts

    def _backward_steps(self, needs_input):
        """Return the steps of a backward pass.

        A step is a layer with its position, and whether the gradient of its input is
        needed. If that of the chain's input is not needed, the pass ends at the first
        layer with parameters.
        """
        trained = [i for i, layer in enumerate(self.layers) if layer.is_trained]
        last = 0 if needs_input else min(trained, default=len(self.layers))
        return [
            (i, self.layers[i], needs_input or i > last)
            for i in reversed(range(last, len(self.layers)))
        ]

    def predict(self, x):
        for layer in self.layers:
            x = layer.predict(x)
        return x

    def forward(self, x, row_weight, drawn):
        tape = []
        for layer, own in self._with_drawn:
            x, saved = layer.forward(x, row_weight, drawn[own])
            tape.append(saved)
        return x, tape

    def backward(self, gradient, tape, needs_input):
        for i, layer, is_needed in self._backwards[needs_input]:
            gradient = layer.backward(gradient, tape[i], is_needed)
        return gradient if needs_input else None
