"""Copies of training texts in which some words are changed."""

from collections.abc import Callable, Iterable, Mapping, Set
from functools import partial
from typing import Literal, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from skreg.augmentation.wordnet import wordnet_synonyms
from skreg.augmentation.words import join_words, split_words, without_words, word_key
from skreg.compatibility import StrOptions, check_constraints
from skreg.data.random_streams import seed_of
from skreg.parameters.intervals import COUNT_OR_ZERO, PROBABILITY
from skreg.typing import NDArray, RandomState

# A list, an array or a Series of str.
Texts = TypeVar("Texts", bound=Iterable[str])
# A list of words, as a parameter.
Words = list[str] | tuple[str, ...] | set[str] | frozenset[str]


class TextAugmenter(BaseEstimator):
    """Add copies of texts in which some words are changed.

    The techniques are the four of "easy data augmentation" [1]_ and back-translation.
    Each copy is made by one technique. The copies of a text use the techniques that are
    on in turn, in random order. Punctuation, spaces and the case of a replaced word
    stay as they are, and so do tags, emoji and emoticons.

    A word is what a reader takes as one: "4.5", "10:30", "$1,299", "don't",
    "state-of-the-art", "U.S.A.", "#tag", "jo@site.org" or "https://site.org/a?b=c". An
    apostrophe at the start or the end of a word counts as a quotation mark. Texts in
    languages without spaces have to be segmented first.

    A strength alpha changes n = max(1, ⌊alpha · number of words⌋) words of a text. For
    few training texts the authors recommend alpha = 0.05 and 16 copies, for thousands
    of texts 0.1 and 4.

    Parameters
    ----------
    synonyms : {"wordnet"}, dict, callable or None, default="wordnet"
        Source of the synonyms: Princeton's WordNet, which ``pip install 'skreg[text]'``
        installs; a dictionary that maps a word to a list of words; or a function that
        does the same. With None, the techniques that need synonyms are off. A word is
        looked up as it is, and then in lower case.
    synonym_replacement : float, default=0.1
        Strength of synonym replacement. It replaces n different words by a random
        synonym each, wherever they occur. Stop words are not replaced.
    random_insertion : float, default=0.1
        Strength of random insertion. It inserts n synonyms of words of the text at
        random places. Synonyms of stop words are not inserted.
    random_swap : float, default=0.1
        Strength of random swaps. It swaps two random words, n times.
    random_deletion : float, default=0.1
        Probability of deleting each word. One word is always kept.
    back_translate : callable, default=None
        Maps a list of texts to a list of equal length, with the texts translated into
        another language and back. It is called once, with all texts to translate.
    n_copies : int, default=4
        Number of copies of each text. 0 means no augmentation.
    stop_words : {"english"}, list of str or None, default="english"
        Words that are not replaced and whose synonyms are not inserted. They may be
        deleted and swapped. Case is ignored. "english" is scikit-learn's list.
    protected_words : list of str or None, default=None
        Words that are not replaced, deleted, swapped or inserted, such as negations, or
        names to be recognised: ``["not", "no", "never", "don't"]``. Each copy contains
        them as often as its original, except for those of `back_translate`. Case is
        ignored.
    random_state : int, RandomState instance or None, default=None
        Seed of the random numbers. An int gives the same copies in every call.

    See Also
    --------
    Augmented : An estimator that is also trained on the copies.

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
        "synonym_replacement": [PROBABILITY],
        "random_insertion": [PROBABILITY],
        "random_swap": [PROBABILITY],
        "random_deletion": [PROBABILITY],
        "back_translate": [callable, None],
        "n_copies": [COUNT_OR_ZERO],
        "stop_words": [StrOptions({"english"}), list, tuple, set, frozenset, None],
        "protected_words": [list, tuple, set, frozenset, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        synonyms: Literal["wordnet"]
        | Mapping[str, Iterable[str]]
        | Callable[[str], Iterable[str]]
        | None = "wordnet",
        synonym_replacement: float = 0.1,
        random_insertion: float = 0.1,
        random_swap: float = 0.1,
        random_deletion: float = 0.1,
        back_translate: Callable[[list[str]], Iterable[str]] | None = None,
        n_copies: int = 4,
        stop_words: Literal["english"] | Words | None = "english",
        protected_words: Words | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.synonyms = synonyms
        self.synonym_replacement = synonym_replacement
        self.random_insertion = random_insertion
        self.random_swap = random_swap
        self.random_deletion = random_deletion
        self.back_translate = back_translate
        self.n_copies = n_copies
        self.stop_words = stop_words
        self.protected_words = protected_words
        self.random_state = random_state

    def augment(self, X: Texts) -> tuple[Texts, NDArray[np.intp]]:
        """Return the texts followed by their copies.

        Parameters
        ----------
        X : list of str, ndarray, pandas or polars Series of shape (n_samples,)
            The texts.

        Returns
        -------
        texts : same type as X, of shape (n_samples * (1 + n_copies),)
            The texts in their order, then the first copy of each, then the second, and
            so on.
        rows : ndarray of int of shape (n_samples * (1 + n_copies),)
            Index in X of the original of each text. The targets of all texts are
            ``y[rows]``.
        """
        check_constraints(self)
        texts = _checked(X)
        copies = self._make_copies(texts) if self.n_copies else []
        rows = np.tile(np.arange(len(texts)), 1 + self.n_copies)
        return _same_kind(X, texts + copies, rows), rows

    def _make_copies(self, texts):
        """Return the first copy of each text, then the second, and so on."""
        techniques = self._techniques()
        rng = np.random.default_rng(seed_of(self.random_state))
        turns = np.tile(np.arange(len(techniques)), (len(texts), 1))
        turns = rng.permuted(turns, axis=1)
        split = [split_words(text) for text in texts]
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
        """Return functions of words, gaps and a generator, and None for translation."""
        protected = _protected(self.protected_words)
        stop_words = self.stop_words
        if stop_words == "english":
            stop_words = ENGLISH_STOP_WORDS
        stop_words = _keys(stop_words, "stop_words")
        lexicon = _Lexicon(self.synonyms, stop_words, protected)
        found = []
        if self.synonyms is not None:
            if alpha := self.synonym_replacement:
                found.append(_technique(_replace, alpha, lexicon))
            if alpha := self.random_insertion:
                found.append(_technique(_insert, alpha, lexicon))
        if alpha := self.random_swap:
            found.append(_technique(_swap, alpha, protected))
        if probability := self.random_deletion:
            found.append(partial(_delete, probability, protected))
        if self.back_translate is not None:
            found.append(None)
        if not found:
            raise ValueError(
                f"n_copies={self.n_copies}, but every technique is off. Set "
                "synonym_replacement or random_insertion (with synonyms), "
                "random_swap, random_deletion or back_translate."
            )
        return found

    def _translated(self, texts):
        """Return the texts translated by `back_translate`."""
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
                f"{len(translated)} texts for {len(texts)}."
            )
        return _checked(translated, "The return value of back_translate")


def _keys(words, name):
    """Return the keys of the words of a parameter."""
    for word in words or ():
        if not isinstance(word, str):
            raise TypeError(
                f"{name} must contain str only, got {word!r} of type "
                f"{type(word).__name__}."
            )
    return {word_key(word) for word in words or ()}


def _protected(words):
    """Return the keys of the protected words, each of which texts can contain."""
    keys = _keys(words, "protected_words")
    for word in words or ():
        if split_words(word) != ([word], ["", ""]):
            raise ValueError(
                "protected_words must be single words as they stand in texts, without "
                f"spaces and punctuation, such as 'not' or \"don't\", got {word!r}."
            )
    return keys


class _Lexicon:
    """The synonyms of words that may be replaced. Each word is looked up once."""

    def __init__(self, synonyms, stop_words, protected):
        self.protected, self.fixed = protected, stop_words | protected
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
        # In WordNet, the letters of "section U" mean uranium.
        is_letter = len(word) == 1 and self.look_up is wordnet_synonyms
        key = word_key(word)
        if is_letter or key in self.fixed:
            return []
        for spelling in dict.fromkeys([word, word.lower(), key]):
            found = _as_list(self.look_up(spelling), spelling)
            found = [s for s in found if s.strip() and word_key(s) != key]
            if found := [s for s in found if not self._contains_protected(s)]:
                return found
        return []

    def _contains_protected(self, synonym):
        return bool(self.protected) and not self.protected.isdisjoint(
            map(word_key, split_words(synonym)[0])
        )


def _as_list(synonyms, word):
    """Return the synonyms that were found for a word as a list of str."""
    if isinstance(synonyms, Iterable) and not isinstance(synonyms, str):
        found = list(synonyms)
        if all(isinstance(synonym, str) for synonym in found):
            # The order of a set of str differs from process to process.
            return sorted(found) if isinstance(synonyms, Set) else found
    raise TypeError(
        f"synonyms must give a list of str for each word, got {synonyms!r} for "
        f"{word!r}."
    )


def _technique(change, alpha, *args):
    """Return a technique that changes a share of the words, but at least one."""

    def changed(words, gaps, rng):
        # The small number is for rounding errors: 0.29 * 100 is 28.999…
        n_changes = max(1, int(alpha * len(words) + 1e-9))
        return change(words, gaps, n_changes, *args, rng)

    return changed


def _replace(words, gaps, n_changes, lexicon, rng):
    """Replace `n_changes` different words by synonyms, wherever they occur."""
    candidates = list(dict.fromkeys(word_key(word) for word in words if lexicon[word]))
    chosen = rng.permutation(len(candidates))[:n_changes]
    chosen = {candidates[position] for position in chosen}
    replacement = {}
    new = []
    for word in words:
        if (key := word_key(word)) in chosen and lexicon[word]:
            if key not in replacement:
                replacement[key] = _pick(lexicon[word], rng)
            word = _in_case_of(word, replacement[key])
        new.append(word)
    return join_words(new, gaps)


def _insert(words, gaps, n_changes, lexicon, rng):
    """Insert `n_changes` synonyms of words of the text at random places."""
    origins = [word for word in words if lexicon[word]]
    if not origins:
        return join_words(words, gaps)
    words, gaps = list(words), list(gaps)
    for _ in range(n_changes):
        synonym = _pick(lexicon[_pick(origins, rng)], rng)
        place = int(rng.integers(len(words) + 1))
        # The synonym goes right before a word, or right after the last word and so
        # before the full stop.
        gaps.insert(place + (place < len(words)), " ")
        words.insert(place, synonym)
    return join_words(words, gaps)


def _swap(words, gaps, n_changes, protected, rng):
    """Swap two words at different places, `n_changes` times."""
    words = list(words)
    places = [
        place for place, word in enumerate(words) if word_key(word) not in protected
    ]
    if (n_places := len(places)) > 1:
        for _ in range(n_changes):
            one = int(rng.integers(n_places))
            two = (one + 1 + int(rng.integers(n_places - 1))) % n_places
            one, two = places[one], places[two]
            words[one], words[two] = words[two], words[one]
    return join_words(words, gaps)


def _delete(probability, protected, words, gaps, rng):
    """Delete each word with a probability, but never all words."""
    kept = rng.random(len(words)) >= probability
    kept |= [word_key(word) in protected for word in words]
    if not kept.any():
        kept[rng.integers(len(words))] = True
    return without_words(words, gaps, kept)


def _pick(values, rng):
    return values[int(rng.integers(len(values)))]


def _in_case_of(word, synonym):
    """Return a synonym in upper case or capitalised, if the word is."""
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
    """Return texts in a container of the type of `X`, as later steps expect it."""
    if hasattr(X, "iloc"):
        # The new texts are not among the categories.
        dtype = None if X.dtype == "category" else X.dtype
        return type(X)(texts, index=X.index.take(rows), name=X.name, dtype=dtype)
    if type(X).__module__.startswith("polars"):
        # The same holds for an Enum. A Categorical takes new values.
        dtype = None if str(X.dtype).startswith("Enum") else X.dtype
        return type(X)(X.name, texts, dtype=dtype)
    if isinstance(X, np.ndarray):
        # A fixed width, such as that of "<U5", would truncate longer texts.
        return np.array(texts, dtype=str if X.dtype.kind == "U" else X.dtype)
    return texts
