"""Checks that a score suits the target of a comparison, before anything is fitted."""

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.utils.multiclass import type_of_target

from skreg.compatibility import target_of_metric
from skreg.estimators.guesses import GuessedNumbers
from skreg.estimators.labels import Labels
from skreg.estimators.numeric_targets import Numbers
from skreg.estimators.score_checks import USUAL, check_score, other_kind
from skreg.parameters.scorer_names import check_scorer
from skreg.parameters.suggestions import in_words


def check_scoring(scoring, y, *, is_classes):
    """Check that a score exists and can be computed for a target.

    The score of each name is for classes, for numbers or for clusters. Some scores are
    for fewer targets: for two classes, or for positive numbers. This is found by
    scoring guesses.

    Parameters
    ----------
    scoring : str, callable or None
        A callable is not checked. None is ``"accuracy"`` for classes and ``"r2"`` for
        numbers.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The target.
    is_classes : bool
        Whether the estimators are classifiers.

    Returns
    -------
    str or callable
        The score.

    Raises
    ------
    ValueError
        If no score has the name, or if it is for another kind of target. The message
        names scores that can be used.

    Examples
    --------
    >>> from skreg.comparison.score_kinds import check_scoring
    >>> check_scoring("roc_auc", ["no", "yes"], is_classes=True)
    'roc_auc'
    >>> check_scoring("roc_auc", [0.5, 2.5], is_classes=False)
    Traceback (most recent call last):
        ...
    ValueError: scoring='roc_auc' is for classes, and the target is numbers; ...
    """
    kind = "classes" if is_classes else "numbers"
    if scoring is None:
        return USUAL[kind][0]
    check_scorer("scoring", scoring)
    if not isinstance(scoring, str):
        return scoring
    if reason := other_kind(scoring, kind):
        raise ValueError(
            f"scoring={scoring!r} {reason}; use a score for {kind}, such as"
            f" {in_words(USUAL[kind])}"
        )
    known = _known_classes(y) if is_classes else _known_numbers(y)
    if known is not None:
        # The baseline is scored with the labels as they are.
        check_score("scoring", scoring, *known, is_coded=False)
    return scoring


def needs_positive_predictions(scoring):
    """Return whether a score cannot be computed for predictions below 0.

    Parameters
    ----------
    scoring : str or callable

    Returns
    -------
    bool
        False for a callable, because it is not known.
    """
    if not isinstance(scoring, str) or target_of_metric(get_scorer(scoring)) != (
        "numbers"
    ):
        return False
    y = np.array([1.0, 2.0])
    try:
        get_scorer(scoring)(GuessedNumbers(Numbers(1, is_flat=True), -3.0), y, y)
    except ValueError:
        return True
    return False


def _known_classes(y):
    """Return the targets and rows with all classes, None if the classes are unusual."""
    y = np.asarray(y)
    kind = type_of_target(y)
    if kind in ("binary", "multiclass"):
        return Labels(np.unique(y), kind), np.repeat(np.unique(y), 2)
    if kind == "multilabel-indicator":
        return Labels(np.arange(y.shape[1]), kind), y
    return None


def _known_numbers(y):
    """Return the targets and the numbers, None if some are invalid."""
    try:
        y = np.asarray(y, dtype=float)
    except (ValueError, TypeError):
        return None
    targets = Numbers(y.shape[1] if y.ndim > 1 else 1, is_flat=y.ndim == 1)
    return (targets, y) if np.all(np.isfinite(y)) else None
