"""Checks of losses: do the values, the derivatives and the links agree?"""

import copy
import math

import torch

from skreg.losses.contract import Loss
from skreg.losses.links import LINKS
from skreg.typing import ArrayLike

# Differences at this distance differ from derivatives by about as much.
STEP = 1e-5
TOLERANCE = 1e-4
N_ROWS = 20


def check_loss(
    loss: Loss, target: ArrayLike | None = None, n_outputs: int = 3, seed: int = 0
) -> None:
    """Check numerically that the methods of a loss agree.

    Random raw outputs are tried. For them it is checked that

    - `elementwise` and `derivative` return finite tensors of the shape and the
      precision of their arguments, which they leave unchanged;
    - `derivative` and `curvature` are the slopes of `elementwise` and `derivative`.
      Where these have kinks, any slope between those of the two sides is right;
    - the loss of a row depends neither on other rows nor on other models;
    - `has_curvature`, `is_quadratic` and `out_activation` are true of the methods;
    - `link` is the inverse of `inverse_link`, and `mean_score` predicts the mean;
    - the loss can be hashed, and is equal to a copy.

    Parameters
    ----------
    loss : Loss
        The loss to check.
    target : array-like of shape (n_rows, n_outputs) or None, default=None
        Targets as the loss gets them, after their scaling. None draws numbers from the
        inside of `target_range`.
    n_outputs : int, default=3
        The number of outputs without a `target`.
    seed : int, default=0
        Seed of the random numbers.

    Raises
    ------
    AssertionError
        If methods do not agree. The message names them.
    TypeError
        If `loss` is not a loss, but for example a class.

    Examples
    --------
    >>> import torch
    >>> from skreg.losses import HuberLoss, Loss, check_loss
    >>> check_loss(HuberLoss(0.5))
    >>> class Wrong(Loss):
    ...     def elementwise(self, score, target):
    ...         return (score - target) ** 2
    ...
    ...     def derivative(self, score, target):
    ...         return score - target
    >>> check_loss(Wrong())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AssertionError: derivative of Wrong() is not the slope of elementwise: ...
    """
    if not isinstance(loss, Loss):
        raise TypeError(f"loss must be an instance of Loss, got {loss!r}.")
    generator = torch.Generator().manual_seed(seed)
    if target is None:
        target = _some_targets(loss, (N_ROWS, n_outputs), generator)
    target = torch.as_tensor(target, dtype=torch.float64)
    checks = _Checks(loss, target, generator)
    checks.check_all()
    checks.check_single_precision()
    checks.check_curvature()
    checks.check_mean()


def check_on_targets(loss, target, dtype):
    """Check a loss before a fit, on the first targets, and its values on all of them.

    Parameters
    ----------
    loss : Loss
    target : ndarray of shape (n_rows, n_outputs)
        Targets as the loss gets them.
    dtype : torch.dtype
        The precision of the fit.

    Raises
    ------
    AssertionError
        If methods do not agree, or if a value is not finite. The message names them.
    """
    target = torch.as_tensor(target)
    generator = torch.Generator().manual_seed(0)
    checks = _Checks(loss, target[:N_ROWS].to(torch.float64), generator)
    checks.check_all()
    target = target.to(dtype)[None]
    for name in ("elementwise", "derivative"):
        checks.call(name, torch.zeros_like(target), target)


def _some_targets(loss, shape, generator):
    """Return targets inside the range of a loss."""
    low, high = loss.target_range
    if math.isinf(low) and math.isinf(high):
        return torch.randn(shape, generator=generator, dtype=torch.float64)
    shares = torch.rand(shape, generator=generator, dtype=torch.float64)
    if math.isinf(high):
        return low - shares.log()
    if math.isinf(low):
        return high + shares.log()
    return low + (high - low) * shares


class _Checks:
    """The checks of a loss, and the raw outputs and targets that they try.

    They raise errors themselves, because ``python -O`` leaves out assert statements.

    Parameters
    ----------
    loss : Loss
    target : Tensor of shape (n_rows, n_outputs)
    generator : Generator
    """

    def __init__(self, loss, target, generator):
        self.loss = loss
        self.target = target.repeat(2, 1, 1)
        self.score, self.direction = (
            torch.randn(self.target.shape, generator=generator, dtype=target.dtype)
            for _ in range(2)
        )

    @torch.no_grad()
    def call(self, name, *arguments):
        """Return what a method returns, after checks."""
        copies = [argument.clone() for argument in arguments]
        try:
            found = getattr(self.loss, name)(*arguments)
        except Exception as error:  # a user's function may fail in any way
            shape, advice = tuple(copies[0].shape), ""
            if name == "derivative" and type(self.loss).derivative is Loss.derivative:
                advice = ". Compute elementwise by torch, or define derivative"
            raise AssertionError(
                f"{name} of {self.loss!r} raised {type(error).__name__} for tensors of "
                f"the shape {shape}: {error}{advice}"
            ) from error
        self._check_kind(name, found, copies[0])
        if not all(map(torch.equal, copies, arguments)):
            raise AssertionError(f"{name} of {self.loss!r} changes its arguments.")
        self._check_finite(name, found, copies)
        return found

    def _check_kind(self, name, found, like):
        wanted = tuple(like.shape), like.dtype
        if isinstance(found, torch.Tensor):
            kind = tuple(found.shape), found.dtype
            if kind == wanted:
                return
            got = f"of the shape {kind[0]} and dtype {kind[1]}"
        else:
            got = f"{type(found).__name__}"
        raise AssertionError(
            f"{name} of {self.loss!r} must return a tensor of the shape {wanted[0]} "
            f"and dtype {wanted[1]}, those of its arguments, got {got}."
        )

    def _check_finite(self, name, found, arguments):
        is_bad = ~found.isfinite()
        if not is_bad.any():
            return
        place = tuple(is_bad.nonzero()[0].tolist())
        at = " and ".join(
            f"{what} {argument[place].item():g}"
            for what, argument in zip(("score", "target"), arguments)
        )
        raise AssertionError(
            f"{name} of {self.loss!r} is {found[place].item()} at the {at}. Targets "
            "are scaled before the loss gets them, unless scales_targets=False."
        )

    def check_all(self):
        """Check what every fit needs."""
        self.check_equality()
        self.check_rows()
        self.check_derivative()
        self.check_link()

    def check_equality(self):
        """Copies are equal, as keys of what may train together."""
        try:
            copied = copy.deepcopy(self.loss)
            is_equal = bool(copied == self.loss) and hash(copied) == hash(self.loss)
        except (TypeError, ValueError):
            is_equal = False
        if not is_equal:
            raise AssertionError(
                f"{self.loss!r} must be equal to its copies and have a hash, because "
                "networks with equal losses train together. Use a plain class, or "
                "@dataclass(frozen=True) with fields that can be compared."
            )

    def check_rows(self):
        """The loss of some rows of one model is the same without the others."""
        whole = self.call("elementwise", self.score, self.target)
        middle = (self.score.size(1) + 1) // 2
        for rows in (slice(middle), slice(middle, None)):
            part = slice(1), rows
            some = self.call("elementwise", self.score[part], self.target[part])
            if not torch.allclose(some, whole[part], rtol=1e-9, atol=1e-12):
                raise AssertionError(
                    f"elementwise of {self.loss!r} gives other losses for some rows "
                    "alone than beside others. The loss of a row must depend on its "
                    "own outputs and targets only."
                )

    def check_derivative(self):
        """Compare with differences, of one output at a time."""
        slope = self.call("derivative", self.score, self.target)
        kept = [self.score.clone(), self.target.clone(), slope.clone()]
        try:
            slope.mul_(2)
        except RuntimeError:  # one number in the place of many
            slope = None
        if slope is None or not (
            torch.equal(kept[0], self.score) and torch.equal(kept[1], self.target)
        ):
            raise AssertionError(
                f"derivative of {self.loss!r} must return new memory, which may be "
                "overwritten."
            )
        for output in range(min(self.score.size(2), 8)):
            step = torch.zeros_like(self.score)
            step[..., output] = STEP
            *sides, noise = self._differences("elementwise", step)
            parts = [part.sum(2, keepdim=True) for part in (*sides, noise)]
            worst = _distance(kept[2][..., output : output + 1], *parts)
            if not worst <= TOLERANCE:  # nor nan
                raise AssertionError(
                    f"derivative of {self.loss!r} is not the slope of elementwise: it "
                    f"differs by {worst:.3g}, relative to the size of the numbers."
                )

    def _differences(self, name, step):
        """Return the differences of a method to the left and to the right.

        Also the rounding errors that they may have.
        """
        below, here, above = (
            self.call(name, self.score + side * step, self.target)
            for side in (-1, 0, 1)
        )
        noise = 8 * torch.finfo(here.dtype).eps * here.abs() / STEP
        return (here - below) / STEP, (above - here) / STEP, noise

    def check_link(self):
        """`link` undoes `inverse_link`, and both are what `out_activation` says."""
        loss, name = self.loss, self.loss.out_activation
        is_known, kind = name in LINKS, type(loss)
        has_own = (
            kind.inverse_link is not Loss.inverse_link and kind.link is not Loss.link
        )
        if not is_known and not has_own:
            raise AssertionError(
                f"out_activation={name!r} of {loss!r} is none of {list(LINKS)}. Use "
                "one of these, or define inverse_link and link."
            )
        prediction = self.call("inverse_link", self.score)
        again = self.call("inverse_link", self.call("link", prediction))
        if not torch.allclose(again, prediction, rtol=1e-6, atol=1e-9):
            raise AssertionError(
                f"link of {loss!r} is not the inverse of inverse_link."
            )
        if is_known and not torch.allclose(
            LINKS[name].inverse(self.score), prediction, rtol=1e-6, atol=1e-9
        ):
            raise AssertionError(
                f"inverse_link of {loss!r} is not {name!r}, which out_activation says. "
                "Set out_activation to a name of its own."
            )

    def check_single_precision(self):
        """The results are in single precision if the arguments are."""
        for name in ("elementwise", "derivative"):
            self.call(name, self.score.float(), self.target.float())

    def check_curvature(self):
        """Compare with differences of the derivative, and check the flags."""
        loss, direction = self.loss, self.direction
        *sides, noise = self._differences("derivative", STEP * direction)
        # A jump would have to lie within a step.
        varies = (sides[0].abs() > TOLERANCE + noise).double().mean().item() > 0.01
        if loss.has_curvature != varies:
            raise AssertionError(
                f"derivative of {loss!r} {'varies' if varies else 'is constant'} "
                f"between jumps. Set has_curvature={varies}."
            )
        found = loss.curvature(self.score, self.target, direction)
        self._check_kind("curvature", found, self.score)
        worst = _distance(found, *sides, noise)
        if loss.has_curvature and not worst <= TOLERANCE:  # nor nan
            raise AssertionError(
                f"curvature of {loss!r} is not the slope of derivative: it differs by "
                f"{worst:.3g}, relative to the size of the numbers."
            )
        if loss.is_quadratic and not torch.allclose(found, direction):
            raise AssertionError(
                f"curvature of {loss!r} is not 1 everywhere. Set is_quadratic=False."
            )

    def check_mean(self):
        """`mean_score` gives raw outputs that predict the mean."""
        loss = self.loss
        found = loss.inverse_link(loss.mean_score(self.score))
        wanted = loss.inverse_link(self.score).mean(0)
        if not torch.allclose(found, wanted, rtol=1e-6, atol=1e-9):
            raise AssertionError(
                f"mean_score of {loss!r} does not predict the mean of the predictions."
            )


def _distance(found, left, right, noise):
    """Return how far slopes are outside those of the two sides, relative to their size.

    At a kink, any slope between the two is right. `noise` is their rounding error.
    """
    low, high = torch.minimum(left, right), torch.maximum(left, right)
    outside = (low - found).clamp(min=0) + (found - high).clamp(min=0)
    size = 1 + torch.maximum(low.abs(), high.abs())
    return ((outside - noise).clamp(min=0) / size).max().item()
