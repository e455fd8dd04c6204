"""Seeds and generators without a `random_state`: nothing global is read or advanced."""

import inspect
import random

import numpy as np
import pytest
import torch
from scipy.stats import uniform
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge

import skreg
from skreg.data.random_streams import generator_of, seed_of

X, Y = load_iris(return_X_y=True)
X, Y = X[::3], Y[::3]
IMAGES = X.reshape(-1, 2, 2)
TEXTS = ["a good day " * 5]
LINEAR = skreg.MLPClassifier((), max_iter=2)
SYNONYMS = {"good": ["fine", "nice", "sound"], "day": ["date", "time", "morning"]}


def network(kind, *layers):
    return kind(*layers, max_iter=2).fit(X, Y).coefs_


def tuned(kind):
    network = skreg.MLPRegressor() if kind is skreg.MLPRegressorCV else LINEAR
    space = {"l2": uniform(0.1, 1)}
    model = kind(network, param_distributions=space, n_candidates=2, cv=2)
    return model.fit(X, Y).cv_results_["param_l2"]


def searched():
    space = {"alpha": uniform(0.1, 10)}
    search = skreg.BayesSearchCV(Ridge(), space, n_iter=2, cv=2)
    return search.fit(X, Y).best_params_


def compared():
    estimators = {"one": Ridge(), "other": Ridge(100)}
    return skreg.compare(estimators, X, Y).scores["one"]


# Each public name that takes a random_state, with the default, None.
UNSEEDED = {
    "MLPClassifier": lambda: network(skreg.MLPClassifier, (3,)),
    "MLPRegressor": lambda: network(skreg.MLPRegressor, (3,)),
    "CNNClassifier": lambda: network(skreg.CNNClassifier, (3,)),
    "CNNRegressor": lambda: network(skreg.CNNRegressor, (3,)),
    "MLPClassifierCV": lambda: tuned(skreg.MLPClassifierCV),
    "MLPRegressorCV": lambda: tuned(skreg.MLPRegressorCV),
    "BayesSearchCV": searched,
    "ImageAugmenter": lambda: skreg.ImageAugmenter(rotation_range=90).sample(IMAGES),
    "TextAugmenter": lambda: skreg.TextAugmenter(synonyms=SYNONYMS).augment(TEXTS),
    "OffOr": lambda: [skreg.OffOr(uniform()).rvs() for _ in range(50)],
    "compare": compared,
}


def states():
    """Return the states of the generators that all libraries share."""
    return (
        repr(np.random.get_state()),
        torch.get_rng_state().tolist(),
        random.getstate(),
    )


def takes_a_random_state(exported):
    """Return whether a function, a class or one of its methods has a random_state."""
    functions = [exported]
    if inspect.isclass(exported):
        methods = inspect.getmembers(exported, inspect.isfunction)
        functions += [method for name, method in methods if not name.startswith("_")]
    return any("random_state" in inspect.signature(f).parameters for f in functions)


def test_no_public_name_is_missing():
    every = {name: getattr(skreg, name) for name in skreg.__all__}
    named = {name for name, each in every.items() if takes_a_random_state(each)}
    assert named == set(UNSEEDED)


# Few epochs on purpose.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", UNSEEDED)
def test_global_generators_are_neither_read_nor_advanced(name):
    results = []
    for _ in range(2):
        np.random.seed(0)
        torch.manual_seed(0)
        random.seed(0)
        before = states()
        results.append(repr(UNSEEDED[name]()))
        assert states() == before
    assert results[0] != results[1]


def test_seeds():
    assert seed_of(3) == seed_of(np.int64(3)) == 3
    assert len({seed_of(None) for _ in range(10)}) == 10
    assert all(0 <= seed_of(None) < 2**32 for _ in range(100))
    expected = np.random.RandomState(0).randint(2**31 - 1, size=2).tolist()
    rng = np.random.RandomState(0)
    assert [seed_of(rng), seed_of(rng)] == expected


def test_generators():
    rng = np.random.RandomState(0)
    assert generator_of(rng) is rng
    assert generator_of(5).rand() == np.random.RandomState(5).rand()
    assert generator_of(None).rand() != generator_of(None).rand()
