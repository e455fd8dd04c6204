"""The plan of a search by successive halving."""

from skreg.model_selection.halving import halving_plan


def test_halving_plan():
    assert halving_plan(16, 4, 60) == ([16, 8, 4], [15, 30, 60])
    assert halving_plan(1, 4, 60) == ([1], [60])
    assert halving_plan(3, 1, 8) == ([3, 2, 1], [2, 4, 8])
