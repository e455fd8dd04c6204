"""Pruning of fitted networks, with optional fine-tuning."""

import copy
import math
from dataclasses import replace
from itertools import chain, islice

import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg.compatibility import validate_params
from skreg.estimators.conflicts import validate_parameters
from skreg.estimators.continuation import Continuation
from skreg.estimators.fits import fits_of
from skreg.estimators.preparation import prepare
from skreg.estimators.request import make_request
from skreg.estimators.trained import (
    layout_of,
    networks_of,
    states_of,
    with_networks,
    with_states,
)
from skreg.fusion.scheduler import train_fit
from skreg.parameters.intervals import COUNT_OR_ZERO, POSITIVE, SHARE
from skreg.sparsity.surgery import check_own_weights, of_last_step
from skreg.sparsity.units import sizes_of, unit_groups, without_smallest_units
from skreg.training.gradual_pruning import magnitude_masks, sparsity
from skreg.typing import ArrayLike, MatrixLike, SomeEstimator


@validate_params(
    {
        "amount": [SHARE],
        "structured": ["boolean"],
        "finetune_epochs": [COUNT_OR_ZERO],
        "learning_rate_init": [POSITIVE, None],
    },
    prefer_skip_nested_validation=True,
)
def prune(
    estimator: SomeEstimator,
    amount: float,
    X: MatrixLike | None = None,
    y: ArrayLike | None = None,
    *,
    structured: bool = False,
    finetune_epochs: int = 0,
    sample_weight: ArrayLike | None = None,
    learning_rate_init: float | None = None,
) -> SomeEstimator:
    """Return an estimator in which the smallest weights or units are set to zero.

    Weights are compared by magnitude across all layers [1]_. Hidden units are compared
    within their layer by the norm of their incoming weights [2]_, so that each layer
    loses about the same share. The remaining weights can be fine-tuned, while pruned
    weights stay zero.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted skreg network, or a pipeline that ends with one. It is not modified.
    amount : float
        Share to prune, from 0 to less than 1, rounded up. It is the share of all
        weights, including weights that are already zero. If `structured`, it is the
        share of all hidden units, and each layer keeps at least one unit.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Inputs for fine-tuning. For a pipeline, these are the inputs of the pipeline.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets for fine-tuning.
    structured : bool, default=False
        Whether to prune whole units, which :func:`compact` can then remove.
    finetune_epochs : int, default=0
        Number of epochs of fine-tuning. It runs the whole `learning_rate` schedule of
        the estimator (learning rate rewinding [3]_) with all of its regularisers. It
        uses all rows of `X`, because early stopping is turned off.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights for fine-tuning.
    learning_rate_init : float, default=None
        Initial learning rate of the fine-tuning. None uses that of the estimator.

    Returns
    -------
    estimator or Pipeline
        A fitted estimator of the same class, with the parameters of `estimator`.
        Therefore continued fits keep the zeros only if `pruning` is above zero. The
        curves of the fine-tuning are appended to those of the fit. Without fine-tuning,
        `kkt_violation_` is nan.

    See Also
    --------
    compact : Remove constant units and units without effect.

    Notes
    -----
    Units that are connected by residual connections are pruned together. Units to which
    the inputs are added are not pruned. For an estimator with `n_snapshots`, each
    network is pruned, and the curves are those of the last one.

    References
    ----------
    .. [1] Han, Pool, Tran and Dally (2015), "Learning both Weights and Connections for
       Efficient Neural Networks".
    .. [2] Li, Kadav, Durdanovic, Samet and Graf (2017), "Pruning
       Filters for Efficient ConvNets".
    .. [3] Renda, Frankle and Carbin (2020), "Comparing Rewinding and Fine-tuning in
       Neural Network Pruning".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import MLPClassifier, prune
    >>> X, y = load_digits(return_X_y=True)
    >>> clf = MLPClassifier(random_state=0).fit(X, y)
    >>> pruned = prune(clf, 0.9, X, y, finetune_epochs=5)
    >>> float(round(pruned.sparsity_, 3))
    0.9
    >>> bool(pruned.score(X, y) > 0.98)
    True
    """
    if finetune_epochs and (X is None or y is None):
        missing = " and ".join(n for n, v in (("X", X), ("y", y)) if v is None)
        raise ValueError(
            f"finetune_epochs={finetune_epochs} needs the training data X and y, got "
            f"no {missing}. Pass X and y, or set finetune_epochs=0."
        )
    if isinstance(estimator, Pipeline) and finetune_epochs:
        check_is_fitted(estimator)
        X = _transformed(estimator, X)
    data = (X, y, sample_weight) if finetune_epochs else None

    def of_network(network):
        pruned = _pruned(network, amount, structured)
        if data is None:
            return pruned
        return _finetuned(pruned, *data, finetune_epochs, learning_rate_init)

    return of_last_step(estimator, of_network)


def _transformed(pipeline, X):
    """Return the inputs of the last step, as for prediction.

    Steps that only resample the training rows, such as those of imbalanced-learn, are
    left out.
    """
    for _, step in pipeline.steps[:-1]:
        is_sampler = hasattr(step, "fit_resample") and not hasattr(step, "transform")
        if not (step is None or step == "passthrough" or is_sampler):
            X = step.transform(X)
    return X


def _pruned(estimator, amount, structured):
    """Return the estimator with all of its networks pruned."""
    architecture = layout_of(estimator).architecture
    if structured:
        _check_has_units(estimator, architecture)
    states = [
        without_smallest_units(architecture, state, amount)
        if structured
        else _without_smallest_weights(architecture, state, amount)
        for state in states_of(estimator)
    ]
    unknown = {"kkt_violation_": math.nan}
    return with_states(estimator, states, attributes=unknown, optimizer_state=None)


def _check_has_units(estimator, architecture):
    """Raise an error if the network has no units that can be pruned."""
    check_own_weights(estimator, "structured=True")
    if all(group.is_fixed for group in unit_groups(architecture)):
        sizes = sizes_of(architecture).items()
        given = ", ".join(f"{name}={value!r}" for name, value in sizes)
        raise ValueError(
            "structured=True prunes units of hidden layers, but this network has no "
            f"units that can be pruned, got {given} and skip={estimator.skip!r}. Set "
            "structured=False to prune weights."
        )


def _without_smallest_weights(architecture, state, amount):
    """Return a copy of a state with the smallest weights set to zero."""
    state = [array.copy() for array in state]
    weights = [torch.tensor(array) for array in state[: architecture.n_weights]]
    for array, mask in zip(state, magnitude_masks(weights, amount)):
        array[~mask.numpy()] = 0
    return state


def _finetuned(estimator, X, y, sample_weight, n_epochs, rate):
    """Continue the training of a pruned estimator and keep its zeros."""
    if estimator.solver == "lbfgs":
        raise ValueError(
            "solver='lbfgs' cannot keep pruned weights at zero during fine-tuning, got "
            f"finetune_epochs={n_epochs}. Call estimator.set_params(solver='adam') "
            "first, or set finetune_epochs=0."
        )
    # Early stopping would hold out validation rows.
    tuned = copy.copy(estimator).set_params(early_stopping=False)
    validate_parameters(tuned)
    earlier = Continuation(layout=layout_of(estimator))
    prepared = prepare(tuned, X, y, sample_weight, earlier=earlier)
    requests = [
        [
            _finetuning(
                make_request(tuned, prepared, fit.seed, fit), state, n_epochs, rate
            )
            for state in fit.states
        ]
        for fit in networks_of(estimator)
    ]
    results, fits = iter(train_fit(list(chain(*requests)))), []
    for fit, own in zip(networks_of(estimator), requests):
        before = [fit] * len(own)
        kept, interrupted = fits_of(
            list(islice(results, len(own))), own, prepared, before
        )
        if interrupted:
            raise KeyboardInterrupt
        fits.append(kept[-1].with_states([each.state for each in kept]))
    return with_networks(estimator, prepared.layout, prepared.device, fits)


def _finetuning(request, state, n_epochs, rate):
    """Return the request to fine-tune a pruned network."""
    weights = state[: request.architecture.n_weights]
    # With the present sparsity, the zeros are kept and no weight is pruned.
    settings = request.settings | {"pruning": sparsity(weights)}
    if rate is not None:
        settings["lr"] = float(rate)
    return replace(
        request,
        initial=state,
        settings=settings,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        n_snapshots=1,
        may_polish=False,
    )
