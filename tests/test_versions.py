"""The versions in the metadata and the documentation are the tested ones."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from skreg.version import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What users install; a pin that is tested is the lower bound of each.
EXTRAS = ("plot", "search", "cli", "text", "dask")
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def pins(file):
    """Return the version of each package in a file of constraints."""
    pairs = re.findall(r"(?m)^([\w.-]+)==(\S+)$", (ROOT / file).read_text())
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pairs}


def requirements(*extras):
    """Return the requirements of skreg with some extras."""
    texts = list(PROJECT["dependencies"])
    for extra in extras:
        texts += PROJECT["optional-dependencies"][extra]
    return [Requirement(text) for text in texts if not text.startswith("skreg[")]


@pytest.mark.parametrize("requirement", requirements(*EXTRAS), ids=str)
def test_the_lower_bound_is_tested(requirement):
    (specifier,) = requirement.specifier  # and there is no upper bound
    assert specifier.operator == ("==" if requirement.name == "wn" else ">=")
    oldest = pins("constraints-oldest.txt")[requirement.name]
    assert re.fullmatch(rf"{re.escape(specifier.version)}(\.0)*", oldest)


@pytest.mark.parametrize("file", ["constraints.txt", "constraints-oldest.txt"])
def test_tested_versions_are_allowed(file):
    pinned = pins(file)
    for requirement in requirements(*EXTRAS, "test"):
        assert pinned[requirement.name] in requirement.specifier, requirement


def documented():
    """Return the oldest and the newest version of each package in the documentation."""
    text = (ROOT / "docs/installation.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| ([^|]+) \| ([\d.]+) \| ([\d.]+) \|", text)
    return {
        name: (oldest, newest)
        for names, oldest, newest in rows
        for name in names.partition(",")[0].split(" and ")
    }


def test_documented_versions_are_those_that_are_tested():
    table = documented()
    assert table.pop("Python") == (PYTHONS[0], PYTHONS[-1])
    assert set(table) == {r.name for r in requirements(*EXTRAS)} - {"wn"}
    for name, versions in table.items():
        for file, version in zip(
            ["constraints-oldest.txt", "constraints.txt"], versions
        ):
            assert f"{pins(file)[name]}.".startswith(f"{version}."), (name, file)


def test_versions_of_python():
    listed = [
        classifier.rpartition(" ")[2]
        for classifier in PROJECT["classifiers"]
        if re.search(r":: 3\.\d+$", classifier)
    ]
    assert listed == PYTHONS
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(">=3.11")
    assert "{}.{}".format(*sys.version_info) in listed


def test_the_citation_is_of_this_version():
    (cited,) = re.findall(r"(?m)^version: (.+)$", (ROOT / "CITATION.cff").read_text())
    assert cited == __version__
