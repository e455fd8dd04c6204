"""The list of all regularisers: how each is switched off, and what it changes."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Regulariser:
    """The effect of a hyperparameter that regularises.

    Parameters
    ----------
    off : object
        The value that switches it off.
    effect : {"objective", "rows", "optimum", "course"}
        "objective" is a term of the objective, a constraint or another target.
        "rows" changes the rows or units of a batch, so that no two steps minimise the
        same function. "optimum" acts in each step, so that training does not end at the
        minimum of the objective. "course" chooses or averages weights during training.
    kind : {"penalty", "noise"} or None, default=None
        How it counts when candidates are ranked by the strength of their
        regularisation. None does not count.
    """

    off: object
    effect: str
    kind: str | None = None


REGULARISERS = {
    "l1": Regulariser(0, "objective", "penalty"),
    "l2": Regulariser(0, "objective", "penalty"),
    "skip_l1": Regulariser(None, "objective", "penalty"),
    "skip_l2": Regulariser(None, "objective", "penalty"),
    "group_l1": Regulariser(0, "objective", "penalty"),
    "max_norm": Regulariser(None, "objective"),
    "positive": Regulariser(False, "objective"),
    "label_smoothing": Regulariser(0, "objective", "noise"),
    "dropout": Regulariser(0, "rows", "noise"),
    "input_dropout": Regulariser(0, "rows", "noise"),
    "input_noise": Regulariser(0, "rows", "noise"),
    "mixup": Regulariser(0, "rows", "noise"),
    "cutmix": Regulariser(0, "rows", "noise"),
    "cutout": Regulariser(0, "rows", "noise"),
    "stochastic_depth": Regulariser(0, "rows", "noise"),
    "adversarial": Regulariser(0, "rows", "noise"),
    "batchnorm": Regulariser(False, "rows"),
    "augment": Regulariser(None, "rows"),
    "weight_decay": Regulariser(0, "optimum", "penalty"),
    "pruning": Regulariser(0, "optimum"),
    "swa_fraction": Regulariser(0, "course"),
    "ema_decay": Regulariser(0, "course"),
    "n_snapshots": Regulariser(1, "course"),
}


# The effects that change the objective from step to step, or the weights apart from it.
# solver="lbfgs", which minimises the objective itself, cannot use them.
NOT_OF_THE_OBJECTIVE = {"rows", "optimum", "course"}


def regularisers(*, effects=None, kind=None):
    """Return the names of the regularisers with certain effects, or of a kind.

    Parameters
    ----------
    effects : set of str, default=None
        None is any.
    kind : {"penalty", "noise"}, default=None
        None is any.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from skreg.parameters.regularisers import regularisers
    >>> regularisers(effects={"course"})
    ['swa_fraction', 'ema_decay', 'n_snapshots']
    """
    return [
        name
        for name, each in REGULARISERS.items()
        if (effects is None or each.effect in effects) and kind in (None, each.kind)
    ]


def regularisers_on(estimator, **conditions):
    """Return the names of the regularisers that an estimator uses.

    Parameters
    ----------
    estimator : BaseNetwork
    **conditions
        As in `regularisers`.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from skreg import MLPClassifier
    >>> from skreg.parameters.regularisers import regularisers_on
    >>> regularisers_on(MLPClassifier(l2=[0, 1e-3], dropout=0.2))
    ['l2', 'dropout']
    """
    return [
        name
        for name in regularisers(**conditions)
        if hasattr(estimator, name)
        and _is_on(getattr(estimator, name), REGULARISERS[name].off)
    ]


def _is_on(value, off):
    # Numbers first, as arrays take ten times as long to compare.
    if isinstance(value, bool | int | float | None):
        return value != off
    return bool(np.any(np.asarray(value) != off))
