"""Keys of fits: equal for equal fits, and different if the results may differ."""

import pickle
from dataclasses import dataclass, fields, replace
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
import skorch
import torch
from _estimators import data
from _fitted import prepared_request
from sklearn.base import clone
from sklearn.metrics import accuracy_score, make_scorer

import skreg.fusion.checkpoint
from skreg import ImageAugmenter, MLPRegressor
from skreg.fusion.checkpoint import Checkpoint
from skreg.networks.architecture import Architecture, Start
from skreg.networks.losses import HuberLoss, QuantileLoss, SquaredError
from skreg.penalties.kinds import PENALTIES
from skreg.training.noise import Noise
from skreg.training.optimizers import StepSettings
from skreg.training.request import FitRequest, OptimizerState

WEIGHT = np.linspace(0, 2, 60)


def changed_rows(rows, name):
    """Return rows that differ in one element of one array."""
    array = getattr(rows, name).copy()
    array.flat[-1] -= 1
    return replace(rows, **{name: array})


# What decides the result: another value of each field of this request.
BASE = MLPRegressor((4, 3), early_stopping=True, monitor="r2")
DECIDES = {
    "architecture": Architecture((5, 4, 2, 1)),
    "loss": HuberLoss(),
    "solver": "sgd",
    "dtype": torch.float32,
    "device": torch.device("cuda"),
    "train": lambda request: request.validation,
    "validation": lambda request: None,
    "scaling": lambda request: replace(
        request.scaling, scale=2 * request.scaling.scale
    ),
    "settings": {},
    "batch_size": 17,
    "max_iter": 18,
    "max_polish": 18,
    "n_iter_no_change": 19,
    "tol": 0.2,
    "shuffle": False,
    "nesterov": False,
    "stops_early": False,
    "watch_validation": False,
    "restore_best": False,
    "learning_rate": "invscaling",
    "seed": 2**100,
    "swa_fraction": 0.5,
    "ema_decay": 0.5,
    "start": Start("scaled"),
    "n_snapshots": 2,
    "augment": ImageAugmenter(image_shape=(1, 5), cval=2.0)._changes(5),
    "initial": [np.ones(2)],
    "epochs_seen": 1,
    "samples_seen": 2,
    "may_polish": True,
    "monitor": "neg_mean_squared_error",
}
# With what a fit is not kept, and what does not matter.
NOT_KEPT = {
    "callbacks": [skorch.callbacks.Callback()],
    "on_epoch": lambda *_: None,
    "optimizer_state": OptimizerState("adam", [], 0.0),
    "keep_optimizer": True,
}
NO_MATTER = {"score": lambda state: 1.0}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return Checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def base():
    return prepared_request(clone(BASE), *data(MLPRegressor), WEIGHT, seed=3)


def test_every_field_of_a_request_is_decided():
    """A new field decides the result or not; say so here and in `checkpoint`."""
    decided = DECIDES.keys() | NOT_KEPT.keys() | NO_MATTER.keys()
    assert {field.name for field in fields(FitRequest)} == decided


@pytest.mark.parametrize("field", DECIDES)
def test_what_decides_the_result_changes_the_key(field, checkpoint, base):
    value = DECIDES[field]
    value = value(base) if callable(value) and field != "loss" else value
    other = checkpoint.key(replace(base, **{field: value}))
    assert other is not None
    assert other != checkpoint.key(base)


def test_clipping_changes_the_key(checkpoint, base):
    other = replace(base, scaling=replace(base.scaling, clips=True))
    assert checkpoint.key(other) not in (None, checkpoint.key(base))


@pytest.mark.parametrize("field", NOT_KEPT)
def test_fits_that_are_not_kept(field, checkpoint, base):
    assert checkpoint.key(replace(base, **{field: NOT_KEPT[field]})) is None


@pytest.mark.parametrize("field", NO_MATTER)
def test_what_does_not_matter(field, checkpoint, base):
    other = replace(base, **{field: NO_MATTER[field]})
    assert checkpoint.key(other) == checkpoint.key(base)


SETTINGS = {f.name for kind in (StepSettings, Noise) for f in fields(kind)}
SETTINGS |= {kind.parameter for kind in PENALTIES} | {"lr", "pruning"}


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_changes_the_key(name, checkpoint, base):
    value = base.settings[name]
    value = [*value[:-1], 0.123] if isinstance(value, list) else 0.123
    other = replace(base, settings=base.settings | {name: value})
    assert checkpoint.key(other) != checkpoint.key(base)


@pytest.mark.parametrize("name", ["X", "y", "weight", "index"])
@pytest.mark.parametrize("part", ["train", "validation"])
def test_every_number_of_the_data_changes_the_key(part, name, checkpoint, base):
    other = replace(base, **{part: changed_rows(getattr(base, part), name)})
    assert checkpoint.key(other) != checkpoint.key(base)


@pytest.mark.parametrize(
    "change",
    [
        lambda X: X.astype(np.float32),
        lambda X: X.view(np.int64),
        lambda X: X.reshape(5, -1),
        lambda X: X[::-1],
        lambda X: sp.csr_array(X),
    ],
    ids=["dtype", "bytes", "shape", "order", "sparse"],
)
def test_the_kind_of_the_data_changes_the_key(change, checkpoint, base):
    train = replace(base.train, X=change(base.train.X))
    assert checkpoint.key(replace(base, train=train)) != checkpoint.key(base)


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_sparse_data(part, checkpoint, base):
    X = sp.csr_array(np.where(base.train.X > 1, base.train.X, 0))
    copy, other = X.copy(), X.copy()
    getattr(other, part)[1] += 1
    wider = sp.csr_array((X.data, X.indices, X.indptr), (X.shape[0], 9))
    empty = sp.csr_array(X.shape)
    one, same, *others = (
        checkpoint.key(replace(base, train=replace(base.train, X=x)))
        for x in (X, copy, other, wider, empty)
    )
    assert one == same
    assert len({one, *others}) == 4


def test_losses_differ_in_their_parameters(checkpoint, base):
    losses = [SquaredError(), HuberLoss(), HuberLoss(2), QuantileLoss(0.2)]
    losses += [QuantileLoss(0.3)]
    keys = [checkpoint.key(replace(base, loss=loss)) for loss in losses]
    assert len({*keys}) == len(losses)
    assert None not in keys


@pytest.mark.parametrize("owner", ["skreg.fusion.checkpoint", "torch", "numpy"])
def test_other_versions_have_other_keys(owner, checkpoint, base, monkeypatch):
    before = checkpoint.key(base)
    monkeypatch.setattr(f"{owner}.__version__", "0.0")
    assert checkpoint.key(base) != before


def test_equal_content_in_other_objects_has_the_same_key(checkpoint, base, tmp_path):
    again = prepared_request(clone(BASE), *data(MLPRegressor), WEIGHT, seed=np.int64(3))
    assert again.train.X is not base.train.X
    key = checkpoint.key(base)
    assert checkpoint.key(again) == key
    assert checkpoint.key(replace(base, max_iter=np.int64(200))) == key
    assert checkpoint.key(replace(base, tol=np.float64(1e-4))) == key
    assert checkpoint.key(pickle.loads(pickle.dumps(replace(base, score=None)))) == key
    rows = base.train
    np.save(tmp_path / "X.npy", rows.X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for X in (np.asfortranarray(rows.X), np.repeat(rows.X, 2, axis=0)[::2], mapped):
        assert checkpoint.key(replace(base, train=replace(rows, X=X))) == key
    cards = [replace(base, device=torch.device(d)) for d in ("cuda:0", "cuda:1")]
    assert len({*checkpoint.keys(cards)}) == 1


def test_arrays_changed_in_place_are_other_arrays(checkpoint, base):
    rows = replace(base.train, X=base.train.X.copy())
    request = replace(base, train=rows)
    before = checkpoint.key(request)
    rows.X[0, 0] += 1
    assert checkpoint.key(request) != before


def test_arrays_that_requests_share_are_hashed_once(checkpoint, base):
    requests = [replace(base, seed=seed) for seed in range(9)]
    expected = [checkpoint.key(request) for request in requests]
    with mock.patch(
        "skreg.fusion.checkpoint.sha256", wraps=skreg.fusion.checkpoint.sha256
    ) as hashed:
        assert checkpoint.keys(requests) == expected
    # X, weight; y and index of each part; offset and scale; what the monitor
    # sees; and each key.
    assert hashed.call_count == 9 + len(requests)


@dataclass(frozen=True)
class OwnLoss(SquaredError):
    """A loss that is not one of skreg's."""


def test_what_has_no_content_is_not_kept(checkpoint, base):
    scorer = make_scorer(accuracy_score)
    assert checkpoint.key(replace(base, monitor=scorer)) is None
    assert checkpoint.key(replace(base, monitor=lambda *_: 1.0)) is None
    # A score that has no name.
    assert checkpoint.key(replace(base, monitor="loss")) is None
    assert checkpoint.key(replace(base, monitor="loss", score=None)) is not None
    assert checkpoint.key(replace(base, loss=OwnLoss())) is None
    labels = replace(base.train, y=np.array([["a"], [None]], object))
    assert checkpoint.key(replace(base, train=labels)) is None


def test_a_monitor_may_be_its_name_and_what_the_score_is_made_of(checkpoint, base):
    monitors = [("f1", np.arange(2)), ("f1", np.arange(1, 3)), ("f1", np.array(["a"]))]
    keys = [checkpoint.key(replace(base, monitor=m)) for m in ("f1", *monitors)]
    assert len({*keys} - {None}) == 4
