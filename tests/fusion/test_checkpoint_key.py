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
from _fitted import key_of, prepared_request
from _losses import Expectile
from sklearn.base import clone
from sklearn.metrics import accuracy_score, make_scorer

import skreg.fusion.keys
from skreg import ImageAugmenter, MLPRegressor
from skreg.fusion.keys import keys_of
from skreg.losses.kinds import HuberLoss, QuantileLoss, SquaredError
from skreg.networks.architecture import Architecture, Start
from skreg.penalties.kinds import PENALTIES
from skreg.training.input_penalties import InputPenalties
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
    "inputs": InputPenalties(np.ones(5), None),
    "initial": [np.ones(2)],
    "epochs_seen": 1,
    "samples_seen": 2,
    "may_polish": True,
    "monitor": "neg_mean_squared_error",
    "n_epochs": 5,
}
# With what a fit is not kept, and what does not matter.
NOT_KEPT = {
    "callbacks": [skorch.callbacks.Callback()],
    "on_epoch": lambda *_: None,
    "optimizer_state": OptimizerState("adam", [], 0.0),
    "keep_optimizer": True,
}
NO_MATTER = {"score": lambda state: 1.0, "key": "name", "resume": object()}


@pytest.fixture(scope="module")
def base():
    return prepared_request(clone(BASE), *data(MLPRegressor), WEIGHT, seed=3)


def test_every_field_of_a_request_is_decided():
    """A new field decides the result or not; say so here and in `keys`."""
    decided = DECIDES.keys() | NOT_KEPT.keys() | NO_MATTER.keys()
    assert {field.name for field in fields(FitRequest)} == decided


@pytest.mark.parametrize("field", DECIDES)
def test_what_decides_the_result_changes_the_key(field, base):
    value = DECIDES[field]
    value = value(base) if callable(value) and field != "loss" else value
    other = key_of(replace(base, **{field: value}))
    assert other is not None
    assert other != key_of(base)


def test_losses_as_objects(base):
    """Those of skreg are known by their parameters. The code of others may change."""
    for field in ("loss", "monitor"):
        keys = [key_of(replace(base, **{field: HuberLoss(d)})) for d in (1.0, 1.0, 0.5)]
        assert keys[0] == keys[1] != keys[2] is not None
        assert key_of(replace(base, **{field: Expectile(0.5)})) is None


def test_clipping_changes_the_key(base):
    other = replace(base, scaling=replace(base.scaling, clips=True))
    assert key_of(other) not in (None, key_of(base))


def test_factors_and_groups_change_the_key(base):
    parts = None, np.array([1.0, 2, 1, 1, 1]), np.array([0, 1, 0, 2, 1])
    made = [InputPenalties(f, g) for f in parts[:2] for g in (None, parts[2])]
    keys = {key_of(replace(base, inputs=inputs)) for inputs in made}
    assert None not in keys and len(keys) == 4


@pytest.mark.parametrize("field", NOT_KEPT)
def test_fits_that_are_not_kept(field, base):
    assert key_of(replace(base, **{field: NOT_KEPT[field]})) is None


@pytest.mark.parametrize("field", NO_MATTER)
def test_what_does_not_matter(field, base):
    other = replace(base, **{field: NO_MATTER[field]})
    assert key_of(other) == key_of(base)


SETTINGS = {f.name for kind in (StepSettings, Noise) for f in fields(kind)}
SETTINGS |= {kind.parameter for kind in PENALTIES} | {"lr", "pruning"}


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_setting_changes_the_key(name, base):
    value = base.settings[name]
    value = [*value[:-1], 0.123] if isinstance(value, list) else 0.123
    other = replace(base, settings=base.settings | {name: value})
    assert key_of(other) != key_of(base)


@pytest.mark.parametrize("name", ["X", "y", "weight", "index"])
@pytest.mark.parametrize("part", ["train", "validation"])
def test_every_number_of_the_data_changes_the_key(part, name, base):
    other = replace(base, **{part: changed_rows(getattr(base, part), name)})
    assert key_of(other) != key_of(base)


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
def test_the_kind_of_the_data_changes_the_key(change, base):
    train = replace(base.train, X=change(base.train.X))
    assert key_of(replace(base, train=train)) != key_of(base)


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_sparse_data(part, base):
    X = sp.csr_array(np.where(base.train.X > 1, base.train.X, 0))
    copy, other = X.copy(), X.copy()
    getattr(other, part)[1] += 1
    wider = sp.csr_array((X.data, X.indices, X.indptr), (X.shape[0], 9))
    empty = sp.csr_array(X.shape)
    one, same, *others = (
        key_of(replace(base, train=replace(base.train, X=x)))
        for x in (X, copy, other, wider, empty)
    )
    assert one == same
    assert len({one, *others}) == 4


def test_losses_differ_in_their_parameters(base):
    losses = [SquaredError(), HuberLoss(), HuberLoss(2), QuantileLoss(0.2)]
    losses += [QuantileLoss(0.3), QuantileLoss((0.2, 0.3)), QuantileLoss((0.3,))]
    keys = [key_of(replace(base, loss=loss)) for loss in losses]
    assert len({*keys}) == len(losses)
    assert None not in keys


@pytest.mark.parametrize("owner", ["skreg.fusion.keys", "torch", "numpy"])
def test_other_versions_have_other_keys(owner, base, monkeypatch):
    before = key_of(base)
    monkeypatch.setattr(f"{owner}.__version__", "0.0")
    assert key_of(base) != before


def test_equal_content_in_other_objects_has_the_same_key(base, tmp_path):
    again = prepared_request(clone(BASE), *data(MLPRegressor), WEIGHT, seed=np.int64(3))
    assert again.train.X is not base.train.X
    key = key_of(base)
    assert key_of(again) == key
    assert key_of(replace(base, max_iter=np.int64(200))) == key
    assert key_of(replace(base, tol=np.float64(1e-4))) == key
    assert key_of(pickle.loads(pickle.dumps(replace(base, score=None)))) == key
    rows = base.train
    np.save(tmp_path / "X.npy", rows.X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    for X in (np.asfortranarray(rows.X), np.repeat(rows.X, 2, axis=0)[::2], mapped):
        assert key_of(replace(base, train=replace(rows, X=X))) == key
    cards = [replace(base, device=torch.device(d)) for d in ("cuda:0", "cuda:1")]
    assert len({*keys_of(cards)}) == 1


def test_arrays_changed_in_place_are_other_arrays(base):
    rows = replace(base.train, X=base.train.X.copy())
    request = replace(base, train=rows)
    before = key_of(request)
    rows.X[0, 0] += 1
    assert key_of(request) != before


def test_arrays_that_requests_share_are_hashed_once(base):
    requests = [replace(base, seed=seed) for seed in range(9)]
    expected = [key_of(request) for request in requests]
    with mock.patch(
        "skreg.fusion.keys.sha256", wraps=skreg.fusion.keys.sha256
    ) as hashed:
        assert keys_of(requests) == expected
    # X, weight; y and index of each part; offset and scale; what the monitor
    # sees; and each key.
    assert hashed.call_count == 9 + len(requests)


@dataclass(frozen=True)
class OwnLoss(SquaredError):
    """A loss that is not one of skreg's."""


def test_what_has_no_content_is_not_kept(base):
    scorer = make_scorer(accuracy_score)
    assert key_of(replace(base, monitor=scorer)) is None
    assert key_of(replace(base, monitor=lambda *_: 1.0)) is None
    # A score that has no name.
    assert key_of(replace(base, monitor="loss")) is None
    assert key_of(replace(base, monitor="loss", score=None)) is not None
    assert key_of(replace(base, loss=OwnLoss())) is None
    labels = replace(base.train, y=np.array([["a"], [None]], object))
    assert key_of(replace(base, train=labels)) is None


def test_a_monitor_may_be_its_name_and_what_the_score_is_made_of(base):
    monitors = [("f1", np.arange(2)), ("f1", np.arange(1, 3)), ("f1", np.array(["a"]))]
    keys = [key_of(replace(base, monitor=m)) for m in ("f1", *monitors)]
    assert len({*keys} - {None}) == 4
