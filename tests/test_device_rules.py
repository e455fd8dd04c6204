"""The devices of `_devices` have the rules of CUDA.

Where there is a GPU, it is asked the same questions.
"""

import numpy as np
import pytest
import torch
from _devices import DEVICE, devices


@pytest.fixture(params=[DEVICE, *(["cuda"] if torch.cuda.is_available() else [])])
def device(request):
    with devices():
        yield request.param


REFUSED = {
    "sum with a vector": lambda here, cpu: here + cpu,
    "sum of a vector on the CPU": lambda here, cpu: cpu + here,
    "sum with a vector of one element": lambda here, cpu: here + cpu[:1],
    "sum of a vector on the CPU with a number": lambda here, cpu: cpu + here[0],
    "in place on the CPU": lambda here, cpu: cpu.add_(here),
    "in place": lambda here, cpu: here.mul_(cpu),
    "written to the CPU": lambda here, cpu: torch.add(here, 1, out=cpu),
    "a number on the CPU written to": lambda here, cpu: cpu[0].add_(here[0]),
    "comparison": lambda here, cpu: here < cpu,
    "product": lambda here, cpu: here.view(1, 1, -1) @ cpu.view(1, -1, 1),
    "product of matrices": lambda here, cpu: here.view(1, -1) @ cpu.view(-1, 1),
    "concatenation": lambda here, cpu: torch.cat([here, cpu]),
    "stack": lambda here, cpu: torch.stack([here, cpu]),
    "condition": lambda here, cpu: torch.where(cpu > 0, here, here),
    "bounds": lambda here, cpu: here.clamp(cpu, cpu),
    "weight of a mean": lambda here, cpu: here.lerp(here, cpu),
    "list of tensors": lambda here, cpu: torch._foreach_add([here], [cpu]),
    "index of a vector on the CPU": lambda here, cpu: cpu[here.long()],
    "writing by index on the CPU": lambda here, cpu: cpu.index_put_(
        (here.long(),), cpu
    ),
    "selection": lambda here, cpu: here.index_select(0, cpu.long()),
    "gathering": lambda here, cpu: here.gather(0, cpu.long()),
    "scattering": lambda here, cpu: here.scatter_(0, cpu.long(), 1.0),
    "memory": lambda here, cpu: here.numpy(),
    "array": lambda here, cpu: np.asarray(here),
    "array of a ufunc": lambda here, cpu: np.exp(here),
}
ACCEPTED = {
    "number": lambda here, cpu: here + 2.5,
    "number of numpy": lambda here, cpu: here * np.float32(2),
    "tensor without axes": lambda here, cpu: here + cpu[1],
    "tensor without axes, first": lambda here, cpu: cpu[1] / here,
    "limit without axes": lambda here, cpu: torch.where(here > cpu[1], here, cpu[1]),
    "index": lambda here, cpu: here[cpu.long()],
    "index of numpy": lambda here, cpu: here[np.array([2, 0])],
    "mask": lambda here, cpu: here[cpu > 0],
    "writing by index": lambda here, cpu: here.index_put_((cpu[1:].long(),), cpu[0]),
    "element": lambda here, cpu: here.__setitem__(1, 5.0),
    "part": lambda here, cpu: here[1:].copy_(cpu[1:]),
    "part by itself": lambda here, cpu: here[1:].mul_(here[1:]),
    "copy": lambda here, cpu: here.copy_(cpu),
    "copy back": lambda here, cpu: cpu.copy_(here),
    "type": lambda here, cpu: here.to(torch.float64),
    "like it": lambda here, cpu: torch.zeros_like(here),
    "new": lambda here, cpu: here.new_tensor([1.0, 2.0]),
    "sum": lambda here, cpu: here.sum(),
    "of several": lambda here, cpu: torch.cat([here, here.flip(0)]),
    "values and indices": lambda here, cpu: here.max(0).indices,
    "several results": lambda here, cpu: here.topk(2).values,
}
# Ways to a tensor on a device, and from it.
WAYS = {
    "tensor": lambda device: torch.tensor([0.0, 1.0, 2.0], device=device),
    "as_tensor": lambda device: torch.as_tensor([0.0, 1.0, 2.0], device=device),
    "arange": lambda device: torch.arange(3.0, device=device),
    "arange from a start": lambda device: torch.arange(0.0, 3.0, device=device),
    "full": lambda device: torch.full((3,), 1.0, device=device).cumsum(0) - 1,
    "to": lambda device: torch.arange(3.0).to(device),
    "from numpy": lambda device: torch.from_numpy(np.arange(3.0)).to(device).float(),
    "linspace": lambda device: torch.linspace(0, 2, 3, device=device),
    "numbered": lambda device: torch.arange(3.0, device=torch.device(device, 0)),
    "parameter": lambda device: torch.nn.Parameter(
        torch.arange(3.0, device=device), requires_grad=False
    ),
}


def three(device):
    return torch.arange(3.0, device=device)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name, device):
    match = r"same device|on the same|should be either on|can't convert|found at least"
    with pytest.raises((RuntimeError, TypeError), match=match):
        REFUSED[name](three(device), three("cpu"))


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_accepted(name, device):
    here, host, cpu = three(device), three("cpu"), three("cpu")
    found = ACCEPTED[name](here, cpu)
    expected = ACCEPTED[name](host, three("cpu"))
    assert here.device.type == device and here.tolist() == host.tolist()
    if expected is not None:
        assert found.device.type == ("cpu" if name == "copy back" else device)
        assert found.dtype == expected.dtype and found.tolist() == expected.tolist()


@pytest.mark.parametrize("way", WAYS)
def test_ways_to_a_device_and_back(way, device):
    tensor = WAYS[way](device)
    assert tensor.device == torch.device(device, 0)
    assert tensor.tolist() == tensor.cpu().tolist() == [0.0, 1.0, 2.0]
    assert tensor.cpu().numpy().tolist() == tensor.numpy(force=True).tolist()
    assert [float(number) for number in tensor] == tensor.tolist()
    assert bool((tensor >= 0).all()) and tensor[2].item() == 2


def test_memory_is_not_shared(device):
    array = np.arange(3.0)
    tensor = torch.from_numpy(array).to(device)
    array[0] = 7.0
    tensor.cpu()[1] = 7.0
    assert tensor.tolist() == [0.0, 1.0, 2.0]


def test_devices_are_told_apart(device):
    if device == "cuda" and torch.cuda.device_count() < 2:
        pytest.skip("one GPU")
    first, second = (torch.arange(3.0, device=f"{device}:{i}") for i in (0, 1))
    assert first.device != second.device
    with pytest.raises(RuntimeError, match=f"{device}:0 and {device}:1"):
        first + second
    assert (first + second.to(first.device)).tolist() == [0.0, 2.0, 4.0]


def test_a_number_that_is_too_large(device):
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.empty(1, device=f"{device}:99")


def test_there_is_no_device_afterwards():
    for _ in range(2):
        with devices():
            tensor = torch.ones(2, device=DEVICE)
        with pytest.raises(NotImplementedError):
            torch.ones(2, device=DEVICE)
        assert tensor.cpu().tolist() == [1.0, 1.0]
