"""Words that stand for a missing value."""

# Those of pandas and skrub, in upper or lower case, and what R, SAS and spreadsheets
# write.
_ANYWHERE = {
    *("", "?", "...", "na", "n/a", "<na>", "nan", "-nan", "nat", "null"),
    *("#n/a", "#n/a n/a", "#na", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
    *("#null!", "#div/0!", "#value!", "#ref!", "#num!", "#name?"),
}
# Only beside numbers and dates: elsewhere they may be a category.
_BESIDE_NUMBERS = {
    *("-", "--", "---", "–", "—", ".", "..", "*", "**", "x", "nd"),
    *("n.d.", "n.a.", "nr"),
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
    text = text.casefold()
    return text in _ANYWHERE or (beside_numbers and text in _BESIDE_NUMBERS)
