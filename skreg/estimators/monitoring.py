"""Scores of the validation rows, for early stopping."""

import copy
import math
from inspect import signature
from numbers import Real

from sklearn.metrics import get_scorer

from skreg.compatibility import metric_of
from skreg.estimators.trained import with_state


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
    return scorer_of_states(estimator, estimator.monitor, prepared, prepared.validation)


def scorer_of_states(estimator, scoring, prepared, rows):
    """Return a function from a network's state to a score of some rows.

    Parameters
    ----------
    estimator : BaseNetwork
    scoring : str or callable
    prepared : Prepared
    rows : Rows
        With checked, unencoded targets.
    """
    scorer, bare = get_scorer(scoring), copy.copy(estimator)
    X, y, options = rows.X[rows.index], rows.y[rows.index], {}
    # A scorer accepts any keyword, but its metric may not.
    metric = metric_of(scorer)
    if rows.weight is not None and "sample_weight" in signature(metric).parameters:
        options["sample_weight"] = rows.weight[rows.index]

    def score(state):
        value = scorer(with_state(bare, prepared, state), X, y, **options)
        if not isinstance(value, Real) or math.isnan(value):
            raise ValueError(
                f"monitor={scoring!r} must give a number for the validation rows, got "
                f"{value!r}. Do they hold every class?"
            )
        return float(value)

    return score
