"""Random words at given places, seeds, and generators without a `random_state`."""

import inspect
import random

import numpy as np
import pytest
import torch
from scipy.stats import kstest, norm, uniform
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge

import skreg
from skreg.data.random_streams import Streams, generator_of, seed_of

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


# Published with the generator (Salmon et al. 2011): the counter, the key, the words.
PI = [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89]
VECTORS = [
    (
        [0] * 4,
        [0] * 2,
        [
            0x16554D9ECA36314C,
            0xDB20FE9D672D0FDC,
            0xD7E772CEE186176B,
            0x7E68B68AEC7BA23B,
        ],
    ),
    (
        [2**64 - 1] * 4,
        [2**64 - 1] * 2,
        [
            0x87B092C3013FE90B,
            0x438C3C67BE8D0224,
            0x9CC7D7C69CD777B6,
            0xA09CAEBF594F0BA0,
        ],
    ),
    (
        PI,
        [0x452821E638D01377, 0xBE5466CF34E90C6C],
        [
            0xA528F45403E61D95,
            0x38C72DBD566E9788,
            0xA5A1610E72FD18B5,
            0x57BD43B5E52B7FE6,
        ],
    ),
]


def philox(counter, key):
    """Return four words, by the definition."""
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * counter[0], 0xCA5A826395121157 * counter[2]
        counter = [
            (second >> 64) ^ counter[1] ^ key[0],
            second % 2**64,
            (first >> 64) ^ counter[3] ^ key[1],
            first % 2**64,
        ]
        key = [
            (key[0] + 0x9E3779B97F4A7C15) % 2**64,
            (key[1] + 0xBB67AE8584CAA73B) % 2**64,
        ]
    return counter


@pytest.mark.parametrize("counter, key, words", VECTORS)
def test_published_vectors(counter, key, words):
    assert philox(counter, key) == words


@pytest.mark.parametrize(
    "seed, epoch, purpose", [(0, 0, 0), (7, 3, 2), (2**32 - 1, 9, 4001)]
)
def test_words_are_a_function_of_their_place(seed, epoch, purpose):
    state = np.random.Philox(seed).state["state"]
    key = list(map(int, state["key"]))
    blocks = [philox([1 + i, 0, epoch, purpose], key) for i in range(5)]
    expected = np.array(blocks, np.uint64).flatten()
    streams = Streams(seed, epochs_seen=epoch)
    found = [streams.words(purpose, n) for n in (3, 6, 11)]
    np.testing.assert_array_equal(np.concatenate(found), expected)
    streams.begin_epoch(1)
    streams.begin_epoch(0)
    np.testing.assert_array_equal(streams.words(purpose, 20), expected)


def test_an_order_is_a_permutation_of_its_own():
    orders = [Streams(seed, epoch).order(50) for seed in (0, 1) for epoch in (0, 1)]
    for order in orders:
        assert sorted(order) == list(range(50))
    assert len({tuple(order) for order in orders}) == 4


def test_normal_numbers():
    numbers = Streams(0).normal(3, (1000, 20))
    # 20,000 numbers: the distance is below 0.0115 with probability 0.99.
    assert kstest(numbers.ravel(), norm.cdf).statistic < 0.0115
    words = Streams(0).words(3, 20_000)
    np.testing.assert_allclose(
        norm.cdf(numbers.ravel()), words / 2.0**64, rtol=1e-13, atol=1e-15
    )


class Extreme(Streams):
    def words(self, purpose, n_words):
        return np.array([0, 2**64 - 1], np.uint64)


def test_normal_numbers_are_finite():
    assert np.abs(Extreme(0).normal(3, (2,))).max() < 9


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
