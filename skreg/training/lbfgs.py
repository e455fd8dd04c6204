"""The full-batch solver: L-BFGS for a stack, with the exact zeros of the penalties.

Each iteration takes a proximal gradient step to see which weights are zero, and a
quasi-Newton step in the others, which stops where it would cross a kink of a penalty.
If no point on the way lowers the objective enough, the proximal gradient step itself
is taken, shortened until it does. Byrd, Chin, Nocedal and Oztoprak (2016), "A family
of second-order methods for convex l1-regularized optimization", combine the two steps
for l1 and convex losses; here the penalties are any of `skreg.penalties`, and networks
find a local optimum. Zeros are exact, for both steps set them.
"""

from dataclasses import dataclass, fields, replace

import torch

# Share of the decrease that the slope promises with which a step is content (Armijo).
SUFFICIENT = 1e-4
# The step is this share of the inverse of the curvature that the loss shows.
SAFETY = 0.95
MEMORY = 20
# Halvings of the quasi-Newton step before the proximal gradient step is taken, and of
# that before there is none.
MAX_HALVINGS, MAX_SHORTENINGS = 4, 60
# Iterations in which rounding hides all progress, after which there is none.
MAX_STALLED = 50


class _Vectors:
    """The objective as functions of vectors that hold all parameters of a model."""

    def __init__(self, objective):
        self.objective, self.module = objective, objective.module
        # The weights come first: their positions are those of the layers.
        self.parameters = [*self.module.weights, *self.module.free_parameters]
        self.sizes = [p[0].numel() for p in self.parameters]
        self.layers = objective.penalties.layers

    def read(self):
        """Return the network's parameters, a new tensor of shape (n_models, n)."""
        return torch.cat([p.flatten(1) for p in self.parameters], 1)

    def write(self, x):
        """Make the vectors the network's parameters."""
        for parameter, part in zip(self.parameters, self.split(x)):
            parameter.copy_(part)

    def split(self, x):
        """Return the parameters that the vectors hold, as views."""
        parts = x.split_with_sizes(self.sizes, 1)
        return [part.view_as(p) for part, p in zip(parts, self.parameters)]

    def evaluate(self, x, step):
        """Return the loss, the penalties and the gradient of the loss."""
        self.write(x)
        loss = self.objective.loss_and_gradient()
        gradient = _joined([p.grad for p in self.parameters])
        penalty = self.objective.penalties.value(self.module.weights)
        mapped = self.prox(x - step * gradient, step)
        return _Point(x, gradient, mapped, loss, loss + penalty, step)

    def prox(self, x, step):
        """Return the proximal operator of the penalties."""
        parts, step = self.split(x), step.unsqueeze(2)
        for i, layer in enumerate(self.layers):
            parts[i] = layer.prox(parts[i], step)
        return _joined(parts)

    def pull_back(self, x, start):
        """Return `x` with zeros where a penalty has a kink on the way to it."""
        parts, starts = self.split(x), self.split(start)
        for i, layer in enumerate(self.layers):
            parts[i] = layer.pull_back(parts[i], starts[i])
        return _joined(parts)

    def slope(self, x, gradient):
        """Return the gradient of the loss and of the penalties that are curved."""
        parts, slopes = self.split(x), self.split(gradient)
        for i, layer in enumerate(self.layers):
            for penalty in layer.penalties:
                if penalty.is_curved:
                    slopes[i] = slopes[i] + penalty.slope(parts[i])
        return _joined(slopes)

    def violation(self, x, gradient):
        """Return how far each model is from its optimality conditions.

        The largest element of the subgradient that is nearest to zero.
        """
        parts, residuals = self.split(x), self.split(gradient)
        for i, layer in enumerate(self.layers):
            residuals[i] = layer.residual(parts[i], residuals[i])
        return _joined(residuals).abs().amax(1)


def _joined(parts):
    return torch.cat([part.flatten(1) for part in parts], 1)


@dataclass
class _Point:
    """An iterate of each model.

    Parameters
    ----------
    x, gradient : Tensor of shape (n_models, n)
        The iterate and the gradient of the loss there.
    loss, value : Tensor of shape (n_models,)
        The loss and the objective.
    mapped : Tensor of shape (n_models, n)
        Where a proximal gradient step leads.
    step : Tensor of shape (n_models, 1)
        Length of that step.
    """

    x: torch.Tensor
    gradient: torch.Tensor
    mapped: torch.Tensor
    loss: torch.Tensor
    value: torch.Tensor
    step: torch.Tensor

    def where(self, mask, other):
        """Return the point with the models not in `mask` from another."""
        wide, parts = mask.unsqueeze(1), []
        for field in fields(self):
            own, others = getattr(self, field.name), getattr(other, field.name)
            parts.append(torch.where(mask if own.dim() == 1 else wide, own, others))
        return _Point(*parts)

    def select(self, models):
        return _Point(*(getattr(self, field.name)[models] for field in fields(self)))


class _Memory:
    """Steps and the changes of the gradient in them, the newest last."""

    def __init__(self):
        self.moved = self.change = None

    def add(self, moved, change):
        moved, change = moved.unsqueeze(1), change.unsqueeze(1)
        if self.moved is None:
            self.moved, self.change = moved, change
        else:
            self.moved = torch.cat([self.moved[:, 1 - MEMORY :], moved], 1)
            self.change = torch.cat([self.change[:, 1 - MEMORY :], change], 1)

    def select(self, models):
        if self.moved is not None:
            self.moved, self.change = self.moved[models], self.change[models]

    def apply(self, vector, free, step):
        """Return the inverse curvature times a vector, both in the free coordinates.

        The compact form of Byrd, Nocedal and Schnabel (1994), "Representations of
        Quasi-Newton Matrices and Their Use in Limited Memory Methods", theorem 2.2.

        Parameters
        ----------
        vector, free : Tensor of shape (n_models, n)
            Zero in the coordinates that are not free; 1 in those that are.
        step : Tensor of shape (n_models, 1)
            The inverse curvature where no pair shows any.
        """
        if self.moved is None:
            return step * vector
        s, y = self.moved * free.unsqueeze(1), self.change * free.unsqueeze(1)
        sy, yy = s @ y.mT, y @ y.mT
        curvature, squares = sy.diagonal(0, 1, 2), yy.diagonal(0, 1, 2)
        valid = curvature > 1e-10 * squares * step
        # A pair that shows no curvature counts nothing: zero, with a one to divide by.
        s, y = s * valid.unsqueeze(2), y * valid.unsqueeze(2)
        both = valid.unsqueeze(2) & valid.unsqueeze(1)
        upper = torch.where(both, sy, 0.0).triu()
        upper.diagonal(0, 1, 2).add_(~valid)
        age = torch.arange(1, valid.size(1) + 1, device=valid.device)
        newest = torch.where(valid, age, 0).argmax(1, True)
        scale = (curvature / squares).gather(1, newest)
        scale = torch.where(valid.any(1, True), scale, step).unsqueeze(2)
        column = vector.unsqueeze(2)
        solve = torch.linalg.solve_triangular
        p = solve(upper, s @ column, upper=True)
        middle = curvature.unsqueeze(2) * p
        middle += scale * (torch.where(both, yy, 0.0) @ p - y @ column)
        q = solve(upper.mT, middle, upper=False)
        return (scale * (column - y.mT @ p) + s.mT @ q).squeeze(2)


class _Solver:
    """The iteration; a step advances all models of the stack."""

    def __init__(self, objective):
        self.vectors, self.memory = _Vectors(objective), _Memory()
        # Constraints hold from the start.
        x = self.vectors.read()
        x, step = self.vectors.pull_back(x, x), x.new_ones(len(x), 1)
        self.point = self._with_step(self.vectors.evaluate(x, step))
        self.violation = self._violation()
        self.best, self.stalled = self.violation, torch.zeros_like(self.violation)

    def _with_step(self, point):
        """Return the point with a step from the curvature along the gradient."""
        length = torch.linalg.vector_norm(point.gradient, dim=1, keepdim=True)
        size = torch.linalg.vector_norm(point.x, dim=1, keepdim=True).clamp(min=1)
        moved = torch.where(length > 0, point.gradient * (1e-6 * size / length), 0.0)
        there = self.vectors.evaluate(point.x + moved, point.step)
        change = there.gradient - point.gradient
        change = torch.linalg.vector_norm(change, dim=1, keepdim=True)
        step = SAFETY * torch.where(change > 0, 1e-6 * size / change, 1.0)
        return self.vectors.evaluate(point.x, step.clamp(max=1e6))

    def _violation(self):
        return self.vectors.violation(self.point.x, self.point.gradient)

    def step(self):
        """Advance every model by a quasi-Newton or else a proximal gradient step."""
        old, slope = self.point, self.vectors.slope
        new, accepted = self._quasi_newton_step(old)
        if not accepted.all():
            new = new.where(accepted, self._gradient_step(old, accepted))
        # At the mapped points, where the curvature of a norm has a bound: at a small
        # row it grows with the inverse of the row's norm.
        change = slope(new.mapped, new.gradient) - slope(old.mapped, old.gradient)
        self.memory.add(new.x - old.x, change)
        self.point = new
        self.violation = self._violation()
        stands = (old.value - new.value <= _rounding(old.value)) & (
            self.violation > 0.9 * self.best
        )
        self.best = torch.minimum(self.best, self.violation)
        self.stalled = torch.where(stands, self.stalled + 1, 0)

    def _quasi_newton_step(self, old):
        """Return the first point on the way that lowers the objective enough.

        And which models have one.
        """
        mapped = old.mapped
        mapping = (old.x - mapped) / old.step
        free = (mapped != 0).to(mapped.dtype)
        inverse = self.memory.apply(mapping * free, free, old.step)
        direction = torch.where(free > 0, -inverse, mapped - old.x)
        best = accepted = None
        for _ in range(MAX_HALVINGS + 1):
            x = self.vectors.pull_back(old.x + direction, mapped)
            trial = self.vectors.evaluate(x, old.step)
            best = trial if best is None else best.where(accepted, trial)
            promised = (mapping * (best.x - old.x)).sum(1).clamp(max=0)
            level = old.value + SUFFICIENT * promised + _rounding(old.value)
            accepted = best.value <= level
            if accepted.all():
                break
            direction = direction / 2
        return best, accepted

    def _gradient_step(self, old, done):
        """Return proximal gradient steps, so short that the loss keeps its bound.

        The bound is that of a loss whose curvature is the inverse of the step.
        """
        best = None
        for _ in range(MAX_SHORTENINGS):
            x = self.vectors.prox(old.x - old.step * old.gradient, old.step)
            trial = self.vectors.evaluate(x, old.step)
            best = trial if best is None else best.where(done, trial)
            moved = best.x - old.x
            bound = old.loss + (old.gradient * moved).sum(1)
            bound += SAFETY * (moved * moved).sum(1) / (2 * old.step[:, 0])
            done = done | (best.loss <= bound + _rounding(old.loss))
            if done.all():
                break
            shorter = torch.where(done.unsqueeze(1), old.step, old.step / 2)
            old = replace(old, step=shorter)
        return best

    def select(self, models, objective):
        """Keep the models in the index `models`, of which `objective` is."""
        self.vectors = _Vectors(objective)
        self.memory.select(models)
        self.point, self.stalled = self.point.select(models), self.stalled[models]
        self.violation, self.best = self.violation[models], self.best[models]


def _rounding(value):
    """Return the differences of a function of this value that mean nothing."""
    return 32 * torch.finfo(value.dtype).eps * (1 + value.abs())


@torch.no_grad()
def minimise(objective, accuracy, on_iteration):
    """Minimise the objectives of a stack of models, in place.

    Parameters
    ----------
    objective : callable
        Returns the `Objective` of the models that are still in the stack.
    accuracy : callable
        Returns the violation of the optimality conditions at which each of them has
        converged, a list of float.
    on_iteration : callable
        Called after every iteration, when the networks hold its result, with the
        objectives and two lists of bool: which models have converged, and which
        can improve no more. Returns the positions of those that go on.
    """
    solver = _Solver(objective())
    while True:
        point, violation = solver.point, solver.violation
        converged = violation <= violation.new_tensor(accuracy())
        finished = (converged | (solver.stalled >= MAX_STALLED)).tolist()
        solver.vectors.write(point.x)
        keep = on_iteration(point.value.tolist(), converged.tolist(), finished)
        if not keep:
            return
        if len(keep) < len(finished):
            solver.select(torch.tensor(keep, device=violation.device), objective())
        solver.step()
