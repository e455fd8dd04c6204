"""The full-batch solver: proximal L-BFGS for a stack of models.

Each iteration computes a proximal gradient step to predict which weights are zero. It
then takes a quasi-Newton step in the other weights, which stops where it would cross a
kink of a penalty. If no point along this step lowers the objective enough, the proximal
gradient step itself is taken and shortened until it does. Byrd, Chin, Nocedal and
Oztoprak (2016), "A family of second-order methods for convex l1-regularized
optimization", combine the two steps for l1 and convex losses. Here the penalties may be
any of `skreg.penalties`, and networks converge to a local optimum. Both steps set
weights exactly to zero.
"""

from dataclasses import dataclass, fields, replace

import torch

# A step is accepted if the objective falls by this share of the decrease that the slope
# predicts (the Armijo condition).
SUFFICIENT = 1e-4
# The proximal gradient step is this share of the inverse of the estimated curvature.
SAFETY = 0.95
# Number of steps that the approximation of the inverse Hessian uses.
MEMORY = 20
# Largest number of halvings of the quasi-Newton step and of the proximal gradient step.
MAX_HALVINGS, MAX_SHORTENINGS = 4, 60
# A model is finished after this many iterations without progress beyond rounding.
MAX_STALLED = 50


class _Vectors:
    """The objective as a function of one flat parameter vector per model."""

    def __init__(self, objective):
        self.objective, self.module = objective, objective.module
        # The weights come first, so that parameter i is the weight of layer i.
        self.parameters = [*self.module.weights, *self.module.free_parameters]
        self.sizes = [p[0].numel() for p in self.parameters]
        self.layers = objective.penalties.layers

    def read(self):
        """Return a copy of the network's parameters, of shape (n_models, n)."""
        return torch.cat([p.flatten(1) for p in self.parameters], 1)

    def write(self, x):
        """Copy the vectors into the network's parameters."""
        for parameter, part in zip(self.parameters, self.split(x)):
            parameter.copy_(part)

    def split(self, x):
        """Split the vectors into parameters, as views."""
        parts = x.split_with_sizes(self.sizes, 1)
        return [part.view_as(p) for part, p in zip(parts, self.parameters)]

    def evaluate(self, x, step):
        """Evaluate the objective and the proximal gradient step at `x`."""
        self.write(x)
        loss = self.objective.loss_and_gradient()
        gradient = _joined([p.grad for p in self.parameters])
        penalty = self.objective.penalties.value(self.module.weights)
        mapped = self.prox(x - step * gradient, step)
        return _Point(x, gradient, mapped, loss, loss + penalty, step)

    def prox(self, x, step):
        """Apply the proximal operator of the penalties."""
        parts, step = self.split(x), step.unsqueeze(2)
        for i, layer in enumerate(self.layers):
            parts[i] = layer.prox(parts[i], step)
        return _joined(parts)

    def pull_back(self, x, start):
        """Return `x` with zeros where the path from `start` to `x` crosses a kink."""
        parts, starts = self.split(x), self.split(start)
        for i, layer in enumerate(self.layers):
            parts[i] = layer.pull_back(parts[i], starts[i])
        return _joined(parts)

    def slope(self, x, gradient):
        """Return the gradient of the loss plus that of the curved penalties."""
        parts, slopes = self.split(x), self.split(gradient)
        for i, layer in enumerate(self.layers):
            for penalty in layer.penalties:
                if penalty.is_curved:
                    slopes[i] = slopes[i] + penalty.slope(parts[i])
        return _joined(slopes)

    def violation(self, x, gradient):
        """Return the violation of the optimality conditions by each model.

        It is the largest absolute element of the minimum-norm subgradient.
        """
        parts, residuals = self.split(x), self.split(gradient)
        for i, layer in enumerate(self.layers):
            residuals[i] = layer.residual(parts[i], residuals[i])
        return _joined(residuals).abs().amax(1)


def _joined(parts):
    return torch.cat([part.flatten(1) for part in parts], 1)


@dataclass
class _Point:
    """The current iterate of each model.

    Parameters
    ----------
    x, gradient : Tensor of shape (n_models, n)
        The iterate and the gradient of the loss at it.
    loss, value : Tensor of shape (n_models,)
        The loss and the objective.
    mapped : Tensor of shape (n_models, n)
        The result of a proximal gradient step from `x`.
    step : Tensor of shape (n_models, 1)
        The length of this step.
    """

    x: torch.Tensor
    gradient: torch.Tensor
    mapped: torch.Tensor
    loss: torch.Tensor
    value: torch.Tensor
    step: torch.Tensor

    def where(self, mask, other):
        """Return this point where `mask` is true and `other` elsewhere."""
        wide, parts = mask.unsqueeze(1), []
        for field in fields(self):
            own, others = getattr(self, field.name), getattr(other, field.name)
            parts.append(torch.where(mask if own.dim() == 1 else wide, own, others))
        return _Point(*parts)

    def select(self, models):
        return _Point(*(getattr(self, field.name)[models] for field in fields(self)))


# What a `_Point` holds besides the iterate, which is in the networks.
POINT = ("gradient", "mapped", "loss", "value", "step")


def column_shapes(n_numbers, n_pairs):
    """Return the shapes of a model's `Solver.columns`, without the axis of the models.

    Parameters
    ----------
    n_numbers : int
        Number of parameters of the network.
    n_pairs : int
        Number of steps that the approximation of the inverse Hessian uses.

    Returns
    -------
    dict of {str: tuple of int}
    """
    shapes = {"gradient": (n_numbers,), "mapped": (n_numbers,), "step": (1,)}
    shapes |= dict.fromkeys(("loss", "value", "violation", "best", "stalled"), ())
    pairs = ("moved", "change") if n_pairs else ()
    return shapes | dict.fromkeys(pairs, (n_pairs, n_numbers))


class _Memory:
    """The last steps and changes of the gradient, the newest last."""

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
        """Return the product of the inverse Hessian approximation and a vector.

        Both are restricted to the free coordinates. The compact form is that of Byrd,
        Nocedal and Schnabel (1994), "Representations of Quasi-Newton Matrices and Their
        Use in Limited Memory Methods", theorem 2.2.

        Parameters
        ----------
        vector : Tensor of shape (n_models, n)
            Zero in the coordinates that are not free.
        free : Tensor of shape (n_models, n)
            1 in the free coordinates, else 0.
        step : Tensor of shape (n_models, 1)
            The inverse curvature to assume where no pair has positive curvature.
        """
        if self.moved is None:
            return step * vector
        # Of a product restricted to the free coordinates, one factor has to be.
        s, y = self.moved, self.change
        free_y = (y * free.unsqueeze(1)).mT
        sy, yy = s @ free_y, y @ free_y
        curvature, squares = sy.diagonal(0, 1, 2), yy.diagonal(0, 1, 2)
        valid = curvature > 1e-10 * squares * step
        # Pairs without positive curvature have zeros in the small systems, and a 1 on
        # the diagonal so that the triangular system can be solved.
        both = valid.unsqueeze(2) & valid.unsqueeze(1)
        upper = torch.where(both, sy, 0.0).triu()
        upper.diagonal(0, 1, 2).add_(~valid)
        age = torch.arange(1, valid.size(1) + 1, device=valid.device)
        newest = torch.where(valid, age, 0).argmax(1, True)
        scale = (curvature / squares).gather(1, newest)
        scale = torch.where(valid.any(1, True), scale, step).unsqueeze(2)
        column, wide = vector.unsqueeze(2), valid.unsqueeze(2)
        along_s, along_y = (torch.where(wide, part @ column, 0.0) for part in (s, y))
        solve = torch.linalg.solve_triangular
        p = solve(upper, along_s, upper=True)
        middle = curvature.unsqueeze(2) * p
        middle += scale * (torch.where(both, yy, 0.0) @ p - along_y)
        q = solve(upper.mT, middle, upper=False)
        return (scale * (column - y.mT @ p) + s.mT @ q).squeeze(2) * free


class Solver:
    """The L-BFGS iteration, which advances all models of the stack at once.

    After its creation, and after every step, the networks hold the current iterate.

    Parameters
    ----------
    objective : Objective
        The objective of the models.
    columns : dict of Tensor, default=None
        The `columns` of an earlier solver, to go on from. The networks must hold its
        iterate.
    """

    def __init__(self, objective, columns=None):
        self.vectors, self.memory = _Vectors(objective), _Memory()
        if columns is not None:
            self._restore(columns)
            return
        # Make the initial weights satisfy the constraints.
        x = self.vectors.read()
        x, step = self.vectors.pull_back(x, x), x.new_ones(len(x), 1)
        self.point = self._with_step(self.vectors.evaluate(x, step))
        self.violation = self._violation()
        self.best, self.stalled = self.violation, torch.zeros_like(self.violation)
        self.vectors.write(self.point.x)

    def columns(self):
        """Return what the next step reads besides the networks, by name.

        Returns
        -------
        dict of {str: Tensor of shape (n_models, ...)}
        """
        found = {name: getattr(self.point, name) for name in POINT}
        found |= {
            name: getattr(self, name) for name in ("violation", "best", "stalled")
        }
        if self.memory.moved is not None:
            found |= {"moved": self.memory.moved, "change": self.memory.change}
        return found

    def _restore(self, columns):
        parts = {name: columns[name] for name in POINT}
        self.point = _Point(x=self.vectors.read(), **parts)
        self.violation, self.best = columns["violation"], columns["best"]
        self.stalled = columns["stalled"]
        self.memory.moved = columns.get("moved")
        self.memory.change = columns.get("change")

    @property
    def values(self):
        """The objective of each model at the current iterate, as a list."""
        return self.point.value.tolist()

    def status(self, accuracies):
        """Return which models are at an optimum, and which should stop.

        Parameters
        ----------
        accuracies : list of float
            For each model, the largest violation of the optimality conditions at which
            it counts as converged.

        Returns
        -------
        converged, finished : list of bool
            A model is finished if it has converged or no longer improves.
        """
        converged = self.violation <= self.violation.new_tensor(accuracies)
        finished = converged | (self.stalled >= MAX_STALLED)
        return converged.tolist(), finished.tolist()

    def _with_step(self, point):
        """Return the point with a step length from the curvature along the gradient."""
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
        """Take a quasi-Newton step, or else a proximal gradient step, in each model.

        After an interrupt, the networks are as before the step.
        """
        try:
            self._go_on()
        finally:
            self.vectors.write(self.point.x)

    def _go_on(self):
        old, slope = self.point, self.vectors.slope
        new, accepted = self._quasi_newton_step(old)
        if not accepted.all():
            new = new.where(accepted, self._gradient_step(old, accepted))
        # The slope is taken at the mapped points, where the curvature of a norm is
        # bounded. Elsewhere it grows with the inverse of the norm of a row.
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
        """Return the first point along the step that lowers the objective enough.

        Returns
        -------
        point : _Point
        accepted : BoolTensor of shape (n_models,)
            Whether such a point was found for each model.
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
        """Take proximal gradient steps that satisfy the quadratic upper bound.

        Steps are halved until the loss is at most that of a quadratic model whose
        curvature is the inverse of the step.
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
        """Keep the models in the index `models`, whose objective is `objective`."""
        self.vectors = _Vectors(objective)
        self.memory.select(models)
        self.point, self.stalled = self.point.select(models), self.stalled[models]
        self.violation, self.best = self.violation[models], self.best[models]


def _rounding(value):
    """Return a bound on the rounding error of a function value."""
    return 32 * torch.finfo(value.dtype).eps * (1 + value.abs())
