"""The check of penalties accepts the library's own and detects each kind of mistake."""

import pytest
import torch

from skreg.penalties import L1, L2, GroupLasso, MaxNorm, NonNegative, Sum, check_penalty
from skreg.penalties.kinds import PENALTIES

STRENGTHS = torch.tensor([0.3, 1.2, 0.05], dtype=torch.float64)


@pytest.mark.parametrize("kind", PENALTIES, ids=lambda kind: kind.parameter)
@pytest.mark.parametrize("shape", [(3, 2), (1, 1)])
def test_the_penalties_of_the_package_pass(kind, shape):
    check_penalty(kind(STRENGTHS), shape)
    check_penalty(kind(torch.where(STRENGTHS > 1, kind.off, STRENGTHS)), shape)


def test_groups_of_several_rows_pass():
    check_penalty(GroupLasso(STRENGTHS, n_rows=2), seed=3)


@pytest.mark.parametrize(
    "kinds",
    [(L1, L2), (L1, GroupLasso, L2), (NonNegative, L2, MaxNorm), ()],
    ids=lambda kinds: "+".join(kind.__name__ for kind in kinds),
)
def test_sums_in_the_order_of_the_package_pass(kinds):
    check_penalty(Sum([kind(STRENGTHS) for kind in kinds or PENALTIES[:2]]))


@pytest.mark.parametrize("kinds", [(L2, L1), (MaxNorm, L1), (GroupLasso, MaxNorm)])
def test_sums_whose_operators_are_not_one_after_another_fail(kinds):
    with pytest.raises(AssertionError, match=r"prox of \w+ \+ \w+ is not the min"):
        check_penalty(Sum([kind(STRENGTHS) for kind in kinds]))


class TooFar(L1):
    def prox(self, z, step):
        return super().prox(z, 1.001 * step)


class WithoutStep(L2):
    def prox(self, z, step):
        return super().prox(z, torch.ones_like(step))


class WrongGroups(GroupLasso):
    def prox(self, z, step):
        return super().prox(z.mT.contiguous(), step).mT


class HalfValue(L2):
    def value(self, weight):
        return super().value(weight) / 2


class Concave(L1):
    def value(self, weight):
        return super().value(weight.abs().sqrt())


class OneNumber(L1):
    def value(self, weight):
        return super().value(weight).sum()


class InPlace(L1):
    def prox(self, z, step):
        return z.copy_(super().prox(z, step))


class FewerColumns(L1):
    def prox(self, z, step):
        return super().prox(z, step)[:, :, :1]


class NotFinite(L1):
    def prox(self, z, step):
        return super().prox(z, step) / 0


class LastModels(L1):
    def strength_for(self, weight):
        return self.strength[-weight.size(0) :]


class NoSlope(L1):
    def slope(self, weight):
        return torch.zeros_like(weight)


class NoReduce(L1):
    def reduce(self, weight, residual):
        return residual


class ReducesAll(L1):
    def reduce(self, weight, residual):
        return torch.where(weight == 0, 0.0, residual)


class ReducesTooLittle(L1):
    """Its subgradient is not the nearest one, except where nothing remains."""

    def reduce(self, weight, residual):
        nearest = super().reduce(weight, residual)
        one = residual + self.strength_for(weight) * residual.sign()
        return torch.where((weight == 0) & (nearest != 0), one, nearest)


class PullsOutside(NonNegative):
    def pull_back(self, weight, start):
        return weight


class PullsAlways(L1):
    def pull_back(self, weight, start):
        return torch.zeros_like(weight)


class SaysSmooth(L1):
    is_smooth = True


class SaysStraight(L2):
    is_curved = False


class SaysConstraint(L1):
    is_constraint = True


class OutsideItself(NonNegative):
    def prox(self, z, step):
        return z


MISTAKES = {
    TooFar: "prox of TooFar is not the minimiser",
    WithoutStep: "prox of WithoutStep is not the minimiser",
    WrongGroups: "prox of WrongGroups is not the minimiser",
    HalfValue: "Either prox or value is wrong",
    Concave: "value of Concave is not convex",
    OneNumber: r"value of OneNumber must have the shape \(3,\).* got \(\)",
    InPlace: "prox of InPlace changes its argument",
    FewerColumns: r"shape of z, \(3, 4, 3\), got \(3, 4, 1\)",
    NotFinite: "prox of NotFinite is not finite",
    LastModels: "differs for the first model alone.*strength_for",
    NoSlope: "slope and reduce of NoSlope miss subgradients",
    NoReduce: "slope and reduce of NoReduce miss subgradients",
    ReducesAll: "do not give a subgradient",
    ReducesTooLittle: "nearest to zero",
    PullsOutside: "pull_back of PullsOutside returns weights that have an infinite",
    PullsAlways: "pull_back of PullsAlways changes weights",
    SaysSmooth: "reduce of SaysSmooth must return the residual as it is",
    SaysStraight: "slope of SaysStraight varies between kinks",
    SaysConstraint: "value of SaysConstraint must be 0 or infinity",
    OutsideItself: "infinite at the result of prox",
}


@pytest.mark.parametrize("kind", MISTAKES, ids=lambda kind: kind.__name__)
def test_each_mistake_is_named(kind):
    with pytest.raises(AssertionError, match=MISTAKES[kind]):
        check_penalty(kind(STRENGTHS))


def test_single_precision_is_refused():
    with pytest.raises(ValueError, match=r"double precision, got torch.float32"):
        check_penalty(L1(STRENGTHS.float()))
