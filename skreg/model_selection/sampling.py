"""Conversion of hyperparameter distributions to those of Optuna."""

import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from skreg.model_selection.space import OffOr

# Values that Optuna can store. Other values are replaced by their index in the list.
_PLAIN = (bool, int, float, str, type(None))


@dataclass(frozen=True)
class _Listed:
    """A list of values to choose from."""

    values: tuple


@dataclass(frozen=True)
class _Switched:
    """A strength that is off in `n_off` of `n_all` equally likely cases."""

    strength: Any
    off: Any
    n_off: int
    n_all: int


def translate(name, distribution):
    """Convert a distribution of RandomizedSearchCV to a dimension for `suggest`.

    Parameters
    ----------
    name : str
        Name of the hyperparameter, for the error message.
    distribution : sequence, scipy.stats frozen distribution, OffOr or optuna one
        Objects of other classes need a method `to_optuna` that returns one of these.

    Returns
    -------
    object
        The dimension.

    Raises
    ------
    ValueError
        If Optuna cannot draw from the distribution.
    """
    if isinstance(distribution, _optuna().distributions.BaseDistribution):
        return distribution
    if isinstance(distribution, OffOr):
        # A sampler chooses between cases with equal probability at first. So the switch
        # has as many cases as its probability requires.
        odds = Fraction(distribution.probability).limit_denominator(20)
        strength = translate(name, distribution.distribution)
        return _Switched(strength, distribution.off, *odds.as_integer_ratio())
    if hasattr(distribution, "to_optuna"):
        return translate(name, distribution.to_optuna())
    if hasattr(distribution, "rvs"):
        return _from_scipy(name, distribution)
    if hasattr(distribution, "__getitem__") and not isinstance(distribution, str):
        values = tuple(distribution)
        if values:
            return _Listed(values)
    raise _cannot_use(name, distribution)


def suggest(trial, name, dimension):
    """Return the value of a hyperparameter that a trial suggests.

    If a strength is switched off, the trial is not asked for its value. So the sampler
    learns about a strength only from trials in which it has an effect.

    Parameters
    ----------
    trial : optuna.Trial
    name : str
        Name of the hyperparameter.
    dimension : object
        The return value of `translate`.

    Returns
    -------
    object
        The value.
    """
    if isinstance(dimension, _Switched):
        case = trial.suggest_categorical(f"{name} is on", range(dimension.n_all))
        is_on = case >= dimension.n_off
        return suggest(trial, name, dimension.strength) if is_on else dimension.off
    if isinstance(dimension, _Listed):
        return _suggest_listed(trial, name, dimension.values)
    return _suggest_ranged(trial, name, dimension)


def _suggest_listed(trial, name, values):
    # Optuna looks up a choice by equality, and 1 equals True.
    is_plain = all(isinstance(value, _PLAIN) for value in values)
    if is_plain and len(set(values)) == len(values):
        return trial.suggest_categorical(name, values)
    return values[trial.suggest_categorical(name, range(len(values)))]


def _suggest_ranged(trial, name, distribution):
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    is_float = isinstance(distribution, FloatDistribution)
    ask = trial.suggest_float if is_float else trial.suggest_int
    low, high = distribution.low, distribution.high
    return ask(name, low, high, step=distribution.step, log=distribution.log)


def _from_scipy(name, frozen):
    from optuna.distributions import FloatDistribution, IntDistribution

    kind = getattr(getattr(frozen, "dist", None), "name", None)
    if kind not in ("uniform", "loguniform", "reciprocal", "randint"):
        raise _cannot_use(name, frozen)
    low, high = (bound.item() for bound in map(np.asarray, frozen.support()))
    if kind == "randint":
        return IntDistribution(int(low), int(high))
    if kind == "uniform":
        return FloatDistribution(low, high)
    # If a loguniform distribution is shifted, its median is not the geometric mean of
    # its bounds.
    if low <= 0 or not np.isclose(frozen.median(), np.sqrt(low) * np.sqrt(high)):
        raise ValueError(
            f"param_distributions[{name!r}] is a shifted loguniform distribution, "
            "which Optuna does not have. Use loc=0."
        )
    return FloatDistribution(low, high, log=True)


def _cannot_use(name, distribution):
    return ValueError(
        f"param_distributions[{name!r}] must be a non-empty list, a uniform, "
        "loguniform or randint distribution of scipy.stats, one of Optuna's "
        "distributions, a skreg.OffOr, or an object with a method to_optuna that "
        f"returns one of these, got {distribution!r}."
    )


def new_study(sampler, seed=None, n_random=1):
    """Return a study that maximises a score, without messages from Optuna.

    Parameters
    ----------
    sampler : {"tpe", "random", "gp"} or optuna sampler
    seed : int, default=None
    n_random : int, default=1
        Number of random trials before the sampler learns. At most 10 are used.

    Returns
    -------
    optuna.Study

    Raises
    ------
    ImportError
        If Optuna is not installed.
    """
    optuna = _optuna()
    with _quiet_optuna():
        if isinstance(sampler, str):
            sampler = _make_sampler(sampler, seed, min(n_random, 10))
        return optuna.create_study(direction="maximize", sampler=sampler)


def _optuna():
    """Return the module, which is an optional requirement."""
    try:
        import optuna
    except ImportError as error:
        raise ImportError(
            "A Bayesian search needs optuna: pip install 'skreg[search]'"
        ) from error
    return optuna


def _make_sampler(name, seed, n_random):
    from optuna.samplers import GPSampler, RandomSampler, TPESampler

    if name == "tpe":
        # With constant_liar, the trials of a batch keep away from one another. This is
        # the default from Optuna 5 on.
        return TPESampler(seed=seed, n_startup_trials=n_random, constant_liar=True)
    if name == "gp":
        # The sampler draws conditional strengths at random, and would warn each time.
        return GPSampler(
            seed=seed, n_startup_trials=n_random, warn_independent_sampling=False
        )
    return RandomSampler(seed=seed)


def propose(study, space, n_trials):
    """Return the next trials of a study, and the candidates that they propose.

    Parameters
    ----------
    study : optuna.Study
    space : dict of str to object
        The translated distributions.
    n_trials : int

    Returns
    -------
    trials : list of optuna.Trial
    candidates : list of dict
    """
    trials = [study.ask() for _ in range(n_trials)]
    return trials, [
        {name: suggest(trial, name, space[name]) for name in space} for trial in trials
    ]


def tell(study, trial, score):
    """Report the score of a trial to its study. nan means that the trial failed."""
    from optuna.trial import TrialState

    if np.isnan(score):
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, float(score))


@contextmanager
def _quiet_optuna():
    """Silence the message about a new study and warnings about experimental features.

    Older versions of Optuna warn about features that are no longer experimental in
    newer versions.
    """
    from optuna.exceptions import ExperimentalWarning

    logger = logging.getLogger("optuna.storages._in_memory")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        logger.setLevel(level)
