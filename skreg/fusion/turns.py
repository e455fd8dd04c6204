"""Threads that take turns. Only one runs at a time, until it gives the turn back."""

import contextlib
import ctypes
import threading
import warnings

# Seconds that a thread has to unwind when the user interrupts.
GRACE = 0.3
# Raises an exception in a thread as soon as it runs Python code, given its identifier
# and the exception. None withdraws an exception that is still pending.
raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Cancelled(BaseException):
    """Raised in a thread to end it, when its work is no longer needed."""


class Worker(threading.Thread):
    """A thread that performs one task after another, whenever it is given a turn.

    Turns are passed on by locks. These are C code, so that exceptions from Ctrl-C and
    from `raise_in_thread`, which may come at any time, cannot leave them half released.

    Attributes
    ----------
    task : Task or None
        The task to perform, which is set before the turn.
    is_lost : bool
        Whether the thread has ended, or should end as soon as it can.
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
        # A new lock for each turn, which a thread that was given up cannot release.
        self._back = back = _taken_lock()
        try:
            _release(self._turn)
            back.acquire()
        except BaseException:  # Ctrl-C is raised here, in the thread that waits
            own, cancelled = threading.get_ident(), ctypes.py_object(Cancelled)
            own, other = ctypes.c_ulong(own), ctypes.c_ulong(self.ident or 0)
            # While an exception is pending for any thread, Python before 3.13 does not
            # get past the entry of a function that is traced, by a debugger or for
            # coverage. So no function in Python is called until none is pending.
            raise_in_thread(other, cancelled)
            try:
                if not back.acquire(timeout=GRACE):
                    self.is_lost = True
            except KeyboardInterrupt:  # once more
                self.is_lost = True
            raise_in_thread(other, None)  # withdraws the exception if it is pending
            # Python only notices that none is pending when it raises one.
            try:
                while True:
                    try:
                        raise_in_thread(own, cancelled)
                        while True:
                            pass
                    except KeyboardInterrupt:  # once more
                        pass
            except Cancelled:
                pass
            raise

    def close(self):
        """End the thread while it waits, or give it up."""
        self.is_lost = True
        _release(self._turn)
        with contextlib.suppress(RuntimeError):  # Ctrl-C came before it had started
            self.join(GRACE)


def _taken_lock():
    lock = threading.Lock()
    lock.acquire()
    return lock


def _release(lock):
    with contextlib.suppress(RuntimeError):  # it has been released already
        lock.release()


class WarningsState:
    """The global state that `warnings.catch_warnings` changes.

    It belongs to the process and not to a thread. A task that pauses inside such a
    block would impose its filters on other tasks, and leave the user's changed.
    """

    names = ("filters", "showwarning", "_showwarnmsg_impl")

    def __init__(self):
        self._values = [getattr(warnings, name) for name in self.names]

    def restore(self):
        """Make this the current state of the process."""
        for name, value in zip(self.names, self._values):
            setattr(warnings, name, value)
