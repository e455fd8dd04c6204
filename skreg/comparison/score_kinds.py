"""Checks that a score suits the target, before anything is fitted."""

import warnings
from difflib import get_close_matches

import numpy as np
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils.multiclass import type_of_target

from skreg.compatibility import target_of_metric
from skreg.estimators.labels import Labels
from skreg.estimators.scoring import GuessedLabels, GuessedNumbers
from skreg.parameters.scorer_names import check_scorer
from skreg.parameters.suggestions import in_words

# Scores to suggest if none resembles the given one.
_USUAL = {
    "classes": ("accuracy", "balanced_accuracy", "neg_log_loss"),
    "numbers": ("r2", "neg_mean_squared_error", "neg_mean_absolute_error"),
}
_MAX_SHOWN = 4


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
        return _USUAL[kind][0]
    if not isinstance(scoring, str):
        return scoring
    check_scorer("scoring", scoring)
    own_kind = target_of_metric(get_scorer(scoring))
    if own_kind != kind:
        raise ValueError(
            f"scoring={scoring!r} is for {own_kind}, and the target is {kind}; use a"
            f" score for {kind}, such as {in_words(_USUAL[kind])}"
        )
    known = _known_classes(y) if is_classes else _known_numbers(y)
    error = known and _error_of(scoring, *known)
    if error is not None:
        reason = _reason_of_classes if is_classes else _reason_of_numbers
        raise ValueError(
            f"scoring={scoring!r} {reason(scoring, known[1], error)}; use"
            f" {in_words(_alternatives(scoring, known, kind))}"
        )
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
    return _error_of(scoring, GuessedNumbers(-3.0), np.array([1.0, 2.0])) is not None


def _error_of(scoring, model, y):
    """Return the error of a score for guesses, None if there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            get_scorer(scoring)(model, y, y)
    # Metrics raise all kinds of errors for targets that they are not made for.
    except Exception as error:
        return error
    return None


def _known_classes(y):
    """Return a model that guesses right, and rows with all classes; None if unusual."""
    y = np.asarray(y)
    kind = type_of_target(y)
    if kind in ("binary", "multiclass"):
        y = np.repeat(np.unique(y), 2)
        return GuessedLabels(Labels(np.unique(y), kind), 0), y
    if kind == "multilabel-indicator":
        return GuessedLabels(Labels(np.arange(y.shape[1]), kind), 0), y
    return None


def _known_numbers(y):
    """Return a model that guesses larger numbers, and the numbers; None if invalid."""
    try:
        y = np.asarray(y, dtype=float)
    except (ValueError, TypeError):
        return None
    return (GuessedNumbers(0.3), y) if np.all(np.isfinite(y)) else None


def _reason_of_classes(scoring, y, error):
    """Describe the classes that a score is for."""
    classes = [str(each) for each in np.unique(y)]
    one_label = _error_of(scoring, *_known_classes([0, 1])) is None
    several = _error_of(scoring, *_known_classes([[0, 1], [1, 0], [1, 1]])) is None
    if y.ndim == 1 and one_label and len(classes) > 2:
        return f"is for two classes, and the target has {len(classes)}"
    if y.ndim == 1 and one_label:
        return (
            "is for the classes 0 and 1, of which 1 is the positive one, and the"
            f" target's are {in_words(classes, 'and')}"
        )
    if y.ndim == 1 and several:
        return (
            "is for classes of which a row can have several, and the target has one"
            " class per row"
        )
    if y.ndim == 2 and one_label:
        return (
            "is for classes of which a row has one, and the target has several per row"
        )
    return f"cannot be computed for the classes of the target: {error}"


def _reason_of_numbers(scoring, y, error):
    """Describe the numbers that a score is for."""
    if _error_of(scoring, *_known_numbers(1 + np.abs(y))) is None:
        return f"is for positive numbers, and the lowest of the target is {y.min():g}"
    return f"cannot be computed for the numbers of the target: {error}"


def _alternatives(scoring, known, kind):
    """Return scores that can be computed, those with similar names if there are any."""
    usable = [
        name
        for name in get_scorer_names()
        if target_of_metric(get_scorer(name)) == kind
        and _error_of(name, *known) is None
    ]
    stem = scoring.removesuffix("_samples")
    variants = [name for name in usable if name.startswith(f"{stem}_")]
    nearest = variants or get_close_matches(scoring, usable)
    usual = [name for name in _USUAL[kind] if name in usable]
    return (nearest or usual)[:_MAX_SHOWN]
