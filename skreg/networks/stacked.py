"""The networks of a stack as one module, whose tensors have the model as first axis."""

import torch

from skreg.networks.architecture import is_statistic, state_names
from skreg.networks.building import build_layers


class StackedNetwork(torch.nn.Module):
    """Networks of one architecture, side by side.

    Parameters
    ----------
    architecture : Architecture
    states : list of list of ndarray
        For each model its tensors without the leading axis, in the order of
        `state_names`.
    dtype : torch.dtype
    device : torch.device or str, default="cpu"

    Attributes
    ----------
    weights : list of Parameter of shape (n_models, n_in, n_out)
        The parameters that penalties act on: the weights of the layers and of the
        linear skip connection.
    free_parameters : list of Parameter of shape (n_models, a, b)
        The other parameters, such as biases.

    Notes
    -----
    Training and prediction use only the following members of a network. Any other
    network that has them could take its place:

    - `weights` and `free_parameters`, which together are `parameters()`, and
      `buffers()`, which training changes without gradients;
    - `state_names`, `state` and `n_models`, for results, averages and checkpoints;
    - `select`, for models that stop, and `prepare_training`;
    - `forward_training` and `backward`, for a step, `input_gradient` for adversarial
      rows, and `forward` for predictions.

    The architecture provides what is needed before a network exists: the shapes of its
    state (`state_shapes`), initial weights (`initial_state`), the sizes from which
    memory is estimated, and the widths of the masks.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skreg.networks.architecture import Architecture
    >>> from skreg.networks.stacked import StackedNetwork
    >>> linear = Architecture((2, 1))
    >>> one = [np.ones((2, 1)), np.zeros((1, 1))]
    >>> two = [2 * np.ones((2, 1)), np.ones((1, 1))]
    >>> net = StackedNetwork(linear, [one, two], torch.float64)
    >>> net(torch.ones(2, 1, 2, dtype=torch.float64)).flatten().tolist()
    [2.0, 5.0]
    """

    def __init__(self, architecture, states, dtype, device="cpu"):
        tensors = []
        for arrays in zip(*states):
            parts = [torch.as_tensor(array, dtype=dtype) for array in arrays]
            # The arrays of a single model are shared with the caller.
            stacked = torch.stack(parts) if len(parts) > 1 else parts[0].unsqueeze(0)
            tensors.append(stacked.to(device))
        self._hold(architecture, tensors)

    def _hold(self, architecture, tensors):
        """Register the tensors of a state and build the layers over them."""
        super().__init__()
        self.architecture, self.state_names = architecture, state_names(architecture)
        self.weights, self.free_parameters, held = [], [], {}
        for name, tensor in zip(self.state_names, tensors):
            if is_statistic(name):
                self.register_buffer(name, tensor)
                held[name] = tensor
                continue
            held[name] = parameter = torch.nn.Parameter(tensor, False)
            self.register_parameter(name, parameter)
            is_weight = name.startswith("weight")
            (self.weights if is_weight else self.free_parameters).append(parameter)
        self._layers = build_layers(architecture, held)

    @property
    def state(self):
        """The parameters and running statistics of the networks.

        A list of tensors, whose first axis is the model, in the order of `state_names`.
        """
        return [getattr(self, name) for name in self.state_names]

    @property
    def n_models(self):
        """Number of networks."""
        return self.weights[0].size(0)

    def prepare_training(self):
        """Allocate the gradients, which every step overwrites, unless they are there.

        Returns
        -------
        StackedNetwork
            The network.
        """
        for parameter in (*self.weights, *self.free_parameters):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        return self

    def select(self, models):
        """Return a new network of the models in the index tensor `models`."""
        other = StackedNetwork.__new__(StackedNetwork)
        tensors = [tensor.detach()[models].contiguous() for tensor in self.state]
        other._hold(self.architecture, tensors)
        return other

    def forward(self, x):
        """Return raw outputs at prediction.

        Parameters
        ----------
        x : Tensor of shape (n_models, n_rows, n_inputs)

        Returns
        -------
        Tensor of shape (n_models, n_rows * n_members, n_outputs)
            The outputs of the members that share weights are neighbouring rows.
        """
        return self._layers.predict(x)

    def forward_training(self, x, weight=None, masks=(), paths=()):
        """Return raw outputs in training and what `backward` needs.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_inputs)
            The batch of the first `k` models, with a row for each member.
        weight : Tensor of shape (k, n_rows, 1), default=None
            Weights of the rows, for the statistics of batch normalisation.
        masks : sequence of Tensor of shape (k, n_rows, n_units) or None
            A dropout mask for each hidden layer, with a column for each unit or
            channel. None, and masks that are missing, drop nothing.
        paths : sequence of Tensor of shape (k, n_rows, 1)
            A mask for each skip connection, which multiplies what it skips. Masks that
            are missing drop nothing.

        Returns
        -------
        score : Tensor of shape (k, n_rows, n_outputs)
        tape : object
        """
        masks, paths = iter(masks), iter(paths)
        drawn = [
            next(masks if name == "mask" else paths, None)
            for name in self._layers.takes
        ]
        return self._layers.forward(x, weight, drawn)

    def backward(self, gradient, tape):
        """Write the gradients of all parameters, given that of the raw outputs.

        Parameters
        ----------
        gradient : Tensor of shape (k, n_rows, n_outputs)
            It may be overwritten, and so may the tape.
        tape : object
            From `forward_training`.
        """
        self._layers.backward(gradient, tape, needs_input=False)

    def input_gradient(self, gradient, tape):
        """Return the gradient of the inputs, given that of the raw outputs.

        The gradients of the parameters are overwritten, as by `backward`.

        Parameters
        ----------
        gradient : Tensor of shape (k, n_rows, n_outputs)
        tape : object

        Returns
        -------
        Tensor of shape (k, n_rows, n_inputs)
        """
        return self._layers.backward(gradient, tape, needs_input=True)
