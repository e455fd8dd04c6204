"""What the penalties of the objective add to the loss, and how optimal weights are.

For each model of a stack, with one strength per layer::

    penalty = sum_layers (l1 * ||W||_1 + l2 * ||W||_F^2)
              + group_l1 * sum_j ||W_1[j, :]||_2

Weights only: biases and batch-norm parameters are free.
"""

from dataclasses import dataclass

import torch


@dataclass
class Penalties:
    """Penalty strengths of a stack of models.

    Parameters
    ----------
    l1, l2 : Tensor of shape (n_models, n_layers)
        Strength of the sum of absolute and of squared weights, input side first.
    group_l1 : Tensor of shape (n_models,)
        Strength of the sum of the norms of each input's outgoing weights.
    """

    l1: torch.Tensor
    l2: torch.Tensor
    group_l1: torch.Tensor

    def __post_init__(self):
        self.has_l1 = bool((self.l1 > 0).any())
        self.has_l2 = bool((self.l2 > 0).any())
        self.has_group_l1 = bool((self.group_l1 > 0).any())

    def select(self, models):
        """Return the penalties of the models in the index `models`."""
        return Penalties(self.l1[models], self.l2[models], self.group_l1[models])

    def value(self, weights):
        """Return the penalty of each model.

        Parameters
        ----------
        weights : list of Tensor of shape (n_models, n_in, n_out)
            One per layer.

        Returns
        -------
        Tensor of shape (n_models,)
        """
        total = torch.zeros_like(self.group_l1)
        for layer, weight in enumerate(weights):
            flat = weight.flatten(1)
            if self.has_l1:
                norm = torch.linalg.vector_norm(flat, ord=1, dim=1)
                total += _scaled(self.l1[:, layer], norm)
            if self.has_l2:
                total += self.l2[:, layer] * (flat * flat).sum(1)
        if self.has_group_l1:
            norms = torch.linalg.vector_norm(weights[0], dim=2).sum(1)
            total += _scaled(self.group_l1, norms)
        return total

    def add_smooth_gradient(self, weights, gradients):
        """Add the gradient of the l2 term, ``2 * l2 * W``, in place.

        Parameters
        ----------
        weights, gradients : list of Tensor of shape (n_active, n_in, n_out)
            One per layer, for the first `n_active` models of the stack.
        """
        for layer, (weight, gradient) in enumerate(zip(weights, gradients)):
            strength = self.l2[: len(weight), layer].view(-1, 1, 1)
            gradient.addcmul_(weight, strength, value=2)

    def kkt_violation(self, weights, gradients):
        """Return how far each model is from satisfying the optimality conditions.

        The largest distance, over all weights, of minus the gradient of the smooth
        part to the subdifferential of the l1 and group terms: 0 at a minimum.

        Parameters
        ----------
        weights, gradients : list of Tensor of shape (n_models, n_in, n_out)
            Gradients are those of the loss and the l2 term.

        Returns
        -------
        Tensor of shape (n_models,)
        """
        worst = torch.zeros_like(self.group_l1)
        for layer, (weight, gradient) in enumerate(zip(weights, gradients)):
            l1 = self.l1[:, layer].view(-1, 1, 1)
            group = self.group_l1.view(-1, 1, 1) if layer == 0 else 0 * l1
            distance = _subdifferential_distance(weight, gradient, l1, group)
            worst = torch.maximum(worst, distance.flatten(1).amax(1))
        return worst


def _scaled(strength, norm):
    """Return ``strength * norm`` with an infinite strength of nothing being nothing."""
    return torch.where(norm > 0, strength * norm, 0.0)


def _subdifferential_distance(weight, gradient, l1, group):
    """Return the distance of ``-gradient`` to the subdifferential, elementwise.

    At a row that is zero and penalised as a group the condition is
    ``||soft_threshold(g, l1)|| <= group``; elsewhere it is stationarity in the nonzero
    weights and ``|g| <= l1`` in the zero ones.
    """
    norm = torch.linalg.vector_norm(weight, dim=2, keepdim=True)
    smooth = gradient + group * weight / torch.where(norm > 0, norm, 1.0)
    inside = torch.relu(smooth.abs() - l1)
    distance = torch.where(weight != 0, (smooth + l1 * weight.sign()).abs(), inside)
    excess = torch.linalg.vector_norm(torch.relu(gradient.abs() - l1), dim=2)
    at_zero = torch.relu(excess.unsqueeze(2) - group)
    return torch.where((norm > 0) | (group == 0), distance, at_zero)
