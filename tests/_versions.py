"""What newer versions have than the oldest that skreg supports, for the tests of it."""

import pytest

from skreg.compatibility import SKLEARN

if SKLEARN >= (1, 9):
    from sklearn.callback import ProgressBar, ScoringMonitor
else:
    ProgressBar = ScoringMonitor = None

__all__ = ["ProgressBar", "ScoringMonitor", "needs_callbacks"]

needs_callbacks = pytest.mark.skipif(
    SKLEARN < (1, 9), reason="scikit-learn has callbacks from 1.9 on"
)
