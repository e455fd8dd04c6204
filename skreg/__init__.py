"""Regularised neural networks that are scikit-learn estimators."""

from skreg.bayes_search import BayesSearchCV
from skreg.compare import ComparisonResult, compare
from skreg.display import RegularizationPathDisplay
from skreg.fusion import fused
from skreg.mlp import MLPClassifier, MLPRegressor
from skreg.mlp_cv import MLPClassifierCV, MLPRegressorCV
from skreg.path import RegularizationPath, regularization_path
from skreg.search_space import OffOr, search_space

__all__ = [
    "BayesSearchCV",
    "ComparisonResult",
    "MLPClassifier",
    "MLPClassifierCV",
    "MLPRegressor",
    "MLPRegressorCV",
    "OffOr",
    "RegularizationPath",
    "RegularizationPathDisplay",
    "compare",
    "fused",
    "regularization_path",
    "search_space",
]
__version__ = "0.1.0.dev0"
