"""Words that stand for a missing value."""

# Those of pandas and skrub, and what R, SAS, databases and spreadsheets write.
_ANYWHERE = {
    *("", "?", "...", "na", "n/a", "<na>", "nan", "-nan", "nat", "null", "<null>"),
    *("#n/a", "#n/a n/a", "#na", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    *("#null!", "#div/0!", "#value!", "#ref!", "#num!", "#name?", r"\n", "(null)"),
}
# Names and symbols, such as that of sodium, in this case.
_MAY_BE_NAMES = {"Na", "Nan", "Nat"}
# Only beside numbers and dates: elsewhere they may be a category.
_BESIDE_NUMBERS = {
    *("-", "--", "---", "–", "—", ".", "..", "*", "**", "x", "nd"),
    *("n.d.", "n.a.", "n. a.", "k.a.", "k. a.", "nr", "(blank)", "0000-00-00"),
    *("0000-00-00 00:00:00",),
    *("none", "nil", "unknown", "unk", "missing", "undefined", "no data", "tba"),
    *("not available", "not applicable", "not reported"),
}


def is_missing(text, beside_numbers=False):
    """Whether a text stands for a missing value.

    Parameters
    ----------
    text : str
        Without spaces around it.
    beside_numbers : bool, default=False
        Whether the other texts are numbers or dates, so that "-" is none.
    """
    lower = text.casefold()
    if lower in _ANYWHERE:
        return beside_numbers or text not in _MAY_BE_NAMES
    return beside_numbers and lower in _BESIDE_NUMBERS
