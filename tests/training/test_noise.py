"""Random changes of a batch: their distributions and their random streams."""

from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
import torch
from _numeric import request_of
from scipy import stats

from skreg import MLPClassifier
from skreg.data.batches import Batch, Batches, Pool
from skreg.data.random_streams import (
    CUTMIX,
    CUTOUT,
    DROPOUT,
    INPUT_DROPOUT,
    INPUT_NOISE,
    MIXUP,
    Streams,
)
from skreg.data.rows import Rows
from skreg.data.scaling import StackedScaling
from skreg.losses.kinds import BinaryLogLoss, LogLoss
from skreg.networks.architecture import Architecture
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork
from skreg.training.noise import Noise
from skreg.training.stack import Stack

# A statistic may be this many standard errors off: once in two million draws. The
# seeds are fixed, so a test that passes goes on passing.
SIGMAS = 5

# What changes the rows of a batch, and from which stream.
INPUTS = {
    "input_dropout": INPUT_DROPOUT,
    "input_noise": INPUT_NOISE,
    "mixup": MIXUP,
    "cutmix": CUTMIX,
    "cutout": CUTOUT,
}


def noise(n_models=1, n_hidden=1, **rates):
    """Return a `Noise` with given rates, each one number or one per model."""

    def vector(value, *shape):
        value = torch.as_tensor(value, dtype=torch.float64)
        return value.expand(*shape).clone()

    dropout = torch.as_tensor(rates.pop("dropout", 0.0))
    if dropout.ndim == 1:
        dropout = dropout[:, None]  # the same in all layers
    return Noise(
        vector(dropout, n_models, n_hidden),
        **{
            name: vector(rates.pop(name, 0.0), n_models)
            for name in [field.name for field in fields(Noise)][1:]
        },
    )


def batch(n_models=1, n_rows=8, n_features=3, n_outputs=2, rows=None, weighted=False):
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(n_models, n_rows, n_features, generator=rng, dtype=torch.float64)
    target = torch.rand(n_models, n_rows, n_outputs, generator=rng, dtype=torch.float64)
    weight = None
    if weighted:
        weight = torch.rand(n_models, n_rows, 1, generator=rng, dtype=torch.float64)
    return Batch(x, target, weight, rows or [n_rows] * n_models, torch.ones(n_models))


def streams(*seeds):
    return [Streams(seed) for seed in seeds]


def test_streams():
    """One generator for each seed, number of epochs and purpose, made once."""
    draws = {
        (seed, epochs, purpose): Streams(seed, epochs)[purpose].random()
        for seed in (0, 1, 2**40)
        for epochs in (0, 3)
        for purpose in (*range(9), CUTMIX, CUTOUT)
    }
    assert len(set(draws.values())) == len(draws)
    assert draws == {key: Streams(*key[:2])[key[2]].random() for key in draws}
    both = Streams(0)
    both[1].random(5)
    assert both[2].random() == draws[0, 0, 2]
    assert both[1].random() != draws[0, 0, 1]


def mask_of_words(bit_generator, rate, n_rows, width):
    """Return a mask, drawn with sixteen bits per unit, each row from a new word on."""
    cut, kept = round(rate * 65536), []
    for _ in range(n_rows):
        words, bits = (
            [int(bit_generator.random_raw()) for _ in range(-(-width // 4))],
            [],
        )
        for unit in range(width):
            unsigned = words[unit // 4] >> (16 * (unit % 4)) & 0xFFFF
            bits.append(unsigned - 65536 * (unsigned >= 32768))
        kept.append([65536 / (65536 - cut) * (b >= cut - 32768) for b in bits])
    return np.array(kept)


@pytest.mark.parametrize("drawn_ahead", [1, 200, 2**18])
def test_masks_drawn_ahead(monkeypatch, drawn_ahead):
    """They are those drawn step by step, and leave the generators as those do.

    Models with and without dropout, other numbers of rows, a number of units that is
    no multiple of four, and ragged batches after the full ones.
    """
    monkeypatch.setattr("skreg.training.noise.DRAWN_AHEAD", drawn_ahead)
    parts = [
        Rows(np.ones((n, 3)), np.ones((n, 1)), None, np.arange(n)) for n in (37, 36, 23)
    ]
    pool = Pool(parts, torch.float64, "cpu")
    own, reference = streams(3, 4, 5), streams(3, 4, 5)
    rates = {"dropout": [0.3, 0.0, 0.6], "input_dropout": [0.0, 0.2, 0.1]}
    found = noise(3, 2, **{key: torch.tensor(rate) for key, rate in rates.items()})
    batches = Batches(pool, pool.indices, StackedScaling(), 5, own)
    purposes = {INPUT_DROPOUT: 3, DROPOUT: 4, DROPOUT + 1: 3}
    for _ in range(2):
        for step in batches.epoch():
            kept = [found.apply(step, own).x, *found.masks(step, own, [4, 3])]
            for (purpose, width), masks in zip(purposes.items(), kept):
                kind = "input_dropout" if purpose == INPUT_DROPOUT else "dropout"
                for model, n in enumerate(step.rows):
                    rate, expected = rates[kind][model], np.ones((n, width))
                    if rate and n:
                        words = reference[model][purpose].bit_generator
                        expected = mask_of_words(words, rate, n, width)
                    np.testing.assert_array_equal(masks[model, :n], expected)
        for one, two in zip(own, reference):
            for purpose in purposes:
                assert one.words(purpose, 1) == two.words(purpose, 1)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_rate_of_a_mask(rate):
    n = 200_000
    (mask,) = noise(dropout=rate).masks(batch(n_rows=n), streams(0), [1])
    dropped = int((mask == 0).sum())
    assert abs(dropped - n * rate) < SIGMAS * np.sqrt(n * rate * (1 - rate))
    # The rate is a multiple of 2^-16, and the survivors are scaled by that one.
    kept = 1 - round(rate * 65536) / 65536
    assert mask.unique().tolist() == [0, 1 / kept]
    assert abs(1 / kept - 1 / (1 - rate)) < 2**-16 / (1 - rate) ** 2


def test_extreme_rates_of_a_mask():
    """A rate next to one keeps something; rates of zero and near it keep all."""
    for rate, (low, high) in {1 - 1e-9: (0, 60), 1e-9: (2**20, 2**20)}.items():
        (mask,) = noise(dropout=rate).masks(batch(n_rows=2**20), streams(1), [1])
        # 16 survivors are expected of 2^20 at the least rate of survival, 2^-16.
        assert low < (mask != 0).sum() + 1 and (mask != 0).sum() <= high
        assert torch.isfinite(mask).all()


def test_units_and_rows_are_dropped_independently():
    n = 20_000
    (mask,) = noise(dropout=0.3).masks(batch(n_rows=n), streams(2), [6])
    kept = (mask[0] != 0).double()
    # The products of neighbours, of units and of rows, have the mean 0.7^2.
    errors = [kept[:, i] @ kept[:, j] / n - 0.49 for i, j in pairwise(range(6))]
    errors.append((kept[1:] * kept[:-1]).mean() - 0.49)
    assert max(map(abs, errors)) < SIGMAS * np.sqrt(0.49 * 0.51 / n)


def test_dropout_keeps_the_expectation():
    """At training the mean over masks is, for what follows linearly, the prediction.

    The hidden layer's activation comes before the mask, so the output of a network
    with one hidden layer is linear in the mask.
    """
    architecture, n = Architecture((3, 8, 2), "tanh"), 20_000
    state = initial_state(architecture, np.random.default_rng(0), np.float64)
    module = StackedNetwork(architecture, [state], torch.float64)
    x = batch(n_rows=1).x
    many = x.expand(1, n, 3)
    rates = noise(dropout=0.4)
    masks = rates.masks(batch(n_rows=n), streams(3), [8])
    score, _ = module.forward_training(many, None, masks)
    error = score[0].std(0) / np.sqrt(n)
    assert ((score[0].mean(0) - module(x)[0, 0]).abs() < SIGMAS * error).all()
    assert error.max() < 0.01


def test_dropout_keeps_the_expectation_exactly():
    """Over all masks of four units, each as probable as its rate makes it."""
    architecture, rate = Architecture((3, 4, 2), "tanh"), 0.25
    state = initial_state(architecture, np.random.default_rng(0), np.float64)
    module = StackedNetwork(architecture, [state], torch.float64)
    drawn = noise(dropout=rate).masks(batch(n_rows=1000), streams(0), [4])[0].unique()
    corners = torch.cartesian_prod(*[torch.arange(2)] * 4)
    masks = drawn[corners]
    probability = (rate ** (4 - corners.sum(1)) * (1 - rate) ** corners.sum(1)).double()
    x = batch(n_rows=1).x
    score, _ = module.forward_training(x.expand(1, 16, 3), None, [masks[None]])
    mean = (probability[:, None] * score[0]).sum(0)
    torch.testing.assert_close(mean, module(x)[0, 0], rtol=1e-14, atol=1e-15)


def test_input_dropout():
    n = 100_000
    one = batch(n_rows=n, n_features=2)
    dropped = noise(input_dropout=0.2).apply(one, streams(0))
    share = (dropped.x == 0).double().mean().item()
    assert abs(share - 0.2) < SIGMAS * np.sqrt(0.16 / (2 * n))
    kept = dropped.x != 0
    torch.testing.assert_close(dropped.x[kept], one.x[kept] / 0.8, rtol=2e-5, atol=0)
    assert dropped.target is one.target


def test_input_noise():
    n = 50_000
    one = batch(n_rows=n, n_features=2)
    noisy = noise(input_noise=0.3).apply(one, streams(0))
    added = (noisy.x - one.x).numpy().ravel() / 0.3
    # Normal, of mean 0 and standard deviation 1: by Kolmogorov and Smirnov.
    assert stats.kstest(added, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(added[::2], added[1::2])[0, 1]) < SIGMAS / np.sqrt(n)


@pytest.mark.parametrize("weighted", [False, True])
def test_mixup_is_its_formula(weighted):
    """lam * own + (1 - lam) * partner's, with a partner within the batch."""
    one = batch(n_rows=6, weighted=weighted)
    mixed = noise(mixup=0.7).apply(one, streams(4))
    generator = Streams(4)[MIXUP]
    lam = generator.beta(0.7, 0.7)
    order = torch.tensor(generator.permutation(6))
    for own, result in [
        (one.x, mixed.x),
        (one.target, mixed.target),
        (one.weight, mixed.weight),
    ]:
        if own is not None:
            expected = lam * own + (1 - lam) * own[:, order]
            torch.testing.assert_close(result, expected, rtol=1e-13, atol=1e-15)
    if weighted:
        torch.testing.assert_close(mixed.weight.sum(), one.weight.sum())
    else:
        assert mixed.weight is None


def test_mixup_draws_a_weight_from_the_beta_distribution_for_each_batch():
    one, own = batch(n_rows=2, n_features=1), streams(0)
    rates, lams = noise(mixup=0.4), []
    while len(lams) < 2000:
        # Of two rows, half the permutations leave each in its place.
        x = rates.apply(one, own).x
        lam = ((x[0, 0] - one.x[0, 1]) / (one.x[0, 0] - one.x[0, 1])).item()
        if lam < 1 - 1e-12:
            lams.append(lam)
    assert stats.kstest(lams, stats.beta(0.4, 0.4).cdf).pvalue > 1e-3


@pytest.mark.parametrize("weighted", [False, True])
def test_cutmix_is_its_definition(weighted):
    """Columns of a partner's, and targets mixed by the share of those kept."""
    one, cuts = batch(n_rows=6, n_features=7, weighted=weighted), set()
    rates, own, generator = noise(cutmix=0.7), streams(4), Streams(4)[CUTMIX]
    for _ in range(8):
        mixed = rates.apply(one, own)
        lam = generator.beta(0.7, 0.7)
        order = torch.tensor(generator.permutation(6))
        n_cut = round((1 - lam) * 7)
        cut = generator.permutation(7)[:n_cut]
        expected = one.x.clone()
        expected[..., cut] = one.x[:, order][..., cut]
        assert torch.equal(mixed.x, expected)
        share = 1 - n_cut / 7
        pairs = [(one.target, mixed.target), (one.weight, mixed.weight)]
        for before, after in pairs[: 1 + weighted]:
            average = share * before + (1 - share) * before[:, order]
            torch.testing.assert_close(after, average, rtol=1e-13, atol=1e-15)
        assert weighted or mixed.weight is None
        cuts.add(n_cut)
    assert len(cuts) > 2, "no more than all or nothing, which shows little"


def test_cutmix_takes_all_columns_equally_often():
    one, own, n_draws = batch(n_rows=40, n_features=4), streams(0), 2000
    one = one.replace(
        x=torch.arange(40, dtype=torch.float64).view(1, 40, 1).repeat(1, 1, 4)
    )
    rates, taken = noise(cutmix=1.0), []
    for _ in range(n_draws):
        # Of forty rows, some have a partner that is another.
        taken.append((rates.apply(one, own).x != one.x).any(1)[0].double())
    taken = torch.stack(taken)
    # Four times a uniform number, rounded: the ends have half the room of the others.
    counts = torch.bincount(taken.sum(1).long(), minlength=5) / n_draws
    expected = torch.tensor([1, 2, 2, 2, 1]) / 8
    assert ((counts - expected).abs() < SIGMAS * (0.25 / n_draws) ** 0.5).all()
    assert ((taken.mean(0) - 0.5).abs() < SIGMAS * 0.5 / n_draws**0.5).all()


@pytest.mark.parametrize("n_features, share, n_cut", [(10, 0.3, 3), (7, 0.5, 4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_cutout(n_features, share, n_cut, dtype):
    """So many zeros in each row, all columns alike, and the others as they were."""
    n = 20_000
    one = batch(n_rows=n, n_features=n_features)
    one = one.replace(x=one.x.to(dtype))
    rates = noise(cutout=share)
    rates.cutout = rates.cutout.to(dtype)
    cut = rates.apply(one, streams(0)).x
    zero = cut == 0
    assert torch.equal(cut[~zero], one.x[~zero])
    assert (zero.sum(2) == n_cut).all()
    share = n_cut / n_features
    error = SIGMAS * (share * (1 - share) / n) ** 0.5
    means = zero.double().mean(1)
    assert ((means - share).abs() < error).all()
    # Two columns are zero together as often as in a draw without replacement.
    both = (zero[..., 0] & zero[..., 1]).double().mean()
    expected = share * (n_cut - 1) / (n_features - 1)
    assert abs(both - expected) < SIGMAS * 0.5 / n**0.5
    # And rows are independent of one another.
    pair = zero[0, ::2].double(), zero[0, 1::2].double()
    correlation = ((pair[0] - share) * (pair[1] - share)).mean(0) / share / (1 - share)
    assert (correlation.abs() < SIGMAS / (n / 2) ** 0.5).all()


def test_cutout_is_the_last():
    """Its zeros are zeros, noise or not; shares that round to none cut nothing."""
    one = batch(n_rows=50, n_features=6)
    rates = noise(cutout=0.5, input_noise=1.0, mixup=1.0, cutmix=1.0)
    assert ((rates.apply(one, streams(0)).x == 0).sum(2) == 3).all()
    rates = noise(cutout=0.05)
    assert torch.equal(rates.apply(one, streams(0)).x, one.x)


def test_label_smoothing():
    one = batch(n_models=2, n_outputs=4)
    smooth = noise(2, label_smoothing=[0.0, 0.2]).smooth(one, LogLoss())
    torch.testing.assert_close(smooth.target[0], one.target[0], rtol=0, atol=0)
    torch.testing.assert_close(smooth.target[1], 0.8 * one.target[1] + 0.2 / 4)
    # Each label has two classes, however many labels there are.
    smooth = noise(2, label_smoothing=[0.0, 0.2]).smooth(one, BinaryLogLoss())
    torch.testing.assert_close(smooth.target[1], 0.8 * one.target[1] + 0.2 / 2)


def test_rates_of_zero_change_nothing():
    one = batch()
    off = noise()
    assert off.apply(one, streams(0)) is one
    assert off.smooth(one, LogLoss()) is one
    assert not len(off.masks(one, streams(0), [5]))


def test_random_models():
    """All that draw: a model that smooths its labels does not."""
    for name in ALL:
        found = noise(3, n_hidden=2, **{name: torch.tensor([0.0, 0.1, 0.0])})
        draws = name != "label_smoothing"
        assert found.random_models() == [False, draws, False]
    second_layer = torch.tensor([[0.0, 0.0], [0.0, 0.5]])
    assert noise(2, 2, dropout=second_layer).random_models() == [False, True]


ALL = ["dropout", *INPUTS, "label_smoothing"]


def changed(rates, one, own):
    """Return all changes of a batch by the noise, with 4 and 2 hidden units."""
    result = rates.apply(rates.smooth(one, LogLoss()), own)
    masks = rates.masks(one, own, [4, 2])  # overwritten by the next
    return [result.x, result.target, *(mask.clone() for mask in masks)]


@pytest.mark.parametrize("rows", [[8, 8, 8], [8, 5, 3]])
def test_a_model_draws_the_same_whichever_models_train_beside_it(rows):
    """Over two batches, with companions of all kinds and with ragged ends."""
    on = {name: torch.tensor([0.0, 0.4, 0.2]) for name in ALL if name != "dropout"}
    on["dropout"] = torch.tensor([[0.0, 0.3], [0.5, 0.0], [0.2, 0.2]])
    one = batch(3, rows=rows)
    rates, own = noise(3, 2, **on), streams(5, 6, 7)
    together = [changed(rates, one, own) for _ in range(2)]
    for model, n in enumerate(rows):
        part = Batch(
            one.x[[model], :n], one.target[[model], :n], None, [n], torch.ones(1)
        )
        single, alone = rates.select(torch.tensor([model])), streams(5 + model)
        for step in together:
            parts = changed(single, part, alone)
            for number, result in enumerate(step):
                if number < 2 or len(parts) > 2:
                    torch.testing.assert_close(
                        result[model, :n], parts[number][0], rtol=1e-15, atol=1e-16
                    )
                else:  # no mask at all is a mask of ones
                    assert (result[model] == 1).all()


@pytest.mark.parametrize("name", ["dropout", *INPUTS])
def test_a_model_draws_the_same_whichever_other_regularisers_it_has(name):
    """Each purpose has a stream of its own: compare where each stream has come to."""
    purposes = {"dropout": DROPOUT, **INPUTS}
    one, (alone,), (among,) = batch(), streams(0), streams(0)
    changed(noise(**{name: 0.3}, n_hidden=2), one, [alone])
    changed(noise(**dict.fromkeys(ALL, 0.3), n_hidden=2), one, [among])
    assert alone[purposes[name]].random() == among[purposes[name]].random()
    others = [purpose for other, purpose in purposes.items() if other != name]
    assert all(alone[p].random() == Streams(0)[p].random() for p in others)


def test_the_batch_is_left_as_it_is():
    one = batch(weighted=True)
    copies = [one.x.clone(), one.target.clone(), one.weight.clone()]
    changed(noise(**dict.fromkeys(ALL, 0.3), n_hidden=2), one, streams(0))
    assert all(map(torch.equal, copies, [one.x, one.target, one.weight]))


def test_seeds_of_models_decide_alone():
    """Weights, order and masks of a stack's model are those of its own seed."""
    X = np.random.default_rng(0).standard_normal((30, 3))
    y = np.arange(30) % 2

    def stack(*seeds):
        estimators = [
            MLPClassifier((4,), dropout=0.5, batch_size=8, random_state=seed)
            for seed in seeds
        ]
        return Stack([request_of(estimator, X, y) for estimator in estimators])

    pair, single = stack(3, 4), stack(4)
    for together, alone in zip(pair.module.state, single.module.state):
        assert torch.equal(together[1], alone[0])
    for one, other in zip(pair.batches.epoch(), single.batches.epoch(), strict=True):
        assert torch.equal(one.x[1], other.x[0])
        assert torch.equal(
            pair.noise.masks(one, pair.streams, [4])[0][1],
            single.noise.masks(other, single.streams, [4])[0][0],
        )
