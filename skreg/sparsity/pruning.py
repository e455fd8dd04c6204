"""Pruning of fitted networks, with fine-tuning of what is left."""

import copy
import math
from dataclasses import replace
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skreg.fusion.scheduler import train_fit
from skreg.sparsity.surgery import (
    check_own_weights,
    of_last_step,
    with_members,
    with_networks,
)
from skreg.sparsity.units import sizes_of, unit_groups, without_smallest_units
from skreg.training.gradual_pruning import magnitude_masks


@validate_params(
    {
        "amount": [Interval(Real, 0, 1, closed="left")],
        "structured": ["boolean"],
        "finetune_epochs": [Interval(Integral, 0, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), None],
    },
    prefer_skip_nested_validation=True,
)
def prune(
    estimator,
    amount,
    X=None,
    y=None,
    *,
    structured=False,
    finetune_epochs=0,
    sample_weight=None,
    learning_rate_init=None,
):
    """Return an estimator in which the smallest weights, or units, are zero.

    Weights are compared by their magnitude over all layers together [1]_, hidden units
    within their layer by the norm of their incoming weights [2]_, so that each layer
    loses the same share. What is left can be trained further; what was pruned stays
    zero.

    Parameters
    ----------
    estimator : estimator or Pipeline
        A fitted skreg network, or a pipeline that ends with one. It is not changed.
    amount : float
        Share to prune, from 0 to less than 1, rounded up: of all weights, those counted
        that are zero already; or, if `structured`, of the units of all hidden layers,
        of which each keeps one at least.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Inputs to fine-tune with; those of the pipeline if it is one.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets to fine-tune with.
    structured : bool, default=False
        Whether to prune whole units, which :func:`compact` then removes.
    finetune_epochs : int, default=0
        Number of epochs to train what is left, along the estimator's `learning_rate`
        from its beginning to its end (learning rate rewinding [3]_) and with all of its
        regularisers, on all rows that are given, as early stopping has no part in it.
    sample_weight : array-like of shape (n_samples,), default=None
        What each row counts in every mean.
    learning_rate_init : float, default=None
        Initial learning rate of the fine-tuning. None is the estimator's.

    Returns
    -------
    estimator or Pipeline
        Of the same kind, fitted. Its parameters are those of `estimator`, so continued
        fits keep the zeros only with `pruning` above zero. The curves of the
        fine-tuning follow those of the fit; without it `kkt_violation_` is nan.

    See Also
    --------
    compact : Remove units that can do nothing.

    Notes
    -----
    Units that residual connections tie together are pruned together, and those that
    the inputs are added to are not. Of an estimator with `n_snapshots` each network is
    pruned, and the curves are the last one's.

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
            f"finetune_epochs={finetune_epochs} trains what is left and needs X and y, "
            f"got no {missing}. Give the training data, or finetune_epochs=0."
        )
    if isinstance(estimator, Pipeline) and finetune_epochs:
        check_is_fitted(estimator)
        X = estimator[:-1].transform(X) if len(estimator) > 1 else X
    data = (X, y, sample_weight) if finetune_epochs else None

    def of_network(network):
        pruned = _pruned(network, amount, structured)
        if data is None:
            return pruned
        tuned = [
            _finetuned(member, *data, finetune_epochs, learning_rate_init)
            for member in pruned._networks
        ]
        return tuned[0] if len(tuned) == 1 else with_members(pruned, tuned)

    return of_last_step(estimator, of_network)


def _pruned(estimator, amount, structured):
    """Return the estimator with all of its networks pruned at once."""
    states = []
    if structured:
        check_own_weights(estimator, "structured=True")
    if structured and all(g.is_fixed for g in unit_groups(estimator._architecture)):
        sizes = sizes_of(estimator._architecture)
        given = ", ".join(f"{name}={value!r}" for name, value in sizes.items())
        raise ValueError(
            "structured=True prunes units of hidden layers, and this network has none "
            f"that can go, got {given} and skip={estimator.skip!r}. Use "
            "structured=False."
        )
    for state in estimator._states:
        if structured:
            state = without_smallest_units(estimator._architecture, state, amount)
        else:
            n_layers = len(estimator._weights)
            weights = [torch.tensor(array) for array in state[:n_layers]]
            masks = magnitude_masks(weights, amount)
            state = [array.copy() for array in state]
            for array, mask in zip(state, masks):
                array[~mask.numpy()] = 0
        states.append(state)
    return with_networks(
        estimator, states, kkt_violation_=math.nan, _optimizer_state=None
    )


def _finetuned(estimator, X, y, sample_weight, n_epochs, learning_rate_init):
    """Train the networks of a pruned estimator on, with the zeros that they have."""
    if estimator.solver == "lbfgs":
        raise ValueError(
            "finetune_epochs takes steps that keep the zeros, and solver='lbfgs' takes "
            f"none, got finetune_epochs={n_epochs}. Call "
            "estimator.set_params(solver='adam') before, or set finetune_epochs=0."
        )
    tuned = copy.copy(estimator)
    tuned.early_stopping = False  # which would set rows aside
    request = tuned._prepared_request(
        X, y, sample_weight, seed=tuned._seed, continuing=True
    )
    tuned.early_stopping = estimator.early_stopping
    requests = [
        _finetuning(request, state, n_epochs, learning_rate_init)
        for state in estimator._states
    ]
    states = []
    for result, own in zip(train_fit(requests), requests):
        last = copy.copy(tuned)
        last._keep(result, own, continuing=True)
        states.append(result.state)
    return with_networks(last, states)


def _finetuning(request, state, n_epochs, learning_rate_init):
    """Return the request that trains a pruned network for a number of epochs."""
    weights = state[: len(request.settings["l1"])]
    n_kept = sum(map(np.count_nonzero, weights))
    # No more zeros than there are, which are kept.
    sparsity = 1 - n_kept / sum(array.size for array in weights)
    settings = request.settings | {"pruning": sparsity}
    if learning_rate_init is not None:
        settings["lr"] = float(learning_rate_init)
    return replace(
        request,
        initial=state,
        settings=settings,
        max_iter=n_epochs,
        n_iter_no_change=n_epochs,
        n_snapshots=1,
        may_polish=False,
    )
