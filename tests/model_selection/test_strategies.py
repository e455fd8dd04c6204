"""How the search strategies draw their candidates."""

import numpy as np
from scipy.stats import loguniform, randint, uniform

from skreg import OffOr
from skreg.model_selection.strategies import drawn


def test_draws_share_out_the_ranges():
    """A Latin hypercube: one candidate in each twelfth of each distribution."""
    space = {
        "l2": loguniform(1e-4, 1e-1),
        "batch_size": randint(10, 22),
        "dropout": OffOr(uniform(0.1, 0.4), probability=0.5),
        "activation": ["relu", "tanh", "silu"],
    }
    candidates = drawn(space, 12, np.random.RandomState(0))
    twelfths = [
        12 * (np.log10(candidate["l2"]) + 4) / 3 // 1 for candidate in candidates
    ]
    assert sorted(twelfths) == list(range(12))
    assert sorted(c["batch_size"] for c in candidates) == list(range(10, 22))
    assert {type(c["batch_size"]) for c in candidates} == {int}
    on = sorted(c["dropout"] for c in candidates if c["dropout"])
    assert len(on) == 6
    np.testing.assert_array_equal((np.array(on) - 0.1) * 15 // 1, range(6))
    counts = [c["activation"] for c in candidates]
    assert {name: counts.count(name) for name in counts} == dict.fromkeys(
        space["activation"], 4
    )
