"""The structure of the package: imports point down, and files are small."""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest
from _contract import CONTRACT

import skreg

PACKAGE = Path(skreg.__file__).parent

# Ground first, as in docs/design.md: a subpackage imports from those before it, and a
# module from those before it in its own.
ORDER = {
    "penalties": [
        "contract",
        "proximal",
        "row_groups",
        "kinds",
        "combined",
        "checks",
    ],
    "losses": ["links", "contract", "kinds", "checks"],
    "networks": [
        "activations",
        "columns",
        "architecture",
        "contract",
        "convolution",
        "first_models",
        "chain",
        "embeddings",
        "products",
        "layers",
        "shared_members",
        "initial",
        "skips",
        "building",
        "stacked",
    ],
    "parameters": [
        "image_shapes",
        "intervals",
        "regularisers",
        "suggestions",
        "scorer_names",
        "values",
        "checks",
        "devices",
    ],
    "data": [
        "quantiles",
        "random_streams",
        "rows",
        "sample_weights",
        "encoding",
        "scaling",
        "shared_arrays",
        "splitting",
        "moments",
        "batches",
        "equal_rows",
    ],
    "augmentation": [
        "copies",
        "image_transforms",
        "table_augmenter",
        "wordnet",
        "words",
        "image_draws",
        "text_augmenter",
        "image_augmenter",
        "parameter",
        "steps",
    ],
    "compiled": ["structures", "library", "versions"],
    "training": [
        "active_set",
        "coordinate_descent",
        "adversarial",
        "draws",
        "errors",
        "gradual_pruning",
        "lbfgs",
        "linear_rows",
        "loss_meter",
        "memory",
        "noise",
        "threads",
        "compiled_plan",
        "compiled_passes",
        "compiled_epoch",
        "optimizers",
        "schedules",
        "skorch_net",
        "weight_averages",
        "input_penalties",
        "assembly",
        "grouping",
        "observer",
        "step",
        "tracker",
        "course",
        "epoch",
        "engine",
        "objective",
        "request",
        "record_checks",
        "records",
        "certificate",
        "sparse_path",
        "stack",
        "run",
        "train",
    ],
    "fusion": [
        "files",
        "keys",
        "progress",
        "turns",
        "checkpoint",
        "dispatch",
        "scheduler",
        "backend",
    ],
    "estimators": [
        "constraints",
        "documented_attributes",
        "documented_references",
        "documentation",
        "effects",
        "inference",
        "input_penalties",
        "table_columns",
        "levels",
        "inputs",
        "labels",
        "class_predictions",
        "members",
        "nested",
        "numeric_targets",
        "rollback",
        "validation",
        "class_weights",
        "conflicts",
        "convolutional",
        "full_batch",
        "fits",
        "layout",
        "running_scales",
        "continuation",
        "convergence",
        "fitted",
        "trained",
        "side_by_side",
        "callbacks",
        "scoring",
        "guesses",
        "score_checks",
        "given_losses",
        "monitoring",
        "preparation",
        "request",
        "base",
        "classifier",
        "regressor",
        "cnn",
        "mlp",
    ],
    "model_selection": [
        "chosen",
        "conformal",
        "cv_results",
        "deadline",
        "documentation",
        "emptying",
        "entries",
        "halving",
        "path_problem",
        "prediction_averages",
        "race",
        "super_learner",
        "routing",
        "search_data",
        "space",
        "trials",
        "class_average",
        "defaults",
        "folds",
        "ensemble_selection",
        "heat",
        "linear_path",
        "refit",
        "sampling",
        "simplest",
        "target_loss",
        "bayes",
        "number_average",
        "path",
        "strategies",
        "pilot",
        "candidate_search",
        "base_cv",
        "mlp_classifier_cv",
        "mlp_regressor_cv",
    ],
    "sparsity": ["surgery", "units", "compaction", "pruning"],
    "plotting": [
        "checks",
        "coverage",
        "curves",
        "path",
        "spread",
        "comparison",
        "scales",
        "search_results",
        "search",
    ],
    "comparison": [
        "budget",
        "choices",
        "content",
        "dates",
        "missing",
        "numerals",
        "pipelines",
        "texts",
        "columns",
        "header",
        "delimited",
        "files",
        "roles",
        "inner_scorer",
        "score_kinds",
        "datasets",
        "contenders",
        "ttest",
        "text_report",
        "certainty",
        "html_report",
        "verdict",
        "result",
        "comparing",
        "commandline",
    ],
}
FILES = sorted(PACKAGE.rglob("*.py"))


@cache
def parsed(path):
    """Return the nodes of the syntax tree of a file."""
    return list(ast.walk(ast.parse(path.read_text())))


def place(dotted):
    """Return the place of a module, as numbers that grow from the ground up.

    The modules of the package itself are below all subpackages (version, compatibility
    and types) or above all.
    """
    packages = list(ORDER)
    match dotted.split("."):
        case ["skreg", "version" | "compatibility" | "typing"]:
            return -1, 0
        case ["skreg"] | ["skreg", "__main__"]:
            return len(packages), 0
        case ["skreg", package]:
            return packages.index(package), len(ORDER[package])
        case ["skreg", package, module]:
            return packages.index(package), ORDER[package].index(module)
    raise ValueError(f"{dotted} has no place")


def module_of(path):
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = set(map(module_of, FILES))


def imported(path):
    """Return the modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in parsed(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = names & MODULES
            found |= modules or {node.module}
    return {name for name in found if name.partition(".")[0] == "skreg"}


def test_every_module_has_a_place():
    listed = {f"skreg.{p}.{m}" for p, modules in ORDER.items() for m in modules}
    listed |= {f"skreg.{package}" for package in ORDER}
    listed |= {"skreg", "skreg.__main__", "skreg.version", "skreg.compatibility"}
    listed.add("skreg.typing")
    assert listed == {module_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_down(path):
    for name in imported(path):
        assert place(name) < place(module_of(path)), f"it imports {name}"


def private_names(path):
    """Return the private names of scikit-learn, skorch and torch that a file uses."""
    found = set()
    for node in parsed(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return {
        name
        for name in found
        if re.match(r"(sklearn|skorch|torch)\.([a-z]\w*\.)*_[^_]", name)
    }


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def private_attributes(path):
    """Return the private attributes that a file reads, and all names that it defines.

    A string is an attribute for `getattr` and its like, and in a dictionary a name for
    `vars`.
    """
    read, defined = set(), set()
    for node in parsed(path):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(attr=name):
                read.add(name)
            case ast.Dict(keys=keys):
                defined |= {key.value for key in keys if isinstance(key, ast.Constant)}
            case ast.Call(
                func=ast.Name(id="getattr" | "hasattr" | "setattr" | "delattr"),
                args=[_, ast.Constant(value=name), *_],
            ):
                read.add(name)
    return set(filter(is_private, read)), defined


def test_private_names_of_others_stand_in_one_module():
    users = {module_of(path) for path in FILES if private_names(path)}
    assert users == {"skreg.compatibility"}


def test_private_attributes_of_others_stand_in_one_module():
    """An attribute that no file of the package defines is one of another package."""
    found = {module_of(path): private_attributes(path) for path in FILES}
    own = set().union(*(defined for _, defined in found.values()))
    users = {module for module, (read, _) in found.items() if read - own}
    assert users == {"skreg.compatibility"}
    assert {"_skl_callbacks", "_score_func"} <= found["skreg.compatibility"][0]


# Names of scikit-learn's conventions, which every estimator has.
CONVENTIONS = {"_parameter_constraints"}


def private_attributes_of_objects(path):
    """Return the private attributes that a file reads of other objects than `self`."""
    return {
        node.attr
        for node in parsed(path)
        if isinstance(node, ast.Attribute)
        and is_private(node.attr)
        and ast.unparse(node.value) not in ("self", "cls", "super()")
    }


def test_subpackages_read_no_private_attributes_of_one_another():
    found = {}
    for path in FILES:
        read, defined = private_attributes_of_objects(path), private_attributes(path)[1]
        parts = found.setdefault(path.relative_to(PACKAGE).parts[0], (set(), set()))
        parts[0].update(read)
        parts[1].update(defined)
    foreign = {
        name: read - defined - CONVENTIONS
        for name, (read, defined) in found.items()
        if name != "compatibility.py"
    }
    assert not any(foreign.values()), foreign
    assert "_layout" in found["estimators"][0]


def test_the_parser_sees_imports():
    """Else the test above could not fail."""
    assert "skreg.fusion.scheduler" in imported(PACKAGE / "estimators/base.py")
    inside_a_function = imported(PACKAGE / "estimators/fitted.py")
    assert "skreg.training.skorch_net" in inside_a_function


@pytest.mark.parametrize("package", ORDER)
def test_a_subpackage_says_what_it_is_for(package):
    found = importlib.import_module(f"skreg.{package}")
    assert found.__doc__.strip()
    assert not [m for m in ORDER[package] if m.startswith("_")]


@pytest.mark.parametrize("folder", [PACKAGE, Path(__file__).parent])
def test_files_are_small(folder):
    """One idea in a file: of more than 500 lines, split it."""
    lengths = {p.name: len(p.read_text().splitlines()) for p in folder.rglob("*.py")}
    assert not {name: n for name, n in lengths.items() if n > 500}


def test_test_files_have_names_of_their_own():
    """Tests are imported by the name of their file, whatever its folder is."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)


def test_the_contract_is_made_of_tests():
    """Else a file that is renamed would silently leave the contract."""
    tests = Path(__file__).parent
    assert all((tests / name).is_file() for name in CONTRACT)
