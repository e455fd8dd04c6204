"""`import skreg` loads torch and scikit-learn, and nothing that few users need."""

import subprocess
import sys

# Each is for a part of the package that few programs use: callbacks, plots, Bayesian
# searches, the command line, clusters, words.
OPTIONAL = {"dask", "matplotlib", "optuna", "pandas", "rich", "skorch", "skrub", "wn"}

LOADED = """
import sys
import {}
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
# scikit-learn itself loads some of them where they are installed.
BASE = "sklearn.base, sklearn.model_selection, sklearn.pipeline, torch"


def loaded(what):
    """Return the names of the packages that an import loads in a new process."""
    command = [sys.executable, "-c", LOADED.format(what)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_parts_that_are_optional_are_not_imported():
    added = loaded("skreg") - loaded(BASE)
    assert "skreg" in added
    assert not added & OPTIONAL


def test_it_can_be_imported_without_docstrings():
    """The estimators put their shared parts together."""
    subprocess.run([sys.executable, "-OO", "-c", "import skreg"], check=True)
