"""Run the tests of the compiled library with the sanitizers of the compiler.

    python .ci/sanitize.py [arguments of pytest]

It needs GCC on Linux. Builds with the sanitizers of addresses and of undefined
behaviour are compiled into build/sanitized, and the tests take them from there, by the
plugin `.ci/sanitized.py`: those of the package stay as they are. What threads share is
checked by the thread sanitizer in a program of its own, `tests/compiled/threads.cpp`,
because it would have to know of every lock of Python and torch.
"""

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "skreg" / "compiled" / "src"
PROGRAM = ROOT / "tests" / "compiled" / "threads.cpp"
FOLDER = ROOT / "build" / "sanitized"
COMPILER = os.environ.get("CXX", "c++")
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Werror"]
CHECKED = ["-O1", "-g", "-fno-omit-frame-pointer", "-fno-sanitize-recover=all"]
TESTS = "tests/compiled"
# They measure how long something takes, or limit the memory.
LEFT_OUT = [
    "test_ctrl_c",
    "test_python_goes_on_meanwhile",
    "test_a_batch_that_does_not_fit_the_memory",
]


def constants(file):
    """Return the constants of a module, which is not run."""
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.Assign) and node.targets[0].id.isupper()
    }


SETUP = constants(ROOT / "setup.py")


def compile_(source, to, *flags):
    """Compile a source with the flags of setup.py, and then others."""
    flags = [*SETUP["FLAGS"], *WARNINGS, *CHECKED, *flags]
    subprocess.check_call([COMPILER, *flags, source, "-o", to])


def compile_build(name):
    """Compile a build of the library with the sanitizers of addresses and behaviour."""
    compile_(
        SOURCES / f"{name}.cpp",
        FOLDER / f"_{name}.abi3.so",
        *SETUP["INSTRUCTIONS"][name],
        "-fsanitize=address,undefined",
        "-fPIC",
        "-shared",
        "-isystem",
        sysconfig.get_path("include"),
        "-DPy_LIMITED_API=0x030b0000",
    )


def run_threads():
    """Run the program whose threads share networks."""
    program = FOLDER / "threads"
    compile_(PROGRAM, program, "-fsanitize=thread", "-pthread")
    # The sanitizer of GCC 12 does not start where newer kernels place programs.
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []
    subprocess.check_call([*fixed, program])


def runtime(name):
    """Return the library of a sanitizer, which must be loaded before all others."""
    command = [COMPILER, f"-print-file-name=lib{name}.so"]
    return subprocess.check_output(command, text=True).strip()


def run_tests(arguments):
    """Run tests with the builds in the folder."""
    preloaded = [runtime("asan"), runtime("ubsan"), runtime("stdc++")]
    environment = os.environ | {
        "LD_PRELOAD": " ".join(preloaded),
        # Python keeps much until its end.
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / ".ci"), str(ROOT)]),
        "SKREG_SANITIZED": str(FOLDER),
    }
    left_out = [f"--deselect={TESTS}/test_library.py::{name}" for name in LEFT_OUT]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "sanitized", TESTS]
    command += [*left_out, *arguments]
    subprocess.check_call(command, env=environment, cwd=ROOT)


def main(arguments):
    """Compile, and run all checks."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(compile_build, SETUP["INSTRUCTIONS"]))
    run_threads()
    run_tests(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
