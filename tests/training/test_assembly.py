"""The settings of a stack are those of its requests."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from _estimators import data
from _numeric import request_of

from skreg import MLPClassifier
from skreg.penalties.kinds import PENALTIES
from skreg.training.assembly import stacked_penalties, stacked_vectors
from skreg.training.noise import Noise
from skreg.training.optimizers import StepSettings

# Of each setting other values in each model.
OWN = [
    {"l1": np.float64(0.1), "dropout": 0.3, "mixup": 1, "epsilon": np.float32(1e-5)},
    {"l2": [0.1, 0.2, 0.3], "dropout": (0.0, 0.5), "clip_norm": 2, "positive": True},
    {"max_norm": 1.5, "learning_rate_init": 1 / 3, "weight_decay": 1e-3},
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sizes", [(4, 3), ()])
def test_each_model_has_its_own_settings(sizes, dtype):
    own = [{k: v for k, v in each.items() if sizes or k == "mixup"} for each in OWN]
    X, y = data(MLPClassifier)
    requests = [request_of(MLPClassifier(sizes, **params), X, y) for params in own]
    like = {"dtype": dtype, "device": torch.device("cpu")}
    stacked = {}
    for kind in Noise, StepSettings:
        vectors = stacked_vectors(kind, requests, like)
        stacked |= {f.name: getattr(vectors, f.name) for f in fields(kind)}
    stacked |= stacked_penalties(requests, like).strengths
    assert {kind.parameter for kind in PENALTIES} < set(stacked)
    for name, found in stacked.items():
        expected = [torch.tensor(r.settings[name], dtype=dtype) for r in requests]
        assert found.dtype == dtype and found.is_contiguous()
        torch.testing.assert_close(found, torch.stack(expected), rtol=0, atol=0)
