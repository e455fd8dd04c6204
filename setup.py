"""The build of the compiled training steps. All else is in pyproject.toml."""

import sysconfig
from glob import glob

from setuptools import Extension, setup

SOURCES = "skreg/compiled/src"
# One build for each set of instructions. `skreg/compiled/library.py` chooses.
INSTRUCTIONS = {
    "generic": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
}
FLAGS = [
    "-std=c++20",
    "-O3",
    "-g0",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=fast",
    "-fvisibility=hidden",
    "-Wno-psabi",
    "-pthread",
]


def extension(name, instructions):
    """Return a build, whose failure leaves a package that works without it."""
    return Extension(
        f"skreg.compiled._{name}",
        [f"{SOURCES}/{name}.cpp"],
        depends=sorted(glob(f"{SOURCES}/*.h")),
        define_macros=[("Py_LIMITED_API", "0x030b0000")],
        extra_compile_args=FLAGS + instructions,
        extra_link_args=["-pthread"],
        language="c++",
        py_limited_api=True,
        optional=True,
    )


def names():
    """Return the builds that there can be on this platform."""
    # Without the global lock, one file cannot serve all versions of Python.
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return []
    is_x86 = sysconfig.get_platform().endswith(("x86_64", "amd64"))
    return list(INSTRUCTIONS) if is_x86 else ["generic"]


extensions = [extension(name, INSTRUCTIONS[name]) for name in names()]
# A wheel serves all versions of Python from this one on.
limit = {"bdist_wheel": {"py_limited_api": "cp311"}} if extensions else {}
setup(ext_modules=extensions, options=limit)
