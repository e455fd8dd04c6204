"""Words as a reader sees them: split, joined, and never taken apart in copies."""

import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skreg import TextAugmenter
from skreg.augmentation.words import join_words, split_words, without_words, word_key

NUMBERS = """
    7 4.5 1,299 1,299,000.50 1.299,00 1'299 1\u202f299 10:30 10:30:59 0.0.16 12% 3.5‰ $5
    $1,299.99 €20 20€ US$5 £.99 1e-5 1e+5 -5 −5 +3 -.5 -$5 .5 2026-11-28 28/11/2026
    28.11.2026 2026-11-28T10:30:00+02:00 1/2 8.5/10 24/7 3-4 5–10 50%-60% 5%–10% ~10 <5
    ≥18 18+ 20°C 45° 3rd 90s '90s ’90s 1920×1080 10^6 §5 №7 #1 v1.0-beta.2 555-1234
    192.168.0.1 v0.0.16 3.x 10:30pm 5km 5'10 ½ m² ٣٫١٤ १२ 10.1000/xyz12
""".replace("\n", " ").split(" ")  # not at other spaces, which are part of numbers
ADDRESSES = """
    https://site.org http://a.b/c?d=e&f=g#h https://en.wikipedia.org/wiki/Foo_(bar)
    ftp://x.y/z.tar.gz www.site.de www.site.co.uk/a-b_c?q=%20x site.org bbc.co.uk
    site.org/path?x=1 mailto:jo@site.org jo@site.org j.o+tag@mail.site.co.uk
    o'neill@x.ie node.js setup.py /usr/lib/python3.11 C:\\dir\\file.txt ./run.sh
    ~/data.csv r/movies https://сайт.рф/путь?х=1
""".split()
OTHERS = """
    #tag #Tag_2 #été @name @na.me $TSLA don't don’t O'Neill O’Neill it's rock'n'roll
    l'école aujourd'hui state-of-the-art mother-in-law's well‑known co\u00adop
    U.S.A. U.S. e.g. i.e. a.m. z.B. т.е. J.R.R. Ph.D. Mr. Dr. etc. vs. a.k.a. AT&T R&B
    Q&A R&amp;B don&#39;t it&rsquo;s C++ C# A+ f**k sh*t w/o n/a km/h snake_case
    __init__ Ünïcode straße 日本語 한국어 ไทย हिन्दी می\u200cخواهم שָׁלוֹם צה"ל ארה״ב
    ελληνικά конец ქართული 1️⃣ 葛\U000e0100 word Word WORD
""".split()
OTHERS.append(unicodedata.normalize("NFD", "été"))
WORDS = [*filter(None, NUMBERS), *ADDRESSES, *OTHERS]
TAGS = [
    "<br />",
    "<br>",
    "<b>",
    "</b>",
    '<a href="https://x.y/z?a=1">',
    """<img alt="a > b" title='don"t' width=5>""",
    "<p class='x y'>",
    "<!-- a > b -->",
    "<unk>",
    "<!DOCTYPE html>",
]
EMOJI = ["😀", "👍🏽", "❤️", "👨\u200d👩\u200d👧", "🇩🇪", "🏴\U000e0067\U000e007f"]
EMOTICONS = [":)", ":-(", ":D", ";-)", "=P", "<3", "</3", ":/", "(:", ":-O", ":'("]
ENTITIES = ["&nbsp;", "&lt;", "&#8230;", "&#x1F600;"]
# With a space on at least one side, as a reader needs it.
GAPS = [" ", "  ", "\n", "\n\n", ", ", "; ", ": ", " (", ") ", "! ", "?! ", "… ", " – "]
GAPS += [" — ", ' "', '" ', " “", "” ", " * ", " [", "] ", " / ", "... "]
KEPT = [*TAGS, *EMOJI, *EMOTICONS, *ENTITIES]
GAPS += [f" {kept} " for kept in KEPT]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_is_one(word):
    assert split_words(word) == ([word], ["", ""])
    assert split_words(f"so {word} is") == (["so", word, "is"], ["", " ", " ", ""])
    # Marks around it are not part of it, except for the period of an abbreviation.
    for before, after in (
        "()",
        "“”",
        "[]",
        ("", ","),
        ("", "!"),
        ("", "?!"),
        ("", ";"),
    ):
        text = f"so {before}{word}{after} is"
        assert split_words(text)[0] == ["so", word, "is"]


@pytest.mark.parametrize("kept", KEPT)
def test_what_is_no_word(kept):
    assert split_words(kept) == ([], [kept])
    assert split_words(f"so {kept} is") == (["so", "is"], ["", f" {kept} ", ""])
    if not kept.endswith("3") and kept[0] in "<😀👍❤":
        assert split_words(f"so{kept}is") == (["so", "is"], ["", kept, ""])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("This is the end.Next one", ["This", "is", "the", "end", "Next", "one"]),
        ("конец.Начало", ["конец", "Начало"]),
        ("So do I. The end.", ["So", "do", "I", "The", "end"]),
        ("J. R. Smith, M.D., said", ["J.", "R.", "Smith", "M.D.", "said"]),
        ("It cost 4.5. We paid 5.", ["It", "cost", "4.5", "We", "paid", "5"]),
        ("and/or, either/or", ["and", "or", "either", "or"]),
        ("yes—no, yes--no, yes…no", ["yes", "no"] * 3),
        ("x < y and y > z", ["x", "y", "and", "y", "z"]),
        ("12%off", ["12%off"]),
        ("**bold** 'single' \"double\"", ["bold", "single", "double"]),
        ("(see https://x.y/z).", ["see", "https://x.y/z"]),
        ("https://x.y/z, then", ["https://x.y/z", "then"]),
    ],
)
def test_where_words_end(text, expected):
    assert split_words(text)[0] == expected


@given(st.text() | st.text(" \n.,:;-'’<>/&#@$%+*=\"()aZ1é\u0301\u200d😀\ufe0f"))
def test_any_text_is_its_words_and_gaps(text):
    words, gaps = split_words(text)
    assert join_words(words, gaps) == text
    assert len(gaps) == len(words) + 1
    assert all(words) and all(gaps[1:-1])


@pytest.mark.parametrize("word", ["a.", "<a ", "<a '", "$5", "www.!", "(", "a-", "1e-"])
def test_a_text_of_repeated_parts(word):
    """An expression that backtracks takes longer than the universe is old."""
    assert join_words(*split_words(word * 5000)) == word * 5000


def test_word_key():
    assert word_key("Don’t") == word_key("don't")
    assert word_key(unicodedata.normalize("NFD", "ÉTÉ")) == "été"


@pytest.mark.parametrize(
    ("text", "deleted", "expected"),
    [
        ("a &amp; b.", "b", "a &amp;."),
        ("a :) b", "a", ":) b"),
        ("a (: b", "b", "a (:"),
        ("one\n\ntwo three", "two", "one\n\nthree"),
        ("one two\n\nthree", "two", "one\n\nthree"),
        ("one, 4.5, two", "4.5", "one, two"),
        ("one<br />two three", "two", "one<br />three"),
        ("very good😀", "good", "very😀"),
    ],
)
def test_the_gap_of_a_deleted_word(text, deleted, expected):
    words, gaps = split_words(text)
    assert without_words(words, gaps, [word != deleted for word in words]) == expected


# Texts, with the words that they are made of.
TEXTS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), min_size=1, max_size=12
)
TECHNIQUES = [
    "synonym_replacement",
    "random_insertion",
    "random_swap",
    "random_deletion",
]


def parts_of(text, words):
    """Return what remains of a text without the given words, and the words found."""
    # The longest first, because "4" is a part of "4.5".
    words = sorted(set(words), key=len, reverse=True)
    found = []

    def remove(match):
        found.append(match[0])
        return "\0"

    return re.sub("|".join(map(re.escape, words)), remove, text), Counter(found)


@pytest.mark.parametrize("technique", TECHNIQUES)
@given(data=st.data(), pairs=TEXTS)
def test_no_copy_takes_a_word_apart(technique, data, pairs):
    words = [word for word, _ in pairs]
    text = "".join(word + gap for word, gap in pairs)
    assert split_words(text)[0] == words
    protected = data.draw(st.lists(st.sampled_from(words), max_size=3))
    parameters = dict.fromkeys(TECHNIQUES, 0.0) | {technique: 0.5}
    augmenter = TextAugmenter(
        synonyms=lambda word: ["novel"],
        stop_words=None,
        protected_words=protected,
        n_copies=3,
        random_state=data.draw(st.integers(0, 1000)),
        **parameters,
    )
    free = {word_key(word) for word in words} - {word_key(word) for word in protected}
    words = [*words, *KEPT]
    spacing, before = parts_of(text, words)
    for copy in augmenter.augment([text])[0][1:]:
        rest, after = parts_of(copy, [*words, "novel", "Novel", "NOVEL"])
        assert not re.search(r"\w", rest)
        for word in protected:
            assert after[word] == before[word]
        new = after["novel"] + after["Novel"] + after["NOVEL"]
        if technique == "random_insertion":
            assert bool(new) == bool(free)
            assert all(after[word] == n for word, n in before.items())
        elif technique == "random_deletion":
            assert not new and after <= before
            assert all(after[markup] == before[markup] for markup in KEPT)
        else:
            assert rest == spacing
            assert after.total() == before.total()
            assert technique == "synonym_replacement" or after == before
