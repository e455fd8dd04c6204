"""The random number generators of a model, one for each purpose.

Every model draws from streams of its own, which depend on its seed and on nothing
else. So a model sees the same randomness whichever models train beside it, and
whichever other regularisers it uses.
"""

import numpy as np

INIT, SPLIT, ORDER, INPUT_NOISE, INPUT_DROPOUT, MIXUP, DROPOUT = range(7)
# Dropout has a purpose for each hidden layer, from DROPOUT on; so has stochastic depth.
PATH = 1000
# Each hidden layer takes a number after that of DROPOUT.
CUTMIX, CUTOUT = 2000, 2001
# The seeds of the networks of an ensemble, and the rows that one of them sees.
MEMBERS, DRAWN_ROWS = 3000, 3001
# Each augmenter takes a number after that of AUGMENT.
AUGMENT = 4000


class Streams:
    """The random number generators of one model.

    Parameters
    ----------
    seed : int
        The model's own seed.
    epochs_seen : int, default=0
        Number of epochs trained in earlier calls, so that a continued fit does not
        repeat its draws.

    Examples
    --------
    >>> from skreg.data.streams import ORDER, Streams
    >>> one, same = Streams(0), Streams(0)
    >>> bool((one[ORDER].permutation(9) == same[ORDER].permutation(9)).all())
    True
    """

    def __init__(self, seed, epochs_seen=0):
        self.entropy = (seed, epochs_seen)
        self._generators = {}

    def __getitem__(self, purpose):
        """Return the generator for `purpose`, an int, making it at first use."""
        if purpose not in self._generators:
            sequence = np.random.SeedSequence([*self.entropy, purpose])
            self._generators[purpose] = np.random.Generator(np.random.PCG64(sequence))
        return self._generators[purpose]
