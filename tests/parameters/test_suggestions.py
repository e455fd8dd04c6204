"""Advice about names that are not valid."""

from skreg.parameters.suggestions import did_you_mean


def test_only_the_first_of_many_options_are_shown():
    text = did_you_mean("zzz", [f"column{i}" for i in range(1000)])
    assert text.endswith("'column9', ...")
