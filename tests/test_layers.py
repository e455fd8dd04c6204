"""The layers of the package: imports point down only, and files stay small."""

import ast
import importlib
from pathlib import Path

import pytest

import skreg

PACKAGE = Path(skreg.__file__).parent


def module_of(path):
    """Return the name of a file of the package, without that of the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = sorted(
    module_of(path)
    for path in PACKAGE.rglob("*.py")
    if path.parent == PACKAGE or path.name != "__init__.py"
)

# From the top down, in the order of docs/design.md; a private module stands beside the
# public one that it is a part of. A module imports from the layers below its own only.
LAYERS = [
    ["__main__"],
    ["comparison.html_report"],
    ["__init__"],
    ["comparison.contenders", "plotting.path"],
    ["model_selection.tuned", "augmentation.copies", "augmentation.text_augmenter"],
    ["model_selection.tuning"],
    ["model_selection.strategies", "model_selection.trials"],
    ["model_selection.race", "model_selection.bayes"],
    ["model_selection.sampling"],
    ["model_selection.space"],
    ["estimators.cnn", "estimators.mlp", "model_selection.path"],
    [
        "estimators.classifier",
        "estimators.regressor",
        "sparsity.compaction",
        "sparsity.pruning",
    ],
    ["sparsity.surgery"],
    ["comparison.comparing", "comparison.verdict"],
    ["comparison.result"],
    ["comparison.text_report"],
    ["comparison.certainty"],
    ["model_selection.blending"],
    [
        "comparison.budget",
        "comparison.choices",
        "plotting.comparison",
        "plotting.curves",
        "plotting.search",
        "comparison.ttest",
        "model_selection.simplest",
    ],
    ["estimators.convolutional", "estimators.base"],
    ["estimators.constraints"],
    ["estimators.fitted", "estimators.members", "estimators.preparation"],
    ["fusion.backend"],
    ["fusion.scheduler", "fusion.dispatch"],
    ["training.train"],
    ["fusion.checkpoint"],
    ["training.stack"],
    ["training.memory", "fusion.progress"],
    ["training.request", "training.loop"],
    ["training.tracker", "training.lbfgs"],
    ["training.objective"],
    ["training.adversarial"],
    ["data.batches"],
    ["training.optimizers"],
    ["training.weight_averages"],
    ["networks.stacked", "networks.losses"],
    ["sparsity.units"],
    ["networks.initial", "networks.layers"],
    ["networks.skips", "networks.embeddings", "networks.shared_members"],
    ["training.gradual_pruning"],
    ["networks.architecture", "networks.convolution", "networks.products"],
    ["penalties.kinds"],
    ["penalties.contract", "penalties.proximal"],
    ["augmentation.steps"],
    ["training.noise", "augmentation.image_augmenter", "augmentation.table_augmenter"],
    ["augmentation.image_draws"],
    ["augmentation.pixels"],
    [
        "comparison.datasets",
        "training.schedules",
        "data.shared_arrays",
        "training.threads",
        "fusion.turns",
        "augmentation.wordnet",
    ],
    ["data.quantiles", "parameters.checks"],
    ["estimators.documentation", "parameters.suggestions"],
    ["model_selection.documentation"],
]
LAYER_OF = {name: depth for depth, names in enumerate(LAYERS) for name in names}


def imported(path):
    """Return the modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            names = [node.module]
            if node.module == "skreg":
                names = [f"skreg.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, module = name.partition(".")
            if package == "skreg":
                found.add(module or "__init__")
    return found


def test_every_module_has_a_layer():
    assert LAYER_OF.keys() == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    for name in imported(PACKAGE / f"{module.replace('.', '/')}.py"):
        assert LAYER_OF[name] > LAYER_OF[module], f"{module} imports {name}"


def test_the_parser_sees_imports():
    """Else the test above could not fail."""
    assert {"estimators.fitted", "fusion.scheduler"} <= imported(
        PACKAGE / "estimators/base.py"
    )
    assert "training.loop" in imported(
        PACKAGE / "estimators/fitted.py"
    )  # inside a function


@pytest.mark.parametrize("folder", [PACKAGE, Path(__file__).parent])
def test_files_are_small(folder):
    """One idea in a file: of more than 500 lines, split it."""
    lengths = {p.name: len(p.read_text().splitlines()) for p in folder.rglob("*.py")}
    assert not {name: n for name, n in lengths.items() if n > 500}


@pytest.mark.parametrize("module", [m for m in MODULES if m != "__main__"])
def test_what_is_exported_exists(module):
    name = "skreg" if module == "__init__" else f"skreg.{module}"
    found = importlib.import_module(name)
    for public in getattr(found, "__all__", ()):
        assert hasattr(found, public)


def test_the_public_names():
    names = {
        "Augmented",
        "BayesSearchCV",
        "CNNClassifier",
        "CNNRegressor",
        "ComparisonDisplay",
        "ComparisonResult",
        "ImageAugmenter",
        "LearningCurvesDisplay",
        "MLPClassifier",
        "MLPClassifierCV",
        "MLPRegressor",
        "MLPRegressorCV",
        "OffOr",
        "RegularizationPath",
        "RegularizationPathDisplay",
        "SearchDisplay",
        "TextAugmenter",
        "TableAugmenter",
        "compare",
        "fused",
        "one_standard_error",
        "compact",
        "prune",
        "regularization_path",
        "search_space",
    }
    assert set(skreg.__all__) == names
    with pytest.raises(AttributeError, match="no attribute 'MLP'"):
        _ = skreg.MLP
