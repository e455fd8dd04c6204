"""Scores of the validation rows, for early stopping."""

import copy

from skreg.estimators.score_checks import check_score
from skreg.estimators.scoring import comparable_score
from skreg.estimators.trained import with_state
from skreg.estimators.validation import as_read


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
