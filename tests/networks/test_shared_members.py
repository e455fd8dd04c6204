"""Members that share weights: their layers, their definition, and their fits."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from _estimators import ESTIMATORS, STEADY, data
from _fitted import others_of
from _fusion import compare, outcome
from _networks import N_MODELS, check_gradients, check_layer, normal, parameter
from _numeric import derivative, request_of
from scipy.special import expit, softmax
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

from skreg import MLPClassifier, MLPClassifierCV, MLPRegressor
from skreg.data.batches import Batch
from skreg.data.random_streams import INIT, Streams
from skreg.losses.kinds import REGRESSION_LOSSES, LogLoss, SquaredError
from skreg.networks.architecture import Architecture, Start, shared_shapes, state_shapes
from skreg.networks.initial import initial_state
from skreg.networks.shared_members import (
    Heads,
    SharedLinear,
    for_members,
    member_states,
)
from skreg.networks.stacked import StackedNetwork
from skreg.training.noise import Noise
from skreg.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_MEMBERS, N_ROWS = 3, 2
SHARED = {"ensemble": "shared", "n_estimators": N_MEMBERS}
QUICK = SHARED | {"hidden_layer_sizes": (5,), "max_iter": 4, "batch_size": 16}
QUICK |= {"random_state": 0, "learning_rate_init": 0.02}
# The same float64 numbers in another order: rounding.
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def shared_layer(n_in=4, n_out=5):
    return SharedLinear(
        parameter(N_MODELS, n_in, n_out),
        parameter(N_MODELS, N_MEMBERS, n_in, seed=1),
        parameter(N_MODELS, N_MEMBERS, n_out, seed=2),
        parameter(N_MODELS, N_MEMBERS, n_out, seed=3),
    )


class TestLayers:
    def test_shared_linear(self):
        layer = shared_layer()
        x = normal(N_MODELS, N_ROWS * N_MEMBERS, 4, seed=9)
        parts = [layer.weight, layer.scale_in, layer.scale_out, layer.bias]
        check_layer(layer, x, parameters=parts)
        output, saved = layer.forward(x, None, ())
        assert layer.backward(output.clone(), saved, False) is None
        weight, r, s, b = (part.numpy() for part in parts)
        for row in range(N_ROWS):
            for e in range(N_MEMBERS):
                own = x[:, row * N_MEMBERS + e].numpy() * r[:, e]
                expected = np.einsum("mi,mio->mo", own, weight) * s[:, e] + b[:, e]
                found = output[:, row * N_MEMBERS + e]
                np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)

    @pytest.mark.parametrize("n_out", [1, 2])
    def test_heads(self, n_out):
        weight = parameter(N_MODELS, 4, N_MEMBERS * n_out)
        bias = parameter(N_MODELS, N_MEMBERS, n_out, seed=1)
        x = normal(N_MODELS, N_ROWS * N_MEMBERS, 4, seed=9)
        layer = Heads(weight, bias)
        check_layer(layer, x, parameters=[weight, bias])
        output = layer.predict(x)
        for place in range(N_ROWS * N_MEMBERS):
            e = place % N_MEMBERS
            head = weight[:, :, e * n_out : (e + 1) * n_out]
            expected = torch.einsum("mi,mio->mo", x[:, place], head) + bias[:, e]
            torch.testing.assert_close(output[:, place], expected, rtol=1e-13, atol=0)

    def test_on_the_first_models_only(self):
        layer = shared_layer()
        x = normal(N_MODELS, N_ROWS * N_MEMBERS, 4, seed=9)
        both, one = layer.predict(x), layer.predict(x[:1])
        torch.testing.assert_close(one, both[:1], rtol=1e-13, atol=1e-14)


ARCHITECTURES = {
    "one layer": Architecture((4, 5, 2), "tanh", n_members=3),
    "two layers": Architecture((4, 5, 3, 1), "gelu", n_members=3),
    "batchnorm": Architecture((4, 5, 2), "tanh", "before", n_members=3),
    "batchnorm after": Architecture((4, 5, 2), "tanh", "after", n_members=3),
    "linear skip": Architecture((4, 5, 2), "silu", skip="linear", n_members=3),
    "residual": Architecture((4, 4, 4, 2), "tanh", skip="residual", n_members=3),
    "periodic": Architecture(
        (8, 5, 2), "tanh", None, "linear", "periodic", (2,) * 4, n_members=3
    ),
    "piecewise": Architecture(
        (8, 5, 2), "tanh", None, None, "piecewise_linear", (2,) * 4, n_members=3
    ),
}


def random_states(architecture):
    """Return random states, without special numbers such as initial zeros and ones."""
    found = []
    for seed in range(N_MODELS):
        rng = np.random.default_rng(seed)
        shapes = state_shapes(architecture)
        state = {name: rng.normal(size=shape) for name, shape in shapes.items()}
        for name in state:
            if name.startswith("running_var"):
                state[name] = np.exp(state[name])
            if name == "embedding_edges":
                state[name] = np.sort(state[name], axis=1)
        found.append(list(state.values()))
    return found


@pytest.mark.parametrize("name", ARCHITECTURES)
class TestNetworks:
    def network(self, architecture):
        states = random_states(architecture)
        return StackedNetwork(architecture, states, torch.float64).prepare_training()

    def test_gradients(self, name):
        module, loss = self.network(ARCHITECTURES[name]), SquaredError()
        x = normal(N_MODELS, N_ROWS * N_MEMBERS, 4, seed=30)
        n_out = module.architecture.layer_sizes[-1]
        target = normal(N_MODELS, N_ROWS * N_MEMBERS, n_out, seed=31)
        weight = normal(N_MODELS, N_ROWS * N_MEMBERS, 1, seed=32).exp()
        check_gradients(module, loss, x, target, weight / weight.sum(1, True))

    def test_gradient_of_the_inputs(self, name):
        module = self.network(ARCHITECTURES[name])
        x = normal(N_MODELS, N_ROWS * N_MEMBERS, 4, seed=30)
        score, tape = module.forward_training(x.clone())
        cotangent = normal(*score.shape, seed=31)
        found = module.input_gradient(cotangent.clone(), tape)

        def functional(x):
            return module.forward_training(x.clone())[0] * cotangent

        # Of steep waves, the truncation at steps of 1e-3 is 1e-5.
        expected = derivative(functional, x, step=1e-4)
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)

    def test_members_alone(self, name):
        """Each is a network without members, of weights that hold its scales."""
        architecture = ARCHITECTURES[name]
        module, states = self.network(architecture), random_states(architecture)
        x = normal(N_MODELS, N_ROWS, 4, seed=30)
        together = module(x).unflatten(1, (N_ROWS, N_MEMBERS))
        alone = replace(architecture, n_members=1)
        split = [member_states(architecture, state) for state in states]
        for e in range(N_MEMBERS):
            own = [members[e] for members in split]
            single = StackedNetwork(alone, own, torch.float64)
            torch.testing.assert_close(together[:, :, e], single(x), **CLOSE)


class TestStart:
    def test_as_in_tabm(self):
        """Signs at the inputs, else ones, one draw of biases, heads that differ."""
        architecture = Architecture((40, 6, 5, 2), n_members=8)
        state = initial_state(architecture, Streams(0)[INIT], np.float64)
        state = dict(zip(state_shapes(architecture), state, strict=True))
        for name, shape in state_shapes(architecture).items():
            assert state[name].shape == shape
        assert set(np.unique(state["scale_in_0"])) == {-1, 1}
        # 320 fair coins: 4 standard deviations.
        assert abs(state["scale_in_0"].mean()) < 4 / 320**0.5
        assert len(np.unique(state["scale_in_0"], axis=0)) == 8
        for name in set(shared_shapes(architecture)) - {"scale_in_0"}:
            assert (state[name] == 1).all()
        for i in (0, 1):
            assert len(np.unique(state[f"bias_{i}"], axis=0)) == 1
        assert len(np.unique(state["bias_2"], axis=0)) == 8
        heads = np.split(state["weight_2"], 8, axis=1)
        assert len({head.tobytes() for head in heads}) == 8
        # Glorot's bound of one head, not of all of them side by side.
        bound = (6 / 7) ** 0.5
        assert 0.8 * bound < np.abs(state["weight_2"]).max() <= bound

    def test_shared_weights_are_those_of_a_single_network(self):
        sizes = (4, 6, 2)
        one = initial_state(Architecture(sizes), Streams(0)[INIT], np.float64)
        many = Architecture(sizes, n_members=3)
        state = initial_state(many, Streams(0)[INIT], np.float64)
        np.testing.assert_array_equal(state[0], one[0])

    def test_scaled(self):
        many = Architecture((4, 6, 2), n_members=3)
        state = initial_state(many, Streams(0)[INIT], np.float64, Start("scaled"))
        assert not state[1].any() and not state[3].any() and state[2].any()


@pytest.mark.parametrize("weighted", [False, True])
def test_rows_of_members(weighted):
    """The loss of the repeated rows is the mean of the members' losses."""
    k, n_rows, loss = 2, 4, LogLoss()
    x = normal(k, n_rows, 3)
    target = torch.softmax(normal(k, n_rows, 2, seed=1), 2)
    weight = normal(k, n_rows, 1, seed=2).exp() if weighted else None
    batch = Batch(x, target, weight, [4, 3], torch.ones(k, dtype=torch.float64))
    rows = for_members(batch, N_MEMBERS)
    assert rows.rows == [12, 9] and rows.portion is batch.portion
    score = normal(k, n_rows * N_MEMBERS, 2, seed=3)
    found = loss.value(score, rows.target, rows.weight)
    each = [loss.value(score[:, e::N_MEMBERS], target, weight) for e in range(3)]
    torch.testing.assert_close(found, torch.stack(each).mean(0), **CLOSE)
    for e in range(N_MEMBERS):
        assert torch.equal(rows.x[:, e::N_MEMBERS], x)
    assert for_members(batch, 1) is batch


def test_members_have_noise_of_their_own():
    """The same row is dropped and disturbed for each member apart."""
    k, zero = 1, torch.zeros(1, dtype=torch.float64)
    names = [f for f in Noise.__dataclass_fields__]
    strengths = dict.fromkeys(names, zero) | {"dropout": torch.tensor([[0.5]])}
    strengths["input_noise"] = zero + 0.1
    noise, streams = Noise(**strengths), [Streams(0)]
    x = torch.ones(k, 4, 30, dtype=torch.float64)
    batch = Batch(x, x[:, :, :1], None, [4], torch.ones(1, dtype=torch.float64))
    rows = for_members(batch, N_MEMBERS)
    noisy = noise.apply(rows, streams)
    (mask,) = noise.masks(rows, streams, [30])
    for tensor in (noisy.x, mask):
        assert len(torch.unique(tensor[0], dim=0)) == 4 * N_MEMBERS


def tabm(state, x, n_outputs):
    """Return raw outputs of the members by torch, as in the paper."""
    first, heads, bias, own_bias, r, s = state
    hidden = torch.tanh(((x[None] * r[:, None]) @ first) * s[:, None] + bias[:, None])
    heads = heads.unflatten(1, (len(r), n_outputs)).transpose(0, 1)
    return hidden @ heads + own_bias[:, None]  # (n_members, n_rows, n_outputs)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_penalties_of_the_last_layers_are_a_mean_over_the_members(kind):
    """Each member has its own last layer, and the objective is their mean."""
    X, y = data(kind)
    settings = {"ensemble": "shared", "n_estimators": 4, "l1": 0.2, "l2": [0.3, 0.1]}
    request = request_of(kind((5,), **settings), X, y)
    assert request.settings["l1"] == [0.2, 0.2 / 4]
    assert request.settings["l2"] == [0.3, 0.1 / 4]


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_fit_is_that_of_automatic_derivatives(kind):
    """Steps of SGD on the mean over the members of their losses and penalties."""
    X, y = data(kind)
    l2, lr, n_steps = 0.03, 0.1, 5
    settings = STEADY | QUICK | {"solver": "sgd", "momentum": 0, "activation": "tanh"}
    settings |= {"l2": l2, "learning_rate_init": lr, "batch_size": len(X)}
    settings |= {"max_iter": n_steps, "standardize": False}
    X, y = (X - X.mean(0)) / X.std(0), y if kind is MLPClassifier else y / 10 - 10
    estimator = kind(**settings).fit(X, y)
    architecture = estimator._layout.architecture
    state = initial_state(architecture, Streams(0)[INIT], np.float64)
    state = [torch.tensor(array, requires_grad=True) for array in state]
    n_outputs = architecture.layer_sizes[-1]
    for step in range(n_steps):
        scores = tabm(state, torch.tensor(X), n_outputs)
        losses = []
        for score in scores:
            if kind is MLPClassifier:
                loss = torch.nn.functional.cross_entropy(score, torch.tensor(y))
            else:
                loss = ((score[:, 0] - torch.tensor(y)) ** 2).mean() / 2
            losses.append(loss)
        penalty = (state[0] ** 2).sum() + (state[1] ** 2).sum() / N_MEMBERS
        objective = torch.stack(losses).mean() + l2 * penalty
        assert estimator.loss_curve_[step] == pytest.approx(objective.item(), rel=1e-10)
        for tensor, slope in zip(state, torch.autograd.grad(objective, state)):
            tensor.data -= lr * slope
    for found, expected in zip(estimator._fits[0].state, state, strict=True):
        np.testing.assert_allclose(found, expected.detach(), rtol=1e-9, atol=1e-11)


def raw_members(estimator, X):
    """Return the raw outputs of each member of a network with one ReLU layer."""
    Z = (X - estimator.feature_offset_) / estimator.feature_scale_
    (first, heads), (bias, own_bias) = estimator.coefs_, estimator.intercepts_
    r, s = others_of(estimator)
    heads = np.split(heads, len(r), axis=1)
    return [
        np.maximum(((Z * r[e]) @ first) * s[e] + bias[e], 0) @ heads[e] + own_bias[e]
        for e in range(len(r))
    ]


class TestPredictions:
    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_probabilities_are_means(self, n_classes):
        X, y = data(MLPClassifier, n_classes=n_classes)
        net = MLPClassifier(**QUICK).fit(X, y)
        scores = raw_members(net, X)
        if n_classes == 2:
            mean = np.mean([expit(score) for score in scores], 0)
            mean = np.hstack([1 - mean, mean])
        else:
            mean = np.mean([softmax(score, 1) for score in scores], 0)
        np.testing.assert_allclose(net.predict_proba(X), mean, **CLOSE)
        np.testing.assert_array_equal(net.predict(X), mean.argmax(1))
        odds = np.log(mean[:, 1] / mean[:, 0]) if n_classes == 2 else np.log(mean)
        np.testing.assert_allclose(net.decision_function(X), odds, rtol=1e-8)

    @pytest.mark.parametrize("loss", REGRESSION_LOSSES)
    def test_numbers_are_means(self, loss):
        X, y = data(MLPRegressor)
        net = MLPRegressor(loss=loss, **QUICK).fit(X, y)
        link = np.exp if loss == "poisson" else np.asarray
        offset = 0 if net.target_offset_ is None else net.target_offset_
        each = [link(s) * net.target_scale_ + offset for s in raw_members(net, X)]
        np.testing.assert_allclose(net.predict(X), np.mean(each, 0)[:, 0], **CLOSE)

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"hidden_layer_sizes": (6, 6), "skip": "residual", "batchnorm": True},
            {"skip": "linear", "numeric_embedding": "periodic", "embedding_size": 3},
            {"numeric_embedding": "piecewise_linear", "standardize": "robust"},
            {"n_snapshots": 2, "learning_rate": "cosine"},
        ],
    )
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_members_as_estimators(self, kind, settings):
        X, y = data(kind)
        net = kind(**(QUICK | settings)).fit(X, y)
        members = net.estimators_
        assert len(members) == N_MEMBERS
        assert {member.n_estimators for member in members} == {1}
        each = [getattr(m, "predict_proba", m.predict)(X) for m in members]
        whole = getattr(net, "predict_proba", net.predict)(X)
        np.testing.assert_allclose(whole, np.mean(each, 0), **CLOSE)
        assert np.abs(each[0] - each[1]).max() > 1e-3

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_other_ways(self, kind):
        X, y = data(kind)
        net = kind(standardize=False, **QUICK).fit(X, y)
        predict = getattr(net, "predict_proba", net.predict)
        expected = predict(X)
        copy = pickle.loads(pickle.dumps(net))
        again = getattr(copy, "predict_proba", copy.predict)
        np.testing.assert_array_equal(again(X), expected)
        np.testing.assert_allclose(predict(sp.csr_array(X)), expected, **CLOSE)
        many = predict(np.tile(X, (300, 1)))
        np.testing.assert_allclose(many[-60:], expected, **CLOSE)
        np.testing.assert_allclose(predict(X[:1]), expected[:1], **CLOSE)


class TestFits:
    def test_validation_loss_is_that_of_the_mean(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(**QUICK).fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
        expected = log_loss(y[40:], net.predict_proba(X[40:]))
        assert net.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-10)

    @pytest.mark.parametrize(
        "settings",
        [
            {"dropout": 0.3, "input_noise": 0.2},
            {"mixup": 0.3, "cutmix": 0.2, "cutout": 0.2},
            {"adversarial": 0.1, "batchnorm": True},
            {"skip": "linear", "stochastic_depth": 0.3, "l1": 1e-3},
            {"early_stopping": True, "ema_decay": 0.9, "max_norm": 1.0},
            {"group_l1": 1e-2, "weight_decay": 0.1},
        ],
    )
    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_a_stack_is_its_models_alone(self, kind, settings):
        """Whatever the members' noise, with other seeds, rows and strengths."""
        X, y = data(kind)
        requests = []
        for seed, n_rows in enumerate([60, 50, 37]):
            net = kind(**(QUICK | settings | {"random_state": seed, "l2": seed / 100}))
            requests.append(request_of(net, X[:n_rows], y[:n_rows]))
        together = train(requests)
        for request, result in zip(requests, together):
            (alone,) = train([request])
            assert alone.tracker.error is None
            for one, other in zip(result.state, alone.state, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_fused_is_alone(self, kind):
        """Numbers of members part the stacks."""
        X, y = data(kind)
        grid = {"n_estimators": [1, 2, 3], "dropout": [0.0, 0.2]}
        scoring = "neg_log_loss" if kind is MLPClassifier else "r2"
        search = GridSearchCV(kind(**QUICK), grid, cv=3, scoring=scoring)
        sizes = compare(lambda: outcome(search, X, y))
        assert sorted(sizes) == [1, 6, 6, 6]

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_checkpoints(self, kind, tmp_path):
        X, y = data(kind)
        search = GridSearchCV(kind(**QUICK), {"l2": [0, 0.1]}, cv=3)
        compare(lambda: outcome(search, X, y), [6, 1], checkpoint=tmp_path)
        compare(lambda: outcome(search, X, y), [], checkpoint=tmp_path)

    @pytest.mark.parametrize("kind", ESTIMATORS)
    def test_fits_that_go_on(self, kind):
        X, y = data(kind)
        settings = STEADY | QUICK | {"batch_size": 60}
        whole = kind(**settings).fit(X, y)
        parts = kind(**settings)
        for _ in range(4):
            parts.partial_fit(X, y)
        for one, other in zip(whole._fits[0].state, parts._fits[0].state, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
        warm = kind(**QUICK, warm_start=True).fit(X, y)
        assert len(warm.fit(X, y).loss_curve_) == 8
        message = r"n_estimators \(ensemble='shared'\) was \d+ and is 5\."
        with pytest.raises(ValueError, match="The layers changed: " + message):
            warm.set_params(n_estimators=5).fit(X, y)

    def test_members_go_on_alone(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(**QUICK).partial_fit(X, y)
        before = net.predict_proba(X)
        for member in net.estimators_:
            member.partial_fit(X, y).set_params(warm_start=True).fit(X, y)
            assert len(member.loss_curve_) == 6
        np.testing.assert_array_equal(net.predict_proba(X), before)

    def test_callbacks_see_one_prediction_a_row(self):
        from skorch.callbacks import Callback

        class Shapes(Callback):
            seen = set()

            def on_batch_end(self, net, batch, y_pred, **kwargs):
                self.seen.add((tuple(batch[0].shape), tuple(y_pred.shape)))

        X, y = data(MLPClassifier, n_samples=32)
        MLPClassifier(callbacks=[Shapes()], adversarial=0.1, **QUICK).fit(X, y)
        assert Shapes.seen == {((1, 16, 5), (1, 16, 3))}

    def test_a_row_of_weight_two_is_two_rows(self):
        X, y = data(MLPClassifier, n_samples=20)
        weight = np.where(np.arange(20) < 5, 2.0, 1.0)
        settings = QUICK | {"batch_size": 100, "max_iter": 20}
        one = MLPClassifier(**settings).fit(X, y, weight)
        twice = np.r_[np.arange(20), np.arange(5)]
        two = MLPClassifier(**settings).fit(X[twice], y[twice])
        np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), 1e-8)

    def test_one_member_is_a_single_network(self):
        X, y = data(MLPClassifier)
        one = MLPClassifier(**(QUICK | {"n_estimators": 1})).fit(X, y)
        single = QUICK | {"n_estimators": 1, "ensemble": "independent"}
        single = MLPClassifier(**single).fit(X, y)
        np.testing.assert_array_equal(one.coefs_[0], single.coefs_[0])

    def test_tuned(self):
        X, y = data(MLPClassifier)
        net = MLPClassifier(**QUICK)
        options = {"n_candidates": 3, "cv": 2, "linear_path": False}
        search = MLPClassifierCV(net, random_state=0, **options).fit(X, y)
        each = [member.predict_proba(X) for member in search.estimators_]
        assert (
            len(each[0]) == 60
            and search.estimators_[0]._layout.architecture.n_members == 3
        )


@pytest.mark.parametrize(
    "change, match",
    [
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes=\(\) there are none"),
        ({"bootstrap": True}, "got bootstrap=True and max_samples=1.0"),
        ({"max_samples": 0.5}, "got bootstrap=False and max_samples=0.5"),
        ({"solver": "lbfgs"}, "got solver='lbfgs'"),
        ({"positive": True}, "positive=True would not"),
    ],
)
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_what_does_not_go_with_it(kind, change, match):
    expected = rf"ensemble='shared' \(n_estimators=3\) .*{match}"
    with pytest.raises(ValueError, match=expected):
        kind(**(QUICK | change)).fit(*data(kind))
