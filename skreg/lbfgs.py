"""The full-batch solver: scipy's L-BFGS-B on the whole objective of one network.

l1 is split into positive and negative parts, ``W = P - N`` with both non-negative and
penalty ``l1 * sum(P + N)``, which makes the objective smooth under bounds; a weight
whose parts both rest on their bounds is exactly zero.
"""

import numpy as np
import torch
from scipy.optimize import minimize

from skreg.objective import value_and_gradient


class _Problem:
    """The objective as scipy wants it: a function of one float64 vector.

    The vector holds all parameters, in which penalised weights stand for their
    positive parts, followed by the negative parts of the penalised weights.
    """

    def __init__(self, module, loss, penalties, batches, noise):
        self.module = module
        self.objective = module, loss, penalties, batches, noise
        strengths = [
            penalties.l1[0, layer].expand_as(weight).reshape(-1)
            for layer, weight in enumerate(module.weights)
        ]
        l1 = torch.cat(strengths).cpu().double().numpy()
        # The weights are the first parameters.
        self.penalised = np.flatnonzero(l1 > 0)
        self.strength = l1[self.penalised]

    def start(self):
        """Return the vector of the network's present parameters, and the bounds."""
        flat = np.concatenate([_flat(p) for p in self.module.parameters()])
        negative = np.maximum(-flat[self.penalised], 0)
        flat[self.penalised] = np.maximum(flat[self.penalised], 0)
        bounds = np.full((len(flat) + len(negative), 2), [-np.inf, np.inf])
        bounds[self.penalised, 0] = bounds[len(flat) :, 0] = 0
        return np.concatenate([flat, negative]), bounds

    def write(self, vector):
        """Make the vector the network's parameters."""
        n_negative = len(self.penalised)
        flat = vector[: len(vector) - n_negative].copy()
        flat[self.penalised] -= vector[len(flat) :]
        start = 0
        for parameter in self.module.parameters():
            part = torch.from_numpy(flat[start : start + parameter.numel()])
            parameter.copy_(part.view_as(parameter))
            start += parameter.numel()

    def __call__(self, vector):
        self.write(vector)
        value = value_and_gradient(*self.objective).item()
        # Where both parts are positive, as within a line search, the penalty counts
        # their sum and not their difference.
        positive = vector[self.penalised]
        negative = vector[len(vector) - len(positive) :]
        value += 2 * self.strength @ np.minimum(positive, negative)
        flat = np.concatenate([_flat(p.grad) for p in self.module.parameters()])
        slope_of_negative = self.strength - flat[self.penalised]
        flat[self.penalised] += self.strength
        return value, np.concatenate([flat, slope_of_negative])


def _flat(tensor):
    return tensor.detach().cpu().double().numpy().ravel()


@torch.no_grad()
def minimise(module, loss, penalties, batches, noise, max_iter, tol, on_iteration):
    """Minimise the objective of a stack of one network, in place.

    Parameters
    ----------
    module : StackedMLP
        One model, with gradients allocated.
    loss : Loss
    penalties : Penalties
        Without group_l1.
    batches : Batches
        In a fixed order.
    noise : Noise
        Of which label smoothing alone is on.
    max_iter : int
    tol : float
        The solver stops where the largest component of the projected gradient is
        below it.
    on_iteration : callable
        Called with the objective after every iteration, when the network holds that
        iterate; a true answer stops the solver.

    Returns
    -------
    bool
        Whether the solver converged.
    """
    problem = _Problem(module, loss, penalties, batches, noise)
    vector, bounds = problem.start()

    def callback(intermediate_result):
        problem.write(intermediate_result.x)
        if on_iteration(float(intermediate_result.fun)):
            raise StopIteration

    result = minimize(
        problem,
        vector,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        callback=callback,
        options={
            "maxiter": max_iter,
            "maxfun": 50 * max_iter,
            "gtol": tol,
            # As scikit-learn's LogisticRegression: stop on the gradient, not on a
            # function that no longer changes in the last digits.
            "ftol": 64 * np.finfo(float).eps,
        },
    )
    problem.write(result.x)
    if result.nit == 0:
        on_iteration(float(result.fun))
    return result.status == 0
