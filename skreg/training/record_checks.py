"""Checks of records from files, which may hold anything, before training goes on."""

import math

import numpy as np

from skreg.training.lbfgs import MEMORY
from skreg.training.optimizers import OPTIMIZERS
from skreg.training.tracker import CURVES, NUMBERS

# The numbers of every record, of those of ended fits, and of fits in training.
OF_ALL = NUMBERS | {
    "has_ended": bool,
    "solver": str,
    "max_iter": int,
    "seconds": float,
    "lengths": list,
    "n_snapshots": int,
}
OF_ENDED = {"kkt_violation": float}
OF_PAUSED = {"n_averaged": int, "n_pairs": int, "has_best": bool}


def check_numbers(numbers, request):
    """Raise a ValueError if the numbers of a record are not those of a request.

    Parameters
    ----------
    numbers : object
        As read from a file, which may hold anything.
    request : FitRequest
    """
    require(isinstance(numbers, dict), "its numbers have no names")
    kinds = OF_ALL | (OF_ENDED if numbers.get("has_ended") is True else OF_PAUSED)
    require(numbers.keys() == kinds.keys(), "its numbers have other names")
    for name, kind in kinds.items():
        require(type(numbers[name]) is kind, f"{name} is not of type {kind.__name__}")
    _check_course(numbers, request)
    if not numbers["has_ended"]:
        _check_pause(numbers, request)


def _check_course(numbers, request):
    solver, last = request.solver, request.max_iter
    if numbers["solver"] != solver and request.is_certified:  # polished
        solver, last = "lbfgs", request.max_iter + request.max_polish
    require(numbers["solver"] == solver, f"solver is {numbers['solver']!r:.50}")
    require(numbers["max_iter"] <= last, "max_iter is too large")
    lengths = numbers["lengths"]
    require(len(lengths) == len(CURVES), "it has another number of curves")
    require(all(type(length) is int for length in lengths), "a length is no integer")
    n_iter, *others = lengths
    watched = (request.validation is not None, request.watch_validation)
    require(
        others == [n_iter * bool(w) for w in watched], "its curves differ in length"
    )
    require(0 < n_iter <= numbers["max_iter"], "it has another number of epochs")
    for name in ("best_iter", "n_without_improvement"):
        require(0 <= numbers[name] <= n_iter, f"{name} is {numbers[name]!r:.50}")
    n_cycles = request.n_snapshots if request.n_snapshots > 1 else 0
    require(0 <= numbers["n_snapshots"] <= n_cycles, "it has too many snapshots")
    positive = [numbers[name] for name in ("lr", "seconds")]
    require(all(0 <= n < math.inf for n in positive), "lr or seconds is not possible")


def _check_pause(numbers, request):
    require(numbers["lengths"][0] < numbers["max_iter"], "no epoch remains")
    require(not (numbers["finished"] or numbers["halted"]), "no epoch remains")
    require(not numbers["has_best"] or request.restore_best, "it holds a best state")
    require(0 <= numbers["n_averaged"] < 2**62, "n_averaged is not possible")
    n_pairs = 0 if numbers["solver"] in OPTIMIZERS else MEMORY
    require(0 <= numbers["n_pairs"] <= n_pairs, "n_pairs is not possible")


def check_arrays(record):
    """Raise a ValueError if arrays from which training goes on are not finite."""
    for name, array in record.arrays.items():
        is_finite = name.startswith("curve") or np.isfinite(array).all()
        require(is_finite, f"{name} is not finite")


def require(condition, problem):
    """Raise a ValueError with a problem unless a condition holds."""
    if not condition:
        raise ValueError(problem)
