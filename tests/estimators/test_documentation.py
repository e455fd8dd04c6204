"""The docstrings that estimators share, written once and put in where they belong."""

import inspect
import re

import pytest

import skreg
from skreg.estimators.documentation import SECTIONS, fill_docstring


def test_a_section_replaces_its_line():
    def documented():
        """Do something.

        {shared}
            {more}
        Not here: {shared}.
        """

    sections = {"shared": "\n        Text.\n", "more": "\n    One.\n    Two.\n"}
    filled = fill_docstring(documented, sections)
    assert filled is documented
    lines = ["Do something.", "", "Text.", "    One.", "    Two."]
    assert filled.__doc__.splitlines() == [*lines, "Not here: {shared}."]


@pytest.mark.parametrize("name", skreg.__all__)
def test_no_section_is_left_out(name):
    exported = getattr(skreg, name)
    members = vars(exported).values() if inspect.isclass(exported) else []
    for each in (exported, *members):
        assert not re.search(r"^ *\{\w+\}$", each.__doc__ or "", re.MULTILINE)


@pytest.mark.parametrize("sections", [{}, SECTIONS])
def test_without_docstrings(sections):
    """As under ``python -OO``, where the package must still be imported."""

    def bare():
        pass

    assert fill_docstring(bare, sections) is bare
    assert bare.__doc__ is None
