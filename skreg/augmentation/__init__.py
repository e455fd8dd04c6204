"""Random changes of training rows, and augmented copies of them.

`ImageAugmenter` and `TableAugmenter` are for the parameter `augment` of the networks
and change each training batch. `Augmented` trains any estimator on rows and copies of
them, which `TextAugmenter` makes of texts.
"""

from skreg.augmentation.copies import Augmented
from skreg.augmentation.image_augmenter import ImageAugmenter
from skreg.augmentation.table_augmenter import TableAugmenter
from skreg.augmentation.text_augmenter import TextAugmenter

__all__ = ["Augmented", "ImageAugmenter", "TableAugmenter", "TextAugmenter"]
