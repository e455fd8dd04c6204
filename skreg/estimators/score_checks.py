"""Checks that a score suits the targets, before anything is fitted."""

from difflib import get_close_matches
from functools import partial
from itertools import islice

import numpy as np
from sklearn.metrics import get_scorer, get_scorer_names

from skreg.compatibility import metric_of, target_of_metric
from skreg.estimators.guesses import problem_of
from skreg.estimators.labels import Labels
from skreg.estimators.scoring import has_one_label, score_function
from skreg.parameters.suggestions import in_words

# Scores to suggest if none resembles the given one.
USUAL = {
    "classes": ("accuracy", "balanced_accuracy", "neg_log_loss"),
    "numbers": ("r2", "neg_mean_squared_error", "neg_mean_absolute_error"),
}
_MAX_SHOWN = 4
# Rows on which other scores are tried.
_N_TRIED = 1000


def check_score(parameter, scoring, targets, y, is_coded=True, **options):
    """Raise an error if a score cannot be computed for some rows, before training.

    Guesses are scored instead of predictions. Functions of the user that are no scorers
    are not called.

    Parameters
    ----------
    parameter : str
        The name of the parameter, for the message.
    scoring : str or callable
    targets : Labels or Numbers
    y : ndarray
        Checked, unencoded targets of the rows.
    is_coded : bool, default=True
        Whether a score by name gets the codes of labels, as from `score_function`.
    **options
        What the scorer gets besides, such as `sample_weight`.

    Raises
    ------
    ValueError
        If it cannot. For a score by name, the message says which targets it is for, and
        which scores can be used.
    """
    if metric_of(get_scorer(scoring)) is scoring:
        return
    score_of = partial(score_function, targets=targets) if is_coded else get_scorer
    problem = problem_of(score_of(scoring), targets, y, **options)
    if problem is None:
        return
    rows = f"cannot be computed for {_described(targets, y)}: {problem.reason}"
    if not isinstance(scoring, str):
        raise ValueError(f"{parameter}={scoring!r} {rows}")
    reason = _mismatch(scoring, score_of, targets, y) or rows.rstrip(".")
    few = _few(targets, y)
    instead = _nearest(
        scoring,
        kind_of(targets),
        lambda name: problem_of(score_of(name), targets, few) is None,
    )
    advice = f"; use {in_words(instead)}" if instead else ""
    raise ValueError(f"{parameter}={scoring!r} {reason}{advice}")


def kind_of(targets):
    """Return "classes" or "numbers"."""
    return "classes" if isinstance(targets, Labels) else "numbers"


def other_kind(scoring, kind):
    """Return the words for a score that is for another kind of target, or None.

    Parameters
    ----------
    scoring : str
    kind : {"classes", "numbers"}
    """
    own = target_of_metric(get_scorer(scoring))
    return None if own == kind else f"is for {own}, and the target is {kind}"


def _few(targets, y):
    """Return some of the rows, with all of their classes."""
    return np.repeat(np.unique(y), 2) if has_one_label(targets) else y[:_N_TRIED]


def _mismatch(scoring, score_of, targets, y):
    """Return the words for a score that is for other targets, or None."""
    if reason := other_kind(scoring, kind_of(targets)):
        return reason
    if not isinstance(targets, Labels):
        if problem_of(score_of(scoring), targets, 1 + np.abs(y)):
            return None
        return f"is for positive numbers, and the lowest of the target is {y.min():g}"
    is_for_several = _is_for(scoring, [[0, 1], [1, 0], [1, 1]], "multilabel-indicator")
    is_for_one = _is_for(scoring, [0, 1, 0, 1], "binary")
    if targets.is_multilabel:
        return _ONE if is_for_one and not is_for_several else None
    if problem_of(score_of(scoring), targets, np.repeat(targets.classes, 2)) is None:
        return None  # the rows lack some classes
    if not is_for_one:
        return _SEVERAL if is_for_several else None
    names = targets.classes.tolist()
    if len(names) > 2:
        return f"is for two classes, and the target has {len(names)}"
    return (
        "is for the classes 0 and 1, of which 1 is the positive one, and the target's "
        f"are {in_words(names, 'and')}"
    )


_SEVERAL = (
    "is for classes of which a row can have several, and the target has one class per "
    "row"
)
_ONE = "is for classes of which a row has one, and the target has several per row"


def _is_for(scoring, y, kind):
    """Return whether a score can be computed for classes that are called 0 and 1."""
    return (
        problem_of(get_scorer(scoring), Labels(np.arange(2), kind), np.array(y)) is None
    )


def _described(targets, y):
    """Return a description of rows, for messages."""
    rows = f"n_samples={len(y)} rows to be scored"
    if has_one_label(targets):
        classes = targets.classes.tolist()
        return f"{rows} with the classes {np.unique(y).tolist()} of {classes}"
    if isinstance(targets, Labels):
        return f"{rows} with {targets.n_outputs} labels each"
    return f"{rows} of a regression"


def _nearest(scoring, kind, is_usable):
    """Return scores that can be used, those with similar names if there are any."""
    names = [n for n in get_scorer_names() if target_of_metric(get_scorer(n)) == kind]
    names = [name for name in names if name != scoring]
    stem = scoring.removesuffix("_samples")
    variants = [name for name in names if name.startswith(f"{stem}_")]
    for group in (variants, get_close_matches(scoring, names, len(names)), USUAL[kind]):
        if found := list(islice(filter(is_usable, group), _MAX_SHOWN)):
            return found
    return []
