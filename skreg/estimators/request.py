"""From an estimator's parameters and prepared data to the request to train."""

import math
from dataclasses import replace

import numpy as np
import torch

from skreg.augmentation.parameter import batch_changes, table_strengths
from skreg.data.batches import count_batches
from skreg.data.quantiles import bin_edges, quantiles
from skreg.data.scaling import scaled
from skreg.estimators.full_batch import n_batch_rows
from skreg.estimators.given_losses import check_given_loss
from skreg.estimators.input_penalties import input_penalties
from skreg.estimators.members import (
    drawn_rows,
    draws_rows,
    member_seeds,
    n_trained,
)
from skreg.estimators.monitoring import validation_score
from skreg.losses.contract import Loss
from skreg.networks.architecture import Start, state_names
from skreg.networks.columns import places_of
from skreg.parameters.checks import per_layer
from skreg.training.gradual_pruning import sparsity
from skreg.training.request import FitRequest
from skreg.training.schedules import SCHEDULES

# The limit for fits that end when they no longer improve, or at an optimum.
MOST_EPOCHS = 200
# A scheduled fit takes at least as many. Fewer move the weights too little.
FEWEST_STEPS = 50


def make_request(estimator, prepared, seed, before=None, is_step=False, is_scored=True):
    """Return the request to train the network of an estimator.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    prepared : Prepared
    seed : int
    before : Fit or None, default=None
        The fit to continue.
    is_step : bool, default=False
        Whether this is a call of partial_fit.
    is_scored : bool, default=True
        Whether to compute the score that `monitor` names. Without it, training must
        end in another way.

    Returns
    -------
    FitRequest
    """
    layout, rows = prepared.layout, prepared.train
    dtype = training_dtype_name(estimator, prepared)
    train = layout.encoded(rows, dtype)
    if isinstance(getattr(estimator, "loss", None), Loss):
        check_given_loss("loss", layout.loss, train, getattr(torch, dtype))
    settings = layer_settings(estimator, layout.architecture) | step_settings(estimator)
    n_layers = len(settings["l1"])
    return FitRequest(
        architecture=layout.architecture,
        loss=layout.loss,
        solver=estimator.solver,
        dtype=getattr(torch, dtype),
        device=prepared.device,
        train=train,
        validation=prepared.validation and layout.encoded(prepared.validation, dtype),
        scaling=layout.scaling,
        settings=settings | pruning_setting(estimator, before, n_layers, is_step),
        batch_size=n_batch_rows(estimator),
        shuffle=estimator.shuffle,
        nesterov=estimator.nesterovs_momentum,
        seed=seed,
        start=_start(estimator, layout, rows, dtype, before),
        augment=batch_changes(
            estimator.augment, rows.X.shape[1], layout.inputs.image_shape
        ),
        inputs=input_penalties(
            estimator, layout.architecture.n_columns, layout.inputs.feature_names
        ),
        keep_optimizer=is_step,
        callbacks=list(estimator.callbacks or ()),
        **_length(estimator, layout.architecture, len(rows.index), is_step),
        **_stopping(estimator, prepared, is_step, is_scored),
        **_averages(estimator, is_step),
        **_continued(before, is_step),
    )


def training_dtype_name(estimator, prepared):
    """Return the name of the dtype to train in: that of X on the CPU, else float32."""
    if estimator.dtype is not None:
        return estimator.dtype
    on_cpu = prepared.device.type == "cpu"
    return prepared.train.X.dtype.name if on_cpu else "float32"


def layer_settings(estimator, architecture):
    """Return the settings that are numbers for each layer.

    Parameters
    ----------
    estimator : BaseNetwork
    architecture : Architecture

    Returns
    -------
    dict of list of float
        The strengths of the penalties, for the weights of each layer and of the linear
        skip connection; and the dropout of each hidden layer.
    """
    n_hidden, given_by = architecture.n_hidden, estimator._layers_given_by
    weights = n_hidden + 1, "layers of weights", given_by
    l1 = per_layer("l1", estimator.l1, *weights)
    l2 = per_layer("l2", estimator.l2, *weights)
    group_l1 = [float(estimator.group_l1)] + [0.0] * n_hidden
    if architecture.skip == "linear":
        skip_l1, skip_l2 = estimator.skip_l1, estimator.skip_l2
        l1.append(l1[0] if skip_l1 is None else float(skip_l1))
        l2.append(l2[0] if skip_l2 is None else float(skip_l2))
        group_l1.append(float(estimator.group_l1))
    # The objective is the mean over the members, which have last layers of their own.
    l1[n_hidden] /= architecture.n_members
    l2[n_hidden] /= architecture.n_members
    max_norm = math.inf if estimator.max_norm is None else float(estimator.max_norm)
    return {
        "l1": l1,
        "l2": l2,
        "group_l1": group_l1,
        "max_norm": [max_norm] * len(l1),
        "positive": [float(estimator.positive)] * len(l1),
        "dropout": per_layer(
            "dropout", estimator.dropout, n_hidden, "hidden layers", given_by, 1
        ),
        # Without a connection to skip there is nothing to drop.
        "stochastic_depth": estimator.stochastic_depth if architecture.n_paths else 0.0,
    }


def step_settings(estimator):
    """Return the settings that are one number for each network."""
    clip_norm = estimator.clip_norm
    return table_strengths(estimator) | {
        "input_dropout": estimator.input_dropout,
        "label_smoothing": getattr(estimator, "label_smoothing", 0.0),
        "adversarial": estimator.adversarial,
        "pruning": float(estimator.pruning),
        "lr": float(estimator.learning_rate_init),
        "beta_1": estimator.beta_1,
        "beta_2": estimator.beta_2,
        "epsilon": estimator.epsilon,
        "momentum": estimator.momentum,
        "weight_decay": estimator.weight_decay,
        "clip_norm": math.inf if clip_norm is None else clip_norm,
    }


def pruning_setting(estimator, before, n_layers, is_step):
    """Return the share of weights to prune if it is not that of the parameter.

    A call of partial_fit does not know how many follow. It keeps the zeros of the
    network that it continues, and prunes no more.
    """
    if not (is_step and estimator.pruning):
        return {}
    if before is None:
        return {"pruning": 0.0}
    return {"pruning": sparsity(before.state[:n_layers])}


def n_epochs(estimator, n_rows):
    """Return the largest number of epochs, or of iterations of L-BFGS.

    Parameters
    ----------
    estimator : BaseNetwork
    n_rows : int
        Number of training rows.
    """
    if estimator.max_iter != "auto":
        return estimator.max_iter
    is_scheduled = estimator.solver != "lbfgs" and estimator.learning_rate in SCHEDULES
    if estimator.early_stopping or not is_scheduled:
        return MOST_EPOCHS
    min_rows = 2 if estimator.batchnorm else 1
    n_batches = count_batches(n_rows, n_batch_rows(estimator), min_rows)
    fewest = math.ceil(FEWEST_STEPS / n_batches)
    return max(estimator._n_scheduled_epochs, fewest, estimator.n_snapshots)


def _length(estimator, architecture, n_rows, is_step):
    """Return the fields that say how long training takes at most, and its rates."""
    is_auto = estimator.max_iter == "auto"
    # A call of partial_fit does not know how many follow.
    without_schedule = is_step and estimator.learning_rate in SCHEDULES
    return {
        "max_iter": 1 if is_step else n_epochs(estimator, n_rows),
        "max_polish": MOST_EPOCHS if is_auto else estimator.max_iter,
        "learning_rate": "constant" if without_schedule else estimator.learning_rate,
        "n_snapshots": 1 if is_step else estimator.n_snapshots,
        # The optimum of one network is not that of several.
        "may_polish": not (
            estimator.early_stopping
            or is_step
            or estimator.n_snapshots > 1
            or architecture.n_members > 1
        ),
    }


def _stopping(estimator, prepared, is_step, is_scored):
    """Return the fields that say what ends training early, and which weights stay."""
    watches = estimator.early_stopping and not is_step
    score = validation_score(estimator, prepared, is_step) if is_scored else None
    return {
        "stops_early": watches,
        "watch_validation": watches and prepared.validation is not None,
        "restore_best": watches and estimator.restore_best_weights,
        "n_iter_no_change": estimator.n_iter_no_change,
        "tol": estimator.tol,
        "score": score,
        "monitor": _monitored(estimator, prepared) if score else "loss",
    }


def _monitored(estimator, prepared):
    """Return what the validation scores depend on besides the fields of a request.

    A request holds encoded targets, and scores are computed from those of the user.
    """
    if callable(estimator.monitor) or isinstance(estimator.monitor, Loss):
        return estimator.monitor
    if not type(estimator).__module__.startswith("skreg."):
        return estimator.monitor, type(estimator)  # it may predict in any way
    classes = prepared.layout.attributes.get("classes_")
    seen = prepared.validation.y if classes is None else classes.tolist()
    return estimator.monitor, seen


def _averages(estimator, is_step):
    """Return the fields that say which weights are averaged."""
    return {
        "swa_fraction": 0.0 if is_step else estimator.swa_fraction,
        "ema_decay": 0.0 if is_step else estimator.ema_decay,
    }


def _continued(fit, is_step):
    """Return the fields that say where training starts.

    Only a call of partial_fit continues with the state of the optimiser, too.
    """
    if fit is None:
        return {
            "initial": None,
            "epochs_seen": 0,
            "samples_seen": 0,
            "optimizer_state": None,
        }
    return {
        "initial": fit.state,
        "epochs_seen": fit.epochs_seen,
        "samples_seen": fit.samples_seen,
        "optimizer_state": fit.optimizer_state if is_step else None,
    }


def _start(estimator, layout, rows, dtype, before):
    """Return how networks start. A continued fit keeps the bins of its embedding."""
    architecture, edges = layout.architecture, None
    if architecture.embedding == "piecewise_linear" and before is not None:
        # New members have the encoding of the others.
        edges = before.state[state_names(architecture).index("embedding_edges")]
    elif architecture.embedding == "piecewise_linear":
        edges = _learn_edges(layout, rows, architecture.embedding_size + 1)
    if edges is not None:
        edges = edges.astype(dtype)
    return Start(estimator.init, float(estimator.embedding_scale), edges)


def _learn_edges(layout, rows, n_edges):
    """Return the edges of the bins of scaled inputs, of shape (n_inputs, n_edges).

    Inputs that are not numbers have a single bin, in which they stay as they are.
    """
    levels, columns = np.linspace(0, 1, n_edges), layout.architecture.columns
    data = rows.X, rows.index, rows.row_weight
    edges = rows.once(("bins", n_edges), lambda: quantiles(*data, levels))
    if columns is not None:
        places = places_of(columns)
        numbers, of_numbers = places.first[places.numbers], edges[:, places.numbers]
        edges = np.zeros((n_edges, columns.n_inputs), edges.dtype)
        edges[:, numbers] = of_numbers
    edges = scaled(torch.from_numpy(edges), *layout.scaling.tensors()).numpy()
    if columns is not None:
        rest = np.delete(np.arange(columns.n_inputs), numbers)
        edges[:, rest] = np.arange(n_edges)[:, None] > 0
    return bin_edges(edges.T)


def member_requests(estimator, prepared, seed, earlier):
    """Return the requests of all networks of a fit.

    Members have the seeds of `member_seeds`. If the fit continues another one, its
    members are continued, and further ones are new.

    Parameters
    ----------
    estimator : BaseNetwork
    prepared : Prepared
    seed : int
    earlier : Continuation

    Returns
    -------
    list of FitRequest
    """
    is_step = earlier.is_step
    request = make_request(estimator, prepared, seed, earlier.fit_before(0), is_step)
    if n_trained(estimator) == 1 and not draws_rows(estimator):
        return [request]
    requests, n_layers = [], len(request.settings["l1"])
    for number, own_seed in enumerate(member_seeds(seed, n_trained(estimator))):
        before = earlier.fit_before(number)
        own = {"seed": own_seed} | _continued(before, is_step)
        pruning = pruning_setting(estimator, before, n_layers, is_step)
        own["settings"] = request.settings | pruning
        if draws_rows(estimator):
            architecture, rows = request.architecture, request.train
            own["train"] = drawn_rows(estimator, architecture, rows, own_seed)
            if not is_step:
                own["max_iter"] = n_epochs(estimator, len(own["train"].index))
        requests.append(replace(request, **own))
    return requests
