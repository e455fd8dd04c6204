"""Threads that take turns: one runs at a time, until it gives the turn back."""

import contextlib
import ctypes
import threading
import warnings

# Seconds that a thread is given to unwind when the user interrupts.
GRACE = 0.3


class Cancelled(BaseException):
    """Raised in a thread for whose work nobody waits any more."""


class Worker(threading.Thread):
    """A thread that performs one task after another, whenever it is given a turn.

    Turns go from hand to hand as locks, which are C code: exceptions that arrive at
    any time, from Ctrl-C and from `_interrupt`, cannot leave them half released.

    Attributes
    ----------
    task : Task or None
        What to perform; set it before the turn.
    is_lost : bool
        Whether the thread has ended, or is to end as soon as it can.
    """

    def __init__(self):
        super().__init__(name="skreg-task", daemon=True)
        self.task, self.is_lost = None, False
        self._turn, self._back = _taken_lock(), _taken_lock()

    def run(self):
        """Perform tasks until the thread is closed."""
        try:
            self._wait()
            while True:
                self.task.perform()
                self.pause()
        except Cancelled:
            pass
        finally:
            self.is_lost = True
            _release(self._back)

    def pause(self):
        """Give the turn back and wait for the next."""
        _release(self._back)
        self._wait()

    def _wait(self):
        if not self.is_lost:
            self._turn.acquire()
        if self.is_lost:
            raise Cancelled

    def give_turn(self):
        """Let the thread run until it pauses."""
        # A new one for each turn: a thread that was given up must not release it.
        self._back = back = _taken_lock()
        try:
            _release(self._turn)
            back.acquire()
        except BaseException:  # Ctrl-C comes here, to the thread that waits
            self._interrupt(Cancelled)
            if not back.acquire(timeout=GRACE):
                self.is_lost = True
            self._interrupt(None)  # it may be pending, and is of no use later
            raise

    def close(self):
        """End the thread, which waits, or give it up."""
        self.is_lost = True
        _release(self._turn)
        with contextlib.suppress(RuntimeError):  # Ctrl-C came before it had started
            self.join(GRACE)

    def _interrupt(self, error):
        """Raise an error in the thread as soon as it runs Python code."""
        error = None if error is None else ctypes.py_object(error)
        ident = ctypes.c_ulong(self.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, error)


def _taken_lock():
    lock = threading.Lock()
    lock.acquire()
    return lock


def _release(lock):
    with contextlib.suppress(RuntimeError):  # it has been released already
        lock.release()


class WarningsState:
    """What `warnings.catch_warnings` changes, which belongs to no thread.

    A task that pauses inside such a block would else lend its filters to the others,
    and leave those of the user changed.
    """

    names = ("filters", "showwarning", "_showwarnmsg_impl")

    def __init__(self):
        self._values = [getattr(warnings, name) for name in self.names]

    def restore(self):
        """Make this the state of the process."""
        for name, value in zip(self.names, self._values):
            setattr(warnings, name, value)
