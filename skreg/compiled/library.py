"""The compiled library for the processor of this machine, if there is one."""

import ctypes
import functools
import importlib
import logging
import os
from contextlib import contextmanager, suppress
from ctypes import POINTER, byref, c_double, c_int64, c_uint64, c_void_p

import numpy as np
import torch

from skreg.compiled.structures import STRUCTURES

# The builds of the library that a processor can run, the fastest first, by what torch
# calls its instructions.
BUILDS = {"AVX512": ("avx512", "avx2", "generic"), "AVX2": ("avx2", "generic")}
# Set to "torch" to train without the library, or to the name of a build.
VARIABLE = "SKREG_ENGINE"

NOT_BUILT = (
    "The compiled training steps of skreg were not built, so torch trains all "
    "networks, several times more slowly. To build them, install a C++20 compiler and "
    f"then skreg again. {VARIABLE}=torch hides this message."
)

_ARGUMENTS = {
    "skreg_sizes": [c_void_p],
    "skreg_words": [c_void_p, *[c_uint64] * 3, c_int64, c_void_p],
    "skreg_epoch": [c_void_p, c_void_p, c_void_p, c_double, c_void_p],
    "skreg_begin": [c_void_p, c_int64, POINTER(c_double)],
    "skreg_work": [c_void_p, c_int64, c_int64, POINTER(c_double), c_int64],
    "skreg_abandon": [c_void_p],
    "skreg_end": [c_void_p],
    "skreg_evaluate": [c_void_p, c_int64, POINTER(c_double)],
    "skreg_differentiate": [c_void_p, c_int64, c_int64, POINTER(c_double)],
    "skreg_predict": [c_void_p, c_int64, c_int64, c_int64, c_void_p],
}


class Library:
    """The functions of one build of the library.

    A call releases the lock of the interpreter.

    Parameters
    ----------
    name : str
        "avx512", "avx2" or "generic".

    Raises
    ------
    ImportError
        If it was not built.
    """

    def __init__(self, name):
        self.name = name
        module = importlib.import_module(f"skreg.compiled._{name}")
        self._library = ctypes.CDLL(module.__file__)
        try:
            for function, arguments in _ARGUMENTS.items():
                getattr(self._library, function).argtypes = arguments
            sizes = np.zeros(len(STRUCTURES), np.int64)
            self._library.skreg_sizes(sizes.ctypes.data)
            if sizes.tolist() != [structure.itemsize for structure in STRUCTURES]:
                raise AttributeError("structures of other sizes")
        except AttributeError as reason:
            text = f"{module.__file__} was built from another version ({reason})."
            raise ImportError(text) from reason
        self._library.skreg_begin.restype = c_void_p

    def words(self, streams, purpose, first, n):
        """Return `n` of the words of `Streams` from number `first` on."""
        out, key = np.empty(n, np.uint64), streams.key.ctypes.data
        self._library.skreg_words(
            key, streams.epoch, purpose, first, n, out.ctypes.data
        )
        return out

    def epoch(self, plan, next_model, mine, seconds, losses):
        """Train models that no other thread has claimed, for an epoch each.

        Parameters
        ----------
        plan : int
            The address of a plan, as in the methods that follow.
        next_model : ndarray of int64 of shape (1,)
            The first model that no thread has claimed.
        mine : ndarray of int64 of shape (2,)
            The thread's model, -1 at first, and its next step. They go from call to
            call.
        seconds : float
            After which the call returns.
        losses : ndarray of float64 of shape (n_models,)
            Where the penalties before the epoch plus the mean loss over its batches
            are written.

        Returns
        -------
        bool
            Whether the time was up, so that the thread should call again.
        """
        addresses = [array.ctypes.data for array in (next_model, mine)]
        code = self._library.skreg_epoch(plan, *addresses, seconds, losses.ctypes.data)
        self._check(code == 2)
        return code == 1

    @contextmanager
    def training(self, plan, n_threads, loss):
        """Train the only model of a plan inside the context.

        Parameters
        ----------
        plan : int
        n_threads : int
            Number of threads that take each step together, by `work`.
        loss : c_double
            Set to the penalties of the model.
        """
        training = self._library.skreg_begin(plan, n_threads, byref(loss))
        self._check(not training)
        try:
            yield training
        finally:
            self._library.skreg_end(training)

    def abandon(self, training):
        """Let the other threads return at once, because this one will not come."""
        self._library.skreg_abandon(training)

    def work(self, training, first, last, loss, thread):
        """Take the steps from `first` up to `last` of an epoch, as one of the threads.

        Each thread must take them. Thread 0 adds their mean losses, weighted by their
        shares of the rows, to `loss`, a `c_double`.
        """
        code = self._library.skreg_work(training, first, last, byref(loss), thread)
        self._check(code)

    def evaluate(self, plan, model):
        """Return the mean loss over the rows of a model, as in prediction."""
        loss = c_double()
        self._check(self._library.skreg_evaluate(plan, model, byref(loss)))
        return loss.value

    def differentiate(self, plan, model, is_random=False):
        """Return the mean loss over the rows of a model, and write its gradient.

        Parameters
        ----------
        plan, model : int
        is_random : bool, default=False
            Whether to change the rows at random, in the batches of an epoch.
        """
        loss = c_double()
        code = self._library.skreg_differentiate(plan, model, is_random, byref(loss))
        self._check(code)
        return loss.value

    def predict(self, plan, model, first, out):
        """Write the raw outputs of rows from number `first` on.

        Parameters
        ----------
        plan, model, first : int
        out : ndarray of shape (n_rows, n_outputs)
        """
        code = self._library.skreg_predict(
            plan, model, first, len(out), out.ctypes.data
        )
        self._check(code)

    @staticmethod
    def _check(code):
        if code:
            raise MemoryError("The memory does not suffice for the batch of a network.")


def library():
    """Return the library, or None if it was not built or is switched off."""
    return _loaded(os.environ.get(VARIABLE) or None)


@functools.cache
def _loaded(wanted):
    """Return the fastest build, or the wanted one. Say once if there is none."""
    if wanted == "torch":
        return None
    for name in BUILDS.get(torch.backends.cpu.get_cpu_capability(), ("generic",)):
        if wanted in (None, name):
            with suppress(ImportError):
                return Library(name)
    logging.getLogger("skreg").warning(NOT_BUILT)
    return None
