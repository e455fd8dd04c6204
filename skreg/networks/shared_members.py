"""Ensembles whose members share weights: their layers, and their rows of a batch.

TabM (Gorishniy, Kotelnikov and Babenko 2025, "TabM: Advancing Tabular Deep Learning
with Parameter-Efficient Ensembling"), after BatchEnsemble (Wen, Tran and Ba 2020,
"BatchEnsemble: An Alternative Approach to Efficient Ensemble and Lifelong Learning").

Members are rows: a batch holds a copy of each row for each member, and the copies of a
row are neighbours. Noise and masks are drawn row by row and so differ between members.
"""

import numpy as np
import torch

from skreg.networks.architecture import shared_shapes, state_names
from skreg.networks.contract import Layer
from skreg.networks.first_models import first_models
from skreg.networks.products import times_transposed, write_weight_gradient


def for_members(batch, n_members):
    """Return a batch that holds each row once for each member.

    The weights of the rows are divided among the members, so that the loss of the batch
    is the mean of the members' losses.

    Parameters
    ----------
    batch : Batch
        Left unchanged.
    n_members : int

    Returns
    -------
    Batch
        The same batch if there is one member.
    """
    if n_members == 1:
        return batch
    weight = batch.weight
    return batch.replace(
        x=repeated(batch.x, n_members),
        target=repeated(batch.target, n_members),
        weight=None if weight is None else repeated(weight, n_members).div_(n_members),
        rows=[n_members * n_rows for n_rows in batch.rows],
    )


def repeated(x, n_members):
    """Repeat each row of a tensor once for each member.

    Parameters
    ----------
    x : Tensor of shape (k, n_rows, d)
    n_members : int

    Returns
    -------
    Tensor of shape (k, n_rows * n_members, d)
    """
    return x.repeat_interleave(n_members, 1)


def mean_of_members(score, n_members, loss):
    """Return raw outputs that predict the mean of the members' predictions.

    Parameters
    ----------
    score : Tensor of shape (k, n_rows * n_members, n_outputs)
    n_members : int
    loss : Loss

    Returns
    -------
    Tensor of shape (k, n_rows, n_outputs)
    """
    if n_members == 1:
        return score
    return loss.mean_score(score.unflatten(1, (-1, n_members)).movedim(2, 0))


class RepeatedRows(Layer):
    """Repeat the rows of a batch for the members at prediction.

    In training the rows are repeated earlier, before the random draws (see
    `for_members`), and this layer changes nothing.

    Parameters
    ----------
    n_members : int
    """

    def __init__(self, n_members):
        self.n_members = n_members

    def predict(self, x):
        return repeated(x, self.n_members)

    def forward(self, x, row_weight, drawn):
        return x, None

    def backward(self, gradient, saved, needs_input):
        return gradient


class SharedLinear(Layer):
    """``((x * r) @ W) * s + b`` with one W for all members, but their own r, s and b.

    Parameters
    ----------
    weight : Parameter of shape (n_models, n_in, n_out)
    scale_in : Parameter of shape (n_models, n_members, n_in)
    scale_out, bias : Parameter of shape (n_models, n_members, n_out)
    """

    is_trained = True

    def __init__(self, weight, scale_in, scale_out, bias):
        self.weight, self.bias = weight, bias
        self.scale_in, self.scale_out = scale_in, scale_out

    def _by_member(self, rows):
        """View rows as a tensor of shape (k, n_rows, n_members, d)."""
        return rows.unflatten(1, (-1, self.bias.size(1)))

    def predict(self, x):
        return self.forward(x, None, ())[0]

    def forward(self, x, row_weight, drawn):
        scale_in, scale_out, bias = self._of_rows(x.size(0))
        scaled = (self._by_member(x) * scale_in).flatten(1, 2)
        product = torch.bmm(scaled, first_models(self.weight, x.size(0)))
        output = torch.addcmul(bias, self._by_member(product), scale_out)
        return output.flatten(1, 2), (x, scaled, product)

    def _of_rows(self, k):
        """Return the members' scales and biases, of shape (k, 1, n_members, d)."""
        own = self.scale_in, self.scale_out, self.bias
        return [first_models(tensor, k).unsqueeze(1) for tensor in own]

    def backward(self, gradient, saved, needs_input):
        x, scaled, product = saved
        k = x.size(0)
        scale_in, scale_out, _ = self._of_rows(k)
        gradient = self._by_member(gradient)
        torch.sum(gradient, 1, out=first_models(self.bias.grad, k))
        # Products overwrite what is no longer needed: new memory would cost more.
        of_scale = self._by_member(product).mul_(gradient)
        torch.sum(of_scale, 1, out=first_models(self.scale_out.grad, k))
        of_product = gradient.mul_(scale_out).flatten(1, 2)
        write_weight_gradient(first_models(self.weight.grad, k), scaled, of_product)
        of_scaled = self._by_member(times_transposed(of_product, self.weight))
        of_scale = torch.mul(of_scaled, self._by_member(x), out=self._by_member(scaled))
        torch.sum(of_scale, 1, out=first_models(self.scale_in.grad, k))
        return of_scaled.mul_(scale_in).flatten(1, 2) if needs_input else None


class Heads(Layer):
    """The last layer: ``x @ W + b`` with separate W and b for each member.

    Parameters
    ----------
    weight : Parameter of shape (n_models, n_in, n_members * n_out)
        The members' matrices side by side, so that each column still holds the weights
        of one output.
    bias : Parameter of shape (n_models, n_members, n_out)
    moves_bias : bool, default=True
        Whether the bias is trained. Otherwise its gradient stays zero.
    """

    is_trained = True

    def __init__(self, weight, bias, moves_bias=True):
        self.weight, self.bias, self.moves_bias = weight, bias, moves_bias

    @property
    def _is_narrow(self):
        """Whether there is only one output.

        Its weights are then vectors, and elementwise products are several times faster
        than matrix kernels.
        """
        return self.bias.size(2) == 1

    def _vectors(self, k):
        """Return the weights of one output, of shape (k, 1, n_members, n_in)."""
        return first_models(self.weight, k).mT.unsqueeze(1)

    def _of_members(self, rows):
        """Return rows as a tensor of shape (k, n_members, n_rows, d)."""
        return rows.unflatten(1, (-1, self.bias.size(1))).transpose(1, 2)

    def _weights(self, k):
        """Return the weights as a tensor of shape (k, n_members, n_in, n_out)."""
        return (
            first_models(self.weight, k)
            .unflatten(2, (self.bias.size(1), -1))
            .transpose(1, 2)
        )

    def predict(self, x):
        k, n_members = x.size(0), self.bias.size(1)
        if self._is_narrow:
            rows = x.unflatten(1, (-1, n_members))
            output = (rows * self._vectors(k)).sum(3, keepdim=True)
            return output.add_(first_models(self.bias, k).unsqueeze(1)).flatten(1, 2)
        output = torch.matmul(self._of_members(x), self._weights(k))
        output = output.transpose(1, 2) + first_models(self.bias, k).unsqueeze(1)
        return output.flatten(1, 2)

    def forward(self, x, row_weight, drawn):
        return self.predict(x), x

    def backward(self, gradient, x, needs_input):
        if self._is_narrow:
            return self._backward_narrow(gradient, x)
        k, gradient = x.size(0), self._of_members(gradient)
        if self.moves_bias:
            torch.sum(gradient, 2, out=first_models(self.bias.grad, k))
        found = torch.matmul(self._of_members(x).mT, gradient)
        first_models(self.weight.grad, k).copy_(found.transpose(1, 2).flatten(2))
        return torch.matmul(gradient, self._weights(k).mT).transpose(1, 2).flatten(1, 2)

    def _backward_narrow(self, gradient, x):
        k, size = x.size(0), (-1, self.bias.size(1))
        gradient = gradient.unflatten(1, size)
        if self.moves_bias:
            torch.sum(gradient, 1, out=first_models(self.bias.grad, k))
        product = x.unflatten(1, size) * gradient
        first_models(self.weight.grad, k).copy_(product.sum(1).mT)
        of_rows = torch.mul(gradient, self._vectors(k), out=product)
        return of_rows.flatten(1, 2)


def initial_scales(architecture, rng, dtype):
    """Return the initial scales in the order of `shared_shapes`.

    The scales of the inputs are 1 or -1 at random, which makes the members different,
    as in TabM. All other scales are 1.
    """
    arrays = [np.ones(s, dtype) for s in shared_shapes(architecture).values()]
    for signs in arrays[:1]:
        signs[:] = 2 * rng.integers(2, size=signs.shape) - 1
    return arrays


def member_states(architecture, state):
    """Return the state of each member as a network of its own.

    The weights of the hidden layers are multiplied by the member's scales.

    Parameters
    ----------
    architecture : Architecture
    state : list of ndarray
        In the order of `state_names`.

    Returns
    -------
    list of list of ndarray
        For each member, in the order of `state_names` without members.
    """
    own = set(shared_shapes(architecture))
    arrays = dict(zip(state_names(architecture), state))
    n_hidden, n_members = architecture.n_hidden, architecture.n_members
    found = []
    for m in range(n_members):
        parts = {name: a.copy() for name, a in arrays.items() if name not in own}
        for i in range(n_hidden):
            scale_in, scale_out = arrays[f"scale_in_{i}"], arrays[f"scale_out_{i}"]
            parts[f"weight_{i}"] *= scale_in[m][:, None] * scale_out[m]
        heads = np.split(arrays[f"weight_{n_hidden}"], n_members, axis=1)
        parts[f"weight_{n_hidden}"] = heads[m].copy()
        for i in range(n_hidden + 1):
            parts[f"bias_{i}"] = arrays[f"bias_{i}"][m : m + 1].copy()
        found.append(list(parts.values()))
    return found
