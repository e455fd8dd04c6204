"""Devices for machines without a GPU, which compute on the CPU and refuse as CUDA does.

Inside `devices()`, torch has `N_DEVICES` devices of the type `DEVICE`. A tensor on one
holds its values in a tensor on the CPU that no other code reaches. Operations run on
these values, so that results are those of the CPU. What CUDA refuses is an error:

- operations on tensors of different devices. Exceptions are copies, indices on the CPU,
  and one tensor on the CPU without axes that an element-wise operation reads;
- access of the host to the memory of a tensor, as by numpy. Values come back in copies
  to the CPU and as single numbers;
- a device whose number is too large.

The devices are a backend of torch and not a mode of one thread, so that all threads
have them. "lazy" is a type of device that every build of torch can name and number but
has no kernels for, unless its own backend of that name is started.

The kernels are those of the CPU. Whether CUDA has them, and how it rounds, needs a GPU.
"""

import contextlib
import functools

import torch
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE, KEY = "lazy", "Lazy"
N_DEVICES = 2

aten = torch.ops.aten

# The operations that need a kernel of their own. The first create tensors, and the copy
# is needed because `torch.tensor` leaves subclasses out. Without a kernel, torch would
# put the last ones together from others, and round otherwise than CPU and CUDA.
KERNELS = (
    aten.empty.memory_format,
    aten.empty_strided.default,
    aten.arange.default,
    aten.arange.start,
    aten.arange.start_step,
    aten.copy_.default,
    aten.silu_backward.default,
    aten.mish_backward.default,
)
# These read and write tensors of any devices.
COPIES = {aten.copy_, aten._to_copy, aten._foreach_copy_}
# These accept indices on the CPU for a tensor on a device.
INDEXING = {aten.index, aten.index_put_}
# These read one tensor on the CPU without axes as if it were a number.
ELEMENTWISE = {
    getattr(aten, name + suffix)
    for name in (
        *("add", "sub", "mul", "div", "pow", "remainder", "masked_fill", "fill"),
        *("eq", "ne", "lt", "le", "gt", "ge", "bitwise_and", "bitwise_or"),
    )
    for suffix in ("", "_")
} | {aten.where, aten.maximum, aten.minimum}
# The arithmetic of networks and of optimisers.
PRODUCTS = {aten.mm, aten.addmm, aten.bmm, aten.baddbmm, aten.convolution}
STEPS = {aten._fused_adam_, aten._fused_sgd_}

# The types that the devices do not have.
missing = set()


class DeviceTensor(torch.Tensor):
    """A tensor on a device.

    Parameters
    ----------
    values : Tensor
        Its values, on the CPU.
    device : torch.device
    """

    @staticmethod
    def __new__(cls, values, device):
        if values.dtype in missing:
            raise TypeError(f"{device} has no {values.dtype}")
        tensor = torch.Tensor._make_wrapper_subclass(
            cls,
            values.size(),
            strides=values.stride(),
            storage_offset=values.storage_offset(),
            dtype=values.dtype,
            device=device,
        )
        tensor.values_on_cpu = values
        return tensor

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return compute(operation, *args, **(kwargs or {}))

    def numpy(self, *, force=False):
        if force:
            return self.cpu().numpy()
        raise TypeError(
            f"can't convert {self.device} device type tensor to numpy. Use "
            "Tensor.cpu() to copy the tensor to host memory first."
        )

    def tolist(self):
        return self.cpu().tolist()

    @property
    def data(self):
        return self.detach()

    @data.setter
    def data(self, tensor):
        # A module that moves to where it is sets each parameter to itself.
        if tensor is not self:
            raise NotImplementedError("tensors on a device keep their values")

    def __reduce_ex__(self, protocol):
        # As with CUDA, saved tensors return to their device.
        return torch.Tensor.to, (self.cpu(), str(self.device))


@contextlib.contextmanager
def devices(without=()):
    """Give torch the devices, in all threads, until the end of the block.

    Parameters
    ----------
    without : iterable of torch.dtype, default=()
        Types that the devices do not have, as "mps" does not have float64.
    """
    missing.update(without)
    library = torch.library.Library("aten", "IMPL")
    for operation in KERNELS:
        library.impl(operation, functools.partial(compute, operation), KEY)
    try:
        yield
    finally:
        missing.clear()
        library._destroy()


class Work(TorchDispatchMode):
    """Records what this thread computes where, until the block ends.

    Attributes
    ----------
    places : set of str
        The types of the devices that compute products and steps.
    n_read : int
        How often the CPU has waited for values of a device.
    """

    def __init__(self):
        super().__init__()
        self.places, self.n_read = set(), 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kind = operation.overloadpacket
        if kind in PRODUCTS | STEPS:
            self.places |= {t.device.type for t in tensors_in(args)}
        result = operation(*args, **(kwargs or {}))
        if kind in COPIES | {aten._local_scalar_dense}:
            was_there = any(not is_on_cpu(tensor) for tensor in tensors_in(args))
            is_there = any(not is_on_cpu(tensor) for tensor in tensors_in([result]))
            self.n_read += was_there and not is_there
        return result


def compute(operation, *args, **kwargs):
    """Run an operation on the CPU, and return its result on the device."""
    check_devices(operation, args, kwargs)
    tensors = list(tensors_in([*args, *kwargs.values()]))
    device = kwargs.get("device")
    if device is None:
        device = next(t.device for t in tensors if not is_on_cpu(t))
    else:
        device, kwargs["device"] = numbered(device), torch.device("cpu")
    named = {name: on_cpu(value) for name, value in kwargs.items()}
    result = operation(*on_cpu(args), **named)
    for tensor in tensors:
        if tensor.shape != on_cpu(tensor).shape:
            raise NotImplementedError(f"{operation} has changed the shape of a tensor")
    return placed(result, device, {id(on_cpu(t)): t for t in tensors})


def check_devices(operation, args, kwargs):
    """Raise the error of CUDA if tensors are on devices that do not go together."""
    kind, free = operation.overloadpacket, []
    if kind in COPIES:
        return
    if kind in INDEXING and not is_on_cpu(args[0]):
        free = [t for t in tensors_in(args[1]) if is_on_cpu(t)]
        free += numbers_in(args[2:])[:1]
    elif kind in ELEMENTWISE:
        # What is written to must be on the device.
        free = numbers_in(args[1:] if kind.__name__.endswith("_") else args)[:1]
    free = set(map(id, free))
    tensors = tensors_in([*args, *kwargs.values()])
    places = sorted({str(t.device) for t in tensors if id(t) not in free})
    if len(places) > 1:
        raise RuntimeError(
            "Expected all tensors to be on the same device, but found at least two "
            f"devices, {places[0]} and {places[1]}! (in {operation})"
        )


def is_on_cpu(tensor):
    """Return whether a tensor is on the CPU."""
    return not isinstance(tensor, DeviceTensor)


def tensors_in(values):
    """Yield the tensors among arguments and in lists of these."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors_in(value)


def numbers_in(values):
    """Return the tensors on the CPU without axes among arguments."""
    return [t for t in tensors_in(values) if is_on_cpu(t) and t.dim() == 0]


def on_cpu(value):
    """Return an argument with values in the place of tensors on a device."""
    if isinstance(value, list | tuple):
        return type(value)([on_cpu(part) for part in value])
    return value if is_on_cpu(value) else value.values_on_cpu


def numbered(device):
    """Return a device with its number, as tensors have it."""
    if device.type != DEVICE:
        return device
    number = device.index or 0
    if number >= N_DEVICES:
        raise RuntimeError("invalid device ordinal")
    return torch.device(DEVICE, number)


def placed(result, device, given):
    """Return a result on a device.

    `given` has the arguments, by the identity of their values. Operations return those
    that they write to.
    """
    if isinstance(result, list | tuple):
        return type(result)([placed(part, device, given) for part in result])
    if not isinstance(result, torch.Tensor) or id(result) in given:
        return given.get(id(result), result)
    return result if device.type == "cpu" else DeviceTensor(result, device)
