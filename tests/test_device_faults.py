"""Faults that no result on the CPU shows are seen on the devices of `_devices`."""

import functools
from dataclasses import replace
from unittest import mock

import pytest
import torch
from _device_fits import SHORT, as_on_cpu, assert_as_on_cpu, assert_equal, n_reads
from _devices import DEVICE, devices
from _engines import with_torch
from _estimators import data
from skorch.callbacks import Callback

from skreg import MLPClassifier
from skreg.data.batches import Batches
from skreg.data.scaling import StackedScaling
from skreg.estimators.inference import Inference
from skreg.networks.stacked import StackedNetwork
from skreg.training.gradual_pruning import Pruning
from skreg.training.noise import Noise, _Masks
from skreg.training.optimizers import ProximalOptimizer
from skreg.training.skorch_net import StackedNet
from skreg.training.stack import Stack
from skreg.training.weight_averages import Averages


@pytest.fixture(autouse=True)
def _on_the_cpu_with_torch():
    """Devices are compared with the same operations on the CPU, to the bit."""
    with with_torch():
        yield


def instead(owner, name):
    """Return a decorator that makes a function a patch of a method.

    The function is called with the method that it replaces.
    """

    def patch_by(function):
        original = getattr(owner, name)
        method = functools.partialmethod(_called, function, original)
        return mock.patch.object(owner, name, method)

    return patch_by


def _called(self, function, original, *args, **kwargs):
    return function(functools.partial(original, self), self, *args, **kwargs)


def on_cpu(owner, method, *names):
    """Return a patch after which attributes that a method has set are on the CPU."""

    @instead(owner, method)
    def patch(original, self, *args, **kwargs):
        result = original(*args, **kwargs)
        for name in names:
            value = getattr(self, name)
            is_list = isinstance(value, list)
            setattr(self, name, [t.cpu() for t in value] if is_list else value.cpu())
        return result

    return patch


@instead(StackedNet, "__init__")
def net_that_moves_the_module(original, self, *args, **kwargs):
    original(*args, **kwargs, device="cpu")


@instead(_Masks, "next")
def mask_on_the_cpu(original, self, *args):
    return original(*args).cpu()


@instead(StackedNetwork, "_hold")
def bias_left_behind(original, self, architecture, tensors):
    original(architecture, [*tensors[:-1], tensors[-1].cpu()])


@instead(Batches, "_padded")
def order_on_the_cpu(original, self, indices):
    return original(indices).cpu()


@instead(Stack, "state_of")
def state_without_a_copy_to_the_cpu(original, self, position):
    return [tensor[position].clone().numpy() for tensor in self.network.state]


@instead(Stack, "restore")
def best_state_in_arithmetic(original, self, position, state):
    for tensor, array in zip(self.network.state, state):
        tensor[position].lerp_(torch.from_numpy(array), 1.0)


@instead(Stack, "restore")
def best_state_through_shared_memory(original, self, position, state):
    for tensor, array in zip(self.network.state, state):
        tensor[position].cpu().numpy()[...] = array


@instead(Stack, "__init__")
def fit_on_the_cpu(original, self, requests):
    original([replace(request, device=torch.device("cpu")) for request in requests])


@instead(ProximalOptimizer, "_make_runs")
def steps_counted_on_the_cpu(original, self):
    self.steps = self.steps.cpu()
    original()


@instead(StackedScaling, "apply")
def scaled_into_memory_of_the_cpu(original, self, x, dtype):
    out = torch.empty(x.shape, dtype=x.dtype)
    return torch.sub(x, self.offset[: len(x)], out=out).div_(self.scale[: len(x)])


@instead(Inference, "_with_torch")
def rows_left_on_the_cpu(original, self, X):
    x = (torch.from_numpy(X) - self._scaling.offset) / self._scaling.scale
    return self.network(x)


@instead(Inference, "_mean")
def outputs_left_on_the_device(original, self, score):
    return score.squeeze(0)


@instead(Noise, "apply")
def number_read_in_each_step(original, self, batch, *args):
    assert batch.x.isfinite().all()
    return original(batch, *args)


class ScalingOfTheFirstDevice:
    """A patch: what was computed once is used on every device."""

    def __enter__(self):
        kept, original = [], StackedScaling.of

        def of(scalings, device):
            kept.extend([] if kept else [original(scalings, device)])
            return kept[0]

        self._patch = mock.patch.object(StackedScaling, "of", of)
        self._patch.start()

    def __exit__(self, *error):
        self._patch.stop()


EARLY = {"early_stopping": True, "learning_rate_init": 0.3, "max_iter": 20}
MIXED, OTHERS = "on the same device", "Arrays are not equal"
# Name: what plants the fault, the parameters of a fit that comes upon it, the error.
FAULTS = {
    # On a GPU, where the parameters move in place, this is an error of mixed devices.
    "net": (net_that_moves_the_module, {"callbacks": [Callback()]}, OTHERS),
    "mask": (mask_on_the_cpu, {"dropout": 0.5}, MIXED),
    "bounds": (on_cpu(_Masks, "__init__", "_bounds"), {"input_dropout": 0.5}, MIXED),
    "bias": (bias_left_behind, {}, MIXED),
    "order": (order_on_the_cpu, {}, MIXED),
    "numbers": (on_cpu(Batches, "__init__", "_one_row"), {}, MIXED),
    "rates": (
        on_cpu(ProximalOptimizer, "_make_runs", "_rates"),
        {"weight_decay": 0.1},
        MIXED,
    ),
    "pruning": (on_cpu(Pruning, "__init__", "masks"), {"pruning": 0.5}, MIXED),
    "averages": (on_cpu(Averages, "__init__", "_averages"), {"ema_decay": 0.9}, MIXED),
    "steps": (steps_counted_on_the_cpu, {}, MIXED),
    "out": (scaled_into_memory_of_the_cpu, {}, MIXED),
    "first device": (ScalingOfTheFirstDevice(), {}, f"{DEVICE}:0 and {DEVICE}:1"),
    "state": (state_without_a_copy_to_the_cpu, {}, "can't convert"),
    "best state": (best_state_in_arithmetic, EARLY, MIXED),
    "shared memory": (best_state_through_shared_memory, EARLY, OTHERS),
    "fit": (fit_on_the_cpu, {}, "computed on {"),
    "rows": (rows_left_on_the_cpu, {}, MIXED),
    "outputs": (outputs_left_on_the_device, {}, "can't convert"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_seen(fault):
    planted, parameters, match = FAULTS[fault]
    X, y = data(MLPClassifier)
    make = functools.partial(MLPClassifier, **SHORT | parameters)
    expected = as_on_cpu(make, X, y)
    with planted:
        # No test on the CPU can see it.
        assert_equal(as_on_cpu(make, X, y), expected)
    errors = RuntimeError, TypeError, AssertionError
    with devices(), planted, pytest.raises(errors, match=match):
        make(device=f"{DEVICE}:1").fit(X, y)
        assert_as_on_cpu(make, X, y, expected=expected)


@pytest.mark.parametrize("fault", FAULTS)
def test_without_the_fault_nothing_is_seen(fault):
    make = functools.partial(MLPClassifier, **SHORT | FAULTS[fault][1])
    with devices():
        assert_as_on_cpu(make, *data(MLPClassifier))


def test_waiting_in_each_step_is_seen():
    make, rows = functools.partial(MLPClassifier, **SHORT), data(MLPClassifier)
    with devices():
        few, many = n_reads(make, *rows)
        assert few == many
        with number_read_in_each_step:
            few, many = n_reads(make, *rows)
            assert few < many
