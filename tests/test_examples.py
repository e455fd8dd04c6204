"""Pages of the gallery: they compile, have a title, and use public names only."""

import ast
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples"
PAGES = sorted(FOLDER.glob("plot_*.py"))


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def test_there_are_pages():
    assert len(PAGES) >= 7


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_begins_with_a_title(page):
    docstring = ast.get_docstring(parse(page))
    title, line, blank, text = docstring.split("\n", maxsplit=3)
    assert line == "=" * len(title)
    assert blank == ""
    assert text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_headings_are_underlined_as_long_as_they_are(page):
    headings = re.findall(r"^# (.+)\n# (-{3,})$", page.read_text("utf-8"), re.MULTILINE)
    assert [len(line) for _, line in headings] == [len(text) for text, _ in headings]


def private_names(tree):
    """Return attributes and modules of others whose names begin with an underscore."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.ImportFrom):
            # `_studies.py` is beside the pages, and belongs to them.
            own = node.module == "_studies"
            names = [alias.name for alias in node.names]
            names += [] if own else node.module.split(".")
        elif isinstance(node, ast.Import):
            names = [part for alias in node.names for part in alias.name.split(".")]
        else:
            continue
        yield from (name for name in names if name.startswith("_"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_uses_no_private_names(page):
    assert list(private_names(parse(page))) == []


def test_private_names_are_found():
    code = "import a._b\nfrom c._d import e\nfrom f import _g\nh._i"
    assert list(private_names(ast.parse(code))) == ["_b", "_d", "_g", "_i"]


def test_every_study_is_listed():
    header = (FOLDER / "GALLERY_HEADER.rst").read_text("utf-8")
    studies = [page.name for page in PAGES if "_studies" in page.read_text("utf-8")]
    assert studies
    assert sorted(re.findall(r"sphx_glr_gallery_(\w+\.py)", header)) == studies
