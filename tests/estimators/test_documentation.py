"""The docstrings that estimators share, written once and put in where they belong."""

import pytest

from skreg.estimators.documentation import SECTIONS, fill_docstring


def test_a_section_replaces_its_line():
    def documented():
        """Do something.

        {shared}
        Not here: {shared}.
        """

    filled = fill_docstring(documented, {"shared": "\n        Text.\n"})
    assert filled is documented
    lines = [line.strip() for line in filled.__doc__.splitlines()]
    assert lines == ["Do something.", "", "Text.", "Not here: {shared}.", ""]


@pytest.mark.parametrize("sections", [{}, SECTIONS])
def test_without_docstrings(sections):
    """As under ``python -OO``, where the package must still be imported."""

    def bare():
        pass

    assert fill_docstring(bare, sections) is bare
    assert bare.__doc__ is None
