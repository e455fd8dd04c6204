"""The space of BayesSearchCV: Optuna's distributions, and translations of others."""

import warnings

import numpy as np
import optuna
import pytest
from _searches import candidates, search_surface
from scipy import stats
from sklearn.linear_model import Ridge

from skreg import OffOr


class Dice:
    """A distribution that defines its own translation to Optuna."""

    def rvs(self, random_state=None):
        return 4

    def to_optuna(self):
        return stats.randint(1, 7)


def trial_distributions(space):
    search = search_surface(space, n_iter=8, sampler="random")
    found = {}
    for trial in search.study_.trials:
        found |= trial.distributions
    return found, candidates(search)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (stats.uniform(2, 3), optuna.distributions.FloatDistribution(2, 5)),
        (
            stats.loguniform(1e-3, 10, scale=2),
            optuna.distributions.FloatDistribution(2e-3, 20, log=True),
        ),
        (
            stats.reciprocal(1, 10),
            optuna.distributions.FloatDistribution(1, 10, log=True),
        ),
        (stats.randint(3, 7), optuna.distributions.IntDistribution(3, 6)),
        (Dice(), optuna.distributions.IntDistribution(1, 6)),
        ([1, 2.5], optuna.distributions.CategoricalDistribution([1, 2.5])),
        (
            optuna.distributions.IntDistribution(2, 8, step=2),
            optuna.distributions.IntDistribution(2, 8, step=2),
        ),
        (
            optuna.distributions.FloatDistribution(0, 1, step=0.25),
            optuna.distributions.FloatDistribution(0, 1, step=0.25),
        ),
        (
            optuna.distributions.CategoricalDistribution([0, 3]),
            optuna.distributions.CategoricalDistribution([0, 3]),
        ),
    ],
)
def test_what_optuna_draws_from(given, expected):
    found, _ = trial_distributions({"a": given})
    assert found["a"] == expected


@pytest.mark.parametrize(
    "values",
    [
        [(100,), (50, 50), ()],
        [True, 1, 1.0],
        np.array([3, 5]),
        [Ridge(1.0), Ridge(2.0)],
    ],
)
def test_any_value_may_be_in_a_list(values):
    """What Optuna cannot keep, or tell apart, it knows by position."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = [c["c"] for c in trial_distributions({"c": values})[1]]
    assert len(drawn) == len(values)
    for value in drawn:
        assert any(value is other or value == other for other in values)
    kinds = {type(value) for value in drawn}
    assert kinds == {type(value) for value in values}


def test_a_strength_that_may_be_off_is_a_switch_and_a_strength():
    search = search_surface({"a": OffOr(stats.uniform(1, 1), off=-3.0)}, n_iter=24)
    off, on = 0, 0
    for trial in search.study_.trials:
        if trial.params["a is on"]:
            on += 1
            assert 1 <= trial.params["a"] <= 2
        else:
            off += 1
            assert "a" not in trial.params
    assert off and on
    # Off is one candidate, and the optimum is among the strengths.
    assert sum(c["a"] == -3.0 for c in candidates(search)) == 1
    assert search.best_params_["a"] == pytest.approx(1.3, abs=0.1)


def test_the_odds_of_off_are_the_random_samplers():
    space = {"a": OffOr(stats.uniform(1, 1), probability=0.8)}
    search = search_surface(space, n_iter=300, sampler="random", batch_size=300)
    n_off = sum(trial.params["a is on"] < 4 for trial in search.study_.trials)
    # Four standard deviations of a binomial of 300 draws are 0.09.
    assert n_off / 300 == pytest.approx(0.8, abs=0.09)


@pytest.mark.parametrize(
    "distribution",
    [stats.norm(), [], "off", 3.0, OffOr(stats.expon()), lambda: 1],
)
def test_what_optuna_cannot_draw_from(distribution):
    with pytest.raises(ValueError, match=r"param_distributions\['a'\] must be"):
        search_surface({"a": distribution})


def test_a_shifted_loguniform_is_refused():
    with pytest.raises(ValueError, match=r"\['a'\] is a shifted loguniform"):
        search_surface({"a": stats.loguniform(1, 10, loc=5)})


def test_off_or():
    ones = stats.uniform(1, 0)
    rng = np.random.RandomState(0)
    draws = [OffOr(ones).rvs(random_state=rng) for _ in range(1000)]
    assert set(draws) == {0.0, 1.0}
    assert 450 < sum(draws) < 550
    rarely = OffOr(ones, off=None, probability=0.9)
    draws = [rarely.rvs(random_state=rng) for _ in range(1000)]
    assert 870 < draws.count(None) < 930
    assert isinstance(OffOr(stats.randint(1, 9)).rvs(random_state=2), int)
    with pytest.raises(ValueError, match="probability must be between 0 and 1"):
        OffOr(ones, probability=1.0)
