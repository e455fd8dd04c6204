"""Check the docstrings of the public interface with numpydoc; `make lint` runs it.

``numpydoc lint`` reads source files, where the parameters that the estimators share
are not yet filled in. This reads the docstrings that a user sees. Which checks apply
is set in setup.cfg.
"""

import configparser
import dataclasses
import inspect
import sys
from pathlib import Path

from numpydoc.validate import get_validation_checks, validate

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from _exports import exports

SETUP = Path(__file__).parents[1] / "setup.cfg"


def public_names():
    """Yield the full names of what is exported, and of its own public members."""
    for exported in exports():
        name = full_name(exported)
        yield name
        if inspect.isclass(exported):
            yield from (f"{name}.{member}" for member in own_members(exported))


def full_name(exported):
    """Return a name with the module, not the subpackage, for numpydoc to find it."""
    return f"{exported.__module__}.{exported.__name__}"


def own_members(exported):
    """Yield the names of a class's public methods and properties, if they are ours."""
    for owner in exported.__mro__:
        if owner.__module__.startswith("skreg"):
            for member in vars(owner):
                value = getattr(exported, member)
                is_documented = callable(value) or isinstance(value, property)
                # Python inherits what the method of a contract says.
                inherits = value.__doc__ is None and inspect.getdoc(value)
                if is_documented and not inherits and not member.startswith("_"):
                    yield member


def is_meant(name, code):
    """Return whether a finding is intended."""
    # The fields of a result are documented as its attributes: nobody constructs one.
    results = map(full_name, filter(dataclasses.is_dataclass, exports()))
    return code == "PR01" and name in results


def main():
    """Print every finding and return the exit code."""
    config = configparser.ConfigParser()
    config.read(SETUP)
    setting = config["tool:numpydoc_validation"]["checks"]
    checks = get_validation_checks({name.strip() for name in setting.split(",")})
    names = sorted(set(public_names()))
    findings = [
        f"{name}: {code} {text}"
        for name in names
        for code, text in validate(name)["errors"]
        if code in checks and not is_meant(name, code)
    ]
    print(
        *findings,
        f"numpydoc: {len(names)} docstrings, {len(findings)} findings",
        sep="\n",
    )
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
