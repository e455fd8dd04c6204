"""Linear models with l1 or group_l1 and decreasing strengths, each from the last one.

Only inputs that may be used take part in the iterations: those that are used already,
and those whose optimality conditions would be violated at zero if the gradient moved as
far as the strength (the sequential strong rule of Tibshirani et al. 2012, "Strong rules
for discarding predictors in lasso-type problems"). The rule can be wrong. So after each
fit, the conditions are checked for all inputs, and it is repeated with those that
violate them. The certificate is therefore that of the whole problem.
"""

from dataclasses import replace

import numpy as np
import torch

from skreg.penalties.combined import Sum
from skreg.training import active_set, coordinate_descent
from skreg.training.assembly import stacked_penalties
from skreg.training.linear_rows import LinearRows, Products
from skreg.training.request import FitResult
from skreg.training.threads import threads_for
from skreg.training.tracker import Tracker

# Of the inputs that the strong rule keeps, at most so many take part at first, or as
# many as are used already. After a check, twice as many may join.
FEWEST_JOINING = 64
# With more weights in use, the full-batch solver is faster, unless coordinate descent
# comes first: the time of its iterations grows with their number, not with its square.
MOST_WEIGHTS = 500
# The violation of the optimality condition of the biases at the beginning.
EMPTY_ACCURACY = 1e-12
LIKE = {"dtype": torch.float64, "device": "cpu"}
SELECTING = ("l1", "group_l1")


def takes(request):
    """Return whether a path of this request, with other strengths, can be solved.

    Parameters
    ----------
    request : FitRequest
        Of a linear model without random regularisers.
    """
    architecture = request.architecture
    return (
        request.is_certified
        and architecture.is_linear
        and architecture.embedding is None
        and architecture.n_weights == 1
        and architecture.n_members == 1
        # Its steps take groups that are rows, strengths that are equal, and biases.
        and request.inputs is None
        and architecture.has_intercept
        and request.loss.has_curvature
        and not np.isfinite(request.settings["max_norm"]).any()
        and request.device.type == "cpu"
        and request.validation is None
        and not request.callbacks
    )


class SparsePath:
    """A linear model that is fitted with decreasing strengths.

    The path begins at the optimum of a model whose weights are all zero.

    Parameters
    ----------
    request : FitRequest
        The fit with any strengths, of the kind that is taken.

    Attributes
    ----------
    gradient : Tensor of shape (1, n_inputs, n_outputs)
        The gradient of the loss at the present weights.
    """

    def __init__(self, request):
        self._rows, self._loss = LinearRows(request), request.loss
        self._n_products = self._rows.target.size(1) * request.architecture.fans[0][0]
        n_inputs, n_outputs = request.architecture.fans[0]
        self._w = torch.zeros(1, n_inputs, n_outputs, dtype=torch.float64)
        self._bias, self._settings = self._w.new_zeros(1, 1, n_outputs), None
        self._products = Products(self._rows.weight, n_inputs)
        no_inputs = torch.zeros(0, dtype=torch.int64)
        with torch.no_grad():
            point = self._without_penalty(no_inputs)
            point = active_set.minimise(point, EMPTY_ACCURACY)
            self._bias, self.gradient = point.bias, self._rows.gradient(point.slopes)

    def move_to(self, state):
        """Set the weights from which the next fit starts.

        Parameters
        ----------
        state : list of ndarray
        """
        weight, bias = (torch.tensor(array, dtype=torch.float64) for array in state)
        self._w, self._bias = weight[None], bias[None]
        point = self._without_penalty(self._w[0].any(1).nonzero()[:, 0])
        self.gradient = self._rows.gradient(point.slopes)

    def fit(self, request):
        """Fit with the strengths of a request, from the present weights.

        Parameters
        ----------
        request : FitRequest
            Its data are those of the path.

        Returns
        -------
        FitResult or None
            None if there is no penalty that selects inputs, or the optimum was not
            found. Another solver has to find it.
        """
        result, settings = None, request.settings
        if any(settings[name][0] for name in SELECTING):
            try:
                with torch.no_grad(), threads_for(self._n_products):
                    result = self._solve(request)
            except active_set.Unsolved:
                pass
        self._settings = settings
        return result

    def _solve(self, request):
        """Return the result of a fit, or None if its optimum was not found."""
        penalty = stacked_penalties([request], LIKE).layers[0]
        tracker, accuracy = Tracker(request), request.accuracy
        w, bias, used = self._w, self._bias, self._w[0].any(1)
        room = max(FEWEST_JOINING, int(used.sum()))
        takes_part = used | _largest(self._strong_rule(request), room)
        while True:
            chosen = takes_part.nonzero()[:, 0]
            point = self._start(penalty, chosen, w, bias)
            if not tracker.loss_curve and not _note(tracker, point):
                return None
            point = active_set.minimise(
                point, accuracy, lambda point: _note(tracker, point)
            )
            w, bias = torch.zeros_like(w), point.bias
            w[:, chosen] = point.w
            gradient = self._rows.gradient(point.slopes)
            left_out = _left_out(penalty.residual(w, gradient)[0], takes_part)
            if point.violation > accuracy:
                return None
            if left_out.abs().max() <= accuracy:
                break
            room = max(2 * room, len(chosen))
            takes_part = takes_part | _largest(left_out, room)
        self._w, self._bias, self.gradient = w, bias, gradient
        tracker.converged = True
        dtype = str(request.dtype).removeprefix("torch.")
        state = [part[0].numpy().astype(dtype) for part in (w, bias)]
        violation = max(point.violation, left_out.abs().max().item())
        return FitResult(state, tracker, violation)

    def _start(self, penalty, chosen, w, bias):
        """Return the iterate from which the problem of the chosen inputs is solved."""
        n_outputs, n_used = w.size(2), int(w[0].any(1).sum())
        is_wide = len(chosen) * n_outputs > self._rows.target.size(1)
        if is_wide and coordinate_descent.takes(self._loss, penalty, n_outputs):
            part = self._part(penalty, chosen)
            return active_set.start(
                part, *coordinate_descent.approach(part, w[:, chosen])
            )
        if n_used * n_outputs > MOST_WEIGHTS:
            raise active_set.Unsolved
        return active_set.start(self._part(penalty, chosen), w[:, chosen], bias)

    def _part(self, penalty, inputs):
        """Return the problem of some inputs."""
        rows = self._rows
        return active_set.Part(
            rows.columns(inputs),
            rows.target,
            rows.weight,
            self._loss,
            penalty,
            inputs,
            self._products,
        )

    def _without_penalty(self, inputs):
        """Return the present iterate of some inputs, which nothing penalises."""
        part = self._part(Sum([]), inputs)
        return active_set.start(part, self._w[:, inputs], self._bias)

    def _strong_rule(self, request):
        """Return the residuals at zero if gradients move as far as strengths.

        Returns
        -------
        Tensor of shape (n_inputs, n_outputs)
            Zero for the inputs that the strong rule discards.
        """
        settings = request.settings
        if self._settings is not None:
            lower = {
                name: [
                    max(0.0, 2 * new - old)
                    for new, old in zip(settings[name], self._settings[name])
                ]
                for name in SELECTING
            }
            settings = settings | lower
        penalties = stacked_penalties([replace(request, settings=settings)], LIKE)
        zero = torch.zeros_like(self.gradient)
        return penalties.layers[0].residual(zero, self.gradient)[0]


def _note(tracker, point):
    """Record an iterate, and return whether to continue."""
    goes_on = tracker.update(point.value, None, lambda: None)
    if tracker.error is not None:
        raise active_set.Unsolved
    return goes_on


def _left_out(residual, takes_part):
    """Return the residual of the inputs that took no part, and zero for the others."""
    return torch.where(takes_part[:, None], 0.0, residual)


def _largest(residual, n):
    """Return a mask of the inputs with the largest residuals, `n` at most."""
    sizes = torch.linalg.vector_norm(residual, dim=1)
    largest, order = sizes.topk(min(n, len(sizes)))
    mask = torch.zeros(len(sizes), dtype=torch.bool)
    mask[order[largest > 0]] = True
    return mask
