"""Texts as words and the gaps between them, and the gap that a deleted word leaves.

A word is what a reader takes as one: a number with its separators and units, an
address, an abbreviation with its periods, a hashtag. Gaps hold everything else: spaces,
punctuation, and markup, emoji and emoticons, which stay where they are. There is at
least one character between two words, so that words can change places.
"""

import re
import unicodedata
from functools import cache

# Marks that have no space after them. The last one ends a tag.
_OPENING = ("(", "[", "{", '"', "“", "‘", "«", ">")
_SPACES_AND_COMMAS = " \t\r\n,;:"

# In the expressions below, \p{...} inside a set stands for the characters of a category
# of Unicode, as in Perl. Python's `re` does not know it; `_pattern` fills them in.

# Zero-width joiners are part of words of Persian and of Indian languages, and combining
# accents and vowel signs, as in Hindi or in decomposed Latin, of many more; \w matches
# none of them.
_RUN = r"\w[\w\u200c\u200d\p{M}]*+"

# Parts of gaps that are not to be taken apart.
_MARKUP = (
    r"<!--.*?-->",
    # A tag with attributes, whose values may contain ">", and one with stray quotes.
    r"""<[/!]?[A-Za-z](?:[^<>"']++|"[^"]*+"|'[^']*+')*+>""",
    r"<[/!]?[A-Za-z][^<>]*+>",
    r"&(?:#\d+|#[xX][\da-fA-F]+|[A-Za-z]\w+);",
)
_EMOTICONS = (
    r"[:;=][-^o']?[)(\]\[|/\\]",
    r"\([-^o']?[:;=]",
    r"(?<!\w)[:;=][-^o']?[dDpPoOxX3](?!\w)",
    r"</?3+(?![\w.,:%])",
)

_ADDRESSES = (
    # A bracket belongs to an address if it is closed in it, and a full stop at the end
    # to the sentence.
    r"""(?:[A-Za-z][\w+.-]*+://|www\.|mailto:)"""
    r"""(?:[^\s<>"“”«»()[\]（）「」。、，！？]|\([^\s<>"()]*+\)|\[[^\s<>"[\]]*+\])+"""
    r"""(?<![.,;:!?'’…*_}])""",
    r"""(?:[\w-]++\.)+[A-Za-z]{2,}+[/?][^\s<>"“”«»()[\]]*(?<![.,;:!?'’…*_}])""",
    # The path of a file.
    r"(?<![\w/\\.:<>)\]*-])(?:~|\.\.?|[A-Za-z]:)?(?:[/\\][\w.-]*\w)+[/\\]?",
    # A DOI.
    r"10\.\d{4,}/\S*\w",
)
_ABBREVIATIONS = (
    r"(?<![\w.])(?:[^\W\d_]\.){2,}",
    r"(?<![\w.])(?i:mr|mrs|ms|dr|prof|st|jr|sr|vs|etc|inc|ltd|corp|dept|approx"
    r"|ph\.d|b\.sc|m\.sc)\.",
    # An initial. A sentence rarely ends with a single capital other than "I".
    r"(?<![\w.])(?!I\.)[\p{Lu}]\.(?=\s?[\p{Lu}])",
)
# A sign or a comparison before a number; the symbol of a currency, a hashtag or an
# account; a point or an apostrophe for digits that are left out.
_PREFIX = (
    r"(?:(?<![\w.])[-+−±~≈<>≤≥](?=[\p{Sc}]?\.?\d))?"
    r"[\p{Sc}#＃@＠§№]?"
    r"(?:(?<![\w.])\.(?=\d)|['’](?=\d\ds?(?!\w)))?"
)
# Units, and signs as in "A+", "C++" and "C#".
_SUFFIX = r"(?:[%‰‱°′″\p{Sc}]|\+\+?|(?<=\b[A-Za-z])#)?"
# What joins two parts to one word.
_JOINERS = (
    r"['’‐‑−·\xad-]|\*+|@|&(?!#\w+;|\w{2,};)",
    # The same, as HTML writes them: "don&#39;t", "R&amp;B".
    r"&(?:amp|apos|rsquo|#0?39|#[xX]27|#8217);",
    # A period with no space after it, as in "node.js" and addresses of mail, but not
    # one between sentences, as in "end.Next".
    r"\.(?!(?<=[\p{Ll}]\.)[\p{Lu}])",
    r"(?<=\d)(?:[,:/^×٫٬]|[\xa0\u202f\u2009](?=\d{3}(?!\d)))(?=\d)",
    r"(?<=[\d%°\p{Sc}])–(?=[\p{Sc}]?\d)",
    # A single letter before or after a slash, as in "w/o" and "km/h".
    r"(?<=\b\w)/|/(?=\w\b)",
    # Quotation marks that make Hebrew abbreviations.
    r"""(?<=[\u0590-\u05ff])["״׳](?=[\u0590-\u05ff])""",
)


def split_words(text):
    """Split a text into words and gaps.

    Parameters
    ----------
    text : str

    Returns
    -------
    words : list of str
    gaps : list of str
        The gaps before, between and after the words; one more than there are words.
        Only the first and the last can be empty.
    """
    words, gaps, end = [], [], 0
    for match in _pattern().finditer(text):
        if word := match["word"]:
            gaps.append(text[end : match.start()])
            words.append(word)
            end = match.end()
    return words, [*gaps, text[end:]]


def join_words(words, gaps):
    """Return the text of words and gaps, the reverse of `split_words`."""
    pieces = [gaps[0]]
    for word, gap in zip(words, gaps[1:]):
        pieces += [word, gap]
    return "".join(pieces)


def word_key(word):
    """Return the spelling by which a word is compared with lists of words.

    Case, the form of the apostrophe, and whether accents are combined with their
    letters do not count.
    """
    return unicodedata.normalize("NFC", word.lower().replace("’", "'"))


def without_words(words, gaps, kept):
    """Return a text without some of its words.

    Parameters
    ----------
    words, gaps : list of str
        As returned by `split_words`.
    kept : sequence of bool
        Whether each word is kept. At least one is.

    Returns
    -------
    str
    """
    new_words, new_gaps = [], [gaps[0]]
    for word, gap, keep in zip(words, gaps[1:], kept):
        if keep:
            new_words.append(word)
            new_gaps.append(gap)
        else:
            new_gaps[-1] = _merged(new_gaps[-1], gap)
    if not kept[0]:
        new_gaps[0] = _strip_start(new_gaps[0])
    if not kept[-1]:
        new_gaps[-1] = _strip_end(new_gaps[-1])
    return join_words(new_words, new_gaps)


def _merged(before, after):
    """Merge the gaps before and after a deleted word.

    The result has no double space, no comma before another punctuation mark, and the
    line break of either.
    """
    if after.strip():
        return _strip_end(before) + after
    if before.endswith(_OPENING):
        return before
    rest = before.rstrip()
    return rest + max(after, before[len(rest) :], key=lambda gap: gap.count("\n"))


def _strip_start(gap):
    """Remove spaces and commas at the start of a gap, but not from an emoticon."""
    match = _pattern().search(gap)
    start = match.start() if match else len(gap)
    return gap[:start].lstrip(_SPACES_AND_COMMAS) + gap[start:]


def _strip_end(gap):
    """Remove spaces and commas at the end of a gap, but not from an emoticon."""
    end = max((match.end() for match in _pattern().finditer(gap)), default=0)
    return gap[:end] + gap[end:].rstrip(_SPACES_AND_COMMAS)


@cache
def _pattern():
    """Return the regular expression of a word, or of a part of a gap to keep together.

    It is cached, because making it takes a pass over many characters.
    """
    unit = f"(?:{'|'.join(_ABBREVIATIONS)}|{_PREFIX}{_RUN}{_SUFFIX})"
    chain = f"{unit}(?:(?:{'|'.join(_JOINERS)}){unit})*"
    # Words without a gap between them, as in "12%off", are one word.
    word = f"(?:{'|'.join(_ADDRESSES)}|{chain})+"
    pattern = f"{'|'.join(_MARKUP + _EMOTICONS)}|(?P<word>{word})"
    for category, characters in _characters().items():
        pattern = pattern.replace(rf"\p{{{category}}}", characters)
    return re.compile(pattern, re.DOTALL)


def _characters():
    """Return the characters of the categories of Unicode, escaped for a set."""
    found = {"M": [], "Sc": [], "Lu": [], "Ll": []}
    # The second range holds marks only, which tell variants of Chinese signs apart.
    for code in [*range(0x20000), *range(0xE0100, 0xE01F0)]:
        category = unicodedata.category(chr(code))
        key = "M" if category[0] == "M" else category
        if key in found:
            found[key].append(chr(code))
    return {key: re.escape("".join(characters)) for key, characters in found.items()}
