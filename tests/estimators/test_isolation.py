"""A fit depends on its data and random_state, and leaves no traces anywhere else."""

import os
import random
import warnings
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from _estimators import (
    ALL_CONFIGURATIONS,
    CONVOLUTIONAL,
    ESTIMATORS,
    OF_CONVOLUTIONS,
    data,
    make,
)
from _numeric import request_of
from _varied import classes, everything, network

import skreg.training.train
from skreg import MLPClassifier
from skreg.training.train import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EVERY = [(kind, name) for kind in ESTIMATORS for name in ALL_CONFIGURATIONS]
EVERY += [(kind, name) for kind in CONVOLUTIONAL for name in OF_CONVOLUTIONS]


def short(kind, configuration, **parameters):
    return make(kind, configuration, **({"max_iter": 5, "batch_size": 16} | parameters))


def bits(estimator):
    """Return all numbers of a fitted estimator as bytes."""
    return b"".join(array.tobytes() for array in estimator._fits[0].state)


@pytest.mark.parametrize("kind, configuration", EVERY)
def test_same_random_state_same_bits(kind, configuration):
    X, y = data(kind)
    one, other = (
        short(kind, configuration, random_state=3).fit(X, y) for _ in range(2)
    )
    assert bits(one) == bits(other)
    assert one.loss_curve_ == other.loss_curve_
    assert one.predict(X).tobytes() == other.predict(X).tobytes()


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_no_random_state_differs_between_fits(kind):
    X, y = data(kind)
    estimator = short(kind, "default")
    assert bits(estimator.fit(X, y)) != bits(estimator.fit(X, y))


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_random_state_instance_is_advanced(kind):
    """As in scikit-learn: an instance gives every fit another seed, and repeats."""
    X, y = data(kind)

    def two_fits():
        estimator = short(kind, "default", random_state=np.random.RandomState(0))
        return [bits(estimator.fit(X, y)) for _ in range(2)]

    first, second = two_fits()
    assert first != second
    assert [first, second] == two_fits()


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_numpy_integer_is_a_seed(kind):
    X, y = data(kind)
    fits = [short(kind, "default", random_state=s).fit(X, y) for s in (5, np.int64(5))]
    assert bits(fits[0]) == bits(fits[1])


def global_state():
    """Return all global state that a fit could change, in a comparable form."""
    keys, *position = np.random.get_state()[1:]
    return {
        "numpy": (keys.tobytes(), *position),
        "torch": torch.get_rng_state().numpy().tobytes(),
        "python": random.getstate(),
        "filters": list(warnings.filters),
        "threads": torch.get_num_threads(),
        "interop threads": torch.get_num_interop_threads(),
        "gradients": torch.is_grad_enabled(),
        "default dtype": torch.get_default_dtype(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "numpy errors": np.geterr(),
        "environment": dict(os.environ),
    }


@pytest.mark.parametrize("kind, configuration", EVERY)
def test_global_state_is_as_found(kind, configuration):
    X, y = data(kind)
    before = global_state()
    # Without a seed too: entropy must not come from a global generator.
    for seed in (0, None):
        estimator = short(kind, configuration, random_state=seed).fit(X, y)
        if hasattr(estimator, "partial_fit"):
            estimator.partial_fit(X, y)
        estimator.predict(X)
    assert global_state() == before


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_global_state_is_not_read(kind):
    X, y = data(kind)
    fits = []
    for seed in (0, 1):
        np.random.seed(seed)
        torch.manual_seed(seed)
        random.seed(seed)
        fits.append(bits(short(kind, "dropout", random_state=0).fit(X, y)))
    assert fits[0] == fits[1]


@pytest.mark.parametrize("writeable", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("configuration", ["default", "not_standardised", "noise"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_data_is_never_written_to(kind, configuration, order, dtype, writeable):
    """Warnings are errors, so torch's about arrays that are not writable is one."""
    X, y = data(kind)
    weight = np.linspace(0.5, 2, len(y))
    arrays = [np.array(X, dtype, order=order), y, weight]
    arrays += [array[:20].copy(order="K") for array in arrays]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = writeable
    validation = dict(zip(("X_val", "y_val", "sample_weight_val"), arrays[3:]))
    estimator = short(kind, configuration).fit(*arrays[:3], **validation)
    estimator.partial_fit(arrays[0], y, sample_weight=weight)
    estimator.predict(arrays[0])
    for array, copy in zip(arrays, copies):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("configuration", ["default", "not_standardised"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_sparse_data_is_never_written_to(kind, configuration):
    X, y = data(kind)
    X = sp.csr_array(np.where(np.abs(X) > 2, X, 0))
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    copy = X.copy()
    short(kind, configuration).fit(X, y).predict(X)
    assert (X != copy).nnz == 0


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_fit_does_not_alias_the_fit_before(kind):
    """A continued fit makes new arrays: whoever holds the old ones keeps them."""
    X, y = data(kind)
    estimator = short(kind, "batchnorm_before", random_state=0).fit(X, y)
    kept, before = estimator._fits[0].state, bits(estimator)
    estimator.partial_fit(X, y)
    assert b"".join(array.tobytes() for array in kept) == before
    assert bits(estimator) != before


def test_rows_of_a_prediction_are_the_users():
    """What predict returns is not a view of anything the estimator keeps."""
    X, y = data(MLPClassifier)
    estimator = short(MLPClassifier, "default").fit(X, y)
    expected = estimator.predict_proba(X).copy()
    estimator.predict_proba(X)[:] = 0
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_certified_fits(solver):
    """The full-batch solver has stacks, too; those who need no more are not in them."""
    settings = [{"l1": 0.01}, {"l1": 0.02, "positive": True}, {"l2": 0.1}, {}]
    requests = [
        request_of(
            network(
                solver=solver, hidden_layer_sizes=(), tol=1e-4, max_iter=300, **own
            ),
            *classes([38, 75, 137, 50][seed], seed),
        )
        for seed, own in enumerate(settings)
    ]
    requests[3] = replace(requests[3], may_polish=False)
    with mock.patch.object(
        skreg.training.train, "run", wraps=skreg.training.train.run
    ) as run:
        together = train(requests)
    stacks = [len(call.args[0]) for call in run.call_args_list]
    assert stacks == ([4] if solver == "lbfgs" else [4, 3])
    alone = [train([request])[0] for request in requests]
    # The optimum is the same, if found to 1e-6 by ways of their own.
    for result, other in zip(together[:3], alone):
        assert max(result.kkt_violation, other.kkt_violation) <= 1e-6
        assert result.tracker.converged
        for array, its in zip(result.state, other.state):
            np.testing.assert_allclose(array, its, rtol=0, atol=1e-4)
            np.testing.assert_array_equal(array == 0, its == 0)
    assert (together[1].state[0] >= 0).all()


def test_a_request_is_left_as_it_is():
    """A second training of the same request gives the same bits."""
    data = classes(40, seed=0)
    request = request_of(everything("float64", batchnorm=True)[1], *data)
    before = [request.train.X.copy(), request.train.y.copy()]
    one, two = train([request])[0], train([request])[0]
    assert all(map(np.array_equal, one.state, two.state))
    assert all(map(np.array_equal, before, [request.train.X, request.train.y]))
