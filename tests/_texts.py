"""Texts whose words have two synonyms each, and copies by single techniques."""

from skreg import TextAugmenter

LETTERS = "abcdefghijklmnopqrst"
WORDS = [2 * letter for letter in LETTERS]  # none is a stop word
TEXT = " ".join(WORDS)
# Every word has two synonyms, and nothing else has.
SYNONYMS = {word: [f"{word}x", f"{word}y"] for word in WORDS}
OFF = {
    "synonym_replacement": 0.0,
    "random_insertion": 0.0,
    "random_swap": 0.0,
    "random_deletion": 0.0,
}


def copies(texts, *, n_copies=1, synonyms=SYNONYMS, random_state=0, **parameters):
    """Return only the copies, by the given techniques. The others are off."""
    augmenter = TextAugmenter(
        n_copies=n_copies,
        synonyms=synonyms,
        random_state=random_state,
        **(OFF | parameters),
    )
    augmented, _ = augmenter.augment(texts)
    return augmented[len(texts) :]
