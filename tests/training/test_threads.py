"""Small work gets one thread, and the number of threads of torch is restored."""

import numpy as np
import pytest
import torch
from _estimators import data

from skreg import MLPClassifier
from skreg.training.threads import flushed_subnormals, threads_for


@pytest.fixture
def two_threads():
    found = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(found)


@pytest.mark.parametrize(
    ("products", "n_models", "expected"),
    [
        (2**20, 1, 1),
        (2**22, 1, 1),
        (2**24, 1, 2),
        (50 * 2**19, 50, 1),
        (50 * 2**20, 50, 2),  # threads share out models sooner than rows
    ],
)
def test_threads_for(two_threads, products, n_models, expected):
    with threads_for(products, n_models):
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == 2


def halved():
    """Return half of the smallest normal number, as the processor computes it."""
    return (torch.tensor([torch.finfo(torch.float32).smallest_normal]) / 2).item()


@pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="the processor cannot flush them"
)
def test_subnormal_numbers_are_flushed_in_training_alone():
    assert halved() > 0
    with flushed_subnormals():
        assert halved() == 0
        with flushed_subnormals():
            assert halved() == 0
        assert halved() == 0
    assert halved() > 0
    torch.set_flush_denormal(True)
    try:
        with flushed_subnormals():
            assert halved() == 0
        assert halved() == 0  # as it was found
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="the processor cannot flush them"
)
def test_moments_of_units_that_are_never_active():
    """They decay to zero, and do not stay at a number that slows each step down."""
    X, y = data(MLPClassifier)
    net = MLPClassifier((20,), dtype="float32", batch_size=4, random_state=0)
    net.set_params(l1=0.05, learning_rate_init=0.05)
    for _ in range(80):
        net.partial_fit(X, y)
    first = net._fits[0].optimizer_state.buffers[0]
    sizes = np.abs(np.concatenate([np.ravel(part) for part in first]))
    assert np.any(sizes == 0)
    assert sizes[sizes > 0].min() >= np.finfo(np.float32).smallest_normal
