"""Copies of texts in other words, for training."""

import re
import unicodedata
from collections.abc import Iterable, Set
from functools import cache
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from skreg.augmentation.wordnet import wordnet_synonyms
from skreg.compatibility import Interval, StrOptions

__all__ = ["TextAugmenter"]

_OPENING = ("(", "[", "{", '"', "“", "‘", "«")
_SPACES_AND_COMMAS = " \t\r\n,;:"
_SHARE = Interval(Real, 0, 1, closed="both")


class TextAugmenter(BaseEstimator):
    """Add copies of texts in which some words are changed.

    The four techniques of "easy data augmentation" [1]_, and translations there and
    back. Each copy is made by one technique; the copies of a text are shared out among
    those that are on, in random order. Punctuation, spaces and the case of a replaced
    word stay as they are.

    A strength alpha changes n = max(1, ⌊alpha · number of words⌋) words of a text. On
    few training texts the authors advise alpha = 0.05 and 16 copies, on thousands 0.1
    and 4.

    Parameters
    ----------
    synonyms : {"wordnet"}, dict, callable or None, default="wordnet"
        Where synonyms come from: Princeton's WordNet, which ``pip install
        'skreg[text]'`` installs; a dictionary from a word to a list of words; a
        function that does the same; None turns off what needs them. A word is looked
        up as it stands, and then in lower case.
    synonym_replacement : float, default=0.1
        Strength of replacing: n different words, at all places where they occur, each
        by a random synonym. Never stop words.
    random_insertion : float, default=0.1
        Strength of inserting: n synonyms of words of the text at random places. Never
        those of stop words.
    random_swap : float, default=0.1
        Strength of swapping: n times two words at random change places.
    random_deletion : float, default=0.1
        Probability with which each word is left out. One word is always kept.
    back_translate : callable, default=None
        Takes a list of texts and returns as many, translated into another language and
        back. It is called once, with all texts whose turn it is.
    n_copies : int, default=4
        Number of copies of each text; 0 is no augmentation.
    stop_words : {"english"}, list of str or None, default="english"
        Words that are neither replaced nor the origin of inserted ones, in any case.
        "english" is scikit-learn's list.
    random_state : int, RandomState instance or None, default=None
        Seed of all that is random. An int gives the same copies in every call.

    See Also
    --------
    Augmented : An estimator that is trained on the copies, too.

    References
    ----------
    .. [1] Wei and Zou (2019), "EDA: Easy Data Augmentation Techniques for Boosting
       Performance on Text Classification Tasks".

    Examples
    --------
    >>> from skreg import TextAugmenter
    >>> synonyms = {"quick": ["fast", "swift"]}
    >>> augmenter = TextAugmenter(synonyms=synonyms, random_state=5)
    >>> texts, rows = augmenter.augment(["The Quick, brown fox."])
    >>> for text in texts:
    ...     print(text)
    The Quick, brown fox.
    The Quick, fox.
    The Quick, swift brown fox.
    The brown, Quick fox.
    The Fast, brown fox.
    >>> rows
    array([0, 0, 0, 0, 0])
    """

    _parameter_constraints: dict = {
        "synonyms": [StrOptions({"wordnet"}), dict, callable, None],
        "synonym_replacement": [_SHARE],
        "random_insertion": [_SHARE],
        "random_swap": [_SHARE],
        "random_deletion": [_SHARE],
        "back_translate": [callable, None],
        "n_copies": [Interval(Integral, 0, None, closed="left")],
        "stop_words": [StrOptions({"english"}), list, tuple, set, frozenset, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        synonyms="wordnet",
        synonym_replacement=0.1,
        random_insertion=0.1,
        random_swap=0.1,
        random_deletion=0.1,
        back_translate=None,
        n_copies=4,
        stop_words="english",
        random_state=None,
    ):
        self.synonyms = synonyms
        self.synonym_replacement = synonym_replacement
        self.random_insertion = random_insertion
        self.random_swap = random_swap
        self.random_deletion = random_deletion
        self.back_translate = back_translate
        self.n_copies = n_copies
        self.stop_words = stop_words
        self.random_state = random_state

    def augment(self, X):
        """Return the texts, then their copies.

        Parameters
        ----------
        X : list of str, ndarray, pandas or polars Series of shape (n_samples,)
            The texts.

        Returns
        -------
        texts : of the kind of X, of shape (n_samples * (1 + n_copies),)
            The texts in their order, then a first copy of each, a second and so on.
        rows : ndarray of int of shape (n_samples * (1 + n_copies),)
            The position in X of the text that each comes from: what belongs to a text,
            such as ``y[rows]``, belongs to its copies.
        """
        self._validate_params()
        texts = _checked(X)
        copies = self._copies_of(texts) if self.n_copies else []
        rows = np.tile(np.arange(len(texts)), 1 + self.n_copies)
        return _same_kind(X, texts + copies, rows), rows

    def _copies_of(self, texts):
        """Return a copy of each text, then a second of each, and so on."""
        techniques = self._techniques()
        rng = np.random.default_rng(self._draw_seed())
        turns = np.tile(np.arange(len(techniques)), (len(texts), 1))
        turns = rng.permuted(turns, axis=1)
        split = [_split(text) for text in texts]
        copies, to_translate = [], []
        for number in range(self.n_copies):
            for text, (words, gaps), turn in zip(texts, split, turns):
                technique = techniques[turn[number % len(turn)]]
                if not words:
                    copies.append(text)
                elif technique is None:
                    to_translate.append(len(copies))
                    copies.append(text)
                else:
                    copies.append(technique(words, gaps, rng))
        for place, translated in zip(
            to_translate, self._translated([copies[place] for place in to_translate])
        ):
            copies[place] = translated
        return copies

    def _techniques(self):
        """Return functions of words, gaps and generator; None is translation."""
        lexicon = _Lexicon(self.synonyms, self.stop_words)
        found = []
        if self.synonyms is not None:
            if alpha := self.synonym_replacement:
                found.append(_technique(_replace, alpha, lexicon))
            if alpha := self.random_insertion:
                found.append(_technique(_insert, alpha, lexicon))
        if alpha := self.random_swap:
            found.append(_technique(_swap, alpha))
        if probability := self.random_deletion:
            found.append(
                lambda words, gaps, rng: _delete(words, gaps, probability, rng)
            )
        if self.back_translate is not None:
            found.append(None)
        if not found:
            raise ValueError(
                f"n_copies={self.n_copies} copies are asked for and every technique is "
                "off: give synonym_replacement or random_insertion (with synonyms), "
                "random_swap, random_deletion or back_translate."
            )
        return found

    def _translated(self, texts):
        """Return what `back_translate` makes of the texts."""
        if not texts:
            return []
        translated = self.back_translate(list(texts))
        if isinstance(translated, str) or not isinstance(translated, Iterable):
            raise TypeError(
                "back_translate must return a list of texts, got "
                f"{translated!r} of type {type(translated).__name__}."
            )
        translated = list(translated)
        if len(translated) != len(texts):
            raise ValueError(
                f"back_translate must return as many texts as it is given, got "
                f"{len(translated)} for {len(texts)}."
            )
        return _checked(translated, "What back_translate returns")

    def _draw_seed(self):
        """Return a seed; only a RandomState instance is advanced."""
        if self.random_state is None:
            return np.random.SeedSequence().entropy
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        return int(self.random_state.randint(2**31 - 1))


class _Lexicon:
    """Synonyms of words that are no stop words, each looked up once."""

    def __init__(self, synonyms, stop_words):
        if stop_words == "english":
            stop_words = ENGLISH_STOP_WORDS
        for word in stop_words or ():
            if not isinstance(word, str):
                raise TypeError(
                    f"stop_words must be words, got {word!r} of type "
                    f"{type(word).__name__}."
                )
        self.stop_words = {word.lower() for word in stop_words or ()}
        if isinstance(synonyms, dict):
            self.look_up = lambda word: synonyms.get(word, ())
        else:
            self.look_up = wordnet_synonyms if synonyms == "wordnet" else synonyms
        self.known = {}

    def __getitem__(self, word):
        """Return the synonyms of a word as a list, which may be empty."""
        if word not in self.known:
            self.known[word] = self._find(word)
        return self.known[word]

    def _find(self, word):
        # To WordNet the letters of "U.S." are uranium and sulphur.
        is_letter = len(word) == 1 and self.look_up is wordnet_synonyms
        if is_letter or word.lower() in self.stop_words:
            return []
        for spelling in dict.fromkeys([word, word.lower()]):
            found = _as_list(self.look_up(spelling), spelling)
            found = [s for s in found if s.strip() and s.lower() != word.lower()]
            if found:
                return found
        return []


def _as_list(synonyms, word):
    """Return what is given as the synonyms of a word as a list of str."""
    if isinstance(synonyms, Iterable) and not isinstance(synonyms, str):
        found = list(synonyms)
        if all(isinstance(synonym, str) for synonym in found):
            # The order of a set is another one in each process.
            return sorted(found) if isinstance(synonyms, Set) else found
    raise TypeError(
        f"synonyms must give a list of str for each word, got {synonyms!r} for "
        f"{word!r}."
    )


def _technique(change, alpha, *args):
    """Return a technique that changes a share of the words, but one at least."""

    def changed(words, gaps, rng):
        # 0.29 * 100 is 28.999…
        n_changes = max(1, int(alpha * len(words) + 1e-9))
        return change(words, gaps, n_changes, *args, rng)

    return changed


def _replace(words, gaps, n_changes, lexicon, rng):
    """Replace some of the different words, wherever they occur."""
    candidates = list(dict.fromkeys(word.lower() for word in words if lexicon[word]))
    chosen = rng.permutation(len(candidates))[:n_changes]
    chosen = {candidates[position] for position in chosen}
    replacement = {}
    new = []
    for word in words:
        if (key := word.lower()) in chosen and lexicon[word]:
            if key not in replacement:
                replacement[key] = _pick(lexicon[word], rng)
            word = _in_case_of(word, replacement[key])
        new.append(word)
    return _join(new, gaps)


def _insert(words, gaps, n_changes, lexicon, rng):
    """Insert synonyms of words of the text at random places."""
    origins = [word for word in words if lexicon[word]]
    if not origins:
        return _join(words, gaps)
    words, gaps = list(words), list(gaps)
    for _ in range(n_changes):
        synonym = _pick(lexicon[_pick(origins, rng)], rng)
        place = int(rng.integers(len(words) + 1))
        # Before a word, and so after what stands before it; or after the last word,
        # and so before the full stop.
        gaps.insert(place + (place < len(words)), " ")
        words.insert(place, synonym)
    return _join(words, gaps)


def _swap(words, gaps, n_changes, rng):
    """Let two different places change their words, some times."""
    words, n_words = list(words), len(words)
    if n_words > 1:
        for _ in range(n_changes):
            one = int(rng.integers(n_words))
            two = (one + 1 + int(rng.integers(n_words - 1))) % n_words
            words[one], words[two] = words[two], words[one]
    return _join(words, gaps)


def _delete(words, gaps, probability, rng):
    """Leave out each word with a probability, but never all."""
    kept = rng.random(len(words)) >= probability
    if not kept.any():
        kept[rng.integers(len(words))] = True
    new_words, new_gaps = [], [gaps[0]]
    for word, gap, keep in zip(words, gaps[1:], kept):
        if keep:
            new_words.append(word)
            new_gaps.append(gap)
        else:
            new_gaps[-1] = _merged(new_gaps[-1], gap)
    if not kept[0]:
        new_gaps[0] = new_gaps[0].lstrip(_SPACES_AND_COMMAS)
    if not kept[-1]:
        new_gaps[-1] = new_gaps[-1].rstrip(_SPACES_AND_COMMAS)
    return _join(new_words, new_gaps)


def _merged(before, after):
    """Return what stands where a word was: no two spaces, no comma before a mark."""
    if after.strip():
        return before.rstrip(_SPACES_AND_COMMAS) + after
    if before.endswith(_OPENING):
        return before
    return before.rstrip() + after


@cache
def _word_pattern():
    """Return the expression of a word; to make it takes a pass over all characters."""
    # Accents and vowel signs that are characters of their own, as in Hindi or in
    # decomposed Latin, are parts of words, which \w does not hold. Blocks of them are
    # neighbours.
    characters = map(chr, range(0x10000))
    marks = "".join(c for c in characters if unicodedata.category(c)[0] == "M")
    # So are the joiners inside words of Persian and of Indian languages.
    letter = rf"\w[\u200c\u200d{re.escape(marks)}]*"
    # A hyphen or an apostrophe inside a word is part of it. What stands between words,
    # spaces and punctuation, stays where it is.
    return re.compile(rf"((?:{letter})+(?:['’-](?:{letter})+)*)")


def _split(text):
    """Return the words, and what stands before, between and after them."""
    pieces = _word_pattern().split(text)
    return pieces[1::2], pieces[::2]


def _join(words, gaps):
    pieces = [gaps[0]]
    for word, gap in zip(words, gaps[1:]):
        pieces += [word, gap]
    return "".join(pieces)


def _pick(values, rng):
    return values[int(rng.integers(len(values)))]


def _in_case_of(word, synonym):
    """Return a synonym in capitals, or with a capital, as the word is."""
    if len(word) > 1 and word.isupper():
        return synonym.upper()
    if word[0].isupper():
        return synonym[:1].upper() + synonym[1:]
    return synonym


def _checked(X, name="X"):
    """Return texts as a list of str."""
    if isinstance(X, str):
        raise ValueError(f"{name} must be texts, one for each row, got one str.")
    if not isinstance(X, Iterable):
        raise TypeError(f"{name} must be texts, one for each row, got {X!r}.")
    if getattr(X, "ndim", 1) != 1 or hasattr(X, "columns"):
        raise ValueError(
            f"{name} must be texts, one for each row, got {type(X).__name__} of "
            f"{getattr(X, 'ndim', 2)} axes."
        )
    texts = list(X)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(
                f"{name} must be texts, got {text!r} of type {type(text).__name__} at "
                f"position {position}. Fill in missing texts, for example with ''."
            )
    return [str(text) for text in texts]


def _same_kind(X, texts, rows):
    """Return texts in a container as X, so that later steps see what they expect."""
    if hasattr(X, "iloc"):
        # New texts are none of the categories.
        dtype = None if X.dtype == "category" else X.dtype
        return type(X)(texts, index=X.index.take(rows), name=X.name, dtype=dtype)
    if type(X).__module__.startswith("polars"):
        # Here, too; a Categorical takes in what is new.
        dtype = None if str(X.dtype).startswith("Enum") else X.dtype
        return type(X)(X.name, texts, dtype=dtype)
    if isinstance(X, np.ndarray):
        # A width, as that of "<U5", would cut off what is longer.
        return np.array(texts, dtype=str if X.dtype.kind == "U" else X.dtype)
    return texts
