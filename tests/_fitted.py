"""The networks inside fitted estimators, and the requests that lead to them."""

from skreg.estimators.preparation import prepare
from skreg.estimators.request import make_request
from skreg.fusion.keys import keys_of


def prepared_request(estimator, X, y, sample_weight=None, validation=(), *, seed=0):
    """Return the request of a fit of a single network, without its callbacks."""
    prepared = prepare(estimator, X, y, sample_weight, validation, seed=seed)
    return make_request(estimator, prepared, seed)


def key_of(request):
    """Return the key of a request in a checkpoint."""
    (key,) = keys_of([request])
    return key


def weights_of(estimator):
    """Return the penalised weights of the first network."""
    return estimator._fits[0].state[: estimator._layout.architecture.n_weights]


def others_of(estimator):
    """Return the tensors of the first network other than weights and biases."""
    architecture = estimator._layout.architecture
    n_first = architecture.n_weights + architecture.n_hidden + 1
    return estimator._fits[0].state[n_first:]
