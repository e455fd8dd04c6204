"""Scores of the validation rows, for early stopping."""

import copy
import math

import torch

from skreg.estimators.given_losses import check_given_loss
from skreg.estimators.score_checks import check_score
from skreg.estimators.scoring import comparable_score
from skreg.estimators.trained import with_state
from skreg.estimators.validation import as_read
from skreg.losses.contract import Loss


def validation_score(estimator, prepared, is_step=False):
    """Return a function from a network's state to the monitored score.

    Parameters
    ----------
    estimator : BaseNetwork
    prepared : Prepared
    is_step : bool, default=False
        Whether this is a call of partial_fit, which does not stop early.

    Returns
    -------
    callable or None
        None if the loss is monitored, or nothing.

    Raises
    ------
    ValueError
        If there are no validation rows to score.
    """
    if is_step or not estimator.early_stopping or estimator.monitor == "loss":
        return None
    if prepared.validation is None:
        raise ValueError(
            f"monitor={estimator.monitor!r} needs validation rows. Give X_val and "
            "y_val to fit, set validation_fraction to a number between 0 and 1, or use "
            "monitor='loss', which watches the training loss without them."
        )
    rows, monitor = prepared.validation, estimator.monitor
    if isinstance(monitor, Loss):
        return loss_of_states(estimator, monitor, prepared)
    options = {}
    if rows.row_weight is not None:
        options["sample_weight"] = rows.row_weight[rows.index]
    targets = prepared.layout.targets
    check_score("monitor", monitor, targets, rows.y[rows.index], **options)
    return scorer_of_states(estimator, monitor, prepared, rows, options)


def scorer_of_states(estimator, scoring, prepared, rows, options, parameter="monitor"):
    """Return a function from a network's state to a score of some rows.

    Parameters
    ----------
    estimator : BaseNetwork
    scoring : str or callable
    prepared : Prepared
    rows : Rows
        With checked, unencoded targets.
    options : dict
        What the scorer gets besides the rows, such as `sample_weight`.
    parameter : str, default="monitor"
        The name of the parameter that gives the score, for messages.
    """
    compute = comparable_score(parameter, scoring, prepared.layout.targets)
    bare, y = copy.copy(estimator), rows.y[rows.index]
    X = as_read(rows.X[rows.index])

    def score(state):
        return compute(with_state(bare, prepared, state), X, y, **options)

    return score


def loss_of_states(estimator, loss, prepared):
    """Return a function from a network's state to minus a loss of the validation rows.

    The loss is a mean, as that of the training rows, of the same raw outputs and
    encoded targets.

    Parameters
    ----------
    estimator : BaseNetwork
    loss : Loss
    prepared : Prepared
        With validation rows.

    Raises
    ------
    ValueError
        If raw outputs mean something else to this loss than to the one that is
        minimised, or if it cannot be computed.
    """
    layout, rows = prepared.layout, prepared.validation
    if loss.out_activation != layout.loss.out_activation:
        raise ValueError(
            f"monitor={loss!r} is for out_activation={loss.out_activation!r}, and the "
            f"network is trained for {layout.loss.out_activation!r}. Give a loss for "
            "the same, or a score, such as 'neg_mean_absolute_error'."
        )
    encoded, index = layout.encoded(rows, "float64"), rows.index
    check_given_loss("monitor", loss, encoded, torch.float64)
    target, weight = torch.from_numpy(encoded.y[index])[None], None
    if rows.weight is not None:
        weight = torch.from_numpy(rows.weight[index]).view(1, len(index), -1)
        # A label whose weights are all zero adds nothing to the loss.
        total = weight.sum(1, keepdim=True)
        weight = weight / torch.where(total > 0, total, 1.0)
    bare, X = copy.copy(estimator), rows.X[index]

    def score(state):
        raw = with_state(bare, prepared, state)._raw_predict(X)
        raw = torch.from_numpy(raw).to(torch.float64)[None]
        value = loss.value(raw, target, weight).item()
        return -value if math.isfinite(value) else -math.inf

    return score
