"""Seeds, and the random numbers of a model, each a function of where it is used.

The numbers come from Philox4x64-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel
Random Numbers: As Easy as 1, 2, 3"), which maps a key and a counter to four words of 64
bits. The key comes from the seed of the model. The counter holds the purpose of the
numbers, the epoch, and the position of the four words. So random numbers need no state:
they can be drawn in any order, in parallel and in other languages, and training can go
on from any epoch. They depend neither on the models that train beside a model nor on
the regularisers that it uses otherwise.

Numpy's global generator is neither read nor advanced, also without a `random_state`.
"""

import math
from numbers import Integral

import numpy as np
from scipy.special import ndtri
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
    """The random numbers of one model.

    Word number i of a purpose in an epoch is word ``i % 4`` of the Philox block with
    the counter ``(1 + i // 4, 0, epoch, purpose)`` and the key of
    ``np.random.Philox(seed)``, for which numpy hashes the seed. It is 1 and not 0
    because numpy counts before it draws.

    Parameters
    ----------
    seed : int
        The seed of the model.
    epochs_seen : int, default=0
        Number of epochs trained in earlier calls. A continued fit draws the numbers of
        the epochs that follow.

    Attributes
    ----------
    key : ndarray of uint64 of shape (2,)
    epoch : int
        The number of the present epoch, from which numbers are drawn.

    Examples
    --------
    >>> from skreg.data.random_streams import ORDER, Streams
    >>> one, same = Streams(0), Streams(0, epochs_seen=5)
    >>> one.begin_epoch(7)
    >>> same.begin_epoch(2)
    >>> bool(one[ORDER].random() == same[ORDER].random())
    True
    """

    def __init__(self, seed, epochs_seen=0):
        self.key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        self.epoch = self._epochs_seen = epochs_seen
        self._generators = {}

    def begin_epoch(self, epoch):
        """Draw from now on the numbers of an epoch of this call, counted from 0."""
        self.epoch, self._generators = self._epochs_seen + epoch, {}

    def __getitem__(self, purpose):
        """Return the generator for a purpose in the present epoch.

        Further calls in the epoch return the same generator, which goes on.

        Parameters
        ----------
        purpose : int
            One of the constants of this module, or a number counted from it.

        Returns
        -------
        numpy.random.Generator
        """
        if purpose not in self._generators:
            counter = np.array([0, 0, self.epoch, purpose], np.uint64)
            philox = np.random.Philox(key=self.key, counter=counter)
            self._generators[purpose] = np.random.Generator(philox)
        return self._generators[purpose]

    def words(self, purpose, n_words):
        """Return the next words of a purpose in the present epoch.

        Returns
        -------
        ndarray of uint64 of shape (n_words,)
        """
        return self[purpose].bit_generator.random_raw(n_words)

    def order(self, n):
        """Return the order of `n` rows in the present epoch: that of their words.

        Returns
        -------
        ndarray of int64 of shape (n,)
        """
        return np.argsort(self.words(ORDER, n), kind="stable")

    def normal(self, purpose, shape):
        """Return standard normal numbers, one for each of the next words.

        They are the quantiles at ``((word >> 11) + 1/2) / 2^53``.

        Returns
        -------
        ndarray of float64
        """
        words = self.words(purpose, math.prod(shape))
        # The largest of these is 1 - 2^-54, which rounds to 1.
        uniform = np.minimum(((words >> 11) + 0.5) * 2.0**-53, 1 - 2.0**-53)
        return ndtri(uniform).reshape(shape)


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
