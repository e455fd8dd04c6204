"""The smallest strength of a penalty for which all weights are zero."""

import numpy as np

from skreg.penalties.combined import Sum
from skreg.penalties.kinds import L2, PENALTIES
from skreg.training.assembly import stacked_penalties
from skreg.training.train import train

# l2 makes no weight exactly zero. Its path starts where all weights are at most this.
NEGLIGIBLE = 1e-3
# Strengths to try at a time in the search for the smallest strength that empties a
# network: first over twelve powers of ten, then between the two that enclose it.
WIDE, NARROW, ROUNDS = np.geomspace(1e-6, 1e6, 13), 9, 3


def emptying_strength(problem):
    """Return the smallest strength for which all weights of a model are zero.

    For l2, which makes no weight exactly zero, all weights are negligible.

    Parameters
    ----------
    problem : PathProblem

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no strength empties a network.
    """
    if not problem.is_convex:
        return _search(problem)
    gradients = problem.empty_gradients()
    return max(_emptying_layer(problem, i, part) for i, part in enumerate(gradients))


def _emptying_layer(problem, layer, gradient):
    """Return the smallest strength for which all weights of a layer are zero."""
    like = {"dtype": gradient.dtype, "device": gradient.device}
    penalties = stacked_penalties([problem.request], like)
    (kind,) = (kind for kind in PENALTIES if kind.parameter == problem.penalty)
    if kind is L2:
        penalty = penalties.make(kind, gradient.new_ones(1), layer)
        return penalty.largest_term(gradient.abs()).item() / (2 * NEGLIGIBLE)
    if layer in problem.unpenalised:
        # These weights are optimal already, up to rounding.
        gradient[:, problem.unpenalised[layer]] = 0
    others = penalties.layers[layer].penalties
    others = [other for other in others if type(other) not in (kind, L2)]
    return _emptying_with(
        lambda strength: penalties.make(kind, strength, layer), others, gradient
    )


def _emptying_with(make, others, gradient):
    """Return the smallest strength that empties a layer, given its other penalties.

    The upper bound of the bisection is the strength that empties the layer without the
    other penalties.

    Parameters
    ----------
    make : callable
        Maps a strength to the penalty.
    others : list of Penalty
        The other penalties of the layer.
    gradient : Tensor of shape (1, n_in, n_out)
        Gradient of the loss at zero weights.

    Returns
    -------
    float
    """
    zero = gradient * 0

    def empties(strength):
        parts = [make(gradient.new_tensor([strength])), *others]
        parts.sort(key=lambda penalty: PENALTIES.index(type(penalty)))
        return not Sum(parts).residual(zero, gradient).any()

    low, high = 0.0, make(gradient.new_zeros(1)).emptying(gradient).item()
    if not others:
        return high
    while empties(low) is False and high - low > 1e-15 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if empties(middle) else (middle, high)
    return high


def _search(problem):
    """Search for the smallest strength for which all weights of a network are zero."""
    low, high = _enclose(problem, WIDE)
    for _ in range(ROUNDS):
        inner = np.geomspace(low, high, NARROW + 2)[1:-1]
        low, high = _enclose(problem, inner, low, high)
    return high


def _enclose(problem, strengths, low=None, high=None):
    """Return the two adjacent strengths between which a network becomes empty."""
    # With l2, Adam does not bring the weights close enough to zero.
    changes = problem.full_batches() if problem.penalty == "l2" else {}
    results = train([problem.with_strength(s, **changes) for s in strengths.tolist()])
    errors = [result.tracker.error for result in results]
    if None not in errors:  # not by reason of the strength
        raise errors[0]
    for strength, result in reversed(list(zip(strengths, results))):
        if result.tracker.error is not None or not _is_empty(problem, result.state):
            low = strength
            break
        high = strength
    if low is None or high is None:
        raise ValueError(
            f"The smallest strength of {problem.penalty} for which all weights are "
            f"zero is not between {strengths[0]:g} and {strengths[-1]:g}. Pass "
            "strengths to fit with."
        )
    return low, high


def _is_empty(problem, state):
    """Return whether all weights are zero in the layers where the strength varies."""
    limit = NEGLIGIBLE if problem.penalty == "l2" else 0.0
    for layer, (weights, is_varied) in enumerate(zip(state, problem.is_varied)):
        if layer in problem.unpenalised:
            weights = weights[~problem.unpenalised[layer]]
        if is_varied and np.abs(weights).max(initial=0) > limit:
            return False
    return True
