"""The nearest valid name, for error messages about a mistyped one."""

from difflib import SequenceMatcher, get_close_matches

_MAX_SHOWN = 10
# How much less similar further names may be than the most similar one.
_LESS_SIMILAR = 0.1


def did_you_mean(name, options, *, n=1, aliases=None):
    """Return advice for an error message about a name that is not valid.

    Parameters
    ----------
    name : str
        The name that was given.
    options : iterable of str
        The valid names.
    n : int, default=1
        Maximum number of similar names to give.
    aliases : dict of str to str, default=None
        Valid names by other names that users may know them by.

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
    >>> did_you_mean("f1_mcro", ["f1", "f1_macro", "f1_micro"], n=2)
    "did you mean 'f1_micro' or 'f1_macro'?"
    """
    by_lower = {option.lower(): option for option in options}
    if name.lower() in (aliases or {}):
        return f"did you mean {aliases[name.lower()]!r}?"
    nearest = _similar(name.lower(), by_lower) or [
        option for option in by_lower if len(name) > 2 and name.lower() in option
    ]
    if nearest:
        return f"did you mean {in_words(by_lower[each] for each in nearest[:n])}?"
    shown = [repr(option) for option in by_lower.values()]
    # A table may have thousands of columns.
    more = ", ..." if len(shown) > _MAX_SHOWN else ""
    return f"expected one of {', '.join(shown[:_MAX_SHOWN])}{more}"


def _similar(name, options):
    """Return the most similar options, and those that are almost as similar."""
    found = get_close_matches(name, options, n=_MAX_SHOWN)
    ratios = [SequenceMatcher(None, option, name).ratio() for option in found]
    return [each for each, r in zip(found, ratios) if r >= max(ratios) - _LESS_SIMILAR]


def in_words(names, joint="or"):
    """Return names in quotes, with commas and a word before the last one.

    Examples
    --------
    >>> from skreg.parameters.suggestions import in_words
    >>> in_words(["a", "b", "c"])
    "'a', 'b' or 'c'"
    """
    *others, last = map(repr, names)
    return f"{', '.join(others)} {joint} {last}" if others else last
