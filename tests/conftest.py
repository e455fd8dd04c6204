"""Settings of all tests: the number of random examples, and the contract."""

import os
from pathlib import Path

import pytest
from _contract import CONTRACT
from hypothesis import HealthCheck, settings

# A fit takes tens of milliseconds, so that no example has a deadline.
settings.register_profile(
    "default",
    max_examples=25,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly",
    parent=settings.get_profile("default"),
    max_examples=300,
    derandomize=False,
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items):
    """Mark the tests of the contract."""
    for item in items:
        if item.path.is_relative_to(TESTS):
            if item.path.relative_to(TESTS).as_posix() in CONTRACT:
                item.add_marker(pytest.mark.contract)
