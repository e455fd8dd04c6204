"""Let a CUDA build of torch compute on the CPU without the libraries of CUDA.

    python .ci/without_cuda.py

An index that has no CPU builds of torch for Linux, as most have of old versions, gives
a CUDA build: besides its own libraries it loads some gigabytes of NVIDIA's, on the CPU,
too. This takes these requirements off the torch that is installed, and compiles one
small library in their place, whose functions answer that there is no device. Other
builds of torch are left alone.
"""

import re
import subprocess
import sysconfig
from collections import defaultdict
from pathlib import Path

# What the CUDA runtime answers; without a device, nobody calls the other libraries.
NO_DEVICE = 100
CUDA = re.compile(r"lib(cu|nccl|nv)\w*\.so")


def needed(library):
    """Return the libraries that one is linked with."""
    out = subprocess.check_output(["readelf", "-dW", library], text=True)
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", out))


def cuda_versions(library):
    """Return the versions of symbols that a library takes from those of CUDA."""
    out = subprocess.check_output(["readelf", "-VW", library], text=True)
    found, is_cuda = set(), False
    for key, value in re.findall(r"\b(File|Name): (\S+)", out):
        if key == "File":
            is_cuda = CUDA.match(value)
        elif is_cuda:
            found.add(value)
    return found


def undefined(library):
    """Return the symbols that a library takes from others, with their versions."""
    out = subprocess.check_output(
        ["nm", "-D", "--undefined-only", "--with-symbol-versions", library], text=True
    )
    names = [line.split()[-1].partition("@") for line in out.splitlines()]
    return {(name, version) for name, _, version in names}


def cuda_symbols(libraries):
    """Return the symbols of CUDA that the libraries take, by their version."""
    versions = set().union(*map(cuda_versions, libraries))
    found = defaultdict(set)
    for name, version in set().union(*map(undefined, libraries)):
        if version in versions or (not version and re.match("cu|nccl|nv", name)):
            found[version].add(name)
    return found


def compile_stub(folder, symbols):
    """Compile a library that has the symbols; return its file."""
    source, script = folder / "no_cuda.c", folder / "no_cuda.map"
    names = sorted(set().union(*symbols.values()))
    source.write_text("".join(f"int {n}() {{ return {NO_DEVICE}; }}\n" for n in names))
    script.write_text(
        "".join(
            f"{version} {{ {' '.join(f'{name};' for name in sorted(names))} }};\n"
            for version, names in symbols.items()
            if version
        )
    )
    stub = folder / "libno_cuda.so"
    options = ["-w", "-shared", "-fPIC", f"-Wl,--version-script={script}"]
    subprocess.check_call(["cc", *options, source, "-o", stub])
    return stub


def drop_requirements(metadata):
    """Take what only CUDA needs off the requirements of torch."""
    pattern = r"(?m)^Requires-Dist: (nvidia|cuda|triton)\b.*\n"
    metadata.write_text(re.sub(pattern, "", metadata.read_text()))


def main():
    """Change the torch of this interpreter, if it is a CUDA build."""
    packages = Path(sysconfig.get_path("platlib"))
    folder = packages / "torch" / "lib"
    libraries = [*folder.glob("*.so*")]
    missing = {n for lib in libraries for n in needed(lib) if CUDA.match(n)}
    if not missing:
        return
    stub = compile_stub(folder, cuda_symbols(libraries))
    # The driver's library is opened by its name.
    for name in missing | {"libcuda.so.1"}:
        if not (folder / name).exists():
            (folder / name).symlink_to(stub.name)
    (metadata,) = packages.glob("torch-*.dist-info/METADATA")
    drop_requirements(metadata)


if __name__ == "__main__":
    main()
