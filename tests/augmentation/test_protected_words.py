"""Words that every copy has as often as its original, at the same places."""

import re

import pytest
from _texts import SYNONYMS, TEXT, copies

from skreg import TextAugmenter


class TestProtectedWords:
    TEXT = "Not bad, but NOT good: it's not for us, and don’t ask."
    WORDS = ("not", "Don't")

    def occurrences(self, text):
        """Return the protected words in a text, found without skreg's words."""
        return re.findall(r"\bnot\b|\bdon’t\b", text, re.IGNORECASE)

    def found(self, **parameters):
        return copies(
            [self.TEXT] * 100, protected_words=self.WORDS, stop_words=None, **parameters
        )

    @pytest.mark.parametrize(
        "technique",
        ["synonym_replacement", "random_insertion", "random_swap", "random_deletion"],
    )
    @pytest.mark.parametrize("container", [list, tuple, set, frozenset])
    def test_they_stay(self, technique, container):
        synonyms = {"bad": ["not good", "poor", "ill"], "not": ["no"], "us": ["not"]}
        found = copies(
            [self.TEXT] * 100,
            synonyms=synonyms,
            protected_words=container(self.WORDS),
            stop_words=None,
            **{technique: 0.5},
        )
        assert len(set(found)) > 1
        for copy in found:
            assert self.occurrences(copy) == ["Not", "NOT", "not", "don’t"]

    def test_all_other_words_can_be_deleted(self):
        assert set(self.found(random_deletion=1.0)) == {"Not, NOT: not, don’t."}

    def test_swaps_exchange_the_other_words(self):
        for copy in self.found(random_swap=1.0):
            words = re.findall(r"[\w'’]+", copy)
            places = [
                place for place, w in enumerate(words) if w in self.occurrences(w)
            ]
            assert places == [0, 3, 6, 10]
            assert sorted(words) == sorted(re.findall(r"[\w'’]+", self.TEXT))

    def test_a_text_of_protected_words(self):
        augmenter = TextAugmenter(synonyms=SYNONYMS, protected_words=["aa", "bb"])
        assert set(augmenter.augment(["aa bb"])[0]) == {"aa bb"}

    def test_without_any_the_copies_are_the_same(self):
        for nothing in ([], (), set(), ["zz"]):
            one, other = (
                TextAugmenter(
                    synonyms=SYNONYMS, protected_words=words, random_state=0
                ).augment([TEXT] * 4)[0]
                for words in (None, nothing)
            )
            assert one == other

    def test_they_differ_from_stop_words(self):
        found = copies([TEXT] * 50, stop_words=["aa"], random_deletion=0.5)
        assert any("aa" not in copy for copy in found)

    def test_protected_words_that_are_no_words(self):
        with pytest.raises(TypeError, match="protected_words must contain str"):
            copies(["a"], protected_words=["a", 3], random_swap=0.1)
        for bad in ("", "New York", "not,", "<br />", ":)"):
            with pytest.raises(ValueError, match="protected_words must be single"):
                copies(["a"], protected_words=["a", bad], random_swap=0.1)
