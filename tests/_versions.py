"""Differences between the supported versions of scikit-learn, for the tests."""

import pytest

from skreg.compatibility import SKLEARN

if SKLEARN >= (1, 9):
    from sklearn.callback import ProgressBar, ScoringMonitor
else:
    ProgressBar = ScoringMonitor = None

__all__ = ["ProgressBar", "ScoringMonitor", "elastic_net", "needs_callbacks"]

needs_callbacks = pytest.mark.skipif(
    SKLEARN < (1, 9), reason="scikit-learn has callbacks from 1.9 on"
)


def elastic_net(l1_ratio):
    """Return the arguments that give LogisticRegression an elastic net.

    From scikit-learn 1.8 on, `penalty` is deprecated.
    """
    if SKLEARN >= (1, 8):
        return {"l1_ratio": l1_ratio}
    return {"l1_ratio": l1_ratio, "penalty": "elasticnet"} if l1_ratio else {}
