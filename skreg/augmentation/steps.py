"""Augmentation of the training batches of a stack, in the units of the data."""

import numpy as np
import torch

from skreg.augmentation.image_draws import ImageChanges, StackedImages
from skreg.augmentation.parameter import is_random
from skreg.data.random_streams import AUGMENT


class Augmentation:
    """The changes of the batches of several models.

    Parameters
    ----------
    changes : list of tuple
        The return value of `batch_changes` for each model. The `layouts` must be equal.
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
        """Return the changed rows of one batch or of several batches of equal size.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_features)
            Rows of the first k models. They are not changed in place.
        rows : list of int
            Number of rows of each model, without padding.
        size : int
            Number of rows in each batch.
        """
        for purpose, step in self._steps:
            if any(step.is_random):
                generators = [s[purpose] for s in self.streams[: len(rows)]]
                x = step.apply(x, generators, rows, size)
        return x


class StackedFunctions:
    """Functions of the user. Each of them changes the batches of one model.

    Parameters
    ----------
    functions : list of callable
    """

    def __init__(self, functions):
        self.functions, self.is_random = functions, [True] * len(functions)

    def apply(self, x, generators, rows, size):
        """Return the changed rows. The parameters are as in `Augmentation.apply`."""
        changed = x.clone()
        for model, n in enumerate(rows):
            for start in range(0, n, size):
                stop = min(start + size, n)
                # The function may change this copy in place.
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
            elif not (np.isfinite(found) | np.isnan(batch)).all():
                problem = "numbers that are not finite"
        if problem is not None:
            raise ValueError(
                f"augment={function!r} must return an array of numbers with the shape "
                f"of its input, {shape}, got {problem}."
            )
        return found
