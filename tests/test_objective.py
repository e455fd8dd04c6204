"""The full objective: its value by its formula, its gradient by derivatives."""

import numpy as np
import pytest
import torch
from _numeric import derivative
from scipy.special import log_softmax

from skreg.augment import Noise
from skreg.batches import Batches, Pool, Rows, Scaling
from skreg.losses import LogLoss
from skreg.modules import Architecture, StackedMLP, initial_state
from skreg.objective import value_and_gradient
from skreg.penalties import Penalties

N_MODELS, SIZES = 2, (3, 4, 3)


def stack(size):
    """Return a stack with all that the objective is made of."""
    rng = np.random.default_rng(0)
    architecture = Architecture(SIZES, "tanh")
    states = [initial_state(architecture, rng, np.float64) for _ in range(N_MODELS)]
    module = StackedMLP(architecture, states, torch.float64).prepare_training()
    parts = []
    for n in (11, 7):
        X, y = rng.standard_normal((n, 3)), np.eye(3)[rng.integers(3, size=n)]
        parts.append(Rows(X, y, rng.uniform(0.1, 3, n), np.arange(1, n)))
    pool = Pool(parts, torch.float64, "cpu")
    batches = Batches(pool, pool.indices, Scaling(), size)
    strengths = torch.tensor([[0.3, 0.1], [0.0, 0.2]], dtype=torch.float64)
    group = torch.tensor([0.4, 0.0], dtype=torch.float64)
    off = torch.zeros(N_MODELS, dtype=torch.float64)
    noise = Noise(
        off.view(-1, 1), off, off, torch.tensor([0.0, 0.2], dtype=torch.float64), off
    )
    return module, parts, batches, Penalties(strengths, strengths / 3, group), noise


@pytest.mark.parametrize("size", [4, 100])
def test_value(size):
    """The weighted mean loss, and penalties of weights only."""
    module, parts, batches, penalties, noise = stack(size)
    value = value_and_gradient(module, LogLoss(), penalties, batches, noise)
    names = dict(module.named_parameters())
    arrays = {name: p.detach().numpy() for name, p in names.items()}
    for model, part in enumerate(parts):
        X, y, s = part.X[1:], part.y[1:], part.weight[1:]
        hidden = np.tanh(X @ arrays["weight_0"][model] + arrays["bias_0"][model])
        score = hidden @ arrays["weight_1"][model] + arrays["bias_1"][model]
        smooth = [0.0, 0.2][model]
        target = (1 - smooth) * y + smooth / 3
        expected = np.average(-(target * log_softmax(score, axis=1)).sum(1), weights=s)
        for layer in range(2):
            W = arrays[f"weight_{layer}"][model]
            expected += penalties.l1[model, layer] * np.abs(W).sum()
            expected += penalties.l2[model, layer] * (W**2).sum()
        rows = arrays["weight_0"][model]
        expected += penalties.group_l1[model] * np.linalg.norm(rows, axis=1).sum()
        assert value[model].item() == pytest.approx(float(expected), rel=1e-13)


@pytest.mark.parametrize("size", [4, 100])
def test_gradient_of_the_smooth_part(size):
    module, _, batches, penalties, noise = stack(size)
    value_and_gradient(module, LogLoss(), penalties, batches, noise)
    gradients = {name: p.grad.clone() for name, p in module.named_parameters()}
    off = 0 * penalties.l1
    smooth = Penalties(off, penalties.l2, 0 * penalties.group_l1)
    for name, parameter in module.named_parameters():
        before = parameter.detach().clone()

        def value(moved, parameter=parameter):
            parameter.copy_(moved)
            return value_and_gradient(module, LogLoss(), smooth, batches, noise)

        expected = derivative(value, before)
        parameter.copy_(before)
        torch.testing.assert_close(gradients[name], expected, rtol=1e-9, atol=1e-11)


def test_gradients_of_a_second_call_are_those_of_a_first():
    module, _, batches, penalties, noise = stack(4)
    found = []
    for _ in range(2):
        value = value_and_gradient(module, LogLoss(), penalties, batches, noise)
        found.append([value, *(p.grad.clone() for p in module.parameters())])
    assert all(map(torch.equal, *found))
