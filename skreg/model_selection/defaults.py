"""The defaults of the networks that tune themselves, and how they follow the data.

They are based on the measurements in docs/defaults.md.
"""

import numpy as np
import scipy.sparse as sp

from skreg.data.quantiles import has_two_values
from skreg.model_selection.space import search_space

# Settings of the default network, which all candidates share.
SETTINGS = {
    "hidden_layer_sizes": (64, 64),
    "skip": "linear",
    "learning_rate": "flat_cosine",
    "learning_rate_init": 0.01,
    "batch_size": 64,
    "max_iter": 32,
    "early_stopping": True,
    "n_iter_no_change": 12,
    "tol": 0.0,
    # Predictions still have the precision of the data.
    "dtype": "float32",
}
# Label smoothing of the default classifier. It makes networks less confident. The
# temperature, which is learned from held-out rows, then sets the confidence.
SMOOTHING = 0.05
N_FOLDS = 5
# Largest number of inputs for piecewise linear embeddings. With more inputs, such as
# pixels, networks take several times as long, and linear features of many inputs carry
# as much information as bins of each input.
MOST_BINNED = 50
# With more rows than MANY_ROWS, networks train for fewer epochs, but not for fewer than
# FEWEST_EPOCHS. With more inputs than MANY_INPUTS, the learning rate is lower.
MANY_ROWS, FEWEST_EPOCHS, MANY_INPUTS = 2000, 8, 100
# Smallest batch size.
FEWEST_ROWS = 16


def adapt(network, X, y):
    """Adapt the batch size, number of epochs and learning rate to the data, in place.

    With few rows, smaller batches give more steps. With many rows, an epoch has many
    steps, so fewer epochs are enough. With many inputs, a step changes the outputs
    more, because each weight moves as far as if it were the only one.
    """
    n_rows, n_inputs = X.shape
    share = min(1, MANY_ROWS / n_rows) ** 0.5
    network.batch_size = min(network.batch_size, max(FEWEST_ROWS, n_rows // 6))
    network.max_iter = max(FEWEST_EPOCHS, round(network.max_iter * share))
    network.learning_rate_init *= min(1, MANY_INPUTS / n_inputs) ** 0.5
    if y.ndim == 2 and hasattr(network, "label_smoothing"):
        # Multilabel predictions are not calibrated, which would undo the smoothing.
        network.label_smoothing = 0.0


def default_n_folds(y, is_classifier):
    """Return the default number of folds: 5, or fewer for small data, but at least 2.

    There are at most as many folds as rows. For a classifier, there are at most as many
    folds as rows in the largest class.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.model_selection.defaults import default_n_folds
    >>> y = np.array([0, 0, 0, 1])
    >>> default_n_folds(y, is_classifier=False), default_n_folds(y, is_classifier=True)
    (4, 3)
    """
    n_rows = len(y)
    if is_classifier and y.ndim == 1:
        n_rows = int(np.unique(y, return_counts=True)[1].max())
    return max(2, min(N_FOLDS, n_rows))


def named_space(network, kind, X, n_samples, categories=None):
    """Return the predefined search space of a kind, without what does not suit `X`.

    Parameters
    ----------
    network : MLPClassifier or MLPRegressor
    kind : {"regularization", "cocktail"}
    X : {ndarray, sparse matrix} of shape (n_rows, n_features)
    n_samples : int
        Number of training rows of a fold.
    categories : Categories or None, default=None
        Those of the columns, which are not embedded.

    Returns
    -------
    dict of str to list or distribution
    """
    space = search_space(network, kind, n_samples)
    return space if _can_embed(X, categories) else _without_quantiles(space)


def _can_embed(X, categories):
    """Return whether piecewise linear embeddings are possible and worth their time."""
    if sp.issparse(X):
        return False
    is_binned = ~has_two_values(X, np.arange(len(X)))
    if categories is not None:
        is_binned &= ~categories.is_categorical
    return 0 < is_binned.sum() <= MOST_BINNED


def _without_quantiles(space):
    """Remove piecewise linear embeddings from a search space."""
    space = dict(space)
    left = [v for v in space.get("numeric_embedding", ()) if v != "piecewise_linear"]
    space["numeric_embedding"] = left
    if len(left) < 2:
        del space["numeric_embedding"]
    return space
