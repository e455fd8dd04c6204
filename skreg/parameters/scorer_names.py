"""Names of scores, and how functions that score are called."""

from inspect import signature

from sklearn.metrics import get_scorer, get_scorer_names

from skreg.compatibility import metric_of
from skreg.parameters.suggestions import did_you_mean


def check_scorer(parameter, value, *, others=()):
    """Raise if a parameter is a name that no score has, or a metric.

    Parameters
    ----------
    parameter : str
        Name of the parameter, for the error message.
    value : object
        Value of the parameter. Of functions, only the signature is checked.
    others : sequence of str, default=()
        Names that are allowed although they are no scores.

    Raises
    ------
    ValueError
        If no score has this name, in which case the message gives the nearest names,
        or if a function does not take an estimator, inputs and targets.

    Examples
    --------
    >>> from skreg.parameters.scorer_names import check_scorer
    >>> check_scorer("scoring", "acuracy")
    Traceback (most recent call last):
        ...
    ValueError: scoring='acuracy' is not a score of scikit-learn; did you mean ...
    """
    if callable(value) and not _takes_estimator(value):
        name = getattr(value, "__name__", repr(value))
        raise ValueError(
            f"{parameter}={name} must be called as {name}(estimator, X, y). Make a "
            f"scorer of a metric, such as sklearn.metrics.make_scorer({name})."
        )
    if not isinstance(value, str) or value in others:
        return
    names = [*others, *get_scorer_names()]
    if value in names:
        return
    raise ValueError(
        f"{parameter}={value!r} is not a score of scikit-learn;"
        f" {did_you_mean(value, names, n=3, aliases=_other_names())}"
    )


def scorer_name(scoring):
    """Return the name of a score.

    Parameters
    ----------
    scoring : str or callable

    Returns
    -------
    str
        For a scorer of scikit-learn its name, for a function that of the function.

    Examples
    --------
    >>> from sklearn.metrics import get_scorer
    >>> from skreg.parameters.scorer_names import scorer_name
    >>> scorer_name(get_scorer("f1_macro"))
    'f1_macro'
    """
    if isinstance(scoring, str):
        return scoring
    own = repr(scoring)
    same = (each for each in get_scorer_names() if repr(get_scorer(each)) == own)
    return next(same, getattr(scoring, "__name__", own))


def _takes_estimator(function):
    """Return whether a function can be called with three arguments."""
    try:
        signature(function).bind("estimator", "X", "y")
    except TypeError:
        return False
    except ValueError:  # functions in C may have no signature
        return True
    return True


def _other_names():
    """Return scores by the names of their functions, and errors by their initials."""
    found = {}
    for name in get_scorer_names():
        function = metric_of(get_scorer(name)).__name__
        if function.endswith("_error"):
            initials = "".join(word[0] for word in function.split("_"))
            found.setdefault(initials, name)
        found.setdefault(function, name)
    return found
