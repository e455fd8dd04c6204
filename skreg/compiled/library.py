"""The compiled library for the processor of this machine, if there is one."""

import ctypes
import functools
import importlib
import logging
import os
from contextlib import suppress
from ctypes import byref, c_double, c_int64, c_uint64, c_void_p

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

# Seconds that a call should take: an interrupt waits for its end.
CALL = 0.2
# What calls return besides 0, when they are done, and 1, when they should be repeated.
NO_MEMORY, NO_THREAD = 2, 3
# In the order of their codes in `compiled/src/team.h`.
TASKS = ("train", "differentiate", "differentiate_epoch", "evaluate")

_ARGUMENTS = {
    "skreg_sizes": [c_void_p],
    "skreg_words": [c_void_p, *[c_uint64] * 3, c_int64, c_void_p],
    "skreg_begin": [c_void_p, *[c_int64] * 3],
    "skreg_work": [c_void_p, c_int64, c_double, c_void_p],
    "skreg_end": [c_void_p],
    "skreg_predict": [
        *[c_void_p] * 2,
        *[c_int64] * 4,
        c_void_p,
        c_double,
        c_void_p,
    ],
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

    def crew(self, plan, n_teams, n_threads, task):
        """Return a `Crew` that works on the models of a plan.

        Parameters
        ----------
        plan : int
            The address of a plan, which must stay there.
        n_teams : int
            Number of teams, which take one model after another.
        n_threads : int
            Number of threads of each team, which compute each model together.
        task : {"train", "differentiate", "differentiate_epoch", "evaluate"}
            "train" takes the steps of an epoch. "differentiate" writes the gradient of
            the mean loss over the rows of a model, and "differentiate_epoch" that with
            the random changes of an epoch. "evaluate" computes the mean loss, as in
            prediction.
        """
        sizes = n_teams, n_threads, TASKS.index(task)
        crew = self._library.skreg_begin(plan, *sizes)
        _check(0 if crew else NO_MEMORY)
        return Crew(self._library, crew)

    def predict(self, plan, x, links, n_threads, out):
        """Write the raw outputs of rows, or what they predict.

        Parameters
        ----------
        plan : int
            The address of a plan.
        x : ndarray or None
            The rows. None if they are those of the plan.
        links : bool
            Whether to apply the inverse link to the raw outputs.
        n_threads : int
            Number of threads that share the rows.
        out : ndarray of shape (n_models, n_rows, n_outputs)
        """
        rows = (0, False) if x is None else (x.ctypes.data, x.dtype == np.float64)
        sizes = out.shape[1], links, n_threads
        arguments = plan, *rows, *sizes, byref(c_int64(0)), CALL
        while _check(self._library.skreg_predict(*arguments, out.ctypes.data)):
            pass


class Crew:
    """Threads that go over the rows of the models of a plan.

    Parameters
    ----------
    library : ctypes.CDLL
    address : int
        Where the library has it.
    """

    def __init__(self, library, address):
        self._library, self._address = library, address

    def __del__(self):
        self._library.skreg_end(self._address)

    def work(self, losses):
        """Go over the rows of all models. After an exception the crew is of no use.

        Parameters
        ----------
        losses : int
            The address of numbers, one for each model, where the mean loss over its
            rows is written. Training adds the penalties before it.
        """
        work, begins = self._library.skreg_work, True
        while _check(work(self._address, begins, CALL, losses)):
            begins = False


def _check(code):
    """Return whether a call should be repeated. Raise its error, if there was one."""
    if code == NO_MEMORY:
        raise MemoryError("The memory does not suffice for the batch of a network.")
    if code == NO_THREAD:
        raise RuntimeError("No thread could be started to train or predict.")
    return code == 1


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
