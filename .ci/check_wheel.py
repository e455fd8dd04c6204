"""Install a wheel, and then a source distribution without a compiler, and fit.

    python .ci/check_wheel.py dist constraints.txt

It runs in a virtual environment that has torch and nothing else.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BIN = Path(sys.executable).parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
# Two fits by whatever is there, and one by torch.
FITS = """
import os
import numpy as np
import skreg
skreg.show_versions()
X = np.random.default_rng(0).normal(size=(200, 5))
def fitted():
    network = skreg.MLPRegressor((7,), max_iter=20, dropout=0.1, random_state=0)
    return network.fit(X, X[:, 0] * X[:, 1]).predict(X)
found, again = fitted(), fitted()
os.environ["SKREG_ENGINE"] = "torch"
np.testing.assert_allclose(found, again, rtol=0, atol=0)
np.testing.assert_allclose(found, fitted(), rtol=1e-8, atol=1e-10)
"""


def install(*arguments, **settings):
    """Install with pip, and print how long it took."""
    start = time.perf_counter()
    subprocess.check_call([*PIP, "install", *arguments], **settings)
    print(f"    {time.perf_counter() - start:.0f} s")


def fits():
    """Fit outside of the repository; return what was printed and what was logged."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SKREG_")}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "-c", FITS]
        run = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True
        )
    print(run.stdout, run.stderr)
    run.check_returncode()
    return run.stdout, run.stderr


def main(folder, constraints):
    """Check the only wheel and source distribution of a folder."""
    (wheel,), (source,) = Path(folder).glob("*.whl"), Path(folder).glob("*.tar.gz")

    print(f"{wheel}:")
    install("--constraint", constraints, wheel)
    shown, logged = fits()
    assert "engine: compiled library" in shown
    assert not logged

    print(f"{source}, without a compiler:")
    bare = os.environ | {"PATH": str(BIN), "CC": "false", "CXX": "false"}
    install("--no-deps", "--force-reinstall", source, env=bare)
    shown, logged = fits()
    assert "engine: torch (the compiled library was not built)" in shown
    assert logged.count("were not built") == 1


if __name__ == "__main__":
    main(*sys.argv[1:])
