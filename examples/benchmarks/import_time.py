"""Time the import of skreg against that of torch and scikit-learn.

    python examples/benchmarks/import_time.py [--repeats N]

Every import runs in an interpreter of its own, and they take turns. The least and the
median CPU time of a process are printed, and what skreg adds to the libraries under it.
Bytecode is cached, as it is after a first import.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile

LIBRARIES = (
    "import torch, sklearn.linear_model, sklearn.metrics, sklearn.model_selection, "
    "sklearn.pipeline, sklearn.preprocessing"
)
IMPORTS = {
    "torch": "import torch",
    "torch and scikit-learn": LIBRARIES,
    "torch, scikit-learn, then skreg": f"{LIBRARIES}; import skreg",
    "skreg": "import skreg",
}
CPU_SECONDS = "; import os; t = os.times(); print(t.user + t.system)"


def seconds_of(code, cache):
    """Return the CPU time of an interpreter that runs the code."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", code + CPU_SECONDS]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    )
    return float(done.stdout)


def main():
    """Parse the options and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    times = {name: [] for name in IMPORTS}
    with tempfile.TemporaryDirectory() as cache:
        for repeat in range(options.repeats + 1):
            for name, code in IMPORTS.items():
                seconds = seconds_of(code, cache)
                if repeat:  # the first round writes the bytecode
                    times[name].append(seconds)
    base = times["torch and scikit-learn"]
    print(f"{'CPU seconds of an import':34}{'least':>8}{'median':>8}   over libraries")
    for name, values in times.items():
        added = [f"{f(values) / f(base) - 1:+.0%}" for f in (min, statistics.median)]
        least, median = min(values), statistics.median(values)
        print(f"{name:34}{least:8.2f}{median:8.2f}   {' / '.join(added)}")


if __name__ == "__main__":
    main()
