"""Stacked layers: derivatives, torch's own layers, and independence of the models."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from _networks import (
    N_MODELS,
    N_ROWS,
    check_gradients,
    check_layer,
    loss_of,
    network,
    normal,
    parameter,
    random_weight,
)
from _pairs import all_pairs

from skreg.losses.kinds import CLASSIFICATION_LOSSES, SquaredError
from skreg.networks.activations import ACTIVATIONS
from skreg.networks.architecture import Architecture, state_names, state_shapes
from skreg.networks.initial import initial_state
from skreg.networks.layers import Activation, BatchNorm, Dropout, Linear
from skreg.networks.stacked import StackedNetwork

BATCHNORMS = [None, "before", "after"]


@pytest.mark.parametrize("n_out", [1, 3, 12])
@pytest.mark.parametrize("turned_from", [0, 10**9])
def test_linear(monkeypatch, n_out, turned_from):
    """Also where a narrow product is computed the other way round."""
    monkeypatch.setattr("skreg.networks.products.NARROW_PRODUCTS", turned_from)
    weight = parameter(N_MODELS, 4, n_out)
    bias = parameter(N_MODELS, 1, n_out, seed=1)
    x = normal(N_MODELS, N_ROWS, 4, seed=2)
    layer = Linear(weight, bias)
    check_layer(layer, x, parameters=[weight, bias])
    output, saved = layer.forward(x, None, ())
    assert output.is_contiguous()
    assert layer.backward(output, saved, False) is None
    torch.testing.assert_close(layer.predict(x), output, rtol=0, atol=0)
    expected = np.einsum("mri,mio->mro", x, weight) + bias.numpy()
    np.testing.assert_allclose(output, expected, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name):
    layer = Activation(name)
    # Values from -4 to 4, none within 0.02 of the kink at 0.
    x = torch.linspace(-4, 4, 100, dtype=torch.float64).view(2, 10, 5)
    assert x.abs().min() > 0.02
    check_layer(layer, x)
    output, _ = layer.forward(x.clone(), None, ())
    assert torch.equal(layer.predict(x), output)


REFERENCES = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))
    ),
    "gelu": lambda x: x * (1 + torch.erf(torch.tensor(x) / 2**0.5).numpy()) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(np.log1p(np.exp(x))),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_is_its_formula(name):
    x = np.linspace(-6, 6, 101).reshape(1, 1, -1)
    output = Activation(name).predict(torch.tensor(x))
    np.testing.assert_allclose(output, REFERENCES[name](x), rtol=1e-12, atol=1e-15)


def test_dropout():
    x, mask = (
        normal(N_MODELS, N_ROWS, 3),
        (normal(N_MODELS, N_ROWS, 3, seed=1) > 0) * 2.0,
    )
    check_layer(Dropout(), x, drawn=[None])
    check_layer(Dropout(), x, drawn=[mask.double()])
    assert Dropout().predict(x) is x


def batchnorm(n_units=3):
    return BatchNorm(
        parameter(N_MODELS, 1, n_units, seed=5),
        parameter(N_MODELS, 1, n_units, seed=6),
        torch.zeros(N_MODELS, 1, n_units, dtype=torch.float64),
        torch.ones(N_MODELS, 1, n_units, dtype=torch.float64),
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_batchnorm_derivatives(weighted):
    layer = batchnorm()
    weight = random_weight() if weighted else None
    x = 2 * normal(N_MODELS, N_ROWS, 3, seed=1) + 1
    check_layer(layer, x, weight, parameters=[layer.gamma, layer.beta])


def test_batchnorm_is_torchs():
    """Outputs, gradients, running statistics and predictions, over three batches."""
    layer = batchnorm()
    norms = []
    for model in range(N_MODELS):
        norm = torch.nn.BatchNorm1d(3, dtype=torch.float64)
        norm.weight.data.copy_(layer.gamma[model, 0])
        norm.bias.data.copy_(layer.beta[model, 0])
        norms.append(norm)
    close = dict(rtol=1e-12, atol=1e-13)
    for step in range(1, 4):
        x = normal(N_MODELS, N_ROWS, 3, seed=step) * step + step
        output, saved = layer.forward(x.clone(), None, ())
        cotangent = normal(N_MODELS, N_ROWS, 3, seed=10 + step)
        gradient = layer.backward(cotangent, saved, True)
        for model, norm in enumerate(norms):
            norm.zero_grad()
            own = x[model].clone().requires_grad_()
            expected = norm(own)
            expected.backward(cotangent[model])
            torch.testing.assert_close(output[model], expected.detach(), **close)
            torch.testing.assert_close(gradient[model], own.grad, **close)
            torch.testing.assert_close(
                layer.gamma.grad[model, 0], norm.weight.grad, **close
            )
            torch.testing.assert_close(
                layer.beta.grad[model, 0], norm.bias.grad, **close
            )
            mean, var = layer.running_mean[model, 0], layer.running_var[model, 0]
            torch.testing.assert_close(mean, norm.running_mean, **close)
            # torch keeps n / (n - 1) times the variance that it normalises by. Here
            # both are the population's, which alone has a meaning for weighted rows.
            start = 0.9**step
            correction = (N_ROWS - 1) / N_ROWS
            population = (norm.running_var - start) * correction + start
            torch.testing.assert_close(var, population, **close)
    x = normal(N_MODELS, 4, 3, seed=20)
    prediction = layer.predict(x)
    for model, norm in enumerate(norms):
        norm.eval()
        norm.running_var.copy_(layer.running_var[model, 0])
        torch.testing.assert_close(prediction[model], norm(x[model]).detach(), **close)


def test_batchnorm_counts_a_row_of_weight_two_as_two_rows():
    x, cotangent = normal(N_MODELS, 4, 3), normal(N_MODELS, 4, 3, seed=1)
    twice = torch.tensor([0, 1, 1, 2, 3])
    weight = torch.tensor([1.0, 2, 1, 1], dtype=torch.float64)
    weight = (weight / 5).view(1, 4, 1).repeat(N_MODELS, 1, 1)
    one, two = batchnorm(), batchnorm()
    output, saved = one.forward(x.clone(), weight, ())
    # What reaches a row through a loss is in proportion to its weight.
    gradient = one.backward(cotangent * weight, saved, True)
    doubled, saved = two.forward(x[:, twice], None, ())
    doubled_gradient = two.backward(cotangent[:, twice] / 5, saved, True)
    close = dict(rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(output[:, twice], doubled, **close)
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(one, name), getattr(two, name), **close)
    for name in ("gamma", "beta"):
        torch.testing.assert_close(
            getattr(one, name).grad, getattr(two, name).grad, **close
        )
    doubled_gradient[:, 1] += doubled_gradient[:, 2]
    torch.testing.assert_close(gradient, doubled_gradient[:, [0, 1, 3, 4]], **close)


def test_batchnorm_ignores_rows_of_weight_zero():
    x, layer, other = normal(N_MODELS, 5, 3), batchnorm(), batchnorm()
    weight = torch.full((N_MODELS, 5, 1), 0.25, dtype=torch.float64)
    weight[:, -1] = 0
    filled = x.clone()
    filled[:, -1] = 1e6
    output, _ = layer.forward(filled, weight, ())
    expected, _ = other.forward(x[:, :-1].clone(), None, ())
    torch.testing.assert_close(output[:, :-1], expected, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(layer.running_var, other.running_var, rtol=1e-12, atol=0)


EVERYTHING = [
    Architecture((3, 4, 2), "tanh", "before"),
    Architecture((3, 3, 4, 2), "gelu", "after", "residual"),
    Architecture((6, 4, 2), "relu", None, "linear", "periodic", (2,) * 3),
    Architecture((6, 4, 2), "elu", None, None, "piecewise_linear", (2,) * 3),
    Architecture((3, 4, 4, 2), "tanh", None, "linear", n_members=3),
]


def everything(architecture):
    """Return a network without special numbers such as initial zeros and ones."""
    shapes = state_shapes(architecture).values()
    rng = np.random.default_rng(0)
    states = [[rng.uniform(0.5, 1, shape) for shape in shapes] for _ in range(N_MODELS)]
    for state in states if architecture.embedding == "piecewise_linear" else []:
        state[-1].sort(axis=1)
    return network(architecture, initial=states)


@pytest.mark.parametrize("architecture", EVERYTHING, ids=str)
def test_parameters_are_weights_and_free_ones(architecture):
    module = everything(architecture)
    parameters = list(module.parameters())
    together = [*module.weights, *module.free_parameters]
    assert len(together) == len(parameters)
    # Optimisers keep a buffer for each parameter, by its position.
    assert all(one is other for one, other in zip(together, parameters))
    named = dict(zip(module.state_names, module.state, strict=True))
    assert module.state_names == state_names(architecture)
    weights = [tensor for name, tensor in named.items() if name.startswith("weight")]
    assert all(one is other for one, other in zip(weights, module.weights, strict=True))
    assert len(weights) == architecture.n_weights
    assert len(named) == len(parameters) + len(list(module.buffers()))


@pytest.mark.parametrize("architecture", EVERYTHING, ids=str)
def test_parameters_have_the_same_gradients_with_that_of_the_inputs(architecture):
    module = everything(architecture)
    x = normal(N_MODELS, 6, 3)
    found = []
    for differentiate in (module.backward, module.input_gradient):
        score, tape = module.forward_training(x.clone())
        passed = differentiate(normal(*score.shape, seed=1), tape)
        found.append([tensor.grad.clone() for tensor in module.parameters()])
    assert passed.shape == x.shape and passed.any()
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other) and one.isfinite().all()


@pytest.mark.parametrize(
    "activation, norm, weighted",
    all_pairs(list(ACTIVATIONS), BATCHNORMS, others=[False, True]),
)
def test_gradients_of_a_network(activation, norm, weighted):
    """Two hidden layers with everything on, and ragged rows."""
    module = network(Architecture((3, 4, 3, 2), activation, norm))
    x, target = normal(N_MODELS, N_ROWS, 3, seed=3), normal(N_MODELS, N_ROWS, 2, seed=4)
    masks = [(normal(N_MODELS, N_ROWS, n, seed=n) > -0.5) * 1.5 for n in (4, 3)]
    masks = [mask.double() for mask in masks]
    weight = random_weight() if weighted else None
    check_gradients(module, SquaredError(), x, target, weight, masks)


@pytest.mark.parametrize("name", CLASSIFICATION_LOSSES)
@pytest.mark.parametrize("hidden", [(), (5,)])
def test_gradients_of_a_classifier(hidden, name):
    module = network(Architecture((3, *hidden, 3), "tanh"))
    x = normal(N_MODELS, N_ROWS, 3, seed=3)
    target = torch.softmax(normal(N_MODELS, N_ROWS, 3, seed=4), 2)
    check_gradients(module, CLASSIFICATION_LOSSES[name](), x, target, random_weight())


@pytest.mark.parametrize("norm", BATCHNORMS)
def test_a_batch_of_the_first_models(norm):
    """It moves nothing of the others: neither gradients nor running statistics."""
    architecture = Architecture((3, 4, 2), "tanh", norm)
    whole, part = network(architecture, n_models=3), network(architecture, n_models=2)
    x, target = normal(2, N_ROWS, 3, seed=3), normal(2, N_ROWS, 2, seed=4)
    marks = [tensor.detach()[2].clone() for tensor in whole.state]
    for module in (whole, part):
        _, gradient, tape = loss_of(module, SquaredError(), x, target, None, ())
        module.backward(gradient, tape)
    for (name, one), (_, two) in zip(whole.named_parameters(), part.named_parameters()):
        assert torch.equal(one.grad[:2], two.grad), name
        assert not one.grad[2].any()
    for one, two, mark in zip(whole.state, part.state, marks):
        assert torch.equal(one[:2], two)
        assert torch.equal(one[2], mark)
    assert torch.equal(whole(x), part(x))


@pytest.mark.parametrize("norm", BATCHNORMS)
def test_predictions_are_torchs(norm):
    """Of networks whose running statistics are not the initial ones."""
    architecture = Architecture((4, 5, 3, 2), "gelu", norm)
    module = network(architecture)
    for step in range(3):
        module.forward_training(normal(N_MODELS, 8, 4, seed=step) + step)
    x = normal(N_MODELS, 7, 4, seed=9)
    score = module(x)
    for model in range(N_MODELS):
        layers = []
        for i, (n_in, n_out) in enumerate(pairwise(architecture.layer_sizes)):
            linear = torch.nn.Linear(n_in, n_out, dtype=torch.float64)
            linear.weight.data.copy_(module.weights[i][model].T)
            linear.bias.data.copy_(getattr(module, f"bias_{i}")[model, 0])
            layers.append(linear)
            if i == 2:
                break
            tail = [torch.nn.GELU(), torch.nn.Dropout(0.5)]
            if norm:
                batchnorm = torch.nn.BatchNorm1d(n_out, dtype=torch.float64)
                for name, own in [
                    ("weight", "gamma"),
                    ("bias", "beta"),
                    ("running_mean", "running_mean"),
                    ("running_var", "running_var"),
                ]:
                    getattr(batchnorm, name).data.copy_(
                        getattr(module, f"{own}_{i}")[model, 0]
                    )
                tail.insert(0 if norm == "before" else 1, batchnorm)
            layers += tail
        expected = torch.nn.Sequential(*layers).eval()(x[model]).detach()
        torch.testing.assert_close(score[model], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("norm", BATCHNORMS)
def test_selection(norm):
    """A selection is a network of its own that predicts the same bits."""
    module = network(Architecture((3, 4, 2), "relu", norm), n_models=4)
    module.forward_training(normal(4, 8, 3))
    chosen = torch.tensor([3, 1])
    other = module.select(chosen)
    assert other.n_models == 2
    x = normal(4, 5, 3, seed=1)
    before = module(x)
    torch.testing.assert_close(other(x[chosen]), before[chosen], rtol=1e-14, atol=1e-15)
    for tensor in other.state:
        tensor.zero_()
    assert torch.equal(module(x), before)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 3)])
@pytest.mark.parametrize("norm", BATCHNORMS)
def test_initial_state(hidden, norm):
    architecture = Architecture((400, *hidden, 50), "relu", norm)
    state = initial_state(architecture, np.random.default_rng(0), np.float32)
    names = state_names(architecture)
    assert len(state) == len(names) == len(set(names))
    module = StackedNetwork(architecture, [state], torch.float32)
    assert [tuple(tensor.shape[1:]) for tensor in module.state] == [
        a.shape for a in state
    ]
    assert all(array.dtype == np.float32 for array in state)
    by_name = dict(zip(names, state))
    for i, (fan_in, fan_out) in enumerate(pairwise(architecture.layer_sizes)):
        weight, bias = by_name[f"weight_{i}"], by_name[f"bias_{i}"]
        bound = np.sqrt(6 / (fan_in + fan_out)) if hidden else 0
        assert np.abs(weight).max() <= bound and np.abs(bias).max() <= bound
        # Uniform: a variance of a third of the square, with a standard error of
        # sqrt(4 / 45 / n) times the square.
        error = np.sqrt(4 / 45 / weight.size) * bound**2
        assert abs(weight.var() - bound**2 / 3) <= 5 * error
    for i in range(len(hidden) if norm else 0):
        assert (by_name[f"gamma_{i}"] == 1).all() and (
            by_name[f"running_var_{i}"] == 1
        ).all()
        assert not by_name[f"beta_{i}"].any() and not by_name[f"running_mean_{i}"].any()


def test_the_logistic_activation_starts_smaller():
    """By the square root of three, as in scikit-learn."""
    sizes = (4, 3, 2)
    one, two = (
        initial_state(Architecture(sizes, name), np.random.default_rng(0), np.float64)
        for name in ("relu", "logistic")
    )
    for array, smaller in zip(one, two):
        np.testing.assert_allclose(array, smaller * 3**0.5, rtol=1e-13)
