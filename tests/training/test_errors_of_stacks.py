"""Copies of errors that other fits or processes raise."""

import threading

import pytest

from skreg.training.errors import own_copy, portable


def test_errors_keep_their_type():
    class Own(Exception):
        def __init__(self, one, two):
            super().__init__(one)

    class Odd(Exception):
        def __init__(self):
            super().__init__("odd")
            self.lock = threading.Lock()

    try:
        raise ValueError("plain")
    except ValueError as error:
        found = portable(error)
    assert type(found) is ValueError and "test_errors_of_stacks" in found.__notes__[0]
    assert isinstance(portable(Odd()), RuntimeError)
    assert isinstance(portable(Own(1, 2)), RuntimeError)


def test_copies_have_tracebacks_of_their_own():
    with pytest.raises(ValueError, match="plain") as caught:
        raise ValueError("plain")
    error = caught.value
    other = own_copy(error)
    assert type(other) is ValueError and other.args == error.args
    assert other is not error and other.__traceback__ is error.__traceback__
    with pytest.raises(ValueError, match="plain"):
        raise other
    assert other.__traceback__ is not error.__traceback__
