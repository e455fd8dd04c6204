"""Groups are cut to fit into the caches and the memory."""

from dataclasses import replace

import numpy as np
import pytest
from _fitted import prepared_request
from sklearn.datasets import make_classification

import skreg.training.memory
from skreg import CNNClassifier, MLPClassifier
from skreg.training.memory import available_memory, cut, model_bytes


def requests_for(n, rows=200, features=20, units=8, distinct=False, **params):
    X, y = make_classification(rows, features, random_state=0)
    model = MLPClassifier((units,), batch_size=32, **params)
    request = prepared_request(model, X, y)
    if not distinct:
        return [replace(request, seed=seed) for seed in range(n)]
    return [prepared_request(model, X.copy(), y) for _ in range(n)]


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_every_request_is_in_one_stack_in_order(n, n_jobs):
    group = list(range(5, 5 + n))
    chunks = cut(group, requests_for(5 + n), n_jobs=n_jobs)
    assert [position for chunk in chunks for position in chunk] == group
    assert len(chunks) >= min(n, n_jobs)


def test_jobs_get_alike_work():
    chunks = cut(list(range(1001)), requests_for(1001), n_jobs=4)
    sizes = [len(chunk) for chunk in chunks]
    assert len(chunks) % 4 == 0 and max(sizes) - sizes[0] == 0
    assert min(sizes) > max(sizes) - len(sizes)


def test_memory_bounds_the_networks():
    requests = requests_for(100, units=500)
    bound = 10 * model_bytes(requests[0]) + requests[0].train.n_bytes
    chunks = cut(list(range(100)), requests, max_bytes=bound)
    assert [len(chunk) for chunk in chunks] == [10] * 10


def test_memory_bounds_the_data():
    """Rows that models share count once, those of their own for each."""
    shared = requests_for(12, rows=2000)
    own = requests_for(12, rows=2000, distinct=True)
    bound = 4 * (model_bytes(own[0]) + own[0].train.n_bytes)
    group = list(range(12))
    assert len(cut(group, shared, max_bytes=bound)) == 1
    assert [len(c) for c in cut(group, own, max_bytes=bound)] == [4, 4, 4]


def test_a_bound_below_one_model_trains_one_at_a_time():
    assert cut([0, 1, 2], requests_for(3), max_bytes=1) == [[0], [1], [2]]


def test_the_bytes_of_a_model_are_those_of_its_arrays():
    """Against what the arrays of a stack take."""
    (request,) = requests_for(1, features=50, units=100)
    n_weights = 50 * 100 + 100 * 1
    assert model_bytes(request) >= 8 * 5 * n_weights
    assert model_bytes(request) < 8 * 12 * n_weights


def test_available_memory_within_a_container(monkeypatch, tmp_path):
    free = available_memory()
    assert 2**20 < free < 2**50
    numbers = {"memory.max": 1000, "memory.current": 400}
    monkeypatch.setattr(skreg.training.memory, "_control_group", numbers.get)
    assert available_memory() == 600
    monkeypatch.setattr(
        skreg.training.memory, "_control_group", {"memory.current": 400}.get
    )
    assert np.isclose(available_memory(), free, rtol=0.5)


def test_large_images_are_in_small_stacks():
    """Convolutions are a call for each model, so that a stack saves them nothing."""
    rng = np.random.default_rng(0)
    y, sizes = np.arange(40) % 2, []
    for side in (8, 28):
        X = rng.normal(size=(40, side, side)).astype(np.float32)
        request = prepared_request(CNNClassifier(), X, y)
        sizes.append(len(cut(list(range(100)), [request] * 100)[0]))
    assert 1 == sizes[1] < sizes[0] < skreg.training.memory.FEWEST


def test_the_bytes_of_convolutions_grow_with_the_pixels():
    rng, taken = np.random.default_rng(0), []
    for side in (8, 16):
        X = rng.normal(size=(40, side, side))
        model = CNNClassifier((4,), (), pool=1)
        taken.append(prepared_request(model, X, np.arange(40) % 2))
    small, large = map(model_bytes, taken)
    assert 3.5 * small < large < 4.5 * small
