"""The parameter `augment` of the networks: its type, checks and effects."""

from collections.abc import Callable, Sequence
from typing import Any

from skreg.augmentation.image_augmenter import ImageAugmenter
from skreg.augmentation.image_draws import ImageChanges
from skreg.augmentation.table_augmenter import STRENGTHS, TableAugmenter

_Augmenter = ImageAugmenter | TableAugmenter | Callable[[Any, Any], Any]
# The type of the parameter.
Augment = _Augmenter | Sequence[_Augmenter] | None


def augmenters(augment):
    """Return the parameter `augment` as a list."""
    if augment is None:
        return []
    return list(augment) if isinstance(augment, list | tuple) else [augment]


def check_augment(estimator):
    """Raise an error if the parameter `augment` is invalid."""
    given = {}
    for augmenter in augmenters(estimator.augment):
        if isinstance(augmenter, ImageAugmenter | TableAugmenter):
            augmenter._check()
        elif isinstance(augmenter, type) or not callable(augmenter):
            raise TypeError(
                "augment must be an ImageAugmenter, a TableAugmenter, a function "
                f"f(X, rng) or a list of these, got {augmenter!r}."
            )
        if isinstance(augmenter, TableAugmenter):
            for name, parameter in STRENGTHS.items():
                value = getattr(augmenter, name)
                _check_given_once(name, value, parameter, estimator, given)


def _check_given_once(name, value, parameter, estimator, given):
    own = getattr(estimator, parameter)
    if not value:
        return
    here = f"augment=TableAugmenter({name}={value!r})"
    if own or name in given:
        there = f"{parameter}={own!r}" if own else given[name]
        raise ValueError(
            f"{here} and {there} set the same strength. Use only one of them."
        )
    given[name] = here


def table_strengths(estimator):
    """Return the strengths of mixup, CutMix, cutout and input noise.

    They are set by the parameters of an estimator or by a `TableAugmenter`.

    Returns
    -------
    dict of str to float
        The keys are the names of the estimator's parameters.
    """
    found = {name: getattr(estimator, name) for name in STRENGTHS.values()}
    for augmenter in augmenters(estimator.augment):
        if isinstance(augmenter, TableAugmenter):
            for name, parameter in STRENGTHS.items():
                found[parameter] = getattr(augmenter, name) or found[parameter]
    return found


def batch_changes(augment, n_features, image_shape=None):
    """Return the changes of the batches of one model, in the order of their steps.

    Parameters
    ----------
    augment : augmenter, list of augmenters or None
    n_features : int
    image_shape : tuple of int or None, default=None
        Shape of the network's inputs, if they are images.

    Returns
    -------
    tuple of ImageChanges or callable
    """
    return tuple(
        augmenter._changes(n_features, image_shape)
        if isinstance(augmenter, ImageAugmenter)
        else augmenter
        for augmenter in augmenters(augment)
        if not isinstance(augmenter, TableAugmenter)
    )


def is_random(changes):
    """Return whether the changes returned by `batch_changes` are random."""
    return any(getattr(change, "is_random", True) for change in changes)


def n_channels(changes):
    """Return the number of channels of the images, or None without images."""
    for change in changes:
        if isinstance(change, ImageChanges):
            return change.layout.shape[2]
    return None


def layouts(changes):
    """Return the layout of each step.

    Models with equal layouts can change their batches together.
    """
    return tuple(getattr(change, "layout", "callable") for change in changes)


def has_functions(changes):
    """Return whether some of the changes are functions of the user."""
    return "callable" in layouts(changes)
