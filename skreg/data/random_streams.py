"""Seeds, and the random number generators of a model, one for each purpose.

Numpy's global generator is neither read nor advanced, also without a `random_state`.

The streams of a model depend on its seed and on nothing else. So a model sees the same
random numbers whichever models train beside it. Because each purpose has a stream of
its own, switching one regulariser on does not change the draws of another.
"""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

INIT, SPLIT, ORDER, INPUT_NOISE, INPUT_DROPOUT, MIXUP, DROPOUT = range(7)
# Dropout takes a number for each hidden layer, from DROPOUT on. Stochastic depth does
# the same, from PATH on. The numbers of other purposes leave room for them.
PATH = 1000
CUTMIX, CUTOUT = 2000, 2001
# The seeds of the networks of an ensemble, and the rows that one of them is given.
MEMBERS, DRAWN_ROWS = 3000, 3001
# Augmenters take a number each, from AUGMENT on.
AUGMENT = 4000


class Streams:
    """The random number generators of one model.

    Parameters
    ----------
    seed : int
        The seed of the model.
    epochs_seen : int, default=0
        Number of epochs trained in earlier calls. It makes a continued fit draw other
        numbers than before.

    Examples
    --------
    >>> from skreg.data.random_streams import ORDER, Streams
    >>> one, same = Streams(0), Streams(0)
    >>> bool((one[ORDER].permutation(9) == same[ORDER].permutation(9)).all())
    True
    """

    def __init__(self, seed, epochs_seen=0):
        self.entropy = (seed, epochs_seen)
        self._generators = {}

    def __getitem__(self, purpose):
        """Return the generator for a purpose, which is made at its first use.

        Parameters
        ----------
        purpose : int
            One of the constants of this module, or a number counted from it.

        Returns
        -------
        numpy.random.Generator
        """
        if purpose not in self._generators:
            sequence = np.random.SeedSequence([*self.entropy, purpose])
            self._generators[purpose] = np.random.Generator(np.random.PCG64(sequence))
        return self._generators[purpose]

    def state(self):
        """Return the states of the generators that have been used, as whole numbers.

        Returns
        -------
        dict of {int: list of int}
            By purpose: the state of PCG64, whether it holds half of a number that it
            has drawn, and this half.
        """
        states = {p: g.bit_generator.state for p, g in self._generators.items()}
        return {
            purpose: [state["state"]["state"], state["has_uint32"], state["uinteger"]]
            for purpose, state in states.items()
        }

    def restore(self, state):
        """Set the generators to what `state` returned for streams of the same seed."""
        for purpose, (number, has_half, half) in state.items():
            bits = self[purpose].bit_generator
            whole = bits.state["state"] | {"state": number}
            bits.state = bits.state | {
                "state": whole,
                "has_uint32": has_half,
                "uinteger": half,
            }


def seed_of(random_state):
    """Return a seed.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None gives another seed at each call. An instance is advanced.

    Returns
    -------
    int
        From 0 to ``2**32 - 1``, as a `random_state` may be.
    """
    if isinstance(random_state, Integral):
        return int(random_state)
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    return int(random_state.randint(2**31 - 1))


def generator_of(random_state):
    """Return a random number generator.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        None gives a new generator with a seed from the operating system.

    Returns
    -------
    RandomState instance
    """
    if random_state is None:
        return np.random.RandomState(np.random.MT19937(np.random.SeedSequence()))
    return check_random_state(random_state)
