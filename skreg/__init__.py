"""Regularised neural networks that are scikit-learn estimators."""

from skreg.augmentation import Augmented, ImageAugmenter, TableAugmenter, TextAugmenter
from skreg.comparison import ComparisonResult, compare
from skreg.compiled import show_versions
from skreg.estimators import CNNClassifier, CNNRegressor, MLPClassifier, MLPRegressor
from skreg.fusion import fused
from skreg.model_selection import (
    BayesSearchCV,
    MLPClassifierCV,
    MLPRegressorCV,
    OffOr,
    RegularizationPath,
    one_standard_error,
    regularization_path,
    search_space,
)
from skreg.plotting import (
    ComparisonDisplay,
    CoverageDisplay,
    LearningCurvesDisplay,
    RegularizationPathDisplay,
    SearchDisplay,
)
from skreg.sparsity import compact, prune
from skreg.version import __version__ as __version__

__all__ = [
    "Augmented",
    "BayesSearchCV",
    "CNNClassifier",
    "CNNRegressor",
    "ComparisonDisplay",
    "ComparisonResult",
    "CoverageDisplay",
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
    "TableAugmenter",
    "TextAugmenter",
    "compact",
    "compare",
    "fused",
    "one_standard_error",
    "prune",
    "regularization_path",
    "search_space",
    "show_versions",
]
