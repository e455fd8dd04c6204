"""The versions in the metadata are the tested ones."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What users install; a pin that is tested is the lower bound of each.
EXTRAS = ("plot", "search", "cli", "text", "dask")


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


def test_versions_of_python():
    listed = {
        classifier.rpartition(" ")[2]
        for classifier in PROJECT["classifiers"]
        if re.search(r":: 3\.\d+$", classifier)
    }
    assert listed == {"3.11", "3.12", "3.13", "3.14"}
    assert SpecifierSet(PROJECT["requires-python"]) == SpecifierSet(">=3.11")
    assert "{}.{}".format(*sys.version_info) in listed
