"""Newton's method for linear models of which few weights are not zero.

Each iteration solves a Newton system for the weights that are not zero and for some of
those that should enter. The entering weights move along the steepest descent: their
signs are known, and if the system moves one the other way, it stays at zero and the
system is solved again. The step ends at the best of the points at which a weight
becomes zero and of a few others. More weights may enter after a full step, and none
after a step that ended at a zero.

For a squared error and l1 this is the feature-sign search of Lee, Battle, Raina and Ng
(2006), "Efficient sparse coding algorithms", in which several features may enter at a
time. It ends with the optimum after about as many iterations as there are changes of
the active set. Coordinate descent and L-BFGS need thousands, if there are fewer rows
than inputs and the strength is small.
"""

import math
from dataclasses import dataclass

import torch

from skreg.penalties.kinds import L1, L2, GroupLasso, NonNegative

# A shortened step is this share of the Newton step, if the loss is not quadratic.
SHARES = (1.0, 0.5, 0.25, 0.125, 1 / 16, 1 / 64, 1 / 256, 1 / 1024)
# Of the points where a weight becomes zero, so many are tried.
MAX_KINKS = 24
# Of the weights that should enter, so many do at first, and at most.
FIRST_ENTERING, MOST_ENTERING = 8, 512
# The solver gives up after this many iterations without progress beyond rounding, and
# if this many weights are not zero, because L-BFGS is faster then.
MAX_STALLED, MAX_ACTIVE = 5, 2000
# The largest number of elements of the Newton system's factors.
MAX_ELEMENTS = 2**24
# The penalties that the solver takes.
KINDS = (L1, NonNegative, GroupLasso, L2)


class Unsolved(Exception):
    """The solver gave up, because another one is faster or more robust."""


@dataclass
class Part:
    """The problem of a linear model, restricted to some of its inputs.

    Parameters
    ----------
    x : Tensor of shape (n_rows, n)
        The inputs, scaled.
    target, weight : Tensor of shape (1, n_rows, n_outputs) and (1, n_rows, 1)
    loss : Loss
    penalty : Sum
        Of the `KINDS`.
    inputs : LongTensor of shape (n,)
        The positions of its inputs among all of them.
    products : Products or None
        The products of the inputs, for a loss that is quadratic.
    """

    x: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
    loss: object
    penalty: object
    inputs: torch.Tensor
    products: object

    def has(self, kind):
        return any(type(part) is kind for part in self.penalty.penalties)


@dataclass
class Iterate:
    """The weights of a `Part` and what follows from them.

    Parameters
    ----------
    part : Part
    w : Tensor of shape (1, n, n_outputs)
    bias : Tensor of shape (1, 1, n_outputs)
    score : Tensor of shape (1, n_rows, n_outputs)
        The raw outputs.
    """

    part: Part
    w: torch.Tensor
    bias: torch.Tensor
    score: torch.Tensor

    def __post_init__(self):
        part = self.part
        loss, self.slopes = part.loss.value_and_gradient(
            self.score, part.target, part.weight
        )
        self.value = (loss + part.penalty.value(self.w)).item()
        self.gradient = (part.x.T @ self.slopes[0])[None]
        self.residual = part.penalty.residual(self.w, self.gradient)
        self.bias_gradient = self.slopes.sum(1)[0]
        largest = self.bias_gradient.abs().max().item()
        if self.residual.numel():
            largest = max(largest, self.residual.abs().max().item())
        self.violation = largest


def start(part, w, bias):
    """Return the first `Iterate`."""
    return Iterate(part, w, bias, part.x @ w + bias)


def minimise(point, accuracy, on_iteration=lambda point: True):
    """Minimise the objective of a part.

    Parameters
    ----------
    point : Iterate
    accuracy : float
        The largest violation of the optimality conditions at the end.
    on_iteration : callable, default=lambda point: True
        Called with each new iterate. It returns whether to continue.

    Returns
    -------
    Iterate

    Raises
    ------
    Unsolved
        If there are too many active weights, or no progress.
    """
    n_entering, may_enter, stalled, best = FIRST_ENTERING, True, 0, point.violation
    while point.violation > accuracy:
        active = _active(point, n_entering if may_enter else 0)
        delta, bias_delta, all_kept = _newton_step(point, active)
        new, share = _search(point, delta, bias_delta)
        stands = new.value >= point.value - _rounding(point.value)
        stalled = stalled + 1 if stands and new.violation > 0.9 * best else 0
        if stalled > MAX_STALLED or not math.isfinite(new.value):
            raise Unsolved
        best = min(best, new.violation)
        if active.is_new.any():
            is_easy = share == 1 and all_kept
            changed = 2 * n_entering if is_easy else n_entering // 2
            n_entering = min(max(changed, 1), MOST_ENTERING)
        # Alone, weights that cannot move leave the way to those that can.
        may_enter, point = share == 1 or not point.w.any(), new
        if not on_iteration(point):
            break
    return point


@dataclass
class _Active:
    """The directions in which weights move, one for each active weight.

    Parameters
    ----------
    inputs : LongTensor of shape (n,)
    units : Tensor of shape (n, n_outputs)
        Of length one: along a single weight, or along those of a group that enters.
    is_new : BoolTensor of shape (n,)
        Whether it enters, and can only move forwards.
    """

    inputs: torch.Tensor
    units: torch.Tensor
    is_new: torch.Tensor


def _active(point, n_entering):
    """Return the active directions: weights that are not zero, and some that enter."""
    part, w = point.part, point.w[0]
    is_used = w != 0
    inputs, outputs = is_used.nonzero(as_tuple=True)
    units = torch.nn.functional.one_hot(outputs, w.size(1)).to(w.dtype)
    new_inputs, new_units = inputs[:0], units[:0]
    if n_entering:
        room = n_entering
        if not part.has(L2):  # the optimum has no more weights than rows
            room = min(room, max(1, (len(part.x) - 1) * w.size(1) - len(inputs)))
        steep = torch.where(is_used, 0.0, -point.residual[0])
        new_inputs, new_units = _entering(part, is_used, steep, room)
    if len(inputs) + len(new_inputs) > MAX_ACTIVE:
        raise Unsolved
    is_new = torch.zeros(len(inputs) + len(new_inputs), dtype=torch.bool)
    is_new[len(inputs) :] = True
    inputs, units = torch.cat([inputs, new_inputs]), torch.cat([units, new_units])
    if not part.loss.is_quadratic and units.numel() * len(part.x) > MAX_ELEMENTS:
        raise Unsolved
    return _Active(inputs, units, is_new)


def _entering(part, is_used, steep, room):
    """Return inputs and directions of the weights that should enter most.

    Parameters
    ----------
    part : Part
    is_used : BoolTensor of shape (n, n_outputs)
    steep : Tensor of shape (n, n_outputs)
        The steepest descent in the weights that are zero.
    room : int
        The largest number of directions.
    """
    n_outputs = steep.size(1)
    if n_outputs > 1 and part.has(GroupLasso):
        # From zero, a group can only move along its steepest descent. Weights within
        # a group that is used are as those without a group.
        is_whole = ~is_used.any(1)
        whole = torch.where(is_whole[:, None], steep, 0.0)
        single = torch.where(is_whole[:, None], 0.0, steep)
        sizes = torch.cat(
            [torch.linalg.vector_norm(whole, dim=1), single.abs().ravel()]
        )
    else:
        whole, sizes = steep[:0], steep.abs().ravel()
    sizes, order = sizes.topk(min(room, len(sizes)))
    order = order[sizes > 0]
    is_group = order < len(whole)
    singles = order[~is_group] - len(whole)
    inputs = torch.cat([order[is_group], singles // n_outputs])
    outputs = singles % n_outputs
    signs = steep[singles // n_outputs, outputs].sign()[:, None]
    own = torch.nn.functional.one_hot(outputs, n_outputs) * signs
    groups = torch.nn.functional.normalize(whole[order[is_group]], dim=1)
    return inputs, torch.cat([groups, own.to(steep.dtype)])


def _newton_step(point, active):
    """Return the changes of weights and biases that a Newton step takes.

    Returns
    -------
    delta : Tensor of shape (1, n, n_outputs)
    bias_delta : Tensor of shape (1, 1, n_outputs)
    all_kept : bool
        Whether all entering weights move in their direction.
    """
    n_active = len(active.inputs)
    hessian = _loss_hessian(point, active)
    if n_active:
        hessian[:n_active, :n_active] += _penalty_hessian(point, active)
    slope = (point.residual[0, active.inputs] * active.units).sum(1)
    slope = torch.cat([slope, point.bias_gradient])
    move = torch.zeros_like(slope)
    is_free = torch.ones(len(slope), dtype=torch.bool)
    while True:
        free = is_free.nonzero()[:, 0]
        move[free] = -_solve(hessian[free][:, free], slope[free])
        wrong = (active.is_new & is_free[:n_active] & (move[:n_active] < 0)).nonzero()
        if not len(wrong):
            break
        is_free[wrong[:, 0]], move[wrong[:, 0]] = False, 0.0
    delta = torch.zeros_like(point.w[0])
    delta.index_add_(0, active.inputs, move[:n_active, None] * active.units)
    all_kept = bool(is_free[:n_active][active.is_new].all())
    return delta[None], move[n_active:].view(1, 1, -1), all_kept


def _loss_hessian(point, active):
    """Return the Hessian of the loss in the active directions and in the biases."""
    part = point.part
    n_rows, n_outputs = len(part.x), point.w.size(2)
    units = torch.cat([active.units, torch.eye(n_outputs, dtype=active.units.dtype)])
    x = part.x.T[active.inputs]
    if part.loss.is_quadratic:
        products = part.products.of(part.inputs[active.inputs], x.T)
        means = x @ part.weight[0]
        last = torch.cat([means, means.new_ones(n_outputs, 1)])
        last = last.expand(-1, n_outputs)
        products = torch.cat([products, last[: len(x)].T])
        return torch.cat([products, last], 1) * (units @ units.T)
    x = torch.cat([x, x.new_ones(n_outputs, n_rows)])
    moves = x[:, :, None] * units[:, None]
    bent = part.loss.curvature(point.score, part.target, moves) * part.weight
    return bent.flatten(1) @ moves.flatten(1).T


def _penalty_hessian(point, active):
    """Return the Hessian of the penalties in the active directions.

    They are sums over inputs, so that directions of different inputs do not interact.
    """
    w, units = point.w[:, active.inputs], active.units
    bent = torch.zeros_like(units)
    for penalty in point.part.penalty.penalties:
        if penalty.is_curved:
            bent += penalty.curvature(w, units[None])[0]
    return (bent @ units.T) * (active.inputs[:, None] == active.inputs)


def _solve(hessian, slope):
    """Solve a Newton system, whose matrix may be singular."""
    size = hessian.diagonal().abs().max()
    damping = 1e-12 * size if size > 0 else hessian.new_tensor(1.0)
    while True:
        damped = hessian + damping * torch.eye(len(hessian), dtype=hessian.dtype)
        factor, failed = torch.linalg.cholesky_ex(damped)
        if not failed:
            return torch.cholesky_solve(slope[:, None], factor)[:, 0]
        damping = 100 * damping
        if not torch.isfinite(damping):
            raise Unsolved


def _search(point, delta, bias_delta):
    """Return the best point along a step, and the share of the step that it takes.

    The shares that are tried are those at which weights or groups become zero, and
    `SHARES`.
    """
    part = point.part
    moving = delta[0].any(1).nonzero()[:, 0]
    w, d = point.w[:, moving], delta[:, moving]
    kinks = _kinks(part, w, d)
    within = kinks[kinks < 1].unique()[:MAX_KINKS]
    shares = torch.cat([within, w.new_tensor(SHARES)]).view(-1, 1, 1)
    # At its own share a weight is zero, whatever the rounding.
    weights = torch.where(shares == kinks, 0.0, w + shares * d)
    x, biases = part.x[:, moving], shares * bias_delta
    if len(within) and _has_groups(part, w):
        scores = point.score + x @ (weights - w) + biases
    else:  # weights become zero on the line
        scores = point.score + shares * (x @ d + bias_delta)
    values = part.loss.value(scores, part.target, part.weight)
    values = values + part.penalty.value(weights)  # of the same model at each share
    values = torch.where(values.isnan(), math.inf, values)
    # Of shares that are equally good, take the largest.
    good = values <= values.min() + _rounding(point.value) / 8
    best = torch.where(good, shares.flatten(), -1.0).argmax()
    new = point.w.clone()
    new[:, moving] = weights[best]
    bias = point.bias + biases[best]
    return Iterate(part, new, bias, scores[best : best + 1]), shares[best].item()


def _has_groups(part, w):
    return w.size(2) > 1 and part.has(GroupLasso)


def _kinks(part, w, d):
    """Return the share of a step at which each weight becomes zero.

    A group does so where the step has turned its weights by a right angle.

    Parameters
    ----------
    part : Part
    w, d : Tensor of shape (1, n, n_outputs)
        Weights and their changes.

    Returns
    -------
    Tensor of shape (1, n, n_outputs)
        Infinity for weights that do not become zero.
    """
    kinks = torch.full_like(w, math.inf)
    if part.has(L1) or part.has(NonNegative) or w.size(2) == 1:
        kinks = torch.where(w * d < 0, -w / d, kinks)
    if _has_groups(part, w):
        along = (w * d).sum(2, keepdim=True)
        turned = torch.where(along < 0, -(w * w).sum(2, keepdim=True) / along, math.inf)
        kinks = torch.minimum(kinks, turned)
    return kinks


def _rounding(value):
    """Return a bound on the rounding error of a function value."""
    return 32 * torch.finfo(torch.float64).eps * (1 + abs(value))
