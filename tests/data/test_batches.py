"""Batches: their rows, the order, and the weights."""

from itertools import chain

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from _numeric import derivative

import skreg.data.batches
from skreg.data.batches import Batches, Pool, count_batches
from skreg.data.random_streams import ORDER, Streams
from skreg.data.rows import Rows
from skreg.data.scaling import StackedScaling
from skreg.losses.kinds import SquaredError
from skreg.networks.architecture import Architecture
from skreg.networks.initial import initial_state
from skreg.networks.stacked import StackedNetwork
from skreg.penalties.combined import Penalties
from skreg.penalties.kinds import PENALTIES
from skreg.training.noise import Noise
from skreg.training.objective import Objective

N_FEATURES = 3


def rows(n, seed=0, weighted=False, index=None):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, N_FEATURES))
    # The target is the number of the row, which names it in a batch.
    y = np.arange(n, dtype=float)[:, None] + 1000 * seed
    weight = rng.uniform(0.1, 3, n) if weighted else None
    return Rows(X, y, weight, np.arange(n) if index is None else np.asarray(index))


def batches(parts, size, shuffled=True, min_rows=1, scaling=None, dtype=torch.float64):
    pool = Pool(parts, dtype, "cpu")
    streams = [Streams(seed) for seed in range(len(parts))] if shuffled else None
    return Batches(
        pool, pool.indices, scaling or StackedScaling(), size, streams, min_rows
    )


def seen(epoch, n_models):
    """Return the targets that each model sees in an epoch, batch by batch."""
    found = [[] for _ in range(n_models)]
    for batch in epoch:
        for model, n in enumerate(batch.rows):
            if n:
                found[model].append(batch.target[model, :n, 0].tolist())
    return found


LENGTHS = [[12], [13], [12, 12], [37, 16, 12, 3], [13, 12, 5, 4, 1], [8, 8, 7]]


@pytest.fixture(params=[1, 10_000_000], ids=["step by step", "many steps at a time"])
def gathered(request, monkeypatch):
    """The number of steps gathered at a time must not matter."""
    monkeypatch.setattr(skreg.data.batches, "GATHERED_ELEMENTS", request.param)


@pytest.mark.usefixtures("gathered")
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("size", [1, 4, 12, 200])
def test_every_row_exactly_once_an_epoch(lengths, size, shuffled):
    parts = [rows(n, seed) for seed, n in enumerate(lengths)]
    loader = batches(parts, size, shuffled)
    epochs = [seen(loader.epoch(), len(parts)) for _ in range(3)]
    for epoch in epochs:
        for part, found in zip(parts, epoch):
            n = len(part.index)
            assert sorted(chain(*found)) == part.y[:, 0].tolist()
            sizes = [len(batch) for batch in found]
            assert sizes[:-1] == [size] * (len(sizes) - 1) and 0 < sizes[-1] <= size
            assert len(found) == count_batches(n, size)
            if not shuffled:
                assert list(chain(*found)) == part.y[:, 0].tolist()
    longest = [epoch[0] for epoch in epochs]
    if shuffled and lengths[0] > size:
        assert longest[0] != longest[1] != longest[2]


@pytest.mark.usefixtures("gathered")
def test_the_order_is_that_of_the_models_stream():
    parts = [rows(13, 0), rows(9, 1)]
    loader = batches(parts, 4)
    for epoch in range(3):
        for stream in loader.streams:
            stream.begin_epoch(epoch)
        found = seen(loader.epoch(), 2)
        for seed, (part, own) in enumerate(zip(parts, found)):
            streams = Streams(seed, epoch)
            words = streams[ORDER].bit_generator.random_raw(len(part.index))
            order = part.index[np.argsort(words)]
            assert list(chain(*own)) == part.y[order, 0].tolist()


@pytest.mark.usefixtures("gathered")
@pytest.mark.parametrize("lengths", LENGTHS)
def test_batches_that_are_certain_to_follow(lengths):
    """As many as announced, of the same models and rows, one less each time."""
    parts = [rows(n, seed) for seed, n in enumerate(lengths)]
    epoch = list(batches(parts, 4).epoch())
    for step, batch in enumerate(epoch):
        for later in range(1, batch.following + 1):
            follower = epoch[step + later]
            assert follower.x.shape == batch.x.shape and follower.rows == batch.rows
            assert follower.following == batch.following - later
    # All steps in which every model has a full batch, but for one that may be its last.
    full = min(count_batches(n, 4) for n in lengths) - 1
    assert epoch[0].following == max(0, full - 1)


def test_a_single_row_joins_the_batch_before_it():
    """Where a batch of one row would make no sense, as under batchnorm."""
    parts = [rows(n, seed) for seed, n in enumerate([13, 10, 9, 2])]
    sizes = [
        [len(batch) for batch in found]
        for found in seen(batches(parts, 4, min_rows=2).epoch(), 4)
    ]
    assert sizes == [[4, 4, 5], [4, 4, 2], [4, 5], [2]]


@pytest.mark.parametrize(
    "n_rows, size, min_rows, expected",
    [
        (1, 4, 1, 1),
        (4, 4, 1, 1),
        (5, 4, 1, 2),
        (5, 4, 2, 1),
        (6, 4, 2, 2),
        (8, 4, 2, 2),
        (9, 4, 2, 2),
        (3, 200, 2, 1),
    ],
)
def test_number_of_batches(n_rows, size, min_rows, expected):
    assert count_batches(n_rows, size, min_rows) == expected


@pytest.mark.usefixtures("gathered")
@pytest.mark.parametrize("shuffled", [False, True])
def test_shares_and_portions(shuffled):
    """Over an epoch each row counts its weight over the sum of the weights."""
    parts = [
        rows(37, 0, weighted=True),
        rows(22, 1),
        rows(16, 2, weighted=True),
        rows(3, 3),
    ]
    total = [{} for _ in parts]
    portions = torch.zeros(4, dtype=torch.float64)
    for batch in batches(parts, 8, shuffled).epoch():
        portions[: len(batch.portion)] += batch.portion
        for model, n in enumerate(batch.rows):
            assert not batch.weight[model, n:].any()
            for row in range(n):
                name = int(batch.target[model, row, 0])
                share = batch.portion[model] * batch.weight[model, row, 0]
                total[model][name] = share.item()
    torch.testing.assert_close(portions, torch.ones(4, dtype=torch.float64))
    for part, found in zip(parts, total):
        weight = np.ones(len(part.y)) if part.weight is None else part.weight
        names = sorted(found)
        assert names == part.y[:, 0].astype(int).tolist()
        expected = weight / weight.sum()
        np.testing.assert_allclose(
            [found[name] for name in names], expected, rtol=1e-12
        )


def test_no_weights_without_need():
    for batch in batches([rows(8, 0), rows(8, 1)], 4).epoch():
        assert batch.weight is None
    assert all(
        batch.weight is not None for batch in batches([rows(8), rows(7)], 8).epoch()
    )


@pytest.mark.usefixtures("gathered")
def test_ragged_ends_repeat_a_row_of_the_models_own():
    parts = [rows(9, 0), rows(6, 1), rows(2, 2)]
    for batch in batches(parts, 4).epoch():
        for model, n in enumerate(batch.rows):
            assert set((batch.target[model, n:, 0] // 1000).tolist()) <= {float(model)}


@pytest.mark.usefixtures("gathered")
def test_scaling():
    rng = np.random.default_rng(0)
    parts = [rows(13, 0), rows(9, 1)]
    offset, scale = rng.standard_normal((2, 2, 1, N_FEATURES)) ** 2 + 0.1
    scaling = StackedScaling(torch.tensor(offset), torch.tensor(scale))
    for batch in batches(parts, 4, scaling=scaling).epoch():
        for model, n in enumerate(batch.rows):
            own = batch.target[model, :n, 0].long() - 1000 * model
            expected = (parts[model].X[own] - offset[model]) / scale[model]
            np.testing.assert_allclose(batch.x[model, :n], expected, rtol=1e-14)


def test_offsets_are_removed_before_rounding():
    """In the precision of the data: 1e9 + noise keeps its noise in single precision."""
    part = rows(16)
    far = Rows(part.X + 1e9, part.y, None, part.index)
    scaling = StackedScaling(
        torch.full((1, 1, N_FEATURES), 1e9, dtype=torch.float64), None
    )
    (batch,) = batches(
        [far], 16, shuffled=False, scaling=scaling, dtype=torch.float32
    ).epoch()
    assert batch.x.dtype == torch.float32
    # The spacing of float64 at 1e9 is 1.2e-7.
    np.testing.assert_allclose(batch.x[0], part.X, rtol=0, atol=4e-7)


def kinds(X, folder):
    path = folder / "X.npy"
    np.save(path, X)
    read_only = X.copy()
    read_only.flags.writeable = False
    return {
        "dense": X.copy(),
        "read-only": read_only,
        "memory map": np.load(path, mmap_mode="r"),
        "csr_array": sp.csr_array(X),
        "csr_matrix": sp.csr_matrix(X),
    }


@pytest.mark.usefixtures("gathered")
@pytest.mark.parametrize("n_parts", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_all_kinds_of_arrays_give_the_same_batches(tmp_path, dtype, n_parts):
    part = rows(21)
    X = np.where(np.abs(part.X) > 0.5, part.X, 0).astype(dtype)
    others = [rows(10, seed=1).X.astype(dtype) for _ in range(n_parts - 1)]
    expected = None
    for kind, array in kinds(X, tmp_path).items():
        like = [sp.csr_array(o) if sp.issparse(array) else o for o in others]
        parts = [Rows(array, part.y, None, np.arange(1, 20))]
        parts += [Rows(o, part.y[:10] + 1000, None, np.arange(10)) for o in like]
        before = array.copy()
        scaling = StackedScaling(None, torch.full((n_parts, 1, N_FEATURES), 2.0))
        found = [
            batch.x.clone()
            for _ in range(2)
            for batch in batches(parts, 4, scaling=scaling).epoch()
        ]
        expected = expected or found
        assert all(map(torch.equal, found, expected)), kind
        assert (before != array).sum() == 0, f"{kind} was written to"


def test_equal_data_are_stored_once():
    """By content: folds of a search come as copies."""
    part = rows(20, weighted=True)
    copies = [
        Rows(
            part.X.copy(),
            part.y.copy(),
            part.weight.copy(),
            np.arange(start, start + 10),
        )
        for start in (0, 5, 10)
    ]
    pool = Pool(copies, torch.float64, "cpu")
    assert [index.tolist() for index in pool.indices] == [
        c.index.tolist() for c in copies
    ]
    assert len(pool.y) == 20


@pytest.mark.parametrize("what", ["X", "y", "weight", "weight of none", "dtype"])
def test_data_that_differ_are_not_taken_for_equal(what):
    one = rows(6, weighted=True)
    X, y, weight = one.X.copy(), one.y.copy(), one.weight.copy()
    if what == "X":
        X[-1, -1] += 1e-12
    elif what == "y":
        y[-1] += 1e-9
    elif what == "weight":
        weight[-1] += 1e-9
    elif what == "weight of none":
        weight = None
    else:
        y = y.astype(np.float32)
    pool = Pool([one, Rows(X, y, weight, one.index)], torch.float64, "cpu")
    assert [index.tolist() for index in pool.indices] == [
        list(range(6)),
        list(range(6, 12)),
    ]
    x, target, share = pool.gather(torch.tensor(pool.indices[1])[None])
    np.testing.assert_array_equal(x[0], X)
    np.testing.assert_array_equal(target[0], y)
    np.testing.assert_array_equal(
        share[0, :, 0], np.ones(6) if weight is None else weight
    )


def test_sparse_data_with_the_same_numbers_elsewhere_are_not_equal():
    one = sp.csr_array(np.array([[1.0, 0, 0], [0, 2.0, 0]]))
    two = sp.csr_array(np.array([[0, 1.0, 0], [0, 2.0, 0]]))
    y, index = np.zeros((2, 1)), np.arange(2)
    pool = Pool(
        [Rows(one, y, None, index), Rows(two, y, None, index)], torch.float64, "cpu"
    )
    x, _, _ = pool.gather(torch.tensor(pool.indices[1])[None])
    np.testing.assert_array_equal(x[0], two.toarray())


@pytest.mark.usefixtures("gathered")
def test_selection():
    """The models of a selection go on with their own streams and rows."""
    parts = [rows(13, 0), rows(9, 1, weighted=True), rows(5, 2)]
    scale = torch.arange(1.0, 4).view(3, 1, 1).double().expand(3, 1, N_FEATURES)
    loader, other = (
        batches(parts, 4, scaling=StackedScaling(None, scale)) for _ in range(2)
    )
    seen(loader.epoch(), 3)
    seen(other.epoch(), 3)
    chosen = loader.select([0, 2])
    for whole, part in zip(other.epoch(), chosen.epoch(), strict=True):
        for model, own in enumerate([0, 2][: len(part.rows)]):
            n = part.rows[model]
            if n:
                assert torch.equal(part.x[model, :n], whole.x[own, :n])
                torch.testing.assert_close(
                    part.weight[model, :n], whole.weight[own, :n], rtol=1e-14, atol=0
                )


@pytest.mark.usefixtures("gathered")
@pytest.mark.parametrize("size", [1, 4, 7, 100])
def test_the_gradients_of_an_epochs_batches_average_to_the_full_one(size):
    """At fixed weights, with sample weights and with different numbers of batches."""
    parts = [rows(23, 0, weighted=True), rows(12, 1), rows(5, 2, weighted=True)]
    architecture = Architecture((N_FEATURES, 4, 1), "tanh")
    states = [
        initial_state(architecture, np.random.default_rng(seed), np.float64)
        for seed in range(3)
    ]
    module = StackedNetwork(architecture, states, torch.float64).prepare_training()
    loss = SquaredError()
    total = [torch.zeros_like(p) for p in module.parameters()]
    for batch in batches(parts, size).epoch():
        score, tape = module.forward_training(batch.x, batch.weight)
        _, gradient = loss.value_and_gradient(score, batch.target, batch.weight)
        module.backward(gradient, tape)
        k = len(batch.rows)
        for sum_, parameter in zip(total, module.parameters()):
            sum_[:k] += batch.portion.view(-1, 1, 1) * parameter.grad[:k]
    for model, part in enumerate(parts):
        weights = np.ones(len(part.y)) if part.weight is None else part.weight
        weights = torch.tensor(weights / weights.sum()).view(1, -1, 1)
        for sum_, (name, parameter) in zip(total, module.named_parameters()):

            def mean_loss(value, name=name, model=model, part=part, weights=weights):
                single = module.select(torch.tensor([model]))
                getattr(single, name).copy_(value)
                score = single(torch.tensor(part.X)[None])
                return loss.value_and_gradient(
                    score, torch.tensor(part.y)[None], weights
                )[0]

            # Targets of up to 2000 make a loss of 1e6, and its derivative keeps nine
            # digits.
            expected = derivative(mean_loss, parameter[model : model + 1].detach())
            torch.testing.assert_close(
                sum_[model : model + 1], expected, rtol=1e-7, atol=1e-5
            )


def test_the_objective_does_not_depend_on_the_size_of_the_pieces():
    parts = [rows(23, 0, weighted=True), rows(12, 1), rows(5, 2, weighted=True)]
    architecture = Architecture((N_FEATURES, 4, 1), "tanh")
    states = [
        initial_state(architecture, np.random.default_rng(seed), np.float64)
        for seed in range(3)
    ]
    off = torch.zeros(3, dtype=torch.float64)
    strengths = {
        kind.parameter: torch.full((3, 2), kind.off, dtype=torch.float64)
        for kind in PENALTIES
    }
    strengths["l1"] += 0.1
    strengths["l2"] += 0.2
    noise = Noise(off.view(3, 1), *[off] * 8)
    found = []
    for size in (4, 7, 100):
        module = StackedNetwork(architecture, states, torch.float64).prepare_training()
        pieces, penalties = batches(parts, size, False), Penalties(strengths)
        objective = Objective(module, SquaredError(), penalties, pieces, noise)
        gradients = [p.grad for p in module.parameters()]
        found.append([objective.loss_and_gradient(), *gradients])
        found[-1].append(objective.violation())
    for others in found[1:]:
        for one, other in zip(found[0], others):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-9)
