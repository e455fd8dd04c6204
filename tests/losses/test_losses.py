"""Losses: hand-written gradients, and values against other libraries."""

import numpy as np
import pytest
import torch
from _losses import USERS_LOSSES, Hazard
from _numeric import derivative
from scipy.special import expit, softmax
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
)

from skreg.losses.kinds import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    BinaryLogLoss,
    HuberLoss,
    LogLoss,
    QuantileLoss,
)

LOSSES = {
    name: kind() for name, kind in (REGRESSION_LOSSES | CLASSIFICATION_LOSSES).items()
}
LOSSES["huber, delta=0.3"] = HuberLoss(0.3)
LOSSES["quantile, q=0.8"] = QuantileLoss(0.8)
LOSSES |= USERS_LOSSES
SHAPE = (2, 7, 3)


def batch(loss, dtype=torch.float64, seed=0):
    """Return scores, targets that the loss allows, and weights that sum to one.

    No residual is near a kink: residuals are odd multiples of 1/8, give or take 1/32.
    """
    rng = torch.Generator().manual_seed(seed)
    target = torch.rand(SHAPE, generator=rng, dtype=dtype)
    if isinstance(loss, LogLoss):
        target /= target.sum(2, keepdim=True)
    elif loss.target_range == (0, np.inf):
        target = (3 * target).round()
    elif isinstance(loss, Hazard):
        target = (3 * target).round().clamp(max=2) - 1
    steps = torch.randint(-9, 9, SHAPE, generator=rng) * 2 + 1
    jitter = torch.rand(SHAPE, generator=rng, dtype=dtype) / 16 - 1 / 32
    weight = torch.rand(2, 7, 1, generator=rng, dtype=dtype)
    return target + steps / 8 + jitter, target, weight / weight.sum(1, keepdim=True)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weighted", [None, "rows", "outputs"])
def test_gradient(name, weighted):
    loss = LOSSES[name]
    score, target, weight = batch(loss)
    if weighted == "outputs" and isinstance(loss, LogLoss):
        pytest.skip("the classes of a row are one output")
    if weighted == "outputs":
        weight = weight * torch.tensor([0.5, 1.0, 3.0], dtype=weight.dtype)
    weight = weight if weighted else None

    def value(score):
        return loss.value_and_gradient(score, target, weight)[0]

    _, gradient = loss.value_and_gradient(score, target, weight)
    # 1e-13 relative to values of up to ten, divided by the step.
    torch.testing.assert_close(
        gradient, derivative(value, score), rtol=1e-9, atol=1e-11
    )


@pytest.mark.parametrize("name", LOSSES)
def test_curvature(name):
    loss = LOSSES[name]
    score, target, _ = batch(loss)
    generator = torch.Generator().manual_seed(1)
    direction = torch.randn(SHAPE, generator=generator, dtype=torch.float64)

    def at(step):
        return loss.derivative(score + step * direction, target)

    found = loss.curvature(score, target, direction)
    step = 1e-3
    slope = (8 * (at(step) - at(-step)) - at(2 * step) + at(-2 * step)) / (12 * step)
    # As for the gradient. No residual is near a kink.
    torch.testing.assert_close(found, slope, rtol=1e-9, atol=1e-11)
    assert loss.has_curvature == bool(found.any())
    assert not loss.is_quadratic or torch.equal(found, direction)
    # One score and several directions.
    several = torch.cat([direction[:1], -2 * direction[:1]])
    for one, factor in zip(loss.curvature(score[:1], target[:1], several), (1, -2)):
        torch.testing.assert_close(one, factor * found[0], rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("name", LOSSES)
def test_models_do_not_mix_and_arguments_are_left_as_they_are(name):
    loss = LOSSES[name]
    score, target, weight = batch(loss)
    copies = [score.clone(), target.clone(), weight.clone()]
    values, gradients = loss.value_and_gradient(score, target, weight)
    for model in range(2):
        one = slice(model, model + 1)
        value, gradient = loss.value_and_gradient(score[one], target[one], weight[one])
        # A vector kernel and its scalar tail may differ in the last digit.
        torch.testing.assert_close(value, values[one], rtol=1e-15, atol=0)
        torch.testing.assert_close(gradient, gradients[one], rtol=1e-15, atol=1e-17)
    assert all(map(torch.equal, copies, [score, target, weight]))


@pytest.mark.parametrize("name", LOSSES)
def test_no_weights_are_equal_weights_and_zero_weights_are_no_rows(name):
    loss = LOSSES[name]
    score, target, _ = batch(loss)
    equal = torch.full((2, 7, 1), 1 / 7, dtype=torch.float64)
    mean = loss.value_and_gradient(score, target)
    for one, other in zip(mean, loss.value_and_gradient(score, target, equal)):
        torch.testing.assert_close(one, other, rtol=1e-14, atol=1e-16)
    some = torch.zeros(2, 7, 1, dtype=torch.float64)
    some[:, :4] = 1 / 4
    value, gradient = loss.value_and_gradient(score, target, some)
    few, few_gradient = loss.value_and_gradient(score[:, :4], target[:, :4])
    torch.testing.assert_close(value, few, rtol=1e-14, atol=1e-16)
    torch.testing.assert_close(gradient[:, :4], few_gradient, rtol=1e-14, atol=1e-16)
    assert not gradient[:, 4:].any()


@pytest.mark.parametrize("name", LOSSES)
def test_float32(name):
    loss = LOSSES[name]
    score, target, weight = batch(loss)
    double = loss.value_and_gradient(score, target, weight)
    single = loss.value_and_gradient(score.float(), target.float(), weight.float())
    for one, other in zip(single, double):
        assert one.dtype == torch.float32
        # Scores of up to three, the exponential of which magnifies their rounding.
        torch.testing.assert_close(one.double(), other, rtol=2e-6, atol=2e-6)


def expected(metric):
    """Return the sum over outputs of a metric of scikit-learn, for each model."""

    def value(score, target, weight):
        return [
            sum(
                metric(t[:, k], s[:, k], sample_weight=w[:, 0]) for k in range(SHAPE[2])
            )
            for s, t, w in zip(score.numpy(), target.numpy(), weight.numpy())
        ]

    return value


REFERENCES = {
    "squared_error": expected(lambda t, s, **w: mean_squared_error(t, s, **w) / 2),
    "absolute_error": expected(mean_absolute_error),
    "quantile": expected(lambda t, s, **w: mean_pinball_loss(t, s, alpha=0.5, **w)),
    "quantile, q=0.8": expected(
        lambda t, s, **w: mean_pinball_loss(t, s, alpha=0.8, **w)
    ),
    "poisson": expected(lambda t, s, **w: mean_poisson_deviance(t, np.exp(s), **w) / 2),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_value_is_scikit_learns_metric(name):
    score, target, weight = batch(LOSSES[name])
    value, _ = LOSSES[name].value_and_gradient(score, target, weight)
    np.testing.assert_allclose(
        value, REFERENCES[name](score, target, weight), rtol=1e-12
    )


@pytest.mark.parametrize("delta", [0.3, 1.0, 2.0])
def test_huber_is_torchs(delta):
    score, target, weight = batch(HuberLoss(delta))
    value, _ = HuberLoss(delta).value_and_gradient(score, target, weight)
    losses = torch.nn.functional.huber_loss(
        score, target, reduction="none", delta=delta
    )
    torch.testing.assert_close(value, (losses * weight).sum((1, 2)), rtol=1e-13, atol=0)


def test_log_loss_is_scikit_learns():
    score, _, weight = batch(LogLoss())
    labels = np.array([[0, 1, 2, 0, 1, 2, 2], [2, 2, 1, 0, 0, 0, 1]])
    target = torch.tensor(np.eye(3)[labels])
    value, _ = LogLoss().value_and_gradient(score, target, weight)
    reference = [
        log_loss(y, softmax(s, axis=1), sample_weight=w[:, 0], labels=[0, 1, 2])
        for y, s, w in zip(labels, score.numpy(), weight.numpy())
    ]
    np.testing.assert_allclose(value, reference, rtol=1e-12)


def test_binary_log_loss_is_scikit_learns():
    """One output is one binary problem, and several labels are several."""
    score, target, weight = batch(BinaryLogLoss())
    target = target.round()
    value, _ = BinaryLogLoss().value_and_gradient(score, target, weight)
    reference = expected(lambda t, s, **w: log_loss(t, expit(s), labels=[0, 1], **w))
    np.testing.assert_allclose(value, reference(score, target, weight), rtol=1e-12)


@pytest.mark.parametrize("kind", CLASSIFICATION_LOSSES.values())
@pytest.mark.parametrize("smoothing", [0.1, 0.5])
def test_label_smoothing_leans_to_the_uniform_target(kind, smoothing):
    """Against torch's cross-entropies, of classes and of separate labels."""
    score, _, _ = batch(kind())
    labels = torch.tensor([0, 1, 2, 0, 1, 2, 2])
    hot = torch.eye(3, dtype=torch.float64)[labels]
    target = hot + smoothing * (kind().uniform_target(3) - hot)
    value, _ = kind().value_and_gradient(score[:1], target[None])
    if kind is LogLoss:
        reference = torch.nn.functional.cross_entropy(
            score[0], labels, label_smoothing=smoothing
        )
    else:
        # Each label's two classes share alike.
        reference = (
            torch.nn.functional.binary_cross_entropy_with_logits(
                score[0], hot * (1 - smoothing) + smoothing / 2, reduction="none"
            )
            .sum(1)
            .mean()
        )
    torch.testing.assert_close(value[0], reference, rtol=1e-13, atol=0)


class TestSeveralQuantiles:
    """Each output has a level of its own."""

    levels = (0.1, 0.5, 0.8)
    loss = QuantileLoss(levels)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_value_and_gradient_are_those_of_each_output(self, dtype):
        score, target, weight = (each.to(dtype) for each in batch(self.loss))
        value, gradient = self.loss.value_and_gradient(score, target, weight)
        each = [
            QuantileLoss(level).value_and_gradient(
                score[..., k : k + 1], target[..., k : k + 1], weight
            )
            for k, level in enumerate(self.levels)
        ]
        torch.testing.assert_close(value, sum(v for v, _ in each))
        torch.testing.assert_close(gradient, torch.cat([g for _, g in each], -1))
        assert value.dtype == gradient.dtype == dtype

    def test_sorted_outputs_have_no_larger_loss(self):
        """For every target, as Chernozhukov et al. (2010) show for the distance."""
        rng = torch.Generator().manual_seed(0)
        score = torch.randn(1, 2000, 3, generator=rng, dtype=torch.float64)
        target = torch.randn(1, 2000, 1, generator=rng, dtype=torch.float64)
        found = self.loss.inverse_link(score)
        assert torch.equal(found, torch.from_numpy(np.sort(score.numpy(), axis=-1)))
        before, after = (
            self.loss.elementwise(each, target.expand_as(score)).sum(-1)
            for each in (score, found)
        )
        assert (after <= before + 1e-12).all()
        assert (after < before - 0.1).any()

    def test_the_mean_is_that_of_sorted_outputs(self):
        scores = torch.tensor([[[3.0, 1.0, 2.0]], [[0.0, 10.0, 5.0]]])
        mean = self.loss.mean_score(scores)
        assert mean.tolist() == [[0.5, 3.5, 6.5]]
        assert torch.equal(self.loss.inverse_link(mean), mean)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_scores(name, dtype):
    """No overflow and no cancellation, whatever the score, where the link allows it."""
    loss = LOSSES[name]
    size = 50.0 if loss.out_activation == "exp" else 1e4
    score = torch.tensor([[[size, -size]], [[-size, size]]], dtype=dtype)
    target = torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]]], dtype=dtype)
    value, gradient = loss.value_and_gradient(score, target)
    assert torch.isfinite(value).all() and torch.isfinite(gradient).all()
    if name == "log_loss":
        assert value.tolist() == [2 * size, 0.0]
    if name == "binary_log_loss":
        assert value.tolist() == [2 * size, 0.0]
        assert gradient.tolist() == [[[1.0, -1.0]], [[0.0, 0.0]]]


def test_binary_log_loss_keeps_its_precision_at_every_score():
    """log(1 + exp(z)) - t z to the last digits, against numpy's logaddexp."""
    score = torch.linspace(-45, 45, 1801, dtype=torch.float64).view(1, -1, 1)
    for target in (0.0, 1.0):
        terms = BinaryLogLoss().elementwise(score, torch.full_like(score, target))
        exact = np.logaddexp(0, score.numpy()) - target * score.numpy()
        # The difference of two numbers of up to 45 is exact to their spacing.
        np.testing.assert_allclose(terms, exact, rtol=1e-15, atol=2e-14)


@pytest.mark.parametrize("name", ["absolute_error", "quantile", "quantile, q=0.8"])
def test_the_gradient_at_the_kink_is_zero(name):
    score = torch.tensor([[[0.7]]], dtype=torch.float64)
    _, gradient = LOSSES[name].value_and_gradient(score, score.clone())
    assert gradient.item() == 0


MINIMISERS = {
    "squared_error": lambda y: np.mean(y),
    "absolute_error": lambda y: np.median(y),
    "quantile, q=0.8": lambda y: np.quantile(y, 0.8, method="inverted_cdf"),
    "poisson": lambda y: np.mean(y),
    "binary_log_loss": lambda y: np.mean(y),
}


@pytest.mark.parametrize("name", MINIMISERS)
def test_the_best_constant(name):
    """The inverse link of the constant of least loss is what the loss is made for."""
    loss = LOSSES[name]
    rng = np.random.default_rng(0)
    y = rng.poisson(2.0, 101) if name == "poisson" else rng.uniform(0.1, 0.9, 101)
    grid = torch.linspace(-3, 3, 60001, dtype=torch.float64).view(-1, 1, 1)
    target = torch.tensor(y, dtype=torch.float64).view(1, -1, 1)
    value = sum(
        loss.elementwise(grid, t.view(1, 1, 1).expand_as(grid)) for t in target[0]
    )
    best = loss.inverse_link(grid[value[:, 0, 0].argmin()]).item()
    # The grid's step is 1e-4, and the steepest inverse link, the exponential, 2.
    assert best == pytest.approx(MINIMISERS[name](y), abs=3e-4)


def test_inverse_link_of_classes():
    score, _, _ = batch(LogLoss())
    np.testing.assert_allclose(
        LogLoss().inverse_link(score[0]), softmax(score[0].numpy(), axis=1), rtol=1e-13
    )


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_one_kind_are_equal(name):
    """As keys of what may train together."""
    loss = LOSSES[name]
    assert loss == type(loss)(**vars(loss)) and hash(loss) == hash(
        type(loss)(**vars(loss))
    )
    assert QuantileLoss(0.1) != QuantileLoss(0.2)
