"""A check of penalties: do the value, the proximal operator and the slopes agree?"""

from itertools import pairwise

import torch

from skreg.penalties.combined import Sum
from skreg.penalties.contract import Penalty

# Rounding, as a share of the numbers that are compared.
TOLERANCE = 1e-9
STEPS = (0.2, 2.0)
# Points to compare a proximal operator with lie at these shares of the way. Near points
# show small errors, and far points errors at kinks.
DISTANCES = (0.01, 1.0)


def check_penalty(
    penalty: Penalty | Sum, shape: tuple[int, int] = (4, 3), seed: int = 0
) -> None:
    """Check numerically that the methods of a penalty agree.

    Random weights are tried, with and without zeros. For them it is checked that

    - `value` is convex;
    - `prox` returns the minimiser `p`: at every other point `w` the objective
      ``step * value(w) + ||w - z||^2 / 2`` is larger by at least ``||w - p||^2 / 2``;
    - `slope` and `reduce` give subgradients of `value`, and leave the residual that is
      nearest to zero;
    - `pull_back` keeps to what constraints allow;
    - `is_smooth`, `is_curved` and `is_constraint` are true of the methods;
    - the result for a model does not depend on the other models, and arguments are left
      unchanged.

    `prox_`, `curvature` and `emptying` are not checked.

    Parameters
    ----------
    penalty : Penalty or Sum
        With strengths in double precision. For a sum, the check tells whether applying
        the proximal operators of its terms in turn gives that of the sum.
    shape : tuple of int, default=(4, 3)
        Number of inputs and number of units of the weights.
    seed : int, default=0
        Seed of the random weights.

    Raises
    ------
    AssertionError
        If methods do not agree. The message names them.
    TypeError
        If `penalty` is not a penalty, but for example a class.
    ValueError
        If the strengths are not in double precision.

    Examples
    --------
    >>> import torch
    >>> from skreg.penalties import L1, L2, Sum, check_penalty
    >>> strength = torch.tensor([0.1, 2.0], dtype=torch.float64)
    >>> check_penalty(Sum([L1(strength), L2(strength)]))
    >>> class Wrong(L2):
    ...     def prox(self, z, step):
    ...         return z / (1 + step * self.strength_for(z))
    >>> check_penalty(Wrong(strength))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: prox of Wrong is not the minimiser: ...
    """
    if not isinstance(penalty, Penalty | Sum):
        raise TypeError(
            f"penalty must be an instance of Penalty or a Sum of them, got {penalty!r}."
        )
    whole = penalty if isinstance(penalty, Sum) else Sum([penalty])
    strengths = [part.strength for part in whole.penalties]
    if any(strength.dtype != torch.float64 for strength in strengths):
        raise ValueError(
            "check_penalty needs strengths in double precision, got "
            f"{strengths[0].dtype}. Give torch.tensor([...], dtype=torch.float64)."
        )
    checks = _Checks(whole, (strengths[0].size(0), *shape), seed)
    checks.check_value()
    checks.check_prox()
    checks.check_models()
    checks.check_optimality()
    checks.check_subgradients()
    checks.check_pull_back()
    for part in whole.penalties:
        checks.check_flags(part)


class _Checks:
    """The checks of a sum of penalties, and the weights that they try.

    They raise errors themselves, because ``python -O`` leaves out assert statements.

    Parameters
    ----------
    whole : Sum
    shape : tuple of int
        Shape of the weights, with the models as first axis.
    seed : int
    """

    def __init__(self, whole, shape, seed):
        self.whole, self.shape = whole, shape
        self.name = " + ".join(type(part).__name__ for part in whole.penalties)
        self.generator = torch.Generator().manual_seed(seed)
        self.points = [scale * self.normal() for scale in (0.1, 1.0, 5.0)]
        self.points.append(self.points[1] * (self.normal() > 0))
        # What the proximal operator returns lies on kinks and boundaries, too.
        self.mapped = [
            (z, step, self.prox(z, step)) for z in self.points for step in STEPS
        ]

    def normal(self):
        """Return random weights."""
        size, dtype = self.shape, torch.float64
        return torch.randn(size, generator=self.generator, dtype=dtype)

    def prox(self, z, step):
        """Return the proximal operator, after checks."""
        before = z.clone()
        step = torch.full((z.size(0), 1, 1), step, dtype=z.dtype)
        found = self.whole.prox(z, step)
        if not torch.equal(z, before):
            raise AssertionError(f"prox of {self.name} changes its argument z.")
        if found.shape != z.shape:
            raise AssertionError(
                f"prox of {self.name} must return a tensor of the shape of z, "
                f"{tuple(z.shape)}, got {tuple(found.shape)}."
            )
        if not found.isfinite().all():
            raise AssertionError(f"prox of {self.name} is not finite.")
        return found

    def value(self, weight):
        """Return the value of each model, after a check."""
        found = self.whole.value(weight)
        if found.isnan().any():
            raise AssertionError(f"value of {self.name} is nan.")
        return found

    def others(self, z, p, distances=DISTANCES):
        """Yield points that differ from `p` in an element, a row, a column or all.

        They lie in the direction of `z`, of zero and of random weights.
        """
        _, n_in, n_out = self.shape
        elements = torch.eye(n_in * n_out, dtype=z.dtype).view(-1, 1, n_in, n_out)
        rows = torch.eye(n_in, dtype=z.dtype).view(-1, 1, n_in, 1)
        columns = torch.eye(n_out, dtype=z.dtype).view(-1, 1, 1, n_out)
        masks = [*elements, *rows, *columns, torch.ones(1, 1, 1, dtype=z.dtype)]
        noise = self.normal()
        for direction in (z - p, -p, noise, -noise):
            for mask in masks:
                for distance in distances:
                    yield p + distance * mask * direction

    def check_value(self):
        """Halfway between two points the value is at most the mean of their values."""
        points = [*self.points, *(p for _, _, p in self.mapped)]
        for part in self.whole.penalties:
            shape = tuple(part.value(points[0]).shape)
            if shape != self.shape[:1]:
                raise AssertionError(
                    f"value of {type(part).__name__} must have the shape "
                    f"{self.shape[:1]}, one number for each model, got {shape}."
                )
        for one, other in pairwise(points):
            ends = (self.value(one) + self.value(other)) / 2
            middle = self.value((one + other) / 2)
            if not (middle <= ends + TOLERANCE * (1 + ends.abs())).all():
                raise AssertionError(f"value of {self.name} is not convex.")

    def check_prox(self):
        """The objective is strongly convex, so it grows away from its minimiser."""
        for z, step, p in self.mapped:
            least = step * self.value(p) + _squares(p - z) / 2
            if not least.isfinite().all():
                raise AssertionError(
                    f"value of {self.name} is infinite at the result of prox."
                )
            for other in self.others(z, p):
                value = step * self.value(other) + _squares(other - z) / 2
                excess = value - least - _squares(other - p) / 2
                size = 1 + least.abs() + _squares(other - p)
                if not (excess >= -TOLERANCE * size).all():
                    raise AssertionError(
                        f"prox of {self.name} is not the minimiser: with "
                        f"step={step:g}, step * value(w) + ||w - z||^2 / 2 is too "
                        f"small at another w, by {-excess.min():.3g}. Either prox or "
                        "value is wrong."
                    )

    def check_models(self):
        """The first model has the same result with and without the others."""
        z, step, p = self.mapped[0]
        alone = self.prox(z[:1], step)
        if not torch.allclose(alone, p[:1], rtol=TOLERANCE, atol=TOLERANCE):
            raise AssertionError(
                f"prox of {self.name} differs for the first model alone. Take the "
                "strengths from strength_for(z), which returns those of the models in "
                "z."
            )

    def check_optimality(self):
        """At the result of prox, ``(z - p) / step`` is known to be a subgradient."""
        for z, step, p in self.mapped:
            known = (z - p) / step
            left = self.whole.residual(p, -known).abs().max()
            if not left <= TOLERANCE * (1 + known.abs().max()):  # nor nan
                raise AssertionError(
                    f"slope and reduce of {self.name} miss subgradients: where the "
                    f"result of prox is optimal, they leave a residual of {left:.3g}."
                )

    def check_subgradients(self):
        """Check the subgradients at random gradients and at nearly optimal ones."""
        for z, step, p in self.mapped:
            known = (z - p) / step
            for gradient in (self.normal(), 0.3 * self.normal() - known):
                left = self.whole.residual(p, gradient)
                self._check_is_subgradient(z, p, left - gradient)
                # The condition for the nearest point of a convex set, where `known` is
                # another point of the set.
                nearest = (left * (known - (left - gradient))).sum((1, 2))
                size = 1 + _squares(left) + _squares(known) + _squares(gradient)
                if not (nearest >= -TOLERANCE * size).all():
                    raise AssertionError(
                        f"slope and reduce of {self.name} do not leave the residual "
                        "that is nearest to zero."
                    )

    def _check_is_subgradient(self, z, p, slope):
        """Check that a plane through the value at `p` is nowhere above the value."""
        value = self.value(p)
        for other in self.others(z, p, distances=(1.0,)):
            rise = (slope * (other - p)).sum((1, 2))
            above = self.value(other) - value - rise
            size = 1 + value.abs() + (slope * (other - p)).abs().sum((1, 2))
            if not (above >= -TOLERANCE * size).all():
                raise AssertionError(
                    f"slope and reduce of {self.name} do not give a subgradient: the "
                    f"value at another point is {-above.min():.3g} below the plane "
                    "that it spans."
                )

    def check_pull_back(self):
        """The result is allowed, and weights that did not move stay as they are."""
        for z, _, p in self.mapped:
            if not self.value(self.whole.pull_back(z, p)).isfinite().all():
                raise AssertionError(
                    f"pull_back of {self.name} returns weights that have an infinite "
                    "value."
                )
            stayed = self.whole.pull_back(p, p)
            if not torch.allclose(stayed, p, rtol=TOLERANCE, atol=TOLERANCE):
                raise AssertionError(
                    f"pull_back of {self.name} changes weights that did not move."
                )

    def check_flags(self, part):
        """Check the flags by which a penalty describes its methods."""
        w, residual, name = self.points[-1], self.normal(), type(part).__name__
        if part.is_smooth:
            if not torch.equal(part.reduce(w, residual), residual):
                raise AssertionError(
                    f"reduce of {name} must return the residual as it is, because "
                    "is_smooth=True says that slope is the only subgradient."
                )
        if not part.is_curved:
            if not torch.equal(part.slope(0.5 * w), part.slope(w)):
                raise AssertionError(
                    f"slope of {name} varies between kinks. Set is_curved=True."
                )
        if part.is_constraint:
            values = torch.stack([part.value(point) for point in self.points])
            if not ((values == 0) | values.isinf()).all():
                raise AssertionError(
                    f"value of {name} must be 0 or infinity, because it has "
                    "is_constraint=True."
                )


def _squares(tensor):
    """Return the sum of the squares of each model."""
    return (tensor * tensor).sum((1, 2))
