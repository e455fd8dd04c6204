"""Regularised neural networks that are scikit-learn estimators."""

from skreg.compare import ComparisonResult, compare
from skreg.mlp import MLPClassifier, MLPRegressor

__version__ = "0.1.0.dev0"
__all__ = ["ComparisonResult", "MLPClassifier", "MLPRegressor", "compare"]
