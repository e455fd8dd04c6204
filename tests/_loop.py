"""A training loop written with torch's own parts, and a fit compared with it."""

import math
from itertools import pairwise

import numpy as np
import torch
from _estimators import STEADY
from _numeric import unpolished
from sklearn.datasets import make_classification, make_regression
from sklearn.preprocessing import StandardScaler
from torch import nn

from skreg import MLPClassifier
from skreg.data.batches import Batch
from skreg.data.random_streams import INIT, ORDER, Streams
from skreg.networks.architecture import Architecture
from skreg.networks.initial import initial_state
from skreg.training.noise import Noise

SEED, N_ROWS, N_FEATURES = 3, 61, 6
ACTIVATION_LAYERS = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "leaky_relu": nn.LeakyReLU,
}


class Mask(nn.Module):
    """Dropout with masks that the test hands over before each batch."""

    mask = None

    def forward(self, x):
        return x if self.mask is None else x * self.mask


class Reference:
    """A network of torch.nn and a loop over torch.optim, for one estimator."""

    def __init__(self, estimator, X, y, weight):
        self.params = estimator.get_params()
        self.dtype = getattr(torch, self.params["dtype"] or X.dtype.name)
        self.streams = Streams(self.params["random_state"])
        self.is_classifier = isinstance(estimator, MLPClassifier)
        self.n_classes = len(np.unique(y))
        if self.params["standardize"]:
            X = StandardScaler().fit(X, sample_weight=weight).transform(X)
            if not self.is_classifier:
                scaler = StandardScaler().fit(
                    y.reshape(len(y), -1), sample_weight=weight
                )
                y = scaler.transform(y.reshape(len(y), -1)).reshape(y.shape)
        self.X = torch.tensor(X, dtype=self.dtype)
        kind = torch.int64 if self.is_classifier and self.n_classes > 2 else self.dtype
        self.y = torch.tensor(y, dtype=kind)
        ones = np.ones(len(y)) if weight is None else weight / weight.mean()
        self.weight = torch.tensor(ones, dtype=self.dtype)
        self.make_network()
        self.make_optimizer()

    def make_network(self):
        params = self.params
        if not self.is_classifier:
            n_outputs = 1 if self.y.ndim == 1 else self.y.shape[1]
        else:
            n_outputs = self.n_classes if self.n_classes > 2 else 1
        hidden = params["hidden_layer_sizes"]
        norm = {False: None, True: "before"}.get(
            params["batchnorm"], params["batchnorm"]
        )
        architecture = Architecture(
            (self.X.shape[1], *hidden, n_outputs), params["activation"], norm
        )
        state = initial_state(architecture, self.streams[INIT], np.float64)
        self.widths = hidden
        self.linears, self.norms, self.masks, layers = [], [], [], []
        for i in range(len(hidden) + 1):
            weight, bias = state[i], state[len(hidden) + 1 + i]
            linear = nn.Linear(*weight.shape, dtype=self.dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight.T))
                linear.bias.copy_(torch.tensor(bias[0]))
            self.linears.append(linear)
            layers.append(linear)
            if i < len(hidden):
                tail = [ACTIVATION_LAYERS[params["activation"]]()]
                if norm:
                    self.norms.append(nn.BatchNorm1d(hidden[i], dtype=self.dtype))
                    tail.insert(0 if norm == "before" else 1, self.norms[-1])
                self.masks.append(Mask())
                layers += [*tail, self.masks[-1]]
        self.network = nn.Sequential(*layers)

    def make_optimizer(self):
        params = self.params
        weights = [linear.weight for linear in self.linears]
        others = [
            p for p in self.network.parameters() if all(p is not w for w in weights)
        ]
        decay = params["weight_decay"]
        groups = [
            {"params": weights, "weight_decay": decay},
            {"params": others, "weight_decay": 0.0},
        ]
        if params["solver"] == "adam":
            self.optimizer = torch.optim.AdamW(
                groups,
                lr=params["learning_rate_init"],
                betas=(params["beta_1"], params["beta_2"]),
                eps=params["epsilon"],
            )
        else:
            # torch's SGD has no decoupled decay.
            self.optimizer = torch.optim.SGD(
                [*weights, *others],
                lr=params["learning_rate_init"],
                momentum=params["momentum"],
                nesterov=params["nesterovs_momentum"] and params["momentum"] > 0,
            )
        self.weights, self.decay = weights, decay

    def row_losses(self, score, y):
        smoothing = self.params.get("label_smoothing", 0.0)
        if self.is_classifier and self.n_classes > 2:
            return nn.functional.cross_entropy(
                score, y, reduction="none", label_smoothing=smoothing
            )
        if self.is_classifier:
            soft = y * (1 - smoothing) + smoothing / 2
            return nn.functional.binary_cross_entropy_with_logits(
                score[:, 0], soft, reduction="none"
            )
        y = y.reshape(score.shape)
        name = self.params["loss"]
        if name == "squared_error":
            losses = nn.functional.mse_loss(score, y, reduction="none") / 2
        elif name == "absolute_error":
            losses = nn.functional.l1_loss(score, y, reduction="none")
        elif name == "huber":
            losses = nn.functional.huber_loss(score, y, reduction="none")
        else:
            losses = nn.functional.poisson_nll_loss(score, y, reduction="none")
        return losses.sum(1)

    def penalty(self):
        l2 = np.broadcast_to(self.params["l2"], len(self.weights)).tolist()
        return sum(s * (w**2).sum() for s, w in zip(l2, self.weights))

    def step(self, rows):
        """Take one step and return the mean loss of the batch, without the penalty."""
        x, y, weight = self.X[rows], self.y[rows], self.weight[rows]
        self.draw_masks(len(rows))
        self.optimizer.zero_grad()
        loss = (weight * self.row_losses(self.network(x), y)).sum() / len(rows)
        (loss + self.penalty()).backward()
        params = self.params
        if params["clip_norm"]:
            nn.utils.clip_grad_norm_(self.network.parameters(), params["clip_norm"])
        with torch.no_grad():
            if params["solver"] == "sgd":
                for w in self.weights:
                    w *= 1 - self.optimizer.param_groups[0]["lr"] * self.decay
            self.optimizer.step()
            if params["max_norm"]:
                for w in self.weights:
                    # Rows are a unit's weights here. (torch.renorm adds 1e-7.)
                    for unit in w:
                        unit *= min(1, params["max_norm"] / unit.norm())
        return loss.item()

    def draw_masks(self, n_rows):
        """Take the masks from the model's streams. Torch applies them."""
        rates = np.broadcast_to(self.params["dropout"], len(self.masks)).tolist()
        if not any(rates):
            return
        off = torch.zeros(1, dtype=self.dtype)
        noise = Noise(torch.tensor([rates], dtype=self.dtype), *[off] * 8)
        x = torch.zeros(1, n_rows, 1, dtype=self.dtype)
        batch = Batch(x, x, None, [n_rows], torch.ones(1))
        masks = noise.masks(batch, [self.streams], self.widths)
        for module, mask in zip(self.masks, masks):
            module.mask = mask[0]

    def fit(self):
        """Train as documented; return the loss curve and the learning rates."""
        params, n = self.params, len(self.X)
        size = 32 if params["batch_size"] == "auto" else params["batch_size"]
        bounds = [*range(0, n, size), n]
        if params["batchnorm"] and n - bounds[-2] == 1:
            del bounds[-2]
        curve, rates, waited, best = [], [], 0, math.inf
        max_iter = params["max_iter"]
        if max_iter == "auto":
            max_iter = max(
                10 if self.is_classifier else 15, math.ceil(50 / (len(bounds) - 1))
            )
        rate = params["learning_rate_init"]
        order = np.arange(n)
        for epoch in range(max_iter):
            self.streams.begin_epoch(epoch)
            if params["shuffle"] and len(bounds) > 2:
                # The order of the words of numpy's generator at this epoch.
                words = self.streams[ORDER].bit_generator.random_raw(n)
                order = np.argsort(words, kind="stable")
            value = self.penalty().item() if any(np.ravel(params["l2"])) else 0.0
            for start, stop in pairwise(bounds):
                value += self.step(order[start:stop]) * (stop - start) / n
            curve.append(value)
            rates.append(rate)
            waited = waited + 1 if value > best - params["tol"] else 0
            best = min(best, value)
            if params["learning_rate"] == "invscaling":
                rate = params["learning_rate_init"] / math.sqrt((epoch + 1) * n + 1)
            if params["learning_rate"] == "flat_cosine":
                fallen, waited = max(0, 2 * (epoch + 1.5) / max_iter - 1), 0
                share = (1 + math.cos(math.pi * fallen)) / 2
                rate = params["learning_rate_init"] * share
            if waited > params["n_iter_no_change"]:
                if params["learning_rate"] != "adaptive" or rate <= 1e-6:
                    break
                rate, waited = rate / 5, 0
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        return curve, rates


def data(n_classes=3, n_rows=N_ROWS):
    """Return inputs of different scales, and classes or (n_classes=0) numbers."""
    if n_classes:
        X, y = make_classification(
            n_rows, N_FEATURES, n_informative=4, n_classes=n_classes, random_state=0
        )
    else:
        X, y = make_regression(n_rows, N_FEATURES, noise=5.0, random_state=0)
    return X * np.arange(1, N_FEATURES + 1) + 1, y


def assert_same_fit(estimator, X, y, weight=None, tolerance=1e-10):
    """Fit both and compare curves and all arrays. Return the loss curve and rates."""
    # In float64 the rounding of some hundred steps of networks as small as these stays
    # near 1e-13; Adam divides it by the root of a second moment, which can be small.
    with unpolished():
        estimator.fit(X, y, sample_weight=weight)
    reference = Reference(estimator, X, y, weight)
    curve, rates = reference.fit()
    assert len(curve) == estimator.n_iter_
    close = dict(rtol=tolerance, atol=tolerance)
    if getattr(estimator, "loss", None) == "poisson":
        # torch leaves out what does not depend on the score.
        left_out = y * np.log(np.where(y > 0, y, 1)) - y
        curve = curve + np.average(left_out, weights=weight)
    np.testing.assert_allclose(estimator.loss_curve_, curve, **close)
    for layer, linear in enumerate(reference.linears):
        coef, intercept = linear.weight.detach().T, linear.bias.detach()
        np.testing.assert_allclose(estimator.coefs_[layer], coef, **close)
        if layer == len(reference.linears) - 1 or estimator.batchnorm not in (
            True,
            "before",
        ):
            np.testing.assert_allclose(estimator.intercepts_[layer], intercept, **close)
    return np.array(curve), rates


def network(kind, **params):
    steady = STEADY | dict(
        hidden_layer_sizes=(8, 5),
        activation="tanh",
        learning_rate_init=0.01,
        batch_size=16,
        max_iter=15,
        tol=0.0,
        random_state=SEED,
    )
    return kind(**(steady | params))
