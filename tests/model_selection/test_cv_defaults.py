"""The defaults of the networks that tune themselves, on data of several sizes."""

import numpy as np
import pytest
import scipy.sparse as sp
from _tuned import NETWORKS, rows

from skreg import MLPClassifier, MLPClassifierCV
from skreg.model_selection.defaults import adapt, named_space

# Few epochs on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_few_rows_have_few_folds():
    X, _ = rows(MLPClassifierCV, 6)
    y = np.array([0, 0, 0, 1, 1, 1])
    network = NETWORKS[MLPClassifierCV]((4,), max_iter=4)
    search = MLPClassifierCV(network, n_candidates=2, random_state=0)
    assert search.fit(X, y).n_splits_ == 3
    with pytest.raises(ValueError, match="n_splits=5 cannot be greater"):
        search.set_params(cv=5).fit(X, y)


@pytest.mark.parametrize(("n_inputs", "is_searched"), [(50, True), (51, False)])
def test_many_inputs_are_not_binned(n_inputs, is_searched):
    rng = np.random.default_rng(0)
    # Columns of two values have no bins.
    X = np.hstack([rng.normal(size=(9, n_inputs)), rng.integers(0, 2, (9, 30))])
    space = named_space(MLPClassifier(), "regularization", X, 6)
    assert ("numeric_embedding" in space) == is_searched
    space = named_space(MLPClassifier(), "cocktail", X, 6)
    left = [None, *["piecewise_linear"] * is_searched, "periodic"]
    assert space["numeric_embedding"] == left


def test_sparse_inputs_are_not_binned():
    X = sp.csr_matrix(np.eye(9))
    space = named_space(MLPClassifier(), "regularization", X, 6)
    assert sorted(space) == ["dropout", "l2"]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((60, 10), (16, 32, 0.01)),
        ((2000, 100), (64, 32, 0.01)),
        ((8000, 400), (64, 16, 0.005)),
        ((10**6, 10), (64, 8, 0.01)),
    ],
)
def test_training_follows_the_size_of_the_data(shape, expected):
    network = MLPClassifier(batch_size=64, max_iter=32, learning_rate_init=0.01)
    # Only the shape is read, so that no memory is needed.
    adapt(network, np.broadcast_to(0.0, shape), np.broadcast_to(0, shape[:1]))
    found = network.batch_size, network.max_iter, network.learning_rate_init
    assert found == pytest.approx(expected)
