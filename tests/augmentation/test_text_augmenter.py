"""Augmented texts: the changes that each technique makes, and their number."""

import pickle
import re
import unicodedata
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _texts import OFF, SYNONYMS, TEXT, WORDS, copies
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from skreg import TextAugmenter
from skreg.augmentation import wordnet

# The same text, many times, with copies of one technique each.
MANY = 200


def n_expected(alpha, n_words):
    """Return the number of changes that the paper's code makes, in exact decimals."""
    return max(1, int(round(1000 * alpha) * n_words // 1000))


@pytest.mark.parametrize("n_words", [1, 3, 10, 20])
@pytest.mark.parametrize("alpha", [0.01, 0.1, 0.29, 0.5, 1.0])
class TestStrengths:
    def test_replacement(self, alpha, n_words):
        words = WORDS[:n_words]
        for copy in copies([" ".join(words)] * 20, synonym_replacement=alpha):
            pairs = list(zip(words, copy.split(), strict=True))
            changed = [(old, new) for old, new in pairs if old != new]
            assert len(changed) == n_expected(alpha, n_words)
            assert all(new in SYNONYMS[old] for old, new in changed)

    def test_insertion(self, alpha, n_words):
        words = WORDS[:n_words]
        for copy in copies([" ".join(words)] * 20, random_insertion=alpha):
            new = [word for word in copy.split() if word not in words]
            assert [word for word in copy.split() if word in words] == words
            assert len(new) == n_expected(alpha, n_words)
            assert all(word[:-1] in words for word in new)

    def test_swap(self, alpha, n_words):
        words = WORDS[:n_words]
        n_swaps = n_expected(alpha, n_words) if n_words > 1 else 0
        for copy in copies([" ".join(words)] * 20, random_swap=alpha):
            # A permutation that k transpositions make has at least n - k cycles, and
            # as many as n less an odd or an even number, as k is.
            position = [words.index(word) for word in copy.split()]
            assert sorted(position) == list(range(n_words))
            n_needed = n_words - n_cycles(position)
            assert n_needed <= n_swaps
            assert n_needed % 2 == n_swaps % 2


def test_a_share_that_floats_cannot_hold():
    """0.29 * 100 is 28.999999999999996."""
    words = [f"w{number}" for number in range(100)]
    found = copies(
        [" ".join(words)], synonyms=lambda word: ["new"], synonym_replacement=0.29
    )
    assert found[0].split().count("new") == 29


def n_cycles(permutation):
    seen, count = set(), 0
    for start in permutation:
        count += start not in seen
        while start not in seen:
            seen.add(start)
            start = permutation[start]
    return count


@pytest.mark.parametrize("probability", [0.05, 0.3, 0.8])
def test_each_word_is_deleted_with_the_probability(probability):
    kept = Counter(
        word
        for copy in copies([TEXT] * MANY, random_deletion=probability)
        for word in copy.split()
    )
    n_deleted = MANY * len(WORDS) - kept.total()
    # One text in 80 would lose all words at 0.8, and keeps one: 0.06 % of the words.
    # With a right probability these fail in 1 of 10,000 seeds; the seed is fixed.
    assert binomtest(n_deleted, MANY * len(WORDS), probability).pvalue > 1e-4
    for word in WORDS:
        assert binomtest(MANY - kept[word], MANY, probability).pvalue > 1e-4 / 20


def test_deletion_keeps_the_order_and_one_word():
    for copy in copies([TEXT] * 50, random_deletion=0.5):
        assert copy.split() == sorted(copy.split())
    for copy in copies([TEXT] * 50, random_deletion=1.0):
        assert copy in WORDS
    assert set(copies(["Good."] * 20, random_deletion=1.0)) == {"Good."}


def test_every_choice_is_equally_likely():
    """Of a word to replace, a synonym, a place to insert."""
    texts = ["aa bb cc dd"] * 400
    replaced = copies(texts, synonym_replacement=0.1)
    chosen = Counter(
        word for copy in replaced for word in copy.split() if len(word) > 2
    )
    assert len(chosen) == 8
    inserted = copies(texts, random_insertion=0.1)
    places = Counter(
        next(place for place, word in enumerate(copy.split()) if len(word) > 2)
        for copy in inserted
    )
    assert sorted(places) == [0, 1, 2, 3, 4]
    for counts in (chosen, places):
        for count in counts.values():
            assert binomtest(count, 400, 1 / len(counts)).pvalue > 1e-4 / 8


class TestWords:
    def test_a_word_is_replaced_wherever_it_occurs(self):
        (copy,) = copies(
            ["aa bb aa"], synonyms={"aa": ["new"]}, synonym_replacement=0.1
        )
        assert copy == "new bb new"

    def test_stop_words_stay(self):
        synonyms = {word: ["WRONG"] for word in ENGLISH_STOP_WORDS} | {"dog": ["hound"]}
        text = "The dog and AND the other dog are mine"
        for strength in ("synonym_replacement", "random_insertion"):
            found = copies([text] * 50, synonyms=synonyms, **{strength: 1.0})
            assert not any("wrong" in copy.lower() for copy in found)
            assert all("hound" in copy for copy in found)

    def test_stop_words_of_ones_own_or_none(self):
        synonyms = {"the": ["this"], "dog": ["hound"]}
        everything = {"synonyms": synonyms, "synonym_replacement": 1.0}
        assert copies(["the dog"], stop_words=None, **everything) == ["this hound"]
        assert copies(["the dog"], stop_words={"DOG"}, **everything) == ["this dog"]

    def test_case(self):
        found = copies(
            ["Aa aa AA aA"], synonyms={"aa": ["new one"]}, synonym_replacement=1.0
        )
        assert found == ["New one new one NEW ONE new one"]

    def test_a_spelling_of_its_own_comes_first(self):
        synonyms = {"Turkey": ["Anatolia"], "turkey": ["bird"], "cat": ["CAT", "puss"]}
        found = copies(
            ["Turkey turkey cat"], synonyms=synonyms, synonym_replacement=1.0
        )
        # One word in two spellings is one choice; a word is no synonym of itself.
        assert found[0].endswith(" puss")
        assert copies(["Turkey"], synonyms=synonyms, synonym_replacement=1.0) == [
            "Anatolia"
        ]

    def test_a_callable(self):
        asked = []

        def reverse(word):
            asked.append(word)
            return [word[::-1]]

        found = copies(
            ["abc def abc", "abc"], synonyms=reverse, synonym_replacement=1.0
        )
        assert found == ["cba fed cba", "cba"]
        assert asked == ["abc", "def"]  # once each

    def test_synonyms_in_other_containers(self):
        for given in (("bb",), {"bb"}, np.array(["bb"]), iter(["bb"]), ["", "bb"]):
            assert copies(["aa"], synonyms={"aa": given}, synonym_replacement=1) == [
                "bb"
            ]
        # A set has another order in each process, which a list made of it has not.
        names = {f"name{number}" for number in range(30)}
        sets, lists = (
            copies([TEXT] * 5, synonyms={"aa": given}, synonym_replacement=1)
            for given in (names, sorted(names))
        )
        assert sets == lists

    @pytest.mark.parametrize(
        "bad", [{"aa": "bb"}, {"aa": [3]}, {"aa": None}, lambda word: "bb"]
    )
    def test_synonyms_that_are_no_list_of_words(self, bad):
        with pytest.raises(TypeError, match=r"synonyms must give a list of str .*'aa'"):
            copies(["aa"], synonyms=bad, synonym_replacement=1.0)


class TestPunctuation:
    TEXT = 'Oh, "well" (yes): it\'s state-of-the-art…\n  Really?!'

    def test_replacing_all_words_keeps_all_else(self):
        (copy,) = copies(
            [self.TEXT],
            synonyms=lambda word: ["x"],
            stop_words=None,
            synonym_replacement=1.0,
        )
        assert copy == 'X, "x" (x): x x…\n  X?!'

    def test_swapping(self):
        for copy in copies([self.TEXT] * 20, random_swap=0.5):
            assert re.sub(r"\w[\w'-]*", "x", copy) == 'x, "x" (x): x x…\n  x?!'

    @pytest.mark.parametrize(
        "text",
        [
            unicodedata.normalize("NFD", "été à l'école"),
            "हिन्दी में पढ़ना",
            "می\u200cخواهم بروم",
            "שָׁלוֹם עוֹלָם",
        ],
    )
    def test_words_with_marks_are_not_torn_apart(self, text):
        for copy in copies([text] * 20, random_swap=0.5):
            assert sorted(copy.split(" ")) == sorted(text.split(" "))

    def test_inserting_stays_within_the_marks(self):
        found = set(copies(["aa."] * 50, random_insertion=0.1))
        assert found == {"aax aa.", "aay aa.", "aa aax.", "aa aay."}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a b, c", {"b, c", "a, c", "a b"}),
            ("a, b. c", {"b. c", "a. c", "a, b."}),
            ("a (b c) d", {"(b c) d", "a (c) d", "a (b) d", "a (b c)"}),
        ],
    )
    def test_deleting(self, text, expected):
        words = re.findall(r"\w+", text)
        found = {
            copy
            for copy in copies([text] * 200, random_deletion=0.3)
            if len(re.findall(r"\w+", copy)) == len(words) - 1
        }
        assert found == expected


class TestWhatIsAugmented:
    def test_originals_come_first_and_rows_say_whose_copy(self):
        texts = [f"{word} and more" for word in WORDS]
        augmented, rows = TextAugmenter(
            synonyms=SYNONYMS, n_copies=3, random_state=0
        ).augment(texts)
        assert augmented[:20] == texts
        np.testing.assert_array_equal(rows, np.tile(np.arange(20), 4))
        for text, row in zip(augmented, rows):
            theirs = set(text.split()) - {"and", "more"}
            assert theirs <= {WORDS[row], *SYNONYMS[WORDS[row]]}

    def test_techniques_are_shared_out(self):
        """Four copies, four techniques: each text has one copy of each."""
        augmented, _ = TextAugmenter(
            synonyms=SYNONYMS, random_deletion=0.5, random_state=0
        ).augment([TEXT] * 50)
        kinds = [[] for _ in range(50)]
        for position, copy in enumerate(augmented[50:]):
            words = copy.split()
            has_new = any(len(word) > 2 for word in words)
            kinds[position % 50].append(
                ("replaced" if len(words) == 20 else "inserted")
                if has_new
                else ("swapped" if len(words) == 20 else "deleted")
            )
        expected = ["deleted", "inserted", "replaced", "swapped"]
        assert all(sorted(kind) == expected for kind in kinds)
        assert len({tuple(kind) for kind in kinds}) > 10  # in random order

    def test_back_translation_is_called_once_with_all(self):
        calls = []

        def shout(texts):
            calls.append(texts)
            return [text.upper() for text in texts]

        texts = ["one text", "", "another text"]
        found = copies(texts, n_copies=2, back_translate=shout)
        # Nothing is to be translated in a text without words.
        assert calls == [["one text", "another text"] * 2]
        assert found == ["ONE TEXT", "", "ANOTHER TEXT"] * 2

    def test_no_copies(self):
        augmented, rows = TextAugmenter(n_copies=0).augment(["a", "b"])
        assert augmented == ["a", "b"]
        assert rows.tolist() == [0, 1]

    def test_no_texts(self):
        augmented, rows = TextAugmenter(synonyms=None).augment([])
        assert augmented == [] and rows.tolist() == []

    @pytest.mark.parametrize("text", ["", "   ", "...", "?! 😀"])
    def test_texts_without_words_stay(self, text):
        augmented, _ = TextAugmenter(
            synonyms=SYNONYMS, random_state=0, back_translate=lambda texts: texts
        ).augment([text])
        assert augmented == [text] * 5

    @pytest.mark.parametrize("text", ["word", "aa", "Ünïcode", "日本語"])
    def test_texts_of_one_word(self, text):
        augmented, _ = TextAugmenter(synonyms=SYNONYMS, random_state=0).augment([text])
        assert len(augmented) == 5
        assert all(copy.strip() for copy in augmented)


class TestContainers:
    TEXTS = ["aa bb", "cc dd ee"]

    def augmented(self, X):
        return TextAugmenter(synonyms=SYNONYMS, random_state=0).augment(X)

    @pytest.mark.parametrize("dtype", [object, "U", np.dtypes.StringDType()])
    def test_array(self, dtype):
        expected, _ = self.augmented(self.TEXTS)
        X = np.array(self.TEXTS, dtype=dtype)
        found, _ = self.augmented(X)
        assert found.dtype.kind == X.dtype.kind
        assert found.tolist() == expected  # not cut off to the width of X

    @pytest.mark.parametrize("dtype", [None, object, "str"])
    def test_pandas(self, dtype):
        expected, _ = self.augmented(self.TEXTS)
        X = pd.Series(self.TEXTS, index=[7, 3], name="review", dtype=dtype)
        found, rows = self.augmented(X)
        assert found.tolist() == expected
        assert found.dtype == X.dtype and found.name == "review"
        assert found.index.tolist() == X.index[rows].tolist()

    def test_categories(self):
        expected, _ = self.augmented(self.TEXTS)
        found, _ = self.augmented(pd.Series(self.TEXTS, dtype="category"))
        assert found.tolist() == expected

    def test_polars(self):
        expected, _ = self.augmented(self.TEXTS)
        found, _ = self.augmented(pl.Series("review", self.TEXTS))
        assert isinstance(found, pl.Series)
        assert found.name == "review" and found.to_list() == expected

        enum = pl.Series(self.TEXTS, dtype=pl.Enum(self.TEXTS))
        assert self.augmented(enum)[0].to_list() == expected

    def test_tuple(self):
        assert self.augmented(tuple(self.TEXTS))[0] == self.augmented(self.TEXTS)[0]

    @pytest.mark.parametrize(
        "X",
        [
            "one text",
            np.array([["a"], ["b"]]),
            pd.DataFrame({"a": ["b"]}),
            pl.DataFrame({"a": ["b"]}),
        ],
    )
    def test_what_is_no_list_of_texts(self, X):
        with pytest.raises(ValueError, match="X must be texts, one for each row, got"):
            self.augmented(X)

    @pytest.mark.parametrize("X", [None, 5])
    def test_what_is_nothing_of_the_kind(self, X):
        with pytest.raises(TypeError, match=f"X must be texts, .* got {X}"):
            self.augmented(X)

    @pytest.mark.parametrize("missing", [None, np.nan, pd.NA, 3, b"bytes", ["list"]])
    def test_what_is_no_text(self, missing):
        message = r"X must be texts, got .* at position 1\. Fill in missing texts"
        with pytest.raises(TypeError, match=message):
            self.augmented(["a", missing])


class TestRandomness:
    def test_a_seed_decides(self):
        texts = [TEXT] * 3
        one, two = (
            TextAugmenter(synonyms=SYNONYMS, random_state=seed).augment(texts)[0]
            for seed in (0, 1)
        )
        again = TextAugmenter(synonyms=SYNONYMS, random_state=0)
        assert again.augment(texts)[0] == one != two
        assert again.augment(texts)[0] == one
        assert one[3] != one[4]  # the copies of equal texts differ

    def test_a_generator_advances_and_none_is_fresh(self):
        for random_state in (np.random.RandomState(0), None):
            augmenter = TextAugmenter(synonyms=SYNONYMS, random_state=random_state)
            assert augmenter.augment([TEXT])[0] != augmenter.augment([TEXT])[0]

    @pytest.mark.parametrize("random_state", [None, 0])
    def test_global_state_is_left_alone(self, random_state):
        np.random.seed(0)
        before = np.random.get_state()[1].copy()
        TextAugmenter(synonyms=SYNONYMS, random_state=random_state).augment([TEXT])
        np.testing.assert_array_equal(np.random.get_state()[1], before)

    def test_more_copies_begin_with_the_same(self):
        few, _ = TextAugmenter(synonyms=SYNONYMS, n_copies=2, random_state=0).augment(
            [TEXT] * 4
        )
        more, _ = TextAugmenter(synonyms=SYNONYMS, n_copies=3, random_state=0).augment(
            [TEXT] * 4
        )
        assert more[:12] == few


class TestParameters:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("synonyms", "roget"),
            ("synonyms", ["good"]),
            ("synonym_replacement", -0.1),
            ("random_insertion", 1.1),
            ("random_swap", "much"),
            ("random_deletion", np.nan),
            ("back_translate", "french"),
            ("n_copies", -1),
            ("n_copies", 1.5),
            ("stop_words", "french"),
            ("protected_words", "not"),
            ("random_state", "seed"),
        ],
    )
    def test_errors_name_the_parameter(self, name, value):
        with pytest.raises(ValueError, match=f"'{name}' parameter of TextAugmenter"):
            TextAugmenter(**{name: value}).augment(["a"])

    @pytest.mark.parametrize("parameters", [{}, {"synonym_replacement": 0.1}])
    def test_copies_by_no_technique(self, parameters):
        synonyms = None if parameters else SYNONYMS
        with pytest.raises(ValueError, match="every technique is off"):
            copies(["a"], synonyms=synonyms, **parameters)

    def test_back_translation_of_another_length_or_type(self):
        with pytest.raises(ValueError, match="back_translate must return as many"):
            copies(["a", "b"], back_translate=lambda texts: texts[1:])
        with pytest.raises(TypeError, match="return value of back_translate must be"):
            copies(["a", "b"], back_translate=lambda texts: [1, 2])
        for nothing in (None, "ab"):
            with pytest.raises(TypeError, match="back_translate must return a list"):
                copies(["a", "b"], back_translate=lambda texts: nothing)

    def test_stop_words_that_are_no_words(self):
        with pytest.raises(TypeError, match="stop_words must contain str only, got 3"):
            copies(["a"], stop_words=["a", 3], random_swap=0.1)

    def test_clone_pickle_and_repr(self):
        augmenter = TextAugmenter(synonyms=SYNONYMS, random_state=0)
        expected, _ = augmenter.augment([TEXT])
        for other in (clone(augmenter), pickle.loads(pickle.dumps(augmenter))):
            assert other.augment([TEXT])[0] == expected
        assert "TextAugmenter" in augmenter._repr_html_()


def test_wordnet_is_the_default():
    only = OFF | {"synonym_replacement": 1.0, "n_copies": 1}
    augmenter = TextAugmenter(random_state=0, **only)
    (_, copy), _ = augmenter.augment(["The Movie was xyzzy."])
    new = re.fullmatch(r"The (.*) was xyzzy\.", copy)[1]
    assert new[0].lower() + new[1:] in wordnet.wordnet_synonyms("movie")


def test_single_letters_are_no_words_of_wordnet():
    augmenter = TextAugmenter(
        synonym_replacement=1.0,
        random_insertion=0.0,
        random_swap=0.0,
        random_deletion=0.0,
        n_copies=1,
        stop_words=None,
        random_state=0,
    )
    # In WordNet, U is uranium and S is sulphur.
    texts, _ = augmenter.augment(["U-S / U dog"])
    assert texts[1].startswith("U-S / U ") and texts[1] != texts[0]
