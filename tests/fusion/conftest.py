"""Settings of the tests that interrupt."""

import sys
import threading

import pytest


@pytest.fixture
def untraced():
    """Do not trace a test. An interrupt could leave a lock of coverage's own taken."""
    own, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    yield
    threading.settrace(of_threads)
    sys.settrace(own)
