"""Every penalty, and sums of them, against their definitions by numpy and scipy."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from _numeric import derivative
from scipy.optimize import lsq_linear, minimize

from skreg.penalties.combined import Penalties, Sum
from skreg.penalties.kinds import L1, L2, PENALTIES, GroupLasso

INF = float("inf")
SHAPE = (3, 2)


@dataclass
class Case:
    """A sum of penalties, and a point at which its proximal operator just becomes zero.

    Under max_norm alone, it is just on the sphere instead.
    """

    strengths: dict
    tie: list
    at_tie: list

    def __str__(self):
        return "+".join(self.strengths)


ZERO = [[0.0, 0.0]]
CASES = [
    Case({"l1": 0.5}, [[0.5, -0.5]], ZERO),
    Case({"positive": 1.0}, [[-1.0, 0.0]], ZERO),
    Case({"group_l1": 5.0}, [[3.0, -4.0]], ZERO),
    Case({"l2": 0.5}, [[3.0, -4.0]], [[1.5, -2.0]]),
    Case({"max_norm": 0.75}, [[0.75, -0.75]], [[0.75, -0.75]]),
    Case({"l1": 0.25, "l2": 0.5}, [[0.25, -0.25]], ZERO),
    Case({"l1": 0.5, "group_l1": 5.0}, [[3.5, -4.5]], ZERO),
    Case({"l1": 0.5, "group_l1": 0.25, "l2": 0.1}, [[0.75, 0.5]], ZERO),
    Case({"l1": 0.5, "positive": 1.0}, [[0.5, -9.0]], ZERO),
    Case({"positive": 1.0, "group_l1": 0.5}, [[0.5, -9.0]], ZERO),
    Case({"positive": 1.0, "l2": 0.5}, [[2.0, -1.0]], [[1.0, 0.0]]),
    Case({"l1": 0.5, "max_norm": 0.5}, [[1.0, -0.5]], [[0.5, 0.0]]),
    Case({"l2": 0.5, "max_norm": 0.5}, [[1.0, -1.0]], [[0.5, -0.5]]),
    Case({"positive": 1.0, "max_norm": 0.5}, [[0.5, -9.0]], [[0.5, 0.0]]),
    Case(
        {"l1": 0.25, "positive": 1.0, "l2": 0.5, "max_norm": 0.5},
        [[1.25, 0.25]],
        [[0.5, 0.0]],
    ),
    Case(
        {"l1": 0.25, "positive": 1.0, "group_l1": 0.5, "l2": 0.5}, [[0.75, 0.1]], ZERO
    ),
]
# Of the rows and of the columns, the two have no proximal operator in closed form.
BOTH_WAYS = Case({"group_l1": 0.3, "max_norm": 0.75}, ZERO, ZERO)

every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_sum = pytest.mark.parametrize("case", [*CASES, BOTH_WAYS], ids=str)
every_kind = pytest.mark.parametrize("kind", PENALTIES, ids=lambda kind: kind.parameter)


def test_every_class_has_its_case():
    alone = [next(iter(c.strengths)) for c in CASES if len(c.strengths) == 1]
    assert alone == [kind.parameter for kind in PENALTIES]


def tensor(values):
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def sum_of(strengths):
    """Return the sum for as many models as each strength has elements."""
    return Sum(
        [
            kind(tensor(strengths[kind.parameter]).view(-1))
            for kind in PENALTIES
            if kind.parameter in strengths
        ]
    )


def penalties_of(models, n_layers=1):
    """Return the penalties of models, given as dicts of numbers or of lists."""

    def rows(kind):
        found = [model.get(kind.parameter, kind.off) for model in models]
        return np.array([np.broadcast_to(row, n_layers) for row in found], float)

    return Penalties({kind.parameter: tensor(rows(kind)) for kind in PENALTIES})


def value_of(strengths, W):
    """Return the penalty of a matrix by its definition, without the constraints."""
    value = strengths.get("l1", 0) * np.abs(W).sum()
    value += strengths.get("group_l1", 0) * np.linalg.norm(W, axis=1).sum()
    return value + strengths.get("l2", 0) * (W**2).sum()


def allowed(strengths, W):
    """Return a matrix similar to `W` in the interior of the constraints."""
    if "positive" in strengths:
        W = np.abs(W)
    if "max_norm" in strengths:
        W = 0.9 * strengths["max_norm"] * W / np.linalg.norm(W, axis=0).max()
    return W


def argmin(strengths, z, step):
    """Return ``argmin_W step * penalty(W) + ||W - z||^2 / 2``, found by scipy.

    With ``W = p - n`` and p, n >= 0, the objective is smooth, except for the norms of
    groups at zero. So zero is compared by value for each group.
    """
    if "group_l1" in strengths and len(z) > 1:
        return np.vstack([argmin(strengths, row[None], step) for row in z])
    l1, group, l2 = (strengths.get(key, 0) * step for key in ("l1", "group_l1", "l2"))

    def objective(parts):
        p, n = parts.reshape(2, *z.shape)
        W = p - n
        norm = np.linalg.norm(W)
        value = l1 * (p + n).sum() + l2 * (W**2).sum() + ((W - z) ** 2).sum() / 2
        slope = 2 * l2 * W + W - z
        if group:
            value, slope = value + group * norm, slope + group * W / max(norm, 1e-300)
        return value, np.r_[(l1 + slope).ravel(), (l1 - slope).ravel()]

    constraints = []
    if "max_norm" in strengths:
        for k in range(z.shape[1]):
            column = np.zeros(z.shape)
            column[:, k] = 1

            def inside(parts, column=column):
                p, n = parts.reshape(2, *z.shape)
                return strengths["max_norm"] ** 2 - (column * (p - n) ** 2).sum()

            def gradient(parts, column=column):
                p, n = parts.reshape(2, *z.shape)
                slope = (-2 * column * (p - n)).ravel()
                return np.r_[slope, -slope]

            constraints.append({"type": "ineq", "fun": inside, "jac": gradient})
    upper = 0 if "positive" in strengths else None
    start = np.array([np.maximum(z, 0), np.maximum(-z, 0)])
    start[1] *= upper is None
    if "max_norm" in strengths:
        start *= strengths["max_norm"] / (2 * np.linalg.norm(z, axis=0).max())
    solved = minimize(
        objective,
        start.ravel(),
        jac=True,
        bounds=[(0, None)] * z.size + [(0, upper)] * z.size,
        constraints=constraints,
        method="SLSQP",
        options={"ftol": 1e-16, "maxiter": 1000},
    )
    p, n = solved.x.reshape(2, *z.shape)
    at_zero = objective(np.zeros(2 * z.size))[0]
    return np.zeros_like(z) if group and at_zero <= solved.fun else p - n


@every_case
@pytest.mark.parametrize("seed", range(4))
def test_prox_is_the_argmin(case, seed):
    rng = np.random.default_rng(seed)
    z, step = 2 * rng.standard_normal(SHAPE), rng.uniform(0.2, 1.5)
    if "group_l1" in case.strengths:
        z *= 2  # groups are harder to keep
    found = sum_of(case.strengths).prox(tensor(z)[None], tensor(step))[0].numpy()
    # The objective is rounded to 1e-16 and strongly convex: to the root, 1e-8, is how
    # well its minimiser can be told by value.
    expected = argmin(case.strengths, z, step)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    moved, rate = tensor(z)[None], tensor([3 * step]).view(1, 1, 1)
    for penalty in sum_of(case.strengths).penalties:
        penalty.prox_(moved, rate, 0 * rate + 3, [moved.clone(), moved.clone()])
    np.testing.assert_allclose(moved[0], found, rtol=1e-13, atol=1e-15)


@every_case
def test_prox_is_exact(case):
    penalty, one = sum_of(case.strengths), tensor(1.0)
    assert penalty.prox(tensor([case.tie]), one).tolist() == [case.at_tie]
    assert not penalty.prox(tensor([ZERO]), one).any()
    # A little past the tie something is left.
    if case.at_tie == ZERO and "positive" != str(case):
        assert penalty.prox(1.001 * tensor([case.tie]), one).any()


@every_kind
def test_extreme_strengths(kind):
    """Off is exactly nothing, infinity leaves zeros alone, and zeros cost nothing."""
    z, one = torch.randn(1, 5, 4, dtype=torch.float64), tensor(1.0)
    zero, some = torch.zeros_like(z), torch.randn_like(z)
    off = Sum([kind(tensor([kind.off]))])
    assert torch.equal(off.prox(z, one), z)
    assert torch.equal(off.pull_back(z, some), z)
    assert torch.equal(off.residual(z, some), some)
    assert torch.equal(off.residual(zero, some), some)
    assert off.value(z).item() == 0
    full = Sum([kind(tensor([INF]))])
    assert not full.prox(zero, one).any()
    assert full.value(zero).item() == 0
    if not full.penalties[0].is_constraint:
        assert not full.prox(z, one).any()
        assert full.value(z).item() == INF
        assert not full.residual(zero, 1e9 * some).any()


@every_case
def test_value(case):
    rng = np.random.default_rng(0)
    W = allowed(case.strengths, rng.standard_normal(SHAPE))
    W[1, 0] = 0
    penalty = sum_of(case.strengths)
    expected = value_of(case.strengths, W)
    assert penalty.value(tensor(W)[None]).item() == pytest.approx(expected, rel=1e-14)
    if "positive" in case.strengths:
        assert penalty.value(-tensor(W)[None]).item() == INF
    if "max_norm" in case.strengths:
        assert penalty.value(tensor(3 * W)[None]).item() == INF
        # What the projection returns is allowed, whatever its rounding.
        far = tensor(rng.standard_normal((1, 500, 2)))
        assert penalty.value(penalty.prox(far, tensor(1e-9))).item() < INF


@every_sum
def test_slope_is_the_derivative(case):
    rng = np.random.default_rng(1)
    W = tensor(allowed(case.strengths, rng.uniform(0.3, 1, SHAPE)))[None]
    if "positive" not in case.strengths:
        W[0, 1] *= -1
    for penalty in sum_of(case.strengths).penalties:
        expected = derivative(penalty.value, W)
        torch.testing.assert_close(penalty.slope(W), expected, rtol=1e-9, atol=1e-10)
        if not penalty.is_curved:
            assert torch.equal(penalty.slope(0.5 * W), penalty.slope(W))
        # Where there are several subgradients, reduce knows them.
        assert not penalty.slope(torch.zeros_like(W)).any()


def distance(strengths, W, gradient):
    """Return the distance of ``-gradient`` to the subdifferential, found by scipy.

    Over ``l1 * s + group * u + 2 * l2 * W - v + lam * W``: signs `s` and normed rows
    `u`, free in their balls at zero, multipliers `v` at zero and `lam` on the sphere.
    """
    l1, group, l2 = (strengths.get(key, 0) for key in ("l1", "group_l1", "l2"))
    norms, zero = np.linalg.norm(W, axis=1, keepdims=True), W == 0
    empty = np.broadcast_to(norms == 0, W.shape)
    fixed = gradient + l1 * np.sign(W) + 2 * l2 * W
    fixed = fixed + group * W / np.where(norms > 0, norms, 1)
    radius = strengths.get("max_norm", INF)
    on_sphere = np.linalg.norm(W, axis=0) > radius * (1 - 1e-12)

    positive = "positive" in strengths
    upper = np.concatenate(
        [
            zero.ravel() * (l1 > 0),
            empty.ravel() * (group > 0),
            np.where(zero.ravel() & positive, 1e3, 0),
            np.where(on_sphere, 1e3, 0),
        ]
    )
    lower = np.where(np.arange(len(upper)) < 2 * W.size, -upper, 0)
    each, columns = np.eye(W.size), np.tile(np.eye(W.shape[1]), (len(W), 1))
    A = np.c_[l1 * each, group * each, -each, columns * W.reshape(-1, 1)]
    if not group or not empty.any():
        chosen = upper > 0
        if not chosen.any():
            return np.linalg.norm(fixed)
        bounds = lower[chosen], upper[chosen]
        solved = lsq_linear(A[:, chosen], -fixed.ravel(), bounds, "bvls", tol=1e-15)
        return np.sqrt(2 * solved.cost)

    def objective(parts):
        r = fixed.ravel() + A @ parts
        return r @ r, 2 * A.T @ r

    constraints = []
    for j in np.flatnonzero(empty[:, 0]):
        row = np.zeros(len(upper))
        row[W.size + j * W.shape[1] : W.size + (j + 1) * W.shape[1]] = 1
        constraints.append(
            {
                "type": "ineq",
                "fun": lambda x, row=row: 1 - row @ x**2,
                "jac": lambda x, row=row: -2 * row * x,
            }
        )
    found = np.zeros(len(upper))
    for _ in range(10):  # SLSQP gives up early, and goes on from where it did
        found = minimize(
            objective,
            found,
            jac=True,
            bounds=list(zip(lower, upper)),
            constraints=constraints,
            method="SLSQP",
            options={"ftol": 1e-16, "maxiter": 1000},
        ).x
    return objective(found)[0] ** 0.5


def places(strengths, rng):
    """Yield matrices inside, with zeros or zero rows, on the sphere, and all zero."""
    W = allowed(strengths, rng.standard_normal(SHAPE))
    yield W
    some = W.copy()
    some[0, 1] = some[2, 0] = 0
    yield some
    some[0] = 0
    yield some
    if "max_norm" in strengths:
        yield W * strengths["max_norm"] / np.linalg.norm(W, axis=0)
        some[:, 1] *= strengths["max_norm"] / np.linalg.norm(some[:, 1])
        yield some
    yield np.zeros(SHAPE)


@every_sum
@pytest.mark.parametrize("seed", range(3))
def test_residual_is_the_distance_to_the_subdifferential(case, seed):
    rng = np.random.default_rng(seed)
    for W in places(case.strengths, rng):
        gradient = rng.standard_normal(SHAPE)
        own = sum_of(case.strengths).residual(tensor(W)[None], tensor(gradient)[None])
        # SLSQP finds the distance to the root of its tolerance.
        expected = distance(case.strengths, W, gradient)
        assert own.norm().item() == pytest.approx(expected, abs=2e-6)


@every_case
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_fixed_points_of_the_prox_are_optimal(case, strength):
    """Where ``w = prox(w - step * gradient)`` nothing is left, and elsewhere it is."""
    rng = np.random.default_rng(0)
    z = tensor(2 * rng.standard_normal((20, 6, 4)))
    step = tensor(strength)
    penalty = sum_of({key: [s] * 20 for key, s in case.strengths.items()})
    w = penalty.prox(z, step)
    gradient = (z - w) / -step
    residual = penalty.residual(w, gradient)
    # A few roundings of numbers up to thirty.
    assert residual.abs().max() < 1e-13
    assert (penalty.residual(w, gradient - 20).abs().amax((1, 2)) > 0.1).all()


def test_outside_the_constraints_nothing_is_optimal():
    W, zero = tensor([[[-1e-3], [0.5]]]), torch.zeros(1, 2, 1, dtype=torch.float64)
    assert sum_of({"positive": 1.0}).residual(W, zero).max() == INF
    assert sum_of({"max_norm": 0.49}).residual(W, zero).max() == INF


@every_kind
def test_emptying(kind):
    """Exactly: at it zero weights are optimal, and just below they are not."""
    rng = torch.Generator().manual_seed(0)
    gradient = torch.randn(7, 5, 4, generator=rng, dtype=torch.float64)
    zero = torch.zeros_like(gradient)
    largest = kind(torch.ones(7, dtype=torch.float64)).emptying(gradient)
    assert largest.shape == (7,)
    if kind not in (L1, GroupLasso):
        assert (largest == INF).all()
        return
    assert not Sum([kind(largest)]).residual(zero, gradient).any()
    left = Sum([kind(0.999 * largest)]).residual(zero, gradient)
    assert (left != 0).any(2).any(1).all()


@every_case
def test_pull_back(case):
    """Zero beyond a kink, allowed beyond a constraint, and else the point itself."""
    rng = np.random.default_rng(0)
    penalty = sum_of(case.strengths)
    start = tensor(allowed(case.strengths, rng.standard_normal(SHAPE)))[None]
    near = 0.5 * start
    assert torch.equal(penalty.pull_back(near, start), near)
    # From a zero both ways are open, as far as a constraint allows.
    zero = torch.zeros_like(start)
    assert torch.equal(penalty.pull_back(near, zero), near)
    crossing = near.clone()
    crossing[0, 1] *= -1
    pulled = penalty.pull_back(crossing, start)
    assert torch.equal(pulled[0, ::2], near[0, ::2])
    if {"l1", "group_l1", "positive"} & set(case.strengths):
        assert not pulled[0, 1].any()
    else:
        assert torch.equal(pulled, crossing)
    far = penalty.pull_back(100 * start, start)
    assert penalty.value(far).item() < INF
    if "max_norm" not in case.strengths:
        assert torch.equal(far, 100 * start)


@every_sum
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_models_have_strengths_of_their_own(case, dtype):
    """All models as each alone, in their precision, arguments left as they were."""
    rng = torch.Generator().manual_seed(0)
    W, start, gradient = torch.randn(3, 3, 5, 4, generator=rng, dtype=dtype)
    strengths = {key: [0.5 * s, s, 2 * s] for key, s in case.strengths.items()}
    step = torch.tensor([0.1, 1.0, 2.0], dtype=dtype).view(3, 1, 1)

    def results(models):
        whole = penalties_of([{k: s[m] for k, s in strengths.items()} for m in models])
        typed = {key: s.to(dtype) for key, s in whole.strengths.items()}
        penalty, w = Penalties(typed).layers[0], W[models]
        projected = penalty.prox(w, step[models])
        return [
            penalty.value(w),
            projected,
            penalty.pull_back(w, start[models]),
            penalty.residual(projected, gradient[models]),
        ]

    before = W.clone()
    together = results([0, 1, 2])
    for model in range(3):
        for whole, alone in zip(together, results([model])):
            assert alone.dtype == dtype
            torch.testing.assert_close(whole[model : model + 1], alone)
    assert torch.equal(W, before)
    first_two = sum_of(strengths).prox(W[:2].double(), step[:2].double())
    torch.testing.assert_close(first_two, together[1][:2].double())


def two_models():
    """Return penalties and weights of two models of two layers, some of them zero."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 4, 2))]
    weights[0][0, 1] = 0
    weights[1][1, :, 0] = 0
    models = [
        {"l1": [0.1, 0.2], "l2": [0.3, 0.0], "group_l1": [0.6, 0.0]},
        {"l1": [0.0, 0.5], "l2": [0.7, 0.4], "max_norm": [9.0, 0.1]},
    ]
    return models, penalties_of(models, 2), [tensor(weight) for weight in weights]


def of_layer(model, layer):
    return {key: strengths[layer] for key, strengths in model.items()}


def test_value_of_a_stack():
    """The sum over the layers, without the constraints."""
    models, penalties, weights = two_models()
    expected = [
        sum(value_of(of_layer(model, i), W[m].numpy()) for i, W in enumerate(weights))
        for m, model in enumerate(models)
    ]
    np.testing.assert_allclose(penalties.value(weights), expected, rtol=1e-14)
    second = penalties.select(torch.tensor([1]))
    found = second.value([w[1:] for w in weights])
    np.testing.assert_allclose(found, expected[1:], rtol=1e-14)
    assert penalties.of_layers(GroupLasso) and not second.of_layers(GroupLasso)
    kinds = [[type(p).parameter for p in layer.penalties] for layer in penalties.layers]
    assert kinds == [["l1", "group_l1", "l2", "max_norm"], ["l1", "l2", "max_norm"]]
    assert all(type(p) is L2 for parts in penalties.smooth for p in parts)
    assert [len(parts) for parts in penalties.nonsmooth] == [3, 2]


def test_violation_of_a_stack_is_its_largest_residual():
    _, penalties, weights = two_models()
    weights[1][1] *= 0.1 / weights[1][1].norm(dim=0, keepdim=True).clamp(min=0.1)
    rng = torch.Generator().manual_seed(0)
    gradients = [
        torch.randn(w.shape, generator=rng, dtype=torch.float64) for w in weights
    ]
    parts = [
        layer.residual(w, g).abs().amax((1, 2))
        for layer, w, g in zip(penalties.layers, weights, gradients)
    ]
    violation = penalties.violation(weights, gradients)
    assert torch.equal(violation, torch.maximum(*parts)) and violation.isfinite().all()


def test_smooth_gradient():
    """Of l2, and of the first models alone where there are no more."""
    models, penalties, weights = two_models()
    only_l2 = penalties_of([{"l2": model["l2"]} for model in models], 2)
    whole = [torch.ones_like(weight) for weight in weights]
    part = [torch.ones_like(weight[:1]) for weight in weights]
    penalties.add_smooth_gradient(weights, whole)
    penalties.add_smooth_gradient([weight[:1] for weight in weights], part)
    assert all(torch.equal(one[:1], two) for one, two in zip(whole, part))
    for layer, weight in enumerate(weights):

        def value(moved, layer=layer):
            return only_l2.value([*weights[:layer], moved, *weights[layer + 1 :]])

        expected = 1 + derivative(value, weight)
        torch.testing.assert_close(whole[layer], expected, rtol=1e-9, atol=1e-10)
