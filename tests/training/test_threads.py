"""Small work gets one thread, and the number of threads of torch is restored."""

import pytest
import torch

from skreg.training.threads import threads_for


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
