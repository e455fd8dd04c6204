"""Checks of parameters that depend on one another."""

from skreg.augmentation.parameter import check_augment
from skreg.compatibility import check_constraints
from skreg.estimators.members import draws_rows, is_shared
from skreg.parameters.checks import check_hidden_layer_sizes
from skreg.parameters.regularisers import (
    NOT_OF_THE_OBJECTIVE,
    REGULARISERS,
    regularisers_on,
)
from skreg.parameters.scorer_names import check_scorer


def check_conflicts(estimator):
    """Raise an error that names the parameters if some of them disagree.

    Parameters
    ----------
    estimator : BaseNetwork
        Each parameter satisfies its own constraint.
    """
    check_scorer("monitor", estimator.monitor, others=["loss"])
    sizes = check_hidden_layer_sizes(estimator.hidden_layer_sizes)
    if estimator.stochastic_depth > 0 and estimator.skip is None:
        raise ValueError(
            "stochastic_depth drops what a connection skips, and with skip=None "
            f"there is nothing to drop, got stochastic_depth="
            f"{estimator.stochastic_depth!r}. Set skip='residual' or 'linear'."
        )
    if estimator.numeric_embedding == "periodic" and estimator.embedding_size == 1:
        raise ValueError(
            "numeric_embedding='periodic' turns an input into itself and "
            "embedding_size - 1 numbers more, so embedding_size must be at "
            "least 2, got embedding_size=1."
        )
    check_members(estimator, sizes)
    if estimator.solver == "lbfgs":
        check_full_batch(estimator)
    check_augment(estimator)
    check_averages(estimator)
    check_snapshots(estimator)
    check_callbacks(estimator.callbacks or (), estimator.solver)


def validate_parameters(estimator):
    """Raise an error if a parameter is invalid, or if some contradict each other.

    This is for estimators that are trained without their `fit`, which checks both.
    """
    check_constraints(estimator)
    check_conflicts(estimator)


def check_members(estimator, sizes):
    """Raise if the members of an ensemble cannot use a parameter.

    Parameters
    ----------
    estimator : BaseNetwork
    sizes : tuple of int
        Sizes of the hidden layers.
    """
    if isinstance(estimator.max_samples, bool):  # which is an int to Python
        raise ValueError(
            "max_samples must be a number (int) or a share (float) of the rows, got "
            f"{estimator.max_samples!r}. Set max_samples=1.0 for all of them."
        )
    if is_shared(estimator):
        _check_shared_members(estimator, sizes)


def _check_shared_members(estimator, sizes):
    """Raise if members that share weights cannot use a parameter."""
    reason = None
    if not sizes:
        reason = (
            "shares the weights of the hidden layers, and with hidden_layer_sizes="
            f"{estimator.hidden_layer_sizes!r} there are none. Set ensemble="
            "'independent'."
        )
    elif draws_rows(estimator):
        reason = (
            "trains all members on the same rows, got bootstrap="
            f"{estimator.bootstrap!r} and max_samples={estimator.max_samples!r}. Set "
            "ensemble='independent', or bootstrap=False and max_samples=1.0."
        )
    elif estimator.solver == "lbfgs":
        reason = (
            "scales shared weights by free numbers, so that penalties have no optimum, "
            "got solver='lbfgs'. Set ensemble='independent', or solver='adam' or 'sgd'."
        )
    elif estimator.positive:
        reason = (
            "multiplies inputs by numbers of both signs, so that positive=True would "
            "not force predictions to rise. Set ensemble='independent'."
        )
    if reason is not None:
        n_estimators = estimator.n_estimators
        raise ValueError(f"ensemble='shared' (n_estimators={n_estimators!r}) {reason}")


def check_full_batch(estimator):
    """Raise if a parameter is set that solver="lbfgs" cannot use."""
    for name in regularisers_on(estimator, effects=NOT_OF_THE_OBJECTIVE):
        value, off = getattr(estimator, name), REGULARISERS[name].off
        raise ValueError(
            f"solver='lbfgs' minimises a deterministic objective and cannot use "
            f"{name}={value!r}. Set {name}={off!r}, or solver='adam' or 'sgd'."
        )


def check_averages(estimator):
    """Raise if two parameters both choose which weights are averaged."""
    swa_fraction, ema_decay = estimator.swa_fraction, estimator.ema_decay
    if swa_fraction and ema_decay:
        raise ValueError(
            "swa_fraction and ema_decay both say which weights are averaged, got "
            f"swa_fraction={swa_fraction!r} and ema_decay={ema_decay!r}. Set one of "
            "them to 0."
        )


def check_snapshots(estimator):
    """Raise if a parameter does not go together with `n_snapshots`."""
    n_snapshots, max_iter = estimator.n_snapshots, estimator.max_iter
    if n_snapshots == 1:
        return
    what = f"n_snapshots={n_snapshots!r} keeps the network at the end of each cycle"
    if estimator.learning_rate != "cosine":
        raise ValueError(
            f"{what} of learning_rate='cosine', got learning_rate="
            f"{estimator.learning_rate!r}. Set that, or n_snapshots=1."
        )
    if estimator.early_stopping:
        raise ValueError(
            f"{what}, and early_stopping=True would end the fit earlier. Set one of "
            "them to its default."
        )
    if max_iter != "auto" and n_snapshots > max_iter:
        raise ValueError(
            f"{what}, which lasts at least one epoch, but max_iter={max_iter!r}. "
            "Increase max_iter or lower n_snapshots."
        )


# skorch callbacks that have no effect here, and what to do instead.
_REPLACED = {
    "EpochScoring": "Use monitor= with early_stopping=True.",
    "BatchScoring": "Use monitor= with early_stopping=True.",
    "InputShapeSetter": "Leave it out: fit learns the number of inputs.",
    "LoadInitState": "Use warm_start=True, and pickle the estimator.",
    "ParamMapper": "Leave it out: single layers cannot be frozen or set.",
}
_OF_STEPS = ("LRScheduler", "GradientNormClipping")


def check_callbacks(callbacks, solver):
    """Raise if one is not a skorch callback, or has no effect on the networks."""
    for item in callbacks:
        callback = item[1] if isinstance(item, tuple) and len(item) == 2 else item
        if not hasattr(callback, "on_epoch_end"):
            raise TypeError(
                "callbacks must be skorch callbacks or (name, callback) pairs, got "
                f"{item!r}. Callbacks of scikit-learn go to set_callbacks."
            )
        kind = callback if isinstance(callback, type) else type(callback)
        names = [base.__name__ for base in kind.__mro__]
        for name in names:
            if name in _REPLACED:
                raise ValueError(
                    f"The callback {kind.__name__} has no effect on skreg's networks. "
                    f"{_REPLACED[name]}"
                )
            if solver == "lbfgs" and name in _OF_STEPS:
                raise ValueError(
                    f"The callback {kind.__name__} acts on the steps of an optimiser, "
                    "which solver='lbfgs' does not use. Use solver='adam' or 'sgd'."
                )
