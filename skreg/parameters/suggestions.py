"""The nearest valid name, for error messages about a mistyped one."""

from difflib import get_close_matches

_MAX_SHOWN = 10


def did_you_mean(name, options):
    """Return advice for an error message about a name that is not valid.

    Parameters
    ----------
    name : str
        The name that was given.
    options : iterable of str
        The valid names.

    Returns
    -------
    str
        ``"did you mean 'x'?"`` if an option is similar, otherwise the options.

    Examples
    --------
    >>> from skreg.parameters.suggestions import did_you_mean
    >>> did_you_mean("brest_cancer", ["breast_cancer", "iris"])
    "did you mean 'breast_cancer'?"
    >>> did_you_mean("mnist", ["breast_cancer", "iris"])
    "expected one of 'breast_cancer', 'iris'"
    """
    by_lower = {option.lower(): option for option in options}
    nearest = get_close_matches(name.lower(), by_lower, n=1)
    if nearest:
        return f"did you mean {by_lower[nearest[0]]!r}?"
    shown = [repr(option) for option in by_lower.values()]
    # A table may have thousands of columns.
    more = ", ..." if len(shown) > _MAX_SHOWN else ""
    return f"expected one of {', '.join(shown[:_MAX_SHOWN])}{more}"
