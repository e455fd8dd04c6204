"""The random words of the library are those of numpy."""

import numpy as np
import pytest
from _engines import builds, with_engine

from skreg.compiled.library import library
from skreg.data.random_streams import DROPOUT, ORDER, Streams


@pytest.mark.parametrize("build", builds())
@pytest.mark.parametrize("first", [0, 1, 3, 4, 5, 1000])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 64, 1001])
def test_words(build, first, n):
    expected = Streams(3, 5).words(DROPOUT, first + n)[first:]
    with with_engine(build):
        found = library().words(Streams(3, 5), DROPOUT, first, n)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("place", [(0, 0, 0), (2**32 - 1, 2**40, ORDER), (7, 1, 4001)])
def test_seeds_epochs_and_purposes(place):
    seed, epoch, purpose = place
    streams = Streams(seed, epoch)
    with with_engine(builds()[0]):
        found = library().words(streams, purpose, 0, 9)
    np.testing.assert_array_equal(found, streams.words(purpose, 9))
