"""What `augment` does to the training batches of a stack, in the units of the data."""

import numpy as np
import torch

from skreg.augmentation.image_augmenter import ImageAugmenter
from skreg.augmentation.image_draws import ImageChanges, StackedImages
from skreg.augmentation.table_augmenter import STRENGTHS, TableAugmenter
from skreg.training.noise import AUGMENT


def augmenters(augment):
    """Return the parameter `augment` as a list."""
    if augment is None:
        return []
    return list(augment) if isinstance(augment, list | tuple) else [augment]


def check_augment(estimator):
    """Raise an error that names what is wrong with the parameter `augment`."""
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
            f"{here} and {there} are the same strength. Give one of them only."
        )
    given[name] = here


def table_strengths(estimator):
    """Return what an estimator and its augmenters say of the changes of tables.

    Returns
    -------
    dict of float
        By the name of the estimator's parameter.
    """
    found = {name: getattr(estimator, name) for name in STRENGTHS.values()}
    for augmenter in augmenters(estimator.augment):
        if isinstance(augmenter, TableAugmenter):
            for name, parameter in STRENGTHS.items():
                found[parameter] = getattr(augmenter, name) or found[parameter]
    return found


def batch_changes(augment, n_features, image_shape=None):
    """Return what becomes of the rows of one model's batches, step by step.

    Parameters
    ----------
    augment : augmenter, list of augmenters or None
    n_features : int
    image_shape : tuple of int or None, default=None
        That of the network's inputs, if they are images.

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
    """Tell whether the changes of `batch_changes` depend on chance."""
    return any(getattr(change, "is_random", True) for change in changes)


def n_channels(changes):
    """Return the number of channels of the images, None if there are none."""
    for change in changes:
        if isinstance(change, ImageChanges):
            return change.layout.shape[2]
    return None


def layouts(changes):
    """Return what models must have in common to change their batches together."""
    return tuple(getattr(change, "layout", "callable") for change in changes)


def has_functions(changes):
    """Tell whether functions of the user's are among the changes."""
    return "callable" in layouts(changes)


class Augmentation:
    """The changes of the batches of several models.

    Parameters
    ----------
    changes : list of tuple
        What `batch_changes` returned for each model, with equal `layouts`.
    streams : list of Streams
    """

    def __init__(self, changes, streams):
        self.changes, self.streams = changes, streams
        self.random_models = [is_random(own) for own in changes]
        steps = map(self._step, zip(*changes))
        self._steps = [(AUGMENT + place, step) for place, step in enumerate(steps)]

    @staticmethod
    def _step(changes):
        if isinstance(changes[0], ImageChanges):
            return StackedImages(changes)
        return StackedFunctions(changes)

    def select(self, models):
        """Return the changes of the models in the list `models`."""
        parts = self.changes, self.streams
        return Augmentation(*([part[m] for m in models] for part in parts))

    def apply(self, x, rows, size):
        """Return the changed rows of one batch, or of several of the same size.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_features)
            Of the first models. Left as it is.
        rows : list of int
            Number of true rows of each model.
        size : int
            Number of rows in each of the batches.
        """
        for purpose, step in self._steps:
            if any(step.is_random):
                generators = [s[purpose] for s in self.streams[: len(rows)]]
                x = step.apply(x, generators, rows, size)
        return x


class StackedFunctions:
    """The functions of users, of which each changes the batches of one model.

    Parameters
    ----------
    functions : list of callable
    """

    def __init__(self, functions):
        self.functions, self.is_random = functions, [True] * len(functions)

    def apply(self, x, generators, rows, size):
        """Return the changed rows; parameters are those of `Augmentation.apply`."""
        changed = x.clone()
        for model, n in enumerate(rows):
            for start in range(0, n, size):
                stop = min(start + size, n)
                # A copy, with which a function may do what it likes.
                batch = x[model, start:stop].cpu().numpy().copy()
                found = self._called(model, batch, generators[model])
                changed[model, start:stop] = torch.from_numpy(found)
        return changed

    def _called(self, model, batch, generator):
        function, shape = self.functions[model], batch.shape
        given, problem = function(batch, generator), None
        try:
            found = np.ascontiguousarray(given, dtype=batch.dtype)
        except (TypeError, ValueError):
            problem = f"{given!r:.50}"
        else:
            if found.shape != shape:
                problem = found.shape if np.ndim(given) else repr(given)
            elif not np.isfinite(found).all():
                problem = "numbers that are not finite"
        if problem is not None:
            raise ValueError(
                f"augment={function!r} must return an array of numbers of the shape of "
                f"its input, {shape}, got {problem}."
            )
        return found
