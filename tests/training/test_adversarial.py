"""Adversarial training, against automatic differentiation."""

from dataclasses import replace
from unittest import mock

import _loop
import numpy as np
import pytest
import torch
from _loop import Reference, assert_same_fit, data, network
from _numeric import derivative, request_of
from skorch.callbacks import Callback

from skreg import MLPClassifier, MLPRegressor
from skreg.losses.kinds import LogLoss
from skreg.networks.architecture import Architecture
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork
from skreg.training.run import run
from skreg.training.stack import Stack
from skreg.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Adversarial(Reference):
    """A loop over torch.nn that makes its inputs adversarial before each step."""

    def step(self, rows):
        kept = self.X, self.y, self.weight
        x, y, weight = (part[rows] for part in kept)
        self.draw_masks(len(rows))
        x.requires_grad_(True)
        for norm in self.norms:
            norm.momentum = 0.0
        (weight * self.row_losses(self.network(x), y)).sum().backward()
        for norm in self.norms:
            norm.momentum = 0.1
        worse = x + self.params["adversarial"] * x.grad.sign()
        self.X = torch.cat([x, worse]).detach()
        self.y, self.weight = torch.cat([y, y]), torch.cat([weight, weight])
        for module in self.masks:
            if module.mask is not None:
                module.mask = torch.cat([module.mask] * 2)
        with mock.patch.object(self, "draw_masks"):
            loss = super().step(np.arange(2 * len(rows)))
        self.X, self.y, self.weight = kept
        return loss


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"batchnorm": "before"},
        {"batchnorm": "after", "solver": "sgd"},
        {"dropout": [0.3, 0.2]},
        {"hidden_layer_sizes": ()},
        {"activation": "relu", "clip_norm": 0.3},
        {"l2": 0.01, "weight_decay": 0.1, "batchnorm": True, "dropout": 0.1},
    ],
)
@pytest.mark.parametrize("kind, n_classes", [(MLPClassifier, 3), (MLPRegressor, 0)])
def test_the_fit_is_that_of_a_loop_over_torch(kind, n_classes, params):
    X, y = data(n_classes)
    # torch's batch normalisation knows no weights.
    weight = np.random.default_rng(0).uniform(0.2, 3, len(y))
    weight = None if "batchnorm" in params else weight
    # Few epochs: a slope of a size near rounding could have another sign.
    estimator = network(kind, adversarial=0.2, max_iter=6, **params)
    with mock.patch.object(_loop, "Reference", Adversarial):
        assert_same_fit(estimator, X, y, weight)


@pytest.mark.parametrize("batchnorm", [False, "before", "after"])
def test_a_weight_of_two_is_a_row_given_twice(batchnorm):
    X, y = data(3)
    twice = np.arange(len(y)) % 3 == 0
    settings = {"adversarial": 0.2, "batch_size": 200, "batchnorm": batchnorm}
    one = network(MLPClassifier, **settings).fit(X, y, sample_weight=1.0 + twice)
    X, y = np.concatenate([X, X[twice]]), np.concatenate([y, y[twice]])
    other = network(MLPClassifier, **settings).fit(X, y)
    for array, its in zip(one._fits[0].state, other._fits[0].state):
        np.testing.assert_allclose(array, its, rtol=1e-9, atol=1e-9)


def test_the_gradient_of_the_inputs():
    for batchnorm in (None, "before", "after"):
        architecture = Architecture((3, 4, 2), "tanh", batchnorm)
        states = [
            initial_state(architecture, np.random.default_rng(seed), np.float64)
            for seed in range(2)
        ]
        module = StackedNetwork(architecture, states, torch.float64).prepare_training()
        rng = torch.Generator().manual_seed(0)
        x = torch.randn(2, 5, 3, generator=rng, dtype=torch.float64)
        target = torch.eye(2, dtype=torch.float64)[[0, 1, 1, 0, 1]].repeat(2, 1, 1)
        loss = LogLoss()
        score, tape = module.forward_training(x.clone())
        found = module.input_gradient(loss.gradient(score, target), tape)
        slopes = derivative(
            lambda x: loss.value(module.forward_training(x.clone())[0], target), x
        )
        torch.testing.assert_close(found, slopes, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_running_statistics_take_one_step(solver):
    """Towards those of both halves together."""
    X, y = data(3)
    settings = {"batch_size": 100, "batchnorm": "before", "hidden_layer_sizes": (4,)}
    settings |= {"solver": solver, "adversarial": 0.5}
    estimator = network(MLPClassifier, max_iter=1, **settings)
    start = request_of(estimator, X, y)
    weight, out, bias, _, gamma, beta, *_ = initial_state(
        start.architecture, np.random.default_rng(0), np.float64
    )
    initial = [weight, out, bias, bias[:, :1].repeat(3, 1)]
    initial += [gamma, beta, np.zeros((1, 4)), np.ones((1, 4))]
    start = replace(start, initial=initial)
    (result,) = train([start])
    Z = torch.tensor((X - X.mean(0)) / X.std(0), requires_grad=True)
    hidden = Z @ torch.tensor(weight) + torch.tensor(bias)
    normed = (hidden - hidden.mean(0)) / (hidden.var(0, correction=0) + 1e-5).sqrt()
    active = torch.tanh(normed) @ torch.tensor(out) + bias[0, 0]
    torch.nn.functional.cross_entropy(active, torch.tensor(y)).backward()
    both = torch.cat([Z, Z + 0.5 * Z.grad.sign()]).detach()
    both = both @ torch.tensor(weight) + torch.tensor(bias)
    running_mean, running_var = result.state[-2:]
    close = {"rtol": 1e-12, "atol": 1e-13}
    np.testing.assert_allclose(running_mean[0], 0.1 * both.mean(0), **close)
    var = 0.9 + 0.1 * both.var(0, correction=0)
    np.testing.assert_allclose(running_var[0], var, **close)


@pytest.mark.parametrize("batchnorm", [False, True])
def test_stacked_is_alone(batchnorm):
    """Of other lengths and with ragged ends; those without it in a stack of theirs."""
    X, y = data(3)
    requests = [
        request_of(
            network(
                MLPClassifier,
                adversarial=epsilon,
                dropout=0.2,
                input_noise=0.1,
                batchnorm=batchnorm,
                max_iter=4 + position,
                random_state=position,
            ),
            X[: 30 + 10 * position],
            y[: 30 + 10 * position],
        )
        for position, epsilon in enumerate([0.05, 0.0, 0.5, 0.0])
    ]
    with mock.patch("skreg.training.train.run", wraps=run) as watched:
        together = train(requests)
    sizes = [len(call.args[0]) for call in watched.call_args_list]
    assert sizes == [2, 2]
    for result, request in zip(together, requests):
        (other,) = train([request])
        for array, its in zip(result.state, other.state):
            # Rounding of sums in another order, over few steps.
            np.testing.assert_allclose(array, its, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(result.tracker.loss_curve, other.tracker.loss_curve)


def test_the_violation_is_that_of_the_adversarial_objective():
    """With one batch and nothing drawn, of the gradient that the next step follows."""
    X, y = data(3)
    settings = {"l1": 1e-3, "batch_size": 100, "adversarial": 0.3}
    estimator = network(MLPClassifier, max_iter=30, **settings)
    request = request_of(estimator, X, y)
    assert not request.is_certified
    (result,) = train([request])
    stack = Stack([replace(request, initial=result.state)])
    objective = stack.objective()
    objective.loss_and_gradient(stack.streams)
    assert objective.violation().item() == pytest.approx(result.kkt_violation, rel=1e-9)
    objective.loss_and_gradient()
    assert objective.violation().item() != pytest.approx(result.kkt_violation, rel=0.01)


def test_callbacks_see_the_rows_of_the_batch():
    X, y = data(3)

    class Watching(Callback):
        def on_batch_end(self, net, batch, y_pred, **kwargs):
            assert y_pred.shape == batch[1].shape

    network(MLPClassifier, adversarial=0.1, callbacks=[Watching()]).fit(X, y)


def test_small_changes_of_the_inputs_do_less_harm():
    X, y = data(3, n_rows=300)
    Z = (X - X.mean(0)) / X.std(0)
    harm = []
    for epsilon in (0.0, 0.3):
        settings = {"adversarial": epsilon, "max_iter": 60, "standardize": False}
        net = network(MLPClassifier, **settings).fit(Z, y)
        inputs = torch.tensor(Z, requires_grad=True)
        score = inputs
        for weight, bias in zip(net.coefs_[:-1], net.intercepts_[:-1]):
            score = torch.tanh(score @ torch.tensor(weight) + torch.tensor(bias))
        score = score @ torch.tensor(net.coefs_[-1]) + torch.tensor(net.intercepts_[-1])
        torch.nn.functional.cross_entropy(score, torch.tensor(y)).backward()
        worse = Z + 0.3 * inputs.grad.sign().numpy()
        harm.append(net.score(Z, y) - net.score(worse, y))
    assert harm[1] < harm[0] - 0.05
