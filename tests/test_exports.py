"""The public names: those that each subpackage exports, and where they are listed."""

import importlib
import re
from pathlib import Path

import pytest

import skreg

PAGES = Path(__file__).parents[1] / "docs/api"
# What each subpackage exports, and so what is public beside `skreg` itself.
EXPORTS = {
    "penalties": {
        "GroupLasso",
        "L1",
        "L2",
        "MaxNorm",
        "NonNegative",
        "Penalty",
        "Sum",
        "check_penalty",
    },
    "losses": {
        "AbsoluteError",
        "HuberLoss",
        "Loss",
        "PoissonLoss",
        "QuantileLoss",
        "SquaredError",
        "check_loss",
    },
    "networks": set(),
    "parameters": set(),
    "data": set(),
    "augmentation": {"Augmented", "ImageAugmenter", "TableAugmenter", "TextAugmenter"},
    "compiled": {"show_versions"},
    "training": set(),
    "fusion": {"fused"},
    "estimators": {"CNNClassifier", "CNNRegressor", "MLPClassifier", "MLPRegressor"},
    "model_selection": {
        "BayesSearchCV",
        "MLPClassifierCV",
        "MLPRegressorCV",
        "OffOr",
        "RegularizationPath",
        "one_standard_error",
        "regularization_path",
        "search_space",
    },
    "sparsity": {"compact", "prune"},
    "plotting": {
        "ComparisonDisplay",
        "CoverageDisplay",
        "LearningCurvesDisplay",
        "RegularizationPathDisplay",
        "SearchDisplay",
    },
    "comparison": {
        "Certainty",
        "Choice",
        "ColumnRole",
        "ComparisonResult",
        "DataError",
        "Statistics",
        "Table",
        "compare",
        "load_table",
    },
}
# For those who look for them in a subpackage; `skreg` itself leaves them out.
IN_SUBPACKAGES_ONLY = (
    EXPORTS["penalties"]
    | EXPORTS["losses"]
    | {
        "Certainty",
        "Choice",
        "ColumnRole",
        "DataError",
        "Statistics",
        "Table",
        "load_table",
    }
)


@pytest.mark.parametrize("package", EXPORTS)
def test_exports_of_a_subpackage(package):
    found = importlib.import_module(f"skreg.{package}")
    exported = set(getattr(found, "__all__", ()))
    assert exported == EXPORTS[package]
    assert all(hasattr(found, name) for name in exported)


@pytest.mark.parametrize("package", [name for name in EXPORTS if EXPORTS[name]])
def test_exports_are_documented(package):
    """The page of a subpackage lists its names, each in a line of its own."""
    page = PAGES / f"{package}.md"
    assert set(re.findall(r"^   (\w+)$", page.read_text(), re.M)) == EXPORTS[package]


def test_exports():
    everything = set().union(*EXPORTS.values())
    assert set(skreg.__all__) == everything - IN_SUBPACKAGES_ONLY
    for package, names in EXPORTS.items():
        for name in names - IN_SUBPACKAGES_ONLY:
            found = importlib.import_module(f"skreg.{package}")
            assert getattr(skreg, name) is getattr(found, name)
    with pytest.raises(AttributeError, match="no attribute 'MLP'"):
        _ = skreg.MLP


def test_every_subpackage_is_listed():
    folders = Path(skreg.__file__).parent.glob("*/__init__.py")
    assert {path.parent.name for path in folders} == set(EXPORTS)
