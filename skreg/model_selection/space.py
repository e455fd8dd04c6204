"""Distributions of hyperparameters to search."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import loguniform, uniform

from skreg.compatibility import StrOptions
from skreg.data.random_streams import generator_of
from skreg.estimators.base import BaseNetwork
from skreg.estimators.nested import GIVEN, nested
from skreg.networks.architecture import convolution_shapes
from skreg.parameters.checks import check_hidden_layer_sizes, per_convolution
from skreg.parameters.image_shapes import full_shape
from skreg.parameters.regularisers import NOT_OF_THE_OBJECTIVE, regularisers
from skreg.parameters.suggestions import did_you_mean
from skreg.typing import Estimator, RandomState


@dataclass(frozen=True)
class OffOr:
    """Distribution of a strength that may be off.

    In a search, each regulariser can then be off, whatever the others are.

    Parameters
    ----------
    distribution : scipy.stats frozen distribution
        Distribution of the strength if it is on.
    off : object, default=0.0
        The value that switches the regulariser off.
    probability : float, default=0.5
        Probability of `off`.

    See Also
    --------
    search_space : Returns such distributions for the regularisers of a network.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from skreg import OffOr
    >>> strength = OffOr(loguniform(1e-5, 1e-1))
    >>> [round(strength.rvs(random_state=seed), 4) for seed in range(4)]
    [0.0, 0.0, 0.0006, 0.0]
    """

    distribution: Any
    off: Any = 0.0
    probability: float = 0.5

    def __post_init__(self):
        if not 0 < self.probability < 1:
            raise ValueError(
                f"probability must be between 0 and 1, got {self.probability!r}."
            )

    def rvs(self, *, random_state: RandomState = None) -> Any:
        """Draw a strength or the value of `off`.

        Parameters
        ----------
        random_state : int, RandomState instance or None, default=None
            Source of the random numbers.

        Returns
        -------
        object
            The value.
        """
        rng = generator_of(random_state)
        # A strength is drawn even if it is not used, so that each draw takes the same
        # number of random numbers.
        strength = np.asarray(self.distribution.rvs(random_state=rng)).item()
        return strength if rng.random() < 1 - self.probability else self.off


# Parameters without effect on a linear model.
_HIDDEN_LAYERS_ONLY = {"dropout", "batchnorm", "skip", "skip_l2", "stochastic_depth"}
# Parameters that solver="lbfgs" cannot use. It has no learning rate and does not clip.
_NOT_FOR_LBFGS = {
    *regularisers(effects=NOT_OF_THE_OBJECTIVE),
    *("clip_norm", "learning_rate"),
}


def search_space(
    estimator: Estimator,
    kind: Literal["regularization", "cocktail", "architecture"] = "regularization",
    n_samples: int | None = None,
) -> dict[str, Any]:
    """Return distributions of the regularisers of a network for a search.

    Parameters that the estimator does not have, that its solver cannot use, or that
    have no effect on a linear model, are left out.

    Parameters
    ----------
    estimator : network, pipeline or wrapper
        An MLPClassifier, a CNNClassifier or one of the corresponding regressors; or a
        pipeline that ends in one, or a wrapper such as TransformedTargetRegressor. The
        names of the parameters then begin with the names of the steps.
    kind : {"regularization", "cocktail", "architecture"}, default="regularization"
        "regularization" has the parameters that give most of the gain. They are few
        enough for a dozen candidates. "cocktail" adds the other penalties and the
        parameters that Kadra et al. [1]_ search, and needs more candidates.
        "architecture" has depth and width only, from simple to larger networks. For a
        convolutional network they are those of the convolutions. It can be merged with
        one of the others by ``|``.
    n_samples : int, default=None
        Number of training rows. If it is given, the ranges of the penalties are
        inversely proportional to it, as the penalty of a fixed prior is, and no layer
        has more units than there are rows.

    Returns
    -------
    dict of str to list or distribution
        The space, for RandomizedSearchCV, BayesSearchCV and similar searches.

    See Also
    --------
    BayesSearchCV : Searches the space with Optuna's samplers.
    one_standard_error : Chooses the simplest architecture that is good enough.
    sklearn.model_selection.RandomizedSearchCV : Draws from the space.

    Notes
    -----
    l2 and skip_l2 are always on. Other strengths are off with a probability of one
    half, and otherwise have the ranges below. "log" means uniform on a log scale.

    =================  ==============================  ============================
    Parameter          Values                          Source of the range
    =================  ==============================  ============================
    l2, skip_l2        log 1e-5 to 0.03; with          scikit-learn's C, as
                       n_samples 1e-2/n to 30/n        l2 = 1 / (2 C n): 1/60 to 50
    dropout            0.05 to 0.5                     up to 0.5 [2]_
    numeric_embedding  None, "piecewise_linear"        [11]_
    =================  ==============================  ============================

    "cocktail" also has these parameters:

    =================  ==============================  ============================
    Parameter          Values                          Source of the range
    =================  ==============================  ============================
    l1, group_l1       log 1e-6 to 0.1; with           scikit-learn's C, as
                       n_samples 1e-3/n to 1e2/n       l1 = 1 / (C n): 1e-2 to 1e3
    weight_decay       log 1e-5 to 0.1                 as [1]_
    input_dropout      0.05 to 0.3                     about 0.2 [2]_
    batchnorm          False, True                     as [1]_
    skip               None, "linear", "residual"      on or off in [1]_; "linear"
                       (for layers of equal size)      is from [3]_
    input_noise        log 0.01 to 0.5                 around 0.1 [12]_
    max_norm           log 0.5 to 5                    3 to 4 [2]_
    label_smoothing    log 0.005 to 0.1                0.1 [4]_
    mixup              0.05 to 1                       0 to 1 in [1]_
    cutmix             0.05 to 1                       0 to 1 in [1]_
    cutout             0.05 to 0.5                     0 to 1 in [1]_
    adversarial        log 1e-3 to 0.1                 0.007 [5]_
    stochastic_depth   0.05 to 0.5, if the estimator   0.5 [6]_
                       has a skip (which is not
                       searched then)
    swa_fraction       0.1 to 0.5                      0.25 [7]_
    n_snapshots        1, 3, 5, if learning_rate is    5 [8]_
                       "cosine" (which is then not
                       searched) and without early
                       stopping
    clip_norm          log 0.1 to 10                   around 1 [9]_
    learning_rate      "constant", "cosine",           "cosine" [1]_, "flat_cosine"
                       "onecycle", "flat_cosine"       [10]_
    numeric_embedding  None, "piecewise_linear",       [11]_
                       "periodic"
    =================  ==============================  ============================

    "architecture" has `hidden_layer_sizes` only, as a list that also suits
    GridSearchCV. It begins with (), a linear model, followed by one, two and three
    layers of 8, 16, 32, 64, 128 or 256 units each. The largest is the default size of
    RealMLP for any table [10]_. Widths double, because scores depend on the order of
    magnitude of a size. One layer with as many units as rows can fit any labels [13]_,
    so wider layers are left out if `n_samples` is given.

    For a convolutional network, "architecture" has `channels` only. It begins with (),
    the dense layers alone, followed by one, two and three convolutions. The first has
    8, 16 or 32 filters, and each further one has twice as many as the one before, as in
    VGG [14]_. Candidates that pool more often than images of `image_shape` (or 8 × 8
    pixels, if it is not given) allow are left out. If `kernel_size` or `pool` is a
    sequence, only candidates of the same length are kept.

    Early stopping is not searched, because successive halving decides on the number of
    epochs. `ema_decay` is not searched, because `swa_fraction` is, and no network has
    both. For sparse inputs, remove "numeric_embedding" from the dictionary, because not
    all of its values are possible.

    References
    ----------
    .. [1] Kadra, Lindauer, Hutter and Grabocka (2021), "Well-tuned Simple Nets Excel on
       Tabular Datasets".
    .. [2] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014),
       "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    .. [3] Lemhadri, Ruan, Abraham and Tibshirani (2021), "LassoNet: A Neural Network
       with Feature Sparsity".
    .. [4] Szegedy, Vanhoucke, Ioffe, Shlens and Wojna (2016), "Rethinking the Inception
       Architecture for Computer Vision".
    .. [5] Goodfellow, Shlens and Szegedy (2015), "Explaining and Harnessing Adversarial
       Examples".
    .. [6] Huang, Sun, Liu, Sedra and Weinberger (2016), "Deep Networks with Stochastic
       Depth".
    .. [7] Izmailov, Podoprikhin, Garipov, Vetrov and Wilson (2018), "Averaging Weights
       Leads to Wider Optima and Better Generalization".
    .. [8] Huang, Li, Pleiss, Liu, Hopcroft and Weinberger (2017), "Snapshot Ensembles:
       Train 1, Get M for Free".
    .. [9] Pascanu, Mikolov and Bengio (2013), "On the Difficulty of Training Recurrent
       Neural Networks".
    .. [10] Holzmüller, Grinsztajn and Steinwart (2024), "Better by Default: Strong
       Pre-Tuned MLPs and Boosted Trees on Tabular Data".
    .. [11] Gorishniy, Rubachev and Babenko (2022), "On Embeddings for Numerical
       Features in Tabular Deep Learning".
    .. [12] Bishop (1995), "Training with Noise is Equivalent to Tikhonov
       Regularization".
    .. [13] Zhang, Bengio, Hardt, Recht and Vinyals (2017), "Understanding Deep Learning
       Requires Rethinking Generalization".
    .. [14] Simonyan and Zisserman (2015), "Very Deep Convolutional Networks for
       Large-Scale Image Recognition".

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg import MLPClassifier, search_space
    >>> space = search_space(MLPClassifier())
    >>> sorted(space)
    ['dropout', 'l2', 'numeric_embedding']
    >>> {"l1", "weight_decay"} <= set(search_space(MLPClassifier(), "cocktail"))
    True
    >>> space = search_space(make_pipeline(StandardScaler(), MLPClassifier()))
    >>> "mlpclassifier__l2" in space
    True
    >>> space = search_space(MLPClassifier(), "architecture", n_samples=20)
    >>> space["hidden_layer_sizes"]
    [(), (8,), (16,), (8, 8), (16, 16), (8, 8, 8), (16, 16, 16)]
    """
    if kind not in _KINDS:
        raise ValueError(f"kind={kind!r}: {did_you_mean(str(kind), _KINDS)}.")
    if n_samples is not None and not n_samples > 0:
        raise ValueError(f"n_samples must be positive or None, got {n_samples!r}.")
    prefix, network = _find_network(estimator)
    if kind == "architecture":
        if hasattr(network, "channels"):
            return {f"{prefix}channels": _channels(network, n_samples)}
        return {f"{prefix}hidden_layer_sizes": _architectures(n_samples)}
    space = _regularization(n_samples)
    if kind == "cocktail":
        space |= _cocktail(n_samples)
    usable = _usable(network)
    if "skip" not in usable & space.keys() and (
        network.get_params(deep=False)["skip"] != "linear"
    ):
        usable.discard("skip_l2")
    space = {
        name: _fit_to(network, name, distribution)
        for name, distribution in space.items()
        if name in usable
    }
    return {
        prefix + name: distribution
        for name, distribution in space.items()
        if not (isinstance(distribution, list) and len(distribution) < 2)
    }


_KINDS = ("regularization", "cocktail", "architecture")
_WIDTHS = (8, 16, 32, 64, 128, 256)
_DEPTHS = (1, 2, 3)
_FILTERS = (8, 16, 32)


def _architectures(n_samples):
    """Return layer sizes: a linear model, then one, two and three layers."""
    most = np.inf if n_samples is None else n_samples
    widths = [width for width in _WIDTHS if width <= most]
    return [(), *((width,) * depth for depth in _DEPTHS for width in widths)]


def _channels(network, n_samples):
    """Return numbers of filters: none, then one, two and three convolutions."""
    most = np.inf if n_samples is None else n_samples
    candidates = [(), *(_doubling(n, depth) for depth in _DEPTHS for n in _FILTERS)]
    return [
        channels
        for channels in candidates
        if max(channels, default=0) <= most and _has_room(network, channels)
    ]


def _doubling(first, n):
    return tuple(first * 2**i for i in range(n))


def _has_room(network, channels):
    """Return whether a network can have the given convolutions."""
    shape = network.image_shape
    shape = (8, 8, 1) if shape is None else full_shape(shape)
    try:
        kernels, pools = (
            per_convolution(name, getattr(network, name), len(channels))
            for name in ("kernel_size", "pool")
        )
        convolution_shapes(shape, channels, kernels, pools)
    except ValueError:
        return False
    return True


def _find_network(estimator):
    """Return the network in an estimator, after the prefix of its parameters."""
    for prefix, inner in nested(estimator, GIVEN):
        if isinstance(inner, BaseNetwork):
            return prefix, inner
    raise ValueError(
        "estimator must be an MLPClassifier or another network of skreg, or a "
        f"pipeline or wrapper that ends in one, got {estimator!r}."
    )


def _regularization(n_samples):
    l2 = loguniform(1e-5, 3e-2)
    if n_samples is not None:
        l2 = loguniform(1e-2 / n_samples, 30 / n_samples)
    return {
        "l2": l2,
        "skip_l2": l2,
        "dropout": OffOr(uniform(0.05, 0.45)),
        "numeric_embedding": [None, "piecewise_linear"],
    }


def _cocktail(n_samples):
    l1 = loguniform(1e-6, 1e-1)
    if n_samples is not None:
        l1 = loguniform(1e-3 / n_samples, 1e2 / n_samples)
    return {
        "l1": OffOr(l1),
        "group_l1": OffOr(l1),
        "weight_decay": OffOr(loguniform(1e-5, 1e-1)),
        "input_dropout": OffOr(uniform(0.05, 0.25)),
        "batchnorm": [False, True],
        "skip": [None, "linear", "residual"],
        "input_noise": OffOr(loguniform(1e-2, 0.5)),
        "max_norm": OffOr(loguniform(0.5, 5.0), off=None),
        "label_smoothing": OffOr(loguniform(5e-3, 0.1)),
        "mixup": OffOr(uniform(0.05, 0.95)),
        "cutmix": OffOr(uniform(0.05, 0.95)),
        "cutout": OffOr(uniform(0.05, 0.45)),
        "adversarial": OffOr(loguniform(1e-3, 0.1)),
        "stochastic_depth": OffOr(uniform(0.05, 0.45)),
        "swa_fraction": OffOr(uniform(0.1, 0.4)),
        "n_snapshots": [1, 3, 5],
        "clip_norm": OffOr(loguniform(0.1, 10.0), off=None),
        "learning_rate": ["constant", "cosine", "onecycle", "flat_cosine"],
        "numeric_embedding": [None, "piecewise_linear", "periodic"],
    }


def _usable(network):
    """Return the names of the parameters to search for a network."""
    params = network.get_params(deep=False)
    names = set(params)
    # Convolutions are hidden layers, too.
    has_convolutions = np.size(params.get("channels", ())) > 0
    sizes = check_hidden_layer_sizes(network.hidden_layer_sizes)
    if not sizes and not has_convolutions:
        names -= _HIDDEN_LAYERS_ONLY
    if network.solver == "lbfgs":
        names -= _NOT_FOR_LBFGS
    # Stochastic depth needs a skip connection, so the two cannot both be searched.
    names.discard("stochastic_depth" if params.get("skip") is None else "skip")
    # A network averages its weights in one way only.
    if params.get("ema_decay"):
        names.discard("swa_fraction")
    # Snapshots are taken at the end of each cosine cycle, which early stopping could
    # prevent.
    has_snapshots = network.learning_rate == "cosine" and not network.early_stopping
    names.discard("learning_rate" if has_snapshots else "n_snapshots")
    return names


def _fit_to(network, name, distribution):
    """Return a distribution without the values that a network cannot have."""
    if name == "n_snapshots":
        return [
            n
            for n in distribution
            if network.max_iter == "auto" or n <= network.max_iter
        ]
    if not isinstance(distribution, list):
        return distribution
    known = [
        option
        for constraint in network._parameter_constraints[name]
        if isinstance(constraint, StrOptions)
        for option in constraint.options
    ]
    sizes = check_hidden_layer_sizes(network.hidden_layer_sizes)
    if name == "skip" and all(np.diff(sizes)):
        known = [option for option in known if option != "residual"]
    return [
        value for value in distribution if not isinstance(value, str) or value in known
    ]
