"""The search strategies: which candidates are trained, and for how many epochs."""

import math

import numpy as np
from sklearn.model_selection import ParameterGrid, ParameterSampler

from skreg.compatibility import latin_hypercube
from skreg.model_selection.halving import halving_plan
from skreg.model_selection.sampling import new_study, propose, tell, translate
from skreg.model_selection.space import OffOr

# Number of times that a Bayesian search asks for new candidates.
BATCHES = 4


def halving(space, n_candidates, n_final, max_iter, rng, evaluate):
    """Train all candidates and drop the worse half of them at each rung."""
    candidates = drawn(space, n_candidates, rng)
    counts, epochs = halving_plan(len(candidates), n_final, max_iter)
    # The last rung has no limit: each candidate may have its own number of epochs.
    return evaluate(candidates, [*epochs[:-1], math.inf], counts[1:])


def random(space, n_candidates, n_final, max_iter, rng, evaluate):
    """Train all candidates to the end."""
    return evaluate(drawn(space, n_candidates, rng), [math.inf], [])


def grid(space, n_candidates, n_final, max_iter, rng, evaluate):
    """Train all combinations of the listed values to the end."""
    for name, values in space.items():
        if hasattr(values, "rvs"):
            raise ValueError(
                "strategy='grid' needs param_distributions with a list of values for "
                f"each parameter, got a distribution for {name!r}. Pass a dict of "
                "lists, or set strategy='halving'."
            )
    return evaluate(list(ParameterGrid(space)), [math.inf], [])


def bayes(space, n_candidates, n_final, max_iter, rng, evaluate):
    """Train candidates that Optuna's TPE proposes in batches from earlier scores."""
    dimensions = {name: translate(name, values) for name, values in space.items()}
    size, seed, trials = math.ceil(n_candidates / BATCHES), rng.randint(2**31 - 1), []
    study = new_study("tpe", int(seed), size)
    while len(trials) < n_candidates:
        n_asked = min(size, n_candidates - len(trials))
        asked, candidates = propose(study, dimensions, n_asked)
        batch = evaluate(candidates, [math.inf], [])
        for trial, found in zip(asked, batch):
            tell(study, trial, found.scores.mean())
            found.number += len(trials)
        trials += batch
        if not batch:  # the time limit has passed
            break
    return trials


STRATEGIES = {"halving": halving, "random": random, "grid": grid, "bayes": bayes}


def drawn(space, n_candidates, rng):
    """Draw candidates at random.

    Candidates form a Latin hypercube (McKay, Beckman and Conover 1979): the range of
    each parameter is divided into as many intervals as there are candidates, and each
    interval has one candidate. So even a few candidates cover the whole range. Draws
    are independent if all parameters have lists of values, or if a distribution has no
    inverse cumulative distribution function.

    Parameters
    ----------
    space : dict
        A distribution or a list of values for each parameter.
    n_candidates : int
    rng : RandomState

    Returns
    -------
    list of dict
        At most as many as there are different combinations of lists.
    """
    if not space:
        return [{}]
    if not any(hasattr(values, "rvs") for values in space.values()):
        n_candidates = min(n_candidates, len(ParameterGrid(space)))
    elif all(map(_has_inverse, space.values())):
        seed = np.random.default_rng(rng.randint(2**31 - 1))
        cube = latin_hypercube(len(space), seed).random(n_candidates)
        names = sorted(space)
        return [
            {name: _inverse(space[name], u) for name, u in zip(names, point)}
            for point in cube.tolist()
        ]
    return list(ParameterSampler(space, n_candidates, random_state=rng))


def _has_inverse(values):
    if isinstance(values, OffOr):
        return _has_inverse(values.distribution)
    return not hasattr(values, "rvs") or hasattr(values, "ppf")


def _inverse(values, u):
    """Return the quantile `u` of a distribution or of a list of values."""
    if isinstance(values, OffOr):
        p = values.probability
        return values.off if u < p else _inverse(values.distribution, (u - p) / (1 - p))
    if hasattr(values, "ppf"):
        value = np.asarray(values.ppf(u)).item()
        return int(value) if hasattr(getattr(values, "dist", None), "pmf") else value
    return values[int(u * len(values))]
