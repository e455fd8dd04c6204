"""What `import skreg` and a first fit load: torch, scikit-learn, and little else."""

import json
import subprocess
import sys

import pytest

# Each is for a part of the package that few programs use: callbacks, plots, Bayesian
# searches, the command line, clusters, words.
OPTIONAL = {"dask", "matplotlib", "mlxtend", "nltk", "optuna", "pandas", "polars"}
OPTIONAL |= {"rich", "skorch", "skrub", "wn"}

# scikit-learn itself loads some of them where they are installed.
STAGES = """
import json, sys
stages = []
def note():
    stages.append(sorted(sys.modules))
import sklearn.base, sklearn.metrics, sklearn.model_selection, sklearn.pipeline, torch
note()
import skreg
note()
import numpy as np
X = np.random.default_rng(0).standard_normal((20, 3))
skreg.MLPClassifier((4,), max_iter=2, tol=0).fit(X, X[:, 0] > 0)
note()
print(json.dumps(stages))
"""


@pytest.fixture(scope="module")
def stages():
    """The modules of a new process before the import, after it and after a fit."""
    command = [sys.executable, "-W", "ignore", "-c", STAGES]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return [set(names) for names in json.loads(found.stdout)]


def test_parts_that_are_optional_are_not_imported(stages):
    base, imported, _ = stages
    added = {name.partition(".")[0] for name in imported - base}
    assert "skreg" in added
    assert not added & OPTIONAL


def test_a_fit_imports_neither_optional_parts_nor_torchs_compiler(stages):
    """The compiler takes longer to import than a fit."""
    base, _, fitted = stages
    assert not {"torch._dynamo", "sympy"} & fitted
    added = {name.partition(".")[0] for name in fitted - base}
    assert not added & OPTIONAL
