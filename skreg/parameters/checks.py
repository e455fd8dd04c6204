"""Checks and conversions of parameters and data, before torch sees either."""

import math
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils.validation import _check_sample_weight


def check_hidden_layer_sizes(value):
    """Return `hidden_layer_sizes` as a tuple of positive ints; () is a linear model."""
    value = value.tolist() if isinstance(value, np.ndarray) else value
    sizes = [value] if isinstance(value, Integral) else list(value)
    if not all(isinstance(size, Integral) and size > 0 for size in sizes):
        raise ValueError(
            "hidden_layer_sizes must be positive integers, one for each hidden layer, "
            f"got {value!r}."
        )
    return tuple(int(size) for size in sizes)


def per_layer(name, value, n_layers, layers, given_by, upper=math.inf):
    """Return a parameter that is one number or one per layer as a list of floats.

    Parameters
    ----------
    name : str
        The parameter, for the error message.
    value : float or sequence of float
    n_layers : int
        Expected length of a sequence.
    layers : str
        What the elements stand for, for the error message.
    given_by : str
        The parameters that give their number, for the error message.
    upper : float, default=inf
        Exclusive upper bound; the lower bound is 0, inclusive.

    Returns
    -------
    list of float

    Raises
    ------
    ValueError
        If the length or an element is wrong.

    Examples
    --------
    >>> from skreg.parameters.checks import per_layer
    >>> per_layer("l1", 0.1, 2, "layers of weights", "hidden_layer_sizes")
    [0.1, 0.1]
    """
    value = value.tolist() if isinstance(value, np.ndarray) else value
    values = [value] * n_layers if isinstance(value, Real) else list(value)
    if len(values) != n_layers:
        raise ValueError(
            f"{name} must be one number or a sequence of {n_layers}, one for each of "
            f"the {layers} given by {given_by}, got {value!r} of length "
            f"{len(values)}."
        )
    for element in values:
        if not isinstance(element, Real) or not 0 <= element < upper:
            bound = "" if upper == math.inf else f" and less than {upper:g}"
            raise ValueError(
                f"{name} must be finite and not negative{bound}, got {value!r}."
            )
    return [float(element) for element in values]


def check_device(device):
    """Return the torch device, if this machine has it."""
    try:
        found = torch.device(device)
        # A tensor that cannot come back, as from "meta", is of no use either.
        torch.empty(0, device=found).cpu()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device={device!r} cannot be used on this machine ({reason}). "
            "Use device='cpu' or a device that torch reports as available."
        ) from None
    return found


# What makes an objective random, with the value that turns it off.
STOCHASTIC = {
    "dropout": 0,
    "input_dropout": 0,
    "input_noise": 0,
    "mixup": 0,
    "stochastic_depth": 0,
    "cutmix": 0,
    "cutout": 0,
    "adversarial": 0,
    "batchnorm": False,
    "augment": None,
}


# What is defined by what it does in a step or an epoch.
PER_STEP = {"weight_decay": 0, "swa_fraction": 0, "ema_decay": 0, "n_snapshots": 1}
PER_STEP |= {"pruning": 0}


def check_full_batch(estimator):
    """Raise if a parameter is set that solver="lbfgs" cannot honour."""
    params = estimator.get_params(deep=False)
    for name, off in (STOCHASTIC | PER_STEP).items():
        value = params[name]
        if np.any(np.asarray(value) != off):
            raise ValueError(
                f"solver='lbfgs' minimises a deterministic objective and cannot use "
                f"{name}={value!r}. Set {name}={off!r}, or solver='adam' or 'sgd'."
            )


def check_course(estimator):
    """Raise if two parameters disagree on what becomes of the weights on the way."""
    swa_fraction, ema_decay = estimator.swa_fraction, estimator.ema_decay
    if swa_fraction and ema_decay:
        raise ValueError(
            "swa_fraction and ema_decay both say which weights are averaged, got "
            f"swa_fraction={swa_fraction!r} and ema_decay={ema_decay!r}. Set one of "
            "them to 0."
        )
    n_snapshots, max_iter = estimator.n_snapshots, estimator.max_iter
    if n_snapshots == 1:
        return
    what = f"n_snapshots={n_snapshots!r} keeps the network at the end of each cycle"
    if estimator.learning_rate != "cosine":
        raise ValueError(
            f"{what} of learning_rate='cosine', got learning_rate="
            f"{estimator.learning_rate!r}. Set that, or n_snapshots=1."
        )
    if estimator.early_stopping:
        raise ValueError(
            f"{what}, and early_stopping=True would end the fit before. Set one of "
            "them to its default."
        )
    if max_iter != "auto" and n_snapshots > max_iter:
        raise ValueError(
            f"{what}, which lasts an epoch at least, but max_iter={max_iter!r}. "
            "Increase max_iter or lower n_snapshots."
        )


# skorch callbacks that cannot do here what they are for, and what can.
_REPLACED = {
    "EpochScoring": "monitor= with early_stopping=True",
    "BatchScoring": "monitor= with early_stopping=True",
    "ParamMapper": "warm_start=True and set_params",
}
_OF_STEPS = ("LRScheduler", "GradientNormClipping")


def check_callbacks(callbacks, solver):
    """Raise unless all are skorch callbacks, named or not, that work here."""
    for item in callbacks:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        if not hasattr(callback, "on_epoch_end"):
            raise TypeError(
                "callbacks must be skorch callbacks or (name, callback) pairs, got "
                f"{item!r}. Callbacks of scikit-learn go to set_callbacks."
            )
        kind = callback if isinstance(callback, type) else type(callback)
        names = [base.__name__ for base in kind.__mro__]
        for name in names:
            if name in _REPLACED:
                raise ValueError(
                    f"The callback {kind.__name__} has no effect on skreg's networks. "
                    f"Use {_REPLACED[name]}."
                )
            if solver == "lbfgs" and name in _OF_STEPS:
                raise ValueError(
                    f"The callback {kind.__name__} acts on the steps of an optimiser, "
                    "of which solver='lbfgs' has none. Use solver='adam' or 'sgd'."
                )


def check_weights(weight, X):
    """Return weights of the rows of `X` as float64, or None if there are none.

    Where they are very large or very small they are divided by a power of two, which
    changes no bit of a result and keeps their sums in range.
    """
    if weight is None:
        return None
    weight = _check_sample_weight(weight, X, dtype=np.float64, ensure_non_negative=True)
    exponent = np.frexp(weight.max())[1]
    return weight if abs(exponent) < 100 else np.ldexp(weight, -exponent)
