"""Records of fits, ended or still in training, as numbers and arrays without code.

A record holds everything that decides how the training of a network goes on: weights,
moving averages, masks, curves, and the best network so far. So a run
that goes on from the records of its models does the same steps as one that was never
interrupted.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from skreg.networks.architecture import parameter_shapes, state_shapes
from skreg.training.assembly import stack_dtype
from skreg.training.lbfgs import column_shapes
from skreg.training.optimizers import OPTIMIZERS
from skreg.training.request import FitResult
from skreg.training.tracker import CURVES, NUMBERS, Tracker


@dataclass
class Record:
    """A fit that has ended, or that stands at the end of an epoch.

    Parameters
    ----------
    numbers : dict
        Texts, numbers, and lists and dictionaries of them, as in JSON.
    arrays : dict of {str: ndarray}
    """

    numbers: dict
    arrays: dict

    @property
    def has_ended(self):
        """Whether the steps are over. A polish may still follow."""
        return self.numbers["has_ended"]

    @property
    def n_iter(self):
        return self.numbers["lengths"][0]

    @property
    def solver(self):
        return self.numbers["solver"]


def named(parts):
    """Return the arrays of several parts in one dictionary, the part before the name.

    Examples
    --------
    >>> from skreg.training.records import named
    >>> named({"": {"bias": 1}, "mask": {"bias": 2}})
    {'bias': 1, 'mask_bias': 2}
    """
    return {
        f"{part}_{name}" if part else name: value
        for part, values in parts.items()
        for name, value in values.items()
    }


def record_of_result(result):
    """Return the record of a `FitResult`. None if it has failed, or has no epoch."""
    tracker = result.tracker
    if tracker.error is not None or not tracker.n_iter:
        return None
    numbers = _common(tracker, result.seconds, has_ended=True)
    numbers["kkt_violation"] = float(result.kkt_violation)
    return Record(
        numbers, named({"": _state(tracker, result.state)} | _history(tracker))
    )


def record_of_model(tracker, seconds, n_averaged, columns):
    """Return the record of a model in training. None before its first epoch.

    Parameters
    ----------
    tracker : Tracker
    seconds : float
        The time that its training has taken.
    n_averaged : int
        Number of steps in the moving average of its weights.
    columns : dict of {str: ndarray}
        Its part of `Stack.columns`.
    """
    if not tracker.n_iter:
        return None
    numbers = _common(tracker, seconds, has_ended=False)
    numbers["n_averaged"] = n_averaged
    numbers["n_pairs"] = len(columns.get("solver_moved", ()))
    numbers["has_best"] = tracker.best_state is not None
    arrays = dict(columns)
    if tracker.best_state is not None:
        arrays |= named({"best": _state(tracker, tracker.best_state)})
    arrays |= named(_history(tracker))
    return Record(
        numbers, {name: arrays[name] for name in layout(numbers, tracker.request)}
    )


def _common(tracker, seconds, has_ended):
    request = tracker.request
    numbers = {name: kind(getattr(tracker, name)) for name, kind in NUMBERS.items()}
    lengths = [len(getattr(tracker, name)) for name in CURVES]
    return numbers | {
        "has_ended": has_ended,
        "solver": request.solver,
        "max_iter": int(request.max_iter),
        "seconds": float(seconds),
        "lengths": lengths,
        "n_snapshots": len(tracker.snapshots),
    }


def _state(tracker, state):
    return dict(zip(state_shapes(tracker.request.architecture), state, strict=True))


def _history(tracker):
    curves = {n: np.array(getattr(tracker, n), np.float64) for n in CURVES}
    snapshots = {
        f"snapshot_{number}": _state(tracker, state)
        for number, state in enumerate(tracker.snapshots)
    }
    return {"curve": curves} | snapshots


def layout(numbers, request):
    """Return the shape and the type of each array of a record.

    Parameters
    ----------
    numbers : dict
        The numbers of the record, which `check_numbers` has found valid.
    request : FitRequest

    Returns
    -------
    dict of {str: tuple}
        A shape and a dtype for each name.
    """
    shapes = state_shapes(request.architecture)
    own, parts = _dtype(request.dtype), {}
    history = {"curve": dict(zip(CURVES, ((n,) for n in numbers["lengths"])))}
    snapshots = {f"snapshot_{n}": shapes for n in range(numbers["n_snapshots"])}
    if numbers["has_ended"]:
        parts[own] = [{"": shapes}, snapshots]
    else:
        in_stack = _dtype(stack_dtype(replace(request, solver=numbers["solver"])))
        parts[own] = [{"best": shapes} if numbers["has_best"] else {}, snapshots]
        parts.setdefault(in_stack, []).extend(_steps(numbers, request, shapes))
    if numbers["solver"] in OPTIMIZERS and not numbers["has_ended"]:
        parts.setdefault(np.dtype(np.float32), []).append({"taken": {"steps": (1, 1)}})
    parts.setdefault(np.dtype(np.float64), []).append(history)
    return {
        name: (shape, dtype)
        for dtype, groups in parts.items()
        for group in groups
        for name, shape in named(group).items()
    }


def _steps(numbers, request, shapes):
    """Return the shapes of what the steps of a model change."""
    parameters = parameter_shapes(request.architecture)
    yield {"": shapes}
    if numbers["solver"] not in OPTIMIZERS:
        n_numbers = sum(math.prod(shape) for shape in parameters.values())
        yield {"solver": column_shapes(n_numbers, numbers["n_pairs"])}
        return
    for kind in range(OPTIMIZERS[numbers["solver"]].n_buffers):
        yield {f"moment_{kind}": parameters}
    if request.swa_fraction or request.ema_decay:
        yield {"average": shapes}
    if request.settings["pruning"]:
        weights = {n: s for n, s in parameters.items() if n.startswith("weight")}
        yield {"mask": weights}


def _dtype(dtype):
    return np.dtype(str(dtype).removeprefix("torch."))


def tracker_of(record, request):
    """Return the tracker of a record, which goes on where it stopped."""
    tracker, numbers = Tracker(request), record.numbers
    for name in NUMBERS:
        setattr(tracker, name, numbers[name])
    for name in CURVES:
        setattr(tracker, name, record.arrays[f"curve_{name}"].tolist())
    tracker.snapshots = [
        _part(record, request, f"snapshot_{n}_") for n in range(numbers["n_snapshots"])
    ]
    if not record.has_ended and numbers["has_best"]:
        tracker.best_state = _part(record, request, "best_")
    return tracker


def _part(record, request, part=""):
    names = state_shapes(request.architecture)
    return [record.arrays[f"{part}{name}"] for name in names]


def result_of(record, request):
    """Return the `FitResult` of the record of an ended fit."""
    numbers = record.numbers
    if numbers["solver"] != request.solver:
        request = polish_of(request, request.initial, numbers["max_iter"])
    tracker, state = tracker_of(record, request), _part(record, request)
    return FitResult(
        state,
        tracker,
        kkt_violation=numbers["kkt_violation"],
        seconds=numbers["seconds"],
    )


def polish_of(request, initial, max_iter):
    """Return the request to finish a fit with the full-batch solver.

    Parameters
    ----------
    request : FitRequest
    initial : list of ndarray
        The state from which the solver starts.
    max_iter : int
        Number of epochs and iterations together.
    """
    return replace(
        request,
        solver="lbfgs",
        initial=initial,
        max_iter=max_iter,
        optimizer_state=None,
        resume=None,
    )


def resumed_polish(request):
    """Return the request of a polish that goes on from its record."""
    record = request.resume
    initial = _part(record, request)
    dtype = _dtype(request.dtype)
    initial = [array.astype(dtype) for array in initial]
    polish = polish_of(request, initial, record.numbers["max_iter"])
    return replace(polish, resume=record)


def is_in_polish(request):
    """Return whether a request goes on with a polish that was interrupted."""
    record = request.resume
    return isinstance(record, Record) and record.solver != request.solver


def rows_of(columns):
    """Return copies of columns of a stack as a dictionary of arrays for each model.

    Parameters
    ----------
    columns : dict of {str: Tensor of shape (n_models, ...)}
    """
    arrays = {n: column.to("cpu", copy=True).numpy() for n, column in columns.items()}
    n_models = len(next(iter(arrays.values())))
    return [{n: array[m] for n, array in arrays.items()} for m in range(n_models)]
