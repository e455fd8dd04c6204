"""The optimisers, step by step against their formulas in plain numpy."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from _numeric import request_of
from _versions import elastic_net
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import Lasso, LogisticRegression, MultiTaskLasso
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier, MLPRegressor
from skreg.networks.architecture import Architecture
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork
from skreg.penalties.combined import Penalties
from skreg.penalties.kinds import PENALTIES
from skreg.training.optimizers import (
    OPTIMIZERS,
    ProximalAdam,
    ProximalSGD,
    StepSettings,
)
from skreg.training.train import train

SIZES = (5, 4, 2)
DEFAULTS = {
    "lr": 0.05,
    "beta_1": 0.9,
    "beta_2": 0.999,
    "epsilon": 1e-8,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "clip_norm": np.inf,
    # The penalties: for both layers, or of the first or of every layer.
    "l1": (0.0, 0.0),
    "l2": (0.0, 0.0),
    "group_l1": 0.0,
    "max_norm": np.inf,
    "positive": False,
}


def module_of(n_models, norm="before"):
    """Return a network with all kinds of parameters."""
    architecture = Architecture(SIZES, "tanh", norm)
    states = [
        initial_state(architecture, np.random.default_rng(seed), np.float64)
        for seed in range(n_models)
    ]
    states = [[array.copy() for array in state] for state in states]
    return StackedNetwork(architecture, states, torch.float64).prepare_training()


def optimizer_of(kind, module, models, nesterov=True, n_batches=None):
    """Return an optimiser for models whose settings are the dicts `models`."""
    models = [DEFAULTS | model for model in models]

    def stacked(rows):
        return torch.tensor(rows, dtype=torch.float64)

    settings = StepSettings(
        **{
            name: stacked([model[name] for model in models])
            for name in StepSettings.__dataclass_fields__
        }
    )
    strengths = {
        "l1": [model["l1"] for model in models],
        "positive": [[float(model["positive"])] * 2 for model in models],
        "group_l1": [[model["group_l1"], 0.0] for model in models],
        "l2": [model["l2"] for model in models],
        "max_norm": [[model["max_norm"]] * 2 for model in models],
    }
    assert list(strengths) == [penalty.parameter for penalty in PENALTIES]
    penalties = Penalties({name: stacked(rows) for name, rows in strengths.items()})
    n_batches = n_batches or [1] * len(models)
    optimizer = OPTIMIZERS[kind](module, penalties, settings, n_batches, nesterov)
    optimizer._make_runs()  # as for the first step
    return optimizer


class Formula:
    """One model's optimiser in numpy, as the docstrings and papers write it."""

    def __init__(self, kind, parameters, n_weights, settings, nesterov=True):
        self.kind, self.nesterov = kind, nesterov
        self.parameters, self.n_weights = parameters, n_weights
        self.__dict__.update(DEFAULTS | settings)
        self.m = [np.zeros_like(p) for p in parameters]
        self.v = [np.zeros_like(p) for p in parameters]
        self.t = 0

    def step(self, gradients):
        self.t += 1
        gradients = [g.copy() for g in gradients]
        for i in range(self.n_weights):
            gradients[i] += 2 * self.l2[i] * self.parameters[i]
        if np.isfinite(self.clip_norm):
            norm = np.sqrt(sum((g**2).sum() for g in gradients))
            gradients = [g * min(1, self.clip_norm / (norm + 1e-6)) for g in gradients]
        for i, (w, g) in enumerate(zip(self.parameters, gradients)):
            is_weight = i < self.n_weights
            if is_weight:
                w = w - self.lr * self.weight_decay * w
            group = self.group_l1 if i == 0 else 0.0
            direction, metric = self.direction(i, g, group)
            w = w - self.lr * direction / metric
            if is_weight:
                rate = self.lr / metric * np.ones_like(w)
                w = np.sign(w) * np.maximum(np.abs(w) - rate * self.l1[i], 0)
                if self.positive:
                    w = np.maximum(w, 0)
                if group:
                    for j in range(len(w)):
                        length = np.linalg.norm(w[j])
                        w[j] *= max(0, 1 - rate[j, 0] * group / length) if length else 0
                lengths = np.linalg.norm(w, axis=0)
                w = w * np.minimum(1, self.max_norm / np.maximum(lengths, 1e-300))
            self.parameters[i] = w

    def direction(self, i, g, group):
        """Return the direction of a step, and the metric that divides it."""
        if self.kind == "sgd":
            self.m[i] = self.momentum * self.m[i] + g
            # The sum of the powers of the momentum is what a steady gradient has been
            # multiplied by: the metric makes a mean of it, with a longer step.
            n_powers = self.t + (1 if self.nesterov else 0)
            metric = 1 / sum(self.momentum**power for power in range(n_powers))
            along = g + self.momentum * self.m[i] if self.nesterov else self.m[i]
            return along * metric, metric
        self.m[i] = self.beta_1 * self.m[i] + (1 - self.beta_1) * g
        square = g**2
        if group:  # one number for each input
            square = np.repeat(square.mean(1, keepdims=True), g.shape[1], 1)
        self.v[i] = self.beta_2 * self.v[i] + (1 - self.beta_2) * square
        m_hat = self.m[i] / (1 - self.beta_1**self.t)
        v_hat = self.v[i] / (1 - self.beta_2**self.t)
        return m_hat, np.sqrt(v_hat) + self.epsilon


def random_gradients(module, rng):
    for p in module.parameters():
        p.grad.copy_(torch.tensor(rng.standard_normal(p.shape)))
    # Gradients of different sizes make metrics of different sizes.
    weight = module.weights[0].grad
    weight *= torch.logspace(-2, 1, SIZES[0]).double().view(1, -1, 1)


def formulas(kind, module, models, nesterov=True):
    arrays = [p.detach().numpy() for p in module.parameters()]
    return [
        Formula(
            kind, [a[model].copy() for a in arrays], len(module.weights), own, nesterov
        )
        for model, own in enumerate(models)
    ]


def assert_steps_agree(kind, models, n_steps=12, nesterov=True):
    module = module_of(len(models))
    optimizer = optimizer_of(kind, module, models, nesterov)
    references = formulas(kind, module, models, nesterov)
    rng = np.random.default_rng(0)
    zeros = 0
    for _ in range(n_steps):
        random_gradients(module, rng)
        gradients = [p.grad.numpy().copy() for p in module.parameters()]
        optimizer.update(len(models))
        for model, reference in enumerate(references):
            reference.step([g[model] for g in gradients])
            for p, expected in zip(module.parameters(), reference.parameters):
                own = p.detach().numpy()[model]
                np.testing.assert_allclose(own, expected, rtol=1e-11, atol=1e-13)
                # Exactly the same zeros, not nearly.
                np.testing.assert_array_equal(own == 0, expected == 0)
        zeros += sum(
            int((w[m] == 0).sum()) for w in module.weights for m in range(len(models))
        )
    return zeros


REGULARISERS = {
    "none": {},
    "l1": {"l1": (0.05, 0.2)},
    "l2": {"l2": (0.3, 0.1)},
    "elastic net": {"l1": (0.1, 0.0), "l2": (0.0, 0.2)},
    "group_l1": {"group_l1": 0.3},
    "sparse groups": {"l1": (0.05, 0.1), "group_l1": 0.2},
    "weight decay": {"weight_decay": 0.5},
    "max norm": {"max_norm": 0.5},
    "positive": {"positive": True},
    "positive l1": {"positive": True, "l1": (0.05, 0.2)},
    "positive groups": {"positive": True, "group_l1": 0.2, "max_norm": 0.5},
    "clip norm": {"clip_norm": 0.5},
    "all": {
        "l1": (0.02, 0.01),
        "l2": (0.1, 0.2),
        "group_l1": 0.1,
        "weight_decay": 0.3,
        "max_norm": 0.6,
        "positive": True,
        "clip_norm": 2.0,
    },
}


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("name", REGULARISERS)
def test_steps_are_the_formula(name, kind):
    own = REGULARISERS[name]
    if kind == "sgd":  # whose gradients are not scaled to 1
        for penalty in ("l1", "group_l1"):
            if penalty in own:
                own = own | {penalty: (5 * np.array(own[penalty])).tolist()}
    zeros = assert_steps_agree(kind, [own, own | {"lr": 0.01}])
    if "l1" in own or "group_l1" in own or "positive" in own:
        assert zeros > 0


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_models_with_settings_of_their_own(kind):
    """Runs of equal settings and of one model, and l1 beside no l1."""
    models = [
        {},
        {"lr": 0.01, "l1": (0.3, 0.0)},
        {"lr": 0.01, "l2": (0.3, 0.0), "weight_decay": 0.2},
        {"lr": 0.01, "momentum": 0.0, "beta_1": 0.0, "max_norm": 0.4},
        {"momentum": 0.5, "beta_2": 0.5, "epsilon": 1e-2, "clip_norm": 0.3},
        {"positive": True},
        {"momentum": 0.5, "beta_2": 0.5, "epsilon": 1e-2},
    ]
    assert_steps_agree(kind, models)


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_without_nesterov(momentum):
    assert_steps_agree(
        "sgd", [{"momentum": momentum, "l1": (0.1, 0.1)}], nesterov=False
    )


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("penalty", ["l1", "group_l1"])
def test_stationary_weights_stay(penalty, kind):
    """Where the gradient balances the penalty a step goes nowhere, in any metric.

    A threshold that is not divided by the metric, the common error, would move them.
    """
    own = {"l1": (0.3, 0.3)} if penalty == "l1" else {"group_l1": 0.3}
    module = module_of(1, norm=None)
    module.weights[1].zero_()
    W = module.weights[0]
    optimizer = optimizer_of(kind, module, [own | {"lr": 0.01, "momentum": 0.0}])
    before = W.detach().clone()
    for _ in range(5):
        for p in module.parameters():
            p.grad.zero_()
        if penalty == "l1":
            W.grad.copy_(-0.3 * W.sign())
        else:
            W.grad.copy_(-0.3 * W / W.norm(dim=2, keepdim=True))
        optimizer.update(1)
        torch.testing.assert_close(W.detach(), before, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_first_models_alone(kind):
    """Those without a batch keep their weights, averages and counts of steps."""
    models = [{"l1": (0.1, 0.0)}, {"lr": 0.02, "max_norm": 0.9}, {"weight_decay": 0.1}]
    module = module_of(3)
    optimizer = optimizer_of(kind, module, models, n_batches=[3, 2, 1])
    references = formulas(kind, module, models)
    rng = np.random.default_rng(1)
    for k in (3, 2, 1) * 3:
        random_gradients(module, rng)
        gradients = [p.grad.numpy().copy() for p in module.parameters()]
        optimizer.update(k)
        for model in range(k):
            references[model].step([g[model] for g in gradients])
    assert optimizer.steps.flatten().tolist() == [9, 6, 3]
    for model, reference in enumerate(references):
        for p, expected in zip(module.parameters(), reference.parameters):
            np.testing.assert_allclose(p[model], expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("penalty", [{}, {"group_l1": 0.1}])
def test_selected_models_go_on(kind, penalty):
    """With their averages, steps and present learning rates."""
    models = [penalty | {"lr": lr, "l1": (0.02, 0.0)} for lr in (0.05, 0.03, 0.01)]
    module = module_of(3)
    optimizer = optimizer_of(kind, module, models)
    references = formulas(kind, module, models)
    rng = np.random.default_rng(2)

    def step(module, optimizer, chosen):
        random_gradients(module, rng)
        for position, model in enumerate(chosen):
            gradients = [p.grad.numpy()[position].copy() for p in module.parameters()]
            references[model].step(gradients)
        optimizer.update(len(chosen))
        for position, model in enumerate(chosen):
            for p, expected in zip(module.parameters(), references[model].parameters):
                np.testing.assert_allclose(
                    p[position], expected, rtol=1e-11, atol=1e-13
                )

    for _ in range(4):
        step(module, optimizer, [0, 1, 2])
    rates = [0.05, 0.03, 0.002]
    optimizer.lr = rates
    references[2].lr = 0.002
    step(module, optimizer, [0, 1, 2])
    for chosen in ([0, 2], [1]):  # of the stack of three, then of the stack of two
        index = torch.tensor(chosen)
        module = module.select(index).prepare_training()
        optimizer = optimizer.select(module, index)
        left = [0, 2] if chosen == [0, 2] else [2]
        assert optimizer.lr == [rates[model] for model in left]
        for _ in range(4):
            step(module, optimizer, left)


def test_a_torch_scheduler_finds_the_rate_of_a_stack_of_one():
    module = module_of(1)
    optimizer = optimizer_of("sgd", module, [{"lr": 0.1, "momentum": 0.0}])
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    reference = formulas("sgd", module, [{"lr": 0.1, "momentum": 0.0}])[0]
    rng = np.random.default_rng(0)
    for step in range(4):
        reference.lr = 0.1 * 0.5**step
        random_gradients(module, rng)
        reference.step([p.grad.numpy()[0] for p in module.parameters()])
        optimizer.step()
        scheduler.step()
        for p, expected in zip(module.parameters(), reference.parameters):
            np.testing.assert_allclose(p[0], expected, rtol=1e-12, atol=1e-14)


def test_a_step_calls_its_closure():
    module = module_of(1)
    optimizer = optimizer_of("adam", module, [{}])
    before = module.weights[0].detach().clone()

    def closure():
        for p in module.parameters():
            p.grad.fill_(1.0)
        return 3.0

    assert optimizer.step(closure) == 3.0
    # Adam's first step is the learning rate long.
    torch.testing.assert_close(before - module.weights[0].detach(), 0.05 + 0 * before)


def test_runs_of_equal_settings_share_a_call():
    models = [{"lr": lr} for lr in (0.1, 0.1, 0.2, 0.2, 0.2, 0.1)]
    for kind in (ProximalAdam, ProximalSGD):
        name = {value: key for key, value in OPTIMIZERS.items()}[kind]
        optimizer = optimizer_of(name, module_of(6), models)
        assert [run[0] for run in optimizer._runs] == [2, 5, 6]


@pytest.mark.parametrize("penalty", [{}, {"l1": (0.1, 0.02)}, {"group_l1": 0.1}])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_many_learning_rates_share_a_call(kind, penalty):
    """Every model keeps its own, also in steps without the last models."""
    rates = (0.1, 0.03, 0.2, 0.05, 0.3, 0.01)
    models = [penalty | {"lr": lr, "l2": (0.1, 0.0)} for lr in rates]
    models[2]["l2"] = (np.inf, 0.0)
    module = module_of(6)
    module.weights[0][2] = 0  # where an infinite strength keeps it
    optimizer = optimizer_of(kind, module, models, n_batches=[2] * 4 + [1] * 2)
    assert [run[:2] for run in optimizer._runs] == [(4, 1.0), (6, 1.0)]
    models[2]["l2"] = (0.0, 0.0)
    references = formulas(kind, module, models)
    rng = np.random.default_rng(3)
    for k in (6, 4) * 4:
        random_gradients(module, rng)
        module.weights[0].grad[2] = 0
        gradients = [p.grad.numpy().copy() for p in module.parameters()]
        optimizer.update(k)
        for model in range(k):
            references[model].step([g[model] for g in gradients])
    for model, reference in enumerate(references):
        for p, expected in zip(module.parameters(), reference.parameters):
            np.testing.assert_allclose(p[model], expected, rtol=1e-11, atol=1e-13)


def test_long_runs_have_calls_of_their_own(monkeypatch):
    monkeypatch.setattr("skreg.training.optimizers.NUMBERS_PER_CALL", 10)
    models = [{"lr": lr} for lr in (0.1, 0.1, 0.2, 0.3, 0.4, 0.5)]
    optimizer = optimizer_of("adam", module_of(6), models)
    assert [run[:2] for run in optimizer._runs] == [
        (2, 0.1),
        (3, 0.2),
        (4, 0.3),
        (5, 0.4),
        (6, 0.5),
    ]


LAMBDA = 0.02


def steps_alone(estimator, X, y):
    """Return the coefficients, one row for each output, and their violation.

    They are those after the optimiser's steps, before the full-batch solver.
    """
    request = replace(request_of(estimator, X, y), may_polish=False)
    (result,) = train([request])
    assert result.tracker.n_iter == estimator.max_iter
    return result.state[0].T, result.kkt_violation


def breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def test_full_batch_adam_reaches_the_support_of_scikit_learns_l1():
    """Seven weights of thirty, and the optimum to the gradient's rounding."""
    X, y = breast_cancer()
    reference = LogisticRegression(
        C=1 / (LAMBDA * len(y)),
        solver="saga",
        tol=1e-12,
        max_iter=100_000,
        **elastic_net(1),
    ).fit(X, y)
    estimator = MLPClassifier(
        (),
        l1=LAMBDA,
        batch_size=len(y),
        learning_rate_init=0.05,
        max_iter=5000,
        tol=0.0,
        n_iter_no_change=10_000,
        standardize=False,
        random_state=0,
    )
    coef, violation = steps_alone(estimator, X, y)
    assert (coef != 0).sum() == 7
    np.testing.assert_array_equal(coef != 0, reference.coef_ != 0)
    np.testing.assert_allclose(coef, reference.coef_, rtol=0, atol=1e-6)
    assert violation < 1e-8


@pytest.mark.parametrize(
    "params",
    [
        {"solver": "adam", "learning_rate_init": 0.02, "epsilon": 1e-3},
        {"solver": "sgd", "learning_rate_init": 0.2, "momentum": 0.9},
    ],
    ids=["adam", "sgd"],
)
@pytest.mark.parametrize("penalty", ["l1", "group_l1"])
def test_full_batch_steps_reach_the_lasso(penalty, params):
    """The fixed point is the optimum, whatever the momentum and the metric."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    X, y = StandardScaler().fit_transform(X), y / y.std()
    alpha = 0.1
    if penalty == "l1":
        reference = Lasso(alpha, tol=1e-14, max_iter=10**5).fit(X, y)
    else:
        y = np.c_[y, X[:, 2] + 0.5 * X[:, 3], -y]
        reference = MultiTaskLasso(alpha, tol=1e-14, max_iter=10**5).fit(X, y)
    estimator = MLPRegressor(
        (),
        **{penalty: alpha},
        **params,
        batch_size=len(y),
        max_iter=2500,
        tol=0.0,
        n_iter_no_change=10_000,
        standardize=False,
        random_state=0,
    )
    coef, violation = steps_alone(estimator, X, y)
    np.testing.assert_array_equal(coef != 0, np.atleast_2d(reference.coef_) != 0)
    assert 0 < (coef != 0).any(0).sum() < 10
    np.testing.assert_allclose(coef, np.atleast_2d(reference.coef_), 0, atol=1e-6)
    # Where gradients vanish Adam divides by their rounding, and never quite rests: its
    # epsilon here is well above that.
    assert violation < (1e-8 if params["solver"] == "adam" else 1e-12)
