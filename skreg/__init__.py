"""Regularised neural networks that are scikit-learn estimators."""

from skreg.augmentation.copies import Augmented
from skreg.augmentation.image_augmenter import ImageAugmenter
from skreg.augmentation.table_augmenter import TableAugmenter
from skreg.augmentation.text_augmenter import TextAugmenter
from skreg.comparison.comparing import ComparisonResult, compare
from skreg.estimators.cnn import CNNClassifier, CNNRegressor
from skreg.estimators.mlp import MLPClassifier, MLPRegressor
from skreg.fusion.backend import fused
from skreg.model_selection.bayes import BayesSearchCV
from skreg.model_selection.path import RegularizationPath, regularization_path
from skreg.model_selection.simplest import one_standard_error
from skreg.model_selection.space import OffOr, search_space
from skreg.model_selection.tuned import MLPClassifierCV, MLPRegressorCV
from skreg.plotting.comparison import ComparisonDisplay
from skreg.plotting.curves import LearningCurvesDisplay
from skreg.plotting.path import RegularizationPathDisplay
from skreg.plotting.search import SearchDisplay
from skreg.sparsity.compaction import compact
from skreg.sparsity.pruning import prune

__all__ = [
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
    "TableAugmenter",
    "TextAugmenter",
    "compact",
    "compare",
    "fused",
    "one_standard_error",
    "prune",
    "regularization_path",
    "search_space",
]
__version__ = "0.1.0.dev0"
